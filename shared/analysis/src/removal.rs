//! A signal without its pits: rows of pores would make lines.

use dermalia_surface::Metric;
use rayon::prelude::*;

use crate::pores::{Pits, Pore};
use crate::profile::Shapes;
use crate::{Atlas, Context};

/// Rows that are rid of pits together.
const STRIP_ROWS: usize = 256;

/// What a signal was where pits were taken out of it.
#[derive(Default)]
pub(crate) struct Removed {
    /// Places in a strip and values, in the order of their removal.
    within: Vec<Vec<(u32, f32)>>,
    over: Vec<(u32, f32)>,
}

impl Removed {
    /// Makes the signal what it was.
    pub(crate) fn put_back(self, ctx: &Context<'_>, signal: &mut [f32]) {
        fn undo(changes: Vec<(u32, f32)>, signal: &mut [f32]) {
            for (i, v) in changes.into_iter().rev() {
                signal[i as usize] = v;
            }
        }
        undo(self.over, signal);
        signal
            .par_chunks_mut(STRIP_ROWS * ctx.atlas.width)
            .zip(self.within)
            .for_each(|(signal, changes)| undo(changes, signal));
    }
}

/// Takes the pits out of a signal, so that rows of them make no lines.
pub(crate) fn take_out(ctx: &Context<'_>, pits: &Pits, signal: &mut [f32]) -> Removed {
    if pits.pits.is_empty() {
        return Removed::default();
    }
    let shapes = Shapes::new();
    let atlas = ctx.atlas;
    // First the pits within a strip, strip by strip, then those that lie over two.
    let (mut within, mut over) = (vec![vec![]; atlas.height.div_ceil(STRIP_ROWS)], vec![]);
    for p in &pits.pits {
        let Some(window) = Window::of(atlas, p) else {
            continue;
        };
        let first = window.rows.start() / STRIP_ROWS;
        if first == window.rows.end() / STRIP_ROWS {
            within[first].push((p, window));
        } else {
            over.push((p, window));
        }
    }
    let within = signal
        .par_chunks_mut(STRIP_ROWS * atlas.width)
        .zip(within)
        .enumerate()
        .map(|(k, (signal, pits))| {
            let mut changes = vec![];
            for (p, window) in pits {
                let top = k * STRIP_ROWS;
                remove(
                    &shapes,
                    p,
                    &window,
                    signal,
                    [top, atlas.width],
                    &mut changes,
                );
            }
            changes
        })
        .collect();
    let mut changes = vec![];
    for (p, window) in over {
        remove(&shapes, p, &window, signal, [0, atlas.width], &mut changes);
    }
    Removed {
        within,
        over: changes,
    }
}

/// The pixels around a pit.
#[derive(Clone)]
struct Window {
    rows: std::ops::RangeInclusive<usize>,
    columns: std::ops::RangeInclusive<usize>,
    metric: Metric,
    radius_mm: f32,
}

impl Window {
    /// Radii of a pit that lie in its window.
    const REACH: f32 = 2.4;

    fn of(atlas: &Atlas, p: &Pore) -> Option<Self> {
        let metric = *atlas.metric(atlas.pixel(p.px[0], p.px[1])?)?;
        let radius_mm = 0.5 * p.diameter_mm as f32;
        let window = Self::REACH * radius_mm;
        let det = metric.pixel_area_mm2();
        let (rx, ry) = (
            window * metric.g.sqrt() / det,
            window * metric.e.sqrt() / det,
        );
        if rx.is_nan() || ry.is_nan() || rx * ry > 1e4 {
            return None;
        }
        let (x0, y0) = (p.px[0] as f32, p.px[1] as f32);
        Some(Self {
            rows: (y0 - ry).max(0.0) as usize..=((y0 + ry) as usize).min(atlas.height - 1),
            columns: (x0 - rx).max(0.0) as usize..=((x0 + rx) as usize).min(atlas.width - 1),
            metric,
            radius_mm,
        })
    }
}

/// Takes a pit out of a signal from the row `top` on, as deep as it is in that signal, and
/// adds what the signal was to the changes.
fn remove(
    shapes: &Shapes,
    p: &Pore,
    window: &Window,
    signal: &mut [f32],
    [top, width]: [usize; 2],
    changes: &mut Vec<(u32, f32)>,
) {
    let Metric { e, f, g, .. } = window.metric;
    let inverse = 1.0 / (window.radius_mm * window.radius_mm);
    let (x0, y0) = (p.px[0] as f32, p.px[1] as f32);
    // Until the depth is known the profile stands in the place of the values.
    let first = changes.len();
    let (mut f1, mut f2, mut fz, mut z1) = (0.0_f32, 0.0_f32, 0.0_f32, 0.0_f32);
    let det = window.metric.pixel_area_mm2();
    let limit = Window::REACH * Window::REACH;
    for y in window.rows.clone() {
        let dy = y as f32 + 0.5 - y0;
        // Where the row may lie in the round window, and a pixel more.
        let middle = x0 - 0.5 - f / e * dy;
        let rest = (limit / inverse - (det / e) * det * dy * dy).max(0.0);
        let half = (rest / e).sqrt() + 1.5;
        let first = ((middle - half).max(0.0) as usize).max(*window.columns.start());
        let last = ((middle + half).max(0.0) as usize).min(*window.columns.end());
        for x in first..=last {
            let i = (y - top) * width + x;
            let dx = x as f32 + 0.5 - x0;
            let q = (e * dx * dx + 2.0 * f * dx * dy + g * dy * dy) * inverse;
            if q > limit || !signal[i].is_finite() {
                continue;
            }
            let f = shapes.at(p.shape, q).0;
            f1 += f;
            f2 += f * f;
            z1 += signal[i];
            changes.push((i as u32, f));
        }
    }
    let n = (changes.len() - first) as f32;
    let power = f2 - f1 * f1 / n;
    if n < 5.0 || power <= 1e-3 {
        changes.truncate(first);
        return;
    }
    for (i, f) in &changes[first..] {
        fz += (f - f1 / n) * (signal[*i as usize] - z1 / n);
    }
    let depth = fz / power;
    for (i, f) in &mut changes[first..] {
        let value = &mut signal[*i as usize];
        let before = *value;
        *value -= depth * *f;
        *f = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermalia_findings::Region;
    use dermalia_surface::{Mesh, rasterize_uv};

    /// Also where two pits overlap and where one lies over two strips.
    #[test]
    fn pits_go_out_of_a_signal_and_come_back() {
        let mesh = Mesh::sheet(40.0, 40.0);
        let raster = rasterize_uv(&mesh, 600, 600);
        let bits = crate::labels::whole_surface(&raster.triangle);
        let atlas = crate::preparation::crop(&mesh, raster, bits, crate::Scale::Stated).unwrap();
        let unknown = dermalia_scan::manifest::SkinState::Unknown;
        let ctx = Context::new(&atlas, &[], None, unknown);
        let pit = |x: f64, y: f64| Pore {
            px: [x, y],
            region: Region::Face,
            diameter_mm: 0.5,
            depth: 0.2,
            shape: 0,
        };
        let edge = STRIP_ROWS as f64;
        let pits = Pits {
            pits: vec![pit(100.0, 60.0), pit(106.0, 63.0), pit(300.0, edge + 2.0)],
        };
        let original: Vec<f32> = (0..atlas.len())
            .map(|i| {
                let (x, y) = ((i % 600) as f64 + 0.5, (i / 600) as f64 + 0.5);
                let depth: f64 = pits
                    .pits
                    .iter()
                    .map(|p| {
                        let r2 = (x - p.px[0]).powi(2) + (y - p.px[1]).powi(2);
                        0.2 * (-core::f64::consts::LN_2 * r2 / (3.75 * 3.75)).exp()
                    })
                    .sum();
                (0.3 + 1e-4 * x + depth) as f32
            })
            .collect();
        let mut signal = original.clone();
        let removed = take_out(&ctx, &pits, &mut signal);
        let lone = STRIP_ROWS * 600 + 2 * 600 + 300;
        let plane = |i: usize| 0.3 + 1e-4 * ((i % 600) as f32 + 0.5);
        assert!(original[lone] - plane(lone) > 0.19);
        assert!((signal[lone] - plane(lone)).abs() < 0.01);
        removed.put_back(&ctx, &mut signal);
        assert!(signal == original);
    }
}
