//! Findings to pictures, model and page.
//!
//! Everything here is a pure function of its arguments: no clock, no network, no files.
//! The same findings give the same bytes on every machine.
//!
//! - [`render_artifacts`] is called once an analysis is done: heat maps, stills, model.
//! - [`render_report`] is called when a report is wanted, from those files alone.

mod amount;
mod artifact;
mod change;
mod data_copy;
mod dicom;
mod fhir;
mod glb;
mod page;
pub mod pictures;
mod reason;

pub use artifact::{
    Artifact, ArtifactError, DATA_FILE, FHIR_FILE, FINDINGS_FILE, MODEL_FILE, PDF_FILE,
    PREVIOUS_MODEL_FILE, PRINTS_FILE, Printer, REPORT_FILE, ReportRequest, content_type,
    findings_json, read_findings, render_artifacts, render_report, render_report_printed,
};
pub use data_copy::data_copy;
pub use dermalia_locale::Locale;
pub use dicom::{DicomError, DicomInput, dicom};
pub use fhir::{FhirInput, fhir_bundle};
pub use glb::{ModelError, write_glb};
pub use page::{Assets, Picture, PracticeView, ReportInput, STYLE, Sheet, render_html};
