//! Pictures in forms that a PDF holds as they are: stills as JPEG, a logo as PNG.

use dermalia_report::Picture;
use jpeg_encoder::{ColorType, Encoder};

/// Printed at 250 dots an inch or more, finer steps are not seen.
const QUALITY: u8 = 86;

/// The picture as JPEG, of half the width and height: the sheet prints the widest, of 720
/// pixels, 35 mm wide. `None` if it is no picture.
pub(crate) fn jpeg(picture: &Picture<'_>) -> Option<Vec<u8>> {
    let decoded = webp::Decoder::new(picture.webp).decode()?;
    let channels = if decoded.is_alpha() { 4 } else { 3 };
    let columns = decoded.width() as usize;
    let (width, height) = (decoded.width() / 2, decoded.height() / 2);
    let mut rgb = Vec::with_capacity((width * height * 3) as usize);
    for rows in decoded.chunks_exact(2 * columns * channels) {
        let (upper, lower) = rows.split_at(columns * channels);
        let pairs = upper
            .chunks_exact(2 * channels)
            .zip(lower.chunks_exact(2 * channels));
        for (u, l) in pairs {
            rgb.extend([0, 1, 2].map(|k| {
                let sum = [u[k], u[k + channels], l[k], l[k + channels]].map(u16::from);
                ((sum.iter().sum::<u16>() + 2) / 4) as u8
            }));
        }
    }
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

/// A logo on the white of the paper: print knows no transparency.
pub(crate) fn on_white(webp: &[u8]) -> Option<Vec<u8>> {
    let decoded = webp::Decoder::new(webp).decode()?;
    let rgb: Vec<u8> = if decoded.is_alpha() {
        decoded
            .as_chunks::<4>()
            .0
            .iter()
            .flat_map(|&[r, g, b, a]| {
                [r, g, b].map(|c| {
                    let (c, a) = (u32::from(c), u32::from(a));
                    ((c * a + 255 * (255 - a) + 127) / 255) as u8
                })
            })
            .collect()
    } else {
        decoded.to_vec()
    };
    let mut out = vec![];
    let mut encoder = png::Encoder::new(&mut out, decoded.width(), decoded.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&rgb).ok()?;
    writer.finish().ok()?;
    Some(out)
}
