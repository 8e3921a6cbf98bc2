//! Numbers of a glTF accessor, every range checked before it is read.

use std::borrow::Cow;

use super::Builder;
use super::document::{Accessor, Document, Shape};
use crate::ScanError;

/// A component's type by its OpenGL number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Component {
    I8,
    U8,
    I16,
    U16,
    U32,
    F32,
}

impl Component {
    fn parse(number: u32) -> Option<Self> {
        Some(match number {
            5120 => Self::I8,
            5121 => Self::U8,
            5122 => Self::I16,
            5123 => Self::U16,
            5125 => Self::U32,
            5126 => Self::F32,
            _ => return None,
        })
    }

    const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::U32 | Self::F32 => 4,
        }
    }

    /// The value at the start of `b`, in the unit interval where `normalised`.
    fn float(self, b: &[u8], normalised: bool) -> f32 {
        let scaled = |value: f32, max: f32| {
            if normalised {
                (value / max).max(-1.0)
            } else {
                value
            }
        };
        match self {
            Self::I8 => scaled(f32::from(b[0] as i8), 127.0),
            Self::U8 => scaled(f32::from(b[0]), 255.0),
            Self::I16 => scaled(f32::from(i16::from_le_bytes([b[0], b[1]])), 32767.0),
            Self::U16 => scaled(f32::from(u16::from_le_bytes([b[0], b[1]])), 65535.0),
            Self::U32 => u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as f32,
            Self::F32 => f32::from_le_bytes([b[0], b[1], b[2], b[3]]),
        }
    }

    fn index(self, b: &[u8]) -> Option<u32> {
        Some(match self {
            Self::U8 => b[0].into(),
            Self::U16 => u16::from_le_bytes([b[0], b[1]]).into(),
            Self::U32 => u32::from_le_bytes([b[0], b[1], b[2], b[3]]),
            Self::I8 | Self::I16 | Self::F32 => return None,
        })
    }
}

/// A document with its buffers.
pub(crate) struct Store<'a> {
    pub(crate) document: &'a Document<'a>,
    pub(crate) buffers: Vec<Cow<'a, [u8]>>,
}

impl Store<'_> {
    /// The bytes of a buffer view and its stride.
    fn view(&self, out: &Builder, index: u32) -> Result<(&[u8], Option<usize>), ScanError> {
        let views = &self.document.buffer_views.0;
        let view = views
            .get(index as usize)
            .ok_or_else(|| out.no_such("buffer view", index.into(), views.len()))?;
        let buffer = self
            .buffers
            .get(view.buffer as usize)
            .ok_or_else(|| out.no_such("buffer", view.buffer.into(), self.buffers.len()))?;
        let bytes = slice(buffer, view.byte_offset, view.byte_length)
            .ok_or_else(|| out.broken(format!("buffer view {index} lies outside its buffer")))?;
        if bytes.is_empty() {
            return Err(out.broken(format!("buffer view {index} is empty")));
        }
        let stride = match view.byte_stride {
            None => None,
            Some(stride) if (4..=252).contains(&stride) && stride % 4 == 0 => Some(stride as usize),
            Some(stride) => {
                return Err(out.broken(format!(
                    "buffer view {index} has the stride {stride}; 4 to 252 in steps of 4 are valid"
                )));
            }
        };
        Ok((bytes, stride))
    }

    pub(crate) fn accessor(&self, out: &Builder, index: u32) -> Result<&Accessor, ScanError> {
        let accessors = &self.document.accessors.0;
        let accessor = accessors
            .get(index as usize)
            .ok_or_else(|| out.no_such("accessor", index.into(), accessors.len()))?;
        if accessor.count == 0 {
            return Err(out.broken(format!("accessor {index} is empty")));
        }
        if accessor.count > out.max_points() as u64 {
            return Err(out.broken(format!(
                "accessor {index} has {} elements; at most {} are accepted",
                accessor.count,
                out.max_points()
            )));
        }
        Ok(accessor)
    }

    /// So many floats an element, `N` of them.
    pub(crate) fn floats<const N: usize>(
        &self,
        out: &Builder,
        index: u32,
    ) -> Result<Vec<[f32; N]>, ScanError> {
        let accessor = self.accessor(out, index)?;
        let expected = if N == 2 { Shape::Vec2 } else { Shape::Vec3 };
        if accessor.shape != expected {
            return Err(out.broken(format!(
                "accessor {index} is {:?}; {expected:?} is needed",
                accessor.shape
            )));
        }
        let component = self.component(out, index, accessor.component_type)?;
        if accessor.normalized && matches!(component, Component::F32 | Component::U32) {
            return Err(out.broken(format!("accessor {index} normalises numbers it must not")));
        }
        let read = |b: &[u8]| {
            let mut element = [0.0; N];
            for (value, b) in element.iter_mut().zip(b.chunks_exact(component.bytes())) {
                *value = component.float(b, accessor.normalized);
            }
            element
        };
        let size = N * component.bytes();
        let mut elements = match accessor.buffer_view {
            Some(view) => {
                let (bytes, stride) = self.view(out, view)?;
                self.strided(out, index, accessor, bytes, stride, component, size)?
                    .map(read)
                    .collect()
            }
            // Zeros, for the sparse values to change; alone they are no geometry.
            None if accessor.sparse.is_some() => vec![[0.0; N]; accessor.count as usize],
            None => {
                return Err(out.broken(format!("accessor {index} has no data")));
            }
        };
        if let Some(sparse) = &accessor.sparse {
            if sparse.count == 0 || sparse.count > accessor.count {
                return Err(out.broken(format!(
                    "accessor {index} replaces {} of {} elements",
                    sparse.count, accessor.count
                )));
            }
            let at = &sparse.indices;
            let index_type = self.component(out, index, at.component_type)?;
            let outside = || out.broken(format!("accessor {index} replaces from outside its view"));
            let (bytes, _) = self.view(out, at.buffer_view)?;
            let places = sparse
                .count
                .checked_mul(index_type.bytes() as u64)
                .and_then(|length| slice(bytes, at.byte_offset, length))
                .ok_or_else(outside)?;
            let (bytes, _) = self.view(out, sparse.values.buffer_view)?;
            let values = sparse
                .count
                .checked_mul(size as u64)
                .and_then(|length| slice(bytes, sparse.values.byte_offset, length))
                .ok_or_else(outside)?;
            let mut next = 0;
            for (place, value) in places
                .chunks_exact(index_type.bytes())
                .zip(values.chunks_exact(size))
            {
                let place = index_type
                    .index(place)
                    .ok_or_else(|| out.broken(format!("accessor {index} replaces by floats")))?;
                if place < next || u64::from(place) >= accessor.count {
                    return Err(out.broken(format!(
                        "accessor {index} replaces elements out of order or range"
                    )));
                }
                next = place + 1;
                elements[place as usize] = read(value);
            }
        }
        Ok(elements)
    }

    /// Indices of vertices, below `count`.
    pub(crate) fn indices(
        &self,
        out: &Builder,
        index: u32,
        count: usize,
    ) -> Result<Vec<u32>, ScanError> {
        let accessor = self.accessor(out, index)?;
        let component = self.component(out, index, accessor.component_type)?;
        if accessor.shape != Shape::Scalar || accessor.normalized || accessor.sparse.is_some() {
            return Err(out.broken(format!("accessor {index} does not hold plain indices")));
        }
        let view = accessor
            .buffer_view
            .ok_or_else(|| out.broken(format!("accessor {index} has no data")))?;
        let (bytes, stride) = self.view(out, view)?;
        self.strided(
            out,
            index,
            accessor,
            bytes,
            stride,
            component,
            component.bytes(),
        )?
        .map(|b| {
            let i = component
                .index(b)
                .ok_or_else(|| out.broken(format!("accessor {index} does not hold indices")))?;
            if (i as usize) < count {
                Ok(i)
            } else {
                Err(out.no_such("vertex", i.into(), count))
            }
        })
        .collect()
    }

    fn component(&self, out: &Builder, index: u32, number: u32) -> Result<Component, ScanError> {
        Component::parse(number)
            .ok_or_else(|| out.broken(format!("accessor {index} has the component type {number}")))
    }

    /// The elements of an accessor as byte slices.
    fn strided<'b>(
        &self,
        out: &Builder,
        index: u32,
        accessor: &Accessor,
        bytes: &'b [u8],
        stride: Option<usize>,
        component: Component,
        size: usize,
    ) -> Result<impl Iterator<Item = &'b [u8]> + use<'b>, ScanError> {
        let stride = stride.unwrap_or(size);
        let fault = |reason: &str| out.broken(format!("accessor {index} {reason}"));
        if stride < size {
            return Err(fault("has elements longer than its view's stride"));
        }
        let alignment = component.bytes() as u64;
        let views = &self.document.buffer_views.0;
        let view_offset = accessor
            .buffer_view
            .and_then(|view| views.get(view as usize))
            .map_or(0, |view| view.byte_offset);
        if !accessor.byte_offset.is_multiple_of(alignment)
            || !view_offset.is_multiple_of(alignment)
            || !(stride as u64).is_multiple_of(alignment)
        {
            return Err(fault("is not aligned to its components"));
        }
        let count = accessor.count as usize;
        let length = (count as u64 - 1)
            .checked_mul(stride as u64)
            .and_then(|n| n.checked_add(size as u64));
        let bytes = length
            .and_then(|length| slice(bytes, accessor.byte_offset, length))
            .ok_or_else(|| fault("does not fit its buffer view"))?;
        Ok((0..count).map(move |i| &bytes[i * stride..i * stride + size]))
    }
}

fn slice(bytes: &[u8], offset: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    let end = usize::try_from(offset.checked_add(length)?).ok()?;
    bytes.get(start..end)
}
