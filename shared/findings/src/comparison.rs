//! Two scans compared by their numbers alone, region by region, where their surfaces are not
//! at hand to be registered.

use crate::scatter::{
    Basis, DETECTABLE, FeatureKind, LEAST_CM2, LEAST_COMMON, Verdict, of_features, of_levels,
    of_people, root,
};
use crate::{Findings, Measure, MeasureName, Region, RegionFindings, Source};

/// One measure of one region then and now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison<'a> {
    /// Which region.
    pub region: Region,
    /// On the earlier scan.
    pub then: &'a Measure,
    /// On the later scan.
    pub now: &'a Measure,
    /// Both values: then, now.
    pub values: [f64; 2],
    /// What two captures of the same skin differ by at most, in 95 of 100; `None` where the
    /// two are not to be compared.
    pub smallest_detectable: Option<f64>,
    /// What can be said.
    pub verdict: Verdict,
}

/// Without registration, a feature at the border of a region may be taken for its
/// neighbour's on one of the scans: a standard deviation over the root of their number.
const BORDER: f64 = 0.15;

/// A measure of a region on two scans; `None` where one has no value.
#[must_use]
pub fn compared<'a>(
    then: &'a Findings,
    now: &'a Findings,
    region: Region,
    name: MeasureName,
) -> Option<Comparison<'a>> {
    let [a, b] = [then.region(region)?, now.region(region)?];
    let [x, y] = [a.measure(name)?, b.measure(name)?];
    let values = [finite(x)?, finite(y)?];
    let features = FeatureKind::of(name)
        .map(|kind| 0.5 * (count(then, region, kind) + count(now, region, kind)));
    let smallest_detectable = is_common(a, b)
        .then(|| detectable([x, y], values, region, features))
        .flatten()
        .filter(|v| v.is_finite());
    Some(Comparison {
        region,
        then: x,
        now: y,
        values,
        smallest_detectable,
        verdict: smallest_detectable.map_or(Verdict::NotComparable, |least| {
            Verdict::of(values[1] - values[0], least)
        }),
    })
}

fn finite(measure: &Measure) -> Option<f64> {
    measure.value.filter(|v| v.is_finite())
}

fn count(findings: &Findings, region: Region, kind: FeatureKind) -> f64 {
    let is_in = |r: Region| region == Region::Face || r == region;
    let found = findings
        .features
        .iter()
        .filter(|f| kind.has(f) && f.is_visible());
    found.filter(|f| is_in(f.region())).count() as f64
}

/// Whether as much of a region was measured on both scans.
fn is_common(a: &RegionFindings, b: &RegionFindings) -> bool {
    let (Some(a), Some(b)) = (a.area_cm2, b.area_cm2) else {
        return false;
    };
    a.min(b) >= LEAST_CM2 && a.min(b) >= LEAST_COMMON * a.max(b)
}

fn detectable(
    [then, now]: [&Measure; 2],
    values: [f64; 2],
    region: Region,
    features: Option<f64>,
) -> Option<f64> {
    let is_ours = |m: &Measure| m.source == Source::Computed;
    if then.unit != now.unit || !is_ours(then) || !is_ours(now) {
        return None;
    }
    let level = 0.5 * (values[0] + values[1]);
    let least = DETECTABLE * of_people(now.name) * level.abs();
    let Some(features) = features else {
        return Some(of_levels(then, now)?.max(least));
    };
    let basis = Basis {
        region,
        features,
        confidence: then.confidence.min(now.confidence),
    };
    let border = if region == Region::Face { 0.0 } else { BORDER };
    let border = DETECTABLE * border * level / features.max(1.0).sqrt();
    Some(root(of_features(now.name, level, &basis)?, border).max(least))
}
