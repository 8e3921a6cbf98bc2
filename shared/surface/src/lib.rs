//! Triangle meshes of skin: their rasters, their surface metric, their geometry.
//!
//! Every mesh here is already in the frame of the product: millimetres, +z out of the
//! face, +y up, +x to the patient's left (the viewer's right).

mod adjacency;
mod curvature;
mod mesh;
mod metric;
mod raster;
mod vector;
mod vectors;

pub use adjacency::Adjacency;
pub use curvature::mean_curvature_per_mm;
pub use mesh::{Mesh, MeshError};
pub use metric::Metric;
pub use raster::{
    Claims, Fragment, NO_TRIANGLE, UvRaster, UvStrips, ViewRaster, rasterize_uv, rasterize_view,
};
pub use vector::{Vec3, add, cross, dot, norm, normalize, scale, sub};
pub use vectors::{Work, in_vectors, loop_in_vectors};
