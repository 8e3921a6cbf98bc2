//! The structure signal: what is dark because it is deep.

use std::sync::OnceLock;

use dermalia_scan::Samples;
use dermalia_scan::manifest::Light;
use rayon::prelude::*;

use crate::blocks::Blocks;
use crate::{Context, RegisteredPicture};

/// The neutral optical density of the skin, fused over the lights, in step with the
/// atlas: darker is larger. Channels weigh by how much light they carry, because the
/// noise of a density goes with its inverse; that favours red, where melanin and
/// haemoglobin absorb least.
#[derive(Debug)]
pub(crate) struct Structure {
    pub(crate) density: Vec<f32>,
    /// Atlas pixels a pixel of the finest picture covers; above 1 it was enlarged.
    pub(crate) magnification: f32,
}

/// Optical density of every 8-bit level and of every 16-bit level; these are reckoned when a
/// picture has them.
pub(crate) struct DensityTable {
    eight: [f32; 256],
    sixteen: OnceLock<Vec<f32>>,
}

impl DensityTable {
    pub(crate) fn new() -> Self {
        Self {
            eight: std::array::from_fn(|level| density(level, 255.0)),
            sixteen: OnceLock::new(),
        }
    }

    fn sixteen(&self) -> &[f32] {
        self.sixteen
            .get_or_init(|| (0..65_536).map(|level| density(level, 65_535.0)).collect())
    }

    /// The densities of a pixel's channels.
    pub(crate) fn of(&self, picture: &RegisteredPicture, i: usize) -> [f32; 3] {
        match &picture.samples {
            Samples::Eight(v) => [0, 1, 2].map(|c| self.eight[usize::from(v[3 * i + c])]),
            Samples::Sixteen(v) => {
                let table = self.sixteen();
                [0, 1, 2].map(|c| table[usize::from(v[3 * i + c])])
            }
        }
    }
}

/// Optical density of a gamma-encoded level.
fn density(level: usize, full: f64) -> f32 {
    // Half a level stands for black, whose density would be infinite.
    let encoded = (level as f64).max(0.5) / full;
    let linear = if encoded <= 0.04045 {
        encoded / 12.92
    } else {
        libm::pow((encoded + 0.055) / 1.055, 2.4)
    };
    -libm::log(linear) as f32
}

/// The lights that show structure, each with its share.
const LIGHTS: [(Light, f32); 3] = [
    (Light::ParallelPolarised, 1.0),
    (Light::White, 1.0),
    (Light::CrossPolarised, 1.0),
];

/// The pictures that carry structure, with their shares.
pub(crate) fn structure_pictures<'a>(ctx: &'a Context<'_>) -> Vec<(&'a RegisteredPicture, f32)> {
    LIGHTS
        .iter()
        .filter_map(|&(light, share)| Some((ctx.best(&[light])?, share)))
        .collect()
}

/// Weights of the channels: the square of their median level on the measured skin.
fn channel_weights(ctx: &Context<'_>, picture: &RegisteredPicture) -> [f32; 3] {
    if picture.grey {
        return [1.0 / 3.0; 3];
    }
    let measured = (0..ctx.atlas.len())
        .step_by(61)
        .filter(|&i| ctx.atlas.is_measured(i));
    let medians = match &picture.samples {
        Samples::Eight(v) => {
            let mut counts = [[0_usize; 256]; 3];
            for i in measured {
                for (counts, level) in counts.iter_mut().zip(&v[3 * i..3 * i + 3]) {
                    counts[usize::from(*level)] += 1;
                }
            }
            counts.map(|c| median_level(&c) as f32 / 255.0)
        }
        Samples::Sixteen(_) => {
            let mut levels: [Vec<f32>; 3] = Default::default();
            for i in measured {
                for (levels, level) in levels.iter_mut().zip(picture.srgb(i)) {
                    levels.push(level);
                }
            }
            levels.map(|mut l| crate::planes::median(&mut l))
        }
    };
    let mut w = medians.map(|m| m * m);
    let sum: f32 = w.iter().sum();
    if sum > 0.0 {
        w = w.map(|v| v / sum);
    } else {
        w = [1.0 / 3.0; 3];
    }
    w
}

/// The median of levels that were counted, of two in the middle the upper; 0 without any.
fn median_level(counts: &[usize; 256]) -> usize {
    let half = counts.iter().sum::<usize>() / 2;
    let mut below = 0;
    for (level, count) in counts.iter().enumerate() {
        below += count;
        if below > half {
            return level;
        }
    }
    0
}

/// A picture with a table of weighted densities for each channel.
enum Weighted<'a> {
    Eight(&'a [u8], Box<[[f32; 256]; 3]>),
    Sixteen(&'a [u16], [Vec<f32>; 3]),
}

impl<'a> Weighted<'a> {
    fn new(table: &DensityTable, picture: &'a RegisteredPicture, w: [f32; 3]) -> Self {
        match &picture.samples {
            Samples::Eight(v) => Self::Eight(v, Box::new(w.map(|w| table.eight.map(|d| w * d)))),
            Samples::Sixteen(v) => {
                let levels = table.sixteen();
                Self::Sixteen(v, w.map(|w| levels.iter().map(|d| w * d).collect()))
            }
        }
    }

    /// Adds the densities of the pixels from `first` on.
    fn add(&self, first: usize, out: &mut [f32]) {
        match self {
            Self::Eight(v, t) => {
                let [r, g, b] = &**t;
                let of =
                    |x: u8, y: u8, z: u8| r[usize::from(x)] + g[usize::from(y)] + b[usize::from(z)];
                // Four pixels stand in three words: fewer loads than bytes.
                let bytes = &v[3 * first..3 * (first + out.len())];
                let (fours, last) = out.as_chunks_mut::<4>();
                let (words, rest) = bytes.as_chunks::<12>();
                for (o, w) in fours.iter_mut().zip(words) {
                    let [x, y, z] =
                        [0, 4, 8].map(|k| u32::from_le_bytes([w[k], w[k + 1], w[k + 2], w[k + 3]]));
                    let byte = |word: u32, k: u32| (word >> (8 * k)) as u8;
                    o[0] += of(byte(x, 0), byte(x, 1), byte(x, 2));
                    o[1] += of(byte(x, 3), byte(y, 0), byte(y, 1));
                    o[2] += of(byte(y, 2), byte(y, 3), byte(z, 0));
                    o[3] += of(byte(z, 1), byte(z, 2), byte(z, 3));
                }
                for (o, px) in last.iter_mut().zip(rest.as_chunks::<3>().0) {
                    *o += of(px[0], px[1], px[2]);
                }
            }
            Self::Sixteen(v, [r, g, b]) => {
                for (o, px) in out.iter_mut().zip(v[3 * first..].as_chunks::<3>().0) {
                    let [x, y, z] = px.map(usize::from);
                    *o += r[x] + g[y] + b[z];
                }
            }
        }
    }
}

/// `None` when no picture carries structure. Far from any surface the density is left 0.
pub(crate) fn structure(
    ctx: &Context<'_>,
    blocks: &Blocks,
    table: &DensityTable,
) -> Option<Structure> {
    let pictures = structure_pictures(ctx);
    let total: f32 = pictures.iter().map(|(_, s)| s).sum();
    let magnification = pictures
        .iter()
        .map(|(p, _)| p.magnification)
        .min_by(f32::total_cmp)?;
    let weighted: Vec<(&RegisteredPicture, [f32; 3])> = pictures
        .par_iter()
        .map(|(p, share)| (*p, channel_weights(ctx, p).map(|w| w * share / total)))
        .collect();
    let tables: Vec<Weighted<'_>> = weighted
        .iter()
        .map(|(picture, w)| Weighted::new(table, picture, *w))
        .collect();
    let mut density = vec![0.0_f32; ctx.atlas.len()];
    let row = ctx.atlas.width.max(1);
    density
        .par_chunks_mut(row)
        .zip(blocks.near_surface(row))
        .enumerate()
        .for_each(|(y, (out, near))| {
            for picture in &tables {
                picture.add(y * row + near.start, &mut out[near.clone()]);
            }
        });
    Some(Structure {
        density,
        magnification,
    })
}

/// How coloured an increase of density is: 0 for a neutral shadow, about 0.7 to 0.9
/// for melanin or haemoglobin (the rise from red to blue over the mean).
pub(crate) fn chromaticity(increment: [f32; 3]) -> f32 {
    let mean = (increment[0] + increment[1] + increment[2]) / 3.0;
    if mean > 0.0 {
        (increment[2] - increment[0]) / mean
    } else {
        0.0
    }
}

/// How much more a density of blue than of red is above a share of the mean: 0 where an
/// increment's [`chromaticity`] is that share, and linear, so that means of it are free of bias.
pub(crate) fn excess_of_blue(density: [f32; 3], share: f32) -> f32 {
    let [r, g, b] = density;
    b - r - share * (r + g + b) / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chromophores_are_coloured_and_shadow_is_not() {
        for pigment in [
            [0.4143, 0.3570, 0.8372],
            [0.336, 0.476, 0.813],
            [0.2988, 0.6838, 0.6657],
        ] {
            assert!(chromaticity(pigment) > 0.6);
            let share = chromaticity(pigment);
            assert!(excess_of_blue(pigment, share).abs() < 1e-6);
        }
        assert_eq!(chromaticity([0.2; 3]), 0.0);
    }

    #[test]
    fn densities_are_those_of_the_standard() {
        let t = DensityTable::new();
        assert!(t.eight[255].abs() < 1e-7 && t.sixteen()[65_535].abs() < 1e-7);
        let sixteen = t.sixteen();
        // 188 / 255 encodes 0.50289.
        assert!((t.eight[188] - 0.687_385).abs() < 1e-4, "{}", t.eight[188]);
        assert!(t.eight[0].is_finite() && sixteen[0] > t.eight[0]);
    }

    #[test]
    fn counted_levels_have_the_median_of_their_list() {
        let mut counts = [0; 256];
        assert_eq!(median_level(&counts), 0);
        let mut list = vec![];
        for level in [3_u8, 3, 200, 17, 17, 90, 255, 3] {
            counts[usize::from(level)] += 1;
            list.push(f32::from(level));
            let median = crate::planes::median(&mut list);
            assert_eq!(median_level(&counts) as f32, median);
        }
    }
}
