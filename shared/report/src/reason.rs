//! Reasons and warnings of the findings, which are English sentences for engineers, as
//! kinds that every language has a sentence for.

use dermalia_locale::ReasonKind;

/// Words that tell a kind; the first row with one of them in the text decides.
const WORDS: &[(ReasonKind, &[&str])] = &[
    (
        ReasonKind::LeftOut,
        &[
            "photograph was not measured",
            "photographs were not measured",
            "more photographs are not registered",
        ],
    ),
    (ReasonKind::UnplacedRelief, &["relief was not used"]),
    (ReasonKind::CoarseRelief, &["relief is too coarse"]),
    (ReasonKind::NoSkinsRelief, &["relief is not that of skin"]),
    (ReasonKind::ReckonedDepth, &["per sample of the relief"]),
    (ReasonKind::MirroredAtlas, &["mirrored in the atlas"]),
    (ReasonKind::OutsideAtlas, &["outside of the pictures"]),
    (ReasonKind::Coverage, &["lights show less"]),
    (ReasonKind::TooCoarse, &["too coarse", "mm/px is"]),
    (ReasonKind::Limited, &["mm/px blurs", "mm/px shows"]),
    (
        ReasonKind::NoScale,
        &[
            "no scale",
            "scale is unknown",
            "scale unknown",
            "scale is not known",
            "scale of the picture",
            "unknown scale",
            "without a scale",
            "without scale",
            "size of a pixel",
            "mm_per_px",
        ],
    ),
    (
        ReasonKind::ScaleEstimated,
        &[
            "iris",
            "scale estimated",
            "estimated scale",
            "scale is estimated",
        ],
    ),
    (
        ReasonKind::NoDeviceValue,
        &[
            "probe",
            "device",
            "hydration",
            "corneometer",
            "a photograph cannot",
        ],
    ),
    (ReasonKind::FromShading, &["from shading"]),
    (ReasonKind::FromMesh, &["from the mesh"]),
    (ReasonKind::TurnedTexture, &["upside down"]),
    (ReasonKind::MeasuredFlat, &["measured flat"]),
    (ReasonKind::AtlasOverlap, &["atlas"]),
    (
        ReasonKind::NoLight,
        &[
            "no white",
            "no picture under",
            "no image under",
            "in other lights",
            "no picture of this scan",
        ],
    ),
    (
        ReasonKind::NotVisible,
        &[
            "no skin",
            "no unmasked",
            "usable skin",
            "colour of skin",
            "too little",
            "not visible",
            "no area",
            "masked out",
            "not on the scan",
            "no surface",
            "nothing visible",
            "not seen",
            "no pixel",
        ],
    ),
    (
        ReasonKind::NoFace,
        &[
            "no face",
            "face was not found",
            "face not found",
            "landmarks",
        ],
    ),
    (
        ReasonKind::NothingFound,
        &[
            "no wrinkle",
            "no pore",
            "no spot",
            "no red area",
            "none found",
            "nothing found",
            "nothing to average",
            "no feature",
        ],
    ),
    (
        ReasonKind::NoRelief,
        &["relief", "height map", "depth", "fine mesh", "roughness"],
    ),
    (
        ReasonKind::NoLightStandard,
        &[
            "light standard",
            "colour card",
            "color card",
            "white balance",
            "colour standard",
            "exposure is unknown",
        ],
    ),
    (
        ReasonKind::DarkSkin,
        &[
            "dark skin",
            "brown skin",
            "dark ita",
            "dark band",
            "correlate",
            "ita band",
        ],
    ),
    (
        ReasonKind::NoColour,
        &["grey", "gray", "no colour", "monochrome"],
    ),
    (ReasonKind::MakeUp, &["make-up", "make_up", "makeup"]),
    (ReasonKind::Gloss, &["gloss", "specular", "shine", "shiny"]),
    (
        ReasonKind::Clipped,
        &[
            "clipped",
            "clipping",
            "overexposed",
            "underexposed",
            "saturated",
        ],
    ),
    (
        ReasonKind::Uneven,
        &["uneven", "unevenness", "illumination varies", "shadow"],
    ),
    (ReasonKind::Blur, &["blur", "focus", "sharp", "defocus"]),
    (
        ReasonKind::NoLight,
        &[
            "polarised",
            "light",
            "uv",
            "wood",
            "nir",
            "no image",
            "no picture",
        ],
    ),
    (ReasonKind::Noise, &["noise", "noisy", "few"]),
    (
        ReasonKind::Coverage,
        &[
            "coverage", "cover", "missing", "excluded", "masked", "hidden",
        ],
    ),
];

/// The kind of one reason, and every number in it as it is written there.
pub(crate) fn classify(reason: &str) -> (ReasonKind, Vec<&str>) {
    let lower = reason.to_lowercase();
    let kind = WORDS
        .iter()
        .find(|(_, words)| words.iter().any(|w| holds_word(&lower, w)))
        .map_or(ReasonKind::Other, |(kind, _)| *kind);
    (kind, numbers(reason))
}

/// Whether `text` holds `word` beginning at the beginning of a word.
fn holds_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        !text[..at]
            .chars()
            .next_back()
            .is_some_and(char::is_alphanumeric)
    })
}

/// The parts of a reason that was put together from several.
pub(crate) fn parts(reason: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    reason
        .split(move |c| {
            match c {
                '(' => depth += 1,
                ')' => depth = (depth - 1).max(0),
                _ => {}
            }
            c == ';' && depth == 0
        })
        .map(str::trim)
        .filter(|p| !p.is_empty())
}

/// The decimal numbers in a text that stand on their own (not `CM825`, not `a1`).
fn numbers(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut out = vec![];
    let mut i = 0;
    while i < bytes.len() {
        let starts = bytes[i].is_ascii_digit()
            && (i == 0 || !(bytes[i - 1].is_ascii_alphanumeric() || bytes[i - 1] == b'.'));
        if !starts {
            i += 1;
            continue;
        }
        let mut end = i;
        while end < bytes.len()
            && (bytes[end].is_ascii_digit()
                || (bytes[end] == b'.' && bytes.get(end + 1).is_some_and(u8::is_ascii_digit)))
        {
            end += 1;
        }
        let negative =
            i > 0 && bytes[i - 1] == b'-' && (i == 1 || !bytes[i - 2].is_ascii_alphanumeric());
        out.push(&text[if negative { i - 1 } else { i }..end]);
        i = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_from_the_words() {
        for (text, kind, found) in [
            (
                "0.52 mm/px is too coarse for pores (needs 0.15)",
                ReasonKind::TooCoarse,
                &["0.52", "0.15"][..],
            ),
            (
                "no relief and mesh edges of 3.1 mm (needs 0.2)",
                ReasonKind::NoRelief,
                &["3.1", "0.2"],
            ),
            (
                "hydration cannot be computed from a photograph",
                ReasonKind::NoDeviceValue,
                &[],
            ),
            (
                "the scale of the photograph is unknown; no scale",
                ReasonKind::NoScale,
                &[],
            ),
            (
                "no light standard in the picture",
                ReasonKind::NoLightStandard,
                &[],
            ),
            ("only uv light was given", ReasonKind::NoLight, &[]),
            ("capture.skin is make_up", ReasonKind::MakeUp, &[]),
            (
                "focus 0.31 is below 0.5",
                ReasonKind::Blur,
                &["0.31", "0.5"],
            ),
            ("Corneometer CM 825", ReasonKind::NoDeviceValue, &["825"]),
            (
                "0.12 mm/px blurs pores near 0.25 mm (better 0.10)",
                ReasonKind::Limited,
                &["0.12", "0.25", "0.10"],
            ),
            (
                "from shading, without a relief",
                ReasonKind::FromShading,
                &[],
            ),
            (
                "from the mesh itself, 0.18 mm between its points",
                ReasonKind::FromMesh,
                &["0.18"],
            ),
            (
                "no relief, and no mesh fine enough to carry wrinkle depth",
                ReasonKind::NoRelief,
                &[],
            ),
            (
                "no white or polarised picture and no relief; x",
                ReasonKind::NoLight,
                &[],
            ),
            (
                "light uneven by 41 % (up to 35 % is flattened well)",
                ReasonKind::Uneven,
                &["41", "35"],
            ),
            (
                "less than 50 mm2 of usable skin without features in nose",
                ReasonKind::NotVisible,
                &["50"],
            ),
            (
                "scale from the width of the iris (11.7 mm, within 5 %)",
                ReasonKind::ScaleEstimated,
                &["11.7", "5"],
            ),
            (
                "redness on dark skin (ITA -31 degrees; reliable above 10)",
                ReasonKind::DarkSkin,
                &["-31", "10"],
            ),
            (
                "only a picture with gloss (parallel-polarised light)",
                ReasonKind::Gloss,
                &[],
            ),
            (
                "no face was found: nothing is masked by landmarks",
                ReasonKind::NoFace,
                &[],
            ),
            (
                "the size of a pixel on the skin is not known",
                ReasonKind::NoScale,
                &[],
            ),
            (
                "the photograph has no scale: neither mm_per_px nor an iris to take it from",
                ReasonKind::NoScale,
                &[],
            ),
            (
                "1 camera photograph was not measured: pictures in the atlas are measured instead",
                ReasonKind::LeftOut,
                &["1"],
            ),
            (
                "3 more photographs are not registered to the first with a face and were not measured",
                ReasonKind::LeftOut,
                &["3"],
            ),
            (
                "2 lights show less than 60 % of the skin that the others show and were not measured",
                ReasonKind::Coverage,
                &["2", "60"],
            ),
            (
                "the relief was not used: it lies in an atlas, and the scan has none",
                ReasonKind::UnplacedRelief,
                &[],
            ),
            (
                "the relief is too coarse and was not used: 0.58 mm per sample (wrinkles need 0.50 or less)",
                ReasonKind::CoarseRelief,
                &["0.58", "0.50"],
            ),
            (
                "the relief is not that of skin and was not used: it is level everywhere",
                ReasonKind::NoSkinsRelief,
                &[],
            ),
            (
                "0.44 mm per sample of the relief, for which depth and width are corrected (better 0.25)",
                ReasonKind::ReckonedDepth,
                &["0.44", "0.25"],
            ),
            (
                "100 % of the surface is mirrored in the atlas: u or v may run against the format, and all places may be wrong",
                ReasonKind::MirroredAtlas,
                &["100"],
            ),
            (
                "78 % of the surface lies outside of the pictures, beyond 0 to 1 of the atlas, and is not measured",
                ReasonKind::OutsideAtlas,
                &["78", "0", "1"],
            ),
            ("no probe measured it here", ReasonKind::NoDeviceValue, &[]),
            ("the moon is full", ReasonKind::Other, &[]),
            ("", ReasonKind::Other, &[]),
        ] {
            assert_eq!(classify(text), (kind, found.to_vec()), "{text}");
        }
    }

    #[test]
    fn numbers_stand_alone() {
        assert_eq!(
            numbers("a1 CM825 -3.5 2-4 0.5. 7"),
            ["-3.5", "2", "4", "0.5", "7"]
        );
        assert_eq!(parts("one; two;; ").collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(parts("a (b; c); d").collect::<Vec<_>>(), ["a (b; c)", "d"]);
    }

    #[test]
    fn every_text_is_survived() {
        for text in ["ä-1.", "…0…", ".5", "-", "9", "\u{0}1;", "1.2.3"] {
            let _ = classify(text);
        }
    }
}
