//! What changed since an earlier scan, told only where it is more than scatter.
//!
//! The smallest detectable change is 1.96 sqrt(2) times the coefficient of variation of
//! repeated captures. Until our own repeatability is established for a device, the
//! published one of a comparable system stands in (Henseler 2024, VISIA, the upper end of
//! each range): 2 % for texture, 4 % for pores and red areas, 6 % for spots and wrinkles.

use dermalia_findings::{Findings, Measure, MeasureName, Region, Source};

use crate::locale::Change;

/// 1.96 times the square root of 2.
const DETECTABLE: f64 = 2.772;

/// A measure of the whole face then and now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Changed<'a> {
    pub(crate) now: &'a Measure,
    pub(crate) then_value: f64,
    pub(crate) change: Change,
    /// The smallest detectable change in percent of the earlier value.
    pub(crate) threshold_percent: f64,
}

/// Coefficient of variation of repeated captures; `None` where levels depend on the
/// exposure, so that two scans have no common standard.
const fn variation(name: MeasureName) -> Option<f64> {
    Some(match name {
        MeasureName::WrinkleLengthDensity | MeasureName::WrinkleAreaFraction => 0.06,
        MeasureName::PoreDensity | MeasureName::PoreAreaFraction => 0.04,
        MeasureName::SpotAreaFraction | MeasureName::SpotDensity => 0.06,
        MeasureName::RedAreaFraction => 0.04,
        MeasureName::Sa | MeasureName::Sq => 0.02,
        _ => return None,
    })
}

/// The measures that a comparison shows, where both scans carry them.
const SHOWN: &[MeasureName] = &[
    MeasureName::WrinkleLengthDensity,
    MeasureName::PoreDensity,
    MeasureName::SpotAreaFraction,
    MeasureName::RedAreaFraction,
    MeasureName::Hydration,
    MeasureName::Sa,
];

/// Compares the whole face of two scans of one practice; empty where they cannot be.
pub(crate) fn changes<'a>(now: &'a Findings, then: &Findings) -> Vec<Changed<'a>> {
    if now.practice_id != then.practice_id || now.scan_id == then.scan_id {
        return vec![];
    }
    let (Some(now), Some(then)) = (now.region(Region::Face), then.region(Region::Face)) else {
        return vec![];
    };
    SHOWN
        .iter()
        .filter_map(|&name| {
            let (a, b) = (now.measure(name)?, then.measure(name)?);
            let (x, y) = (
                a.value.filter(|v| v.is_finite())?,
                b.value.filter(|v| v.is_finite())?,
            );
            let threshold = variation(name).map_or(0.0, |cv| DETECTABLE * cv);
            let same_scale =
                a.unit == b.unit && a.source == b.source && a.source == Source::Computed;
            let change = if !same_scale || threshold == 0.0 {
                Change::NotComparable
            } else if (x - y).abs() <= threshold * y.abs() {
                Change::WithinScatter
            } else if x > y {
                Change::More
            } else {
                Change::Less
            };
            Some(Changed {
                now: a,
                then_value: y,
                change,
                threshold_percent: 100.0 * threshold,
            })
        })
        .collect()
}
