//! Pigment spots and skin tone.
