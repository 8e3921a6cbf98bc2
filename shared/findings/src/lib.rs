//! The findings contract `dermalia.findings/1`: what analysis writes and what the
//! report, the exports and the patient's data copy are made from.
//!
//! The types serialise to exactly the published contract; nothing is optional that
//! the contract requires. A measure the input cannot carry is present with
//! `value: null`, `confidence: none` and a reason (see [`Measure::not_measured`]).

mod comparison;
mod feature;
mod map;
mod measure;
mod region;
pub mod scatter;

pub use comparison::{Comparison, compared};
pub use feature::{Feature, PathUv, PointMm, PointUv};
pub use map::{BaseTexture, ParameterMap};
pub use measure::{Confidence, Measure, MeasureName, Parameter, Source};
pub use region::Region;

use serde::{Deserialize, Serialize};

/// The schema identifier of this version of the contract.
pub const SCHEMA: &str = "dermalia.findings/1";

/// Everything measured on one scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The scan's identifier, as in the manifest.
    pub scan_id: String,
    /// The practice's identifier, as in the manifest.
    pub practice_id: String,
    /// RFC 3339 time of capture, as in the manifest.
    pub captured_at: String,
    /// Name and version of the algorithm, with the decoder versions that move numbers.
    pub algorithm: String,
    /// What the capture was worth.
    pub quality: Quality,
    /// The regions in contract order; `face`, their union, is last.
    pub regions: Vec<RegionFindings>,
    /// Every feature that was found, ordered by kind, region and position.
    pub features: Vec<Feature>,
}

/// Capture quality, in numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Median size of a pixel on the skin in millimetres; `None` when the scale is unknown.
    pub mm_per_px: Option<f64>,
    /// Sharpness from 0 (blurred) to 1 (limited by the pixels).
    pub focus: f64,
    /// Fraction of skin pixels with a channel at either end of its range.
    pub clipped_fraction: f64,
    /// Plain sentences about what lowers the trust in the numbers.
    pub warnings: Vec<String>,
}

/// What was measured in one region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegionFindings {
    /// Which region.
    pub region: Region,
    /// Measured surface in cm2, net of `excluded_cm2`; `None` when the scale is unknown.
    pub area_cm2: Option<f64>,
    /// Masked surface in cm2 (eyes, brows, lips, nostrils, beard, hair).
    pub excluded_cm2: Option<f64>,
    /// The measures, in contract order.
    pub measures: Vec<Measure>,
}

impl Findings {
    /// The findings of one region, if it was on the scan.
    #[must_use]
    pub fn region(&self, region: Region) -> Option<&RegionFindings> {
        self.regions.iter().find(|r| r.region == region)
    }
}

impl RegionFindings {
    /// The measure of that name.
    #[must_use]
    pub fn measure(&self, name: MeasureName) -> Option<&Measure> {
        self.measures.iter().find(|m| m.name == name)
    }
}
