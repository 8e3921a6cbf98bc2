//! Frees files of everything that is not picture, surface or measurement.
//!
//! Written as lists of what stays, so that a kind of metadata that nobody has thought of
//! goes too. The pixels are not decoded: they stay bit for bit.

/// A file without metadata.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stripped {
    /// What is left of it.
    pub(crate) bytes: Vec<u8>,
    /// The EXIF orientation, if it is not upright.
    pub(crate) orientation: Option<u16>,
}

/// Strips a file by its content; `None` for one that is not kept.
pub(crate) fn strip(name: &str, bytes: &[u8]) -> Option<Stripped> {
    let plain = |bytes: Vec<u8>| Stripped {
        bytes,
        orientation: None,
    };
    if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        return jpeg(bytes);
    }
    if bytes.starts_with(PNG_SIGNATURE) {
        return png(bytes);
    }
    if name == dermalia_scan::MANIFEST_NAME {
        return manifest(bytes).map(plain);
    }
    if bytes.starts_with(b"ply\n") || bytes.starts_with(b"ply\r\n") {
        return ply(bytes).map(plain);
    }
    if name.to_ascii_lowercase().ends_with(".obj") {
        return Some(plain(obj(bytes)));
    }
    // glTF carries names, extras and pictures of its own; the model that the report shows
    // is kept instead.
    None
}

/// The manifest without the patient and without the hashes of what the files were.
fn manifest(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut value: serde_json::Value = serde_json::from_slice(bytes).ok()?;
    let object = value.as_object_mut()?;
    object.remove("patient");
    object.remove("files");
    serde_json::to_vec(&value).ok()
}

/// OBJ: only the statements that make a surface.
fn obj(bytes: &[u8]) -> Vec<u8> {
    const KEPT: [&[u8]; 4] = [b"v", b"vt", b"vn", b"f"];
    let mut kept = Vec::with_capacity(bytes.len());
    let (mut is_continued, mut was_kept) = (false, false);
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let is_kept = words.next().is_some_and(|word| KEPT.contains(&word));
        was_kept = if is_continued { was_kept } else { is_kept };
        is_continued = line.trim_ascii_end().ends_with(b"\\");
        if was_kept {
            let end = line.iter().position(|b| *b == b'#').unwrap_or(line.len());
            kept.extend_from_slice(line[..end].trim_ascii_end());
            kept.push(b'\n');
        }
    }
    kept
}

/// PLY: the header without comments, the data up to what the header announces is not
/// looked into.
fn ply(bytes: &[u8]) -> Option<Vec<u8>> {
    const END: &[u8] = b"end_header";
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let end = rest.iter().position(|b| *b == b'\n')? + 1;
        let (line, after) = rest.split_at(end);
        let word = line.trim_ascii();
        if !word.starts_with(b"comment") && !word.starts_with(b"obj_info") {
            kept.extend_from_slice(line);
        }
        rest = after;
        if word == END {
            kept.extend_from_slice(rest);
            return Some(kept);
        }
    }
}

const PNG_SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// PNG: only the chunks that make up the picture and its colour.
fn png(bytes: &[u8]) -> Option<Stripped> {
    const KEPT: [&[u8; 4]; 9] = [
        b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"gAMA", b"cHRM", b"sRGB", b"iCCP",
    ];
    let mut kept = PNG_SIGNATURE.to_vec();
    let mut orientation = None;
    let mut rest = bytes.get(PNG_SIGNATURE.len()..)?;
    loop {
        let length = u32::from_be_bytes(rest.get(..4)?.try_into().ok()?);
        let whole = usize::try_from(length).ok()?.checked_add(12)?;
        let (chunk, after) = rest.split_at_checked(whole)?;
        let kind: &[u8; 4] = chunk[4..8].try_into().ok()?;
        if KEPT.contains(&kind) {
            kept.extend_from_slice(chunk);
        } else if kind == b"eXIf" {
            orientation = exif_orientation(&chunk[8..whole - 4]);
        }
        if kind == b"IEND" {
            // What lies behind the end is none of the picture.
            return Some(Stripped {
                bytes: kept,
                orientation,
            });
        }
        rest = after;
    }
}

/// JPEG: frame, tables, scans, the colour profile and Adobe's colour transform.
fn jpeg(bytes: &[u8]) -> Option<Stripped> {
    let mut kept = vec![0xff, 0xd8];
    let mut orientation = None;
    let mut at = 2;
    loop {
        if *bytes.get(at)? != 0xff {
            return None;
        }
        // Any number of fill bytes may stand before a marker.
        while *bytes.get(at + 1)? == 0xff {
            at += 1;
        }
        let marker = *bytes.get(at + 1)?;
        if marker == 0xd9 {
            // What lies behind the end (previews, films) is none of the picture.
            kept.extend_from_slice(&[0xff, 0xd9]);
            return Some(Stripped {
                bytes: kept,
                orientation,
            });
        }
        if marker == 0x01 || (0xd0..=0xd7).contains(&marker) {
            at += 2;
            continue;
        }
        let length = u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]);
        let end = (at + 2).checked_add(usize::from(length))?;
        let content = bytes.get(at + 4..end)?;
        if is_kept(marker, content) {
            kept.extend_from_slice(&[0xff, marker]);
            kept.extend_from_slice(&bytes[at + 2..end]);
        } else if marker == 0xe1
            && let Some(tiff) = content.strip_prefix(b"Exif\0\0")
        {
            orientation = orientation.or_else(|| exif_orientation(tiff));
        }
        at = end;
        if marker == 0xda {
            let data = entropy_coded(&bytes[at..]);
            kept.extend_from_slice(&bytes[at..at + data]);
            at += data;
        }
    }
}

fn is_kept(marker: u8, content: &[u8]) -> bool {
    match marker {
        // JFIF without a thumbnail.
        0xe0 => content.starts_with(b"JFIF\0") && content.len() == 14,
        0xe2 => content.starts_with(b"ICC_PROFILE\0"),
        0xee => content.starts_with(b"Adobe") && content.len() == 12,
        // Other application segments and comments.
        0xe1..=0xef | 0xfe => false,
        // Frames, tables, scans; 0xf0.. are extensions that no decoder here reads.
        0xc0..=0xdf => true,
        _ => false,
    }
}

/// How many bytes of entropy-coded data come before the next marker.
fn entropy_coded(bytes: &[u8]) -> usize {
    bytes
        .windows(2)
        .position(|pair| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7 | 0xff))
        .unwrap_or(bytes.len())
}

/// The orientation in a TIFF block, if it is one of the seven that are not upright.
fn exif_orientation(tiff: &[u8]) -> Option<u16> {
    const ORIENTATION: u16 = 0x0112;
    let little = match tiff.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let number = |at: usize, bytes: usize| -> Option<u32> {
        let field = tiff.get(at..at.checked_add(bytes)?)?;
        let join = |n: u32, b: &u8| n << 8 | u32::from(*b);
        Some(if little {
            field.iter().rev().fold(0, join)
        } else {
            field.iter().fold(0, join)
        })
    };
    let directory = usize::try_from(number(4, 4)?).ok()?;
    let entries = usize::try_from(number(directory, 2)?).ok()?;
    (0..entries)
        .map(|i| directory + 2 + 12 * i)
        .find(|at| number(*at, 2) == Some(u32::from(ORIENTATION)))
        .and_then(|at| u16::try_from(number(at + 8, 2)?).ok())
        .filter(|value| (2..=8).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &[u8] = b"Kanarienvogel 52.5200N 13.4050E";

    fn contains(bytes: &[u8], needle: &[u8]) -> bool {
        bytes.windows(needle.len()).any(|w| w == needle)
    }

    fn segment(marker: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
        [&[0xff, marker][..], &length, &content].concat()
    }

    /// Orientation 6 and a canary in a TIFF block.
    fn tiff() -> Vec<u8> {
        let entry = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0];
        [b"MM\0\x2a\0\0\0\x08\0\x01", &entry[..], &[0; 4], CANARY].concat()
    }

    #[test]
    fn nothing_but_the_picture_stays_of_a_jpeg() {
        let profile = segment(0xe2, &[b"ICC_PROFILE\0\x01\x01", b"profile"]);
        let table = segment(0xdb, &[&[0; 65]]);
        let scan = [
            segment(0xda, &[&[1, 1, 0, 0, 63, 0]]),
            vec![1, 0xff, 0, 2, 0xff, 0xd3, 3],
        ]
        .concat();
        let end = [0xff, 0xd9];
        let picture = [&[0xff, 0xd8], &profile[..], &table, &scan, &scan, &end].concat();
        let dirty = [
            &[0xff, 0xd8],
            &segment(0xe1, &[b"Exif\0\0", &tiff()])[..],
            &segment(
                0xe1,
                &[b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>", CANARY],
            ),
            &segment(0xe0, &[b"JFXX\0", CANARY]),
            &profile,
            &segment(0xe2, &[b"MPF\0", CANARY]),
            &segment(0xed, &[b"Photoshop 3.0\0", CANARY]),
            &segment(0xfe, &[CANARY]),
            &[0xff],
            &table,
            &scan,
            &segment(0xfe, &[CANARY]),
            &scan,
            &end,
            CANARY,
        ]
        .concat();
        assert!(contains(&dirty, CANARY));
        let stripped = strip("white.jpg", &dirty).unwrap();
        assert_eq!(stripped.bytes, picture);
        assert_eq!(stripped.orientation, Some(6));
        let again = strip("white.jpg", &picture).unwrap();
        assert_eq!((again.bytes, again.orientation), (picture, None));
        // Cut anywhere it is no picture, and nothing of it is kept.
        for length in 3..dirty.len() - CANARY.len() {
            assert_eq!(strip("white.jpg", &dirty[..length]), None, "{length}");
        }
    }

    #[test]
    fn nothing_but_the_picture_stays_of_a_png() {
        let chunk = |kind: &[u8; 4], content: &[u8]| {
            let length = u32::try_from(content.len()).unwrap().to_be_bytes();
            [&length[..], kind, content, &[0; 4]].concat()
        };
        let (head, data, end) = (
            chunk(b"IHDR", &[0; 13]),
            chunk(b"IDAT", b"x"),
            chunk(b"IEND", b""),
        );
        let dirty = [
            PNG_SIGNATURE,
            &head,
            &chunk(b"tEXt", CANARY),
            &chunk(b"iTXt", &[b"XML:com.adobe.xmp\0", CANARY].concat()),
            &chunk(b"eXIf", &tiff()),
            &data,
            &chunk(b"prVt", CANARY),
            &end,
            CANARY,
        ]
        .concat();
        let stripped = strip("relief.png", &dirty).unwrap();
        assert_eq!(stripped.bytes, [PNG_SIGNATURE, &head, &data, &end].concat());
        assert_eq!(stripped.orientation, Some(6));
        for length in 8..dirty.len() - CANARY.len() {
            assert_eq!(strip("relief.png", &dirty[..length]), None, "{length}");
        }
    }

    #[test]
    fn meshes_lose_comments_and_the_manifest_the_patient() {
        let text =
            b"# Kanarienvogel\no Kanarienvogel\nv 1 2 3 # Kanarienvogel\r\nmtllib k.mtl\nf 1 1 1\n";
        assert_eq!(
            strip("face.OBJ", text).unwrap().bytes,
            b"v 1 2 3\nf 1 1 1\n"
        );
        let text =
            b"ply\nformat ascii 1.0\ncomment Kanarienvogel\nelement vertex 1\nend_header\n1 2 3\n";
        assert_eq!(
            strip("face.ply", text).unwrap().bytes,
            b"ply\nformat ascii 1.0\nelement vertex 1\nend_header\n1 2 3\n"
        );
        let text = br#"{"scan_id":"a","patient":{"first_name":"Kanarienvogel"},"files":[]}"#;
        assert_eq!(
            strip("manifest.json", text).unwrap().bytes,
            br#"{"scan_id":"a"}"#
        );
        assert_eq!(strip("face.glb", b"glTF\x02\0\0\0"), None);
        assert_eq!(strip("notes.txt", CANARY), None);
        assert_eq!(strip("manifest.json", CANARY), None);
    }
}
