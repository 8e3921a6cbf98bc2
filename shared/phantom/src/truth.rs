//! What is really on a phantom.

use std::collections::BTreeMap;

use dermalia_findings::{MeasureName, PathUv, PointMm, PointUv, Region};
use serde::{Deserialize, Serialize};

use crate::PhantomOptions;

/// The schema identifier of `truth.json`.
pub const SCHEMA: &str = "dermalia.truth/1";

/// Everything that is known of a phantom, in the definitions of the findings contract.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Truth {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What the phantom was made from.
    pub options: PhantomOptions,
    /// As in the manifest.
    pub scan_id: String,
    /// Median side of a pixel on the measured skin.
    pub mm_per_px: f64,
    /// The skin without features, under even light.
    pub skin: SkinTruth,
    /// The regions that the surface has, in contract order; `face` is last.
    pub regions: Vec<RegionTruth>,
    /// Every feature that is to be found.
    pub features: Vec<TrueFeature>,
    /// Things that look like features and are none.
    pub distractors: Vec<Distractor>,
}

/// Colour of the skin without features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct SkinTruth {
    pub linear_rgb: [f64; 3],
    /// CIELAB, D65.
    pub lab: [f64; 3],
    pub ita_deg: f64,
    /// 100 log10(1 / R), linear light.
    pub melanin_index: f64,
    /// 100 (log10 R - log10 G), linear light.
    pub erythema_index: f64,
}

/// The true measures of one region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegionTruth {
    /// Which region.
    pub region: Region,
    /// Measured surface, net of `excluded_cm2`.
    pub area_cm2: f64,
    /// Masked surface within the region's outline.
    pub excluded_cm2: f64,
    /// In the contract's units; a measure that does not exist here is absent.
    pub measures: BTreeMap<MeasureName, f64>,
}

/// A feature with its exact size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum TrueFeature {
    Wrinkle {
        region: Region,
        /// Between the two points of half depth.
        length_mm: f64,
        /// Full width at half depth.
        width_mm: f64,
        /// Mean along the length.
        depth_mm: f64,
        path_mm: Vec<PointMm>,
        path_uv: PathUv,
    },
    Pore {
        region: Region,
        /// Full width at half depth.
        diameter_mm: f64,
        depth_mm: f64,
        centre_mm: PointMm,
        centre_uv: PointUv,
    },
    Spot {
        region: Region,
        /// Surface inside half of the increment.
        area_mm2: f64,
        /// Mean colour inside against the skin around, CIEDE2000.
        contrast_de00: f64,
        /// Increment of melanin in the middle, as visible light shows it.
        melanin: f64,
        centre_mm: PointMm,
        centre_uv: PointUv,
    },
    RedArea {
        region: Region,
        /// Surface inside half of the increment.
        area_mm2: f64,
        /// Mean a* inside against the skin around.
        contrast_a: f64,
        /// Increment of haemoglobin in the middle.
        haemoglobin: f64,
        centre_mm: PointMm,
        centre_uv: PointUv,
    },
}

impl TrueFeature {
    /// The region it counts in.
    #[must_use]
    pub const fn region(&self) -> Region {
        match self {
            Self::Wrinkle { region, .. }
            | Self::Pore { region, .. }
            | Self::Spot { region, .. }
            | Self::RedArea { region, .. } => *region,
        }
    }
}

/// Something that must not be reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Distractor {
    /// A pit below 0.25 mm: no pore.
    SmallPit {
        diameter_mm: f64,
        centre_mm: PointMm,
        centre_uv: PointUv,
    },
    /// A hair that lies on the skin: no wrinkle.
    Hair {
        width_mm: f64,
        path_mm: Vec<PointMm>,
        path_uv: PathUv,
    },
}

impl Truth {
    /// The truth of one region, if the surface has it.
    #[must_use]
    pub fn region(&self, region: Region) -> Option<&RegionTruth> {
        self.regions.iter().find(|r| r.region == region)
    }

    /// A true measure of one region.
    #[must_use]
    pub fn measure(&self, region: Region, name: MeasureName) -> Option<f64> {
        self.region(region)?.measures.get(&name).copied()
    }
}
