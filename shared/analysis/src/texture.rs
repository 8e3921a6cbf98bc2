//! Roughness of the relief.
