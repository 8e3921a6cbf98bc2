//! Wrinkles.
