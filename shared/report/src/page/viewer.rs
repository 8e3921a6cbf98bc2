//! The head to turn, for browsers that can draw it; without script nothing of it is seen.

use dermalia_findings::{Parameter, Region};
use maud::{Markup, PreEscaped, html};
use serde_json::json;

use super::{Context, picture_element};
use crate::amount;
use crate::pictures::View;

/// The script, as it stands in the page's head.
const SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/viewer.js"));

/// Name of an action and the sign on its button.
const TURNS: [(&str, &str); 7] = [
    ("left", "\u{2190}"),
    ("right", "\u{2192}"),
    ("up", "\u{2191}"),
    ("down", "\u{2193}"),
    ("nearer", "+"),
    ("farther", "\u{2212}"),
    ("reset", "\u{25cb}"),
];

/// Whether there is a model that a script could fetch.
fn is_there(context: &Context<'_>) -> bool {
    let assets = context.input.assets;
    assets.model_href.is_some() && assets.heat_hrefs.is_some()
}

pub(super) fn script(context: &Context<'_>) -> Markup {
    html! {
        @if is_there(context) { script type="module" { (PreEscaped(SCRIPT)) } }
    }
}

pub(super) fn section(context: &Context<'_>) -> Markup {
    let m = context.messages;
    let v = &m.viewer;
    let assets = context.input.assets;
    let (Some(model), Some(heats)) = (assets.model_href, assets.heat_hrefs) else {
        return html! {};
    };
    let megabytes = |bytes: usize| {
        let number = amount::number(m, bytes as f64 / 1e6, 1);
        amount::joined(&(number, "MB".to_owned()))
    };
    let size = megabytes(assets.model_bytes);
    let before = assets.previous_href.zip(context.input.previous);
    let before_heats: Vec<&str> = assets.previous_heats.iter().map(|p| p.as_str()).collect();
    let day = |captured_at: &str| amount::day(m, captured_at);
    let regions: Vec<&str> = Region::ALL.iter().map(|&r| (m.region)(r)).collect();
    let texts = json!({
        "loading": v.loading,
        "failed": v.failed,
        "nothing": v.nothing,
        "which": v.which,
        "kinds": v.kinds,
        "depth": v.depth,
        "regions": regions,
        "canvas": v.canvas,
        "both": v.both,
        "then": m.then,
        "beforeFailed": v.before_failed,
    });
    let shown: Vec<Parameter> = Parameter::ALL
        .into_iter()
        .filter(|p| assets.heats.contains(p))
        .collect();
    html! {
        section.viewer id="viewer" aria-labelledby="viewer-title" hidden
            data-model=(model) data-heat=(heats) data-texts=(texts.to_string())
            data-before=[before.map(|(href, _)| href)]
            data-before-heats=[before.map(|_| before_heats.join(" "))] {
            h2 id="viewer-title" { (v.title) }
            p { (v.lead) }
            div.viewer-body {
                div.viewer-stage {
                    canvas tabindex="0" role="application" aria-label=(v.canvas) {}
                    @if let Some(picture) = context.picture(View::Front, None) {
                        div.viewer-poster aria-hidden="true" { (picture_element(context, &picture, "")) }
                    }
                    @if let Some((_, previous)) = before {
                        div.viewer-captions {
                            span { (m.then) ": " (day(&previous.captured_at)) }
                            span { (m.now) ": " (day(&context.input.findings.captured_at)) }
                        }
                    }
                    button.viewer-open type="button" { ((v.open)(&size)) }
                }
                p.viewer-status role="status" {}
                div.viewer-tools hidden {
                    fieldset {
                        legend { (v.overlay) }
                        label { input type="radio" name="overlay" value="" checked; " " (v.skin) }
                        @for parameter in &shown {
                            label {
                                input type="radio" name="overlay" value=(parameter.as_str());
                                " " ((m.parameter)(*parameter).name)
                            }
                        }
                    }
                    @if let Some((_, previous)) = before {
                        div.viewer-compare {
                            button type="button" data-act="compare" aria-pressed="false" {
                                ((v.compare)(&day(&previous.captured_at), &megabytes(assets.previous_bytes)))
                            }
                        }
                    }
                    div.viewer-steps {
                        button type="button" data-act="previous" { (v.previous) }
                        button type="button" data-act="next" { (v.next) }
                    }
                    div.viewer-turns role="group" aria-label=(v.tools) {
                        @for ((act, sign), name) in TURNS.iter().zip(v.turns) {
                            button type="button" data-act=(act) aria-label=(name) title=(name) { (sign) }
                        }
                    }
                }
            }
        }
    }
}
