//! The seam between the orchestration and the analysis.

use dermalia_record::{Personal, ScanId, ScanKey};
use dermalia_scan::Limits;

/// A bundle as fetched from the object store.
#[derive(Debug)]
pub enum Bundle {
    /// The files of a folder with their names.
    Files(Vec<(String, Vec<u8>)>),
    /// A zip archive.
    Archive(Vec<u8>),
}

/// A file that an analysis leaves behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What the manifest says about the patient.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PatientData {
    /// First name.
    pub first_name: Option<Personal<String>>,
    /// Where the link goes.
    pub email: Option<Personal<String>>,
    /// BCP 47.
    pub locale: Option<String>,
}

/// What comes of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// As in the manifest.
    pub captured_at: String,
    /// As in the manifest.
    pub patient: PatientData,
    /// The scan before this one, as in the manifest.
    pub previous_scan: Option<ScanId>,
    /// `findings.json`, heat maps, model.
    pub artefacts: Vec<Artefact>,
}

/// Why nothing came of it. Neither text carries personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeasureError {
    /// The bundle breaks the contract; it always will.
    Refused(String),
    /// Our own fault; another attempt can go well.
    Fault(String),
}

/// Turns a bundle into findings. The same bundle gives the same bytes.
pub trait Measurer: Send + Sync {
    /// Name and version: findings of another one are made anew.
    fn algorithm(&self) -> &str;

    /// Measures; takes seconds, on a thread for blocking work.
    ///
    /// # Errors
    /// When the bundle is refused, or by our own fault.
    fn measure(
        &self,
        scan: &ScanKey,
        bundle: Bundle,
        limits: &Limits,
    ) -> Result<Measured, MeasureError>;
}
