//! Windows of the field, and distances in them.

use dermalia_surface::in_vectors;

use crate::field::Field;

/// A window of the field.
pub(crate) struct Window {
    pub(crate) x0: usize,
    pub(crate) y0: usize,
    pub(crate) w: usize,
    pub(crate) h: usize,
}

impl Window {
    pub(crate) fn cell(&self, field: &Field, i: usize) -> usize {
        (self.y0 + i / self.w) * field.width + self.x0 + i % self.w
    }

    /// What it holds of a plane of the field.
    pub(crate) fn of<T: Copy>(&self, field: &Field, plane: &[T]) -> Vec<T> {
        let mut out = Vec::with_capacity(self.w * self.h);
        for y in 0..self.h {
            let first = self.cell(field, y * self.w);
            out.extend_from_slice(&plane[first..first + self.w]);
        }
        out
    }

    pub(crate) fn local(&self, field: &Field, cell: usize) -> usize {
        (cell / field.width - self.y0) * self.w + cell % field.width - self.x0
    }
}

/// The window that holds some cells and a margin around them.
pub(crate) fn window_around(field: &Field, cells: &[u32], margin_mm: f32) -> Window {
    let (mut lo, mut hi) = ([usize::MAX; 2], [0; 2]);
    for &c in cells {
        let p = [c as usize % field.width, c as usize / field.width];
        for k in 0..2 {
            lo[k] = lo[k].min(p[k]);
            hi[k] = hi[k].max(p[k]);
        }
    }
    let size = [field.width, field.height];
    for k in 0..2 {
        let margin = (margin_mm / field.cell_mm[k]).ceil() as usize + 2;
        lo[k] = lo[k].saturating_sub(margin);
        hi[k] = (hi[k] + margin).min(size[k] - 1);
    }
    Window {
        x0: lo[0],
        y0: lo[1],
        w: hi[0] - lo[0] + 1,
        h: hi[1] - lo[1] + 1,
    }
}

/// Distance of every cell of a window from a set, along the surface, in mm (a chamfer
/// of two passes, good to some percent).
pub(crate) fn distances(field: &Field, window: &Window, from: &[u32]) -> Vec<f32> {
    let (w, h) = (window.w, window.h);
    let typical = (field.cell_mm[0] * field.cell_mm[1]).max(1e-12);
    let mut scale = window.of(field, &field.area_mm2);
    in_vectors(|| {
        for v in &mut scale {
            *v = if *v > 0.0 { (*v / typical).sqrt() } else { 1.0 };
        }
    });
    let mut d = vec![f32::INFINITY; w * h];
    for &c in from {
        d[window.local(field, c as usize)] = 0.0;
    }
    let mut costs = vec![0.0; w];
    for y in 0..h {
        let (before, own) = d.split_at_mut(y * w);
        let before = y
            .checked_sub(1)
            .map(|y| (&before[y * w..], &scale[y * w..]));
        let (row, row_scale) = (&mut own[..w], &scale[y * w..(y + 1) * w]);
        in_vectors(|| come_from(before, row, row_scale, field.cell_mm, &mut costs));
        for x in 1..w {
            row[x] = shorter(row[x], row[x - 1] + costs[x - 1]);
        }
    }
    for y in (0..h).rev() {
        let (own, after) = d.split_at_mut((y + 1) * w);
        let after = (y + 1 < h).then(|| (&after[..w], &scale[(y + 1) * w..(y + 2) * w]));
        let (row, row_scale) = (&mut own[y * w..], &scale[y * w..(y + 1) * w]);
        in_vectors(|| come_from(after, row, row_scale, field.cell_mm, &mut costs));
        for x in (1..w).rev() {
            row[x - 1] = shorter(row[x - 1], row[x] + costs[x - 1]);
        }
    }
    d
}

#[inline(always)]
fn shorter(own: f32, via: f32) -> f32 {
    if via < own { via } else { own }
}

/// The distances of a row by way of the row beside it, each given with the scale of its
/// cells, and the costs of the steps along the row.
#[inline(always)]
fn come_from(
    beside: Option<(&[f32], &[f32])>,
    own: &mut [f32],
    scale: &[f32],
    [mx, my]: [f32; 2],
    costs: &mut [f32],
) {
    let w = own.len();
    for ((cost, a), b) in costs.iter_mut().zip(scale).zip(&scale[1..]) {
        *cost = mx * 0.5 * (a + b);
    }
    let Some((from, from_scale)) = beside else {
        return;
    };
    let from_scale = &from_scale[..w];
    let diagonal = (mx * mx + my * my).sqrt();
    let straight = own.iter_mut().zip(scale).zip(from.iter().zip(from_scale));
    for ((d, s), (v, t)) in straight {
        *d = shorter(*d, v + my * 0.5 * (s + t));
    }
    let right = (own[1..].iter_mut().zip(&scale[1..])).zip(from.iter().zip(from_scale));
    for ((d, s), (v, t)) in right {
        *d = shorter(*d, v + diagonal * 0.5 * (s + t));
    }
    let left = (own.iter_mut().zip(scale)).zip(from[1..].iter().zip(&from_scale[1..]));
    for ((d, s), (v, t)) in left {
        *d = shorter(*d, v + diagonal * 0.5 * (s + t));
    }
}
