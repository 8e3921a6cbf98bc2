//! Face detection, landmarks, regions and masks.

mod canonical;

pub use canonical::{CanonicalFace, FACE_POINTS, canonical};
