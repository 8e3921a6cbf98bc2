//! Encoded pictures, and their decoding to upright sRGB.

mod entropy;
mod exif;
mod inverse;
mod jpeg;
mod png;
mod profile;
mod turn;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{Limits, ScanError, name};
use exif::Orientation;

/// Names and versions of the decoders, for the findings' `algorithm` field: a decoder
/// moves clinical numbers (another one shifts ITA by 0.1 degrees).
pub const DECODERS: &str = "zune-jpeg 0.5.15, png 0.18, moxcms 0.9";

/// An encoded picture whose header has been checked against the limits.
#[derive(Clone)]
pub struct Picture {
    file: String,
    bytes: Vec<u8>,
    format: Format,
    width: usize,
    height: usize,
    orientation: Orientation,
    honours_orientation: bool,
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Picture")
            .field("file", &self.file)
            .field("bytes", &self.bytes.len())
            .field("format", &self.format)
            .field("width", &self.width)
            .field("height", &self.height)
            .finish_non_exhaustive()
    }
}

/// How a picture is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
}

/// Decoded pixels in sRGB, oriented upright.
#[derive(Debug, Clone, PartialEq)]
pub struct Pixels {
    /// Columns.
    pub width: usize,
    /// Rows, the first at the top.
    pub height: usize,
    /// Whether the file carried no colour: its three channels are equal.
    pub grey: bool,
    /// By how many levels the means of blocks of its colour differences step, as stored;
    /// `None` where that is not known or the format has no such blocks.
    pub chroma_step: Option<f32>,
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

/// What the header of a picture says.
pub(crate) struct Header {
    width: u64,
    height: u64,
    orientation: Orientation,
}

/// What a decoder found wrong, before the file's name is added.
pub(crate) enum Fault {
    Picture(String),
    Profile(String),
    Relief(&'static str),
}

impl Fault {
    fn picture(reason: impl Into<String>) -> Self {
        Self::Picture(reason.into())
    }

    fn of(self, file: &str) -> ScanError {
        let file = name::shown(file);
        match self {
            // A decoder's text can quote the file; only its readable part is kept.
            Self::Picture(reason) => ScanError::PictureBroken {
                file,
                reason: name::shown(&reason),
            },
            Self::Profile(reason) => ScanError::ProfileBroken {
                file,
                reason: name::shown(&reason),
            },
            Self::Relief(got) => ScanError::ReliefFormat {
                file,
                got: got.into(),
            },
        }
    }
}

impl Picture {
    /// A picture from its encoded bytes, its header checked against the limits, upright
    /// by its EXIF orientation.
    ///
    /// # Errors
    /// Neither JPEG nor PNG, a broken header, no pixels, or too many.
    pub fn with_limits(
        file: impl Into<String>,
        bytes: Vec<u8>,
        limits: &Limits,
    ) -> Result<Self, ScanError> {
        let file = file.into();
        let (format, header) = if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
            (Format::Png, png::header(&bytes))
        } else if bytes.starts_with(&[0xff, 0xd8]) {
            (Format::Jpeg, jpeg::header(&bytes))
        } else {
            return Err(ScanError::PictureFormat {
                file: name::shown(&file),
            });
        };
        let header = header.map_err(|fault| fault.of(&file))?;
        limits.check_pixels(&name::shown(&file), header.width, header.height)?;
        Ok(Self {
            file,
            bytes,
            format,
            width: header.width as usize,
            height: header.height as usize,
            orientation: header.orientation,
            honours_orientation: true,
        })
    }

    /// [`Picture::with_limits`] with the contract's limits.
    ///
    /// # Errors
    /// As there.
    pub fn new(file: impl Into<String>, bytes: Vec<u8>) -> Result<Self, ScanError> {
        Self::with_limits(file, bytes, &Limits::default())
    }

    /// The same picture as its rows are stored, whatever its EXIF orientation: what a
    /// texture is.
    #[must_use]
    pub fn as_stored(mut self) -> Self {
        self.honours_orientation = false;
        self
    }

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

    /// How it is encoded.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Columns after decoding.
    #[must_use]
    pub fn width(&self) -> usize {
        if self.turn().swaps_sides() {
            self.height
        } else {
            self.width
        }
    }

    /// Rows after decoding.
    #[must_use]
    pub fn height(&self) -> usize {
        if self.turn().swaps_sides() {
            self.width
        } else {
            self.height
        }
    }

    fn turn(&self) -> Orientation {
        if self.honours_orientation {
            self.orientation
        } else {
            Orientation::UPRIGHT
        }
    }

    /// Decodes to upright sRGB.
    ///
    /// Colour: an embedded ICC profile is honoured, otherwise the samples are taken as
    /// sRGB. CMYK without a profile is taken as the product of ink and black, inverted
    /// where Adobe's marker says so. An alpha channel is dropped without compositing:
    /// the colours under it are the measurement. Palettes and fewer than 8 bits are
    /// expanded; `gAMA` and `cHRM` are ignored.
    ///
    /// # Errors
    /// A broken picture or colour profile; the limit on pixels.
    pub fn decode(&self, limits: &Limits) -> Result<Pixels, ScanError> {
        self.decode_into(Vec::new(), limits)
    }

    /// [`Picture::decode`] into memory that is no longer needed, where the format allows:
    /// new memory has to be found and cleared by the system page by page.
    ///
    /// # Errors
    /// As there.
    pub fn decode_into(&self, room: Vec<u8>, limits: &Limits) -> Result<Pixels, ScanError> {
        self.check(limits)?;
        let pixels = self.guarded(|| match self.format {
            Format::Jpeg => jpeg::decode(&self.bytes, self.width, self.height, room),
            Format::Png => png::decode(&self.bytes, self.width, self.height),
        })?;
        Ok(turn::pixels(pixels, self.turn()))
    }

    /// Decodes raw levels of a grey picture: no colour management, alpha dropped.
    ///
    /// # Errors
    /// A broken picture, one with colour or with fewer than 8 bits; the limit on pixels.
    pub fn decode_levels(&self, limits: &Limits) -> Result<Levels, ScanError> {
        self.check(limits)?;
        let levels = self.guarded(|| match self.format {
            Format::Jpeg => jpeg::decode_levels(&self.bytes, self.width, self.height),
            Format::Png => png::decode_levels(&self.bytes, self.width, self.height),
        })?;
        Ok(turn::levels(levels, self.turn()))
    }

    fn check(&self, limits: &Limits) -> Result<(), ScanError> {
        limits.check_pixels(
            &name::shown(&self.file),
            self.width as u64,
            self.height as u64,
        )
    }

    /// A decoder's panic on hostile bytes is that picture's fault, not the process's.
    fn guarded<T>(&self, decode: impl FnOnce() -> Result<T, Fault>) -> Result<T, ScanError> {
        catch_unwind(AssertUnwindSafe(decode))
            .unwrap_or_else(|_| Err(Fault::picture("the decoder failed")))
            .map_err(|fault| fault.of(&self.file))
    }
}

#[cfg(test)]
mod tests {
    use super::DECODERS;

    /// The findings name the decoders that were built in, not those of another day.
    #[test]
    fn the_decoders_named_are_those_of_the_lock_file() {
        let lock = include_str!("../../../../Cargo.lock");
        for decoder in DECODERS.split(", ") {
            let (name, version) = decoder.split_once(' ').unwrap();
            assert!(
                lock.contains(&format!("name = \"{name}\"\nversion = \"{version}")),
                "{decoder}"
            );
        }
    }
}
