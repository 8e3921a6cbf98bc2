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
    /// Strip by strip.
    within: Vec<Changes>,
    over: Changes,
}

/// What pixels were before a change, in the order of the changes.
#[derive(Default)]
struct Changes {
    /// First pixel and length of runs of neighbours.
    runs: Vec<(u32, u32)>,
    values: Vec<f32>,
}

impl Changes {
    fn undo(&self, signal: &mut [f32]) {
        let mut values = &self.values[..];
        for (first, n) in self.runs.iter().rev() {
            let (rest, run) = values.split_at(values.len() - *n as usize);
            signal[*first as usize..][..run.len()].copy_from_slice(run);
            values = rest;
        }
    }
}

impl Removed {
    /// Makes the signal what it was.
    pub(crate) fn put_back(self, ctx: &Context<'_>, signal: &mut [f32]) {
        self.over.undo(signal);
        signal
            .par_chunks_mut(STRIP_ROWS * ctx.atlas.width)
            .zip(self.within)
            .for_each(|(signal, changes)| changes.undo(signal));
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
            let mut changes = Changes::default();
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
    let mut changes = Changes::default();
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
    Changes { runs, values }: &mut Changes,
) {
    let Metric { e, f, g, .. } = window.metric;
    let inverse = 1.0 / (window.radius_mm * window.radius_mm);
    let (x0, y0) = (p.px[0] as f32, p.px[1] as f32);
    // Until the depth is known the profile stands in the place of the values.
    let (first_run, first_value) = (runs.len(), values.len());
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
        let row = (y - top) * width;
        let mut run = (0, 0);
        for x in first..=last {
            let i = row + x;
            let dx = x as f32 + 0.5 - x0;
            let q = (e * dx * dx + 2.0 * f * dx * dy + g * dy * dy) * inverse;
            let z = signal[i];
            if q > limit || !z.is_finite() {
                continue;
            }
            let f = shapes.at(p.shape, q).0;
            f1 += f;
            f2 += f * f;
            z1 += z;
            values.push(f);
            if run.0 + run.1 == i && run.1 > 0 {
                run.1 += 1;
                continue;
            }
            if run.1 > 0 {
                runs.push((run.0 as u32, run.1 as u32));
            }
            run = (i, 1);
        }
        if run.1 > 0 {
            runs.push((run.0 as u32, run.1 as u32));
        }
    }
    let n = (values.len() - first_value) as f32;
    let power = f2 - f1 * f1 / n;
    if n < 5.0 || power <= 1e-3 {
        runs.truncate(first_run);
        values.truncate(first_value);
        return;
    }
    let (mean, level) = (f1 / n, z1 / n);
    let mut profile = &values[first_value..];
    for (first, n) in &runs[first_run..] {
        let own;
        (own, profile) = profile.split_at(*n as usize);
        for (f, z) in own.iter().zip(&signal[*first as usize..]) {
            fz += (f - mean) * (z - level);
        }
    }
    let depth = fz / power;
    let mut profile = &mut values[first_value..];
    for (first, n) in &runs[first_run..] {
        let (own, rest) = profile.split_at_mut(*n as usize);
        for (f, z) in own.iter_mut().zip(&mut signal[*first as usize..]) {
            let before = *z;
            *z -= depth * *f;
            *f = before;
        }
        profile = rest;
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
            score: 20.0,
        };
        let edge = STRIP_ROWS as f64;
        let pits = Pits {
            pits: vec![pit(100.0, 60.0), pit(106.0, 63.0), pit(300.0, edge + 2.0)],
            least: 0.0,
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
