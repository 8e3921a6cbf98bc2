//! Stanford PLY: ASCII and both binary orders, atlas coordinates by vertex or by face.

use super::ply_header::{Element, Encoding, PlyHeader, Property, Scalar, parse};
use super::polygon::{MAX_CORNERS, triangulate};
use super::{Builder, RawMesh};
use crate::ScanError;

/// The names that scanners give to atlas coordinates.
const U_NAMES: [&str; 5] = ["s", "u", "texture_u", "texture_s", "tx"];
const V_NAMES: [&str; 5] = ["t", "v", "texture_v", "texture_t", "ty"];

/// The body, number by number.
struct Body<'a> {
    bytes: &'a [u8],
    at: usize,
    encoding: Encoding,
    line: usize,
}

impl Body<'_> {
    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn next(&mut self, out: &Builder, scalar: Scalar) -> Result<f64, ScanError> {
        match self.encoding {
            Encoding::Ascii => self.word(out),
            Encoding::Little | Encoding::Big => {
                let size = scalar.bytes();
                let raw = self
                    .bytes
                    .get(self.at..self.at + size)
                    .ok_or_else(|| out.broken("it ends too early"))?;
                self.at += size;
                let mut ordered = [0; 8];
                ordered[..size].copy_from_slice(raw);
                if self.encoding == Encoding::Little {
                    ordered[..size].reverse();
                }
                Ok(scalar.decode(ordered))
            }
        }
    }

    fn word(&mut self, out: &Builder) -> Result<f64, ScanError> {
        while let Some(b) = self.bytes.get(self.at).filter(|b| b.is_ascii_whitespace()) {
            self.line += usize::from(*b == b'\n');
            self.at += 1;
        }
        let rest = &self.bytes[self.at..];
        let end = rest
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(out.broken("it ends too early"));
        }
        self.at += end;
        std::str::from_utf8(&rest[..end])
            .ok()
            .and_then(|word| word.parse().ok())
            .ok_or_else(|| out.at_line(self.line, "a number is malformed"))
    }

    /// The length of a list, which its numbers must have room for.
    fn count(&mut self, out: &Builder, property: &Property) -> Result<usize, ScanError> {
        let Some(scalar) = property.list else {
            return Ok(1);
        };
        let count = self.next(out, scalar)?;
        let size = match self.encoding {
            Encoding::Ascii => 1,
            Encoding::Little | Encoding::Big => property.scalar.bytes(),
        };
        if !(count >= 0.0 && count * size as f64 <= self.left() as f64 && count.fract() == 0.0) {
            return Err(out.broken("a list is longer than the file"));
        }
        Ok(count as usize)
    }

    fn skip(&mut self, out: &Builder, property: &Property) -> Result<(), ScanError> {
        let count = self.count(out, property)?;
        if self.encoding == Encoding::Ascii {
            for _ in 0..count {
                self.next(out, property.scalar)?;
            }
            return Ok(());
        }
        let bytes = count * property.scalar.bytes();
        if bytes > self.left() {
            return Err(out.broken("it ends too early"));
        }
        self.at += bytes;
        Ok(())
    }

    fn list(
        &mut self,
        out: &Builder,
        property: &Property,
        most: usize,
        into: &mut Vec<f64>,
    ) -> Result<(), ScanError> {
        into.clear();
        let count = self.count(out, property)?;
        if count > most {
            return Err(out.broken(format!(
                "a face has a list of {count} numbers; at most {most} are accepted"
            )));
        }
        for _ in 0..count {
            into.push(self.next(out, property.scalar)?);
        }
        Ok(())
    }
}

pub(crate) fn read(mut out: Builder, bytes: &[u8]) -> Result<RawMesh, ScanError> {
    let PlyHeader {
        encoding,
        elements,
        body,
        lines,
    } = parse(&out, bytes)?;
    let mut body = Body {
        bytes,
        at: body,
        encoding,
        line: lines + 1,
    };
    // Faces refer to atlas points by vertex only where the vertices have them.
    let mut by_vertex = false;
    let mut vertices_read = false;
    for element in &elements {
        let Ok(count) = usize::try_from(element.count) else {
            return Err(out.broken("an element has more records than the file has bytes"));
        };
        // Records without properties take nothing, whatever their count.
        if element.properties.is_empty() {
            continue;
        }
        if count.saturating_mul(element.min_bytes(encoding)) > body.left().saturating_add(1) {
            return Err(out.broken(format!(
                "it announces {count} records of {:?}, more than its bytes can hold",
                element.name
            )));
        }
        match element.name.as_str() {
            "vertex" => {
                if std::mem::replace(&mut vertices_read, true) {
                    return Err(out.broken("it has two vertex elements"));
                }
                by_vertex = vertices(&mut out, &mut body, element, count)?;
            }
            "face" => {
                if !vertices_read {
                    return Err(out.broken("its faces come before its vertices"));
                }
                faces(&mut out, &mut body, element, count, by_vertex)?;
            }
            "tristrips" => {
                strips(&mut out, &mut body, element, count, by_vertex)?;
            }
            _ => {
                for _ in 0..count {
                    for property in &element.properties {
                        body.skip(&out, property)?;
                    }
                }
            }
        }
    }
    out.finish()
}

/// Whether the vertices carry atlas coordinates.
fn vertices(
    out: &mut Builder,
    body: &mut Body<'_>,
    element: &Element,
    count: usize,
) -> Result<bool, ScanError> {
    let places = ["x", "y", "z"].map(|name| element.find(&[name]));
    let [Some(x), Some(y), Some(z)] = places else {
        return Err(out.broken("its vertices lack x, y or z"));
    };
    let uv = element.find(&U_NAMES).zip(element.find(&V_NAMES));
    if count > out.max_points() {
        // Also refuses before memory is spent.
        return Err(out.broken(format!(
            "it announces {count} vertices; at most {} are accepted",
            out.max_points()
        )));
    }
    out.reserve(count, 0, body.left());
    let mut record = vec![0.0; element.properties.len()];
    for _ in 0..count {
        for (value, property) in record.iter_mut().zip(&element.properties) {
            if property.list.is_some() {
                body.skip(out, property)?;
            } else {
                *value = body.next(out, property.scalar)?;
            }
        }
        out.push_position([record[x] as f32, record[y] as f32, record[z] as f32])?;
        if let Some((u, v)) = uv {
            out.push_uv([record[u] as f32, record[v] as f32])?;
        }
    }
    Ok(uv.is_some())
}

fn index(out: &Builder, value: f64) -> Result<u32, ScanError> {
    let count = out.positions().len();
    if value >= 0.0 && value < count as f64 && value.fract() == 0.0 {
        Ok(value as u32)
    } else {
        Err(out.no_such("position", value as i64, count))
    }
}

fn faces(
    out: &mut Builder,
    body: &mut Body<'_>,
    element: &Element,
    count: usize,
    by_vertex: bool,
) -> Result<(), ScanError> {
    let Some(indices_at) = element.find(&["vertex_indices", "vertex_index"]) else {
        return Err(out.broken("its faces lack vertex_indices"));
    };
    let uvs_at = element.find(&["texcoord", "texcoords"]);
    out.reserve(0, count, body.left());
    let (mut indices, mut uvs) = (Vec::new(), Vec::new());
    let mut corners: Vec<u32> = Vec::new();
    let mut points = Vec::new();
    for _ in 0..count {
        uvs.clear();
        for (i, property) in element.properties.iter().enumerate() {
            if i == indices_at {
                body.list(out, property, MAX_CORNERS, &mut indices)?;
            } else if Some(i) == uvs_at && property.list.is_some() {
                body.list(out, property, 2 * MAX_CORNERS, &mut uvs)?;
            } else {
                body.skip(out, property)?;
            }
        }
        if indices.len() < 3 {
            return Err(out.broken(format!("a face has {} corners", indices.len())));
        }
        corners.clear();
        points.clear();
        for &value in &indices {
            let i = index(out, value)?;
            corners.push(i);
            points.push(out.positions()[i as usize]);
        }
        let first_uv = out.uv_count() as u32;
        let by_face = !uvs.is_empty();
        if by_face {
            if uvs.len() != 2 * corners.len() {
                return Err(out.broken(format!(
                    "a face of {} corners has {} atlas numbers",
                    corners.len(),
                    uvs.len()
                )));
            }
            for uv in uvs.chunks_exact(2) {
                out.push_uv([uv[0] as f32, uv[1] as f32])?;
            }
        }
        for t in triangulate(&points) {
            let triangle = t.map(|i| corners[i]);
            let uv = if by_face {
                Some(t.map(|i| first_uv + i as u32))
            } else {
                by_vertex.then_some(triangle)
            };
            out.push_triangle(triangle, uv)?;
        }
    }
    Ok(())
}

/// Stanford's own strips: -1 starts a new one.
fn strips(
    out: &mut Builder,
    body: &mut Body<'_>,
    element: &Element,
    count: usize,
    by_vertex: bool,
) -> Result<(), ScanError> {
    let Some(at) = element.find(&["vertex_indices", "vertex_index"]) else {
        return Err(out.broken("its strips lack vertex_indices"));
    };
    for _ in 0..count {
        for (i, property) in element.properties.iter().enumerate() {
            if i != at {
                body.skip(out, property)?;
                continue;
            }
            let length = body.count(out, property)?;
            let (mut last, mut seen) = ([0; 2], 0_usize);
            for _ in 0..length {
                let value = body.next(out, property.scalar)?;
                if value == -1.0 {
                    seen = 0;
                    continue;
                }
                let next = index(out, value)?;
                if seen >= 2 {
                    // Every second triangle of a strip runs the other way.
                    let triangle = if seen % 2 == 0 {
                        [last[0], last[1], next]
                    } else {
                        [last[1], last[0], next]
                    };
                    out.push_triangle(triangle, by_vertex.then_some(triangle))?;
                }
                last = [last[1], next];
                seen += 1;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{RawMesh, read};
    use crate::{Limits, ScanError};

    fn parse(bytes: &[u8]) -> Result<RawMesh, ScanError> {
        read("m.ply", bytes, &Limits::default(), &|_| None)
    }

    const VERTICES: [[f32; 5]; 4] = [
        [0.0, 0.0, 0.5, 0.0, 0.0],
        [1.0, 0.0, 0.5, 1.0, 0.0],
        [1.0, 1.0, 0.5, 1.0, 1.0],
        [0.0, 1.0, 0.5, 0.0, 1.0],
    ];

    fn header(format: &str, u: &str, v: &str) -> String {
        format!(
            "ply\r\nformat {format} 1.0\ncomment by hand\nelement vertex 4\n\
             property float x\nproperty double y\nproperty float z\nproperty uchar red\n\
             property float {u}\nproperty float {v}\nelement edge 1\nproperty list uchar short e\n\
             element face 1\nproperty list uchar int vertex_indices\nend_header\n"
        )
    }

    fn binary(little: bool) -> Vec<u8> {
        let name = if little {
            "binary_little_endian"
        } else {
            "binary_big_endian"
        };
        let mut out = header(name, "texture_u", "texture_v").into_bytes();
        let f = |v: f32| {
            if little {
                v.to_le_bytes()
            } else {
                v.to_be_bytes()
            }
        };
        for [x, y, z, u, v] in VERTICES {
            out.extend(f(x));
            let y = f64::from(y);
            out.extend(if little {
                y.to_le_bytes()
            } else {
                y.to_be_bytes()
            });
            out.extend(f(z));
            out.push(7);
            out.extend(f(u));
            out.extend(f(v));
        }
        out.extend([2, 0, 0, 0, 0]);
        out.push(4);
        for i in 0..4_i32 {
            out.extend(if little {
                i.to_le_bytes()
            } else {
                i.to_be_bytes()
            });
        }
        out
    }

    #[test]
    fn the_three_encodings_are_one_mesh() {
        let mut text = header("ascii", "s", "t");
        for [x, y, z, u, v] in VERTICES {
            text += &format!("{x} {y} {z} 7 {u} {v}\n");
        }
        text += "2 0 1\n4 0 1 2 3";
        let ascii = parse(text.as_bytes()).unwrap();
        assert_eq!(ascii.positions[2], [1.0, 1.0, 0.5]);
        assert_eq!(ascii.uvs[2], [1.0, 1.0]);
        assert_eq!(ascii.triangles, [[0, 1, 2], [0, 2, 3]]);
        assert_eq!(ascii.uv_triangles, ascii.triangles);
        assert_eq!(parse(&binary(true)).unwrap(), ascii);
        assert_eq!(parse(&binary(false)).unwrap(), ascii);
    }

    #[test]
    fn every_cut_and_every_changed_header_byte_ends_in_an_answer() {
        let whole = binary(true);
        for end in 0..whole.len() {
            assert!(parse(&whole[..end]).is_err(), "{end}");
        }
        for i in 0..whole.len() {
            for value in [0, 9, 0x7f, 0xff] {
                let mut changed = whole.clone();
                changed[i] = value;
                let _ = parse(&changed);
            }
        }
    }

    #[test]
    fn atlas_coordinates_can_come_by_face() {
        let text = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\n\
            property float y\nproperty float z\nelement face 2\n\
            property list uchar int vertex_index\nproperty list uchar float texcoord\n\
            property int texnumber\nend_header\n0 0 0\n1 0 0\n0 1 0\n\
            3 0 1 2 6 0 0 .5 0 0 .5 0\n3 2 1 0 0 0\n";
        let mesh = parse(text.as_bytes()).unwrap();
        assert_eq!(mesh.uvs, [[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]]);
        assert_eq!(mesh.uv_triangles, [[0, 1, 2], [super::super::NO_UV; 3]]);
    }

    #[test]
    fn strips_keep_their_side() {
        let text = "ply\nformat ascii 1.0\nelement vertex 4\nproperty float x\n\
            property float y\nproperty float z\nelement tristrips 1\n\
            property list int int vertex_indices\nend_header\n0 0 0\n1 0 0\n0 1 0\n1 1 0\n\
            8 0 1 2 3 -1 0 1 2\n";
        assert_eq!(
            parse(text.as_bytes()).unwrap().triangles,
            [[0, 1, 2], [2, 1, 3], [0, 1, 2]]
        );
    }

    #[test]
    fn announced_counts_cost_nothing() {
        for count in ["99999999999", "18446744073709551615", "4294967296"] {
            for format in ["ascii", "binary_little_endian"] {
                let text = format!(
                    "ply\nformat {format} 1.0\nelement vertex {count}\nproperty float x\n\
                     property float y\nproperty float z\nelement nothing {count}\nend_header\n1 2 3\n"
                );
                assert!(parse(text.as_bytes()).is_err());
            }
        }
    }
}
