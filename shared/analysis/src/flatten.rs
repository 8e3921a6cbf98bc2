//! Skin colour with the unevenness of the light taken out.
//!
//! Light moves optical density along (1, 1, 1) only. The linear form that neither
//! chromophore moves reads it, and its low pass is the illumination. All skin is brought
//! to full light ([`full_and_mean`]): without a light standard there is no absolute one. Under
//! even light every choice is the same.

use crate::baseline::low_pass;
use crate::chromophores::{Directions, plane};
use crate::colour::{Lab, lab_from_density};
use crate::extent::Increment;
use crate::field::{Field, weighted_quantile};
use crate::full_light::{Piece, full_and_mean};
use crate::gaussian::gaussian;
use dermalia_surface::Vec3;
use rayon::prelude::*;

/// Finer than the slope of a cheek, coarser than any fold.
const REACH_MM: f32 = 6.0;

/// The quantile of the illumination that stands for full light where nothing tells more.
const LIT: f64 = 0.75;

/// The side of the pieces of skin that full light is found on: no finer than the low pass, and
/// on a large surface larger, so that there are about so many.
const PIECE_MM: f32 = 6.0;
const ENOUGH_PIECES: f32 = 800.0;

/// So many cells tell a median as well as more: colour that scatters by 0.05 in density has it
/// to 0.0003.
const ENOUGH: usize = 60_000;
/// So many cells tell where the pieces of skin face: some ten of a piece.
const ENOUGH_NORMALS: usize = 30_000;

/// The illumination of every cell.
#[derive(Debug, Clone)]
pub(crate) struct Illumination {
    /// Optical density above that of full light; positive is darker.
    pub(crate) density: Vec<f32>,
    /// How much it differs.
    pub(crate) unevenness: Unevenness,
}

/// How much the light on the skin differs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unevenness {
    /// Half the range of 90 % of the skin, as a factor of the light less 1.
    pub(crate) range: f64,
    /// The logarithm of full light over the mean light.
    pub(crate) full: f64,
}

impl Illumination {
    /// Reads the light off the cells that have weight. `surface` gives the place and the
    /// normal of a pixel.
    pub(crate) fn of(
        field: &Field,
        weight: &[f32],
        directions: Directions,
        surface: impl Fn([f64; 2]) -> Option<[Vec3; 2]>,
    ) -> Self {
        let Light {
            mut density,
            quantiles: [low, lit, high],
            pieces,
        } = Light::of(field, weight, directions, surface);
        let [full, mean] = full_and_mean(&pieces).map(libm::log);
        let full_density = lit - full as f32;
        density.par_iter_mut().for_each(|d| *d -= full_density);
        Self {
            density,
            unevenness: Unevenness {
                range: libm::exp(0.5 * f64::from(high - low)) - 1.0,
                full: full - mean,
            },
        }
    }
}

/// The light on the skin, of which it is not known yet what is full.
pub(crate) struct Light {
    density: Vec<f32>,
    /// The density below which 5 % of the skin lie, a quarter ([`LIT`]) and 95 %.
    quantiles: [f32; 3],
    pub(crate) pieces: Vec<Piece>,
}

impl Light {
    /// Reads it off the cells that have weight. `surface` gives the place and the normal of a
    /// pixel.
    pub(crate) fn of(
        field: &Field,
        weight: &[f32],
        directions: Directions,
        surface: impl Fn([f64; 2]) -> Option<[Vec3; 2]>,
    ) -> Self {
        let plane = plane(field, directions.shading_form(field.noise));
        let density = low_pass(field, &plane, weight, REACH_MM);
        let mut levels: Vec<(f32, f32)> = (0..field.len())
            .step_by(field.len() / ENOUGH + 1)
            .filter(|&i| weight[i] > 0.0)
            .map(|i| (density[i], weight[i] * field.area_mm2[i]))
            .collect();
        let quantiles =
            [0.05, 1.0 - LIT, 0.95].map(|q| weighted_quantile(&mut levels, q).unwrap_or(0.0));
        let pieces = pieces(field, weight, &density, quantiles[1], surface);
        Self {
            density,
            quantiles,
            pieces,
        }
    }
}

impl Illumination {
    /// The shade that the skin around an increment of a field lies in, as that has it still, of
    /// about so many of its cells.
    pub(crate) fn around(&self, field: &Field, one: &Increment, enough: usize) -> f32 {
        let some = one.around.iter().step_by(one.around.len() / enough + 1);
        let taken = |c: usize| field.shade.as_ref().map_or(0.0, |shade| shade[c]);
        let (sum, count) = some.fold((0.0_f64, 0.0_f64), |(sum, count), c| {
            let c = *c as usize;
            (sum + f64::from(self.density[c] - taken(c)), count + 1.0)
        });
        (sum / count.max(1.0)) as f32
    }
}

/// Pieces of the skin under a light of which `lit` is the density of the upper quartile.
fn pieces(
    field: &Field,
    weight: &[f32],
    density: &[f32],
    lit: f32,
    surface: impl Fn([f64; 2]) -> Option<[Vec3; 2]>,
) -> Vec<Piece> {
    let area_mm2: f32 = (weight.iter().zip(&*field.area_mm2))
        .map(|(w, a)| w * a)
        .sum();
    let piece_mm = PIECE_MM.max((area_mm2 / ENOUGH_PIECES).sqrt());
    let side = (field.cell_mm).map(|mm| (piece_mm / mm).round().max(1.0) as usize);
    let [columns, rows] = [
        field.width.div_ceil(side[0]),
        field.height.div_ceil(side[1]),
    ];
    let mut light = vec![0.0_f64; columns * rows];
    let mut mass = vec![0.0_f32; columns * rows];
    // Sums of places and of normals.
    let mut sums: [Vec<f32>; 6] = std::array::from_fn(|_| mass.clone());
    for i in (0..field.len()).step_by(field.len() / ENOUGH_NORMALS + 1) {
        let own = weight[i] * field.area_mm2[i];
        let (x, y) = (i % field.width, i / field.width);
        let found = (own > 0.0).then(|| surface(field.pixel(x as f64, y as f64)));
        let Some([place, normal]) = found.flatten() else {
            continue;
        };
        let piece = y / side[1] * columns + x / side[0];
        light[piece] += f64::from(own) * libm::exp(f64::from(lit - density[i]));
        mass[piece] += own;
        for (sum, v) in sums.iter_mut().zip(place.into_iter().chain(normal)) {
            sum[piece] += own * v;
        }
    }
    // Whichever way round the triangles are, a face looks to the front.
    let front = sums[5].iter().sum::<f32>();
    // The light is smooth, so that what receives it has to be: else the shade of a nose
    // would look weaker than its normals, and with it the lamp.
    let sigma = [0, 1].map(|k| REACH_MM / (field.cell_mm[k] * side[k] as f32));
    let smooth = |plane: &[f32]| gaussian(plane, columns, rows, sigma);
    let around = smooth(&mass);
    let normals = [3, 4, 5].map(|k| smooth(&sums[k]));
    (0..mass.len())
        .filter(|&p| mass[p] > 0.0)
        .map(|p| Piece {
            light: light[p] / f64::from(mass[p]),
            weight: f64::from(mass[p]),
            position: [0, 1, 2].map(|k| sums[k][p] / mass[p]),
            normal: [0, 1, 2].map(|k| normals[k][p] / around[p] * 1.0_f32.copysign(front)),
        })
        .collect()
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
    use dermalia_surface::{dot, normalize};

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
        // A flat sheet: nothing tells full light, so that the upper quartile is.
        let sheet = |[x, y]: [f64; 2]| Some([[x as f32, y as f32, 0.0], [0.0, 0.0, 1.0]]);
        let light = Illumination::of(&field, &field.weight, directions, sheet);
        let range = light.unevenness.range;
        assert!((range - 0.37).abs() < 0.03, "{range}");
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

    /// A dome with a nose under a lamp from one side: its colour is that where it faces the
    /// lamp, whichever way round its triangles are, and a nose that is blurred with the light
    /// makes the lamp no weaker.
    #[test]
    fn skin_under_a_lamp_is_brought_to_the_light_of_skin_that_faces_it() {
        let side = 600;
        let height = |x: f32, y: f32| {
            let nose = (-(x / 11.0).powi(2) - (y / 20.0).powi(2)).exp();
            (95.0_f32.powi(2) - x * x - 0.6 * y * y).max(1.0).sqrt() + 20.0 * nose
        };
        let surface = |[x, y]: [f64; 2]| {
            let (x, y) = (0.25 * x as f32 - 75.0, 75.0 - 0.25 * y as f32);
            let z = height(x, y);
            let slope = [z - height(x + 1.0, y), z - height(x, y + 1.0), 1.0];
            Some([[x, y, z], normalize(slope)])
        };
        let lamp = normalize([-0.5, 0.3, 0.8]);
        let extent = Extent {
            origin: [0, 0],
            size: [side, side],
            px_mm: [0.25, 0.25],
            aim_mm: 0.25,
        };
        let skin = [0.6, 1.0, 1.4];
        let field = Field::reduce(extent, |x, y| {
            let [_, normal] = surface([x as f64 + 0.5, y as f64 + 0.5])?;
            let light = 0.35 + 0.65 * dot(normal, lamp).max(0.0);
            Some(Sample {
                density: skin.map(|d: f64| d as f32 - libm::logf(light)),
                area_mm2: 0.0625 / normal[2],
                usable: true,
            })
        });
        let directions = Directions::default();
        let backwards = |at| surface(at).map(|[place, n]| [place, n.map(|c| -c)]);
        let lights = [
            Illumination::of(&field, &field.weight, directions, surface),
            Illumination::of(&field, &field.weight, directions, backwards),
        ];
        let cells: Vec<u32> = (0..field.len() as u32).collect();
        for light in lights {
            let found = level(&field, &field.weight, &light, &cells).unwrap();
            for (found, want) in found.density.iter().zip(skin) {
                assert!((found - want).abs() < 0.015, "{found} {want}");
            }
            let full = light.unevenness.full;
            assert!((0.1..0.4).contains(&full), "{full}");
        }
    }
}
