//! Melanin as ultraviolet light shows it.
//!
//! Melanin absorbs ultraviolet light more strongly than visible light, blood less, so that
//! a picture under it shows spots that the eye hardly sees. How much more depends on lamp
//! and filter; no device states it, so it is taken from the scan's own spots and red areas:
//! a picture that does not show them clearly is not used. What it adds is moved into the
//! colour of the visible picture along melanin's direction, so that spots are found and
//! outlined as ever.

use std::sync::Arc;

use rayon::prelude::*;

use crate::chromophores::{PART, apply, cell_noise, least_error_form, plane};
use crate::extent::Increment;
use crate::field::{Field, quantile, weighted_quantile};
use crate::pigment::{density_step, median_step};
use crate::redness::Look;
use crate::wide::Wide;

/// From so many clear spots (red areas) on they tell the picture's response to melanin
/// (blood) …
const LEAST_SPOTS: usize = 5;
const LEAST_RED_AREAS: usize = 4;
/// … if half of them lie within this share of their median, and it is so many times that
/// of green, in which visible light shows melanin without much noise.
const MOST_SCATTER: f32 = 0.35;
const LEAST_RESPONSE: f64 = 1.15;
/// A spot or red area that is clear: CIEDE2000, or difference of a*.
const CLEAR_DE00: f64 = 3.0;
const CLEAR_A: f64 = 2.5;
/// Blood's response for each unit of its density in green, where no red area tells.
const BLOOD_RESPONSE: f64 = 0.5;
/// Pits and folds are darker under a lamp that has gloss or stands aside by this much of
/// their density.
const PIT_RESPONSE: f64 = 1.3;
/// Standard deviations in density: light and blood as in visible light, pits, and melanin
/// that only one of the two shows.
const LIGHT: f64 = 0.04;
const BLOOD: f64 = 0.06;
const PITS: f64 = 0.02;
const HIDDEN: f64 = 0.02;

/// What a picture under ultraviolet light shows, in cells of the field.
pub(crate) struct Ultraviolet {
    /// The mean of the channels, each by its noise.
    density: Vec<f32>,
    weight: Arc<Vec<f32>>,
    noise: f64,
}

impl Ultraviolet {
    /// Of its colour: it has only one, whatever the channels.
    pub(crate) fn of(field: Field) -> Self {
        let weight = field.noise.map(|n| 1.0 / (n * n).max(1e-8));
        let sum: f64 = weight.iter().sum();
        Self {
            density: plane(&field, weight.map(|w| w / sum)),
            // Channels of one colour share much of their noise.
            noise: field.noise.into_iter().fold(f64::INFINITY, f64::min),
            weight: field.weight,
        }
    }
}

/// The colour of the skin with the melanin that ultraviolet light shows; `None` where that
/// picture does not show the spots that visible light shows, more clearly.
/// `seen` is in the cells of `wide`.
pub(crate) fn fused(
    visible: &Field,
    wide: &Wide,
    seen: &Look,
    ultraviolet: &Ultraviolet,
) -> Option<Field> {
    let density = &ultraviolet.density;
    let wide_density = wide.means(density, &ultraviolet.weight, visible.width);
    let [melanin, blood] = seen.directions.spectra();
    let [read_melanin, read_blood] = seen.directions.forms(visible.noise);
    let clear: Vec<(f32, f32)> = seen
        .spots
        .iter()
        .filter(|s| s.contrast_de00 > CLEAR_DE00)
        .filter_map(|s| response(&wide.field, &wide_density, &s.increment, read_melanin))
        .collect();
    let melanin_response = agreed(clear, LEAST_SPOTS)?;
    if melanin_response < LEAST_RESPONSE * melanin[1] {
        return None;
    }
    let clear: Vec<(f32, f32)> = seen
        .red_areas
        .iter()
        .filter(|r| r.contrast_a > CLEAR_A)
        .filter_map(|r| response(&wide.field, &wide_density, &r.increment, read_blood))
        .collect();
    let blood_response = agreed(clear, LEAST_RED_AREAS).unwrap_or(BLOOD_RESPONSE * blood[1]);

    let with = |[r, g, b]: [f64; 3], ultraviolet: f64| [r, g, b, ultraviolet];
    let [r, g, b] = visible.noise;
    let form = least_error_form::<4, 5>(
        with(melanin, melanin_response),
        &[
            (with([1.0; 3], 1.0), LIGHT),
            (with(blood, blood_response), BLOOD),
            (with([1.0; 3], PIT_RESPONSE), PITS),
            (with(melanin, 0.0), HIDDEN),
        ],
        [r, g, b, ultraviolet.noise],
    );
    // What the four channels read beyond the visible three.
    let mut more = plane(visible, [0, 1, 2].map(|k| form[k] - read_melanin[k]));
    let share = form[3] as f32;
    more.par_chunks_mut(PART)
        .zip(density.par_chunks(PART))
        .for_each(|(more, density)| {
            for (m, d) in more.iter_mut().zip(density) {
                *m += share * d;
            }
        });
    let both = |i: usize| visible.weight[i] > 0.0 && ultraviolet.weight[i] > 0.0;
    let mut usual: Vec<f32> = (0..visible.len())
        .step_by(7)
        .filter(|&i| both(i))
        .map(|i| more[i])
        .collect();
    let usual = quantile(&mut usual, 0.5)?;
    more.par_chunks_mut(PART)
        .zip(visible.weight.par_chunks(PART))
        .zip(ultraviolet.weight.par_chunks(PART))
        .for_each(|((more, a), b)| {
            for ((m, a), b) in more.iter_mut().zip(a).zip(b) {
                *m = if (*a > 0.0) & (*b > 0.0) {
                    *m - usual
                } else {
                    0.0
                };
            }
        });
    let mut out = visible.with_density([0, 1, 2].map(|k| {
        let share = melanin[k] as f32;
        let mut plane = vec![0.0_f32; visible.len()];
        (plane
            .par_chunks_mut(PART)
            .zip(visible.density[k].par_chunks(PART)))
        .zip(more.par_chunks(PART))
        .for_each(|((plane, density), more)| {
            for ((o, d), m) in plane.iter_mut().zip(density).zip(more) {
                *o = d + share * m;
            }
        });
        plane
    }));
    out.noise = cell_noise(&out);
    Some(out)
}

/// The step of a density for each unit of what a form reads of the colour's step, and what
/// that says.
fn response(
    visible: &Field,
    density: &[f32],
    one: &Increment,
    form: [f64; 3],
) -> Option<(f32, f32)> {
    let amount = apply(form, density_step(visible, one)?);
    let step = median_step(density, one)?;
    let size = (one.area_mm2 as f32).min(20.0);
    (amount > 0.0).then(|| (step / amount, amount * size.sqrt()))
}

/// The weighted median of responses, if there are enough and they agree.
fn agreed(mut responses: Vec<(f32, f32)>, least: usize) -> Option<f64> {
    if responses.len() < least {
        return None;
    }
    let median = weighted_quantile(&mut responses, 0.5)?;
    for r in &mut responses {
        r.0 = (r.0 - median).abs();
    }
    let scatter = weighted_quantile(&mut responses, 0.5)?;
    (median > 0.0 && scatter <= MOST_SCATTER * median).then_some(f64::from(median))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_count_only_where_they_agree() {
        let even = |r: &[f32]| r.iter().map(|&r| (r, 1.0)).collect::<Vec<_>>();
        let close = even(&[1.6, 1.7, 1.8, 1.7, 1.65]);
        assert!((agreed(close.clone(), 5).unwrap() - 1.7).abs() < 1e-6);
        assert_eq!(agreed(close, 6), None);
        assert_eq!(agreed(even(&[0.2, 3.0, 1.0, 0.1, 5.0]), 5), None);
        assert_eq!(agreed(even(&[-1.0, -1.1, -1.0, -0.9, -1.0]), 5), None);
    }
}
