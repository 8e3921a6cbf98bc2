//! The sums of products that a fit of a profile asks for: samples side by side.

use dermalia_surface::Work;

use crate::profile::Shape;

/// Samples that are summed side by side.
pub(crate) const LANES: usize = 8;
pub(crate) type Lanes = [f32; LANES];
/// Depth, level, two slopes, radius and two coordinates of the centre.
pub(crate) const UNKNOWNS: usize = 7;
/// Products of two of the derivatives and the residual.
pub(crate) const PRODUCTS: usize = (UNKNOWNS + 1) * (UNKNOWNS + 2) / 2;

/// Some samples, lengths in units of the first guess of the radius, values about their
/// mean; one that fills up the last lanes counts nothing.
#[derive(Clone, Copy, Default)]
pub(crate) struct Block {
    pub(crate) x: Lanes,
    pub(crate) y: Lanes,
    pub(crate) z: Lanes,
    pub(crate) counts: Lanes,
}

/// Value and slope of a shape at squared relative radii, by sums, products and roots
/// alone.
pub(crate) trait Profile {
    fn lanes(q: &Lanes) -> (Lanes, Lanes);
}

pub(crate) struct Cosine;

/// `exp(-ln 2 r^n)`, n in halves.
pub(crate) struct Power<const HALVES: u32>;

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
pub(crate) fn add(sums: &mut Lanes, a: &Lanes, b: &Lanes) {
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

pub(crate) fn total(lanes: &Lanes) -> f64 {
    lanes.iter().map(|v| f64::from(*v)).sum()
}

/// Where the products of the derivatives `a` and of what comes after them begin.
pub(crate) const fn row_of(a: usize) -> usize {
    a * (UNKNOWNS + 1) - a * a.saturating_sub(1) / 2
}

/// What a model makes of some samples: its derivatives by depth, radius and centre, and
/// what it leaves.
#[derive(Clone, Copy, Default)]
pub(crate) struct Row {
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
pub(crate) struct Products<'a> {
    pub(crate) blocks: &'a [Block],
    pub(crate) rows: &'a mut [Row],
    pub(crate) p: &'a [f64; UNKNOWNS],
    pub(crate) shape: Shape,
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
