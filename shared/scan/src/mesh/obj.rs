//! Wavefront OBJ: `v`, `vt` and `f`; materials, normals, groups and colours are
//! tolerated and dropped.

use std::borrow::Cow;

use super::polygon::{MAX_CORNERS, triangulate};
use super::{Builder, NO_UV, RawMesh, plain_obj};
use crate::ScanError;

#[derive(Clone, Copy)]
struct Corner {
    position: u32,
    uv: u32,
}

pub(crate) fn read(mut out: Builder, bytes: &[u8]) -> Result<RawMesh, ScanError> {
    match plain_obj::read(&mut out, bytes) {
        Some(()) => out.finish(),
        None => read_carefully(out, bytes),
    }
}

/// Line by line, to the first fault.
pub(super) fn read_carefully(mut out: Builder, bytes: &[u8]) -> Result<RawMesh, ScanError> {
    let mut lines = bytes.split(|&b| b == b'\n');
    let mut number = 0;
    let mut corners = Vec::new();
    while let Some(first) = lines.next() {
        number += 1;
        let at = number;
        let mut line = Cow::Borrowed(first.trim_ascii());
        // A backslash joins the next line.
        while line.last() == Some(&b'\\') {
            let Some(next) = lines.next() else { break };
            number += 1;
            let joined = line.to_mut();
            joined.pop();
            joined.push(b' ');
            joined.extend_from_slice(next.trim_ascii());
        }
        let mut words = line
            .split(|b| b.is_ascii_whitespace())
            .filter(|word| !word.is_empty());
        match words.next() {
            // What follows the third number is a weight or a colour.
            Some(b"v") => {
                let p = [
                    float(&out, at, words.next())?,
                    float(&out, at, words.next())?,
                    float(&out, at, words.next())?,
                ];
                out.push_position(p)?;
            }
            Some(b"vt") => {
                let u = float(&out, at, words.next())?;
                let v = match words.next() {
                    Some(word) => float(&out, at, Some(word))?,
                    None => 0.0,
                };
                out.push_uv([u, v])?;
            }
            Some(b"f") => {
                corners.clear();
                for word in words {
                    if word[0] == b'#' {
                        break;
                    }
                    if corners.len() == MAX_CORNERS {
                        return Err(
                            out.at_line(at, format!("a face of more than {MAX_CORNERS} corners"))
                        );
                    }
                    corners.push(corner(&out, at, word)?);
                }
                push_face(&mut out, at, &corners)?;
            }
            _ => {}
        }
    }
    out.finish()
}

fn float(out: &Builder, line: usize, word: Option<&[u8]>) -> Result<f32, ScanError> {
    word.and_then(|w| std::str::from_utf8(w).ok()?.parse().ok())
        .ok_or_else(|| out.at_line(line, "a number is missing or malformed"))
}

/// `v`, `v/vt`, `v//vn` or `v/vt/vn`; an empty part counts as absent.
fn corner(out: &Builder, line: usize, word: &[u8]) -> Result<Corner, ScanError> {
    let mut parts = word.split(|&b| b == b'/');
    let position = index(
        out,
        line,
        parts.next().unwrap_or_default(),
        "position",
        out.positions().len(),
    )?;
    let uv = match parts.next() {
        None | Some(b"") => NO_UV,
        Some(part) => index(out, line, part, "atlas coordinate", out.uv_count())?,
    };
    Ok(Corner { position, uv })
}

/// Counted from 1, or backward from the last one where negative.
fn index(
    out: &Builder,
    line: usize,
    digits: &[u8],
    what: &'static str,
    count: usize,
) -> Result<u32, ScanError> {
    let value: i64 = std::str::from_utf8(digits)
        .ok()
        .and_then(|d| d.parse().ok())
        .ok_or_else(|| out.at_line(line, format!("a {what}'s index is malformed")))?;
    let found = if value < 0 {
        value.checked_add_unsigned(count as u64)
    } else {
        value.checked_sub(1)
    };
    found
        .and_then(|i| u32::try_from(i).ok())
        .filter(|&i| i != NO_UV)
        .ok_or_else(|| out.no_such(what, value, count))
}

fn push_face(out: &mut Builder, line: usize, corners: &[Corner]) -> Result<(), ScanError> {
    if corners.len() < 3 {
        return Err(out.at_line(line, format!("a face of {} corners", corners.len())));
    }
    if let &[a, b, c] = corners {
        return push_corners(out, [a, b, c]);
    }
    let points: Option<Vec<_>> = corners
        .iter()
        .map(|c| out.positions().get(c.position as usize).copied())
        .collect();
    // A corner that comes later in the file has no place yet; one that never comes is
    // refused at the end.
    let triangles = match points {
        Some(points) => triangulate(&points),
        None => (1..corners.len() - 1).map(|i| [0, i, i + 1]).collect(),
    };
    triangles
        .into_iter()
        .try_for_each(|t| push_corners(out, t.map(|i| corners[i])))
}

fn push_corners(out: &mut Builder, [a, b, c]: [Corner; 3]) -> Result<(), ScanError> {
    let uvs = [a.uv, b.uv, c.uv];
    let uvs = (!uvs.contains(&NO_UV)).then_some(uvs);
    out.push_triangle([a.position, b.position, c.position], uvs)
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use crate::mesh::RawMesh;
    use crate::{Limits, ScanError};

    fn parse(text: &str) -> Result<RawMesh, ScanError> {
        read("m.obj", text.as_bytes(), &Limits::default(), &|_| None)
    }

    const SQUARE: &str = "v 0 0 0 1 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\n";

    #[test]
    fn every_form_of_a_corner_is_read() {
        for (face, uvs) in [
            ("f 1 2 3", false),
            ("f 1/1 2/2 3/3", true),
            ("f 1//9 2//9 3//9", false),
            ("f 1/1/9 2/2/9 3/3/9", true),
            ("f 1/ 2/ 3/", false),
            ("f -4/-3 -3/-2 -2/-1", true),
            ("\tf  1/1\t2/2  3/3 # a face\r", true),
            ("f 1/1 2/2 \\\n 3/3", true),
        ] {
            let mesh = parse(&format!("{SQUARE}g a b\no x\ns 1\nusemtl m\n{face}")).unwrap();
            assert_eq!(mesh.triangles, [[0, 1, 2]], "{face}");
            assert_eq!(mesh.uv_triangles[0] == [0, 1, 2], uvs, "{face}");
        }
    }

    #[test]
    fn quads_and_polygons_become_triangles() {
        assert_eq!(
            parse(&format!("{SQUARE}f 1 2 3 4")).unwrap().triangles,
            [[0, 1, 2], [0, 2, 3]]
        );
        let forward = parse(&format!("f 1 2 3 4\n{SQUARE}")).unwrap();
        assert_eq!(forward.triangles.len(), 2);
    }

    #[test]
    fn faults_are_named_with_their_line() {
        let line = |text: &str| match parse(&format!("{SQUARE}{text}")) {
            Err(ScanError::MeshLine { line, .. }) => line,
            other => panic!("{other:?}"),
        };
        assert_eq!(line("f 1 2"), 8);
        assert_eq!(line("\nf 1 2 x"), 9);
        assert_eq!(line("v 1 2"), 8);
        assert_eq!(line("v 1 2 1,5"), 8);
        assert_eq!(line("f 1 \\\n2"), 8);
        let huge: String = (0..257).map(|_| " 1").collect();
        assert_eq!(line(&format!("f{huge}")), 8);
        for bad in [
            "f 0 1 2",
            "f 1 2 5",
            "f -5 1 2",
            "f 1/4 2/1 3/2",
            "f 1 2 4294967296",
        ] {
            assert!(
                matches!(
                    parse(&format!("{SQUARE}{bad}")),
                    Err(ScanError::MeshIndex { .. })
                ),
                "{bad}"
            );
        }
        assert!(matches!(
            parse("v nan 0 0\nf 1 1 1"),
            Err(ScanError::MeshNotFinite { .. })
        ));
        assert!(matches!(parse(SQUARE), Err(ScanError::MeshEmpty { .. })));
    }

    #[test]
    fn the_limit_of_triangles_stops_the_reading() {
        let limits = Limits {
            triangles: 3,
            ..Limits::default()
        };
        let text = format!("{SQUARE}f 1 2 3 4\nf 1 2 3 4\n");
        assert!(matches!(
            read("m.obj", text.as_bytes(), &limits, &|_| None),
            Err(ScanError::TooManyTriangles { limit: 3, .. })
        ));
    }
}
