//! Camera photographs onto the atlas.
