//! The features as the viewer of the page reads them out of the model.

use dermalia_findings::Feature;
use dermalia_surface::Mesh;

/// Bytes of one record.
pub(super) const RECORD_BYTES: usize = 20;

/// One record a feature, little-endian: kind and region (a byte each), place (three
/// 16-bit numbers on the grid of the positions), three sizes (32-bit floats). Kinds:
/// 0 line (length, width and depth in mm), 1 pore (diameter in mm), 2 spot (area in mm²,
/// CIEDE2000), 3 red area (area in mm², a*). A size that there is none of is NaN.
pub(super) fn records(
    features: &[Feature],
    mesh: &Mesh,
    on_grid: impl Fn([f32; 3]) -> [u16; 3],
) -> Vec<u8> {
    let mut out = Vec::with_capacity(features.len() * RECORD_BYTES);
    for feature in features {
        let (kind, place, sizes) = match feature {
            Feature::Wrinkle {
                length_mm,
                width_mm,
                depth_mm,
                path_mm,
                ..
            } => {
                let Some(&middle) = path_mm.get(path_mm.len() / 2) else {
                    continue;
                };
                let depth = depth_mm.unwrap_or(f64::NAN);
                (0_u8, middle, [*length_mm, *width_mm, depth])
            }
            Feature::Pore {
                diameter_mm,
                centre_mm,
                ..
            } => (1, *centre_mm, [*diameter_mm, f64::NAN, f64::NAN]),
            Feature::Spot {
                area_mm2,
                contrast_de00,
                centre_mm,
                ..
            } => (2, *centre_mm, [*area_mm2, *contrast_de00, f64::NAN]),
            Feature::RedArea {
                area_mm2,
                contrast_a,
                centre_mm,
                ..
            } => (3, *centre_mm, [*area_mm2, *contrast_a, f64::NAN]),
        };
        if !place.iter().all(|c| c.is_finite()) {
            continue;
        }
        out.push(kind);
        out.push(feature.region().index() as u8);
        let grid = on_grid(from_source(mesh, place));
        out.extend(grid.into_iter().flat_map(u16::to_le_bytes));
        out.extend(sizes.into_iter().flat_map(|s| (s as f32).to_le_bytes()));
    }
    out
}

/// A point in the axes of the file in the mesh's own: the transpose of a rotation is its
/// inverse.
fn from_source(mesh: &Mesh, p: [f64; 3]) -> [f32; 3] {
    [0, 1, 2].map(|k| {
        (0..3)
            .map(|row| f64::from(mesh.source_from_mesh[row][k]) * p[row])
            .sum::<f64>() as f32
    })
}
