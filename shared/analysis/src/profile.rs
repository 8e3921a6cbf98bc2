//! Profiles of pits and grooves: widths at half depth that do not depend on the pixel.
//!
//! A profile is `depth * exp(-ln 2 (r / R)^n)` (n = 2 is a Gaussian, larger is flatter with
//! steeper walls) or a raised cosine: at `R` each is half as deep. It is fitted to the
//! unfiltered samples, so that neither a filter nor the raster widens it.

use dermalia_surface::{Work, in_vectors};

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

/// Samples that are summed side by side.
const LANES: usize = 8;
type Lanes = [f32; LANES];
/// Depth, level, two slopes, radius and two coordinates of the centre.
const UNKNOWNS: usize = 7;
/// Products of two of the derivatives and the residual.
const PRODUCTS: usize = (UNKNOWNS + 1) * (UNKNOWNS + 2) / 2;

/// Some samples, lengths in units of the first guess of the radius, values about their
/// mean; one that fills up the last lanes counts nothing.
#[derive(Clone, Copy, Default)]
struct Block {
    x: Lanes,
    y: Lanes,
    z: Lanes,
    counts: Lanes,
}

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

/// Value and slope of a shape at squared relative radii, by sums, products and roots
/// alone.
trait Profile {
    fn lanes(q: &Lanes) -> (Lanes, Lanes);
}

struct Cosine;

/// `exp(-ln 2 r^n)`, n in halves.
struct Power<const HALVES: u32>;

impl Profile for Cosine {
    #[inline(always)]
    fn lanes(q: &Lanes) -> (Lanes, Lanes) {
        let (mut f, mut slope) = ([0.0; LANES], [0.0; LANES]);
        for k in 0..LANES {
            (f[k], slope[k]) = cosine(q[k]);
        }
        (f, slope)
    }
}

impl<const HALVES: u32> Profile for Power<HALVES> {
    #[inline(always)]
    fn lanes(q: &Lanes) -> (Lanes, Lanes) {
        const LN_2: f32 = core::f32::consts::LN_2;
        let (mut f, mut slope) = ([0.0; LANES], [0.0; LANES]);
        for k in 0..LANES {
            let root = q[k].sqrt();
            // The exponent and its derivative over q.
            let (u, du) = match HALVES {
                4 => (q[k], 1.0),
                3 => {
                    let fourth = root.sqrt().max(1e-3);
                    (root * fourth, 0.75 / fourth)
                }
                6 => (q[k] * root, 1.5 * root),
                _ => (q[k] * q[k] * root, 2.5 * q[k] * root),
            };
            f[k] = half_to_the(u);
            slope[k] = -LN_2 * du * f[k];
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

/// `2^-u` for u >= 0, to about 1e-6; as good as 0 from 40 on.
#[inline(always)]
fn half_to_the(u: f32) -> f32 {
    let v = u.min(40.0);
    // Adding this rounds to the nearest whole number, which stands in the last bits.
    const ROUNDING: f32 = 8_388_608.0;
    let rounded = v + ROUNDING;
    let t = v - (rounded - ROUNDING);
    // Taylor's series of 2^-t.
    let s = t * -core::f32::consts::LN_2;
    let power =
        1.0 + s * (1.0 + s * (0.5 + s * (1.0 / 6.0 + s * (1.0 / 24.0 + s * (1.0 / 120.0)))));
    let whole = rounded.to_bits() - ROUNDING.to_bits();
    power * f32::from_bits((127 - whole) << 23)
}

/// `(1 + cos(pi sqrt(q) / 2)) / 2` and its derivative, 0 from 4 on: the cosine of a root
/// is a power series.
#[inline(always)]
fn cosine(q: f32) -> (f32, f32) {
    const V: f32 = core::f32::consts::FRAC_PI_2 * core::f32::consts::FRAC_PI_2;
    /// Of the series of cos(sqrt v) and of sin(sqrt v) / sqrt v: a term over the one
    /// before it.
    const TERMS: [[f32; 2]; 8] = {
        let mut terms = [[0.0; 2]; 8];
        let mut i = 0;
        while i < 8 {
            let k = (i + 1) as f32;
            terms[i] = [
                -1.0 / ((2.0 * k - 1.0) * (2.0 * k)),
                -1.0 / ((2.0 * k) * (2.0 * k + 1.0)),
            ];
            i += 1;
        }
        terms
    };
    let v = V * q.min(4.0);
    let (mut c, mut s) = (0.0_f32, 0.0_f32);
    for k in (0..8).rev() {
        c = (1.0 + c) * (v * TERMS[k][0]);
        s = (1.0 + s) * (v * TERMS[k][1]);
    }
    if q < 4.0 {
        (1.0 + 0.5 * c, -0.25 * V * (1.0 + s))
    } else {
        (0.0, 0.0)
    }
}

/// Adds the products of two rows to their sums.
#[inline(always)]
fn add(sums: &mut Lanes, a: &Lanes, b: &Lanes) {
    for k in 0..LANES {
        sums[k] += a[k] * b[k];
    }
}

/// Adds a row to its sums.
#[inline(always)]
fn plus(sums: &mut Lanes, a: &Lanes) {
    for k in 0..LANES {
        sums[k] += a[k];
    }
}

fn total(lanes: &Lanes) -> f64 {
    lanes.iter().map(|v| f64::from(*v)).sum()
}

/// Where the products of the derivatives `a` and of what comes after them begin.
const fn row_of(a: usize) -> usize {
    a * (UNKNOWNS + 1) - a * a.saturating_sub(1) / 2
}

/// What a model makes of some samples: its derivatives by depth, radius and centre, and
/// what it leaves.
#[derive(Clone, Copy, Default)]
struct Row {
    depth: Lanes,
    radius: Lanes,
    centre: [Lanes; 2],
    rest: Lanes,
}

/// Reckons a model at samples.
#[inline(always)]
fn model<P: Profile>(blocks: &[Block], p: &[f64; UNKNOWNS], rows: &mut [Row]) {
    let [depth, level, sx, sy, radius, cx, cy] = p.map(|v| v as f32);
    let inverse = 1.0 / (radius * radius);
    for (Block { x, y, z, counts }, row) in blocks.iter().zip(rows) {
        let (mut dx, mut dy, mut q) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for k in 0..LANES {
            dx[k] = x[k] - cx;
            dy[k] = y[k] - cy;
            q[k] = (dx[k] * dx[k] + dy[k] * dy[k]) * inverse;
        }
        let (mut f, slope) = P::lanes(&q);
        let (mut fall, mut by_radius, mut rest) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        // A loop for each quantity: together they would be reckoned one by one.
        for k in 0..LANES {
            f[k] *= counts[k];
        }
        for k in 0..LANES {
            fall[k] = -2.0 * depth * slope[k] * inverse * counts[k];
        }
        for k in 0..LANES {
            by_radius[k] = fall[k] * radius * q[k];
        }
        for k in 0..LANES {
            dx[k] *= fall[k];
        }
        for k in 0..LANES {
            dy[k] *= fall[k];
        }
        for k in 0..LANES {
            let model = depth * f[k] + level * counts[k] + sx * x[k] + sy * y[k];
            rest[k] = z[k] - model;
        }
        *row = Row {
            depth: f,
            radius: by_radius,
            centre: [dx, dy],
            rest,
        };
    }
}

/// The same for a model without depth and plane, which leaves the values themselves.
#[inline(always)]
fn nothing<P: Profile>(blocks: &[Block], p: &[f64; UNKNOWNS], rows: &mut [Row]) {
    let [radius, cx, cy] = [p[4], p[5], p[6]].map(|v| v as f32);
    let inverse = 1.0 / (radius * radius);
    for (Block { x, y, z, counts }, row) in blocks.iter().zip(rows) {
        let mut q = [0.0; LANES];
        for k in 0..LANES {
            let (dx, dy) = (x[k] - cx, y[k] - cy);
            q[k] = (dx * dx + dy * dy) * inverse;
        }
        let (mut f, _) = P::lanes(&q);
        for k in 0..LANES {
            f[k] *= counts[k];
        }
        row.depth = f;
        row.rest = *z;
    }
}

/// The sums over samples of the products of the derivatives and the residual of a model,
/// the upper triangle row by row; those of the plane are left out. What fills up the last
/// lanes is 0 in all rows. Few sums at a time stay in registers.
#[inline(always)]
fn sums(blocks: &[Block], rows: &[Row]) -> [Lanes; PRODUCTS] {
    let mut sums = [[0.0_f32; LANES]; PRODUCTS];
    let mut own = [[0.0_f32; LANES]; 8];
    for (Block { x, y, .. }, row) in blocks.iter().zip(rows) {
        add(&mut own[0], &row.depth, &row.depth);
        plus(&mut own[1], &row.depth);
        add(&mut own[2], &row.depth, x);
        add(&mut own[3], &row.depth, y);
        add(&mut own[4], &row.depth, &row.radius);
        add(&mut own[5], &row.depth, &row.centre[0]);
        add(&mut own[6], &row.depth, &row.centre[1]);
        add(&mut own[7], &row.depth, &row.rest);
    }
    sums[..8].copy_from_slice(&own);
    let mut plane = [[0.0_f32; LANES]; 12];
    for (Block { x, y, .. }, row) in blocks.iter().zip(rows) {
        plus(&mut plane[0], &row.radius);
        plus(&mut plane[1], &row.centre[0]);
        plus(&mut plane[2], &row.centre[1]);
        plus(&mut plane[3], &row.rest);
        add(&mut plane[4], x, &row.radius);
        add(&mut plane[5], x, &row.centre[0]);
        add(&mut plane[6], x, &row.centre[1]);
        add(&mut plane[7], x, &row.rest);
        add(&mut plane[8], y, &row.radius);
        add(&mut plane[9], y, &row.centre[0]);
        add(&mut plane[10], y, &row.centre[1]);
        add(&mut plane[11], y, &row.rest);
    }
    for a in 1..4 {
        let from = row_of(a) + 4 - a;
        sums[from..from + 4].copy_from_slice(&plane[4 * (a - 1)..4 * a]);
    }
    let mut form = [[0.0_f32; LANES]; 10];
    for row in rows {
        add(&mut form[0], &row.radius, &row.radius);
        add(&mut form[1], &row.radius, &row.centre[0]);
        add(&mut form[2], &row.radius, &row.centre[1]);
        add(&mut form[3], &row.radius, &row.rest);
        add(&mut form[4], &row.centre[0], &row.centre[0]);
        add(&mut form[5], &row.centre[0], &row.centre[1]);
        add(&mut form[6], &row.centre[0], &row.rest);
        add(&mut form[7], &row.centre[1], &row.centre[1]);
        add(&mut form[8], &row.centre[1], &row.rest);
        add(&mut form[9], &row.rest, &row.rest);
    }
    sums[row_of(4)..].copy_from_slice(&form);
    sums
}

/// The same for a model without depth: the derivatives by radius and centre are 0.
#[inline(always)]
fn sums_of_nothing(blocks: &[Block], rows: &[Row]) -> [Lanes; PRODUCTS] {
    let mut own = [[0.0_f32; LANES]; 9];
    for (Block { x, y, .. }, row) in blocks.iter().zip(rows) {
        add(&mut own[0], &row.depth, &row.depth);
        plus(&mut own[1], &row.depth);
        add(&mut own[2], &row.depth, x);
        add(&mut own[3], &row.depth, y);
        add(&mut own[4], &row.depth, &row.rest);
        plus(&mut own[5], &row.rest);
        add(&mut own[6], x, &row.rest);
        add(&mut own[7], y, &row.rest);
        add(&mut own[8], &row.rest, &row.rest);
    }
    let mut sums = [[0.0_f32; LANES]; PRODUCTS];
    sums[..4].copy_from_slice(&own[..4]);
    for a in 0..4 {
        sums[row_of(a) + UNKNOWNS - a] = own[4 + a];
    }
    sums[PRODUCTS - 1] = own[8];
    sums
}

/// The products of a model of one shape.
struct Products<'a> {
    blocks: &'a [Block],
    rows: &'a mut [Row],
    p: &'a [f64; UNKNOWNS],
    shape: Shape,
}

impl Products<'_> {
    #[inline(always)]
    fn of<P: Profile>(self) -> [Lanes; PRODUCTS] {
        if self.p[..4] == [0.0; 4] {
            nothing::<P>(self.blocks, self.p, self.rows);
            sums_of_nothing(self.blocks, self.rows)
        } else {
            model::<P>(self.blocks, self.p, self.rows);
            sums(self.blocks, self.rows)
        }
    }
}

impl Work for Products<'_> {
    type Output = [Lanes; PRODUCTS];

    #[inline(always)]
    fn call(self) -> Self::Output {
        match self.shape {
            Shape::Cosine => self.of::<Cosine>(),
            Shape::Power(2.0) => self.of::<Power<4>>(),
            Shape::Power(1.5) => self.of::<Power<3>>(),
            Shape::Power(3.0) => self.of::<Power<6>>(),
            Shape::Power(_) => self.of::<Power<10>>(),
        }
    }
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
