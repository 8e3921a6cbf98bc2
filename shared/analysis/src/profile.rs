//! Profiles of pits and grooves: widths at half depth that do not depend on the pixel.
//!
//! A profile is `depth * exp(-ln 2 (r / R)^n)` (n = 2 is a Gaussian, larger is flatter with
//! steeper walls) or a raised cosine: at `R` each is half as deep. It is fitted to the
//! unfiltered samples, so that neither a filter nor the raster widens it.

use crate::iso25178::solve;

/// Half-width, shape and depth of a fitted profile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PitFit {
    /// Offset of the centre, in millimetres along the steps of the samples.
    pub(crate) centre: [f32; 2],
    /// Radius at half depth.
    pub(crate) radius: f32,
    /// Depth above the local plane.
    pub(crate) depth: f32,
    /// Standard error of the depth.
    pub(crate) depth_error: f32,
    /// Which of [`Shapes`] fits best.
    pub(crate) shape: usize,
}

/// A sample: position in a local isometric frame in millimetres, and value.
pub(crate) type Sample = [f32; 3];

/// The shapes that are tried, the Gaussian first.
const SHAPES: [Shape; 5] = [
    Shape::Power(2.0),
    Shape::Cosine,
    Shape::Power(1.5),
    Shape::Power(3.0),
    Shape::Power(5.0),
];
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// `exp(-ln 2 r^n)`
    Power(f64),
    /// `(1 + cos(pi r / 2)) / 2` out to 2
    Cosine,
}

impl Shape {
    /// The profile at a squared relative radius.
    fn at(self, q: f64) -> f64 {
        match self {
            Self::Power(n) => libm::exp(-core::f64::consts::LN_2 * libm::pow(q, n / 2.0)),
            Self::Cosine if q >= 4.0 => 0.0,
            Self::Cosine => 0.5 + 0.5 * libm::cos(core::f64::consts::FRAC_PI_2 * q.sqrt()),
        }
    }
}

const LAST: f32 = 12.0;
const PER_UNIT: f32 = 128.0;

/// Tables of the profiles over the squared relative radius.
pub(crate) struct Shapes {
    tables: [Vec<f32>; SHAPES.len()],
}

impl Shapes {
    pub(crate) fn new() -> Self {
        let entries = (LAST * PER_UNIT) as usize + 2;
        Self {
            tables: SHAPES.map(|shape| {
                (0..entries)
                    .map(|i| shape.at(i as f64 / f64::from(PER_UNIT)) as f32)
                    .collect()
            }),
        }
    }

    /// Value and slope of a profile at a squared relative radius.
    pub(crate) fn at(&self, shape: usize, q: f32) -> (f32, f32) {
        let t = q * PER_UNIT;
        if t >= LAST * PER_UNIT {
            return (0.0, 0.0);
        }
        let i = t as usize;
        let (a, b) = (self.tables[shape][i], self.tables[shape][i + 1]);
        (a + (t - i as f32) * (b - a), (b - a) * PER_UNIT)
    }

    /// Fits a round pit on a plane to samples; `radius` is a first guess.
    pub(crate) fn fit_pit(&self, samples: &[Sample], radius: f32) -> Option<PitFit> {
        let mut best = self.fit_shape(samples, radius, [0.0; 2], 0)?;
        let (radius, centre) = (best.1.radius, best.1.centre);
        // Nothing that stands out this little is worth the other shapes.
        if best.1.depth < 3.0 * best.1.depth_error {
            return Some(best.1);
        }
        for shape in 1..SHAPES.len() {
            if let Some(other) = self.fit_shape(samples, radius, centre, shape)
                && other.0 < best.0
            {
                best = other;
            }
        }
        Some(best.1)
    }

    /// Gauss-Newton over depth, plane, radius and centre.
    fn fit_shape(
        &self,
        samples: &[Sample],
        start: f32,
        from: [f32; 2],
        shape: usize,
    ) -> Option<(f64, PitFit)> {
        if samples.len() < 12 {
            return None;
        }
        let (mut radius, mut centre) = (start, from);
        let mut damping = 1e-3;
        let mut rest = f64::INFINITY;
        let mut kept: Option<Step> = None;
        for round in 0..12 {
            // Depth and plane are linear: solved exactly for each radius and centre.
            let mut normal = [[0.0_f64; 5]; 4];
            let mut template = (0.0_f64, 0.0_f64);
            let inverse = 1.0 / (radius * radius);
            for s in samples {
                let (dx, dy) = (s[0] - centre[0], s[1] - centre[1]);
                let f = f64::from(self.at(shape, (dx * dx + dy * dy) * inverse).0);
                let row = [f, 1.0, f64::from(s[0]), f64::from(s[1])];
                for a in 0..4 {
                    for b in a..4 {
                        normal[a][b] += row[a] * row[b];
                    }
                    normal[a][4] += row[a] * f64::from(s[2]);
                }
                template.0 += f;
                template.1 += f * f;
            }
            for a in 1..4 {
                for b in 0..a {
                    normal[a][b] = normal[b][a];
                }
            }
            let linear = solve(normal)?;
            let depth = linear[0];
            let mut gradient = [[0.0_f64; 4]; 3];
            let mut sum = 0.0;
            for s in samples {
                let (dx, dy) = (s[0] - centre[0], s[1] - centre[1]);
                let q = (dx * dx + dy * dy) * inverse;
                let (f, slope) = self.at(shape, q);
                let e = f64::from(s[2])
                    - (depth * f64::from(f)
                        + linear[1]
                        + linear[2] * f64::from(s[0])
                        + linear[3] * f64::from(s[1]));
                sum += e * e;
                let k = depth * f64::from(slope);
                let row = [
                    k * f64::from(-2.0 * q / radius),
                    k * f64::from(-2.0 * dx * inverse),
                    k * f64::from(-2.0 * dy * inverse),
                ];
                for a in 0..3 {
                    for b in 0..3 {
                        gradient[a][b] += row[a] * row[b];
                    }
                    gradient[a][3] += row[a] * e;
                }
            }
            let n = samples.len() as f64;
            let spread = (template.1 - template.0 * template.0 / n).max(1e-12);
            if sum < rest {
                let gain = rest - sum;
                kept = Some(Step {
                    sum,
                    radius,
                    centre,
                    depth,
                    spread,
                });
                rest = sum;
                damping = (damping * 0.3_f64).max(1e-6);
                if gain < 1e-4 * sum {
                    break;
                }
            } else {
                damping *= 10.0;
                let before = kept?;
                if round > 0 && damping > 1e3 {
                    break;
                }
                radius = before.radius;
                centre = before.centre;
            }
            for a in 0..3 {
                gradient[a][a] *= 1.0 + damping;
            }
            let step = solve(gradient)?;
            let limit = 0.4 * f64::from(radius);
            radius += step[0].clamp(-limit, limit) as f32;
            centre[0] += step[1].clamp(-limit, limit) as f32;
            centre[1] += step[2].clamp(-limit, limit) as f32;
            if !(radius > 0.02 && radius < 4.0 * start) {
                return None;
            }
        }
        let last = kept?;
        let error = (last.sum / (samples.len() as f64 - 7.0) / last.spread).sqrt();
        Some((
            last.sum,
            PitFit {
                centre: last.centre,
                radius: last.radius,
                depth: last.depth as f32,
                depth_error: error as f32,
                shape,
            },
        ))
    }
}

/// The best step of a fit so far.
#[derive(Clone, Copy)]
struct Step {
    /// Of squared residuals.
    sum: f64,
    radius: f32,
    centre: [f32; 2],
    depth: f64,
    /// Of the squared template about its mean.
    spread: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(step: f32, window: f32, value: impl Fn(f32, f32) -> f32) -> Vec<Sample> {
        let n = (window / step) as i32;
        let mut out = vec![];
        for j in -n..=n {
            for i in -n..=n {
                let (x, y) = (i as f32 * step, j as f32 * step);
                if x * x + y * y <= window * window {
                    out.push([x, y, value(x, y)]);
                }
            }
        }
        out
    }

    /// The diameter is the half-depth one for every profile a phantom might draw.
    #[test]
    fn the_half_depth_radius_does_not_depend_on_the_shape() {
        let shapes = Shapes::new();
        let r = 0.17_f32;
        let gauss = |d: f32| (-(2.0_f32.ln()) * (d / r) * (d / r)).exp();
        let cosine = |d: f32| {
            if d < 2.0 * r {
                0.5 + 0.5 * (std::f32::consts::PI * d / (2.0 * r)).cos()
            } else {
                0.0
            }
        };
        let disc = |d: f32| 1.0 / (1.0 + ((d - r) / (0.12 * r)).exp());
        for (name, f) in [
            ("gauss", &gauss as &dyn Fn(f32) -> f32),
            ("cosine", &cosine),
            ("disc", &disc),
        ] {
            for step in [0.05_f32, 0.09] {
                let s = samples(step, 0.48, |x, y| {
                    let d = ((x - 0.02) * (x - 0.02) + (y + 0.03) * (y + 0.03)).sqrt();
                    0.3 * f(d) + 1.0 + 0.1 * x - 0.2 * y
                });
                let fit = shapes.fit_pit(&s, 0.14).unwrap();
                assert!(
                    (fit.radius / r - 1.0).abs() < 0.06,
                    "{name} at {step}: {fit:?}"
                );
                assert!((fit.centre[0] - 0.02).abs() < 0.01 && (fit.centre[1] + 0.03).abs() < 0.01);
                assert!((fit.depth / 0.3 - 1.0).abs() < 0.12, "{name} {fit:?}");
            }
        }
    }

    #[test]
    fn a_plane_is_no_pit() {
        let shapes = Shapes::new();
        let s = samples(0.08, 0.5, |x, y| 1.0 + 0.3 * x - 0.1 * y);
        let deep = shapes
            .fit_pit(&s, 0.15)
            .is_some_and(|f| f.depth > 1e-3 && f.depth > 5.0 * f.depth_error);
        assert!(!deep);
    }
}
