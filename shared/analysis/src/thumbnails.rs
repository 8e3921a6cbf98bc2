//! Parameter maps and the base texture at display size.
