//! Scan to findings: pure and deterministic skin measurement.
//!
//! [`analyze`] registers every picture of a scan in one working raster (the
//! [`Atlas`]), divides it into the regions of the face, and measures each parameter on
//! the surface metric. The same bundle gives the same bytes, whatever the number of
//! threads.

mod analysis;
mod assembly;
mod atlas;
mod blobs;
mod chart;
pub mod colour;
mod curves;
mod error;
mod flatten;
pub mod iso25178;
mod labels;
mod masks;
mod pigment;
mod planes;
mod pores;
mod projection;
mod quality;
mod redness;
mod registration;
mod relief;
mod ridges;
mod structure;
mod texture;
mod thumbnails;
mod wrinkles;

pub use analysis::{Analysis, Options, Stage, analyze};
pub use atlas::{Atlas, Scale};
pub use error::AnalysisError;
pub use registration::{Context, Outcome, RegisteredPicture};
