use serde::{Deserialize, Serialize};

use crate::Region;

/// A point in the mesh's own axes, in millimetres.
pub type PointMm = [f64; 3];
/// A point of the UV atlas, v up as in OBJ.
pub type PointUv = [f64; 2];
/// A polyline in the UV atlas.
pub type PathUv = Vec<PointUv>;

/// One thing found on the skin. Lengths and areas are on the surface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Feature {
    /// A line of the skin.
    Wrinkle {
        /// Where most of it lies.
        region: Region,
        /// Length between the two points where the depth falls to half.
        length_mm: f64,
        /// Full width at half depth.
        width_mm: f64,
        /// Mean depth along the length; only where relief or a fine mesh carries it.
        depth_mm: Option<f64>,
        /// The centre line.
        path_mm: Vec<PointMm>,
        /// The centre line in the atlas.
        path_uv: PathUv,
    },
    /// A dark round pit.
    Pore {
        /// Where it lies.
        region: Region,
        /// Full width at half depth, as an equivalent circle.
        diameter_mm: f64,
        /// Its centre.
        centre_mm: PointMm,
        /// Its centre in the atlas.
        centre_uv: PointUv,
    },
    /// A pigment spot.
    Spot {
        /// Where it lies.
        region: Region,
        /// The surface inside half of its melanin increment.
        area_mm2: f64,
        /// Mean colour inside against the local skin, CIEDE2000.
        contrast_de00: f64,
        /// Its centre.
        centre_mm: PointMm,
        /// Its centre in the atlas.
        centre_uv: PointUv,
    },
    /// An area of more haemoglobin than the skin around it.
    RedArea {
        /// Where it lies.
        region: Region,
        /// The surface inside half of its haemoglobin increment.
        area_mm2: f64,
        /// Mean a* inside against the local skin.
        contrast_a: f64,
        /// Its centre.
        centre_mm: PointMm,
        /// Its centre in the atlas.
        centre_uv: PointUv,
    },
}

/// From this CIEDE2000 on a spot is seen in visible light. What only ultraviolet light shows
/// has less.
pub const LEAST_VISIBLE_DE00: f64 = 1.0;

impl Feature {
    /// Whether visible light shows it. Spots that it does not show are no part of a measure
    /// and of no comparison, which would then hang on the lamps of a visit.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        match self {
            Self::Spot { contrast_de00, .. } => *contrast_de00 >= LEAST_VISIBLE_DE00,
            _ => true,
        }
    }

    /// The region it was counted in.
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
