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
/// raised cosine). Over a plateau the median counts. In between, the mean over the half
/// area says which.
pub(crate) fn height(points: &[Point], guess: f32, noisy: bool) -> Option<f32> {
    let mut largest = points.iter().map(|p| p.value).fold(0.0, f32::max);
    // The largest of noisy values is noise.
    if noisy && let Some(inner) = inner_mean(points, 0.5 * guess.min(largest)) {
        largest = largest.min(1.04 * inner);
    }
    // No summit is above the largest value: a steep edge would bend the fit upwards.
    let fit = pointed(points, guess).unwrap_or(guess).min(largest);
    let upper: Vec<&Point> = points.iter().filter(|p| p.value > 0.5 * fit).collect();
    let mass: f64 = upper.iter().map(|p| f64::from(p.area_mm2)).sum();
    if mass <= 0.0 {
        return None;
    }
    // Means over the half area hardly read the noise. 0.72 of the height for a Gaussian,
    // 0.73 for a raised cosine, 0.75 for a paraboloid, 0.85 and more for a soft disc.
    let mean: f64 = upper
        .iter()
        .map(|p| f64::from(p.value * p.area_mm2))
        .sum::<f64>()
        / mass;
    let flatness = ((mean / f64::from(fit) - 0.76) / 0.08).clamp(0.0, 1.0) as f32;
    if flatness == 0.0 {
        return Some(fit);
    }
    let plateau = middle_of(&upper, mass).unwrap_or(fit);
    Some(fit + flatness * (plateau - fit))
}

/// The mean over the innermost tenth of what lies above a level: 0.966 of a Gaussian's
/// height, 0.97 of a raised cosine's, all of a plateau's.
fn inner_mean(points: &[Point], level: f32) -> Option<f32> {
    let upper: Vec<&Point> = points.iter().filter(|p| p.value > level).collect();
    let mass: f64 = upper.iter().map(|p| f64::from(p.area_mm2)).sum();
    if mass <= 0.0 {
        return None;
    }
    let distance = distances(&upper, mass);
    let (mut sum, mut area) = (0.0, 0.0);
    for (p, _) in upper.iter().zip(&distance).filter(|(_, d)| **d < 0.4) {
        sum += f64::from(p.value * p.area_mm2);
        area += f64::from(p.area_mm2);
    }
    (area > 0.0).then(|| (sum / area) as f32)
}

/// The median of the values in the inner part of the half area, told by place and not by
/// value, so that noise does not choose.
fn middle_of(upper: &[&Point], mass: f64) -> Option<f32> {
    let mut values: Vec<f32> = upper
        .iter()
        .zip(distances(upper, mass))
        .filter(|(_, d)| *d < 1.4)
        .map(|(p, _)| p.value)
        .collect();
    quantile(&mut values, 0.5)
}

/// Squared distances from the middle of some points that weigh `mass` in all, in standard
/// deviations: the outline of an ellipse lies at 4.
fn distances(points: &[&Point], mass: f64) -> Vec<f64> {
    let weighted = |of: &dyn Fn(&Point) -> f64| -> f64 {
        points
            .iter()
            .map(|p| f64::from(p.area_mm2) * of(p))
            .sum::<f64>()
            / mass
    };
    let centre = [0, 1].map(|k| weighted(&|p| f64::from(p.at[k])));
    let off = |p: &Point| [0, 1].map(|k| f64::from(p.at[k]) - centre[k]);
    let xx = weighted(&|p| off(p)[0] * off(p)[0]);
    let xy = weighted(&|p| off(p)[0] * off(p)[1]);
    let yy = weighted(&|p| off(p)[1] * off(p)[1]);
    let det = (xx * yy - xy * xy).max(1e-9);
    points
        .iter()
        .map(|p| {
            let [x, y] = off(p);
            (yy * x * x - 2.0 * xy * x * y + xx * y * y) / det
        })
        .collect()
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
    (0.6..1.4).contains(&top).then_some(guess * top as f32)
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
                ("gauss", height(&points(gauss, noise), 1.05, noise > 0.0)),
                ("cosine", height(&points(cosine, noise), 1.05, noise > 0.0)),
                ("disc", height(&points(disc, noise), 1.05, noise > 0.0)),
            ] {
                let top = top.unwrap();
                assert!((top - 1.0).abs() < 0.025, "{name} {noise}: {top}");
            }
        }
    }
}
