//! Locally isometric charts of the atlas.
//!
//! An atlas stretches the skin differently from place to place and from direction to
//! direction. Filters therefore run in charts: small rasters of square millimetre
//! steps, each the linear image of one tile of the atlas under its mean metric.

use crate::Atlas;
use crate::atlas::label;
use crate::planes::Plane;

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
    pub(crate) fn sample(&self, atlas: &Atlas, source: &[f32]) -> Plane {
        let mut plane = Plane::new(self.width, self.height);
        let mut known = vec![true; plane.data.len()];
        let mut any_missing = false;
        let usable = |i: usize| {
            atlas.triangle[i] != dermalia_surface::NO_TRIANGLE
                && atlas.labels[i] & label::EXCLUDED == 0
                && source[i].is_finite()
        };
        for cy in 0..self.height {
            for cx in 0..self.width {
                let [x, y] = self.to_atlas(cx as f32 + 0.5, cy as f32 + 0.5);
                let out = cy * self.width + cx;
                let (fx, fy) = (x - 0.5, y - 0.5);
                if fx < 0.0
                    || fy < 0.0
                    || fx >= (atlas.width - 1) as f32
                    || fy >= (atlas.height - 1) as f32
                {
                    known[out] = false;
                    any_missing = true;
                    continue;
                }
                let (x0, y0) = (fx as usize, fy as usize);
                let i = y0 * atlas.width + x0;
                let corners = [i, i + 1, i + atlas.width, i + atlas.width + 1];
                if !corners.iter().all(|&c| usable(c)) {
                    known[out] = false;
                    any_missing = true;
                    continue;
                }
                let (tx, ty) = (fx - x0 as f32, fy - y0 as f32);
                let [a, b, c, d] = corners.map(|c| source[c]);
                let top = a + tx * (b - a);
                let bottom = c + tx * (d - c);
                plane.data[out] = top + ty * (bottom - top);
            }
        }
        if any_missing {
            fill(&mut plane, &known);
        }
        plane
    }
}

/// Fills unknown pixels from means of known ones over ever coarser cells (push-pull).
fn fill(plane: &mut Plane, known: &[bool]) {
    let mut levels: Vec<(usize, usize, Vec<f32>, Vec<f32>)> = vec![];
    let (mut w, mut h) = (plane.width, plane.height);
    let mut sum: Vec<f32> = plane
        .data
        .iter()
        .zip(known)
        .map(|(v, k)| if *k { *v } else { 0.0 })
        .collect();
    let mut weight: Vec<f32> = known.iter().map(|k| f32::from(u8::from(*k))).collect();
    while w > 1 || h > 1 {
        let (nw, nh) = (w.div_ceil(2), h.div_ceil(2));
        let (mut s, mut q) = (vec![0.0; nw * nh], vec![0.0; nw * nh]);
        for y in 0..h {
            for x in 0..w {
                let o = y / 2 * nw + x / 2;
                s[o] += sum[y * w + x];
                q[o] += weight[y * w + x];
            }
        }
        // A cell counts at most as much as one full pixel of its level.
        for (s, q) in s.iter_mut().zip(&mut q) {
            if *q > 1.0 {
                *s /= *q;
                *q = 1.0;
            }
        }
        levels.push((w, h, sum, weight));
        (w, h, sum, weight) = (nw, nh, s, q);
    }
    let mut coarse: Vec<f32> = sum
        .iter()
        .zip(&weight)
        .map(|(s, q)| if *q > 0.0 { s / q } else { 0.0 })
        .collect();
    let mut coarse_size = (w, h);
    for (w, h, sum, weight) in levels.into_iter().rev() {
        let mut fine = vec![0.0; w * h];
        for y in 0..h {
            for x in 0..w {
                let i = y * w + x;
                let k = weight[i].min(1.0);
                let smooth = crate::planes::bilinear(
                    &coarse,
                    coarse_size.0,
                    coarse_size.1,
                    (x as f32 + 0.5) / 2.0,
                    (y as f32 + 0.5) / 2.0,
                );
                fine[i] = sum[i] * (k / weight[i].max(1e-6)).min(1.0) + (1.0 - k) * smooth;
            }
        }
        coarse = fine;
        coarse_size = (w, h);
    }
    for (i, v) in plane.data.iter_mut().enumerate() {
        if !known[i] {
            *v = coarse[i];
        }
    }
}

/// The charts that cover every measured pixel, of steps of `step_mm`, tiles of about
/// `tile_mm` and a border of `margin_mm` around each, in reading order.
pub(crate) fn charts(atlas: &Atlas, step_mm: f32, tile_mm: f32, margin_mm: f32) -> Vec<Chart> {
    let Some(size) = atlas.median_mm_per_px() else {
        return vec![];
    };
    let tile = ((tile_mm / size as f32) as usize).clamp(16, 1024);
    let mut charts = vec![];
    for top in (0..atlas.height).step_by(tile) {
        for left in (0..atlas.width).step_by(tile) {
            let (right, bottom) = (
                (left + tile).min(atlas.width),
                (top + tile).min(atlas.height),
            );
            if let Some(chart) = chart_of(atlas, [left, top, right, bottom], step_mm, margin_mm) {
                charts.push(chart);
            }
        }
    }
    charts
}

fn chart_of(atlas: &Atlas, tile: [usize; 4], step_mm: f32, margin_mm: f32) -> Option<Chart> {
    let [left, top, right, bottom] = tile;
    let (mut n, mut e, mut f, mut g) = (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
    let (mut lo, mut hi) = ([usize::MAX; 2], [0_usize; 2]);
    for y in top..bottom {
        for x in left..right {
            let i = y * atlas.width + x;
            if !atlas.is_measured(i) {
                continue;
            }
            let Some(m) = atlas.metric(i) else { continue };
            n += 1.0;
            e += f64::from(m.e);
            f += f64::from(m.f);
            g += f64::from(m.g);
            lo = [lo[0].min(x), lo[1].min(y)];
            hi = [hi[0].max(x + 1), hi[1].max(y + 1)];
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
            let plane = chart.sample(&atlas, &source);
            assert!(plane.data.iter().all(|v| (v - 1.0).abs() < 1e-3));
        }
    }
}
