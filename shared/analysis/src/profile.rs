//! Profiles of pits and grooves: widths at half depth that do not depend on the pixel.
//!
//! A profile is `depth * exp(-ln 2 (r / R)^n)` (n = 2 is a Gaussian, larger is flatter with
//! steeper walls) or a raised cosine: at `R` each is half as deep. It is fitted to the
//! unfiltered samples, so that neither a filter nor the raster widens it.

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

    /// Fits a round pit on a plane to samples; `radius` is a first guess. Where the depth
    /// stays far below `worth` times its error, the fit is not carried to its end.
    pub(crate) fn fit_pit(&self, samples: &[Sample], radius: f32, worth: f32) -> Option<PitFit> {
        let columns = Columns::of(samples, radius)?;
        let mut best = columns.fit(SHAPES[0], [1.0, 0.0, 0.0], worth)?;
        let mut shape = 0;
        if best.depth >= 0.7 * f64::from(worth) * best.error() {
            let from = [best.radius, best.centre[0], best.centre[1]];
            // Pointed and flat profiles lie on either side of the Gaussian.
            for side in [&POINTED[..], &FLAT[..]] {
                let before = best.sum;
                for &other in side {
                    match columns.fit(SHAPES[other], from, 0.0) {
                        Some(fit) if fit.sum < best.sum => (best, shape) = (fit, other),
                        _ => break,
                    }
                }
                if best.sum < before {
                    break;
                }
            }
        }
        Some(PitFit {
            centre: best.centre.map(|c| c * radius),
            radius: best.radius * radius,
            depth: best.depth as f32,
            depth_error: best.error() as f32,
            shape,
        })
    }
}

/// From the Gaussian outwards, by their place in [`SHAPES`].
const POINTED: [usize; 1] = [2];
const FLAT: [usize; 3] = [1, 3, 4];

/// Samples that are summed side by side.
const LANES: usize = 8;
type Lanes = [f32; LANES];
/// Depth, level, two slopes, radius and two coordinates of the centre.
const UNKNOWNS: usize = 7;
/// Products of two of the derivatives and the residual.
const PRODUCTS: usize = (UNKNOWNS + 1) * (UNKNOWNS + 2) / 2;

/// Samples in columns, lengths in units of the first guess of the radius, values about
/// their mean; the last lanes are filled up with samples that count nothing.
struct Columns {
    x: Vec<Lanes>,
    y: Vec<Lanes>,
    z: Vec<Lanes>,
    counts: Vec<Lanes>,
    n: f64,
}

/// A fit, lengths in units of the first guess.
#[derive(Clone, Copy)]
struct Fit {
    /// Of squared residuals.
    sum: f64,
    radius: f32,
    centre: [f32; 2],
    depth: f64,
    /// Of the squared template about its mean.
    spread: f64,
    n: f64,
}

impl Fit {
    /// Standard error of the depth.
    fn error(&self) -> f64 {
        (self.sum / (self.n - UNKNOWNS as f64) / self.spread).sqrt()
    }
}

impl Shape {
    /// Value and slope at squared relative radii, by sums, products and roots alone.
    fn lanes(self, q: &Lanes) -> (Lanes, Lanes) {
        let (mut f, mut slope) = ([0.0; LANES], [0.0; LANES]);
        match self {
            Self::Cosine => {
                for k in 0..LANES {
                    (f[k], slope[k]) = cosine(q[k]);
                }
            }
            Self::Power(n) => {
                const LN_2: f32 = core::f32::consts::LN_2;
                // The exponent and its derivative over q.
                let (mut u, mut du) = ([0.0_f32; LANES], [0.0_f32; LANES]);
                for k in 0..LANES {
                    let root = q[k].sqrt();
                    let fourth = root.sqrt().max(1e-3);
                    (u[k], du[k]) = if n == 2.0 {
                        (q[k], 1.0)
                    } else if n == 1.5 {
                        (root * fourth, 0.75 / fourth)
                    } else if n == 3.0 {
                        (q[k] * root, 1.5 * root)
                    } else {
                        (q[k] * q[k] * root, 2.5 * q[k] * root)
                    };
                }
                for k in 0..LANES {
                    f[k] = half_to_the(u[k]);
                    slope[k] = -LN_2 * du[k] * f[k];
                }
            }
        }
        (f, slope)
    }
}

/// Solves normal equations, the last column their right-hand side, by a Cholesky
/// decomposition without roots; a direction that nothing depends on gets 0.
fn solve_symmetric(mut a: [[f64; UNKNOWNS + 1]; UNKNOWNS]) -> [f64; UNKNOWNS] {
    let most = (0..UNKNOWNS).fold(0.0, |m: f64, k| m.max(a[k][k]));
    let mut inverse = [0.0; UNKNOWNS];
    for k in 0..UNKNOWNS {
        if a[k][k] > 1e-13 * most {
            inverse[k] = 1.0 / a[k][k];
        }
        for i in k + 1..UNKNOWNS {
            let f = a[k][i] * inverse[k];
            for j in i..=UNKNOWNS {
                a[i][j] -= f * a[k][j];
            }
        }
    }
    let mut x = [0.0; UNKNOWNS];
    for k in (0..UNKNOWNS).rev() {
        let rest: f64 = (k + 1..UNKNOWNS).map(|j| a[k][j] * x[j]).sum();
        x[k] = (a[k][UNKNOWNS] - rest) * inverse[k];
    }
    x
}

/// `2^-u` for u >= 0, to about 1e-6; 0 from 40 on.
fn half_to_the(u: f32) -> f32 {
    let v = u.min(40.0);
    let whole = v as i32;
    let t = v - whole as f32;
    // Taylor's series of 2^-t about 0.5.
    let s = (t - 0.5) * -core::f32::consts::LN_2;
    let power =
        1.0 + s * (1.0 + s * (0.5 + s * (1.0 / 6.0 + s * (1.0 / 24.0 + s * (1.0 / 120.0)))));
    let scale = f32::from_bits(((127 - whole) as u32) << 23);
    let value = core::f32::consts::FRAC_1_SQRT_2 * power * scale;
    if u < 40.0 { value } else { 0.0 }
}

/// `(1 + cos(pi sqrt(q) / 2)) / 2` and its derivative, 0 from 4 on: the cosine of a root
/// is a power series.
fn cosine(q: f32) -> (f32, f32) {
    const V: f32 = core::f32::consts::FRAC_PI_2 * core::f32::consts::FRAC_PI_2;
    let v = V * q.min(4.0);
    let (mut c, mut s) = (0.0_f32, 0.0_f32);
    // The series of cos(sqrt v) and of sin(sqrt v) / sqrt v, from the last term.
    for k in (1..=8).rev() {
        let k = k as f32;
        c = (1.0 + c) * -v / ((2.0 * k - 1.0) * (2.0 * k));
        s = (1.0 + s) * -v / ((2.0 * k) * (2.0 * k + 1.0));
    }
    if q < 4.0 {
        (1.0 + 0.5 * c, -0.25 * V * (1.0 + s))
    } else {
        (0.0, 0.0)
    }
}

impl Columns {
    fn of(samples: &[Sample], unit: f32) -> Option<Self> {
        if samples.len() < 12 || unit.is_nan() || unit <= 0.0 {
            return None;
        }
        let n = samples.len() as f64;
        let mean = (samples.iter().map(|s| f64::from(s[2])).sum::<f64>() / n) as f32;
        let lanes = |value: &dyn Fn(&Sample) -> f32| -> Vec<Lanes> {
            samples
                .chunks(LANES)
                .map(|part| {
                    let mut lanes = [0.0; LANES];
                    for (l, s) in lanes.iter_mut().zip(part) {
                        *l = value(s);
                    }
                    lanes
                })
                .collect()
        };
        Some(Self {
            x: lanes(&|s| s[0] / unit),
            y: lanes(&|s| s[1] / unit),
            z: lanes(&|s| s[2] - mean),
            counts: lanes(&|_| 1.0),
            n,
        })
    }

    /// Sums over the samples of the products of the derivatives and the residual of a
    /// model, the upper triangle row by row.
    fn products(&self, shape: Shape, p: &[f64; UNKNOWNS]) -> [f64; PRODUCTS] {
        let [depth, level, sx, sy, radius, cx, cy] = p.map(|v| v as f32);
        let inverse = 1.0 / (radius * radius);
        let mut sums = [[0.0_f32; LANES]; PRODUCTS];
        for i in 0..self.x.len() {
            let (x, y, z, counts) = (&self.x[i], &self.y[i], &self.z[i], &self.counts[i]);
            let (mut dx, mut dy, mut q) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
            for k in 0..LANES {
                dx[k] = x[k] - cx;
                dy[k] = y[k] - cy;
                q[k] = (dx[k] * dx[k] + dy[k] * dy[k]) * inverse;
            }
            let (f, slope) = shape.lanes(&q);
            let mut row = [[0.0_f32; LANES]; UNKNOWNS + 1];
            for k in 0..LANES {
                let fall = -2.0 * depth * slope[k] * inverse * counts[k];
                row[0][k] = f[k] * counts[k];
                row[1][k] = counts[k];
                row[2][k] = x[k];
                row[3][k] = y[k];
                row[4][k] = fall * radius * q[k];
                row[5][k] = fall * dx[k];
                row[6][k] = fall * dy[k];
                let model = depth * row[0][k] + level * counts[k] + sx * x[k] + sy * y[k];
                row[7][k] = z[k] - model;
            }
            let mut at = 0;
            for a in 0..=UNKNOWNS {
                for b in a..=UNKNOWNS {
                    for k in 0..LANES {
                        sums[at][k] += row[a][k] * row[b][k];
                    }
                    at += 1;
                }
            }
        }
        sums.map(|lanes| lanes.iter().map(|v| f64::from(*v)).sum())
    }

    /// Gauss-Newton (with Marquardt's damping) over all unknowns together, from a radius
    /// and a centre; the first round finds depth and plane for these.
    fn fit(&self, shape: Shape, [radius, cx, cy]: [f32; 3], worth: f32) -> Option<Fit> {
        let mut p = [0.0, 0.0, 0.0, 0.0, radius, cx, cy].map(f64::from);
        let mut kept: Option<(Fit, [f64; UNKNOWNS], [f64; PRODUCTS])> = None;
        let mut damping = 1e-3;
        for round in 0..10 {
            let products = self.products(shape, &p);
            let fit = Fit {
                sum: products[PRODUCTS - 1],
                radius: p[4] as f32,
                centre: [p[5] as f32, p[6] as f32],
                depth: p[0],
                spread: (products[0] - products[1] * products[1] / self.n).max(1e-12),
                n: self.n,
            };
            let before = kept.as_ref().map_or(f64::INFINITY, |k| k.0.sum);
            if round < 2 || fit.sum < before {
                kept = Some((fit, p, products));
                damping = (damping * 0.3_f64).max(1e-6);
                let hopeless = fit.depth < 0.35 * f64::from(worth) * fit.error();
                if round > 0 && (before - fit.sum < 3e-4 * fit.sum || hopeless) {
                    break;
                }
            } else {
                damping *= 10.0;
                if damping > 1e3 {
                    break;
                }
            }
            let (_, from, products) = kept.as_ref()?;
            let mut rows = [[0.0_f64; UNKNOWNS + 1]; UNKNOWNS];
            let mut at = 0;
            for a in 0..UNKNOWNS {
                for b in a..=UNKNOWNS {
                    rows[a][b] = products[at];
                    if b < UNKNOWNS {
                        rows[b][a] = products[at];
                    }
                    at += 1;
                }
                // Depth and plane need no damping: for them the model is linear.
                if a > 3 {
                    rows[a][a] *= 1.0 + damping;
                }
            }
            let step = solve_symmetric(rows);
            p = *from;
            let limit = 0.4 * p[4];
            for k in 0..UNKNOWNS {
                p[k] += if k < 4 {
                    step[k]
                } else {
                    step[k].clamp(-limit, limit)
                };
            }
            if !(p[4] > 0.05 && p[4] < 4.0) {
                return None;
            }
        }
        kept.map(|k| k.0)
    }
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
                let fit = shapes.fit_pit(&s, 0.14, 5.5).unwrap();
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
    fn normal_equations_are_solved_and_an_idle_direction_stays_still() {
        // The second unknown plays no part.
        let columns = |i: usize| {
            let t = i as f64 * 0.37;
            [
                1.0,
                0.0,
                t,
                t * t,
                (5.0 * t).sin(),
                (3.0 * t).cos(),
                t.sqrt(),
            ]
        };
        let truth = [0.5, 0.0, -2.0, 0.25, 3.0, -1.0, 0.125];
        let mut rows = [[0.0; UNKNOWNS + 1]; UNKNOWNS];
        for i in 0..40 {
            let c = columns(i);
            let value: f64 = c.iter().zip(truth).map(|(c, t)| c * t).sum();
            for a in 0..UNKNOWNS {
                for b in 0..UNKNOWNS {
                    rows[a][b] += c[a] * c[b];
                }
                rows[a][UNKNOWNS] += c[a] * value;
            }
        }
        for (x, t) in solve_symmetric(rows).into_iter().zip(truth) {
            assert!((x - t).abs() < 1e-6, "{x} {t}");
        }
    }

    /// The sums in lanes know the same profiles as the tables.
    #[test]
    fn lanes_and_tables_agree() {
        let shapes = Shapes::new();
        for (i, shape) in SHAPES.into_iter().enumerate() {
            for j in 0..110 {
                let q = 0.1 * j as f32 + 0.013;
                let (f, slope) = shape.lanes(&[q; LANES]);
                let exact = shape.at(f64::from(q));
                assert!((f64::from(f[3]) - exact).abs() < 2e-5, "{shape:?} at {q}");
                let (g, other) = shapes.at(i, q);
                assert!((f[7] - g).abs() < 2e-3);
                assert!((slope[0] - other).abs() < 0.02 + 0.05 * slope[0].abs());
            }
        }
    }

    #[test]
    fn a_plane_is_no_pit() {
        let shapes = Shapes::new();
        let s = samples(0.08, 0.5, |x, y| 1.0 + 0.3 * x - 0.1 * y);
        let deep = shapes
            .fit_pit(&s, 0.15, 5.5)
            .is_some_and(|f| f.depth > 1e-3 && f.depth > 5.0 * f.depth_error);
        assert!(!deep);
    }
}
