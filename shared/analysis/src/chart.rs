//! Locally isometric charts of the atlas.
