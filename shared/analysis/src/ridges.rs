//! Ridge filters.
