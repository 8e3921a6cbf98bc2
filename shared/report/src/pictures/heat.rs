use std::borrow::Cow;

use dermalia_findings::{BaseTexture, ParameterMap};

use super::{PictureError, check_base, check_map, encode_webp, indexed, palette, reduce};

/// The longest side of a heat map; finer detail is carried by the features themselves.
pub const HEAT_MAP_MAX_PX: usize = 1024;

/// The longest side of the skin on the model and the quality it is kept in, the best
/// first.
const BASE_STEPS: [(usize, f32); 4] = [(2048, 80.0), (2048, 65.0), (1366, 75.0), (1024, 70.0)];
/// What the skin may take of the model.
const BASE_MAX_BYTES: usize = 700_000;

/// A parameter over the atlas as WebP: the palette's colours, transparent where nothing
/// was measured, so that a viewer can lay it over the skin.
///
/// # Errors
/// A map whose pixels do not fill its size, or that the format cannot hold.
pub fn heat_map(map: &ParameterMap) -> Result<Vec<u8>, PictureError> {
    let small = heat_levels(map)?;
    Ok(heat_map_of(&small))
}

/// The side of the blocks that a heat map is made of.
pub(super) fn block(map: &ParameterMap) -> usize {
    reduce::block_for(map.width.max(map.height), HEAT_MAP_MAX_PX)
}

/// A map in the size of its heat map.
pub(crate) fn heat_levels(map: &ParameterMap) -> Result<Cow<'_, ParameterMap>, PictureError> {
    check_map(map)?;
    Ok(reduce::map(map, block(map)))
}

/// The heat map of what is of its size.
pub(crate) fn heat_map_of(small: &ParameterMap) -> Vec<u8> {
    let colours: [[u8; 4]; 256] = std::array::from_fn(|level| {
        palette::strength(level as u8).map_or([0; 4], |t| {
            let [r, g, b] = palette::colour(t).map(|c| (c + 0.5) as u8);
            [r, g, b, (palette::opacity(t) * 255.0 + 0.5) as u8]
        })
    });
    indexed::webp(&small.strength, small.width, &colours)
}

/// The skin's own colours as WebP, for the model: as fine as the model's size allows.
pub(crate) fn base_webp(base: &BaseTexture) -> Result<Vec<u8>, PictureError> {
    check_base(base)?;
    let mut made = vec![];
    for (most_px, quality) in BASE_STEPS {
        let block = reduce::block_for(base.width.max(base.height), most_px);
        let small = reduce::texture(base, block);
        made = encode_webp(&small.rgb, (small.width, small.height), quality)?;
        if made.len() <= BASE_MAX_BYTES {
            break;
        }
    }
    Ok(made)
}
