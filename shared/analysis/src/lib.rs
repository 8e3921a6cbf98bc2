//! Scan to findings: pure and deterministic skin measurement.
//!
//! [`analyze`] registers every picture of a scan in one working raster (the
//! [`Atlas`]), divides it into the regions of the face, and measures each parameter on
//! the surface metric. The same bundle gives the same bytes, whatever the number of
//! threads.

mod analysis;
mod assembly;
mod atlas;
mod baseline;
mod blobs;
mod blocks;
mod cells;
pub mod change;
mod chart;
mod chromophores;
pub mod colour;
mod curves;
mod discriminant;
#[cfg(test)]
mod drawn;
mod drawn_out;
mod error;
mod explained;
mod exposure;
mod extent;
mod face;
mod field;
mod flatten;
mod flood;
mod full_light;
mod gaussian;
mod gloss;
mod groove;
mod increments;
mod interval;
pub mod iso25178;
mod labelled;
mod labels;
mod ledges;
mod left_out;
mod likeness;
mod linear;
mod lines;
mod masks;
mod mesh_relief;
mod noise_map;
mod photo;
mod pigment;
mod pit_signal;
mod places;
mod planes;
mod plausible;
mod pores;
mod preparation;
mod products;
mod profile;
mod projection;
mod push_pull;
mod quality;
mod redness;
#[cfg(test)]
mod references;
mod registration;
mod relief;
mod removal;
mod ridges;
mod rounding;
mod segments;
mod shade;
mod skin_colour;
mod skin_field;
mod spans;
mod structure;
mod summit;
mod texture;
mod thumbnails;
mod traces;
mod ultraviolet;
mod wide;
mod window;
mod wrinkles;

pub use analysis::{Analysis, Options, Stage, analyze};
pub use atlas::{Atlas, Scale, label};
pub use error::AnalysisError;
pub use registration::{Context, Outcome, RegisteredPicture};
pub use relief::Relief;
