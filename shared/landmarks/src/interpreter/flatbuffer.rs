//! Checked reading of FlatBuffers tables.

use super::ModelError;

/// A table of the buffer.
#[derive(Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    vtable: usize,
    vtable_size: usize,
}

fn read<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], ModelError> {
    at.checked_add(N)
        .and_then(|end| bytes.get(at..end))
        .and_then(|s| s.try_into().ok())
        .ok_or(ModelError::Malformed { at })
}

fn u32_at(bytes: &[u8], at: usize) -> Result<usize, ModelError> {
    Ok(u32::from_le_bytes(read(bytes, at)?) as usize)
}

impl<'a> Table<'a> {
    /// The root table of a file with the identifier `TFL3`.
    pub(super) fn root(bytes: &'a [u8]) -> Result<Self, ModelError> {
        let identifier: [u8; 4] = read(bytes, 4)?;
        if &identifier != b"TFL3" {
            return Err(ModelError::NotAModel {
                found: format!("identifier {identifier:?}"),
            });
        }
        Self::at(bytes, u32_at(bytes, 0)?)
    }

    fn at(bytes: &'a [u8], at: usize) -> Result<Self, ModelError> {
        let back = i64::from(i32::from_le_bytes(read(bytes, at)?));
        let vtable = usize::try_from(at as i64 - back).map_err(|_| ModelError::Malformed { at })?;
        let vtable_size = usize::from(u16::from_le_bytes(read(bytes, vtable)?));
        Ok(Self {
            bytes,
            at,
            vtable,
            vtable_size,
        })
    }

    /// Where a field lies; `None` if it has its default.
    fn field(&self, index: usize) -> Result<Option<usize>, ModelError> {
        let slot = 4 + 2 * index;
        if slot + 2 > self.vtable_size {
            return Ok(None);
        }
        let offset = u16::from_le_bytes(read(self.bytes, self.vtable + slot)?);
        Ok((offset > 0).then(|| self.at + usize::from(offset)))
    }

    /// Follows the offset stored in a field.
    fn target(&self, index: usize) -> Result<Option<usize>, ModelError> {
        let Some(at) = self.field(index)? else {
            return Ok(None);
        };
        Ok(Some(at + u32_at(self.bytes, at)?))
    }

    pub(super) fn u8(&self, index: usize) -> Result<u8, ModelError> {
        self.field(index)?
            .map_or(Ok(0), |at| Ok(read::<1>(self.bytes, at)?[0]))
    }

    pub(super) fn i32(&self, index: usize, default: i32) -> Result<i32, ModelError> {
        self.field(index)?.map_or(Ok(default), |at| {
            Ok(i32::from_le_bytes(read(self.bytes, at)?))
        })
    }

    pub(super) fn table(&self, index: usize) -> Result<Option<Self>, ModelError> {
        self.target(index)?
            .map(|at| Self::at(self.bytes, at))
            .transpose()
    }

    /// The bytes of a vector of elements of `size` bytes.
    fn vector(&self, index: usize, size: usize) -> Result<(&'a [u8], usize), ModelError> {
        let Some(at) = self.target(index)? else {
            return Ok((&[], 0));
        };
        let count = u32_at(self.bytes, at)?;
        let start = at + 4;
        let slice = count
            .checked_mul(size)
            .and_then(|n| start.checked_add(n))
            .and_then(|end| self.bytes.get(start..end))
            .ok_or(ModelError::Malformed { at })?;
        Ok((slice, start))
    }

    pub(super) fn bytes(&self, index: usize) -> Result<&'a [u8], ModelError> {
        Ok(self.vector(index, 1)?.0)
    }

    pub(super) fn i32s(&self, index: usize) -> Result<Vec<i32>, ModelError> {
        let (slice, _) = self.vector(index, 4)?;
        Ok(slice
            .chunks_exact(4)
            .map(|c| i32::from_le_bytes([c[0], c[1], c[2], c[3]]))
            .collect())
    }

    pub(super) fn tables(&self, index: usize) -> Result<Vec<Self>, ModelError> {
        let (slice, start) = self.vector(index, 4)?;
        (0..slice.len() / 4)
            .map(|i| {
                let at = start + 4 * i;
                Self::at(self.bytes, at + u32_at(self.bytes, at)?)
            })
            .collect()
    }
}
