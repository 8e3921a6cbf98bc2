//! Red areas and redness of the skin.
