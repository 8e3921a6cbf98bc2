//! The canonical face from protobuf (MediaPipe's `GeometryPipelineMetadata`, field 1 a
//! `Mesh3d`) to a plain table, so that reading it in the product cannot fail.

use crate::models::ModelError;

const VERTICES: usize = 468;
const TRIANGLES: usize = 898;

/// Little-endian: 468 times x, y, z in mm, u, v (up) as f32; then 898 times three u32.
pub(crate) fn table(bytes: &[u8]) -> Result<Vec<u8>, ModelError> {
    let fault = |reason: &str| ModelError::Package {
        reason: format!("the canonical face {reason}"),
    };
    let mut metadata = Fields { rest: bytes };
    let mesh = loop {
        match metadata.next().ok_or_else(|| fault("is cut short"))? {
            (1, Value::Bytes(mesh)) => break mesh,
            _ => continue,
        }
    };
    let (mut numbers, mut corners) = (vec![], vec![]);
    let mut fields = Fields { rest: mesh };
    while !fields.rest.is_empty() {
        match fields.next().ok_or_else(|| fault("is malformed"))? {
            (3, Value::Fixed32(word)) => numbers.push(f32::from_bits(word)),
            (4, Value::Varint(index)) => corners.push(index as u32),
            _ => {}
        }
    }
    if numbers.len() != VERTICES * 5 || corners.len() != TRIANGLES * 3 {
        return Err(fault(&format!(
            "has {} numbers and {} corners, expected {} and {}",
            numbers.len(),
            corners.len(),
            VERTICES * 5,
            TRIANGLES * 3
        )));
    }
    if let Some(index) = corners.iter().find(|&&i| i as usize >= VERTICES) {
        return Err(fault(&format!("names vertex {index} of {VERTICES}")));
    }
    let mut out = vec![];
    for vertex in numbers.chunks_exact(5) {
        let [x, y, z, u, v] = [0, 1, 2, 3, 4].map(|k| vertex[k]);
        // Centimetres in the file; v runs down in it, as in pictures.
        for number in [x * 10.0, y * 10.0, z * 10.0, u, 1.0 - v] {
            out.extend(number.to_le_bytes());
        }
    }
    out.extend(corners.iter().flat_map(|c| c.to_le_bytes()));
    Ok(out)
}

enum Value<'a> {
    Varint(u64),
    Fixed32(u32),
    Bytes(&'a [u8]),
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.rest.split_at_checked(n)?;
        self.rest = tail;
        Some(head)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn next(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            2 => {
                let n = usize::try_from(self.varint()?).ok()?;
                Value::Bytes(self.take(n)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.take(4)?.try_into().ok()?)),
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}
