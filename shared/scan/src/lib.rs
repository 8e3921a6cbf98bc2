//! Untrusted bytes to a [`Scan`]: the bundle contract `dermalia.scan/1`.

pub mod manifest;

pub use manifest::Manifest;

use dermalia_surface::{Mesh, Vec3};

/// A checked scan: every file present with its hash, the mesh in the product's frame,
/// the pictures still encoded (decode them with [`Picture::decode`]).
pub struct Scan {
    /// The manifest as read.
    pub manifest: Manifest,
    /// The surface in millimetres, +z front, +y up; `None` for a bundle of flat pictures.
    pub mesh: Option<Mesh>,
    /// In step with `manifest.images`.
    pub pictures: Vec<Picture>,
    /// The height map, not yet decoded, in step with `manifest.relief`.
    pub relief: Option<Picture>,
    /// The landmarks in the frame of `mesh`, in millimetres; 468 of them.
    pub landmarks: Option<Vec<Vec3>>,
}

/// An encoded picture whose header has been checked against the limits.
pub struct Picture {
    file: String,
    bytes: Vec<u8>,
}

/// Decoded pixels in sRGB, oriented upright.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Columns.
    pub width: usize,
    /// Rows, the first at the top.
    pub height: usize,
    /// Whether the file carried no colour: its three channels are equal.
    pub grey: bool,
    /// Row-major, three channels a pixel.
    pub samples: Samples,
}

/// Three channels a pixel, gamma-encoded sRGB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Samples {
    /// 8 bits a channel.
    Eight(Vec<u8>),
    /// 16 bits a channel.
    Sixteen(Vec<u16>),
}

/// A decoded height map: raw levels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    /// Columns.
    pub width: usize,
    /// Rows, the first at the top.
    pub height: usize,
    /// Row-major; an 8-bit file keeps its 0 to 255.
    pub levels: Vec<u16>,
}

impl Picture {
    /// Name in the bundle.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The encoded bytes, as uploaded.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
