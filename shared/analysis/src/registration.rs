//! All pictures of a scan in one raster.

use dermalia_findings::{Feature, Measure, ParameterMap, Region};
use dermalia_scan::manifest::{Light, SkinState};
use dermalia_scan::{Pixels, Samples};
use rayon::prelude::*;

use crate::Atlas;
use crate::relief::Relief;

/// Rows that one task brings to the raster.
const BAND_ROWS: usize = 64;

/// A level, 0 to 65535, to the nearest whole number, halves upwards; unlike a conversion it
/// asks for no branch, and so is done in vectors.
#[inline(always)]
fn rounded(level: f32) -> u32 {
    // From here on the last bit of a number is worth 1.
    const WHOLE: f32 = 8_388_608.0;
    let up = level + 0.5;
    let even = up + WHOLE;
    let above = u32::from(even - WHOLE > up);
    (even.to_bits() & 0x007F_FFFF) - above
}

/// The part of the whole atlas that is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) origin_px: [usize; 2],
    pub(crate) full_px: [usize; 2],
}

impl Window {
    /// The window of an atlas.
    pub(crate) fn of(atlas: &Atlas) -> Self {
        Self {
            width: atlas.width,
            height: atlas.height,
            origin_px: atlas.origin_px,
            full_px: atlas.full_px,
        }
    }

    /// The point of a whole picture of another size under the middle of a pixel.
    pub(crate) fn to_picture(self, x: usize, y: usize, width: usize, height: usize) -> [f32; 2] {
        [
            ((x + self.origin_px[0]) as f64 + 0.5) * width as f64 / self.full_px[0] as f64,
            ((y + self.origin_px[1]) as f64 + 0.5) * height as f64 / self.full_px[1] as f64,
        ]
        .map(|v| v as f32)
    }

    /// How many pixels of the raster one of a whole picture covers, along a side.
    pub(crate) fn magnification(&self, width: usize, height: usize) -> f32 {
        let (x, y) = (
            self.full_px[0] as f64 / width as f64,
            self.full_px[1] as f64 / height as f64,
        );
        (x * y).sqrt() as f32
    }

    /// A whole picture of the atlas cut and brought to the raster.
    pub(crate) fn cut(&self, pixels: Pixels, light: Light) -> RegisteredPicture {
        let magnification = self.magnification(pixels.width, pixels.height);
        let grey = pixels.grey;
        let samples = match pixels.samples {
            Samples::Eight(v) => {
                Samples::Eight(
                    self.cut_channels(v, pixels.width, pixels.height, |v| rounded(v) as u8),
                )
            }
            Samples::Sixteen(v) => {
                Samples::Sixteen(
                    self.cut_channels(v, pixels.width, pixels.height, |v| rounded(v) as u16),
                )
            }
        };
        RegisteredPicture {
            light,
            grey,
            magnification,
            samples,
        }
    }

    fn cut_channels<T>(
        &self,
        source: Vec<T>,
        width: usize,
        height: usize,
        round: impl Fn(f32) -> T + Sync,
    ) -> Vec<T>
    where
        T: Copy + Default + Send + Sync,
        f32: From<T>,
    {
        let same = [width, height] == self.full_px;
        if same && [self.width, self.height] == self.full_px {
            return source;
        }
        let mut out = vec![T::default(); 3 * self.width * self.height];
        let row = 3 * self.width;
        if same {
            out.par_chunks_mut(row.max(1))
                .enumerate()
                .for_each(|(y, line)| {
                    let from = 3 * ((y + self.origin_px[1]) * width + self.origin_px[0]);
                    line.copy_from_slice(&source[from..from + row]);
                });
            return out;
        }
        // Two neighbours and the share of the second, of a place along one side.
        let taps = |place: f32, size: usize| {
            let at = (place - 0.5).clamp(0.0, (size - 1) as f32);
            let first = at as usize;
            (first, (first + 1).min(size - 1), at - first as f32)
        };
        let columns: Vec<(usize, f32)> = (0..self.width)
            .map(|x| taps(self.to_picture(x, 0, width, height)[0], width))
            .map(|(first, _, t)| (3 * first, t))
            .collect();
        // A row of the picture brought to the columns of the raster. Enlarged, each is
        // needed by more than one row of the raster. The last pixel has itself beside it.
        let across = |y: usize, wide: &mut [f32], line: &mut [f32]| {
            let source = &source[3 * y * width..3 * (y + 1) * width];
            let (own, beside) = wide.split_at_mut(source.len());
            for (wide, v) in own.iter_mut().zip(source) {
                *wide = f32::from(*v);
            }
            beside.copy_from_slice(&own[source.len() - 3..]);
            for (out, &(at, t)) in line.chunks_exact_mut(3).zip(&columns) {
                if let Some(pair) = wide.get(at..).and_then(<[f32]>::first_chunk::<6>) {
                    for c in 0..3 {
                        out[c] = pair[c] + t * (pair[c + 3] - pair[c]);
                    }
                }
            }
        };
        out.par_chunks_mut((BAND_ROWS * row).max(1))
            .enumerate()
            .for_each(|(band, lines)| {
                let mut wide = vec![0.0_f32; 3 * width + 3];
                let mut rows = [vec![0.0_f32; row], vec![0.0_f32; row]];
                let mut held = [usize::MAX; 2];
                for (y, line) in lines.chunks_exact_mut(row).enumerate() {
                    let y = band * BAND_ROWS + y;
                    let [_, place] = self.to_picture(0, y, width, height);
                    let (y0, y1, ty) = taps(place, height);
                    if held[1] == y0 && held[0] != y0 {
                        rows.swap(0, 1);
                        held.swap(0, 1);
                    }
                    for (k, wanted) in [y0, y1].into_iter().enumerate() {
                        if held[k] != wanted {
                            across(wanted, &mut wide, &mut rows[k]);
                            held[k] = wanted;
                        }
                    }
                    let [top, bottom] = &rows;
                    for ((o, top), bottom) in line.iter_mut().zip(top).zip(bottom) {
                        *o = round(top + ty * (bottom - top));
                    }
                }
            });
        out
    }
}

/// A picture in the working raster: exactly `atlas.width` x `atlas.height` pixels.
#[derive(Debug, Clone)]
pub struct RegisteredPicture {
    /// Under which light.
    pub light: Light,
    /// Whether it carries no colour.
    pub grey: bool,
    /// Pixels of the working raster that one of the picture's own covers, along a side;
    /// above 1 where the picture was enlarged.
    pub magnification: f32,
    /// Three channels a pixel, gamma-encoded sRGB.
    pub samples: Samples,
}

impl RegisteredPicture {
    /// The gamma-encoded channels of a pixel, 0 to 1.
    #[must_use]
    pub fn srgb(&self, i: usize) -> [f32; 3] {
        match &self.samples {
            Samples::Eight(v) => [0, 1, 2].map(|c| f32::from(v[3 * i + c]) / 255.0),
            Samples::Sixteen(v) => [0, 1, 2].map(|c| f32::from(v[3 * i + c]) / 65535.0),
        }
    }
}

/// What every parameter is measured on.
#[derive(Debug)]
pub struct Context<'a> {
    /// The working raster.
    pub atlas: &'a Atlas,
    /// The pictures in it, in the order of the manifest; several can share a light.
    pub pictures: &'a [RegisteredPicture],
    /// The height map in it.
    pub relief: Option<&'a Relief>,
    /// What lies on the skin.
    pub skin: SkinState,
}

impl Context<'_> {
    /// The first picture under the first of `lights` that there is.
    #[must_use]
    pub fn best(&self, lights: &[Light]) -> Option<&RegisteredPicture> {
        lights
            .iter()
            .find_map(|l| self.pictures.iter().find(|p| p.light == *l))
    }
}

/// What one parameter gives to the findings.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was found, in any order.
    pub features: Vec<Feature>,
    /// Its measures, in any order; one that is missing is reported as not measured.
    pub measures: Vec<(Region, Measure)>,
    /// Strength over the working raster (not yet reduced).
    pub map: Option<ParameterMap>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_rounded_as_a_conversion_does() {
        for k in 0..=4 * 65_535_u32 {
            let level = k as f32 / 4.0;
            assert_eq!(rounded(level), (level + 0.5) as u32, "{level}");
        }
        for level in [0.499_999_97_f32, 0.500_000_06, 254.499_98, 127.500_01] {
            assert_eq!(rounded(level), (level + 0.5) as u32, "{level}");
        }
    }
}
