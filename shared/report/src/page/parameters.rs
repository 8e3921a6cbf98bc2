//! One section a parameter: number, meaning, pictures, regions, all numbers.

use dermalia_findings::{Confidence, Findings, Measure, MeasureName, Parameter, Region};
use maud::{Markup, html};

use super::headline::{Headline, reservations, value, valued};
use super::{Context, badge, face_map, picture_element, single_regions};
use dermalia_locale::Messages;

use crate::amount;
use crate::pictures::View;

pub(super) fn section<'a>(context: &Context<'a>, headline: &Headline<'a>) -> Markup {
    let m = context.messages;
    let text = (m.parameter)(headline.parameter);
    let id = headline.parameter.as_str();
    let Some((number, unit)) = &headline.amount else {
        return html! {};
    };
    html! {
        section.parameter id=(id) aria-labelledby={ (id) "-title" } {
            div.lead {
                h2 id={ (id) "-title" } { (text.name) }
                p.figure-line {
                    span.number { (number) @if unit == "°" { "°" } }
                    @if !unit.is_empty() && unit != "°" { " " span.unit { (unit) } }
                    @if let Some(measure) = headline.measure { " " (badge(m, measure.confidence)) }
                }
                @for (i, sentence) in headline.sentences.iter().enumerate() {
                    p.statement[i == 0] { (sentence) }
                }
                @if let Some(most) = headline.most_on(m) { p { (most) } }
                @if let Some(interval) = headline.measure.and_then(|v| amount::interval(m, v)) {
                    p { (interval) }
                }
                p { (text.reading) }
                p.what { (text.what) }
                @if let Some(measure) = headline.measure {
                    (reservation(m, measure))
                }
            }
            (stills(context, headline.parameter))
            (by_region(context, headline))
            (all_numbers(context, headline.parameter))
        }
    }
}

fn reservation(m: &Messages, measure: &Measure) -> Markup {
    let reasons = reservations(m, measure);
    html! {
        @if !reasons.is_empty() {
            div.reservation {
                p { strong { (m.reservation) } }
                ul { @for reason in &reasons { li { (reason) } } }
            }
        }
    }
}

fn stills(context: &Context<'_>, parameter: Parameter) -> Markup {
    let m = context.messages;
    let name = (m.parameter)(parameter).name;
    let pictures: Vec<_> = View::ALL
        .into_iter()
        .filter_map(|v| context.picture(v, Some(parameter)))
        .collect();
    html! {
        @if !pictures.is_empty() {
            figure class=(if pictures.len() > 1 { "stills several" } else { "stills" }) {
                div.frames {
                    @for picture in &pictures {
                        @let view = match picture.view {
                            View::Front => m.view_front,
                            View::Left => m.view_left,
                            View::Right => m.view_right,
                        };
                        div class={ "frame " (picture.view.as_str()) } {
                            (picture_element(context, picture, &(m.picture_alt)(name, view)))
                        }
                    }
                }
                figcaption { (legend(m)) }
            }
        }
    }
}

fn legend(m: &Messages) -> Markup {
    html! {
        span.visually-hidden { (m.legend) ": " }
        span.legend {
            span { (m.legend_none) }
            svg.ramp viewBox="0 0 140 8" preserveAspectRatio="none" aria-hidden="true" {
                use href="#ramp" {}
            }
            span { (m.legend_strong) }
        }
        span.legend-gap { (m.legend_gap) }
    }
}

/// The leading measure over the regions.
pub(super) struct Spread<'a> {
    pub(super) values: Vec<(Region, Option<&'a Measure>)>,
    /// Of the whole face.
    pub(super) whole: Option<f64>,
    highest: f64,
    scale: f64,
}

impl Spread<'_> {
    /// A value on the scale of the bars, from 0 to 1.
    pub(super) fn level(&self, value: f64) -> f64 {
        (value / self.scale).clamp(0.0, 1.0)
    }
}

/// The leading measure over the regions, where it can be shown as bars.
pub(super) fn spread<'a>(context: &Context<'a>, headline: &Headline<'a>) -> Option<Spread<'a>> {
    let findings = context.input.findings;
    let lead = headline.measure?;
    let values: Vec<(Region, Option<&Measure>)> = single_regions()
        .filter_map(|r| Some((r, findings.region(r)?)))
        .map(|(r, f)| (r, valued(f, lead.name).filter(|v| v.unit == lead.unit)))
        .collect();
    let known: Vec<f64> = values
        .iter()
        .filter_map(|(_, v)| v.and_then(|v| v.value))
        .collect();
    let highest = known.iter().copied().fold(0.0, f64::max);
    // Bars start at zero: a quantity that can be negative has none.
    if known.is_empty() || highest <= 0.0 || known.iter().any(|v| *v < 0.0) {
        return None;
    }
    let whole = findings
        .region(Region::Face)
        .and_then(|f| value(f, lead.name));
    // Wide enough for every interval to end inside.
    let ends: Vec<f64> = values
        .iter()
        .filter_map(|(_, v)| Some(v.as_ref()?.interval?[1]).filter(|end| end.is_finite()))
        .collect();
    let ends = ends.into_iter();
    Some(Spread {
        values,
        whole,
        highest,
        scale: ends.fold(highest.max(whole.unwrap_or(0.0)), f64::max),
    })
}

/// The leading measure over the regions: a drawing and bars.
fn by_region<'a>(context: &Context<'a>, headline: &Headline<'a>) -> Markup {
    let m = context.messages;
    let (Some(lead), Some(spread)) = (headline.measure, spread(context, headline)) else {
        return html! {};
    };
    let Spread {
        values,
        whole,
        highest,
        ..
    } = &spread;
    let level = |region: Region| {
        values
            .iter()
            .find(|(r, _)| *r == region)
            .and_then(|(_, v)| v.and_then(|v| v.value))
            .map(|v| v / highest)
    };
    let name = (m.parameter)(headline.parameter).name;
    let listing: Vec<String> = values
        .iter()
        .map(|(r, v)| {
            let told = v
                .and_then(|v| amount::amount(m, v))
                .map_or_else(|| m.not_measured.to_lowercase(), |a| amount::joined(&a));
            format!("{} {told}", (m.region)(*r))
        })
        .collect();
    let top = amount::joined(&amount::amount_of(m, lead, *highest));
    html! {
        div.by-region {
            h3 { (m.by_region) }
            div.map {
                (face_map::coloured(level, &(m.map_alt)(name, &listing.join(", "))))
                p.note { ((m.map_scale)(&top)) }
            }
            div.bars {
                ul {
                    @for (region, measure) in values {
                        (bar(m, *region, *measure, &spread))
                    }
                }
                @let has_band = values.iter().any(|(_, v)| v.is_some_and(|v| v.interval.is_some()));
                @if whole.is_some() || has_band {
                    p.note {
                        @if whole.is_some() { (m.bars_note) }
                        @if has_band { " " (m.band_note) }
                    }
                }
            }
        }
    }
}

fn bar(m: &Messages, region: Region, measure: Option<&Measure>, spread: &Spread<'_>) -> Markup {
    let value = measure.and_then(|v| v.value);
    let at = |v: f64| format!("{:.1}", 100.0 * spread.level(v));
    html! {
        li {
            span.name { ((m.region)(region)) }
            svg.bar viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
                @if let Some(v) = value {
                    rect.fill y="2" width=(at(v)) height="6" {}
                }
                @if let Some([low, high]) = measure.and_then(|v| v.interval) {
                    line.band x1=(at(low)) x2=(at(high)) y1="5" y2="5" {}
                }
                @if let Some(w) = spread.whole {
                    line.mark x1=(at(w)) x2=(at(w)) y1="0" y2="10" {}
                }
            }
            @match measure.and_then(|v| amount::amount(m, v)) {
                Some(amount) => {
                    span.value title=[measure.and_then(|v| amount::interval(m, v))] { (amount::joined(&amount)) (doubt(m, measure.map(|v| v.confidence))) }
                }
                None => span.value.gap { (m.not_measured) },
            }
        }
    }
}

/// A word for a value that is not of full confidence.
fn doubt(m: &Messages, confidence: Option<Confidence>) -> Markup {
    let word = match confidence {
        Some(Confidence::Medium) => m.confidence_medium,
        Some(Confidence::Low) => m.confidence_low,
        _ => return html! {},
    };
    html! { span.visually-hidden { ", " (m.confidence_label) " " (word) } }
}

fn has_any(findings: &Findings, name: MeasureName) -> bool {
    findings.regions.iter().any(|r| valued(r, name).is_some())
}

/// Every measure of the parameter in every region.
fn all_numbers(context: &Context<'_>, parameter: Parameter) -> Markup {
    let m = context.messages;
    let findings = context.input.findings;
    let names: Vec<MeasureName> = MeasureName::ALL
        .iter()
        .copied()
        .filter(|n| n.parameter() == parameter && has_any(findings, *n))
        .collect();
    let title = (m.all_numbers_of)((m.parameter)(parameter).name);
    html! {
        details.numbers {
            summary { (m.all_numbers) }
            div.scroll role="region" tabindex="0" aria-label=(title) {
                table {
                    caption.visually-hidden { (title) }
                    thead {
                        tr {
                            th scope="col" { (m.region_column) }
                            @for &name in &names { th scope="col" { ((m.measure)(name).name) } }
                        }
                    }
                    tbody {
                        @for region in &findings.regions {
                            tr class=[(region.region == Region::Face).then_some("whole")] {
                                th scope="row" { ((m.region)(region.region)) }
                                @for &name in &names { (cell(m, region.measure(name))) }
                            }
                        }
                    }
                }
            }
            (reservations_of(m, findings, &names))
            h3 { (m.glossary) }
            dl.glossary {
                @for &name in &names {
                    @let text = (m.measure)(name);
                    div { dt { (text.name) } dd { (text.explanation) } }
                }
            }
            p.note { (m.confidence_explained) }
        }
    }
}

/// Why values are less certain, a measure at a time, over all regions.
fn reservations_of(m: &Messages, findings: &Findings, names: &[MeasureName]) -> Markup {
    let told: Vec<(MeasureName, Vec<String>)> = names
        .iter()
        .map(|&name| {
            let mut own: Vec<String> = vec![];
            for region in &findings.regions {
                for text in valued(region, name)
                    .map(|v| reservations(m, v))
                    .unwrap_or_default()
                {
                    if !own.contains(&text) {
                        own.push(text);
                    }
                }
            }
            (name, own)
        })
        .filter(|(_, own)| !own.is_empty())
        .collect();
    html! {
        @if !told.is_empty() {
            h3 { (m.reservation) }
            dl.glossary {
                @for (name, own) in &told {
                    div {
                        dt { ((m.measure)(*name).name) }
                        @for text in own { dd { (text) } }
                    }
                }
            }
        }
    }
}

fn cell(m: &Messages, measure: Option<&Measure>) -> Markup {
    let amount = measure.and_then(|v| amount::amount(m, v));
    html! {
        td {
            @match (amount, measure) {
                (Some(amount), Some(measure)) => {
                    (amount::joined(&amount))
                    @if let Some(range) = amount::range(m, measure) { " " span.doubt { "(" (range) ")" } }
                    @match measure.confidence {
                        Confidence::Medium => { " " span.doubt { "(" (m.confidence_medium) ")" } }
                        Confidence::Low | Confidence::None => { " " span.doubt { "(" (m.confidence_low) ")" } }
                        Confidence::High => {}
                    }
                }
                _ => { span aria-hidden="true" { "–" } span.visually-hidden { (m.not_measured) } }
            }
        }
    }
}
