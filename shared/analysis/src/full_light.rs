//! Which of a scan's levels of light is full light.
//!
//! No picture says so. Light is thought of as a slow drift over the face, one lamp that skin
//! receives by how it faces it (Lambert), and patches. Skin that faces a lamp has its full
//! light; a drift is brighter here and darker there than the light that was meant, which is
//! its mean over the skin. The normals of the surface tell the two apart. Of patches, and
//! where the surface does not bend, nothing is known: there the upper quartile stands for
//! full light.

use dermalia_surface::{Vec3, dot};
use rayon::prelude::*;

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
/// Variance of light of no concern: of half a per cent of it.
const EVEN: f64 = 2.5e-5;
/// Lamps are weighed as so many pairs of independent readings weigh them: a face has
/// some 60 places further apart than twice the reach of the light's mean.
const PAIRS: f64 = 30.0;
/// Variance of a lamp's light, beside drift, of which half is trusted; a face has 0.015.
const BENT: f64 = 1e-4;
/// The share of the light's variance in patches of which half is trusted.
const PATCHY: f64 = 0.2;

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
    let mass: f64 = pieces.iter().map(|p| p.weight).sum();
    if mass <= 0.0 {
        return [1.0; 2];
    }
    let weights: Vec<f64> = pieces.iter().map(|p| p.weight / mass).collect();
    let drift = Drift::of(pieces, &weights);
    let mut rest: Vec<f64> = pieces.iter().map(|p| p.light).collect();
    let mean = product(&rest, &drift.one, &weights);
    rest.iter_mut().for_each(|v| *v -= mean);
    let all = product(&rest, &rest, &weights);
    drift.take_off(&mut rest, &weights);
    let lamps: Vec<Lamp> = (0..LAMPS)
        .into_par_iter()
        .map(direction)
        .map(|to| Lamp::of(to, pieces, &weights, &drift, &rest))
        .collect();
    let least = lamps
        .iter()
        .map(|l| l.patches)
        .fold(f64::INFINITY, f64::min);
    let (mut total, mut above, mut patches, mut bent) = (0.0, 0.0, 0.0, 0.0);
    for lamp in &lamps {
        let weight = libm::pow((least + EVEN) / (lamp.patches + EVEN), PAIRS);
        total += weight;
        above += weight * lamp.above_mean;
        patches += weight * lamp.patches;
        bent += weight * lamp.beside_drift;
    }
    let [above, patches, bent] = [above, patches, bent].map(|sum| sum / total);
    let patchy = patches / (all + EVEN) / PATCHY;
    let trust = bent / (bent + BENT) / (1.0 + patchy * patchy);
    [1.0 + trust * (mean + above - 1.0), mean]
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
    one: Vec<f64>,
    /// Forms of mean square 1 that have nothing in common with each other.
    forms: Vec<Vec<f64>>,
}

impl Drift {
    fn of(pieces: &[Piece], weights: &[f64]) -> Self {
        let one = vec![1.0; pieces.len()];
        let column = |k: usize| pieces.iter().map(move |p| f64::from(p.position[k]));
        let middle = [0, 1].map(|k| column(k).zip(weights).map(|(c, w)| c * w).sum::<f64>());
        let at = |k: usize| -> Vec<f64> { column(k).map(|c| (c - middle[k]) / FACE_MM).collect() };
        let [x, y] = [at(0), at(1)];
        let mut forms: Vec<Vec<f64>> = vec![one.clone()];
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
        Self { one, forms }
    }

    fn take_off(&self, values: &mut [f64], weights: &[f64]) {
        for form in &self.forms {
            without(values, form, weights);
        }
    }
}

/// What one lamp explains of the light that drift leaves.
struct Lamp {
    /// How much brighter skin that faces it is than skin on the mean.
    above_mean: f64,
    /// Variance that is left.
    patches: f64,
    /// Variance of a lamp of strength 1, beside what drift can look like.
    beside_drift: f64,
}

impl Lamp {
    fn of(to: Vec3, pieces: &[Piece], weights: &[f64], drift: &Drift, rest: &[f64]) -> Self {
        let received = pieces.iter().map(|p| f64::from(dot(p.normal, to).max(0.0)));
        let received: Vec<f64> = received.collect();
        let with = |other: &[f64]| product(&received, other, weights);
        let mean = with(&drift.one);
        let drifting: f64 = drift.forms.iter().map(|form| with(form).powi(2)).sum();
        let beside_drift = (with(&received) - drifting).max(0.0);
        let common = with(rest).max(0.0);
        let all = product(rest, rest, weights);
        let strength = common / (beside_drift + f64::EPSILON);
        let explained = (strength * common).min(all);
        // By chance any light looks a little like some lamp. It counts by the correlation.
        let seen = (explained / (all + EVEN)).sqrt();
        Self {
            above_mean: seen * strength * (1.0 - mean),
            patches: all - explained,
            beside_drift,
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
