//! The polygons of regions and masks as landmark indices. R is the patient's right, the
//! side of landmark 33 (which MediaPipe calls the left eye); L is its mirror image.

use std::sync::OnceLock;

use dermalia_findings::Region;

use crate::canonical::canonical;
use crate::label::Mask;

/// The rim of the face; no landmark lies beyond it.
pub const FACE_OVAL: [usize; 36] = [
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
];

/// The nasolabial fold of the patient's right, from the wing of the nose down.
const FOLD_R: [usize; 5] = [129, 203, 206, 216, 212];

/// Regions across the midline: their right half, from its upper to its lower midline point.
const MIDLINE_REGIONS: [(Region, &[usize]); 5] = [
    (
        Region::Forehead,
        &[10, 109, 67, 103, 54, 68, 63, 105, 66, 107, 108, 151],
    ),
    (Region::Glabella, &[151, 108, 107, 55, 193, 168]),
    (
        Region::Nose,
        &[
            168, 193, 245, 188, 114, 47, 126, 209, 49, 129, 64, 98, 97, 2,
        ],
    ),
    (
        Region::Perioral,
        &[
            2, 97, 98, 64, 129, 203, 206, 216, 212, 202, 204, 194, 201, 200,
        ],
    ),
    (
        Region::Chin,
        &[200, 201, 194, 204, 211, 170, 149, 176, 148, 152],
    ),
];

/// Regions of the patient's right, each with the name of its mirror image.
const SIDE_REGIONS: [(Region, Region, &[usize]); 4] = [
    (
        Region::CrowsFeetRight,
        Region::CrowsFeetLeft,
        &[226, 113, 124, 156, 139, 34, 116, 111, 31],
    ),
    (
        Region::UnderEyeRight,
        Region::UnderEyeLeft,
        &[
            31, 25, 110, 24, 23, 22, 26, 112, 244, 128, 121, 120, 119, 118, 117, 111,
        ],
    ),
    (
        Region::CheekRight,
        Region::CheekLeft,
        &[
            111, 117, 118, 119, 120, 121, 47, 126, 209, 49, 129, 203, 206, 216, 212, 202, 204, 211,
            170, 150, 136, 172, 58, 132, 93, 234, 116,
        ],
    ),
    // Between the fold and the upper lip; the band around the fold is added to it.
    (
        Region::NasolabialRight,
        Region::NasolabialLeft,
        &[129, 203, 206, 216, 212, 57, 186, 92, 165, 98, 64],
    ),
];

/// Masks of the patient's right.
const SIDE_MASKS: [(Mask, &[usize]); 3] = [
    (
        Mask::Eye,
        &[
            130, 25, 110, 24, 23, 22, 26, 112, 243, 190, 56, 28, 27, 29, 30, 247,
        ],
    ),
    (Mask::Brow, &[70, 63, 105, 66, 107, 55, 65, 52, 53, 46]),
    (Mask::Nostril, &[166, 79, 239, 238, 20, 60, 75]),
];

const LIPS: [usize; 20] = [
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185,
];

/// The landmark on the other side of the face, for each landmark: the nearest one after
/// the canonical face is mirrored. A landmark of the midline is its own mirror image.
#[must_use]
pub fn mirrored() -> &'static [usize] {
    static MIRROR: OnceLock<Vec<usize>> = OnceLock::new();
    MIRROR.get_or_init(|| {
        let points = &canonical().positions_mm;
        let distance2 = |a: usize, b: usize| {
            let (p, q) = (points[a], points[b]);
            let d = [p[0] + q[0], p[1] - q[1], p[2] - q[2]];
            d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
        };
        (0..points.len())
            .map(|a| {
                (0..points.len())
                    .min_by(|&b, &c| distance2(a, b).total_cmp(&distance2(a, c)))
                    .unwrap_or(a)
            })
            .collect()
    })
}

fn mirror(list: &[usize]) -> Vec<usize> {
    list.iter().map(|&i| mirrored()[i]).collect()
}

/// Every region's polygon, the left ones included. They do not overlap, but for the
/// nasolabial ones, which take their share of perioral (and by the band, of the cheek).
#[must_use]
pub fn region_polygons() -> Vec<(Region, Vec<usize>)> {
    let mut all = vec![];
    for (region, half) in MIDLINE_REGIONS {
        let other = mirror(half);
        let rest = other.iter().rev().filter(|i| !half.contains(i));
        all.push((region, half.iter().chain(rest).copied().collect()));
    }
    for (right, left, list) in SIDE_REGIONS {
        all.push((right, list.to_vec()));
        all.push((left, mirror(list)));
    }
    all
}

/// Every mask's polygon, before the brows are widened.
#[must_use]
pub fn mask_polygons() -> Vec<(Mask, Vec<usize>)> {
    let mut all = vec![(Mask::Lips, LIPS.to_vec())];
    for (mask, list) in SIDE_MASKS {
        all.push((mask, list.to_vec()));
        all.push((mask, mirror(list)));
    }
    all
}

/// The nasolabial folds as lines of landmarks.
#[must_use]
pub fn folds() -> [(Region, Vec<usize>); 2] {
    [
        (Region::NasolabialRight, FOLD_R.to_vec()),
        (Region::NasolabialLeft, mirror(&FOLD_R)),
    ]
}
