//! Pictures of the findings: heat maps in the atlas and stills of the head.

mod heat;
mod indexed;
mod logo;
mod paint;
pub mod palette;
mod plate;
mod print;
mod reduce;
mod stills;
mod texels;
mod view;

pub use heat::{HEAT_MAP_MAX_PX, heat_map};
pub(crate) use heat::{base_webp, heat_levels, heat_map_of};
pub use logo::{LOGO_MAX_BYTES, LogoError, logo, logo_size};
pub use print::print;
pub(crate) use print::{apart, together};
pub use stills::{Still, stills};
pub(crate) use stills::{print_name, still_name, stills_of};

use dermalia_findings::{BaseTexture, Parameter, ParameterMap};

/// From where a still looks at the head. Left and right are the patient's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum View {
    /// From the front.
    Front,
    /// The left side of the face, turned by three eighths of a right angle.
    Left,
    /// The right side of the face.
    Right,
}

impl View {
    /// Every view, the frontal one first.
    pub const ALL: [Self; 3] = [Self::Front, Self::Left, Self::Right];

    /// The name used in file names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Left => "left",
            Self::Right => "right",
        }
    }
}

/// Why a picture cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// The pixels do not fill the stated size.
    #[error("{what} of {width} x {height} pixels has {got} bytes (expected {expected})")]
    Size {
        /// Which picture.
        what: &'static str,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Bytes needed.
        expected: usize,
        /// Bytes found.
        got: usize,
    },
    /// The picture has no pixels or more than the format can hold.
    #[error("{what} of {width} x {height} pixels cannot be drawn (1 to 16383 a side)")]
    Extent {
        /// Which picture.
        what: &'static str,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
    },
    /// The encoder refused.
    #[error("the WebP encoder failed on {width} x {height} pixels: {reason}")]
    Encode {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// The encoder's own word.
        reason: String,
    },
}

/// The largest side that WebP can hold.
const WEBP_MAX_PX: usize = 16_383;

fn check(
    what: &'static str,
    (width, height): (usize, usize),
    channels: usize,
    got: usize,
) -> Result<(), PictureError> {
    if width == 0 || height == 0 || width > WEBP_MAX_PX || height > WEBP_MAX_PX {
        return Err(PictureError::Extent {
            what,
            width,
            height,
        });
    }
    let expected = width * height * channels;
    if got != expected {
        return Err(PictureError::Size {
            what,
            width,
            height,
            expected,
            got,
        });
    }
    Ok(())
}

fn check_base(base: &BaseTexture) -> Result<(), PictureError> {
    check("base texture", (base.width, base.height), 3, base.rgb.len())
}

fn check_map(map: &ParameterMap) -> Result<(), PictureError> {
    let what = match map.parameter {
        Parameter::Wrinkles => "map of wrinkles",
        Parameter::Pores => "map of pores",
        Parameter::Pigmentation => "map of pigmentation",
        Parameter::Redness => "map of redness",
        Parameter::Hydration => "map of hydration",
        Parameter::Texture => "map of texture",
    };
    check(what, (map.width, map.height), 1, map.strength.len())
}

/// Encodes RGB pixels as lossy WebP of a quality from 0 to 100, by the fastest method: others
/// make the many pictures of a report a tenth smaller in two to four times the time.
fn encode_webp(
    rgb: &[u8],
    (width, height): (usize, usize),
    quality: f32,
) -> Result<Vec<u8>, PictureError> {
    let failed = |reason: String| PictureError::Encode {
        width,
        height,
        reason,
    };
    check("picture", (width, height), 3, rgb.len())?;
    let mut config = webp::WebPConfig::new().map_err(|()| failed("no configuration".to_owned()))?;
    config.quality = quality;
    config.method = 0;
    // Threads would not change the bytes, but the encoder runs beside others here.
    config.thread_level = 0;
    webp::Encoder::new(rgb, webp::PixelLayout::Rgb, width as u32, height as u32)
        .encode_advanced(&config)
        .map(|memory| memory.to_vec())
        .map_err(|e| failed(format!("{e:?}")))
}
