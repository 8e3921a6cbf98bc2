//! Regions and masks of the atlas.
