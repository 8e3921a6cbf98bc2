//! Comparison, quality, method, notice, privacy.

use maud::{Markup, html};

use super::sheet::each_once;
use super::{CONTACT, Context};
use crate::amount;
use crate::change;
use crate::locale::Messages;

/// Measure, then, now, change.
pub(super) fn change_row(m: &Messages, changed: &change::Changed<'_>) -> [String; 4] {
    let threshold = amount::number(m, changed.threshold_percent, 0);
    [
        (m.measure)(changed.now.name).name.to_owned(),
        amount::joined(&amount::amount_of(m, changed.now, changed.then_value)),
        amount::amount(m, changed.now).map_or_else(String::new, |now| amount::joined(&now)),
        (m.change)(changed.change, &format!("{threshold}\u{a0}%")),
    ]
}

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
                                @let [name, then, now, told] = change_row(m, changed);
                                tr {
                                    th scope="row" { (name) }
                                    td { (then) }
                                    td { (now) }
                                    td.text { (told) }
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

/// What the capture was worth, as names and values.
pub(super) fn facts(context: &Context<'_>) -> [[String; 2]; 3] {
    let m = context.messages;
    let quality = &context.input.findings.quality;
    let scale = quality.mm_per_px.filter(|v| v.is_finite()).map_or_else(
        || m.scale_unknown.to_owned(),
        |v| (m.scale_value)(&amount::number(m, v, 2)),
    );
    let clipped = amount::number(m, 100.0 * quality.clipped_fraction, 1);
    let focus = (m.focus_value)(&amount::number(m, quality.focus, 2));
    [
        [m.scale.to_owned(), scale],
        [m.focus.to_owned(), focus],
        [m.clipped.to_owned(), format!("{clipped}\u{a0}%")],
    ]
}

/// The warnings in the reader's language.
pub(super) fn warnings(context: &Context<'_>) -> Vec<String> {
    let quality = &context.input.findings.quality;
    each_once(context.messages, &quality.warnings)
}

/// Until when the data is kept.
pub(super) fn kept(context: &Context<'_>) -> String {
    let m = context.messages;
    context.input.expires.map_or_else(
        || m.kept_by_default.to_owned(),
        |until| (m.kept_until)(&amount::day(m, until)),
    )
}

pub(super) fn quality(context: &Context<'_>) -> Markup {
    let m = context.messages;
    let warnings = warnings(context);
    html! {
        section.quality id="quality" aria-labelledby="quality-title" {
            h2 id="quality-title" { (m.quality_title) }
            p { (m.quality_lead) }
            dl.facts {
                @for [name, value] in facts(context) { div { dt { (name) } dd { (value) } } }
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
        (assets.pdf_href, m.download_pdf),
        (assets.data_href, m.download_data),
        (assets.fhir_href, m.download_fhir),
        (assets.model_href, m.download_model),
    ];
    let wishes = [
        (assets.erase_href, m.ask_erase),
        (assets.object_href, m.ask_object),
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
            @if wishes.iter().any(|(href, _)| href.is_some()) {
                ul.downloads {
                    @for (href, text) in wishes {
                        @if let Some(href) = href { li { a href=(href) { (text) } } }
                    }
                }
            }
            p { (m.rights_how) " " a href={ "mailto:" (CONTACT) } { (CONTACT) } "." }
            p { (m.controller) " " (m.processed) }
            p {
                (kept(context))
                " " (m.authority)
            }
            p.note { (m.scan_id) ": " (context.input.findings.scan_id) }
        }
    }
}
