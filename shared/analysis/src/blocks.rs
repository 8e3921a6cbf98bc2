//! What there is in the blocks of the atlas: most are all skin or none.

use std::ops::Range;
use std::sync::Arc;

use dermalia_surface::loop_in_vectors;
use rayon::prelude::*;

use crate::Atlas;
use crate::atlas::{is_measured, label};
use crate::spans::joined;

/// What there is in the blocks of the atlas.
#[derive(Debug)]
pub(crate) struct Blocks {
    pub(crate) columns: usize,
    pub(crate) each: Vec<Block>,
}

/// One of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    /// Some place is masked or without surface.
    pub(crate) gap: bool,
    /// Some place is measured.
    pub(crate) measured: bool,
    /// Every place is.
    pub(crate) full: bool,
    /// Every place is masked or without surface.
    pub(crate) void: bool,
    /// Every place is without surface.
    pub(crate) bare: bool,
}

/// Pixels along the side of a block.
const BLOCK: usize = 32;
/// Blocks beside surface where a window around a place on it may reach.
const NEAR: usize = 4;
/// Labels of places whose values say nothing about the skin.
pub(crate) const UNUSABLE: u8 = label::EXCLUDED | label::NO_SURFACE;

impl Blocks {
    pub(crate) fn of(atlas: &Atlas) -> Arc<Self> {
        let w = atlas.width.max(1);
        let columns = w.div_ceil(BLOCK);
        let each = atlas
            .labels
            .par_chunks(BLOCK * w)
            .flat_map_iter(|rows| {
                // All rows together first, side by side.
                let mut sums = [0, 0, u8::MAX, u8::MAX, u8::MAX].map(|v| vec![v; w]);
                for row in rows.chunks(w) {
                    loop_in_vectors(
                        #[inline(always)]
                        || {
                            let [any, some, all, void, bare] = &mut sums;
                            let n = row.len();
                            let (any, some) = (&mut any[..n], &mut some[..n]);
                            let (all, void, bare) = (&mut all[..n], &mut void[..n], &mut bare[..n]);
                            for (x, l) in row.iter().enumerate() {
                                let measured = u8::from(is_measured(*l));
                                any[x] |= l;
                                some[x] |= measured;
                                all[x] &= measured;
                                void[x] &= u8::from(l & UNUSABLE != 0);
                                bare[x] &= l;
                            }
                        },
                    );
                }
                let block = |k: usize, column: usize| {
                    let sums = &sums[k][column * BLOCK..w.min((column + 1) * BLOCK)];
                    [
                        sums.iter().fold(0, |any, v| any | v),
                        sums.iter().fold(u8::MAX, |all, v| all & v),
                    ]
                };
                let blocks: Vec<Block> = (0..columns)
                    .map(|column| Block {
                        gap: block(0, column)[0] & UNUSABLE != 0,
                        measured: block(1, column)[0] != 0,
                        full: block(2, column)[1] != 0,
                        void: block(3, column)[1] != 0,
                        bare: block(4, column)[1] & label::NO_SURFACE != 0,
                    })
                    .collect();
                blocks
            })
            .collect();
        Arc::new(Self { columns, each })
    }

    /// The columns of each row of pixels that lie near surface, of rows of so many: within
    /// [`NEAR`] blocks.
    pub(crate) fn near_surface(&self, width: usize) -> Vec<Range<usize>> {
        let spans: Vec<Range<usize>> = self
            .each
            .chunks(self.columns)
            .map(|row| {
                let first = row.iter().position(|b| !b.bare);
                let last = row.iter().rposition(|b| !b.bare);
                first.zip(last).map_or(0..0, |(a, b)| a..b + 1)
            })
            .collect();
        (0..spans.len())
            .map(|y| {
                let near = y.saturating_sub(NEAR)..(y + NEAR + 1).min(spans.len());
                let span = joined(&spans[near]);
                if span.is_empty() {
                    return 0..0;
                }
                span.start.saturating_sub(NEAR) * BLOCK..((span.end + NEAR) * BLOCK).min(width)
            })
            .flat_map(|span| std::iter::repeat_n(span, BLOCK))
            .collect()
    }

    /// The first and the last measured place of a row of labels that begins in a column,
    /// and whether all between them are; blocks that are full are not looked at.
    pub(crate) fn measured(
        &self,
        labels: &[u8],
        y: usize,
        left: usize,
    ) -> Option<(usize, usize, bool)> {
        let from = left / BLOCK;
        let right = left + labels.len();
        let row = y / BLOCK * self.columns;
        let row = &self.each[row + from..row + right.div_ceil(BLOCK)];
        let first = row.iter().position(|b| b.measured)?;
        let last = row.iter().rposition(|b| b.measured)?;
        let whole = row[first..=last].iter().all(|b| b.full);
        let start = ((from + first) * BLOCK).max(left) - left;
        let end = ((from + last + 1) * BLOCK).min(right) - left;
        if whole {
            return Some((start, end - 1, true));
        }
        let measured = |l: &u8| is_measured(*l);
        let first = start + labels[start..end].iter().position(measured)?;
        let last = first + labels[first..end].iter().rposition(measured)?;
        Some((first, last, false))
    }

    /// Whether a block is one that is looked for, of those that hold a rectangle (first
    /// and last column and row).
    pub(crate) fn any(
        &self,
        [left, top]: [usize; 2],
        [right, bottom]: [usize; 2],
        found: impl Fn(&Block) -> bool,
    ) -> bool {
        (top / BLOCK..=bottom / BLOCK).any(|y| {
            let row = y * self.columns;
            self.each[row + left / BLOCK..=row + right / BLOCK]
                .iter()
                .any(&found)
        })
    }
}
