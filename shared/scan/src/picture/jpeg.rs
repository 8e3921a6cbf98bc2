//! JPEG: an own reading of the markers before the pixels and, where a picture is stored in
//! the usual way, of the pixels; zune-jpeg for all others.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::exif::Orientation;
use super::inverse;
use super::profile::{Model, to_srgb};
use super::{Fault, Header, Levels, Pixels, Samples};

/// Encoders write about ten scans; each one costs a pass over the picture.
const MAX_SCANS: usize = 32;

/// What all scans together may cost: one component of one scan passes over every pixel.
/// The usual progressive file of four components takes 24 such passes, and the largest
/// picture of the contract is allowed these.
const MOST_WORK: u64 = 24 * 64_000_000;

/// What the scans of a file ask for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Scans {
    scans: u64,
    /// Components of all scans.
    passes: u64,
    ended: bool,
}

impl Scans {
    /// Walks over the markers from that of the first scan on.
    fn of(bytes: &[u8]) -> Self {
        let mut scans = Self::default();
        let mut rest = bytes;
        while let Some(at) = rest.iter().position(|b| *b == 0xff) {
            rest = &rest[at + 1..];
            match rest.first() {
                // Fill bytes, a stuffed byte, restarts: all within a scan.
                None | Some(0xff) => {}
                Some(0x00 | 0x01 | 0xd0..=0xd8) => rest = &rest[1..],
                Some(0xd9) => {
                    scans.ended = true;
                    break;
                }
                Some(&marker) => {
                    let Some(&[high, low]) = rest.get(1..3) else {
                        break;
                    };
                    if marker == 0xda {
                        scans.scans += 1;
                        scans.passes += rest.get(3).map_or(0, |n| u64::from(*n));
                    }
                    let length = usize::from(high) << 8 | usize::from(low);
                    rest = rest.get(1 + length..).unwrap_or_default();
                }
            }
        }
        scans
    }
}

/// What the markers before the first scan say.
struct Markers {
    width: u64,
    height: u64,
    components: Vec<u8>,
    orientation: Orientation,
    /// The colour transform of Adobe's marker.
    adobe: Option<u8>,
    jfif: bool,
    icc: Vec<(u8, u8, Vec<u8>)>,
    /// Of the length of the first scan header, two bytes after its marker begins.
    scan_offset: usize,
}

fn markers(bytes: &[u8]) -> Result<Markers, Fault> {
    let mut orientation = None;
    let mut adobe = None;
    let mut jfif = false;
    let mut icc = Vec::new();
    let mut frame = None;
    let mut at = 2;
    loop {
        // Fill bytes may precede a marker.
        let cut = || Fault::picture("it ends within its header");
        if *bytes.get(at).ok_or_else(cut)? != 0xff {
            return Err(Fault::picture("a marker is missing in its header"));
        }
        while *bytes.get(at).ok_or_else(cut)? == 0xff {
            at += 1;
        }
        let marker = bytes[at];
        at += 1;
        // Markers without a segment.
        if matches!(marker, 0x01 | 0xd0..=0xd8) {
            continue;
        }
        if marker == 0xd9 {
            return Err(Fault::picture("it has no picture data"));
        }
        let length = match bytes.get(at..at + 2) {
            Some(&[high, low]) => usize::from(high) << 8 | usize::from(low),
            _ => return Err(cut()),
        };
        if length < 2 {
            return Err(Fault::picture("a segment is shorter than its length field"));
        }
        let segment = bytes.get(at + 2..at + length).ok_or_else(cut)?;
        match marker {
            0xc0..=0xc2 => {
                if frame.is_some() {
                    return Err(Fault::picture("it has two frames"));
                }
                frame = Some(frame_header(segment)?);
            }
            0xc3 | 0xc5..=0xc7 | 0xc8..=0xcb | 0xcd..=0xcf => {
                return Err(Fault::picture(
                    "it is neither baseline nor progressive Huffman coded",
                ));
            }
            0xda => break,
            0xe0 => jfif |= segment.starts_with(b"JFIF\0"),
            0xe1 if segment.starts_with(b"Exif\0") && orientation.is_none() => {
                orientation = segment.get(6..).map(Orientation::read);
            }
            0xe2 => {
                if let Some(&[number, count, ref data @ ..]) =
                    segment.strip_prefix(b"ICC_PROFILE\0")
                {
                    icc.push((number, count, data.to_vec()));
                }
            }
            0xee if segment.starts_with(b"Adobe") => adobe = segment.get(11).copied(),
            _ => {}
        }
        at += length;
    }
    let (width, height, components) =
        frame.ok_or_else(|| Fault::picture("it has no frame header"))?;
    Ok(Markers {
        width,
        height,
        components,
        orientation: orientation.unwrap_or(Orientation::UPRIGHT),
        adobe,
        jfif,
        icc,
        scan_offset: at,
    })
}

fn frame_header(segment: &[u8]) -> Result<(u64, u64, Vec<u8>), Fault> {
    let &[precision, h1, h0, w1, w0, count, ref components @ ..] = segment else {
        return Err(Fault::picture("its frame header is cut off"));
    };
    if precision != 8 {
        return Err(Fault::picture(format!(
            "it has {precision} bits a sample; 8 are accepted"
        )));
    }
    if !matches!(count, 1 | 3 | 4) {
        return Err(Fault::picture(format!(
            "it has {count} components; 1, 3 and 4 are accepted"
        )));
    }
    if components.len() != 3 * usize::from(count) {
        return Err(Fault::picture("its frame header has a wrong length"));
    }
    let ids = components.chunks_exact(3).map(|c| c[0]).collect();
    Ok((
        u64::from(u16::from_be_bytes([w1, w0])),
        u64::from(u16::from_be_bytes([h1, h0])),
        ids,
    ))
}

impl Markers {
    fn profile(&self) -> Result<Option<Vec<u8>>, Fault> {
        if self.icc.is_empty() {
            return Ok(None);
        }
        let mut parts: Vec<_> = self.icc.iter().collect();
        parts.sort_by_key(|part| part.0);
        let whole = parts
            .iter()
            .enumerate()
            .all(|(i, part)| usize::from(part.0) == i + 1 && usize::from(part.1) == parts.len());
        if !whole {
            return Err(Fault::Profile("its parts are not complete".into()));
        }
        Ok(Some(parts.iter().flat_map(|part| part.2.clone()).collect()))
    }

    /// Whether brightness and two colour differences are stored, which is usual.
    fn has_differences(&self) -> bool {
        self.components.len() == 3
            && self.adobe != Some(0)
            && (self.adobe.is_some() || self.jfif || self.components != b"RGB")
    }

    /// How the decoder shall read and write the components.
    fn colours(&self) -> ColorSpace {
        match (self.components.as_slice(), self.adobe) {
            ([_], _) => ColorSpace::Luma,
            // Stored as red, green, blue, by Adobe's marker or by the names of the
            // components, as libjpeg reads them.
            ([_, _, _], Some(0)) => ColorSpace::RGB,
            (b"RGB", None) if !self.jfif => ColorSpace::YCbCr,
            ([_, _, _], _) => ColorSpace::RGB,
            (_, Some(2)) => ColorSpace::YCCK,
            _ => ColorSpace::CMYK,
        }
    }
}

pub(crate) fn header(bytes: &[u8]) -> Result<Header, Fault> {
    let markers = markers(bytes)?;
    Ok(Header {
        width: markers.width,
        height: markers.height,
        orientation: markers.orientation,
    })
}

/// Refuses a file that is cut off, or that asks for more work than pictures do.
fn check(bytes: &[u8], markers: &Markers, width: usize, height: usize) -> Result<(), Fault> {
    let scans = Scans::of(&bytes[markers.scan_offset - 2..]);
    // A cut file would be filled up with grey, which would then be measured.
    if !scans.ended {
        return Err(Fault::picture("its end is missing"));
    }
    let most = MOST_WORK / (width as u64 * height as u64).max(1);
    if scans.passes > most {
        return Err(Fault::picture(format!(
            "its {} scans pass {} times over its components; at most {most} are accepted at its size",
            scans.scans, scans.passes
        )));
    }
    Ok(())
}

/// Interleaved samples, converted to the colours `out` as far as the decoder does; in
/// `room`, if that is large enough.
fn samples(
    bytes: &[u8],
    out: ColorSpace,
    width: usize,
    height: usize,
    room: Vec<u8>,
) -> Result<Vec<u8>, Fault> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(MAX_SCANS)
        .jpeg_set_out_colorspace(out);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let broken = |e: zune_jpeg::errors::DecodeErrors| Fault::picture(e.to_string());
    decoder.decode_headers().map_err(broken)?;
    if decoder.dimensions() != Some((width, height)) {
        return Err(Fault::picture("it states two sizes"));
    }
    let mut samples = cleared(room, width * height * out.num_components());
    if decoder.output_buffer_size() != Some(samples.len()) {
        return Err(Fault::picture("it holds another number of samples"));
    }
    decoder.decode_into(&mut samples).map_err(broken)?;
    Ok(samples)
}

/// So many zeros, in `room` if that is large enough: nothing of what was there before may
/// show where nothing is written.
fn cleared(mut room: Vec<u8>, count: usize) -> Vec<u8> {
    room.clear();
    if room.capacity() < count {
        return vec![0; count];
    }
    room.resize(count, 0);
    room
}

pub(crate) fn decode(
    bytes: &[u8],
    width: usize,
    height: usize,
    room: Vec<u8>,
) -> Result<Pixels, Fault> {
    let markers = markers(bytes)?;
    let icc = markers.profile()?;
    check(bytes, &markers, width, height)?;
    let mut chroma_step = None;
    let mut room = room;
    if markers.has_differences() {
        // What is there before is written over, or is cleared for the decoder.
        room.resize(3 * width * height, 0);
        chroma_step = inverse::colours(bytes, &mut room, [width, height]);
    }
    let mut samples = match chroma_step {
        Some(_) => room,
        None => samples(bytes, markers.colours(), width, height, room)?,
    };
    let model = match markers.components.len() {
        1 => Model::Grey,
        3 => Model::Rgb,
        _ => Model::Cmyk,
    };
    if model == Model::Cmyk {
        if markers.adobe == Some(2) {
            ycck_to_cmyk(&mut samples);
        }
        // Adobe writes ink inverted, and marks its files.
        if markers.adobe.is_some() {
            for s in &mut samples {
                *s = 255 - *s;
            }
        }
    }
    Ok(Pixels {
        width,
        height,
        grey: model == Model::Grey,
        chroma_step,
        samples: Samples::Eight(to_srgb(samples, model, icc.as_deref())?),
    })
}

/// JFIF's inverse transform of the first three channels, which stand for the
/// complements of cyan, magenta and yellow.
fn ycck_to_cmyk(samples: &mut [u8]) {
    for pixel in samples.chunks_exact_mut(4) {
        let (y, cb, cr) = (
            f32::from(pixel[0]),
            f32::from(pixel[1]) - 128.0,
            f32::from(pixel[2]) - 128.0,
        );
        let light = [
            y + 1.402 * cr,
            y - 0.344_136 * cb - 0.714_136 * cr,
            y + 1.772 * cb,
        ];
        for (ink, light) in pixel.iter_mut().zip(light) {
            // The conversion saturates and rounds.
            *ink = 255 - (light + 0.5) as u8;
        }
    }
}

pub(crate) fn decode_levels(bytes: &[u8], width: usize, height: usize) -> Result<Levels, Fault> {
    let markers = markers(bytes)?;
    if markers.components.len() != 1 {
        return Err(Fault::Relief("a JPEG with colour"));
    }
    check(bytes, &markers, width, height)?;
    let samples = samples(bytes, ColorSpace::Luma, width, height, Vec::new())?;
    Ok(Levels {
        width,
        height,
        levels: samples.into_iter().map(u16::from).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURES: [&[u8]; 6] = [
        include_bytes!("../../tests/fixtures/baseline.jpg"),
        include_bytes!("../../tests/fixtures/baseline_420.jpg"),
        include_bytes!("../../tests/fixtures/progressive.jpg"),
        include_bytes!("../../tests/fixtures/progressive_420_restart3.jpg"),
        include_bytes!("../../tests/fixtures/progressive_grey.jpg"),
        include_bytes!("../../tests/fixtures/cmyk.jpg"),
    ];

    /// The decoder has code for several machines; the numbers must not depend on it.
    #[test]
    fn the_vector_code_decodes_what_the_plain_code_does() {
        for bytes in PICTURES {
            let out = markers(bytes).ok().unwrap().colours();
            let decode = |vectors: bool| {
                let options = DecoderOptions::default()
                    .set_use_unsafe(vectors)
                    .jpeg_set_out_colorspace(out);
                JpegDecoder::new_with_options(ZCursor::new(bytes), options)
                    .decode()
                    .unwrap()
            };
            assert_eq!(decode(true), decode(false));
        }
    }

    #[test]
    fn scans_and_their_components_are_counted() {
        let of = |bytes: &[u8]| {
            let m = markers(bytes).ok().unwrap();
            Scans::of(&bytes[m.scan_offset - 2..])
        };
        let expected = |scans, passes, ended| Scans {
            scans,
            passes,
            ended,
        };
        assert_eq!(of(PICTURES[0]), expected(1, 3, true));
        let progressive = of(PICTURES[2]);
        assert!(progressive.scans > 5 && progressive.passes > progressive.scans);
        assert!(progressive.ended);
        assert!(!of(&PICTURES[2][..PICTURES[2].len() - 2]).ended);
    }

    #[test]
    fn the_markers_tell_how_samples_are_stored() {
        let of = |bytes: &[u8]| {
            let m = markers(bytes).ok().unwrap();
            (m.components.len(), m.adobe, m.jfif, m.width, m.height)
        };
        assert_eq!(of(PICTURES[0]), (3, None, true, 67, 45));
        assert_eq!(of(PICTURES[4]), (1, None, true, 67, 45));
        assert_eq!(of(PICTURES[5]), (4, Some(0), false, 67, 45));
    }
}
