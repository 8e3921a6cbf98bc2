//! Checked reading of a FlexBuffers map: the options of custom operations.

use super::ModelError;

/// A value with its width in bytes and its packed type.
#[derive(Clone, Copy)]
struct Reference<'a> {
    bytes: &'a [u8],
    at: usize,
    parent_width: usize,
    packed: u8,
}

/// A map of the buffer.
pub(super) struct Map<'a> {
    bytes: &'a [u8],
    at: usize,
    width: usize,
}

const INT: u8 = 1;
const UINT: u8 = 2;
const FLOAT: u8 = 3;
const MAP: u8 = 9;
const VECTOR: u8 = 10;
const VECTOR_INT: u8 = 11;
const VECTOR_UINT: u8 = 12;

fn fault(at: usize) -> ModelError {
    ModelError::Malformed { at }
}

fn unsigned(bytes: &[u8], at: usize, width: usize) -> Result<u64, ModelError> {
    let slice = at
        .checked_add(width)
        .and_then(|end| bytes.get(at..end))
        .ok_or(fault(at))?;
    let low_first = slice.iter().rev();
    Ok(low_first.fold(0, |value, &b| value << 8 | u64::from(b)))
}

fn offset_back(bytes: &[u8], at: usize, width: usize) -> Result<usize, ModelError> {
    let back = usize::try_from(unsigned(bytes, at, width)?).map_err(|_| fault(at))?;
    at.checked_sub(back).ok_or(fault(at))
}

impl<'a> Map<'a> {
    /// The map at the root of a buffer.
    pub(super) fn root(bytes: &'a [u8]) -> Result<Self, ModelError> {
        let end = bytes.len();
        let (width, packed) = match end.checked_sub(2) {
            Some(at) => (usize::from(bytes[at + 1]), bytes[at]),
            None => return Err(fault(0)),
        };
        if !matches!(width, 1 | 2 | 4 | 8) || packed >> 2 != MAP {
            return Err(fault(end));
        }
        let at = end.checked_sub(2 + width).ok_or(fault(end))?;
        Ok(Self {
            bytes,
            at: offset_back(bytes, at, width)?,
            width: 1 << (packed & 3),
        })
    }

    fn get(&self, name: &str) -> Result<Option<Reference<'a>>, ModelError> {
        let before = |n: usize| self.at.checked_sub(n * self.width).ok_or(fault(self.at));
        let count = usize::try_from(unsigned(self.bytes, before(1)?, self.width)?)
            .map_err(|_| fault(self.at))?;
        let key_width = unsigned(self.bytes, before(2)?, self.width)? as usize;
        let keys = offset_back(self.bytes, before(3)?, self.width)?;
        if !matches!(key_width, 1 | 2 | 4 | 8) || count > self.bytes.len() {
            return Err(fault(self.at));
        }
        for i in 0..count {
            let key = offset_back(self.bytes, keys + i * key_width, key_width)?;
            let rest = self.bytes.get(key..).ok_or(fault(key))?;
            let found = rest.split(|&b| b == 0).next().unwrap_or_default();
            if found == name.as_bytes() {
                let types = self.at + count * self.width;
                return Ok(Some(Reference {
                    bytes: self.bytes,
                    at: self.at + i * self.width,
                    parent_width: self.width,
                    packed: *self.bytes.get(types + i).ok_or(fault(types))?,
                }));
            }
        }
        Ok(None)
    }

    fn required(&self, name: &str) -> Result<Reference<'a>, ModelError> {
        self.get(name)?.ok_or(fault(self.at))
    }

    pub(super) fn index(&self, name: &str) -> Result<usize, ModelError> {
        self.required(name)?.index()
    }

    pub(super) fn number(&self, name: &str) -> Result<f32, ModelError> {
        self.required(name)?.number()
    }

    pub(super) fn indices(&self, name: &str) -> Result<Vec<usize>, ModelError> {
        self.required(name)?.indices()
    }
}

impl Reference<'_> {
    fn index(&self) -> Result<usize, ModelError> {
        match self.packed >> 2 {
            INT | UINT => {
                let value = unsigned(self.bytes, self.at, self.parent_width)?;
                u32::try_from(value)
                    .map(|v| v as usize)
                    .map_err(|_| fault(self.at))
            }
            _ => Err(fault(self.at)),
        }
    }

    fn number(&self) -> Result<f32, ModelError> {
        let bits = unsigned(self.bytes, self.at, self.parent_width)?;
        match (self.packed >> 2, self.parent_width) {
            (FLOAT, 4) => Ok(f32::from_bits(bits as u32)),
            (FLOAT, 8) => Ok(f64::from_bits(bits) as f32),
            (INT | UINT, _) if bits < 1 << 24 => Ok(bits as f32),
            _ => Err(fault(self.at)),
        }
    }

    fn indices(&self) -> Result<Vec<usize>, ModelError> {
        let kind = self.packed >> 2;
        let width = 1 << (self.packed & 3);
        let at = offset_back(self.bytes, self.at, self.parent_width)?;
        let count = at.checked_sub(width).ok_or(fault(at))?;
        let count = unsigned(self.bytes, count, width)? as usize;
        if count > self.bytes.len() {
            return Err(fault(at));
        }
        (0..count)
            .map(|i| {
                let packed = match kind {
                    VECTOR_INT | VECTOR_UINT => UINT << 2,
                    VECTOR => {
                        let types = at + count * width;
                        *self.bytes.get(types + i).ok_or(fault(types))?
                    }
                    _ => return Err(fault(at)),
                };
                Reference {
                    bytes: self.bytes,
                    at: at + i * width,
                    parent_width: width,
                    packed,
                }
                .index()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_map_is_read() {
        // Written by the reference implementation: {output_height: 16, output_width: 16}.
        let bytes =
            b"output_height\0output_width\0\x02\x1c\x0f\x02\x01\x02\x10\x10\x04\x04\x04$\x01";
        let map = Map::root(bytes).unwrap();
        assert_eq!(map.index("output_height").unwrap(), 16);
        assert_eq!(map.index("output_width").unwrap(), 16);
        assert!(map.index("other").is_err());
        for end in 0..bytes.len() {
            assert!(Map::root(&bytes[..end]).is_err_and(|_| true) || end > 0);
        }
    }
}
