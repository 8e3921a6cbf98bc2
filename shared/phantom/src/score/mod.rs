//! How well findings agree with the truth of a phantom.
//!
//! Points (pores, spots, red areas) are matched one to one, nearest first, within a
//! tolerance that follows from their size; lines are compared by the length that lies
//! within 1 mm of the other's.

mod lines;
mod points;

pub use lines::LineScore;
pub use points::PointScore;

use dermalia_findings::{Feature, Findings, MeasureName, Region};
use serde::{Deserialize, Serialize};

use crate::truth::{Distractor, TrueFeature, Truth};
use lines::TrueLine;
use points::{Found, TruePoint};

/// Everything that findings got right and wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Size is the diameter.
    pub pores: PointScore,
    /// Size is the area.
    pub spots: PointScore,
    /// Size is the area.
    pub red_areas: PointScore,
    /// By length.
    pub wrinkles: LineScore,
    /// False pores that lie on a pit below 0.25 mm.
    pub pores_on_small_pits: usize,
    /// Measures of each region against the truth.
    pub measures: Vec<MeasureError>,
}

/// One measure of one region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MeasureError {
    /// Which region.
    pub region: Region,
    /// Which measure.
    pub name: MeasureName,
    /// Its true value.
    pub truth: f64,
    /// What was found; `None` where it was not measured.
    pub found: Option<f64>,
}

impl MeasureError {
    /// Found less true.
    #[must_use]
    pub fn difference(&self) -> Option<f64> {
        self.found.map(|f| f - self.truth)
    }

    /// Difference as a fraction of the true value; `None` where that is zero.
    #[must_use]
    pub fn relative(&self) -> Option<f64> {
        if self.truth == 0.0 {
            return None;
        }
        self.difference().map(|d| d / self.truth)
    }
}

impl Score {
    /// Compares findings with the truth.
    #[must_use]
    pub fn of(findings: &Findings, truth: &Truth) -> Self {
        let mut found: [Vec<Found>; 3] = Default::default();
        let mut found_lines = vec![];
        for feature in &findings.features {
            match feature {
                Feature::Pore {
                    diameter_mm,
                    centre_mm,
                    ..
                } => found[0].push(Found::new(*centre_mm, *diameter_mm)),
                Feature::Spot {
                    area_mm2,
                    centre_mm,
                    ..
                } => found[1].push(Found::new(*centre_mm, *area_mm2)),
                Feature::RedArea {
                    area_mm2,
                    centre_mm,
                    ..
                } => found[2].push(Found::new(*centre_mm, *area_mm2)),
                Feature::Wrinkle {
                    length_mm,
                    width_mm,
                    depth_mm,
                    path_mm,
                    ..
                } => found_lines.push(lines::FoundLine {
                    path: path_mm,
                    length_mm: *length_mm,
                    width_mm: *width_mm,
                    depth_mm: *depth_mm,
                }),
            }
        }
        let mut real: [Vec<TruePoint>; 3] = Default::default();
        let mut real_lines = vec![];
        let within = |area: f64| libm::sqrt(area / std::f64::consts::PI);
        for feature in &truth.features {
            match feature {
                TrueFeature::Pore {
                    diameter_mm,
                    centre_mm,
                    ..
                } => real[0].push(TruePoint {
                    centre: *centre_mm,
                    size: *diameter_mm,
                    tolerance_mm: (0.75 * diameter_mm).max(0.3),
                }),
                TrueFeature::Spot {
                    area_mm2,
                    centre_mm,
                    ..
                } => real[1].push(TruePoint {
                    centre: *centre_mm,
                    size: *area_mm2,
                    tolerance_mm: within(*area_mm2),
                }),
                TrueFeature::RedArea {
                    area_mm2,
                    centre_mm,
                    ..
                } => real[2].push(TruePoint {
                    centre: *centre_mm,
                    size: *area_mm2,
                    tolerance_mm: within(*area_mm2),
                }),
                TrueFeature::Wrinkle {
                    length_mm,
                    width_mm,
                    depth_mm,
                    path_mm,
                    ..
                } => real_lines.push(TrueLine {
                    path: path_mm,
                    length_mm: *length_mm,
                    width_mm: *width_mm,
                    depth_mm: *depth_mm,
                }),
            }
        }
        let small: Vec<TruePoint> = truth
            .distractors
            .iter()
            .filter_map(|d| match d {
                Distractor::SmallPit { centre_mm, .. } => Some(TruePoint {
                    centre: *centre_mm,
                    size: 1.0,
                    tolerance_mm: 0.3,
                }),
                Distractor::Hair { .. } => None,
            })
            .collect();
        let (pores, false_pores) = PointScore::of(&real[0], &found[0]);
        let false_pores: Vec<Found> = false_pores.into_iter().map(|i| found[0][i]).collect();
        Self {
            pores,
            spots: PointScore::of(&real[1], &found[1]).0,
            red_areas: PointScore::of(&real[2], &found[2]).0,
            wrinkles: LineScore::of(&real_lines, &found_lines),
            pores_on_small_pits: PointScore::of(&small, &false_pores).0.matched,
            measures: measures(findings, truth),
        }
    }

    /// One measure of one region.
    #[must_use]
    pub fn measure(&self, region: Region, name: MeasureName) -> Option<&MeasureError> {
        self.measures
            .iter()
            .find(|m| m.region == region && m.name == name)
    }
}

fn measures(findings: &Findings, truth: &Truth) -> Vec<MeasureError> {
    let mut all = vec![];
    for region in &truth.regions {
        for (&name, &value) in &region.measures {
            all.push(MeasureError {
                region: region.region,
                name,
                truth: value,
                found: findings
                    .region(region.region)
                    .and_then(|r| r.measure(name))
                    .and_then(|m| m.value),
            });
        }
    }
    all
}

/// Harmonic mean; 1 where there was nothing to find and nothing was found.
fn f1(precision: Option<f64>, recall: Option<f64>) -> f64 {
    match (precision, recall) {
        (None, None) => 1.0,
        (Some(p), Some(r)) if p + r > 0.0 => 2.0 * p * r / (p + r),
        _ => 0.0,
    }
}
