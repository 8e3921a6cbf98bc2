//! PNG.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, DecodingError, Reader, Transformations};

use super::exif::Orientation;
use super::profile::{Model, to_srgb};
use super::{Fault, Header, Levels, Pixels, Samples};

type Source<'a> = Cursor<&'a [u8]>;

/// What a decoder may allocate beside the pixels: rows of the widest accepted picture,
/// the profile.
const DECODER_BYTES: usize = 256 << 20;

fn broken(error: &DecodingError) -> Fault {
    Fault::picture(error.to_string())
}

/// The chunks in their order: type and data.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut at = 8;
    std::iter::from_fn(move || {
        let head = bytes.get(at..at + 8)?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let data = bytes.get(at + 8..(at + 8).checked_add(length)?)?;
        at += 12 + length;
        Some((&head[4..], data))
    })
}

pub(crate) fn header(bytes: &[u8]) -> Result<Header, Fault> {
    let mut chunks = chunks(bytes);
    let Some((b"IHDR", &[w3, w2, w1, w0, h3, h2, h1, h0, _, _, _, _, _])) = chunks.next() else {
        return Err(Fault::picture("its header chunk is missing"));
    };
    // It may stand before or after the pixels.
    let orientation = chunks
        .find(|(kind, _)| *kind == b"eXIf")
        .map_or(Orientation::UPRIGHT, |(_, data)| Orientation::read(data));
    Ok(Header {
        width: u64::from(u32::from_be_bytes([w3, w2, w1, w0])),
        height: u64::from(u32::from_be_bytes([h3, h2, h1, h0])),
        orientation,
    })
}

fn reader(bytes: &[u8], width: usize, height: usize) -> Result<Reader<Source<'_>>, Fault> {
    let mut decoder = Decoder::new_with_limits(
        Cursor::new(bytes),
        png::Limits {
            bytes: DECODER_BYTES,
        },
    );
    decoder.set_transformations(Transformations::EXPAND);
    // Text is metadata: dropped unread.
    decoder.set_ignore_text_chunk(true);
    let reader = decoder.read_info().map_err(|e| broken(&e))?;
    let info = reader.info();
    if (info.width as usize, info.height as usize) != (width, height) {
        return Err(Fault::picture("it states two sizes"));
    }
    Ok(reader)
}

/// The first `keep` of a pixel's channels, in `S` bytes each, sample by sample.
fn samples<T: Copy, const S: usize>(
    reader: &mut Reader<Source<'_>>,
    keep: usize,
    pixels: usize,
    sample: impl Fn([u8; S]) -> T,
) -> Result<Vec<T>, Fault> {
    let channels = reader.output_color_type().0.samples();
    let mut out = Vec::with_capacity(pixels * keep);
    let mut push = |row: &[u8]| {
        let (row, _) = row.as_chunks::<S>();
        match (channels, keep) {
            (4, 3) => out.extend(
                row.as_chunks::<4>()
                    .0
                    .iter()
                    .flat_map(|&[r, g, b, _]| [sample(r), sample(g), sample(b)]),
            ),
            (2, 1) => out.extend(row.as_chunks::<2>().0.iter().map(|&[grey, _]| sample(grey))),
            _ => out.extend(row.iter().map(|&channel| sample(channel))),
        }
    };
    if reader.info().interlaced {
        let size = reader
            .output_buffer_size()
            .ok_or_else(|| Fault::picture("it is too large"))?;
        let mut whole = vec![0; size];
        reader.next_frame(&mut whole).map_err(|e| broken(&e))?;
        push(&whole);
    } else {
        while let Some(row) = reader.next_row().map_err(|e| broken(&e))? {
            push(row.data());
        }
    }
    if out.len() != pixels * keep {
        return Err(Fault::picture("it holds another number of pixels"));
    }
    // The checksums after the pixels.
    reader.finish().map_err(|e| broken(&e))?;
    Ok(out)
}

pub(crate) fn decode(bytes: &[u8], width: usize, height: usize) -> Result<Pixels, Fault> {
    let mut reader = reader(bytes, width, height)?;
    let icc = reader.info().icc_profile.as_deref().map(<[u8]>::to_vec);
    // The decoder passes over a profile that it cannot unpack.
    if icc.is_none()
        && chunks(bytes)
            .take_while(|(kind, _)| *kind != b"IDAT")
            .any(|(kind, _)| kind == b"iCCP")
    {
        return Err(Fault::Profile("it cannot be unpacked".into()));
    }
    let (colour, depth) = reader.output_color_type();
    let (model, keep) = match colour {
        ColorType::Grayscale | ColorType::GrayscaleAlpha => (Model::Grey, 1),
        _ => (Model::Rgb, 3),
    };
    let pixels = width * height;
    let samples = if depth == BitDepth::Sixteen {
        let samples = samples(&mut reader, keep, pixels, u16::from_be_bytes)?;
        Samples::Sixteen(to_srgb(samples, model, icc.as_deref())?)
    } else {
        let samples = samples(&mut reader, keep, pixels, |[level]: [u8; 1]| level)?;
        Samples::Eight(to_srgb(samples, model, icc.as_deref())?)
    };
    Ok(Pixels {
        width,
        height,
        grey: model == Model::Grey,
        chroma_step: None,
        samples,
    })
}

pub(crate) fn decode_levels(bytes: &[u8], width: usize, height: usize) -> Result<Levels, Fault> {
    let mut reader = reader(bytes, width, height)?;
    let info = reader.info();
    match (info.color_type, info.bit_depth) {
        (ColorType::Grayscale | ColorType::GrayscaleAlpha, BitDepth::Eight | BitDepth::Sixteen) => {
        }
        (ColorType::Grayscale | ColorType::GrayscaleAlpha, _) => {
            return Err(Fault::Relief("a grey PNG of fewer than 8 bits"));
        }
        (ColorType::Indexed, _) => return Err(Fault::Relief("a PNG with a palette")),
        _ => return Err(Fault::Relief("a PNG with colour")),
    }
    let pixels = width * height;
    let levels = if info.bit_depth == BitDepth::Sixteen {
        samples(&mut reader, 1, pixels, u16::from_be_bytes)?
    } else {
        samples(&mut reader, 1, pixels, |[level]: [u8; 1]| u16::from(level))?
    };
    Ok(Levels {
        width,
        height,
        levels,
    })
}
