//! Comparison, quality, method, notice, privacy.

use dermalia_findings::Comparison;
use dermalia_findings::scatter::Verdict;
use maud::{Markup, html};
use serde::Serialize;

use super::sheet::each_once;
use super::{CONTACT, Context, single_regions};
use dermalia_locale::Messages;

use crate::amount;
use crate::change;

/// A value in the measure's unit, as number and unit.
fn told(m: &Messages, compared: &Comparison<'_>, value: f64) -> (String, String) {
    amount::amount_of(m, compared.now, value)
}

/// Measure, then, now, change.
pub(super) fn change_row(m: &Messages, changed: &Comparison<'_>) -> [String; 4] {
    let [then, now] = changed.values.map(|v| amount::joined(&told(m, changed, v)));
    let threshold = changed.smallest_detectable.unwrap_or_default();
    let threshold = amount::joined(&told(m, changed, threshold));
    [
        (m.measure)(changed.now.name).name.to_owned(),
        then,
        now,
        (m.change)(changed.verdict, &threshold),
    ]
}

/// What changed in the regions: in words, and as a table of numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Regional {
    pub(super) sentences: Vec<String>,
    region_column: &'static str,
    /// Measure and unit.
    pub(super) head: Vec<[String; 2]>,
    pub(super) rows: Vec<RegionalRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RegionalRow {
    pub(super) region: &'static str,
    /// One a measure; `None` where one of the scans has no value.
    pub(super) cells: Vec<Option<RegionalCell>>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct RegionalCell {
    /// Then and now, without unit.
    pub(super) values: String,
    pub(super) told: String,
    pub(super) is_beyond: bool,
}

/// What changed in each region; `None` where nothing can be compared.
pub(super) fn regional(context: &Context<'_>) -> Option<Regional> {
    let m = context.messages;
    let all = change::over_regions(context.input.findings, context.input.previous?);
    let unit_of = |o: &change::OverRegions<'_>| {
        let first = o.regions.first();
        first.map_or_else(String::new, |c| told(m, c, c.values[1]).1)
    };
    let mut sentences: Vec<String> = vec![];
    for measure in &all {
        let which = |verdict: Verdict| -> Option<String> {
            let found = measure.regions.iter().filter(|c| c.verdict == verdict);
            let names: Vec<&str> = found.map(|c| (m.region)(c.region)).collect();
            (!names.is_empty()).then(|| amount::listing(m, &names))
        };
        let (more, less) = (which(Verdict::More), which(Verdict::Less));
        if more.is_some() || less.is_some() {
            let name = (m.measure)(measure.name).name;
            sentences.push((m.change_regions)(name, more.as_deref(), less.as_deref()));
        }
    }
    if sentences.is_empty() {
        sentences.push(m.change_no_region.to_owned());
    }
    let cell = |c: &Comparison<'_>| {
        let number = |v: f64| told(m, c, v).0;
        RegionalCell {
            values: format!("{} → {}", number(c.values[0]), number(c.values[1]))
                .replace(' ', "\u{a0}"),
            told: (m.change_short)(
                c.verdict,
                &number(c.smallest_detectable.unwrap_or_default()),
            ),
            is_beyond: matches!(c.verdict, Verdict::More | Verdict::Less),
        }
    };
    let rows = single_regions()
        .map(|region| RegionalRow {
            region: (m.region)(region),
            cells: all
                .iter()
                .map(|o| o.regions.iter().find(|c| c.region == region).map(cell))
                .collect(),
        })
        .filter(|row| row.cells.iter().any(Option::is_some))
        .collect();
    (!all.is_empty()).then(|| Regional {
        sentences,
        region_column: m.region_column,
        head: all
            .iter()
            .map(|o| [(m.measure)(o.name).name.to_owned(), unit_of(o)])
            .collect(),
        rows,
    })
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
                @if let Some(regional) = regional(context) { (by_region(m, &regional)) }
                p.note { (m.changes_note) }
            }
        }
    }
}

fn by_region(m: &Messages, regional: &Regional) -> Markup {
    let title = format!("{}: {}", m.changes_title, m.by_region);
    html! {
        h3 { (m.by_region) }
        ul.plain { @for sentence in &regional.sentences { li { (sentence) } } }
        details.numbers {
            summary { (m.all_numbers) }
            div.scroll role="region" tabindex="0" aria-label=(title) {
                table {
                    caption.visually-hidden { (title) }
                    thead {
                        tr {
                            th scope="col" { (m.region_column) }
                            @for [name, unit] in &regional.head {
                                th scope="col" { (name) @if !unit.is_empty() { " (" (unit) ")" } }
                            }
                        }
                    }
                    tbody {
                        @for row in &regional.rows {
                            tr {
                                th scope="row" { (row.region) }
                                @for cell in &row.cells {
                                    td {
                                        @match cell {
                                            Some(cell) => {
                                                (cell.values)
                                                br;
                                                @if cell.is_beyond { strong { (cell.told) } }
                                                @else { span.doubt { (cell.told) } }
                                            }
                                            None => { span aria-hidden="true" { "–" } span.visually-hidden { (m.not_measured) } }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
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
