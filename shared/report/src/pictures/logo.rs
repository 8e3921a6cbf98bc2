//! A practice's logo, made anew from the file that the practice hands in.
//!
//! What is stored is a small WebP with the pixels alone: no metadata and no trick of the
//! original file reaches a patient's browser.

use std::io::Cursor;

/// The largest file that is read.
const MAX_FILE_BYTES: usize = 4 << 20;
/// The longest side of a picture that is read.
const MAX_SIDE_PX: u32 = 8192;
/// The most pixels of a picture that is read.
const MAX_PIXELS: u64 = 16 << 20;
/// What a stored logo fits into, columns and rows: twice what a page shows.
const BOX_PX: (usize, usize) = (480, 144);
/// The largest stored logo; the page's first view carries it.
pub const LOGO_MAX_BYTES: usize = 16 << 10;

/// Why a file cannot be a logo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogoError {
    /// More than is read.
    #[error("the logo has {got} bytes (expected at most {MAX_FILE_BYTES})")]
    File {
        /// Its size.
        got: usize,
    },
    /// Another format.
    #[error("the logo is neither PNG nor WebP with one picture")]
    Format,
    /// Damaged.
    #[error("the logo cannot be read: {reason}")]
    Broken {
        /// The decoder's own word.
        reason: String,
    },
    /// More pixels than are read.
    #[error(
        "the logo has {width} x {height} pixels (expected at most {MAX_SIDE_PX} a side and {MAX_PIXELS} in all)"
    )]
    Extent {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Nothing of it is to be seen.
    #[error("the logo is transparent everywhere")]
    Empty,
    /// Nothing that a few kilobytes can hold.
    #[error(
        "the logo takes {got} bytes at its least (expected at most {LOGO_MAX_BYTES}): use a simpler one"
    )]
    Rich {
        /// Its size at the lowest quality.
        got: usize,
    },
}

/// Pixels with straight transparency.
struct Rgba {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
}

/// The stored form of a logo: WebP of at most 480 x 144 pixels and [`LOGO_MAX_BYTES`].
///
/// # Errors
/// A file that is no PNG or WebP, or breaks a limit.
pub fn logo(file: &[u8]) -> Result<Vec<u8>, LogoError> {
    if file.len() > MAX_FILE_BYTES {
        return Err(LogoError::File { got: file.len() });
    }
    let picture = if file.starts_with(b"\x89PNG\r\n\x1a\n") {
        png(file)?
    } else if file.len() > 12 && &file[..4] == b"RIFF" && &file[8..12] == b"WEBP" {
        webp(file)?
    } else {
        return Err(LogoError::Format);
    };
    let picture = reduced(&trimmed(&picture).ok_or(LogoError::Empty)?);
    let mut least = usize::MAX;
    for quality in [None, Some(90.0), Some(75.0), Some(55.0), Some(35.0)] {
        let bytes = encode(&picture, quality)?;
        if bytes.len() <= LOGO_MAX_BYTES {
            return Ok(bytes);
        }
        least = least.min(bytes.len());
    }
    Err(LogoError::Rich { got: least })
}

/// Columns and rows of a stored logo; `None` for what is no WebP.
#[must_use]
pub fn logo_size(webp: &[u8]) -> Option<(u32, u32)> {
    webp::BitstreamFeatures::new(webp).map(|f| (f.width(), f.height()))
}

fn check_extent(width: u32, height: u32) -> Result<(), LogoError> {
    let fits = (1..=MAX_SIDE_PX).contains(&width)
        && (1..=MAX_SIDE_PX).contains(&height)
        && u64::from(width) * u64::from(height) <= MAX_PIXELS;
    fits.then_some(())
        .ok_or(LogoError::Extent { width, height })
}

fn png(file: &[u8]) -> Result<Rgba, LogoError> {
    let broken = |e: png::DecodingError| LogoError::Broken {
        reason: e.to_string(),
    };
    let limits = png::Limits { bytes: 128 << 20 };
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(broken)?;
    let (width, height) = (reader.info().width, reader.info().height);
    check_extent(width, height)?;
    let size = reader
        .output_buffer_size()
        .ok_or(LogoError::Extent { width, height })?;
    let mut bytes = vec![0; size];
    let frame = reader.next_frame(&mut bytes).map_err(broken)?;
    bytes.truncate(frame.buffer_size());
    let pixels: Vec<[u8; 4]> = match frame.color_type {
        png::ColorType::Grayscale => bytes.iter().map(|&g| [g, g, g, 255]).collect(),
        png::ColorType::GrayscaleAlpha => bytes
            .as_chunks()
            .0
            .iter()
            .map(|&[g, a]| [g, g, g, a])
            .collect(),
        png::ColorType::Rgb => bytes
            .as_chunks()
            .0
            .iter()
            .map(|&[r, g, b]| [r, g, b, 255])
            .collect(),
        png::ColorType::Rgba => bytes.as_chunks().0.to_vec(),
        png::ColorType::Indexed => return Err(LogoError::Format),
    };
    whole(width as usize, height as usize, pixels)
}

fn webp(file: &[u8]) -> Result<Rgba, LogoError> {
    let (width, height) = logo_size(file).ok_or(LogoError::Format)?;
    check_extent(width, height)?;
    let picture = webp::Decoder::new(file).decode().ok_or(LogoError::Format)?;
    let pixels: Vec<[u8; 4]> = if picture.is_alpha() {
        picture.as_chunks().0.to_vec()
    } else {
        picture
            .as_chunks()
            .0
            .iter()
            .map(|&[r, g, b]| [r, g, b, 255])
            .collect()
    };
    whole(width as usize, height as usize, pixels)
}

fn whole(width: usize, height: usize, pixels: Vec<[u8; 4]>) -> Result<Rgba, LogoError> {
    if pixels.len() != width * height {
        return Err(LogoError::Broken {
            reason: "it holds another number of pixels".to_owned(),
        });
    }
    Ok(Rgba {
        width,
        height,
        pixels,
    })
}

/// Without the transparent margin; `None` if there is nothing else.
fn trimmed(picture: &Rgba) -> Option<Rgba> {
    let is_seen = |x: usize, y: usize| picture.pixels[y * picture.width + x][3] > 8;
    let column = |x: &usize| (0..picture.height).any(|y| is_seen(*x, y));
    let row = |y: &usize| (0..picture.width).any(|x| is_seen(x, *y));
    let (left, right) = (
        (0..picture.width).find(column)?,
        (0..picture.width).rfind(column)?,
    );
    let (top, bottom) = (
        (0..picture.height).find(row)?,
        (0..picture.height).rfind(row)?,
    );
    Some(Rgba {
        width: right - left + 1,
        height: bottom - top + 1,
        pixels: (top..=bottom)
            .flat_map(|y| &picture.pixels[y * picture.width + left..=y * picture.width + right])
            .copied()
            .collect(),
    })
}

/// Not larger than the box: each new pixel is the mean of those it covers, weighed by what
/// of them is to be seen.
fn reduced(picture: &Rgba) -> Rgba {
    let (w, h) = (picture.width as f64, picture.height as f64);
    let ratio = (BOX_PX.0 as f64 / w).min(BOX_PX.1 as f64 / h).min(1.0);
    let side = |length: f64| ((length * ratio).round() as usize).max(1);
    let (width, height) = (side(w), side(h));
    let (step_x, step_y) = (w / width as f64, h / height as f64);
    let mut pixels = Vec::with_capacity(width * height);
    for y in 0..height {
        for x in 0..width {
            let mut sum = [0.0_f64; 4];
            for (row, weight_y) in covered(y, step_y, picture.height) {
                for (column, weight_x) in covered(x, step_x, picture.width) {
                    let p = picture.pixels[row * picture.width + column].map(f64::from);
                    let weight = weight_x * weight_y;
                    sum[3] += weight * p[3];
                    for k in 0..3 {
                        sum[k] += weight * p[3] * p[k];
                    }
                }
            }
            let seen = sum[3].max(1e-9);
            let level = |v: f64| (v + 0.5).clamp(0.0, 255.0) as u8;
            pixels.push([
                level(sum[0] / seen),
                level(sum[1] / seen),
                level(sum[2] / seen),
                level(sum[3] / (step_x * step_y)),
            ]);
        }
    }
    Rgba {
        width,
        height,
        pixels,
    }
}

/// The old lines under a new one, and how much of each.
fn covered(at: usize, step: f64, count: usize) -> impl Iterator<Item = (usize, f64)> {
    let (from, to) = (at as f64 * step, (at as f64 + 1.0) * step);
    let last = (to.ceil() as usize).min(count);
    (from as usize..last).filter_map(move |line| {
        let weight = to.min(line as f64 + 1.0) - from.max(line as f64);
        (weight > 1e-9).then_some((line, weight))
    })
}

/// Without loss, or at this quality.
fn encode(picture: &Rgba, quality: Option<f32>) -> Result<Vec<u8>, LogoError> {
    let broken = |reason: String| LogoError::Broken { reason };
    let mut config = webp::WebPConfig::new().map_err(|()| broken("no configuration".to_owned()))?;
    config.lossless = i32::from(quality.is_none());
    config.quality = quality.unwrap_or(75.0);
    config.method = 4;
    config.thread_level = 0;
    let bytes: Vec<u8> = picture.pixels.iter().flatten().copied().collect();
    let (width, height) = (picture.width as u32, picture.height as u32);
    webp::Encoder::from_rgba(&bytes, width, height)
        .encode_advanced(&config)
        .map(|memory| memory.to_vec())
        .map_err(|e| broken(format!("{e:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(width: u32, height: u32, colour: impl Fn(u32, u32) -> [u8; 4]) -> Vec<u8> {
        let pixels: Vec<u8> = (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .flat_map(|(x, y)| colour(x, y))
            .collect();
        let mut out = vec![];
        let mut encoder = png::Encoder::new(&mut out, width, height);
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_depth(png::BitDepth::Eight);
        encoder
            .add_text_chunk("Author".to_owned(), "Somebody Private".to_owned())
            .unwrap();
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(&pixels).unwrap();
        drop(writer);
        out
    }

    fn disc(x: u32, y: u32) -> [u8; 4] {
        let (dx, dy) = (f64::from(x) - 400.0, f64::from(y) - 300.0);
        let is_inside = (dx * dx + dy * dy).sqrt() < 200.0;
        [13, 92, 99, if is_inside { 255 } else { 0 }]
    }

    #[test]
    fn a_logo_is_made_anew_small_and_without_what_came_with_it() {
        let png = file(800, 600, disc);
        assert!(png.windows(7).any(|w| w == b"Private"));
        let made = logo(&png).unwrap();
        assert!(made.len() <= LOGO_MAX_BYTES && !made.windows(7).any(|w| w == b"Private"));
        // The margin is gone, the rest fills the box's height.
        assert_eq!(logo_size(&made), Some((144, 144)));
        let seen = webp::Decoder::new(&made).decode().unwrap();
        assert!(seen.is_alpha());
        assert_eq!(seen.as_chunks::<4>().0[72 * 144 + 72], [13, 92, 99, 255]);
        assert_eq!(seen.as_chunks::<4>().0[0][3], 0);
        // Handed in again, it stays the picture that it is.
        assert_eq!(logo_size(&logo(&made).unwrap()), Some((144, 144)));
        assert_eq!(made, logo(&png).unwrap());
    }

    #[test]
    fn a_small_one_is_not_enlarged_and_noise_still_fits() {
        let small = logo(&file(20, 10, |_, _| [200, 0, 0, 255])).unwrap();
        assert_eq!(logo_size(&small), Some((20, 10)));
        let noise = |x: u32, y: u32| {
            let n = x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503_271);
            (n ^ (n >> 13)).wrapping_mul(0x9E37_79B1).to_le_bytes()
        };
        match logo(&file(480, 144, noise)) {
            Ok(made) => assert!(made.len() <= LOGO_MAX_BYTES),
            Err(error) => assert!(matches!(error, LogoError::Rich { got } if got > LOGO_MAX_BYTES)),
        }
    }

    #[test]
    fn what_is_no_logo_is_refused() {
        assert_eq!(logo(b"<svg onload=alert(1)>"), Err(LogoError::Format));
        assert_eq!(logo(b""), Err(LogoError::Format));
        assert_eq!(logo(b"\xff\xd8\xff\xe0"), Err(LogoError::Format));
        assert_eq!(
            logo(&vec![0; MAX_FILE_BYTES + 1]),
            Err(LogoError::File {
                got: MAX_FILE_BYTES + 1
            })
        );
        assert_eq!(
            logo(&file(4, 4, |_, _| [9, 9, 9, 0])),
            Err(LogoError::Empty)
        );
        let mut cut = file(64, 64, |x, y| [x as u8, y as u8, 0, 255]);
        cut.truncate(60);
        assert!(matches!(logo(&cut), Err(LogoError::Broken { .. })));
        // A header that promises more than is ever read.
        let mut bomb = file(4, 4, |_, _| [9; 4]);
        bomb[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        assert!(logo(&bomb).is_err());
    }
}
