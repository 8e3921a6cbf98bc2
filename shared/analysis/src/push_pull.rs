//! What is not known of a plane, from what is known around it.

use dermalia_surface::loop_in_vectors;

use crate::chart::PART;
use crate::planes::{Plane, Pool};

/// Fills unknown pixels (NaN) from means of known ones over ever coarser cells (push-pull).
pub(crate) fn fill(plane: &mut Plane, pool: &mut Pool) {
    let (w, h) = (plane.width, plane.height);
    let mut s = pool.take(w.div_ceil(2), h.div_ceil(2));
    let mut q = pool.take(s.width, s.height);
    for y in 0..s.height {
        let from = y * s.width;
        let (sums, weights) = (&mut s.data[from..], &mut q.data[from..]);
        let upper = &plane.data[2 * y * w..(2 * y + 1) * w];
        // Of an odd number of rows the last stands alone.
        let lower = if 2 * y + 1 < h {
            &plane.data[(2 * y + 1) * w..(2 * y + 2) * w]
        } else {
            &[]
        };
        let done = upper.len().min(lower.len()) / 2;
        loop_in_vectors(
            #[inline(always)]
            || {
                let four = upper.chunks_exact(2).zip(lower.chunks_exact(2));
                for ((sum, weight), (a, b)) in sums.iter_mut().zip(&mut *weights).zip(four) {
                    let (mut value, mut count) = (0.0, 0.0);
                    for v in [a[0], a[1], b[0], b[1]] {
                        value += if v.is_nan() { 0.0 } else { v };
                        count += if v.is_nan() { 0.0 } else { 1.0 };
                    }
                    (*sum, *weight) = cell(value, count);
                }
            },
        );
        for x in done..w.div_ceil(2) {
            let columns = 2 * x..(2 * x + 2).min(w);
            let below = lower.get(columns.clone()).unwrap_or(&[]);
            let (mut value, mut count) = (0.0, 0.0);
            for v in upper[columns].iter().chain(below).filter(|v| !v.is_nan()) {
                value += v;
                count += 1.0;
            }
            (sums[x], weights[x]) = cell(value, count);
        }
    }
    let mut levels = vec![(s, q)];
    while let Some((sum, weight)) = levels.last()
        && (sum.width > 1 || sum.height > 1)
    {
        let w = sum.width;
        let mut s = pool.take(w.div_ceil(2), sum.height.div_ceil(2));
        let mut q = pool.take(s.width, s.height);
        for y in 0..s.height {
            let rows = 2 * y..(2 * y + 2).min(sum.height);
            for x in 0..s.width {
                let (mut value, mut count) = (0.0, 0.0);
                for i in rows.clone().map(|y| y * w) {
                    for i in i + 2 * x..i + (2 * x + 2).min(w) {
                        value += sum.data[i];
                        count += weight.data[i];
                    }
                }
                (s.data[y * s.width + x], q.data[y * s.width + x]) = cell(value, count);
            }
        }
        levels.push((s, q));
    }
    let mut coarse: Option<Plane> = None;
    while let Some((mut sum, weight)) = levels.pop() {
        let width = sum.width;
        let rows = sum.data.chunks_exact_mut(width);
        for (y, (row, weight)) in rows.zip(weight.data.chunks_exact(width)).enumerate() {
            let above = coarse.as_ref().map(|c| Above::of(c, y));
            for (x, (v, weight)) in row.iter_mut().zip(weight).enumerate() {
                if *weight < 1.0 {
                    // What is known of the cell, and the rest from the level above.
                    *v += (1.0 - weight) * above.as_ref().map_or(0.0, |a| a.at(x));
                }
            }
        }
        pool.give(weight);
        if let Some(c) = coarse.replace(sum) {
            pool.give(c);
        }
    }
    if let Some(coarse) = coarse {
        for (y, row) in plane.data.chunks_exact_mut(w).enumerate() {
            let above = Above::of(&coarse, y);
            for (k, part) in row.chunks_mut(PART).enumerate() {
                // Most parts of a row are known, or none of a part is.
                if !part.iter().fold(false, |any, v| any | v.is_nan()) {
                    continue;
                }
                for (x, v) in part.iter_mut().enumerate().filter(|(_, v)| v.is_nan()) {
                    *v = above.at(k * PART + x);
                }
            }
        }
        pool.give(coarse);
    }
}

/// A cell's value and weight; it counts at most as much as one full pixel of its level.
#[inline(always)]
fn cell(sum: f32, count: f32) -> (f32, f32) {
    let share = if count > 1.0 { 1.0 / count } else { 1.0 };
    (sum * share, f32::min(count, 1.0))
}

/// The level above a row: its values at the pixels of the row, bilinear.
struct Above<'a> {
    top: &'a [f32],
    bottom: &'a [f32],
    share: f32,
}

impl<'a> Above<'a> {
    fn of(coarse: &'a Plane, y: usize) -> Self {
        let fy = Self::place(y, coarse.height);
        let first = fy as usize;
        let row = |y: usize| &coarse.data[y * coarse.width..][..coarse.width];
        Self {
            top: row(first),
            bottom: row((first + 1).min(coarse.height - 1)),
            share: fy - first as f32,
        }
    }

    /// Where a pixel lies between the middles of the level above, of so many.
    fn place(n: usize, size: usize) -> f32 {
        ((n as f32 + 0.5) / 2.0 - 0.5).clamp(0.0, (size - 1) as f32)
    }

    fn at(&self, x: usize) -> f32 {
        let fx = Self::place(x, self.top.len());
        let first = fx as usize;
        let second = (first + 1).min(self.top.len() - 1);
        let t = fx - first as f32;
        let between = |row: &[f32]| row[first] + t * (row[second] - row[first]);
        let (top, bottom) = (between(self.top), between(self.bottom));
        top + self.share * (bottom - top)
    }
}
