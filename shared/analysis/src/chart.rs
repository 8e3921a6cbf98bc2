//! Locally isometric charts of the atlas.
//!
//! An atlas stretches the skin differently from place to place and from direction to
//! direction. Filters therefore run in charts: small rasters of square millimetre
//! steps, each the linear image of one tile of the atlas under its mean metric.

use std::ops::Range;
use std::sync::Arc;

use dermalia_surface::{Metric, loop_in_vectors};
use rayon::prelude::*;

use crate::Atlas;
use crate::atlas::is_measured;
use crate::blocks::{Blocks, UNUSABLE};
use crate::planes::{Plane, Pool, whole_part};
use crate::push_pull::fill;
use crate::spans::{CELL, Spans};

/// One tile of the atlas as a raster of square steps on the skin.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) step_mm: f32,
    /// The atlas point of the chart's corner (0, 0).
    origin: [f32; 2],
    /// Atlas pixels per chart pixel: columns are the steps to the right and down.
    steps: [[f32; 2]; 2],
    /// The tile this chart answers for: left, top, right, bottom in atlas pixels.
    tile: [usize; 4],
    blocks: Arc<Blocks>,
}

/// Pixels of a row that are sampled together.
pub(crate) const PART: usize = 32;

/// Pixels of a chart's row in the atlas: the upper left of the four neighbours of each,
/// and how far each lies from it.
struct Taps {
    at: [u32; PART],
    x: [f32; PART],
    y: [f32; PART],
}

impl Chart {
    /// The atlas point of a chart point.
    #[inline(always)]
    pub(crate) fn to_atlas(&self, x: f32, y: f32) -> [f32; 2] {
        let [r, d] = self.steps;
        [
            self.origin[0] + r[0] * x + d[0] * y,
            self.origin[1] + r[1] * x + d[1] * y,
        ]
    }

    /// The chart point of an atlas point.
    pub(crate) fn chart_point(&self, p: [f32; 2]) -> [f32; 2] {
        let [r, d] = self.steps;
        let (x, y) = (p[0] - self.origin[0], p[1] - self.origin[1]);
        let det = r[0] * d[1] - d[0] * r[1];
        [(d[1] * x - d[0] * y) / det, (r[0] * y - r[1] * x) / det]
    }

    /// A metric of the atlas in steps of this chart; where it is the chart's own, 1, 0, 1.
    pub(crate) fn seen(&self, m: Metric) -> [f32; 3] {
        let [r, d] = self.steps;
        let inner = |a: [f32; 2], b: [f32; 2]| {
            m.e * a[0] * b[0] + m.f * (a[0] * b[1] + a[1] * b[0]) + m.g * a[1] * b[1]
        };
        let share = 1.0 / (self.step_mm * self.step_mm);
        [inner(r, r), inner(r, d), inner(d, d)].map(|v| share * v)
    }

    /// The mean metric at an atlas point and at four `reach_mm` from it: where triangles
    /// meet, each has a metric of its own.
    pub(crate) fn metric_around(
        &self,
        atlas: &Atlas,
        p: [f32; 2],
        reach_mm: f32,
    ) -> Option<Metric> {
        let n = reach_mm / self.step_mm;
        let mut mean = *atlas.metric(atlas.pixel(f64::from(p[0]), f64::from(p[1]))?)?;
        let mut count = 1.0;
        for [x, y] in self.steps {
            for n in [-n, n] {
                let at = atlas.pixel(f64::from(p[0] + n * x), f64::from(p[1] + n * y));
                if let Some(m) = at.and_then(|i| atlas.metric(i)) {
                    mean.e += m.e;
                    mean.f += m.f;
                    mean.g += m.g;
                    count += 1.0;
                }
            }
        }
        mean.e /= count;
        mean.f /= count;
        mean.g /= count;
        Some(mean)
    }

    /// The measured pixels that this chart answers for, with their chart points.
    pub(crate) fn pixels<'a>(
        &'a self,
        atlas: &'a Atlas,
    ) -> impl Iterator<Item = (usize, [f32; 2])> + 'a {
        let [l, t, r, b] = self.tile;
        (t..b).flat_map(move |y| {
            (l..r).filter_map(move |x| {
                let i = y * atlas.width + x;
                atlas
                    .is_measured(i)
                    .then(|| (i, self.chart_point([x as f32 + 0.5, y as f32 + 0.5])))
            })
        })
    }

    /// Whether this chart answers for an atlas point: each belongs to one tile.
    pub(crate) fn owns(&self, p: [f32; 2]) -> bool {
        self.owns_within(p, 0.0)
    }

    /// Whether a point lies in the tile or no more than so many pixels of the atlas beside
    /// it.
    pub(crate) fn owns_within(&self, p: [f32; 2], beside: f32) -> bool {
        let [left, top, right, bottom] = self.tile.map(|v| v as f32);
        p[0] >= left - beside
            && p[0] < right + beside
            && p[1] >= top - beside
            && p[1] < bottom + beside
    }

    /// Whether a pixel of the chart is measured and lies in the tile that it answers for.
    pub(crate) fn is_inside(&self, atlas: &Atlas, x: usize, y: usize) -> bool {
        let p = self.to_atlas(x as f32 + 0.5, y as f32 + 0.5);
        self.owns(p) && is_measured(atlas.labels[p[1] as usize * atlas.width + p[0] as usize])
    }

    /// Rasters `source` (in step with the atlas) into the chart. Places that are masked
    /// or without surface, and values that are not finite, are filled smoothly from
    /// their surroundings, so that they raise no response at their border.
    pub(crate) fn sample(&self, atlas: &Atlas, source: &[f32], pool: &mut Pool) -> Plane {
        let mut plane = pool.take(self.width, self.height);
        let mut any_missing = false;
        let mut ahead = Ahead::of(self, atlas);
        for (cy, row) in plane.data.chunks_exact_mut(self.width).enumerate() {
            ahead.touch(self, atlas, source, cy);
            any_missing |= loop_in_vectors(
                #[inline(always)]
                || self.sample_row(atlas, source, cy, row),
            );
        }
        if any_missing {
            fill(&mut plane, pool);
        }
        plane
    }

    /// Samples a row; what is unknown becomes NaN. Returns whether anything did.
    #[inline(always)]
    fn sample_row(&self, atlas: &Atlas, source: &[f32], cy: usize, row: &mut [f32]) -> bool {
        let w = atlas.width;
        let middle = cy as f32 + 0.5;
        let mut missing = false;
        for (k, part) in row.chunks_mut(PART).enumerate() {
            let first = k * PART;
            let a = self.to_atlas(first as u32 as f32 + 0.5, middle);
            let b = self.to_atlas((first + part.len()) as u32 as f32 - 0.5, middle);
            let (mut taps, mut values) = (
                Taps {
                    at: [0; PART],
                    x: [0.0; PART],
                    y: [0.0; PART],
                },
                [0.0_f32; PART],
            );
            // Between its ends a row is straight.
            let low = [a[0].min(b[0]) - 0.5, a[1].min(b[1]) - 0.5];
            let high = [a[0].max(b[0]) - 0.5, a[1].max(b[1]) - 0.5];
            let within = low[0] >= 0.0
                && low[1] >= 0.0
                && high[0] < (w - 1) as f32
                && high[1] < (atlas.height - 1) as f32;
            let beyond = high[0] < 0.0
                || high[1] < 0.0
                || low[0] >= (w - 1) as f32
                || low[1] >= (atlas.height - 1) as f32;
            if beyond {
                part.fill(f32::NAN);
                missing = true;
                continue;
            }
            if !within {
                for (x, v) in part.iter_mut().enumerate() {
                    let p = self.to_atlas((first + x) as u32 as f32 + 0.5, middle);
                    *v = usable(atlas, source, p);
                    missing |= v.is_nan();
                }
                continue;
            }
            let corners = [
                [low[0] as usize, low[1] as usize],
                [high[0] as usize + 1, high[1] as usize + 1],
            ];
            let clean = !self.blocks.any(corners[0], corners[1], |b| b.gap);
            if !clean && !self.blocks.any(corners[0], corners[1], |b| !b.void) {
                part.fill(f32::NAN);
                missing = true;
                continue;
            }
            // Values beyond the end of a short last part are not used.
            for x in 0..PART {
                let at = ((first + x) as u32 as f32 + 0.5).min((self.width as f32) - 0.5);
                let [px, py] = self.to_atlas(at, middle);
                let (fx, fy) = (px - 0.5, py - 0.5);
                let ((x0, left), (y0, top)) = (whole_part(fx), whole_part(fy));
                taps.at[x] = y0.wrapping_mul(w as u32).wrapping_add(x0);
                taps.x[x] = fx - left;
                taps.y[x] = fy - top;
            }
            let mut corners = [[0.0_f32; PART]; 4];
            for x in 0..PART {
                let i = taps.at[x] as usize;
                let [top, bottom] = [i, i + w].map(|i| pair(source, i).unwrap_or([f32::NAN; 2]));
                corners[0][x] = top[0];
                corners[1][x] = top[1];
                corners[2][x] = bottom[0];
                corners[3][x] = bottom[1];
            }
            let [a, b, c, d] = &corners;
            for x in 0..PART {
                let top = a[x] + taps.x[x] * (b[x] - a[x]);
                let bottom = c[x] + taps.x[x] * (d[x] - c[x]);
                let value = top + taps.y[x] * (bottom - top);
                values[x] = if value.is_finite() { value } else { f32::NAN };
            }
            part.copy_from_slice(&values[..part.len()]);
            if !clean {
                for (v, at) in part.iter_mut().zip(&taps.at) {
                    let [upper, lower] = [*at as usize, *at as usize + w]
                        .map(|i| pair(&atlas.labels, i).map_or(UNUSABLE, |[a, b]| a | b));
                    if (upper | lower) & UNUSABLE != 0 {
                        *v = f32::NAN;
                    }
                }
            }
            missing |= part.iter().fold(false, |any, v| any | v.is_nan());
        }
        missing
    }
}

impl Chart {
    /// Where the measured pixels are that this chart answers for.
    pub(crate) fn spans(&self) -> Spans {
        let columns = self.width.div_ceil(CELL);
        let bands = (0..self.height.div_ceil(CELL))
            .map(|band| {
                let holds = |column: &usize| self.cell_holds([*column, band].map(|c| c * CELL));
                match ((0..columns).find(holds), (0..columns).rev().find(holds)) {
                    (Some(first), Some(last)) => first * CELL..((last + 1) * CELL).min(self.width),
                    _ => 0..0,
                }
            })
            .collect();
        Spans::of(self.width, self.height, bands)
    }

    /// Whether a cell may hold measured pixels of the tile.
    fn cell_holds(&self, [x, y]: [usize; 2]) -> bool {
        let (x, y, side) = (x as f32, y as f32, CELL as f32);
        let corners = [[0.0, 0.0], [side, 0.0], [0.0, side], [side, side]]
            .map(|[dx, dy]| self.to_atlas(x + dx, y + dy));
        let [left, top, right, bottom] = self.tile;
        let within = |k: usize, from: usize, to: usize| {
            let low = corners.iter().fold(f32::INFINITY, |m, c| m.min(c[k]));
            let high = corners.iter().fold(f32::NEG_INFINITY, |m, c| m.max(c[k]));
            // Ends that lie beyond the tile are those of the tile.
            let (first, last) = (
                (low.max(0.0) as usize).max(from),
                (high as usize).min(to - 1),
            );
            (high >= 0.0 && first <= last).then_some((first, last))
        };
        match (within(0, left, right), within(1, top, bottom)) {
            (Some((x0, x1)), Some((y0, y1))) => {
                self.blocks.any([x0, y0], [x1, y1], |block| block.measured)
            }
            _ => false,
        }
    }
}

/// Reads the rows of the atlas that a chart will need soon, a value of each line of the
/// cache: asked for all at once they come sooner than one after the other.
struct Ahead {
    columns: Range<usize>,
    next: usize,
}

impl Ahead {
    /// Rows of the chart between reading and use.
    const ROWS: usize = 6;

    fn of(chart: &Chart, atlas: &Atlas) -> Self {
        let (w, h) = (chart.width as f32, chart.height as f32);
        let corners = [[0.0, 0.0], [w, 0.0], [0.0, h], [w, h]].map(|[x, y]| chart.to_atlas(x, y));
        let left = corners.iter().fold(f32::INFINITY, |m, c| m.min(c[0]));
        let right = corners.iter().fold(0.0_f32, |m, c| m.max(c[0]));
        let top = corners.iter().fold(f32::INFINITY, |m, c| m.min(c[1]));
        Self {
            columns: left.max(0.0) as usize..(right as usize).min(atlas.width),
            next: top.max(0.0) as usize,
        }
    }

    fn touch(&mut self, chart: &Chart, atlas: &Atlas, source: &[f32], cy: usize) {
        let y = (cy + Self::ROWS) as f32;
        let last = chart.to_atlas(0.0, y)[1].max(chart.to_atlas(chart.width as f32, y)[1]);
        let last = (last.max(0.0) as usize + 1).min(atlas.height);
        let mut sum = 0;
        while self.next < last {
            let row = self.next * atlas.width;
            let part = row + self.columns.start..row + self.columns.end.max(self.columns.start);
            for v in source[part.clone()].iter().step_by(16) {
                sum ^= v.to_bits();
            }
            for l in atlas.labels[part].iter().step_by(64) {
                sum ^= u32::from(*l);
            }
            self.next += 1;
        }
        std::hint::black_box(sum);
    }
}

/// Two neighbours of a row.
#[inline(always)]
fn pair<T: Copy>(source: &[T], i: usize) -> Option<[T; 2]> {
    source.get(i..).and_then(<[T]>::first_chunk).copied()
}

/// The bilinear value at a point of the atlas; NaN where a neighbour is not usable.
#[inline(always)]
fn usable(atlas: &Atlas, source: &[f32], p: [f32; 2]) -> f32 {
    let w = atlas.width;
    let (fx, fy) = (p[0] - 0.5, p[1] - 0.5);
    if !(fx >= 0.0 && fy >= 0.0 && fx < (w - 1) as f32 && fy < (atlas.height - 1) as f32) {
        return f32::NAN;
    }
    let (x0, y0) = (fx as u32, fy as u32);
    let i = y0 as usize * w + x0 as usize;
    let l = atlas.labels[i] | atlas.labels[i + 1] | atlas.labels[i + w] | atlas.labels[i + w + 1];
    if l & UNUSABLE != 0 {
        return f32::NAN;
    }
    let (tx, ty) = (fx - x0 as f32, fy - y0 as f32);
    let (a, b) = (source[i], source[i + 1]);
    let (c, d) = (source[i + w], source[i + w + 1]);
    let top = a + tx * (b - a);
    let bottom = c + tx * (d - c);
    let value = top + ty * (bottom - top);
    if value.is_finite() { value } else { f32::NAN }
}

/// The charts that cover every measured pixel, of steps of `step_mm`, tiles of about
/// `tile_mm` and a border of `margin_mm` around each, in reading order. `mm_per_px` is the
/// size of the atlas's pixels.
pub(crate) fn charts(
    atlas: &Atlas,
    blocks: &Arc<Blocks>,
    mm_per_px: f64,
    step_mm: f32,
    tile_mm: f32,
    margin_mm: f32,
) -> Vec<Chart> {
    let tile = ((tile_mm / mm_per_px as f32) as usize).clamp(16, 1024);
    let tiles: Vec<[usize; 4]> = (0..atlas.height)
        .step_by(tile)
        .flat_map(|top| (0..atlas.width).step_by(tile).map(move |left| [left, top]))
        .map(|[left, top]| {
            let right = (left + tile).min(atlas.width);
            [left, top, right, (top + tile).min(atlas.height)]
        })
        .collect();
    tiles
        .into_par_iter()
        .filter_map(|tile| chart_of(atlas, tile, step_mm, margin_mm, blocks))
        .collect()
}

/// Of the rows of a tile one in so many tells its metric.
const METRIC_ROWS: usize = 4;

fn chart_of(
    atlas: &Atlas,
    tile: [usize; 4],
    step_mm: f32,
    margin_mm: f32,
    blocks: &Arc<Blocks>,
) -> Option<Chart> {
    let [left, top, right, bottom] = tile;
    if !blocks.any([left, top], [right - 1, bottom - 1], |b| b.measured) {
        return None;
    }
    let (mut n, mut e, mut f, mut g) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
    let (mut lo, mut hi) = ([usize::MAX; 2], [0_usize; 2]);
    for y in top..bottom {
        let row = y * atlas.width + left..y * atlas.width + right;
        let labels = &atlas.labels[row.clone()];
        let Some((first, last, whole)) = blocks.measured(labels, y, left) else {
            continue;
        };
        lo = [lo[0].min(left + first), lo[1].min(y)];
        hi = [hi[0].max(left + last + 1), hi[1].max(y + 1)];
        // From its first measured row on.
        if (y - lo[1]) % METRIC_ROWS != 0 {
            continue;
        }
        // Neighbours of one triangle count together.
        let triangles = &atlas.triangle[row];
        let mut from = first;
        while from <= last {
            let t = triangles[from];
            let end = triangles[from..=last]
                .iter()
                .position(|other| *other != t)
                .map_or(last + 1, |run| from + run);
            let count = if whole {
                (end - from) as f64
            } else {
                labels[from..end]
                    .iter()
                    .filter(|l| is_measured(**l))
                    .count() as f64
            };
            from = end;
            if let Some(m) = atlas.metrics.get(t as usize) {
                n += count;
                e += count * f64::from(m.e);
                f += count * f64::from(m.f);
                g += count * f64::from(m.g);
            }
        }
    }
    if n == 0.0 {
        return None;
    }
    let (e, f, g) = (e / n, f / n, g / n);
    // The symmetric root of the metric maps pixels to millimetres without turning them.
    let det = (e * g - f * f).max(0.0).sqrt();
    let t = (e + g + 2.0 * det).sqrt();
    if !(det > 0.0 && t > 0.0 && t.is_finite()) {
        return None;
    }
    let root = [[(e + det) / t, f / t], [f / t, (g + det) / t]];
    let d = root[0][0] * root[1][1] - root[0][1] * root[1][0];
    let h = f64::from(step_mm);
    let inverse = [
        [root[1][1] / d * h, -root[0][1] / d * h],
        [-root[1][0] / d * h, root[0][0] / d * h],
    ];
    let centre = [(lo[0] + hi[0]) as f64 / 2.0, (lo[1] + hi[1]) as f64 / 2.0];
    let half = [(hi[0] - lo[0]) as f64 / 2.0, (hi[1] - lo[1]) as f64 / 2.0];
    let margin = f64::from(margin_mm) / h;
    let extent = [0, 1]
        .map(|k| ((root[k][0].abs() * half[0] + root[k][1].abs() * half[1]) / h + margin).ceil());
    if extent[0] * extent[1] > 4e6 {
        return None;
    }
    let (width, height) = (2 * extent[0] as usize, 2 * extent[1] as usize);
    let steps = [
        [inverse[0][0] as f32, inverse[1][0] as f32],
        [inverse[0][1] as f32, inverse[1][1] as f32],
    ];
    let origin =
        [0, 1].map(|k| (centre[k] - inverse[k][0] * extent[0] - inverse[k][1] * extent[1]) as f32);
    Some(Chart {
        width,
        height,
        step_mm,
        origin,
        steps,
        tile,
        blocks: Arc::clone(blocks),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scale;
    use crate::atlas::label;
    use dermalia_surface::{Mesh, rasterize_uv};

    /// The median size of its pixels.
    const SIZE_MM: f64 = 0.141;

    /// A sheet of 40 x 20 mm in a square atlas: pixels twice as wide as high.
    fn stretched() -> Atlas {
        let mesh = Mesh::sheet(40.0, 20.0);
        let raster = rasterize_uv(&mesh, 200, 200);
        let bits = crate::labels::whole_surface(&raster.triangle);
        crate::preparation::crop(&mesh, raster, bits, Scale::Stated).unwrap()
    }

    #[test]
    fn steps_are_square_on_the_skin_and_go_both_ways() {
        let atlas = stretched();
        let charts = charts(&atlas, &Blocks::of(&atlas), SIZE_MM, 0.1, 10.0, 1.0);
        assert!(charts.len() > 4);
        for chart in &charts {
            let a = chart.to_atlas(30.0, 40.0);
            let b = chart.to_atlas(40.0, 40.0);
            let c = chart.to_atlas(30.0, 50.0);
            assert!(((b[0] - a[0]) * 0.2 - 1.0).abs() < 1e-4 && (b[1] - a[1]).abs() < 1e-4);
            assert!(((c[1] - a[1]) * 0.1 - 1.0).abs() < 1e-4 && (c[0] - a[0]).abs() < 1e-4);
            let back = chart.chart_point(a);
            assert!((back[0] - 30.0).abs() < 1e-3 && (back[1] - 40.0).abs() < 1e-3);
        }
    }

    #[test]
    fn every_pixel_has_one_chart() {
        let atlas = stretched();
        let mut owners = vec![0; atlas.len()];
        for chart in charts(&atlas, &Blocks::of(&atlas), SIZE_MM, 0.1, 10.0, 1.0) {
            for (i, _) in chart.pixels(&atlas) {
                owners[i] += 1;
            }
        }
        assert!(owners.iter().all(|n| *n == 1));
    }

    /// The pixels that a chart answers for lie in its spans, thinned ones too.
    #[test]
    fn spans_hold_what_a_chart_answers_for() {
        let mut atlas = stretched();
        for i in 0..200 * 200 {
            if (i % 200) + (i / 200) < 130 || i % 200 > 170 {
                atlas.labels[i] |= label::LANDMARK_MASK;
            }
        }
        let (mut held, mut all) = (0, 0);
        for chart in charts(&atlas, &Blocks::of(&atlas), SIZE_MM, 0.1, 10.0, 1.0) {
            let spans = chart.spans();
            let whole = spans.grown([0, 0]);
            let (w, h) = (chart.width.div_ceil(4), chart.height.div_ceil(4));
            let thin = spans.thinned(4, w, h).grown([0, 0]);
            for y in 0..chart.height {
                held += whole[y].len();
                all += chart.width;
                for x in 0..chart.width {
                    if chart.is_inside(&atlas, x, y) {
                        assert!(whole[y].contains(&x) && thin[y / 4].contains(&(x / 4)));
                    }
                }
            }
        }
        assert!(held > 0 && 4 * held < 3 * all, "{held} of {all}");
    }

    /// Whole parts of rows and single pixels are sampled to the same bits.
    #[test]
    fn parts_of_rows_are_sampled_like_single_pixels() {
        let atlas = stretched();
        let source: Vec<f32> = (0..atlas.len())
            .map(|i| ((i % 200) as f32 * 0.31).sin() + ((i / 200) as f32 * 0.17).cos())
            .collect();
        for chart in charts(&atlas, &Blocks::of(&atlas), SIZE_MM, 0.1, 10.0, 1.0) {
            let mut each = chart.blocks.each.clone();
            assert!(!each[0].gap);
            each.iter_mut().for_each(|b| b.gap = true);
            let columns = chart.blocks.columns;
            let pixelwise = Chart {
                blocks: Arc::new(Blocks { columns, each }),
                ..chart.clone()
            };
            let [a, b] =
                [chart, pixelwise].map(|c| c.sample(&atlas, &source, &mut Pool::default()));
            assert!(a == b && a.data.iter().all(|v| v.is_finite()));
        }
    }

    #[test]
    fn masked_places_are_filled_from_around_them() {
        let mut atlas = stretched();
        let source: Vec<f32> = (0..atlas.len())
            .map(|i| {
                let (x, y) = ((i % 200) as f32, (i / 200) as f32);
                let hole = (80.0..120.0).contains(&x) && (80.0..120.0).contains(&y);
                if hole { 9.0 } else { 1.0 }
            })
            .collect();
        for y in 79..121 {
            for x in 79..121 {
                atlas.labels[y * 200 + x] |= label::COLOUR_MASK;
            }
        }
        for chart in charts(&atlas, &Blocks::of(&atlas), SIZE_MM, 0.1, 10.0, 1.0) {
            let plane = chart.sample(&atlas, &source, &mut Pool::default());
            assert!(plane.data.iter().all(|v| (v - 1.0).abs() < 1e-3));
        }
    }
}
