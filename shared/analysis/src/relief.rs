//! The height map in the atlas.

/// Signed displacement along the normal, in the working raster.
#[derive(Debug, Clone)]
pub struct Relief {
    /// Millimetres, outward positive; NaN where there is none.
    pub height_mm: Vec<f32>,
    /// Where it comes from: `relief` or `mesh`.
    pub from_mesh: bool,
}
