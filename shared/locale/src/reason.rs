/// Why something was not measured, or is less certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReasonKind {
    /// The picture's scale does not carry it (got, needed; mm a pixel).
    TooCoarse,
    /// The resolution carries it, but not well.
    Limited,
    /// The scale of the picture is unknown.
    NoScale,
    /// The scale was estimated, not given.
    ScaleEstimated,
    /// No height data, or too coarse a mesh.
    NoRelief,
    /// Told from light and shade, because there is no height data.
    FromShading,
    /// Told from the mesh, because there is no height map.
    FromMesh,
    /// Parts of the picture are used twice.
    AtlasOverlap,
    /// The texture lay upside down on the mesh.
    TurnedTexture,
    /// Photographs that nothing brings together with what is measured (how many).
    LeftOut,
    /// A height map that lies in no picture and no surface that is measured.
    UnplacedRelief,
    /// A height map whose points lie too far apart (got, needed; mm).
    CoarseRelief,
    /// A height map that skin cannot have.
    NoSkinsRelief,
    /// Depth and width corrected for the distance of a height map's points (got, better; mm).
    ReckonedDepth,
    /// The atlas shows the surface mirrored (per cent).
    MirroredAtlas,
    /// The atlas of a part lies beyond the pictures (per cent).
    OutsideAtlas,
    /// A photograph without a surface.
    MeasuredFlat,
    /// Only a device's probe can measure it, and there is no such value.
    NoDeviceValue,
    /// No picture under a light that shows it.
    NoLight,
    /// The picture is grey.
    NoColour,
    /// Nothing of the region can be seen or is left after masking.
    NotVisible,
    /// There is nothing to take the mean of.
    NothingFound,
    /// Make-up was stated.
    MakeUp,
    /// The picture is not sharp.
    Blur,
    /// Over- or underexposed.
    Clipped,
    /// Shine.
    Gloss,
    /// Uneven light.
    Uneven,
    /// No colour card or light standard.
    NoLightStandard,
    /// Redness cannot be told apart well on dark skin.
    DarkSkin,
    /// No face was found.
    NoFace,
    /// Noise, or little to count.
    Noise,
    /// Part of the face is missing or masked.
    Coverage,
    /// Anything else.
    Other,
}
