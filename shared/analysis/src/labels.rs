//! Regions and masks of the atlas.

use dermalia_findings::Region;
use dermalia_landmarks::Label;
use dermalia_surface::NO_TRIANGLE;
use rayon::prelude::*;

use crate::atlas::label;

/// Labels by the landmarks as bits of [`crate::Atlas::labels`]. What lies between the
/// named regions belongs to none of them and is not measured; masks there count as
/// excluded face.
pub(crate) fn bits(labels: &[Label]) -> Vec<u8> {
    labels.par_iter().map(|l| bits_of(*l)).collect()
}

/// The bits of one label.
pub(crate) fn bits_of(label: Label) -> u8 {
    let mask = if label.excluded().is_some() {
        label::LANDMARK_MASK
    } else {
        0
    };
    match label.region() {
        Some(r) => (r.index() as u8 + 1) | mask,
        None if mask != 0 => (Region::Face.index() as u8 + 1) | mask,
        None => 0,
    }
}

/// All of the surface as `face`: what is done where no face was found.
pub(crate) fn whole_surface(triangle: &[u32]) -> Vec<u8> {
    triangle
        .par_iter()
        .map(|&t| {
            if t == NO_TRIANGLE {
                0
            } else {
                Region::Face.index() as u8 + 1
            }
        })
        .collect()
}

/// Columns and rows that hold every labelled pixel and a border around them:
/// left, top, right, bottom.
pub(crate) fn bounds(labels: &[u8], width: usize, border: usize) -> Option<[usize; 4]> {
    let height = labels.len() / width.max(1);
    let (mut left, mut right) = (width, 0);
    let (mut top, mut bottom) = (height, 0);
    for (y, row) in labels.chunks_exact(width.max(1)).enumerate() {
        let Some(first) = row.iter().position(|l| *l != 0) else {
            continue;
        };
        let last = row.iter().rposition(|l| *l != 0).unwrap_or(first);
        left = left.min(first);
        right = right.max(last + 1);
        top = top.min(y);
        bottom = y + 1;
    }
    (right > left && bottom > top).then(|| {
        [
            left.saturating_sub(border),
            top.saturating_sub(border),
            (right + border).min(width),
            (bottom + border).min(height),
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermalia_landmarks::Mask;

    #[test]
    fn masks_between_regions_are_excluded_face_and_gaps_are_nothing() {
        let bits = bits(&[
            Label::OUTSIDE,
            Label::new(None, None),
            Label::new(None, Some(Mask::Eye)),
            Label::new(Some(Region::Nose), None),
            Label::new(Some(Region::Nose), Some(Mask::Nostril)),
        ]);
        assert_eq!(bits, [0, 0, 0x1E, 7, 0x17]);
    }

    #[test]
    fn bounds_hold_all_labels() {
        let mut labels = vec![0; 60];
        labels[23] = 1;
        labels[45] = 1;
        assert_eq!(bounds(&labels, 10, 1), Some([2, 1, 7, 6]));
        assert_eq!(bounds(&[0; 60], 10, 1), None);
    }
}
