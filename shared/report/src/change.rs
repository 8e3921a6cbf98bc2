//! What changed since an earlier scan, told only where it is more than scatter: the same
//! scatter as where two surfaces are compared ([`dermalia_findings::scatter`]).

use dermalia_findings::scatter::Verdict;
use dermalia_findings::{Comparison, Findings, MeasureName, Region, compared};
use dermalia_locale::Locale;
use serde_json::{Value, json};

/// The measures that a comparison shows, where both scans carry them. Levels of colour depend
/// on the exposure and are not among them.
const SHOWN: &[MeasureName] = &[
    MeasureName::WrinkleLengthDensity,
    MeasureName::PoreDensity,
    MeasureName::SpotAreaFraction,
    MeasureName::RedAreaFraction,
    MeasureName::Hydration,
    MeasureName::Sa,
];

/// Compares the whole face of two scans of one practice; empty where they cannot be.
pub(crate) fn changes<'a>(now: &'a Findings, then: &'a Findings) -> Vec<Comparison<'a>> {
    let shown = SHOWN.iter();
    shown
        .filter_map(|&name| of(now, then, Region::Face, name))
        .collect()
}

/// A measure of a region on two scans of one practice, if it is one that is shown.
pub(crate) fn of<'a>(
    now: &'a Findings,
    then: &'a Findings,
    region: Region,
    name: MeasureName,
) -> Option<Comparison<'a>> {
    if now.practice_id != then.practice_id || now.scan_id == then.scan_id || !SHOWN.contains(&name)
    {
        return None;
    }
    compared(then, now, region, name)
}

/// One measure in every region of both scans.
pub(crate) struct OverRegions<'a> {
    pub(crate) name: MeasureName,
    pub(crate) regions: Vec<Comparison<'a>>,
}

/// The measures that can be compared in a region at least, the face left out.
pub(crate) fn over_regions<'a>(now: &'a Findings, then: &'a Findings) -> Vec<OverRegions<'a>> {
    let regions = |name| -> Vec<Comparison<'a>> {
        let single = Region::ALL.into_iter().filter(|r| *r != Region::Face);
        single.filter_map(|r| of(now, then, r, name)).collect()
    };
    let all = SHOWN.iter().map(|&name| OverRegions {
        name,
        regions: regions(name),
    });
    all.filter(|m| {
        let mut verdicts = m.regions.iter().map(|c| c.verdict);
        verdicts.any(|v| v != Verdict::NotComparable)
    })
    .collect()
}

/// The comparison for the data copy; `None` where nothing can be compared.
pub(crate) fn copied(now: &Findings, then: &Findings) -> Option<Value> {
    let regions: Vec<Value> = Region::ALL
        .into_iter()
        .filter_map(|region| {
            let measures: Vec<Value> = SHOWN
                .iter()
                .filter_map(|&name| of(now, then, region, name))
                .map(|c| {
                    json!({
                        "name": c.now.name,
                        "unit": c.now.unit,
                        "before": c.values[0],
                        "now": c.values[1],
                        "smallest_detectable": c.smallest_detectable,
                        "verdict": c.verdict,
                    })
                })
                .collect();
            let has_any = !measures.is_empty();
            has_any.then(|| json!({ "region": region, "measures": measures }))
        })
        .collect();
    let about: serde_json::Map<String, Value> = Locale::ALL
        .iter()
        .map(|&l| (l.tag().to_owned(), json!(l.messages().changes_note)))
        .collect();
    (!regions.is_empty()).then(|| {
        json!({
            "about": about,
            "previous_captured_at": then.captured_at,
            "regions": regions,
        })
    })
}
