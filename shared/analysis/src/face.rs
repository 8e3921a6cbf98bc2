//! Landmarks where the bundle brings none.

use dermalia_scan::Pixels;
use dermalia_surface::{Mesh, Vec3};

use crate::AnalysisError;

/// The landmarks of a textured mesh in its frame, if it shows a face.
pub(crate) fn on_mesh(
    _mesh: &Mesh,
    _picture: Option<&Pixels>,
) -> Result<Option<Vec<Vec3>>, AnalysisError> {
    Ok(None)
}
