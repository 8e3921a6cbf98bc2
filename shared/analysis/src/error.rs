use dermalia_scan::ScanError;

/// Why an analysis failed.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// The bundle's fault: a picture cannot be decoded, or nothing can be measured.
    #[error(transparent)]
    Refused(#[from] ScanError),
    /// The bundle's fault: no picture shows a surface that could be measured.
    #[error("no picture of the bundle can be measured: {0}")]
    NothingToMeasure(String),
    /// Our own fault.
    #[error("landmark model: {0}")]
    Landmarks(String),
}

impl AnalysisError {
    /// Whether the bundle is to be refused (and not tried again).
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::NothingToMeasure(_))
    }
}
