//! All pictures of a scan in one raster.

use dermalia_findings::{Feature, Measure, ParameterMap, Region};
use dermalia_scan::manifest::{Light, SkinState};
use dermalia_scan::{Pixels, Samples};
use rayon::prelude::*;

use crate::Atlas;
use crate::relief::Relief;

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
                    self.cut_channels(v, pixels.width, pixels.height, |v| (v + 0.5) as u8),
                )
            }
            Samples::Sixteen(v) => {
                Samples::Sixteen(
                    self.cut_channels(v, pixels.width, pixels.height, |v| (v + 0.5) as u16),
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
        out.par_chunks_mut(row.max(1))
            .enumerate()
            .for_each(|(y, line)| {
                if same {
                    let from = 3 * ((y + self.origin_px[1]) * width + self.origin_px[0]);
                    line.copy_from_slice(&source[from..from + row]);
                    return;
                }
                for x in 0..self.width {
                    let [px, py] = self.to_picture(x, y, width, height);
                    let fx = (px - 0.5).clamp(0.0, (width - 1) as f32);
                    let fy = (py - 0.5).clamp(0.0, (height - 1) as f32);
                    let (x0, y0) = (fx as usize, fy as usize);
                    let (x1, y1) = ((x0 + 1).min(width - 1), (y0 + 1).min(height - 1));
                    let (tx, ty) = (fx - x0 as f32, fy - y0 as f32);
                    for c in 0..3 {
                        let at = |x: usize, y: usize| f32::from(source[3 * (y * width + x) + c]);
                        let top = at(x0, y0) + tx * (at(x1, y0) - at(x0, y0));
                        let bottom = at(x0, y1) + tx * (at(x1, y1) - at(x0, y1));
                        line[3 * x + c] = round(top + ty * (bottom - top));
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
