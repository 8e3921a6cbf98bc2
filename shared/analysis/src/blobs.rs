//! Round dark spots in scale space.
