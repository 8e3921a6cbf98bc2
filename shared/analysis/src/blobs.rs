//! Round dark spots in scale space, and their profiles.

use crate::Atlas;
use crate::chart::Chart;
use crate::planes::{Plane, along_columns, along_rows, gaussian_kernel, median};

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

/// Maxima over space and scale of the scale-normalised Laplacian of Gaussian
/// (Lindeberg 1998, doi 10.1023/A:1008045108935) of a plane where positive is deep.
/// `least` bounds the response over the noise of its scale, which is returned, too.
pub(crate) fn candidates(
    chart: &Chart,
    plane: &Plane,
    atlas: &Atlas,
    sigmas_mm: &[f32],
    least: f32,
) -> (Vec<Candidate>, Vec<f32>) {
    let responses = laplacians(chart, plane, sigmas_mm);
    let noise: Vec<f32> = responses
        .iter()
        .map(|r| spread(chart, atlas, r).max(1e-7))
        .collect();
    let kernels: Vec<[Vec<f32>; 3]> = sigmas_mm
        .iter()
        .map(|s| [0, 1, 2].map(|o| gaussian_kernel(s / chart.step_mm, o)))
        .collect();
    let (w, h) = (plane.width, plane.height);
    let mut found = vec![];
    for (k, r) in responses.iter().enumerate() {
        for y in 1..h.saturating_sub(1) {
            for x in 1..w.saturating_sub(1) {
                let i = y * w + x;
                let v = r.data[i];
                if v < least * noise[k] || !is_maximum(&responses, k, i, w) {
                    continue;
                }
                let [dx, dy] = vertex(&r.data, i, w);
                let px = chart.to_atlas(x as f32 + 0.5 + dx, y as f32 + 0.5 + dy);
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
                    score: v / noise[k],
                    scale: k,
                    roundness: roundness(plane, x, y, &kernels[k]),
                });
            }
        }
    }
    (found, noise)
}

/// Minus the scale-normalised Laplacian at each scale, the smallest first; each smoothing
/// goes on from the one before.
fn laplacians(chart: &Chart, plane: &Plane, sigmas_mm: &[f32]) -> Vec<Plane> {
    let (w, h) = (plane.width, plane.height);
    let mut smooth = plane.clone();
    let mut rows = Plane::new(w, h);
    let mut done = 0.0_f32;
    sigmas_mm
        .iter()
        .map(|s| {
            let sigma = s / chart.step_mm;
            let more = (sigma * sigma - done * done).max(0.0).sqrt();
            done = sigma;
            let kernel = gaussian_kernel(more.max(0.3), 0);
            along_rows(&smooth, &kernel, &mut rows);
            along_columns(&rows, &kernel, &mut smooth);
            let mut out = Plane::new(w, h);
            for y in 1..h.saturating_sub(1) {
                let row = |k: usize| &smooth.data[k * w..(k + 1) * w];
                let (up, here, down) = (row(y - 1), row(y), row(y + 1));
                let line = &mut out.data[y * w..(y + 1) * w];
                for x in 1..w - 1 {
                    let around = up[x] + down[x] + here[x - 1] + here[x + 1];
                    line[x] = (4.0 * here[x] - around) * sigma * sigma;
                }
            }
            out
        })
        .collect()
}

/// Robust standard deviation of a response over the measured part of a chart.
fn spread(chart: &Chart, atlas: &Atlas, r: &Plane) -> f32 {
    let mut values = vec![];
    for y in (0..r.height).step_by(3) {
        for x in (0..r.width).step_by(3) {
            let [px, py] = chart.to_atlas(x as f32 + 0.5, y as f32 + 0.5);
            if let Some(p) = atlas.pixel(f64::from(px), f64::from(py))
                && chart.owns([px, py])
                && atlas.is_measured(p)
            {
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

fn is_maximum(responses: &[Plane], k: usize, i: usize, w: usize) -> bool {
    let v = responses[k].data[i];
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
        let u = responses[k].data[j];
        u > v || (u == v && j < i)
    }) {
        return false;
    }
    let beats = |other: &Plane, strict: bool| {
        let most = around
            .iter()
            .map(|&j| other.data[j])
            .fold(other.data[i], f32::max);
        if strict { v > most } else { v >= most }
    };
    k.checked_sub(1).is_none_or(|j| beats(&responses[j], true))
        && responses.get(k + 1).is_none_or(|r| beats(r, false))
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

/// Ratio of the principal curvatures of the smoothed plane at a pixel.
fn roundness(plane: &Plane, x: usize, y: usize, kernels: &[Vec<f32>; 3]) -> f32 {
    let r = (kernels[0].len() / 2) as i32;
    let (mut xx, mut xy, mut yy) = (0.0_f32, 0.0_f32, 0.0_f32);
    for (j, dy) in (-r..=r).enumerate() {
        let row = (y as i32 + dy).clamp(0, plane.height as i32 - 1) as usize * plane.width;
        let (mut k0, mut k1, mut k2) = (0.0_f32, 0.0_f32, 0.0_f32);
        for (i, dx) in (-r..=r).enumerate() {
            let z = plane.data[row + (x as i32 + dx).clamp(0, plane.width as i32 - 1) as usize];
            k0 += kernels[0][i] * z;
            k1 += kernels[1][i] * z;
            k2 += kernels[2][i] * z;
        }
        xx += kernels[0][j] * k2;
        xy += kernels[1][j] * k1;
        yy += kernels[2][j] * k0;
    }
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
        let plane = chart.sample(&atlas, &source);
        let (found, _) = candidates(
            chart,
            &plane,
            &atlas,
            &[0.09, 0.125, 0.175, 0.25, 0.35],
            3.0,
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
        let kernels = [0, 1, 2].map(|o| gaussian_kernel(3.0, o));
        for (a, b) in [(3.0_f32, 3.0_f32), (6.0, 3.0)] {
            let mut p = Plane::new(81, 81);
            for i in 0..81 * 81 {
                let (x, y) = ((i % 81) as f32 - 40.0, (i / 81) as f32 - 40.0);
                p.data[i] = (-0.5 * (x * x / (a * a) + y * y / (b * b))).exp();
            }
            // Widths after smoothing: a^2 + 9 and b^2 + 9.
            let expected = (b * b + 9.0) / (a * a + 9.0);
            let got = roundness(&p, 40, 40, &kernels);
            assert!((got - expected).abs() < 0.01, "{got} {expected}");
        }
    }
}
