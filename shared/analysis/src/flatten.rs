//! Illumination flattening.
