//! Face detection, landmarks, regions and masks.

mod atlas;
mod canonical;
mod closest;
mod face_map;
mod label;
mod picture_map;
mod polygons;

pub use canonical::{CanonicalFace, FACE_POINTS, canonical};
pub use face_map::{FaceMap, FaceMapError};
pub use label::{Label, Mask};
pub use picture_map::PictureFaceMap;
pub use polygons::{FACE_OVAL, folds, mask_polygons, mirrored, region_polygons};
