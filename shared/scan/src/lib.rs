//! Untrusted bytes to a [`Scan`]: the bundle contract `dermalia.scan/1`.
//!
//! [`Scan::read_path`] takes a folder or an archive, [`Scan::read_zip`] and
//! [`Scan::read_files`] take bytes that are in memory, [`Scan::read`] takes any
//! [`BundleSource`]. What comes out is checked: names, sizes, hashes, the manifest, the
//! mesh. Pictures stay encoded until [`Picture::decode`].

mod archive;
mod error;
mod limits;
pub mod manifest;
pub mod mesh;
mod name;
mod picture;
mod scan;
mod schema;
mod source;
mod validate;

pub use archive::Archive;
pub use error::ScanError;
pub use limits::Limits;
pub use manifest::Manifest;
pub use picture::{DECODERS, Format, Levels, Picture, Pixels, Samples};
pub use scan::Scan;
pub use schema::manifest_schema;
pub use source::{BundleSource, Folder, SourceEntry};
pub use validate::{is_practice_id, is_scan_id};

/// The manifest's name in a bundle.
pub const MANIFEST_NAME: &str = "manifest.json";
