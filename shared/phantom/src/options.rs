//! What a phantom is asked to be.

use dermalia_scan::manifest::Light;
use serde::{Deserialize, Serialize};

use crate::optics::{Melanin, Tone};

/// How the lamps stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lighting {
    /// The same light on every point.
    Even,
    /// One soft lamp from above and one side.
    Directional,
    /// A weaker directional light with soft brighter and darker patches.
    Uneven,
}

impl Lighting {
    /// From the easiest to the hardest.
    pub const ALL: [Self; 3] = [Self::Even, Self::Directional, Self::Uneven];
}

/// What the skin lies on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// The canonical face, subdivided `levels` times (3: about 57,000 triangles).
    Face {
        /// Steps of subdivision.
        levels: u32,
    },
    /// A square sheet of skin, flat or bent around a vertical cylinder.
    Patch {
        /// Side in millimetres, along the surface.
        side_mm: f64,
        /// Radius of the cylinder; `None` is flat.
        radius_mm: Option<f64>,
    },
}

/// How pictures are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// Lossless.
    Png,
    /// JPEG of quality 92 without colour subsampling.
    Jpeg,
}

/// What the same skin was like at an earlier visit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    /// So many of its spots were not there yet, evenly from all of them.
    pub missing_spots: usize,
    /// Factor on the diameter of every red area, at most 1.
    pub red_diameter: f64,
    /// Factor on the depth of every wrinkle.
    pub wrinkle_depth: f64,
    /// Factor on the haemoglobin of every red area.
    pub redness: f64,
}

impl Default for Earlier {
    /// As it is now.
    fn default() -> Self {
        Self {
            missing_spots: 0,
            red_diameter: 1.0,
            wrinkle_depth: 1.0,
            redness: 1.0,
        }
    }
}

/// Everything that decides a phantom: the same options give the same bytes.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PhantomOptions {
    /// Which person and which skin.
    pub seed: u64,
    /// Columns and rows of the atlas.
    pub size_px: usize,
    /// How dark the skin is.
    pub tone: Tone,
    /// Which melanin it is drawn with.
    pub melanin: Melanin,
    /// How the lamps stand.
    pub lighting: Lighting,
    /// Contrasts x 0.6, pits too small to be pores, hairs, more noise.
    pub hard: bool,
    /// Skin without any feature.
    pub clean: bool,
    /// Skin as rough as on an arm: micro-relief of twice the height, whose slopes the lamps
    /// light.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rough: bool,
    /// Which pictures are taken.
    pub lights: Vec<Light>,
    /// Whether the bundle brings a height map.
    pub relief: bool,
    /// Whether the bundle brings the 468 landmarks (a face always has them in the truth).
    pub landmarks: bool,
    /// The same skin captured once more: other noise, light within 15 %, a gradient, a
    /// shift below one pixel, white balance within 1 %.
    pub recapture: Option<u64>,
    /// The same skin before some of what is on it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    /// Every second spot lies deep: visible light shows a
    /// twenty-fifth of it, ultraviolet light all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deep_spots: bool,
    /// What the skin lies on.
    pub base: Base,
    /// Factor on the contrast of every feature.
    pub contrast_scale: f64,
    /// Factor on the sensor noise; 0 switches it off.
    pub noise_scale: f64,
    /// How pictures are stored.
    pub image_format: ImageFormat,
    /// The manifest's `scan_id`; made from the seed where absent.
    pub scan_id: Option<String>,
    /// The manifest's `practice_id`.
    pub practice_id: String,
    /// The manifest's `captured_at`, RFC 3339.
    pub captured_at: String,
    /// The manifest's `previous_scan_id`.
    pub previous_scan_id: Option<String>,
    /// An invented first name for the manifest; never in the truth.
    #[serde(skip)]
    pub first_name: Option<String>,
    /// An invented address for the manifest; never in the truth.
    #[serde(skip)]
    pub email: Option<String>,
    /// The patient's language (BCP 47) for the manifest.
    pub locale: Option<String>,
}

impl Default for PhantomOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            size_px: 2048,
            tone: Tone::Light,
            melanin: Melanin::Falling,
            lighting: Lighting::Even,
            hard: false,
            clean: false,
            rough: false,
            lights: vec![
                Light::White,
                Light::ParallelPolarised,
                Light::CrossPolarised,
            ],
            relief: true,
            landmarks: true,
            recapture: None,
            earlier: None,
            deep_spots: false,
            base: Base::Face { levels: 3 },
            contrast_scale: 1.0,
            noise_scale: 1.0,
            image_format: ImageFormat::Png,
            scan_id: None,
            practice_id: "praxis-demo".to_owned(),
            captured_at: "2026-05-14T09:31:00+02:00".to_owned(),
            previous_scan_id: None,
            first_name: None,
            email: None,
            locale: None,
        }
    }
}

impl PhantomOptions {
    /// Factor on the contrast of every feature, the hard set's included.
    pub(crate) fn contrast(&self) -> f64 {
        self.contrast_scale * if self.hard { 0.6 } else { 1.0 }
    }

    /// The identifier the manifest carries.
    #[must_use]
    pub fn effective_scan_id(&self) -> String {
        self.scan_id
            .clone()
            .unwrap_or_else(|| match self.recapture {
                None => format!("PHANTOM-{:08}", self.seed),
                Some(n) => format!("PHANTOM-{:08}-R{n}", self.seed),
            })
    }
}
