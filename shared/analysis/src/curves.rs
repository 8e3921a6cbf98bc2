//! Ridge points to centre lines.
