//! The skin between the features: a smooth level that features do not pull up.

use dermalia_surface::{Work, in_vectors};
use rayon::prelude::*;

use crate::field::{Field, quantile};
use crate::gaussian::{enlarge, enlarge_onto, gaussian};
use crate::linear::solve;

/// The side of the blocks that the level is fitted on, in millimetres.
const BLOCK_MM: f32 = 2.0;
/// How far the last, finest level reaches.
const REACH_MM: [f32; 2] = [22.0, 12.0];
/// How far one reaches that light must not pull.
const CLOSE_MM: f32 = 5.0;

/// The smooth level of a plane over the cells that have weight.
///
/// A quadratic surface is fitted first, by iterated weights that give nothing to what
/// stands out upwards, so that not even a feature of several centimetres is taken for
/// skin; then Gaussian means of growing fineness follow what remains. `weight` is 0 on
/// features already known: the level is interpolated below them. A `close` level follows
/// the skin more finely still.
pub(crate) fn baseline(field: &Field, plane: &[f32], weight: &[f32], close: bool) -> Vec<f32> {
    let (blocks, level) = level(field, plane, weight, close);
    blocks.spread(&level, field)
}

/// Takes the [`baseline`] off a plane.
pub(crate) fn flatten(field: &Field, plane: &mut [f32], weight: &[f32], close: bool) {
    let (blocks, level) = level(field, plane, weight, close);
    let take_off = |plane: &mut [f32], level: &[f32]| {
        for (p, level) in plane.iter_mut().zip(level) {
            *p -= level;
        }
    };
    enlarge_onto(
        &level,
        [blocks.width, blocks.height],
        plane,
        field.width,
        blocks.cells,
        take_off,
    );
}

/// The baseline on blocks.
fn level(field: &Field, plane: &[f32], weight: &[f32], close: bool) -> (Blocks, Vec<f32>) {
    let blocks = Blocks::of(field, plane, weight);
    let mut level = blocks.quadratic();
    let finest = close.then_some(CLOSE_MM);
    for reach in REACH_MM.into_iter().chain(finest) {
        let keep = blocks.without_outliers(&level);
        let rest: Vec<f32> = (0..keep.len())
            .map(|i| (blocks.value[i] - level[i]) * keep[i])
            .collect();
        let sigma = [reach / blocks.size_mm[0], reach / blocks.size_mm[1]];
        let top = gaussian(&rest, blocks.width, blocks.height, sigma);
        let bottom = gaussian(&keep, blocks.width, blocks.height, sigma);
        for i in 0..level.len() {
            // Far from any skin the surface of the fit holds on its own.
            level[i] += top[i] / (bottom[i] + 0.02);
        }
    }
    (blocks, level)
}

/// A Gaussian mean of `reach_mm` over the cells that have weight, for reaches of many
/// cells; the nearest skin's where there is none within reach.
pub(crate) fn low_pass(field: &Field, plane: &[f32], weight: &[f32], reach_mm: f32) -> Vec<f32> {
    let blocks = Blocks::of(field, plane, weight);
    let product: Vec<f32> = (0..blocks.value.len())
        .map(|b| blocks.value[b] * blocks.weight[b])
        .collect();
    let (mut top_mass, mut mass) = (0.0_f64, 0.0_f64);
    for (p, w) in product.iter().zip(&blocks.weight) {
        top_mass += f64::from(*p);
        mass += f64::from(*w);
    }
    let mean = if mass > 0.0 {
        (top_mass / mass) as f32
    } else {
        0.0
    };
    let sigma = blocks.size_mm.map(|mm| reach_mm / mm);
    let top = gaussian(&product, blocks.width, blocks.height, sigma);
    let bottom = gaussian(&blocks.weight, blocks.width, blocks.height, sigma);
    let level: Vec<f32> = top
        .iter()
        .zip(&bottom)
        .map(|(t, b)| (t + 1e-3 * mean) / (b + 1e-3))
        .collect();
    blocks.spread(&level, field)
}

/// The spread of the noise of a residual plane, from what lies below its middle: features
/// lie above. In units of a standard deviation.
pub(crate) fn noise_below(residual: &[f32], weight: &[f32]) -> f32 {
    // Some hundred thousand cells tell it to a few per mille.
    let every = residual.len() / 200_000 + 1;
    let mut values: Vec<f32> = (0..residual.len())
        .step_by(every)
        .filter(|&i| weight[i] > 0.5)
        .map(|i| residual[i])
        .collect();
    let Some(middle) = quantile(&mut values, 0.5) else {
        return 0.0;
    };
    let mut below: Vec<f32> = values
        .into_iter()
        .filter(|v| *v <= middle)
        .map(|v| middle - v)
        .collect();
    quantile(&mut below, 0.5).map_or(0.0, |v| 1.4826 * v)
}

/// The equations of the quadratic surface that fits best about a level.
struct Normal<'a> {
    blocks: &'a Blocks,
    level: &'a [f32],
    /// Standard deviation about the level.
    spread: f64,
}

impl Work for Normal<'_> {
    type Output = [[f64; 7]; 6];

    #[inline(always)]
    fn call(self) -> [[f64; 7]; 6] {
        let blocks = self.blocks;
        let mut normal = [[0.0_f64; 8]; 6];
        for (b, ((&value, &weight), level)) in
            (blocks.value.iter().zip(&blocks.weight).zip(self.level)).enumerate()
        {
            let r = f64::from(value - level) / self.spread;
            // Tukey's weight; narrower above, where the features are.
            let t = r / if r > 0.0 { 3.0 } else { 6.0 };
            if weight <= 0.0 || t.abs() >= 1.0 {
                continue;
            }
            let w = f64::from(weight) * (1.0 - t * t) * (1.0 - t * t);
            let [one, x, y, xx, xy, yy] = blocks.terms(b);
            let factors = [one, x, y, xx, xy, yy, f64::from(value), 0.0];
            for (row, term) in normal.iter_mut().zip([one, x, y, xx, xy, yy]) {
                let term = w * term;
                for (sum, factor) in row.iter_mut().zip(factors) {
                    *sum += term * factor;
                }
            }
        }
        normal.map(|[a, b, c, d, e, f, value, _]| [a, b, c, d, e, f, value])
    }
}

struct Blocks {
    width: usize,
    height: usize,
    cells: [usize; 2],
    size_mm: [f32; 2],
    value: Vec<f32>,
    weight: Vec<f32>,
}

impl Blocks {
    fn of(field: &Field, plane: &[f32], weight: &[f32]) -> Self {
        let cells = field
            .cell_mm
            .map(|mm| (BLOCK_MM / mm).round().max(1.0) as usize);
        let width = field.width.div_ceil(cells[0]);
        let height = field.height.div_ceil(cells[1]);
        let mut sum = vec![0.0_f64; width * height];
        let mut mass = vec![0.0_f64; width * height];
        sum.par_chunks_mut(width)
            .zip(mass.par_chunks_mut(width))
            .enumerate()
            .for_each(|(by, (sum, mass))| {
                for y in by * cells[1]..((by + 1) * cells[1]).min(field.height) {
                    let row = y * field.width..(y + 1) * field.width;
                    let (plane, weight) = (&plane[row.clone()], &weight[row]);
                    let blocks = plane.chunks(cells[0]).zip(weight.chunks(cells[0]));
                    for (b, (plane, weight)) in blocks.enumerate() {
                        for (p, w) in plane.iter().zip(weight) {
                            sum[b] += f64::from(*p) * f64::from(*w);
                            mass[b] += f64::from(*w);
                        }
                    }
                }
            });
        let full = (cells[0] * cells[1]) as f64;
        Self {
            width,
            height,
            cells,
            size_mm: [
                field.cell_mm[0] * cells[0] as f32,
                field.cell_mm[1] * cells[1] as f32,
            ],
            value: (0..sum.len())
                .map(|b| {
                    if mass[b] > 0.0 {
                        (sum[b] / mass[b]) as f32
                    } else {
                        0.0
                    }
                })
                .collect(),
            weight: mass.iter().map(|m| (m / full) as f32).collect(),
        }
    }

    /// Coordinates of a block in the fit, about -1 to 1.
    #[inline(always)]
    fn terms(&self, b: usize) -> [f64; 6] {
        let x = ((b % self.width) as f64 + 0.5) / self.width as f64 * 2.0 - 1.0;
        let y = ((b / self.width) as f64 + 0.5) / self.height as f64 * 2.0 - 1.0;
        [1.0, x, y, x * x, x * y, y * y]
    }

    fn quadratic(&self) -> Vec<f32> {
        let mut values: Vec<f32> = (0..self.value.len())
            .filter(|&b| self.weight[b] > 0.3)
            .map(|b| self.value[b])
            .collect();
        let start = quantile(&mut values, 0.5).unwrap_or(0.0);
        let mut level = vec![start; self.value.len()];
        for _ in 0..12 {
            let normal = in_vectors(Normal {
                blocks: self,
                level: &level,
                spread: self.spread_below(&level),
            });
            let Some(fit) = solve(normal) else {
                break;
            };
            for (b, l) in level.iter_mut().enumerate() {
                let terms = self.terms(b);
                *l = (0..6).map(|k| fit[k] * terms[k]).sum::<f64>() as f32;
            }
        }
        level
    }

    /// Standard deviation of the blocks about a level, from those below it.
    fn spread_below(&self, level: &[f32]) -> f64 {
        let residual: Vec<f32> = self.value.iter().zip(level).map(|(v, l)| v - l).collect();
        f64::from(noise_below(&residual, &self.weight)).max(1e-5)
    }

    /// The weights of the blocks that are skin as far as a level can tell.
    fn without_outliers(&self, level: &[f32]) -> Vec<f32> {
        let limit = 3.0 * self.spread_below(level) as f32;
        (0..self.value.len())
            .map(|b| {
                let r = self.value[b] - level[b];
                if r > limit || r < -2.0 * limit {
                    0.0
                } else {
                    self.weight[b]
                }
            })
            .collect()
    }

    /// A level of the blocks, bilinear at every cell.
    fn spread(&self, level: &[f32], field: &Field) -> Vec<f32> {
        let blocks = [self.width, self.height];
        enlarge(level, blocks, [field.width, field.height], self.cells)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Extent, Sample};

    /// A red area of 40 mm on a face of 130 mm with a slope: the level goes through
    /// below it instead of over it.
    #[test]
    fn a_feature_of_four_centimetres_is_not_taken_for_skin() {
        let extent = Extent {
            origin: [0, 0],
            size: [650, 650],
            px_mm: [0.2, 0.2],
            aim_mm: 0.15,
        };
        let field = Field::reduce(extent, |_, _| {
            Some(Sample {
                density: [0.0; 3],
                area_mm2: 0.04,
                usable: true,
            })
        });
        let slope = |x: usize, y: usize| 0.1 + 3e-5 * x as f32 - 2e-5 * y as f32;
        let mut plane = vec![0.0; field.len()];
        for y in 0..650 {
            for x in 0..650 {
                let r = (x as f32 - 400.0).hypot(y as f32 - 300.0) * 0.2;
                let edge = 1.0 / (1.0 + ((r - 20.0) / 1.0).exp());
                plane[y * 650 + x] = slope(x, y) + 0.06 * edge;
            }
        }
        let level = baseline(&field, &plane, &field.weight, false);
        for (x, y) in [(400, 300), (350, 300), (100, 500), (600, 100), (5, 5)] {
            let error = level[y * 650 + x] - slope(x, y);
            assert!(error.abs() < 0.003, "{x} {y}: {error}");
        }
    }

    #[test]
    fn noise_is_read_below_the_features() {
        let residual: Vec<f32> = (0..10_000)
            .map(|i| {
                if i % 5 == 0 {
                    9.0
                } else {
                    ((i * 7919) % 1000) as f32 / 500.0 - 1.0
                }
            })
            .collect();
        let weight = vec![1.0; residual.len()];
        let sigma = noise_below(&residual, &weight);
        // Uniform on -1 to 1; a fifth of features moves the middle by a quarter.
        assert!((0.7..1.0).contains(&sigma), "{sigma}");
    }
}
