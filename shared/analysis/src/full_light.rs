//! Which of a scan's levels of light is full light.
//!
//! No picture says so. Light is thought of as a slow drift over the face, one lamp that skin
//! receives by how it faces it (Lambert), and patches. Skin that faces a lamp has its full
//! light; drift and patches are brighter here and darker there than the light that was meant,
//! which is their mean over the skin. The normals of the surface tell them apart: they turn
//! within a nose, where patches hardly change, so that a lamp is believed by generalised least
//! squares under patches of some centimetres (Aitken 1935, doi 10.1017/S0370164600014346).
//! Where the surface does not bend, nothing is known: there the upper quartile stands for full
//! light.

use dermalia_surface::{Vec3, Work, dot, in_vectors};

use crate::field::weighted_quantile;

/// Drift is a polynomial of this degree in the two coordinates across the face: what of a
/// gradient a quadratic one leaves looks like a lamp.
const DEGREE: u32 = 3;
/// Coordinates are divided by it, so that powers stay about 1.
const FACE_MM: f64 = 80.0;
/// Of what a term of the polynomial is worth, the part that the lower terms must leave.
const LEAST_LEFT: f64 = 1e-6;
/// Lamps that are tried, evenly over the directions up to 75 degrees from the front: some
/// 7 degrees apart, which moves full light by half a per cent.
const LAMPS: usize = 400;
const LEAST_FRONTAL: f64 = 0.26;
/// Patches are alike over these distances (standard deviation of a Gaussian), half of their
/// variance over each. A piece of mean size has so much of a patch's variance of its own.
const PATCHES_MM: [f64; 2] = [14.0, 28.0];
const OWN: f64 = 0.04;
/// A small piece has more of it, up to so many times.
const MOST_OWN: f64 = 100.0;
/// The variance that drift may have, in that of patches: it may be anything.
const DRIFT: f64 = 100.0;
/// Variance of light of no concern: of a thousandth of it.
const EVEN: f64 = 1e-6;
/// Lamps are weighed as so many pairs of independent readings weigh them: a face has
/// about that many places further apart than twice the reach of the light's mean.
const PAIRS: f64 = 60.0;
/// A lamp's variance, in that by which chance would make one, of which half is believed.
/// Patches show up to 8, lamps from 60 on and mostly thousands.
const CHANCE: f64 = 15.0;
/// Variance of a lamp's light, beside drift, of which half is trusted; a face has 0.015.
const BENT: f64 = 1e-4;
/// Pieces that differ by more than so many times the median from drift and the best lamp are
/// left out, unless they differ by less than this share of the light: a shadow is cast there,
/// or something is no skin.
const FAR: f64 = 5.0;
const LEAST_FAR: f64 = 0.03;
/// More pieces than this, the largest, take too long.
const MOST_PIECES: usize = 1000;

/// A piece of skin of some millimetres.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    /// Its light as a factor of that of the upper quartile.
    pub(crate) light: f64,
    /// Its surface, or anything in proportion to it.
    pub(crate) weight: f64,
    /// Its middle, z to the front, in millimetres.
    pub(crate) position: Vec3,
    /// The mean of its unit normals.
    pub(crate) normal: Vec3,
}

/// Full light and the mean light of pieces, as factors of the upper quartile.
pub(crate) fn full_and_mean(pieces: &[Piece]) -> [f64; 2] {
    let pieces = ordinary(largest(pieces));
    let Some(skin) = Skin::of(&pieces) else {
        return [1.0; 2];
    };
    let lamps = skin.lamps();
    let believed = skin.believed();
    let least = (believed.iter()).fold(f64::INFINITY, |least, b| least.min(b.left));
    let (mut total, mut above, mut evidence, mut bent) = (0.0, 0.0, 0.0, 0.0);
    for (lamp, believed) in lamps.iter().zip(&believed) {
        let weight = libm::pow((least + EVEN) / (believed.left + EVEN), PAIRS);
        total += weight;
        above += weight * lamp.above_mean();
        evidence += weight * believed.evidence;
        bent += weight * lamp.beside_drift;
    }
    let [above, evidence, bent] = [above, evidence, bent].map(|sum| sum / total);
    let full = skin.mean + borne_out(evidence) * above;
    [1.0 + trusted(bent) * (full - 1.0), skin.mean]
}

/// How far a lamp of some evidence is believed, up to 1.
fn borne_out(evidence: f64) -> f64 {
    evidence / (evidence + CHANCE)
}

/// How far normals that turn so much are trusted to tell one, up to 1.
fn trusted(bent: f64) -> f64 {
    bent / (bent + BENT)
}

/// A lamp, and what skin that is turned away from it lacks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    /// The direction to it.
    pub(crate) to: Vec3,
    /// The share of full light; 0 where no lamp is borne out.
    pub(crate) share: f64,
}

/// The lamp that is borne out best.
pub(crate) fn lamp(pieces: &[Piece]) -> Option<Found> {
    let pieces = ordinary(largest(pieces));
    let skin = Skin::of(&pieces)?;
    let believed = skin.believed();
    let best = (0..LAMPS).min_by(|&a, &b| believed[a].left.total_cmp(&believed[b].left))?;
    let lamp = &skin.lamps()[best];
    let full = skin.mean + lamp.above_mean();
    let trust = borne_out(believed[best].evidence) * trusted(lamp.beside_drift);
    Some(Found {
        to: direction(best),
        share: trust * (lamp.strength() / full).clamp(0.0, 1.0),
    })
}

/// The largest pieces, in their order.
fn largest(pieces: &[Piece]) -> Vec<Piece> {
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    if order.len() > MOST_PIECES {
        order.sort_by(|&a, &b| pieces[b].weight.total_cmp(&pieces[a].weight));
        order.truncate(MOST_PIECES);
        order.sort_unstable();
    }
    order.into_iter().map(|p| pieces[p]).collect()
}

/// The pieces without those whose light neither drift nor the best lamp explains.
fn ordinary(mut pieces: Vec<Piece>) -> Vec<Piece> {
    let Some(skin) = Skin::of(&pieces) else {
        return pieces;
    };
    let lamps = skin.lamps();
    let best = (0..LAMPS).max_by(|&a, &b| lamps[a].explained().total_cmp(&lamps[b].explained()));
    let best = best.unwrap_or_default();
    let mut received: Vec<f64> = skin.received.chunks(LAMPS).map(|row| row[best]).collect();
    skin.drift.take_off(&mut received, &skin.weights);
    let strength = lamps[best].strength();
    let far: Vec<f64> = (skin.rest.iter().zip(received))
        .map(|(rest, received)| (rest - strength * received).abs())
        .collect();
    let mut levels: Vec<(f32, f32)> = (far.iter().zip(&skin.weights))
        .map(|(far, weight)| (*far as f32, *weight as f32))
        .collect();
    let median = weighted_quantile(&mut levels, 0.5).map_or(0.0, f64::from);
    let most = (FAR * median).max(LEAST_FAR);
    let mut far = far.into_iter();
    pieces.retain(|_| far.next().is_some_and(|far| far <= most));
    pieces
}

/// Pieces of skin with their light, and what each would receive of each lamp.
struct Skin<'a> {
    pieces: &'a [Piece],
    /// Their sum is 1.
    weights: Vec<f64>,
    drift: Drift,
    mean: f64,
    /// The light that drift leaves.
    rest: Vec<f64>,
    /// Of lamps of strength 1, those of one piece side by side.
    received: Vec<f64>,
}

impl<'a> Skin<'a> {
    /// `None` if there is none.
    fn of(pieces: &'a [Piece]) -> Option<Self> {
        let mass: f64 = pieces.iter().map(|p| p.weight).sum();
        if mass <= 0.0 {
            return None;
        }
        let weights: Vec<f64> = pieces.iter().map(|p| p.weight / mass).collect();
        let drift = Drift::of(pieces, &weights);
        let mut rest: Vec<f64> = pieces.iter().map(|p| p.light).collect();
        let mean = product(&rest, &drift.forms[0], &weights);
        drift.take_off(&mut rest, &weights);
        let directions: Vec<Vec3> = (0..LAMPS).map(direction).collect();
        let faces = |p: &Piece, to: &Vec3| f64::from(dot(p.normal, *to).max(0.0));
        let received = pieces
            .iter()
            .flat_map(|p| directions.iter().map(move |to| faces(p, to)))
            .collect();
        Some(Self {
            pieces,
            weights,
            drift,
            mean,
            rest,
            received,
        })
    }

    /// What each lamp explains of the light that drift leaves, by plain least squares.
    fn lamps(&self) -> Vec<Lamp> {
        let with = |other: &[f64]| {
            let shares: Vec<f64> = other
                .iter()
                .zip(&self.weights)
                .map(|(o, w)| o * w)
                .collect();
            let mut sums = vec![0.0; LAMPS];
            in_vectors(Adding {
                rows: &self.received,
                shares: &shares,
                sums: &mut sums,
            });
            sums
        };
        let mut squares = vec![0.0; LAMPS];
        for (row, weight) in self.received.chunks(LAMPS).zip(&self.weights) {
            (squares.iter_mut().zip(row)).for_each(|(sum, v)| *sum += weight * v * v);
        }
        let drifting: Vec<Vec<f64>> = self.drift.forms.iter().map(|form| with(form)).collect();
        let common = with(&self.rest);
        (0..LAMPS)
            .map(|l| Lamp {
                mean: drifting[0][l],
                common: common[l].max(0.0),
                beside_drift: drifting
                    .iter()
                    .fold(squares[l], |left, sums| left - sums[l] * sums[l])
                    .max(0.0),
            })
            .collect()
    }

    /// How well each lamp is borne out where light may have patches.
    fn believed(&self) -> Vec<Believed> {
        let columns = LAMPS + 1;
        // The light itself stands beside the lamps.
        let mut rows: Vec<f64> = (self.received.chunks(LAMPS).zip(&self.rest))
            .flat_map(|(row, rest)| row.iter().chain([rest]).copied())
            .collect();
        in_vectors(Whitening {
            patches: &mut self.patches(),
            rows: &mut rows,
            columns,
        });
        let (mut common, mut squares) = (vec![0.0; columns], vec![0.0; columns]);
        for row in rows.chunks(columns) {
            let light = row[LAMPS];
            for ((common, square), v) in common.iter_mut().zip(&mut squares).zip(row) {
                *common += light * v;
                *square += v * v;
            }
        }
        let (all, count) = (squares[LAMPS], self.pieces.len() as f64);
        (common.iter().zip(squares).take(LAMPS))
            .map(|(common, square)| {
                let explained = common.max(0.0).powi(2) / (square + f64::EPSILON);
                let left = (all - explained).max(0.0) / count;
                Believed {
                    left,
                    evidence: explained / (left + EVEN),
                }
            })
            .collect()
    }

    /// How patches, and drift of any size, vary together from piece to piece: row by row, from
    /// the diagonal on.
    fn patches(&self) -> Vec<f64> {
        let count = self.pieces.len();
        let mean = 1.0 / count as f64;
        let mut out = vec![0.0; count * count];
        for (i, (a, row)) in (self.pieces.iter())
            .zip(out.chunks_exact_mut(count))
            .enumerate()
        {
            for (j, b) in self.pieces.iter().enumerate().skip(i) {
                let away: f64 = (a.position.iter().zip(b.position))
                    .map(|(a, b)| f64::from(a - b).powi(2))
                    .sum();
                let alike = PATCHES_MM.map(|mm| 0.5 * libm::exp(-0.5 * away / (mm * mm)));
                let own = if i == j {
                    OWN * (mean / self.weights[i]).min(MOST_OWN)
                } else {
                    0.0
                };
                let drift: f64 = self.drift.forms.iter().map(|form| form[i] * form[j]).sum();
                row[j] = alike[0] + alike[1] + own + DRIFT * drift;
            }
        }
        out
    }
}

/// The sums of some rows, each times a share.
struct Adding<'a> {
    rows: &'a [f64],
    shares: &'a [f64],
    sums: &'a mut [f64],
}

impl Work for Adding<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (row, share) in self.rows.chunks(self.sums.len()).zip(self.shares) {
            for (sum, v) in self.sums.iter_mut().zip(row) {
                *sum += share * v;
            }
        }
    }
}

/// Makes what varies together independent and of variance 1: a triangular root of `patches`
/// (Cholesky), by which `rows` of so many columns are divided.
struct Whitening<'a> {
    patches: &'a mut [f64],
    rows: &'a mut [f64],
    columns: usize,
}

impl Work for Whitening<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let count = self.rows.len() / self.columns;
        let mut patches = self.patches;
        let mut rows = self.rows;
        for i in 0..count {
            let (own, below) = patches.split_at_mut(count);
            let (own_row, rows_below) = rows.split_at_mut(self.columns);
            let scale = 1.0 / own[i].max(EVEN).sqrt();
            own[i..].iter_mut().for_each(|v| *v *= scale);
            own_row.iter_mut().for_each(|v| *v *= scale);
            let others =
                (below.chunks_exact_mut(count)).zip(rows_below.chunks_exact_mut(self.columns));
            for (j, (other, other_row)) in (i + 1..).zip(others) {
                let share = own[j];
                for (o, v) in other[j..].iter_mut().zip(&own[j..]) {
                    *o -= share * v;
                }
                for (o, v) in other_row.iter_mut().zip(&*own_row) {
                    *o -= share * v;
                }
            }
            (patches, rows) = (below, rows_below);
        }
    }
}

/// What one lamp has to do with the light that drift leaves.
struct Lamp {
    /// What skin receives of it on the mean.
    mean: f64,
    /// Its product with that light.
    common: f64,
    /// Variance of a lamp of strength 1, beside what drift can look like.
    beside_drift: f64,
}

impl Lamp {
    fn strength(&self) -> f64 {
        self.common / (self.beside_drift + f64::EPSILON)
    }

    fn explained(&self) -> f64 {
        self.strength() * self.common
    }

    /// How much brighter skin that faces it is than skin on the mean.
    fn above_mean(&self) -> f64 {
        self.strength() * (1.0 - self.mean)
    }
}

/// How well a lamp is borne out.
struct Believed {
    /// The variance of the patches that it leaves.
    left: f64,
    /// What it explains, in that by which chance would make a lamp.
    evidence: f64,
}

/// The weighted mean of a product.
fn product(a: &[f64], b: &[f64], weights: &[f64]) -> f64 {
    (a.iter().zip(b).zip(weights))
        .map(|((a, b), w)| w * a * b)
        .sum()
}

/// Takes off as much of a form as there is of it.
fn without(values: &mut [f64], form: &[f64], weights: &[f64]) {
    let share = product(values, form, weights);
    values
        .iter_mut()
        .zip(form)
        .for_each(|(v, f)| *v -= share * f);
}

/// All that a slow drift can be.
struct Drift {
    /// Forms of mean square 1 that have nothing in common with each other; the first is even.
    forms: Vec<Vec<f64>>,
}

impl Drift {
    fn of(pieces: &[Piece], weights: &[f64]) -> Self {
        let column = |k: usize| pieces.iter().map(move |p| f64::from(p.position[k]));
        let middle = [0, 1].map(|k| column(k).zip(weights).map(|(c, w)| c * w).sum::<f64>());
        let at = |k: usize| -> Vec<f64> { column(k).map(|c| (c - middle[k]) / FACE_MM).collect() };
        let [x, y] = [at(0), at(1)];
        let mut forms: Vec<Vec<f64>> = vec![vec![1.0; pieces.len()]];
        for (i, j) in (1..=DEGREE).flat_map(|n| (0..=n).map(move |j| (n - j, j))) {
            let power = |(x, y): (&f64, &f64)| {
                (0..i).map(|_| x).product::<f64>() * (0..j).map(|_| y).product::<f64>()
            };
            let mut form: Vec<f64> = x.iter().zip(&y).map(power).collect();
            let before = product(&form, &form, weights);
            // Twice, since the first time leaves what rounding does.
            for lower in forms.iter().chain(&forms) {
                without(&mut form, lower, weights);
            }
            let left = product(&form, &form, weights);
            if left > LEAST_LEFT * before {
                form.iter_mut().for_each(|v| *v /= left.sqrt());
                forms.push(form);
            }
        }
        Self { forms }
    }

    fn take_off(&self, values: &mut [f64], weights: &[f64]) {
        for form in &self.forms {
            without(values, form, weights);
        }
    }
}

/// The direction to a lamp: on a spiral whose turns are as far apart as its points.
fn direction(lamp: usize) -> Vec3 {
    let golden = std::f64::consts::PI * (3.0 - 5.0_f64.sqrt());
    let z = 1.0 - (lamp as f64 + 0.5) / LAMPS as f64 * (1.0 - LEAST_FRONTAL);
    let (across, turn) = ((1.0 - z * z).sqrt(), golden * lamp as f64);
    [across * libm::cos(turn), across * libm::sin(turn), z].map(|c| c as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermalia_surface::normalize;

    /// A face of sorts: half an ellipsoid with a nose, in steps of 6 mm.
    fn face(light: impl Fn(Vec3, Vec3) -> f64) -> Vec<Piece> {
        let height = |x: f32, y: f32| {
            let side = 1.0 - (x / 80.0).powi(2) - (y / 105.0).powi(2);
            let nose = (-(x / 12.0).powi(2) - (y / 22.0).powi(2)).exp();
            (side > 0.12).then(|| 75.0 * side.sqrt() + 22.0 * nose)
        };
        let mut pieces = vec![];
        for row in -17..=17_i16 {
            for column in -13..=13_i16 {
                let (x, y) = (6.0 * f32::from(column), 6.0 * f32::from(row));
                let (Some(z), Some(right), Some(up)) =
                    (height(x, y), height(x + 1.0, y), height(x, y + 1.0))
                else {
                    continue;
                };
                let slope = [z - right, z - up, 1.0];
                let (position, normal) = ([x, y, z], normalize(slope));
                pieces.push(Piece {
                    light: light(position, normal),
                    weight: f64::from(1.0 / normal[2]),
                    position,
                    normal,
                });
            }
        }
        pieces
    }

    /// A lamp with so much light from all around.
    fn lamp(normal: Vec3, around: f64) -> f64 {
        let to = normalize([0.45, 0.3, 0.8]);
        around + (1.0 - around) * f64::from(dot(normal, to).max(0.0))
    }

    fn gradient(p: Vec3) -> f64 {
        1.0 + 0.003 * f64::from(p[0]) - 0.002 * f64::from(p[1]) + 1.5e-5 * f64::from(p[0] * p[1])
    }

    #[test]
    fn even_light_is_full() {
        let found = full_and_mean(&face(|_, _| 1.0));
        assert!(found.iter().all(|v| (v - 1.0).abs() < 1e-9), "{found:?}");
        assert_eq!(full_and_mean(&[]), [1.0; 2]);
    }

    #[test]
    fn the_full_light_of_a_drift_is_its_mean() {
        let [full, mean] = full_and_mean(&face(|p, _| 0.9 * gradient(p)));
        assert!((mean - 0.9).abs() < 0.03, "{mean}");
        assert!((full - mean).abs() < 0.003, "{full} {mean}");
    }

    #[test]
    fn skin_that_faces_a_lamp_has_its_full_light() {
        for around in [0.2, 0.4, 0.6] {
            let [full, mean] = full_and_mean(&face(|_, n| lamp(n, around)));
            assert!((full - 1.0).abs() < 0.02, "{around}: {full}");
            assert!(mean < 0.95 - 0.25 * (1.0 - around), "{around}: {mean}");
        }
        let [full, _] = full_and_mean(&face(|p, n| lamp(n, 0.4) * gradient(p)));
        assert!((full - 1.0).abs() < 0.03, "{full}");
    }

    /// Patches of some centimetres; their mean over a face is not quite 1.
    fn patches(p: Vec3, phase: f32) -> f64 {
        let wave = |k: usize, mm: f32| (p[k] / mm + phase).sin();
        let both = wave(0, 9.0) * wave(1, 11.0) + wave(0, 17.0) + wave(1, 14.0) * wave(2, 20.0);
        f64::from(1.0 + 0.06 * both)
    }

    /// They are no lamp, and where there is one they hide little of it.
    #[test]
    fn patches_are_brighter_and_darker_than_their_light() {
        for phase in [0.0, 1.0, 2.0, 3.0, 4.0] {
            let [full, mean] = full_and_mean(&face(|p, _| patches(p, phase)));
            assert!((full - mean).abs() < 0.02, "{phase}: {full} {mean}");
            let [full, _] = full_and_mean(&face(|p, n| lamp(n, 0.4) * patches(p, phase)));
            assert!((full - 1.0).abs() < 0.05, "{phase}: {full}");
        }
    }

    /// A fringe's shadow, or what is no skin.
    #[test]
    fn a_dark_place_moves_full_light_little() {
        let dark = |p: Vec3| if p[1] > 78.0 { 0.3 } else { 1.0 };
        let [full, _] = full_and_mean(&face(|p, n| lamp(n, 0.4) * dark(p)));
        assert!((full - 1.0).abs() < 0.03, "{full}");
        let [full, _] = full_and_mean(&face(|p, _| gradient(p) * dark(p)));
        assert!((full - 1.0).abs() < 0.03, "{full}");
    }

    /// A weaker lamp moves full light less: nothing decides between two answers.
    #[test]
    fn full_light_follows_the_lamp_steadily() {
        let full = |share: f64| {
            full_and_mean(&face(|p, n| {
                share * lamp(n, 0.3) + (1.0 - share) * gradient(p)
            }))[0]
        };
        let found: Vec<f64> = (0..=20).map(|k| full(f64::from(k) / 20.0)).collect();
        for pair in found.windows(2) {
            assert!((pair[1] - pair[0]).abs() < 0.02, "{found:?}");
        }
    }

    #[test]
    fn where_the_surface_does_not_bend_the_upper_quartile_stays() {
        let mut flat = face(|p, _| 0.8 * gradient(p));
        flat.iter_mut().for_each(|p| p.normal = [0.0, 0.0, 1.0]);
        let [full, _] = full_and_mean(&flat);
        assert!((full - 1.0).abs() < 1e-6, "{full}");
    }
}
