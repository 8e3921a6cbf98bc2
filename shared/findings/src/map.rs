use crate::Parameter;

/// A parameter painted over the UV atlas (or the flat photograph), before colouring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterMap {
    /// Which parameter.
    pub parameter: Parameter,
    /// Columns.
    pub width: usize,
    /// Rows, the first at the top (v = 1).
    pub height: usize,
    /// Row-major strength: 0 is not measured here, 1 to 255 is none to strong.
    pub strength: Vec<u8>,
}

/// The colour picture that the maps lie over: 8-bit sRGB, the same extent as the atlas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseTexture {
    /// Columns.
    pub width: usize,
    /// Rows, the first at the top (v = 1).
    pub height: usize,
    /// Row-major, three bytes a pixel.
    pub rgb: Vec<u8>,
}
