//! Face detection, landmarks, regions and masks.
//!
//! Landmarks come with the scan, or [`find_on_picture`] and [`find_on_mesh`] find them with
//! MediaPipe's models (Apache-2.0, embedded at build time). [`FaceMap`] and
//! [`PictureFaceMap`] say of each point of the skin which region it belongs to and whether
//! it is masked. Left and right are the patient's.

mod atlas;
mod attention;
mod canonical;
mod closest;
mod detector;
mod face_map;
mod find;
mod interpreter;
mod label;
mod on_mesh;
mod picture;
mod picture_map;
mod polygons;

pub use attention::POINTS;
pub use canonical::{CanonicalFace, FACE_POINTS, canonical};
pub use closest::{Closest, Tree};
pub use face_map::{FaceMap, FaceMapError, Painter};
pub use find::{LEAST_PRESENCE, PictureLandmarks, find_on_picture};
pub use interpreter::{Model, ModelError, Tensor};
pub use label::{Label, Mask};
pub use on_mesh::{MeshLandmarks, find_on_mesh};
pub use picture::RgbView;
pub use picture_map::PictureFaceMap;
pub use polygons::{FACE_OVAL, folds, mask_polygons, mirrored, region_polygons};

/// Why landmarks could not be looked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LandmarkError {
    /// A picture's bytes and size disagree.
    #[error("{bytes} bytes for a picture of {width} x {height} pixels of three bytes")]
    PictureSize {
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// Bytes.
        bytes: usize,
    },
    /// A model cannot be read or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A model gave numbers that are none.
    #[error("the landmark model gave a number that is not finite")]
    NotFinite,
}

/// The numbers of an output of a model.
fn model_output<'a>(
    outputs: &'a [(&str, Tensor)],
    name: &str,
    count: usize,
) -> Result<&'a [f32], ModelError> {
    let found = outputs.iter().find(|(n, _)| *n == name).map(|(_, t)| t);
    match found {
        Some(t) if t.values.len() == count => Ok(&t.values),
        other => Err(ModelError::Interface {
            what: format!("output {name}"),
            got: other.map(|t| t.shape.clone()).unwrap_or_default(),
            expected: vec![count],
        }),
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + libm::expf(-x.clamp(-100.0, 100.0)))
}
