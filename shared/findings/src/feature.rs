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
        /// Whether only ultraviolet light shows it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        deep: bool,
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

impl Feature {
    /// Whether visible light shows it. Spots that it does not show are no part of a measure
    /// and of no comparison, which would then hang on the lamps of a visit.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        match self {
            Self::Spot { deep, .. } => !deep,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_deep_spot_is_not_visible_and_says_so() {
        let spot = |deep| Feature::Spot {
            region: Region::Nose,
            area_mm2: 2.0,
            contrast_de00: 0.6,
            deep,
            centre_mm: [0.0; 3],
            centre_uv: [0.0; 2],
        };
        let text = [false, true].map(|deep| serde_json::to_string(&spot(deep)).unwrap());
        assert!(spot(false).is_visible() && !text[0].contains("deep"));
        assert!(!spot(true).is_visible() && text[1].contains("\"deep\":true"));
        for (text, deep) in text.iter().zip([false, true]) {
            assert_eq!(serde_json::from_str::<Feature>(text).unwrap(), spot(deep));
        }
    }
}
