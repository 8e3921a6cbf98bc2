//! Pictures in forms that a PDF holds as they are: stills as JPEG, a logo as PNG.

use std::borrow::Cow;

use data_encoding::HEXLOWER;
use dermalia_report::Picture;
use dermalia_report::pictures;
use sha2::{Digest, Sha256};

/// The still as it is printed: as the analysis left it, or made from the picture of the
/// page. `None` if it is no picture.
pub(crate) fn jpeg<'a>(picture: &Picture<'a>) -> Option<Cow<'a, [u8]>> {
    if let Some(print) = picture.print {
        return Some(Cow::Borrowed(print));
    }
    let decoded = webp::Decoder::new(picture.webp).decode()?;
    let channels = if decoded.is_alpha() { 4 } else { 3 };
    let (columns, rows) = (decoded.width() as usize, decoded.height() as usize);
    pictures::print(&decoded, channels, columns, rows).map(Cow::Owned)
}

/// A name that no other picture has. The typesetter remembers what it has set, and knows a
/// drawing again by its words alone: were two patients' drawings worded alike, the later
/// report would show the earlier one's pictures.
pub(crate) fn file_name(jpeg: &[u8]) -> String {
    format!("{}.jpg", HEXLOWER.encode(&Sha256::digest(jpeg)))
}

/// A frame for a JPEG. The typesetter decodes a picture to know its size, but not one that
/// a drawing shows: that goes into the PDF as it is.
pub(crate) fn frame(picture: &Picture<'_>, file: &str) -> String {
    let (width, height) = (picture.width / 2, picture.height / 2);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\">\
         <image href=\"{file}\" width=\"{width}\" height=\"{height}\"/></svg>"
    )
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
