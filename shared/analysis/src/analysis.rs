use std::time::Duration;

use dermalia_findings::{BaseTexture, Findings, ParameterMap};
use dermalia_scan::Scan;
use dermalia_surface::Mesh;

use crate::AnalysisError;

/// A part of the analysis, for progress and timing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// What was done.
    pub name: &'static str,
    /// Wall time.
    pub took: Duration,
}

/// How to analyse. The results do not depend on anything here but the limits.
#[derive(Default)]
pub struct Options<'a> {
    /// Limits of decoding.
    pub limits: dermalia_scan::Limits,
    /// Told about each stage when it ends.
    pub on_stage: Option<&'a (dyn Fn(Stage) + Sync)>,
}

/// All that is known after an analysis.
#[derive(Debug)]
pub struct Analysis {
    /// The findings of the contract.
    pub findings: Findings,
    /// One map a measured parameter, at most 2048 pixels a side.
    pub maps: Vec<ParameterMap>,
    /// The picture they lie over.
    pub base: BaseTexture,
    /// The surface with the atlas that both lie in; a flat sheet for a photograph.
    pub mesh: Mesh,
    /// Whether the surface is one: false for a photograph.
    pub has_surface: bool,
}

/// Measures a scan.
///
/// # Errors
/// [`AnalysisError::is_refusal`] tells the bundle's faults from our own.
pub fn analyze(_scan: &Scan, _options: &Options<'_>) -> Result<Analysis, AnalysisError> {
    Err(AnalysisError::NothingToMeasure(String::new()))
}
