//! Round dark spots in scale space, and their profiles.

use crate::Atlas;
use crate::chart::{Chart, Sampled};
use crate::planes::{DIFFERENCE_VARIANCE, Plane, Pool, derivatives, median, smooth_into};

/// A maximum of the scale-normalised Laplacian.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// In pixels of the working raster.
    pub(crate) px: [f32; 2],
    /// Scale of the filter.
    pub(crate) sigma_mm: f32,
    /// Response of the filter.
    pub(crate) response: f32,
    /// Response over the noise of its scale, in its chart.
    pub(crate) score: f32,
    /// Which scale.
    pub(crate) scale: usize,
    /// Small over large curvature: 1 is round, 0 a line.
    pub(crate) roundness: f32,
}

/// The response at one scale, on every `stride`th pixel of the chart.
struct Level {
    response: Plane,
    smooth: Plane,
    stride: usize,
    noise: f32,
}

/// Scales of at least this many pixels need no finer ones.
const COARSE_PX: f32 = 2.6;

/// Maxima over space and scale of the scale-normalised Laplacian of Gaussian
/// (Lindeberg 1998, doi 10.1023/A:1008045108935) of a plane where positive is deep.
/// `least` bounds the response over the noise of its scale, which is returned, too.
pub(crate) fn candidates(
    chart: &Chart,
    sampled: &Sampled,
    atlas: &Atlas,
    sigmas_mm: &[f32],
    least: f32,
    pool: &mut Pool,
) -> (Vec<Candidate>, Vec<f32>) {
    let levels = levels(chart, sampled, sigmas_mm, pool);
    let mut found = vec![];
    for (k, level) in levels.iter().enumerate() {
        let (w, h, stride) = (level.response.width, level.response.height, level.stride);
        let floor = least * level.noise;
        for y in 1..h.saturating_sub(1) {
            let row = &level.response.data[y * w..(y + 1) * w];
            for x in 1..w - 1 {
                let v = row[x];
                if v < floor || v <= row[x - 1] || v < row[x + 1] {
                    continue;
                }
                if !sampled.inside[(y * stride) * chart.width + x * stride]
                    || !is_maximum(&levels, k, x, y)
                {
                    continue;
                }
                let i = y * w + x;
                let [dx, dy] = vertex(&level.response.data, i, w);
                let on_chart = |n: usize, d: f32| (n as f32 + d) * stride as f32 + 0.5;
                let px = chart.to_atlas(on_chart(x, dx), on_chart(y, dy));
                if !chart.owns(px) {
                    continue;
                }
                let Some(p) = atlas.pixel(f64::from(px[0]), f64::from(px[1])) else {
                    continue;
                };
                if !atlas.is_measured(p) {
                    continue;
                }
                found.push(Candidate {
                    px,
                    sigma_mm: sigmas_mm[k],
                    response: v,
                    score: v / level.noise,
                    scale: k,
                    roundness: roundness(&level.smooth, i),
                });
            }
        }
    }
    let noise = levels.iter().map(|l| l.noise).collect();
    for level in levels {
        pool.give(level.response);
        pool.give(level.smooth);
    }
    (found, noise)
}

/// Minus the scale-normalised Laplacian at each scale, the smallest first; each smoothing
/// goes on from the one before, on every second pixel once that is enough.
fn levels(chart: &Chart, sampled: &Sampled, sigmas_mm: &[f32], pool: &mut Pool) -> Vec<Level> {
    let mut levels: Vec<Level> = vec![];
    let mut stride = 1_usize;
    // What is smoothed already, in pixels of the level.
    let mut variance = 0.0_f32;
    for s in sigmas_mm {
        let mut from = levels.last().map_or(&sampled.plane, |l| &l.smooth);
        let mut thinned = None;
        if stride as f32 * COARSE_PX * chart.step_mm < *s && variance > COARSE_PX {
            from = thinned.insert(every_second(from, pool));
            stride *= 2;
            variance *= 0.25;
        }
        let sigma = s / (chart.step_mm * stride as f32);
        let aim = (sigma * sigma - DIFFERENCE_VARIANCE).max(variance + 0.04);
        let mut rows = pool.take(from.width, from.height);
        let mut smooth = pool.take(from.width, from.height);
        smooth_into(from, aim - variance, &mut rows, &mut smooth);
        variance = aim;
        if let Some(plane) = thinned {
            pool.give(plane);
        }
        let mut response = rows;
        laplacian(&smooth, sigma * sigma, &mut response);
        let noise = spread(chart, sampled, &response, stride).max(1e-7);
        levels.push(Level {
            response,
            smooth,
            stride,
            noise,
        });
    }
    levels
}

fn every_second(plane: &Plane, pool: &mut Pool) -> Plane {
    let (w, h) = (plane.width.div_ceil(2), plane.height.div_ceil(2));
    let mut out = pool.take(w, h);
    for (y, row) in out.data.chunks_exact_mut(w).enumerate() {
        let from = &plane.data[2 * y * plane.width..(2 * y + 1) * plane.width];
        for (o, v) in row.iter_mut().zip(from.iter().step_by(2)) {
            *o = *v;
        }
    }
    out
}

/// Minus the Laplacian times `scale`, by the nine-point formula whose error has no
/// direction; 0 on the border.
pub(crate) fn laplacian(smooth: &Plane, scale: f32, out: &mut Plane) {
    let (w, h) = (smooth.width, smooth.height);
    out.data.fill(0.0);
    let (near, far, own) = (-4.0 * scale / 6.0, -scale / 6.0, 20.0 * scale / 6.0);
    for y in 1..h.saturating_sub(1) {
        let row = |k: usize| &smooth.data[k * w..(k + 1) * w];
        let (up, here, down) = (row(y - 1), row(y), row(y + 1));
        let line = &mut out.data[y * w..(y + 1) * w];
        for x in 1..w - 1 {
            let beside = here[x - 1] + here[x + 1] + (up[x] + down[x]);
            let corners = (up[x - 1] + up[x + 1]) + (down[x - 1] + down[x + 1]);
            line[x] = own * here[x] + near * beside + far * corners;
        }
    }
}

/// Robust standard deviation of a response over the measured part of a chart.
fn spread(chart: &Chart, sampled: &Sampled, r: &Plane, stride: usize) -> f32 {
    let step = if stride == 1 { 3 } else { 2 };
    let mut values = vec![];
    for y in (0..r.height).step_by(step) {
        for x in (0..r.width).step_by(step) {
            if sampled.inside[y * stride * chart.width + x * stride] {
                values.push(r.data[y * r.width + x]);
            }
        }
    }
    let middle = median(&mut values);
    for v in &mut values {
        *v = (*v - middle).abs();
    }
    1.4826 * median(&mut values)
}

fn is_maximum(levels: &[Level], k: usize, x: usize, y: usize) -> bool {
    let Level {
        response, stride, ..
    } = &levels[k];
    let w = response.width;
    let i = y * w + x;
    let v = response.data[i];
    let around = [
        i - w - 1,
        i - w,
        i - w + 1,
        i - 1,
        i + 1,
        i + w - 1,
        i + w,
        i + w + 1,
    ];
    // Of equal neighbours the first in reading order wins.
    if around.iter().any(|&j| {
        let u = response.data[j];
        u > v || (u == v && j < i)
    }) {
        return false;
    }
    // The largest of another level's pixels that lie no farther than one pixel away.
    let most = |other: &Level| {
        let range = |n: usize, size: usize| {
            let (from, to) = ((n - 1) * stride, (n + 1) * stride);
            from.div_ceil(other.stride)..=(to / other.stride).min(size - 1)
        };
        let r = &other.response;
        let step = (stride / other.stride).max(1);
        let mut most = f32::NEG_INFINITY;
        for oy in range(y, r.height).step_by(step) {
            for ox in range(x, r.width).step_by(step) {
                most = most.max(r.data[oy * r.width + ox]);
            }
        }
        most
    };
    k.checked_sub(1).is_none_or(|j| v > most(&levels[j]))
        && levels.get(k + 1).is_none_or(|l| v >= most(l))
}

/// Offset of the top of a parabola through a maximum and its neighbours, per axis.
fn vertex(data: &[f32], i: usize, w: usize) -> [f32; 2] {
    [1, w].map(|step| {
        let (a, b, c) = (data[i - step], data[i], data[i + step]);
        let bend = a - 2.0 * b + c;
        if bend < 0.0 {
            (0.5 * (a - c) / bend).clamp(-0.5, 0.5)
        } else {
            0.0
        }
    })
}

/// Ratio of the principal curvatures of a smooth plane at a pixel.
fn roundness(smooth: &Plane, i: usize) -> f32 {
    let [_, _, xx, xy, yy] = derivatives(&smooth.data, i, smooth.width);
    let (mean, d) = (0.5 * (xx + yy), 0.5 * (xx - yy));
    let radius = (d * d + xy * xy).sqrt();
    let (a, b) = (mean - radius, mean + radius);
    if a >= 0.0 || b >= 0.0 { 0.0 } else { b / a }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Gaussian pit answers at its own scale with half its depth.
    #[test]
    fn a_pit_answers_at_its_scale() {
        let mesh = dermalia_surface::Mesh::sheet(12.0, 12.0);
        let raster = dermalia_surface::rasterize_uv(&mesh, 200, 200);
        let bits = crate::labels::whole_surface(&raster.triangle);
        let atlas = crate::preparation::crop(&mesh, raster, bits, crate::Scale::Stated).unwrap();
        let source: Vec<f32> = (0..atlas.len())
            .map(|i| {
                let (x, y) = ((i % 200) as f32 - 99.5, (i / 200) as f32 - 99.5);
                let r2 = (x * x + y * y) * 0.06 * 0.06;
                0.2 * (-r2 / (2.0 * 0.175 * 0.175)).exp()
            })
            .collect();
        let chart = &crate::chart::charts(&atlas, 0.06, 12.0, 1.0)[0];
        let (found, _) = candidates(
            chart,
            &chart.sample(&atlas, &source, &mut Pool::default()),
            &atlas,
            &[0.09, 0.125, 0.175, 0.25, 0.35],
            3.0,
            &mut Pool::default(),
        );
        let best = found
            .iter()
            .max_by(|a, b| a.response.total_cmp(&b.response))
            .unwrap();
        assert_eq!(best.scale, 2);
        assert!((best.response - 0.1).abs() < 0.005, "{best:?}");
        assert!((best.px[0] - 100.0).abs() < 0.1 && (best.px[1] - 100.0).abs() < 0.1);
        assert!(best.roundness > 0.97);
    }

    #[test]
    fn a_disc_is_round_and_an_ellipse_has_its_ratio() {
        for (a, b) in [(3.0_f32, 3.0_f32), (6.0, 3.0)] {
            let mut p = Plane::new(81, 81);
            for i in 0..81 * 81 {
                let (x, y) = ((i % 81) as f32 - 40.0, (i / 81) as f32 - 40.0);
                p.data[i] = (-0.5 * (x * x / (a * a) + y * y / (b * b))).exp();
            }
            // Widths after smoothing: a^2 + 9 and b^2 + 9.
            let expected = (b * b + 9.0) / (a * a + 9.0);
            let got = roundness(&crate::planes::gaussian(&p, 3.0), 40 * 81 + 40);
            assert!((got - expected).abs() < 0.01, "{got} {expected}");
        }
    }
}
