//! Stills as JPEG, which a PDF holds as it is.

use dermalia_report::Picture;
use jpeg_encoder::{ColorType, Encoder};

/// Printed at 250 dots an inch or more, finer steps are not seen.
const QUALITY: u8 = 86;

/// The picture as JPEG; `None` if it is no picture.
pub(crate) fn jpeg(picture: &Picture<'_>) -> Option<Vec<u8>> {
    let decoded = webp::Decoder::new(picture.webp).decode()?;
    let (width, height) = (decoded.width(), decoded.height());
    let rgb: Vec<u8> = if decoded.is_alpha() {
        decoded
            .chunks_exact(4)
            .flat_map(|p| [p[0], p[1], p[2]])
            .collect()
    } else {
        decoded.to_vec()
    };
    let mut out = vec![];
    Encoder::new(&mut out, QUALITY)
        .encode(
            &rgb,
            u16::try_from(width).ok()?,
            u16::try_from(height).ok()?,
            ColorType::Rgb,
        )
        .ok()?;
    Some(out)
}
