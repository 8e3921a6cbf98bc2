//! Comparison, quality, method, notice, privacy.

use maud::{Markup, html};

use super::headline::localised;
use super::{CONTACT, Context};
use crate::amount;
use crate::change;

pub(super) fn changes(context: &Context<'_>) -> Markup {
    let m = context.messages;
    let Some(previous) = context.input.previous else {
        return html! {};
    };
    let changes = change::changes(context.input.findings, previous);
    html! {
        @if !changes.is_empty() {
            section.changes id="changes" aria-labelledby="changes-title" {
                h2 id="changes-title" { (m.changes_title) }
                p { ((m.changes_lead)(&amount::day(m, &previous.captured_at))) }
                div.scroll role="region" tabindex="0" aria-label=((m.all_numbers_of)(m.changes_title)) {
                    table {
                        thead {
                            tr {
                                th scope="col" { (m.measure_column) }
                                th scope="col" { (m.then) }
                                th scope="col" { (m.now) }
                                th scope="col" { (m.change_column) }
                            }
                        }
                        tbody {
                            @for changed in &changes {
                                tr {
                                    th scope="row" { ((m.measure)(changed.now.name).name) }
                                    td { (amount::joined(&amount::amount_of(m, changed.now, changed.then_value))) }
                                    td { @if let Some(now) = amount::amount(m, changed.now) { (amount::joined(&now)) } }
                                    td.text { ((m.change)(changed.change,
                                        &format!("{}\u{a0}%", amount::number(m, changed.threshold_percent, 0)))) }
                                }
                            }
                        }
                    }
                }
                p.note { (m.changes_note) }
            }
        }
    }
}

pub(super) fn quality(context: &Context<'_>) -> Markup {
    let m = context.messages;
    let quality = &context.input.findings.quality;
    let mut warnings: Vec<String> = vec![];
    for warning in &quality.warnings {
        let text = localised(m, warning);
        if !warnings.contains(&text) {
            warnings.push(text);
        }
    }
    let scale = quality.mm_per_px.filter(|v| v.is_finite()).map_or_else(
        || m.scale_unknown.to_owned(),
        |v| (m.scale_value)(&amount::number(m, v, 2)),
    );
    html! {
        section.quality id="quality" aria-labelledby="quality-title" {
            h2 id="quality-title" { (m.quality_title) }
            p { (m.quality_lead) }
            dl.facts {
                div { dt { (m.scale) } dd { (scale) } }
                div { dt { (m.focus) } dd { ((m.focus_value)(&amount::number(m, quality.focus, 2))) } }
                div { dt { (m.clipped) } dd { (amount::number(m, 100.0 * quality.clipped_fraction, 1)) "\u{a0}%" } }
            }
            @if warnings.is_empty() {
                p { (m.no_warnings) }
            } @else {
                h3 { (m.warnings) }
                ul.plain { @for warning in &warnings { li { (warning) } } }
            }
        }
    }
}

pub(super) fn method(context: &Context<'_>) -> Markup {
    let m = context.messages;
    html! {
        section.method id="method" aria-labelledby="method-title" {
            h2 id="method-title" { (m.method_title) }
            ul.plain { @for note in m.method { li { (note) } } }
            p.note { ((m.algorithm)(&context.input.findings.algorithm)) }
        }
    }
}

pub(super) fn notice(context: &Context<'_>) -> Markup {
    let m = context.messages;
    html! {
        section.notice id="notice" aria-labelledby="notice-title" {
            h2 id="notice-title" { (m.notice_title) }
            p { (m.notice) }
            @if let Some(contact) = context.input.practice.contact.map(str::trim).filter(|c| !c.is_empty()) {
                p { strong { (context.practice()) } br; (contact) }
            }
        }
    }
}

pub(super) fn privacy(context: &Context<'_>) -> Markup {
    let m = context.messages;
    let assets = context.input.assets;
    let downloads = [
        (assets.data_href, m.download_data),
        (assets.model_href, m.download_model),
    ];
    html! {
        section.privacy id="privacy" aria-labelledby="privacy-title" {
            h2 id="privacy-title" { (m.privacy_title) }
            @if downloads.iter().any(|(href, _)| href.is_some()) {
                h3.downloads-title { (m.downloads_title) }
                ul.downloads {
                    @for (href, text) in downloads {
                        @if let Some(href) = href { li { a href=(href) download { (text) } } }
                    }
                }
            }
            h3 { (m.rights_title) }
            ul.plain { @for right in m.rights { li { (right) } } }
            p { (m.rights_how) " " a href={ "mailto:" (CONTACT) } { (CONTACT) } "." }
            p { (m.controller) " " (m.processed) }
            p {
                @match context.input.expires {
                    Some(until) => ((m.kept_until)(&amount::day(m, until))),
                    None => (m.kept_by_default),
                }
                " " (m.authority)
            }
            p.note { (m.scan_id) ": " (context.input.findings.scan_id) }
        }
    }
}
