//! Locally isometric charts of the atlas.
//!
//! An atlas stretches the skin differently from place to place and from direction to
//! direction. Filters therefore run in charts: small rasters of square millimetre
//! steps, each the linear image of one tile of the atlas under its mean metric.

use rayon::prelude::*;

use crate::Atlas;
use crate::atlas::{is_measured, label};
use crate::planes::{Plane, Pool};

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
}

impl Chart {
    /// The atlas point of a chart point.
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
        let [l, t, r, b] = self.tile.map(|v| v as f32);
        p[0] >= l && p[0] < r && p[1] >= t && p[1] < b
    }

    /// Rasters `source` (in step with the atlas) into the chart. Places that are masked
    /// or without surface, and values that are not finite, are filled smoothly from
    /// their surroundings, so that they raise no response at their border.
    pub(crate) fn sample(&self, atlas: &Atlas, source: &[f32], pool: &mut Pool) -> Sampled {
        let mut plane = pool.take(self.width, self.height);
        let mut known = vec![true; plane.data.len()];
        let mut inside = vec![false; plane.data.len()];
        let mut any_missing = false;
        let w = atlas.width;
        let most = [(w - 1) as f32, (atlas.height - 1) as f32];
        let tile = self.tile.map(|v| v as f32);
        for cy in 0..self.height {
            let middle = cy as f32 + 0.5;
            for cx in 0..self.width {
                let [x, y] = self.to_atlas(cx as u32 as f32 + 0.5, middle);
                let out = cy * self.width + cx;
                let (fx, fy) = (x - 0.5, y - 0.5);
                if !(fx >= 0.0 && fy >= 0.0 && fx < most[0] && fy < most[1]) {
                    known[out] = false;
                    any_missing = true;
                    continue;
                }
                let (x0, y0) = (fx as u32, fy as u32);
                let i = y0 as usize * w + x0 as usize;
                let l = [
                    atlas.labels[i],
                    atlas.labels[i + 1],
                    atlas.labels[i + w],
                    atlas.labels[i + w + 1],
                ];
                let (tx, ty) = (fx - x0 as f32, fy - y0 as f32);
                let nearest = l[2 * usize::from(ty >= 0.5) + usize::from(tx >= 0.5)];
                let own = x >= tile[0] && x < tile[2] && y >= tile[1] && y < tile[3];
                inside[out] = own && is_measured(nearest);
                let (a, b) = (source[i], source[i + 1]);
                let (c, d) = (source[i + w], source[i + w + 1]);
                let top = a + tx * (b - a);
                let bottom = c + tx * (d - c);
                let value = top + ty * (bottom - top);
                let unusable = (l[0] | l[1] | l[2] | l[3]) & (label::EXCLUDED | label::NO_SURFACE);
                if unusable == 0 && value.is_finite() {
                    plane.data[out] = value;
                } else {
                    known[out] = false;
                    any_missing = true;
                }
            }
        }
        if any_missing {
            fill(&mut plane, &known, pool);
        }
        Sampled { plane, inside }
    }
}

/// A chart's raster of a signal.
pub(crate) struct Sampled {
    pub(crate) plane: Plane,
    /// Whether a pixel is measured and lies in the tile that the chart answers for.
    pub(crate) inside: Vec<bool>,
}

/// Fills unknown pixels from means of known ones over ever coarser cells (push-pull).
fn fill(plane: &mut Plane, known: &[bool], pool: &mut Pool) {
    let mut sum = pool.take(plane.width, plane.height);
    let mut weight = pool.take(plane.width, plane.height);
    for (i, &k) in known.iter().enumerate() {
        (sum.data[i], weight.data[i]) = if k { (plane.data[i], 1.0) } else { (0.0, 0.0) };
    }
    let mut levels = vec![(sum, weight)];
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
                // A cell counts at most as much as one full pixel of its level.
                let share = if count > 1.0 { 1.0 / count } else { 1.0 };
                s.data[y * s.width + x] = value * share;
                q.data[y * s.width + x] = f32::min(count, 1.0);
            }
        }
        levels.push((s, q));
    }
    let mut coarse: Option<Plane> = None;
    while let Some((mut sum, weight)) = levels.pop() {
        for y in 0..sum.height {
            for x in 0..sum.width {
                let i = y * sum.width + x;
                if weight.data[i] < 1.0 {
                    // What is known of the cell, and the rest from the level above.
                    let above = coarse.as_ref().map_or(0.0, |c| {
                        c.sample((x as f32 + 0.5) / 2.0, (y as f32 + 0.5) / 2.0)
                    });
                    sum.data[i] += (1.0 - weight.data[i]) * above;
                }
            }
        }
        pool.give(weight);
        if let Some(c) = coarse.replace(sum) {
            pool.give(c);
        }
    }
    if let Some(filled) = coarse {
        for ((v, f), known) in plane.data.iter_mut().zip(&filled.data).zip(known) {
            if !known {
                *v = *f;
            }
        }
        pool.give(filled);
    }
}

/// The charts that cover every measured pixel, of steps of `step_mm`, tiles of about
/// `tile_mm` and a border of `margin_mm` around each, in reading order.
pub(crate) fn charts(atlas: &Atlas, step_mm: f32, tile_mm: f32, margin_mm: f32) -> Vec<Chart> {
    let Some(size) = atlas.median_mm_per_px() else {
        return vec![];
    };
    let tile = ((tile_mm / size as f32) as usize).clamp(16, 1024);
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
        .filter_map(|tile| chart_of(atlas, tile, step_mm, margin_mm))
        .collect()
}

fn chart_of(atlas: &Atlas, tile: [usize; 4], step_mm: f32, margin_mm: f32) -> Option<Chart> {
    let [left, top, right, bottom] = tile;
    let (mut n, mut e, mut f, mut g) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
    let (mut lo, mut hi) = ([usize::MAX; 2], [0_usize; 2]);
    for y in top..bottom {
        let row = y * atlas.width + left..y * atlas.width + right;
        let labels = &atlas.labels[row.clone()];
        let measured = |l: &u8| is_measured(*l);
        let (Some(first), Some(last)) = (
            labels.iter().position(measured),
            labels.iter().rposition(measured),
        ) else {
            continue;
        };
        lo = [lo[0].min(left + first), lo[1].min(y)];
        hi = [hi[0].max(left + last + 1), hi[1].max(y + 1)];
        // Neighbours of one triangle count together.
        let triangles = &atlas.triangle[row];
        let mut from = first;
        while from <= last {
            let t = triangles[from];
            let mut count = 0.0;
            while from <= last && triangles[from] == t {
                count += f64::from(u8::from(is_measured(labels[from])));
                from += 1;
            }
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
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scale;
    use dermalia_surface::{Mesh, rasterize_uv};

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
        let charts = charts(&atlas, 0.1, 10.0, 1.0);
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
        for chart in charts(&atlas, 0.1, 10.0, 1.0) {
            for (i, _) in chart.pixels(&atlas) {
                owners[i] += 1;
            }
        }
        assert!(owners.iter().all(|n| *n == 1));
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
        for chart in charts(&atlas, 0.1, 10.0, 1.0) {
            let plane = chart.sample(&atlas, &source, &mut Pool::default()).plane;
            assert!(plane.data.iter().all(|v| (v - 1.0).abs() < 1e-3));
        }
    }
}
