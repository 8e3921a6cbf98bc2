//! The part of a chart where it answers for measured skin.

use std::ops::Range;

/// Pixels along the side of the cells by which a chart's part is told.
pub(crate) const CELL: usize = 8;

/// The columns of the rows of a chart that hold all measured pixels that it answers for,
/// by bands of [`CELL`] rows.
pub(crate) struct Spans {
    width: usize,
    height: usize,
    bands: Vec<Range<usize>>,
}

impl Spans {
    /// All of a plane.
    pub(crate) fn whole(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            bands: vec![0..width; height.div_ceil(CELL)],
        }
    }

    /// These columns of bands of [`CELL`] rows.
    pub(crate) fn of(width: usize, height: usize, bands: Vec<Range<usize>>) -> Self {
        Self {
            width,
            height,
            bands,
        }
    }

    /// The same on every `stride`th pixel, of a plane of so many.
    pub(crate) fn thinned(&self, stride: usize, width: usize, height: usize) -> Self {
        let bands = (0..height.div_ceil(CELL))
            .map(|band| {
                let end = ((band + 1) * stride).min(self.bands.len());
                let span = joined(&self.bands[(band * stride).min(end)..end]);
                span.start / stride..span.end.div_ceil(stride).min(width)
            })
            .collect();
        Self {
            width,
            height,
            bands,
        }
    }

    /// The columns of each row within so many columns and rows of these.
    pub(crate) fn grown(&self, [dx, dy]: [usize; 2]) -> Vec<Range<usize>> {
        (0..self.height)
            .map(|y| {
                let bands = y.saturating_sub(dy) / CELL..=(y + dy).min(self.height - 1) / CELL;
                let span = joined(&self.bands[bands]);
                if span.is_empty() {
                    return 0..0;
                }
                span.start.saturating_sub(dx)..(span.end + dx).min(self.width)
            })
            .collect()
    }
}

/// The columns that hold some.
pub(crate) fn joined(bands: &[Range<usize>]) -> Range<usize> {
    bands
        .iter()
        .filter(|b| !b.is_empty())
        .cloned()
        .reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
        .unwrap_or_default()
}
