//! What the capture is worth.
