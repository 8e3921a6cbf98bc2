//! Profiles of pits and grooves: widths at half depth that do not depend on the pixel.
//!
//! A profile is `depth * exp(-ln 2 (r / R)^n)` (n = 2 is a Gaussian, larger is flatter with
//! steeper walls) or a raised cosine: at `R` each is half as deep. It is fitted to the
//! unfiltered samples, so that neither a filter nor the raster widens it.

use dermalia_surface::in_vectors;

use crate::products::{Block, LANES, PRODUCTS, Products, Row, UNKNOWNS, add, row_of, total};

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

/// A shape.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
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
    /// stays far below `worth` times its error, the fit is not carried to its end. The
    /// room may be used again.
    pub(crate) fn fit_pit(
        &self,
        samples: &[Sample],
        radius: f32,
        worth: f32,
        room: &mut Columns,
    ) -> Option<PitFit> {
        room.fill(samples, radius)?;
        let mut best = room.fit(SHAPES[0], Start::Guess, worth)?;
        let mut shape = 0;
        if best.depth >= 0.7 * f64::from(worth) * best.error() {
            let from = best;
            // Pointed and flat profiles lie on either side of the Gaussian.
            for side in [&POINTED[..], &FLAT[..]] {
                let before = best.sum;
                for &other in side {
                    match room.fit(SHAPES[other], Start::Beat(&from, best.sum), 0.0) {
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

/// The samples of a fit.
#[derive(Default)]
pub(crate) struct Columns {
    blocks: Vec<Block>,
    /// What the last model made of them.
    rows: Vec<Row>,
    n: f64,
    /// Products of level and slopes among themselves: they stay in all rounds.
    plane: [f64; PLANE],
}

/// Level and two slopes.
const PLANE: usize = 6;

/// Where a fit sets out from.
enum Start<'a> {
    /// A centred pit of the guessed radius, depth and plane unknown.
    Guess,
    /// A fit of another shape; one that cannot leave less than a sum of squares is not
    /// carried to its end.
    Beat(&'a Fit, f64),
}

/// A fit, lengths in units of the first guess.
#[derive(Clone, Copy)]
struct Fit {
    /// Of squared residuals.
    sum: f64,
    radius: f32,
    centre: [f32; 2],
    depth: f64,
    unknowns: [f64; UNKNOWNS],
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

impl Columns {
    fn fill(&mut self, samples: &[Sample], unit: f32) -> Option<()> {
        if samples.len() < 12 || unit.is_nan() || unit <= 0.0 {
            return None;
        }
        self.n = samples.len() as f64;
        let mean = (samples.iter().map(|s| f64::from(s[2])).sum::<f64>() / self.n) as f32;
        self.blocks.clear();
        let mut plane = [[0.0_f32; LANES]; PLANE];
        for part in samples.chunks(LANES) {
            let mut block = Block::default();
            for (k, s) in part.iter().enumerate() {
                block.x[k] = s[0] / unit;
                block.y[k] = s[1] / unit;
                block.z[k] = s[2] - mean;
                block.counts[k] = 1.0;
            }
            let Block { x, y, counts, .. } = &block;
            let pairs = [
                [counts, counts],
                [counts, x],
                [counts, y],
                [x, x],
                [x, y],
                [y, y],
            ];
            for (sums, [a, b]) in plane.iter_mut().zip(pairs) {
                add(sums, a, b);
            }
            self.blocks.push(block);
        }
        for (sum, lanes) in self.plane.iter_mut().zip(&plane) {
            *sum = total(lanes);
        }
        self.rows.resize(self.blocks.len(), Row::default());
        Some(())
    }

    /// The products of a model, the upper triangle row by row.
    fn products(&mut self, shape: Shape, p: &[f64; UNKNOWNS]) -> [f64; PRODUCTS] {
        let sums = in_vectors(Products {
            blocks: &self.blocks,
            rows: &mut self.rows,
            p,
            shape,
        });
        let mut out = [0.0; PRODUCTS];
        for (sum, lanes) in out.iter_mut().zip(&sums) {
            *sum = total(lanes);
        }
        let mut plane = self.plane.iter();
        for a in 1..4 {
            for b in a..4 {
                out[row_of(a) + b - a] = plane.next().copied().unwrap_or_default();
            }
        }
        out
    }

    /// Gauss-Newton (with Marquardt's damping) over all unknowns together; from a guess
    /// the first round finds depth and plane.
    fn fit(&mut self, shape: Shape, start: Start<'_>, worth: f32) -> Option<Fit> {
        let (mut p, first, aim) = match start {
            Start::Guess => ([0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0], 0, f64::INFINITY),
            Start::Beat(fit, sum) => (fit.unknowns, 1, sum),
        };
        let mut kept: Option<(Fit, [f64; PRODUCTS])> = None;
        let mut damping = 1e-3;
        for round in first..10 {
            let products = self.products(shape, &p);
            let fit = Fit {
                sum: products[PRODUCTS - 1],
                radius: p[4] as f32,
                centre: [p[5] as f32, p[6] as f32],
                depth: p[0],
                unknowns: p,
                spread: (products[0] - products[1] * products[1] / self.n).max(1e-12),
                n: self.n,
            };
            let before = kept.as_ref().map_or(f64::INFINITY, |k| k.0.sum);
            if round < 2 || fit.sum < before {
                kept = Some((fit, products));
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
            let (from, products) = kept.as_ref()?;
            let mut rows = [[0.0_f64; UNKNOWNS + 1]; UNKNOWNS];
            let mut at = 0;
            for a in 0..UNKNOWNS {
                for b in a..=UNKNOWNS {
                    rows[a][b] = products[at];
                    at += 1;
                }
                // Depth and plane need no damping: for them the model is linear.
                if a > 3 {
                    rows[a][a] *= 1.0 + damping;
                }
            }
            let gradient: [f64; UNKNOWNS] = std::array::from_fn(|k| rows[k][UNKNOWNS]);
            let step = solve_symmetric(rows);
            // What is left if the model is as straight as it looks from here.
            let gain: f64 = gradient.iter().zip(step).map(|(g, s)| g * s).sum();
            if round > 1 && from.sum - gain > 1.01 * aim {
                return None;
            }
            p = from.unknowns;
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
    use crate::products::{Cosine, Lanes, Power, Profile};

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
                let mut room = Columns::default();
                let fit = shapes.fit_pit(&s, 0.14, 5.5, &mut room).unwrap();
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
        type Both = (Lanes, Lanes);
        let lanes: [fn(&Lanes) -> Both; SHAPES.len()] = [
            Power::<4>::lanes,
            Cosine::lanes,
            Power::<3>::lanes,
            Power::<6>::lanes,
            Power::<10>::lanes,
        ];
        for (i, shape) in SHAPES.into_iter().enumerate() {
            for j in 0..110 {
                let q = 0.1 * j as f32 + 0.013;
                let (f, slope) = lanes[i](&[q; LANES]);
                let exact = shape.at(f64::from(q));
                assert!((f64::from(f[3]) - exact).abs() < 2e-5, "{shape:?} at {q}");
                let (g, other) = shapes.at(i, q);
                assert!((f[7] - g).abs() < 2e-3);
                assert!((slope[0] - other).abs() < 0.02 + 0.05 * slope[0].abs());
            }
        }
    }

    /// What is summed once for all rounds stands where the rounds would put it.
    #[test]
    fn products_are_those_of_the_samples() {
        let s = samples(0.07, 0.4, |x, y| 0.3 + 0.2 * x - y * y);
        let mut columns = Columns::default();
        columns.fill(&s, 0.2).unwrap();
        let p = [0.2, -0.01, 0.03, 0.05, 1.1, 0.1, -0.2];
        let got = columns.products(SHAPES[0], &p);
        let mean = s.iter().map(|s| f64::from(s[2])).sum::<f64>() / s.len() as f64;
        let mut want = [0.0; PRODUCTS];
        for [x, y, z] in s.iter().map(|s| s.map(f64::from)) {
            let (x, y) = (x / 0.2, y / 0.2);
            let (dx, dy) = (x - p[5], y - p[6]);
            let q = (dx * dx + dy * dy) / (p[4] * p[4]);
            let f = SHAPES[0].at(q);
            let fall = 2.0 * core::f64::consts::LN_2 * p[0] * f / (p[4] * p[4]);
            let model = p[0] * f + p[1] + p[2] * x + p[3] * y;
            let row = [
                f,
                1.0,
                x,
                y,
                fall * p[4] * q,
                fall * dx,
                fall * dy,
                z - mean - model,
            ];
            let mut at = 0;
            for a in 0..=UNKNOWNS {
                for b in a..=UNKNOWNS {
                    want[at] += row[a] * row[b];
                    at += 1;
                }
            }
        }
        for (k, (got, want)) in got.into_iter().zip(want).enumerate() {
            assert!(
                (got - want).abs() < 1e-4 * want.abs().max(1.0),
                "{k}: {got} {want}"
            );
        }
    }

    #[test]
    fn a_plane_is_no_pit() {
        let shapes = Shapes::new();
        let s = samples(0.08, 0.5, |x, y| 1.0 + 0.3 * x - 0.1 * y);
        let deep = shapes
            .fit_pit(&s, 0.15, 5.5, &mut Columns::default())
            .is_some_and(|f| f.depth > 1e-3 && f.depth > 5.0 * f.depth_error);
        assert!(!deep);
    }
}
