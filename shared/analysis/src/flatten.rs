//! Skin colour with the unevenness of the light taken out.
//!
//! Light moves optical density along (1, 1, 1) only. The linear form that neither
//! chromophore moves reads it, and its low pass is the illumination. All skin is brought
//! to the illumination that the upper quarter of the face receives: without a light
//! standard there is no absolute one, exposures are set for the skin that faces the lamp,
//! and light falls off from there. Under even light every choice is the same.

use crate::baseline::low_pass;
use crate::chromophores::{Directions, plane};
use crate::colour::{Lab, lab_from_density};
use crate::field::{Field, weighted_quantile};
use rayon::prelude::*;

/// Finer than the slope of a cheek, coarser than any fold.
const REACH_MM: f32 = 6.0;

/// The quantile of the illumination that stands for full light.
const LIT: f64 = 0.75;

/// So many cells tell a median as well as more: colour that scatters by 0.05 in density has it
/// to 0.0003.
const ENOUGH: usize = 60_000;

/// The illumination of every cell.
#[derive(Debug, Clone)]
pub(crate) struct Illumination {
    /// Optical density above that of full light; positive is darker.
    pub(crate) density: Vec<f32>,
    /// Half the range of 90 % of the skin, as a factor of the light less 1.
    pub(crate) unevenness: f64,
}

impl Illumination {
    /// Reads the light off the cells that have weight.
    pub(crate) fn of(field: &Field, weight: &[f32], directions: Directions) -> Self {
        let plane = plane(field, directions.shading_form(field.noise));
        let mut density = low_pass(field, &plane, weight, REACH_MM);
        let mut levels: Vec<(f32, f32)> = (0..field.len())
            .step_by(field.len() / ENOUGH + 1)
            .filter(|&i| weight[i] > 0.0)
            .map(|i| (density[i], weight[i] * field.area_mm2[i]))
            .collect();
        let mut at = |q: f64| weighted_quantile(&mut levels, q).unwrap_or(0.0);
        let (low, lit, high) = (at(0.05), at(1.0 - LIT), at(0.95));
        density.par_iter_mut().for_each(|d| *d -= lit);
        Self {
            density,
            unevenness: libm::exp(0.5 * f64::from(high - low)) - 1.0,
        }
    }
}

/// The colour of a stretch of skin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Level {
    /// Optical density in R, G, B at full light.
    pub(crate) density: [f64; 3],
    /// The same in CIELAB.
    pub(crate) lab: Lab,
    /// The skin it was read off, in mm2.
    pub(crate) area_mm2: f64,
}

/// The median colour of some cells, each weighing its surface; `None` without any.
pub(crate) fn level(
    field: &Field,
    weight: &[f32],
    light: &Illumination,
    cells: &[u32],
) -> Option<Level> {
    let mass = |i: usize| weight[i] * field.area_mm2[i];
    let medians: Vec<Option<f32>> = (0..3)
        .into_par_iter()
        .map(|k| {
            let mut values: Vec<(f32, f32)> = cells
                .iter()
                .step_by(cells.len() / ENOUGH + 1)
                .map(|&c| {
                    let i = c as usize;
                    (field.density[k][i] - light.density[i], mass(i))
                })
                .collect();
            weighted_quantile(&mut values, 0.5)
        })
        .collect();
    let mut density = [0.0; 3];
    for (out, median) in density.iter_mut().zip(medians) {
        *out = f64::from(median?);
    }
    Some(Level {
        density,
        lab: lab_from_density(density),
        area_mm2: cells.iter().map(|&c| f64::from(mass(c as usize))).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::{HAEMOGLOBIN, MELANIN_SPECTRAL, ita_deg};
    use crate::field::{Extent, Sample};

    /// Two halves of different pigment under a light that halves from left to right: the
    /// halves keep their difference and the light goes.
    #[test]
    fn light_goes_and_pigment_stays() {
        let side = 600;
        let pigment = |y: usize| if y < side / 2 { 0.4 } else { 0.8 };
        let colour = |m: f64, s: f64| {
            [0, 1, 2].map(|k| (m * MELANIN_SPECTRAL[k] + 0.3 * HAEMOGLOBIN[k] + s) as f32)
        };
        let extent = Extent {
            origin: [0, 0],
            size: [side, side],
            px_mm: [0.15, 0.15],
            aim_mm: 0.15,
        };
        let field = Field::reduce(extent, |x, y| {
            let s = 0.3 + 0.7 * x as f64 / side as f64;
            Some(Sample {
                density: colour(pigment(y), s),
                area_mm2: 0.0225,
                usable: true,
            })
        });
        let directions = Directions {
            melanin_deg: crate::chromophores::angle_deg(MELANIN_SPECTRAL),
            ..Directions::default()
        };
        let light = Illumination::of(&field, &field.weight, directions);
        assert!(
            (light.unevenness - 0.37).abs() < 0.03,
            "{}",
            light.unevenness
        );
        for (top, m) in [(true, 0.4), (false, 0.8)] {
            let half = (side * side / 2) as u32;
            let cells: Vec<u32> = if top {
                (0..half).collect()
            } else {
                (half..2 * half).collect()
            };
            let found = level(&field, &field.weight, &light, &cells).unwrap();
            let want = lab_from_density(colour(m, 0.475).map(f64::from));
            let error = ita_deg(found.lab).unwrap() - ita_deg(want).unwrap();
            assert!(error.abs() < 0.3, "{error}");
        }
    }
}
