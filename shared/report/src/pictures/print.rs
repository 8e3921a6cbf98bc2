//! Pictures of the size they are printed in, kept beside the stills: to decode and recode
//! them for every report would take longer than to set all of it.

use jpeg_encoder::{ColorType, Encoder};

use super::reduce::halve;

/// Printed at 250 dots an inch or more, finer steps are not seen.
const QUALITY: u8 = 86;

/// A still as JPEG of half its width and height: the sheet prints the widest, of 720
/// pixels, 35 mm wide. `None` if the pixels do not fill the stated size or it has none.
#[must_use]
pub fn print(pixels: &[u8], channels: usize, columns: usize, rows: usize) -> Option<Vec<u8>> {
    if channels < 3 || pixels.len() != columns.checked_mul(rows)?.checked_mul(channels)? {
        return None;
    }
    let (width, height) = (columns / 2, rows / 2);
    let mut rgb = Vec::with_capacity(width * height * 3);
    let mut room = vec![];
    for pair in pixels.chunks_exact((2 * columns * channels).max(1)) {
        let (upper, lower) = pair.split_at(columns * channels);
        if channels == 3 {
            let from = rgb.len();
            rgb.resize(from + 3 * width, 0);
            halve([upper, lower], &mut room, &mut rgb[from..]);
            continue;
        }
        let squares = upper
            .chunks_exact(2 * channels)
            .zip(lower.chunks_exact(2 * channels));
        for (u, l) in squares {
            for k in 0..3 {
                let sum = u16::from(u[k])
                    + u16::from(u[k + channels])
                    + u16::from(l[k])
                    + u16::from(l[k + channels]);
                rgb.push(((sum + 2) / 4) as u8);
            }
        }
    }
    let mut jpeg = vec![];
    Encoder::new(&mut jpeg, QUALITY)
        .encode(
            &rgb,
            u16::try_from(width).ok()?,
            u16::try_from(height).ok()?,
            ColorType::Rgb,
        )
        .ok()?;
    Some(jpeg)
}

/// The pictures in one file, for a cloud is paid and waited for by the file. Of each the
/// length of its name in one byte, its name, its length in four bytes (the highest first),
/// and the JPEG.
pub(crate) fn together<'a>(pictures: impl Iterator<Item = (String, &'a [u8])>) -> Vec<u8> {
    let mut out = vec![];
    for (name, jpeg) in pictures {
        let (Ok(letters), Ok(bytes)) = (u8::try_from(name.len()), u32::try_from(jpeg.len())) else {
            continue;
        };
        out.push(letters);
        out.extend(name.as_bytes());
        out.extend(bytes.to_be_bytes());
        out.extend(jpeg);
    }
    out
}

/// The pictures out of it by their names. It ends with the first that cannot be read; what
/// is no JPEG is passed over.
pub(crate) fn apart(mut file: &[u8]) -> Vec<(&str, &[u8])> {
    let mut out = vec![];
    while let Some((name, jpeg, rest)) = first(file) {
        if is_jpeg(jpeg) {
            out.push((name, jpeg));
        }
        file = rest;
    }
    out
}

fn first(file: &[u8]) -> Option<(&str, &[u8], &[u8])> {
    let (&letters, rest) = file.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(letters))?;
    let (&bytes, rest) = rest.split_first_chunk::<4>()?;
    let (jpeg, rest) = rest.split_at_checked(u32::from_be_bytes(bytes) as usize)?;
    Some((std::str::from_utf8(name).ok()?, jpeg, rest))
}

/// Whether it begins and ends as a JPEG does.
fn is_jpeg(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff]) && bytes.ends_with(&[0xff, 0xd9])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_pixels_become_one_and_a_last_odd_one_is_left() {
        // A grey of 100 and 104 in turns, transparent; 17 by 17 pixels.
        let pixels: Vec<u8> = (0..17 * 17)
            .flat_map(|i| {
                let grey = 100 + 4 * (i % 2) as u8;
                [grey, grey, grey, 0]
            })
            .collect();
        let jpeg = print(&pixels, 4, 17, 17).unwrap();
        assert!(is_jpeg(&jpeg));
        let size = [0, 8, 0, 8];
        assert!(jpeg.windows(4).any(|w| w == size), "8 rows of 8 columns");
        assert_eq!(print(&pixels, 4, 17, 18), None);
        assert_eq!(print(&[1, 2, 3], 3, 1, 1), None, "nothing is left of one");
        assert_eq!(print(&[], 3, 0, 0), None);
        assert_eq!(print(&pixels, 4, usize::MAX, 2), None);
    }

    #[test]
    fn they_come_out_as_they_went_in_and_nothing_else_does() {
        let jpeg = print(&[90; 48], 3, 4, 4).unwrap();
        let named = |name: &str| (name.to_owned(), jpeg.as_slice());
        let all = [
            named("a.jpg"),
            named("b.jpg"),
            ("c.jpg".to_owned(), &b"no"[..]),
        ];
        let file = together(all.into_iter());
        let found = apart(&file);
        assert_eq!(found, [("a.jpg", jpeg.as_slice()), ("b.jpg", &jpeg)]);
        // Cut anywhere it gives those that are whole.
        let one = 1 + 5 + 4 + jpeg.len();
        for length in 0..file.len() {
            assert_eq!(apart(&file[..length]).len(), (length / one).min(2));
        }
        assert!(apart(&[3, 0xff, 0xff, 0xff, 0, 0, 0, 0]).is_empty());
    }
}
