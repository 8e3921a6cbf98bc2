//! Tests alone: see `tests/surfaces.rs`.
