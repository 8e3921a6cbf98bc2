//! The report as words and numbers without a layout, for printing.
//!
//! It is made by the functions that the page is made by, so that both say the same.

use dermalia_findings::{Confidence, MeasureName, Parameter, Region};
use serde::Serialize;

use super::headline::{Headline, localised, reservations, valued};
use super::parameters::spread;
use super::{CONTACT, Context, ReportInput, closing, gaps};
use dermalia_locale::Messages;

use crate::amount;
use crate::change;
use crate::pictures::{View, logo_size, still_name};

/// Everything a printed report says, in one language, in the order it is read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sheet {
    language: &'static str,
    dir: &'static str,
    title: &'static str,
    practice: String,
    practice_contact: Option<String>,
    has_logo: bool,
    #[serde(skip)]
    logo: Option<Vec<u8>>,
    /// Seconds since 1970 of the capture.
    captured_at_secs: i64,
    greeting: Option<String>,
    intro: String,
    not_a_diagnosis: &'static str,
    portrait: Option<Figure>,
    glance_title: &'static str,
    glance: Vec<Glance>,
    legend: [&'static str; 3],
    by_region: &'static str,
    bars_note: String,
    parameters: Vec<Section>,
    numbers_title: String,
    numbers_head: [&'static str; 3],
    numbers: Vec<Row>,
    changes: Option<Changes>,
    gaps_title: &'static str,
    gaps_lead: &'static str,
    gaps: Vec<Gap>,
    quality_title: &'static str,
    quality: Vec<[String; 2]>,
    warnings: Vec<String>,
    method_title: &'static str,
    method: Vec<String>,
    notice_title: &'static str,
    notice: &'static str,
    privacy_title: &'static str,
    privacy: Vec<String>,
    rights_title: &'static str,
    rights: &'static [&'static str],
    footer: String,
    attached: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Figure {
    file: String,
    alt: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Trust {
    word: String,
    dots: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Glance {
    name: &'static str,
    /// Number and unit in one; `None` where nothing was measured.
    amount: Option<String>,
    phrase: String,
    range: Option<String>,
    trust: Option<Trust>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Section {
    name: &'static str,
    amount: String,
    trust: Option<Trust>,
    sentences: Vec<String>,
    what: &'static str,
    reservations: Vec<String>,
    figures: Vec<Figure>,
    bars: Vec<Bar>,
    /// The whole face on the scale of the bars.
    mark: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Bar {
    region: &'static str,
    amount: String,
    /// From 0 to 1; `None` where nothing was measured.
    level: Option<f64>,
    /// The ends of the interval on the same scale.
    band: Option<[f64; 2]>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    name: &'static str,
    amount: String,
    range: Option<String>,
    trust: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Changes {
    title: &'static str,
    lead: String,
    head: [&'static str; 4],
    rows: Vec<[String; 4]>,
    regional_title: &'static str,
    regional: Option<closing::Regional>,
    note: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Gap {
    names: String,
    text: String,
}

impl Sheet {
    /// The sheet of a report.
    #[must_use]
    pub fn of(input: &ReportInput<'_>) -> Self {
        let context = Context::new(input);
        let m = context.messages;
        let findings = input.findings;
        let trimmed = |t: Option<&str>| {
            let text = t.map(str::trim).filter(|t| !t.is_empty());
            text.map(str::to_owned)
        };
        let has_bands = findings
            .regions
            .iter()
            .flat_map(|r| &r.measures)
            .any(|v| v.interval.is_some());
        let logo = input.practice.logo.filter(|l| logo_size(l).is_some());
        let mut privacy = vec![
            format!("{} {CONTACT}.", m.rights_how),
            format!("{} {}", m.controller, m.processed),
        ];
        privacy.push(format!("{} {}", closing::kept(&context), m.authority));
        Self {
            language: input.locale.tag(),
            dir: m.dir,
            title: m.report_title,
            practice: context.practice().to_owned(),
            practice_contact: trimmed(input.practice.contact),
            has_logo: logo.is_some(),
            logo: logo.map(<[u8]>::to_vec),
            captured_at_secs: findings
                .captured_at
                .parse::<jiff::Timestamp>()
                .map_or(0, jiff::Timestamp::as_second),
            greeting: trimmed(input.patient_first_name).map(|n| (m.greeting)(&n)),
            intro: (m.intro)(&amount::day(m, &findings.captured_at)),
            not_a_diagnosis: m.not_a_diagnosis_short,
            portrait: context
                .picture(View::Front, None)
                .map(|p| figure(p.view, p.parameter, m.picture_skin_alt.to_owned())),
            glance_title: m.summary_title,
            glance: context.headlines.iter().map(|h| glance(m, h)).collect(),
            legend: [m.legend_none, m.legend_strong, m.legend_gap],
            by_region: m.by_region,
            bars_note: if has_bands {
                format!("{} {}", m.bars_note, m.band_note)
            } else {
                m.bars_note.to_owned()
            },
            parameters: context
                .headlines
                .iter()
                .filter_map(|h| section(&context, h))
                .collect(),
            numbers_title: (m.all_numbers_of)((m.region)(Region::Face)),
            numbers_head: [m.measure_column, m.now, m.confidence_label],
            numbers: numbers(&context),
            changes: changes(&context),
            gaps_title: m.gaps_title,
            gaps_lead: m.gaps_lead,
            gaps: gaps::told(&context)
                .into_iter()
                .map(|(names, text)| Gap { names, text })
                .collect(),
            quality_title: m.quality_title,
            quality: closing::facts(&context).into(),
            warnings: closing::warnings(&context),
            method_title: m.method_title,
            method: m.method.iter().map(|&t| t.to_owned()).collect(),
            notice_title: m.notice_title,
            notice: m.notice,
            privacy_title: m.privacy_title,
            privacy,
            rights_title: m.rights_title,
            rights: m.rights,
            footer: format!(
                "{} · {}: {}",
                (m.algorithm)(&findings.algorithm),
                m.scan_id,
                findings.scan_id
            ),
            attached: m.download_fhir,
        }
    }

    /// Every amount on it, number and unit in one, in reading order.
    #[must_use]
    pub fn amounts(&self) -> Vec<&str> {
        let glance = self.glance.iter().filter_map(|g| g.amount.as_deref());
        let sections = self.parameters.iter().flat_map(|p| {
            let bars = p.bars.iter().filter(|b| b.level.is_some());
            std::iter::once(p.amount.as_str()).chain(bars.map(|b| b.amount.as_str()))
        });
        let numbers = self.numbers.iter().map(|r| r.amount.as_str());
        glance.chain(sections).chain(numbers).collect()
    }

    /// What it says of the scan before, in reading order.
    #[must_use]
    pub fn changes(&self) -> Vec<&str> {
        let whole = self.changes.iter().flat_map(|c| c.rows.iter().flatten());
        let regional = self.changes.iter().filter_map(|c| c.regional.as_ref());
        let regional = regional.flat_map(|r| {
            let cells = r.rows.iter().flat_map(|row| row.cells.iter().flatten());
            let cells = cells.flat_map(|c| [c.values.as_str(), c.told.as_str()]);
            r.sentences.iter().map(String::as_str).chain(cells)
        });
        whole.map(String::as_str).chain(regional).collect()
    }

    /// The picture files that it shows.
    #[must_use]
    pub fn picture_files(&self) -> Vec<&str> {
        let sections = self.parameters.iter().flat_map(|p| &p.figures);
        let all = self.portrait.iter().chain(sections);
        all.map(|f| f.file.as_str()).collect()
    }

    /// The practice's logo, as WebP.
    #[must_use]
    pub fn logo(&self) -> Option<&[u8]> {
        self.logo.as_deref()
    }

    /// The language's tag (BCP 47).
    #[must_use]
    pub const fn language(&self) -> &'static str {
        self.language
    }
}

fn figure(view: View, parameter: Option<Parameter>, alt: String) -> Figure {
    Figure {
        file: still_name(view, parameter),
        alt,
    }
}

fn trust(m: &Messages, confidence: Confidence) -> Trust {
    let (word, dots) = match confidence {
        Confidence::High => (m.confidence_high, 3),
        Confidence::Medium => (m.confidence_medium, 2),
        Confidence::Low => (m.confidence_low, 1),
        Confidence::None => (m.not_measured, 0),
    };
    Trust {
        word: format!("{} {word}", m.confidence_label),
        dots,
    }
}

fn glance(m: &Messages, headline: &Headline<'_>) -> Glance {
    let is_measured = headline.is_measured();
    Glance {
        name: (m.parameter)(headline.parameter).name,
        amount: headline.amount.as_ref().map(amount::joined),
        phrase: if is_measured {
            headline.phrase(m)
        } else {
            format!("{}. {}", m.not_measured, headline.gap)
        },
        range: headline.measure.and_then(|v| amount::range(m, v)),
        trust: headline
            .measure
            .filter(|_| is_measured)
            .map(|v| trust(m, v.confidence)),
    }
}

fn section(context: &Context<'_>, headline: &Headline<'_>) -> Option<Section> {
    let m = context.messages;
    let text = (m.parameter)(headline.parameter);
    let amount = amount::joined(headline.amount.as_ref()?);
    let mut sentences = headline.sentences.clone();
    sentences.extend(headline.most_on(m));
    sentences.extend(headline.measure.and_then(|v| amount::interval(m, v)));
    sentences.push(text.reading.to_owned());
    let figures = View::ALL.into_iter().filter_map(|view| {
        context.picture(view, Some(headline.parameter))?;
        let words = match view {
            View::Front => m.view_front,
            View::Left => m.view_left,
            View::Right => m.view_right,
        };
        let alt = (m.picture_alt)(text.name, words);
        Some(figure(view, Some(headline.parameter), alt))
    });
    let spread = spread(context, headline);
    let bars = spread.as_ref().map_or_else(Vec::new, |s| {
        s.values
            .iter()
            .map(|(region, measure)| Bar {
                region: (m.region)(*region),
                amount: measure
                    .and_then(|v| amount::amount(m, v))
                    .map_or_else(|| m.not_measured.to_owned(), |a| amount::joined(&a)),
                level: measure.and_then(|v| v.value).map(|v| s.level(v)),
                band: measure
                    .and_then(|v| v.interval)
                    .map(|ends| ends.map(|v| s.level(v))),
            })
            .collect()
    });
    Some(Section {
        name: text.name,
        amount,
        trust: headline.measure.map(|v| trust(m, v.confidence)),
        sentences,
        what: text.what,
        reservations: headline
            .measure
            .map(|v| reservations(m, v))
            .unwrap_or_default(),
        figures: figures.collect(),
        bars,
        mark: spread.and_then(|s| Some(s.level(s.whole?))),
    })
}

/// Every measure of the whole face that there is.
fn numbers(context: &Context<'_>) -> Vec<Row> {
    let m = context.messages;
    let Some(face) = context.input.findings.region(Region::Face) else {
        return vec![];
    };
    MeasureName::ALL
        .iter()
        .filter_map(|&name| {
            let measure = valued(face, name)?;
            Some(Row {
                name: (m.measure)(name).name,
                amount: amount::joined(&amount::amount(m, measure)?),
                range: amount::range(m, measure),
                trust: match measure.confidence {
                    Confidence::High => m.confidence_high,
                    Confidence::Medium => m.confidence_medium,
                    Confidence::Low | Confidence::None => m.confidence_low,
                }
                .to_owned(),
            })
        })
        .collect()
}

fn changes(context: &Context<'_>) -> Option<Changes> {
    let m = context.messages;
    let previous = context.input.previous?;
    let all = change::changes(context.input.findings, previous);
    let rows: Vec<[String; 4]> = all
        .iter()
        .map(|changed| closing::change_row(m, changed))
        .collect();
    (!rows.is_empty()).then(|| Changes {
        title: m.changes_title,
        lead: (m.changes_lead)(&amount::day(m, &previous.captured_at)),
        head: [m.measure_column, m.then, m.now, m.change_column],
        rows,
        regional_title: m.by_region,
        regional: closing::regional(context),
        note: m.changes_note,
    })
}

/// A warning in the reader's language; each once.
pub(super) fn each_once(m: &Messages, english: &[String]) -> Vec<String> {
    let mut out: Vec<String> = vec![];
    for text in english.iter().map(|t| localised(m, t)) {
        if !out.contains(&text) {
            out.push(text);
        }
    }
    out
}
