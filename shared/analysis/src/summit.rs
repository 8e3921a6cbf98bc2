//! The height of an increment: the peak of a pointed profile, the plateau of a flat one.

use crate::field::quantile;
use crate::linear::solve;

/// One point of an increment: its value above the ground, its surface, its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) value: f32,
    pub(crate) area_mm2: f32,
    pub(crate) at: [f32; 2],
}

/// The height of the increment that the points are of, given a first guess.
///
/// The largest value would read the noise, so a pointed profile is fitted as a whole: the
/// logarithm of its upper half is a quadratic (exact for a Gaussian, within 1 % for a
/// raised cosine). Over a plateau the median counts. In between, the share of the half
/// area that lies near the top says which.
pub(crate) fn height(points: &[Point], guess: f32) -> Option<f32> {
    let largest = points.iter().map(|p| p.value).fold(0.0, f32::max);
    // No summit is above the largest value: a steep edge would bend the fit upwards.
    let fit = pointed(points, guess).unwrap_or(guess).min(largest);
    let above = |share: f32| -> f32 {
        points
            .iter()
            .filter(|p| p.value > share * fit)
            .map(|p| p.area_mm2)
            .sum()
    };
    let half = above(0.5);
    if half <= 0.0 {
        return None;
    }
    // 0.23 of a Gaussian, 0.26 of a raised cosine, 0.30 of a paraboloid, 1 of a disc.
    let flatness = ((above(0.85) / half - 0.32) / 0.2).clamp(0.0, 1.0);
    if flatness == 0.0 {
        return Some(fit);
    }
    let mut upper: Vec<f32> = points
        .iter()
        .map(|p| p.value)
        .filter(|v| *v > 0.8 * fit)
        .collect();
    let plateau = quantile(&mut upper, 0.5).unwrap_or(fit);
    Some(fit + flatness * (plateau - fit))
}

/// The summit of the quadratic through the logarithm of the upper half.
fn pointed(points: &[Point], guess: f32) -> Option<f32> {
    let upper: Vec<&Point> = points.iter().filter(|p| p.value > 0.45 * guess).collect();
    if upper.len() < 9 {
        return None;
    }
    let n = upper.len() as f64;
    let middle = [0, 1].map(|k| upper.iter().map(|p| f64::from(p.at[k])).sum::<f64>() / n);
    let reach = upper
        .iter()
        .flat_map(|p| [0, 1].map(|k| (f64::from(p.at[k]) - middle[k]).abs()))
        .fold(1e-6, f64::max);
    let mut normal = [[0.0_f64; 7]; 6];
    for p in &upper {
        let [x, y] = [0, 1].map(|k| (f64::from(p.at[k]) - middle[k]) / reach);
        let v = f64::from(p.value / guess);
        let terms = [1.0, x, y, x * x, x * y, y * y];
        // A logarithm's noise falls with the value.
        let w = v * v;
        let log = libm::log(v);
        for i in 0..6 {
            for j in 0..6 {
                normal[i][j] += w * terms[i] * terms[j];
            }
            normal[i][6] += w * terms[i] * log;
        }
    }
    let [c, bx, by, xx, xy, yy] = solve(normal)?;
    // The summit must be one, and lie within the points.
    let det = 4.0 * xx * yy - xy * xy;
    if xx >= 0.0 || det <= 0.0 {
        return None;
    }
    let x = (-2.0 * yy * bx + xy * by) / det;
    let y = (-2.0 * xx * by + xy * bx) / det;
    if x.abs() > 0.7 || y.abs() > 0.7 {
        return None;
    }
    let top = libm::exp(c + 0.5 * (bx * x + by * y));
    (0.6..1.4).contains(&top).then(|| guess * top as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(profile: impl Fn(f64) -> f64, noise: f64) -> Vec<Point> {
        let mut points = vec![];
        for y in -12..=12 {
            for x in -12..=12 {
                let (dx, dy) = (f64::from(x) + 0.3, f64::from(y) - 0.2);
                // A fixed pattern without structure stands for noise.
                let n = f64::from((x * 131 + y * 71 + 9000) % 29) / 14.0 - 1.0;
                let value = profile((dx * dx + dy * dy).sqrt() / 5.0) + noise * n;
                if value > 0.3 {
                    points.push(Point {
                        value: value as f32,
                        area_mm2: 1.0,
                        at: [x as f32, y as f32],
                    });
                }
            }
        }
        points
    }

    #[test]
    fn every_profile_has_its_own_top() {
        let gauss = |r: f64| (-std::f64::consts::LN_2 * r * r).exp();
        let cosine = |r: f64| 0.5 * (1.0 + (0.5 * std::f64::consts::PI * r.min(2.0)).cos());
        let disc = |r: f64| 1.0 / (1.0 + ((r - 1.0) / 0.07).exp());
        for noise in [0.0, 0.06] {
            for (name, top) in [
                ("gauss", height(&points(gauss, noise), 1.05)),
                ("cosine", height(&points(cosine, noise), 1.05)),
                ("disc", height(&points(disc, noise), 1.05)),
            ] {
                let top = top.unwrap();
                assert!((top - 1.0).abs() < 0.025, "{name} {noise}: {top}");
            }
        }
    }
}
