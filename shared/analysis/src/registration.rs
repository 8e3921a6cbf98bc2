//! All pictures of a scan in one raster.

use dermalia_findings::{Feature, Measure, ParameterMap, Region};
use dermalia_scan::Samples;
use dermalia_scan::manifest::{Light, SkinState};

use crate::Atlas;
use crate::relief::Relief;

/// A picture in the working raster: exactly `atlas.width` x `atlas.height` pixels.
#[derive(Debug, Clone)]
pub struct RegisteredPicture {
    /// Under which light.
    pub light: Light,
    /// Whether it carries no colour.
    pub grey: bool,
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
