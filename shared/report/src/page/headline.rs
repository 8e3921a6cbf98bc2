//! What is said first about each parameter: one number, one sentence.

use dermalia_findings::{
    Confidence, Findings, Measure, MeasureName, Parameter, Region, RegionFindings, Source,
};
use dermalia_locale::{HydrationBand, Messages, ReasonKind, ToneBand};

use crate::amount;
use crate::reason;

/// The headline of one parameter.
pub(super) struct Headline<'a> {
    pub(super) parameter: Parameter,
    /// The measure that leads, of the whole face (or of the probe's only site).
    pub(super) measure: Option<&'a Measure>,
    /// Number and unit; `None` where nothing was measured.
    pub(super) amount: Option<(String, String)>,
    /// What the number says, in full sentences.
    pub(super) sentences: Vec<String>,
    /// In how many places a probe measured, where only single ones were.
    sites: usize,
    /// Why there is no number, in one sentence; empty where there is one.
    pub(super) gap: String,
    /// The regions with the most, where it is not the same everywhere.
    most_on: Vec<Region>,
}

/// The measures that can lead, the best first.
pub(super) const fn leading(parameter: Parameter) -> &'static [MeasureName] {
    match parameter {
        Parameter::Wrinkles => &[
            MeasureName::WrinkleLengthDensity,
            MeasureName::WrinkleAreaFraction,
            MeasureName::WrinkleCount,
            MeasureName::WrinkleDepthMean,
        ],
        Parameter::Pores => &[
            MeasureName::PoreDensity,
            MeasureName::PoreAreaFraction,
            MeasureName::PoreDiameterMean,
        ],
        Parameter::Pigmentation => &[
            MeasureName::SpotAreaFraction,
            MeasureName::SpotDensity,
            MeasureName::Ita,
            MeasureName::MelaninIndex,
            MeasureName::SpotContrastMean,
        ],
        Parameter::Redness => &[
            MeasureName::RedAreaFraction,
            MeasureName::AStar,
            MeasureName::ErythemaIndex,
        ],
        Parameter::Hydration => &[MeasureName::Hydration],
        Parameter::Texture => &[
            MeasureName::Sa,
            MeasureName::Sq,
            MeasureName::Sz,
            MeasureName::Ssk,
            MeasureName::Sku,
        ],
    }
}

/// A measure with a number in it.
pub(super) fn valued(region: &RegionFindings, name: MeasureName) -> Option<&Measure> {
    region
        .measure(name)
        .filter(|m| m.value.is_some_and(f64::is_finite))
}

/// The value of a measure, if there is one.
pub(super) fn value(region: &RegionFindings, name: MeasureName) -> Option<f64> {
    valued(region, name).and_then(|m| m.value)
}

/// One headline a parameter; texture only where there is something to say about it.
pub(super) fn headlines<'a>(messages: &Messages, findings: &'a Findings) -> Vec<Headline<'a>> {
    Parameter::ALL
        .into_iter()
        .map(|p| Headline::of(messages, findings, p))
        .filter(|h| h.parameter != Parameter::Texture || h.is_measured())
        .collect()
}

impl<'a> Headline<'a> {
    fn of(messages: &Messages, findings: &'a Findings, parameter: Parameter) -> Self {
        let face = findings.region(Region::Face);
        let lead = face.and_then(|f| leading(parameter).iter().find_map(|&name| valued(f, name)));
        let mut headline = Self {
            parameter,
            measure: lead,
            amount: lead.and_then(|m| amount::amount(messages, m)),
            sentences: vec![],
            sites: 0,
            gap: String::new(),
            most_on: vec![],
        };
        match (lead, face) {
            (Some(lead), Some(face)) => {
                headline.most_on = most_on(findings, lead);
                headline.sentences = sentences(messages, lead, face);
            }
            _ => headline.take_single_sites(messages, findings),
        }
        if !headline.is_measured() {
            headline.gap = gap(messages, face, parameter);
        }
        headline
    }

    /// A measure that only single regions carry, as a probe's does.
    fn take_single_sites(&mut self, messages: &Messages, findings: &'a Findings) {
        let Some((name, sites)) = leading(self.parameter).iter().find_map(|&name| {
            let sites: Vec<&Measure> = findings
                .regions
                .iter()
                .filter(|r| r.region != Region::Face)
                .filter_map(|r| valued(r, name))
                .collect();
            (!sites.is_empty()).then_some((name, sites))
        }) else {
            return;
        };
        // Values in several units have no common range: the first unit's are told.
        let sites: Vec<&Measure> = sites
            .iter()
            .copied()
            .filter(|m| m.unit == sites[0].unit)
            .collect();
        let by = |m: &&Measure| m.value.unwrap_or_default();
        let (Some(&low), Some(&high)) = (
            sites.iter().min_by(|a, b| by(a).total_cmp(&by(b))),
            sites.iter().max_by(|a, b| by(a).total_cmp(&by(b))),
        ) else {
            return;
        };
        let (Some(least), Some(most)) = (
            amount::amount(messages, low),
            amount::amount(messages, high),
        ) else {
            return;
        };
        self.measure = sites.iter().copied().min_by_key(|m| m.confidence);
        let (from, to) = (amount::joined(&least), amount::joined(&most));
        if least == most {
            self.amount = Some(most);
            self.sentences = match name {
                MeasureName::Hydration => vec![(messages.hydration)(&to)],
                _ => vec![(messages.other_headline)(
                    (messages.measure)(name).name,
                    &to,
                )],
            };
        } else {
            self.sites = sites.len();
            self.amount = Some((format!("{}–{}", least.0, most.0), most.1.clone()));
            self.sentences = match name {
                MeasureName::Hydration => {
                    vec![(messages.hydration_sites)(sites.len(), &from, &to)]
                }
                _ => vec![(messages.other_headline)(
                    (messages.measure)(name).name,
                    &format!("{from}–{to}"),
                )],
            };
        }
        if name == MeasureName::Hydration {
            self.sentences.extend(hydration_band(messages, low, high));
            self.sentences
                .extend(instrument(low).map(|i| (messages.instrument)(i)));
        }
    }

    pub(super) const fn is_measured(&self) -> bool {
        self.amount.is_some()
    }

    /// Where there is most of it, for the glance; else the first sentence.
    pub(super) fn phrase(&self, messages: &Messages) -> String {
        match self.most_on.first() {
            Some(&first) => (messages.most_on)((messages.region)(first)),
            None if self.sites > 1 => (messages.at_sites)(self.sites),
            None => self.sentences.first().cloned().unwrap_or_default(),
        }
    }

    /// The sentence about the regions with the most.
    pub(super) fn most_on(&self, messages: &Messages) -> Option<String> {
        if self.most_on.is_empty() {
            return None;
        }
        let names: Vec<&str> = self.most_on.iter().map(|&r| (messages.region)(r)).collect();
        Some((messages.most_on)(&amount::listing(messages, &names)))
    }
}

/// The first reason of the parameter's leading measure, in the reader's language.
fn gap(messages: &Messages, face: Option<&RegionFindings>, parameter: Parameter) -> String {
    let english = leading(parameter)
        .iter()
        .find_map(|&name| face?.measure(name)?.reason.as_deref())
        .and_then(|r| reason::parts(r).next());
    match (english, parameter) {
        (Some(english), _) => localised(messages, english),
        (None, Parameter::Hydration) => (messages.reason)(ReasonKind::NoDeviceValue, &[]),
        (None, _) => localised(messages, ""),
    }
}

/// Up to two regions that lie clearly above the face as a whole.
fn most_on(findings: &Findings, lead: &Measure) -> Vec<Region> {
    if matches!(
        lead.name,
        MeasureName::Ita | MeasureName::MelaninIndex | MeasureName::Ssk | MeasureName::Sku
    ) {
        return vec![];
    }
    let whole = lead.value.unwrap_or_default();
    let mut regions: Vec<(f64, Region)> = findings
        .regions
        .iter()
        .filter(|r| r.region != Region::Face)
        .filter_map(|r| {
            let m = valued(r, lead.name)?;
            // A count grows with the region; a value without confidence leads nobody.
            let usable = m.name != MeasureName::WrinkleCount && m.confidence > Confidence::None;
            Some((m.value.filter(|_| usable && m.unit == lead.unit)?, r.region))
        })
        .filter(|(v, _)| *v > 1.1 * whole.max(0.0) && *v > 0.0)
        .collect();
    regions.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    regions.into_iter().take(2).map(|(_, r)| r).collect()
}

fn sentences(messages: &Messages, lead: &Measure, face: &RegionFindings) -> Vec<String> {
    let m = messages;
    let told = |measure: &Measure| amount::amount(m, measure).map(|a| amount::joined(&a));
    let Some(amount) = told(lead) else {
        return vec![];
    };
    let is_zero = lead.value == Some(0.0);
    let device = lead.source == Source::Device;
    let tone = valued(face, MeasureName::Ita)
        .and_then(|ita| Some((m.tone)(tone_band(ita.value?), &told(ita)?)));
    let mut out = vec![match lead.name {
        // The sentence about the tone tells the angle itself.
        MeasureName::Ita => return tone.into_iter().collect(),
        MeasureName::WrinkleLengthDensity if is_zero => m.no_wrinkles.to_owned(),
        MeasureName::WrinkleLengthDensity => {
            let count = valued(face, MeasureName::WrinkleCount).and_then(told);
            (m.wrinkles)(count.as_deref(), &amount)
        }
        MeasureName::PoreDensity if is_zero => m.no_pores.to_owned(),
        MeasureName::PoreDensity => {
            let diameter = valued(face, MeasureName::PoreDiameterMean).and_then(told);
            (m.pores)(&amount, diameter.as_deref())
        }
        MeasureName::SpotAreaFraction if is_zero => m.no_spots.to_owned(),
        MeasureName::SpotAreaFraction => (m.spots)(&amount),
        MeasureName::RedAreaFraction if is_zero => m.no_red_areas.to_owned(),
        MeasureName::RedAreaFraction => (m.red_areas)(&amount),
        MeasureName::Hydration => (m.hydration)(&amount),
        MeasureName::Sa => (m.texture)(&amount),
        name => (m.other_headline)((m.measure)(name).name, &amount),
    }];
    if lead.name.parameter() == Parameter::Pigmentation {
        out.extend(tone);
    }
    if lead.name == MeasureName::Hydration {
        out.extend(hydration_band(m, lead, lead));
        out.extend(instrument(lead).map(|i| (m.instrument)(i)));
    } else if device {
        out.extend(instrument(lead).map(|i| (m.instrument)(i)));
    }
    out
}

/// The band of an ITA angle in degrees.
const fn tone_band(ita_deg: f64) -> ToneBand {
    if ita_deg > 55.0 {
        ToneBand::VeryLight
    } else if ita_deg > 41.0 {
        ToneBand::Light
    } else if ita_deg > 28.0 {
        ToneBand::Intermediate
    } else if ita_deg > 10.0 {
        ToneBand::Tan
    } else if ita_deg > -30.0 {
        ToneBand::Brown
    } else {
        ToneBand::Dark
    }
}

/// The guide band, only for a Corneometer and only where both ends share it.
fn hydration_band(messages: &Messages, low: &Measure, high: &Measure) -> Option<String> {
    let band = |m: &Measure| {
        let is_corneometer = m.unit == "AU"
            && m.reason
                .as_deref()
                .is_some_and(|r| r.to_lowercase().contains("corneometer"));
        let v = m.value.filter(|_| is_corneometer)?;
        Some(if v < 30.0 {
            HydrationBand::VeryDry
        } else if v < 45.0 {
            HydrationBand::Dry
        } else {
            HydrationBand::Sufficient
        })
    };
    let (a, b) = (band(low)?, band(high)?);
    (a == b).then(|| (messages.hydration_band)(a).to_owned())
}

/// The instrument that a device value names in its reason.
pub(super) fn instrument(measure: &Measure) -> Option<&str> {
    if measure.source != Source::Device {
        return None;
    }
    let text = reason::parts(measure.reason.as_deref()?).next()?;
    let name = [
        "measured by the device's ",
        "measured by ",
        "instrument: ",
        "instrument ",
    ]
    .iter()
    .find_map(|p| text.strip_prefix(p))
    .unwrap_or(text)
    .trim();
    // A name, not a sentence.
    let is_name = !name.is_empty()
        && name.chars().count() <= 48
        && name
            .chars()
            .next()
            .is_some_and(|c| c.is_uppercase() || c.is_ascii_digit());
    is_name.then_some(name)
}

/// The reservations behind a confidence below `high`, in the reader's language.
pub(super) fn reservations(messages: &Messages, measure: &Measure) -> Vec<String> {
    if measure.confidence == Confidence::High {
        return vec![];
    }
    let named = instrument(measure);
    let mut out: Vec<String> = vec![];
    for part in measure
        .reason
        .as_deref()
        .map(reason::parts)
        .into_iter()
        .flatten()
    {
        if named.is_some_and(|n| part.ends_with(n)) {
            continue;
        }
        let text = localised(messages, part);
        if !out.contains(&text) {
            out.push(text);
        }
    }
    out
}

/// One English reason in the reader's language.
pub(super) fn localised(messages: &Messages, english: &str) -> String {
    let (kind, numbers) = reason::classify(english);
    let numbers: Vec<String> = numbers.iter().map(|n| amount::plain(messages, n)).collect();
    (messages.reason)(kind, &numbers)
}
