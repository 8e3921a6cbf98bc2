//! Steps that compression makes of colours.
//!
//! It takes the grain out of the colour differences and stores what is left in steps, and skin
//! under a light that falls off shows these as areas of some colour. How large they are is
//! known of a file that was read to fractions of a level; of any other it is taken that they
//! were rounded to whole levels.

use rayon::prelude::*;

use crate::colour::srgb_from_linear;
use crate::field::{Field, quantile};

/// What one level of Cr is in red and in green, of 255 (ITU-T T.871).
const LEVEL_OF_CR: [f64; 2] = [1.402, 0.714_136];
/// Grain of this share of a step breaks it up.
const GRAIN: f64 = 0.25;
/// Where it does not, a red area is so many steps redder than the skin around it: one of Cr
/// is 2.12 levels between red and green, one of Cb 0.34 more, and both are rounded once again.
const STEPS: f64 = 1.65;
/// The same in CIEDE2000, for skin and steps of a level: what is paler can be steps alone.
const STEP_DE00: f64 = 1.65;

/// What a picture's rounding can pass off as a feature.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounding {
    /// In levels; 0 where there are none to be seen.
    step: f64,
}

impl Rounding {
    /// By the grain of the difference of red and green, in which light and most of the
    /// noise of a compressed picture cancel.
    pub(crate) fn of(field: &Field) -> Self {
        let usable = field.usable();
        let w = field.width;
        // Rows side by side, put together in their order.
        let rows: Vec<(Vec<f32>, [f64; 3])> = (1..field.height.saturating_sub(1))
            .into_par_iter()
            .step_by(3)
            .map(|y| {
                let row = y * w..(y + 1) * w;
                let usable = &usable[row.clone()];
                let [r, g, b] = [0, 1, 2].map(|k| &field.density[k][row.clone()]);
                let redness = |x: usize| g[x] - r[x];
                let (mut grain, mut sum) = (vec![], [0.0; 3]);
                for x in 1..w.saturating_sub(1) {
                    if usable[x - 1] && usable[x] && usable[x + 1] {
                        grain.push((redness(x) - 0.5 * (redness(x - 1) + redness(x + 1))).abs());
                        for (s, d) in sum.iter_mut().zip([r[x], g[x], b[x]]) {
                            *s += f64::from(d);
                        }
                    }
                }
                (grain, sum)
            })
            .collect();
        let (mut grain, mut sum) = (vec![], [0.0; 3]);
        for (row, own) in rows {
            grain.extend(row);
            (0..3).for_each(|k| sum[k] += own[k]);
        }
        let level = level_of_redness(sum.map(|s| s / grain.len().max(1) as f64));
        // The median of the size of a normal deviate is 0.674 of its standard deviation, and
        // two neighbours add half a variance.
        let grain = quantile(&mut grain, 0.5).map_or(0.0, |m| f64::from(m) / (0.674 * 1.225));
        let step = field.chroma_step.map_or(1.0, f64::from);
        Self {
            step: if grain < GRAIN * step * level {
                step
            } else {
                0.0
            },
        }
    }

    /// How much redder an area is than these cells around it at least, as a difference of
    /// the densities of green and red.
    pub(crate) fn least_redness(self, field: &Field, around: &[u32]) -> f64 {
        STEPS * self.step * level_of_redness(mean_density(field, around))
    }

    /// The least contrast of a spot.
    pub(crate) fn least_de00(self) -> f64 {
        STEP_DE00 * self.step
    }
}

/// What one level of Cr is in the difference of the densities of green and red.
fn level_of_redness(density: [f64; 3]) -> f64 {
    (0..2)
        .map(|k| {
            // The slope of the logarithm of linear light over the encoded level.
            let encoded = srgb_from_linear(libm::exp(-density[k]));
            2.4 / (encoded + 0.055) * LEVEL_OF_CR[k] / 255.0
        })
        .sum()
}

fn mean_density(field: &Field, cells: &[u32]) -> [f64; 3] {
    let mut sum = [0.0; 3];
    for &c in cells {
        let here = field.at(c as usize);
        (0..3).for_each(|k| sum[k] += f64::from(here[k]));
    }
    sum.map(|s| s / cells.len().max(1) as f64)
}
