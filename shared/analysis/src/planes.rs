//! Planes of numbers and their filters.
