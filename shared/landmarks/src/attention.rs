//! The landmark model with attention to eyes and lips (arXiv 2006.10962): 478 points.

use crate::LandmarkError;
use crate::canonical::FACE_POINTS;
use crate::detector::direction;
use crate::interpreter::{Model, Tensor};
use crate::picture::{Pyramid, Square};

/// Pixels a side of the model's input.
const SIDE: usize = 192;
/// Landmarks with the two irises.
pub const POINTS: usize = 478;

/// The points that the lips output refines, in its order.
const LIPS: [usize; 80] = [
    61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409, 78,
    95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415, 76, 77,
    90, 180, 85, 16, 315, 404, 320, 307, 306, 184, 74, 73, 72, 11, 302, 303, 304, 408, 62, 96, 89,
    179, 86, 15, 316, 403, 319, 325, 292, 183, 42, 41, 38, 12, 268, 271, 272, 407,
];

/// The points that the output `left_eye` refines: the patient's right eye. The first 16
/// are the rims of its lids.
const RIGHT_EYE: [usize; 71] = [
    33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173, 130, 25, 110, 24,
    23, 22, 26, 112, 243, 247, 30, 29, 27, 28, 56, 190, 226, 31, 228, 229, 230, 231, 232, 233, 244,
    113, 225, 224, 223, 222, 221, 189, 35, 124, 46, 53, 52, 65, 143, 111, 117, 118, 119, 120, 121,
    128, 245, 156, 70, 63, 105, 66, 107, 55, 193,
];

/// The points that the output `right_eye` refines: the patient's left eye.
const LEFT_EYE: [usize; 71] = [
    263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398, 359, 255, 339,
    254, 253, 252, 256, 341, 463, 467, 260, 259, 257, 258, 286, 414, 446, 261, 448, 449, 450, 451,
    452, 453, 464, 342, 445, 444, 443, 442, 441, 413, 265, 353, 276, 283, 282, 295, 372, 340, 346,
    347, 348, 349, 350, 357, 465, 383, 300, 293, 334, 296, 336, 285, 417,
];

/// Lids' rims within the lists of eyes.
const RIMS: usize = 16;

/// Points of one look at a square.
pub(crate) struct Look {
    /// In pixels of the picture; z in the same unit, smaller is nearer.
    pub(crate) points_px: Vec<[f32; 3]>,
    /// From 0 to 1.
    pub(crate) presence: f32,
}

/// Places the points in a square of the picture.
pub(crate) fn look(
    model: &Model,
    pyramid: &Pyramid<'_>,
    square: &Square,
) -> Result<Look, LandmarkError> {
    let input = Tensor {
        shape: vec![1, SIDE, SIDE, 3],
        values: square.cut(pyramid, SIDE, false, |level| level / 255.0),
    };
    let outputs = model.run(input)?;
    let get = |name: &str, count: usize| crate::model_output(&outputs, name, count);
    let mesh = get("output_mesh_identity", FACE_POINTS * 3)?;
    let mut points = vec![[0.0; 3]; POINTS];
    for (p, xyz) in points.iter_mut().zip(mesh.chunks_exact(3)) {
        p.copy_from_slice(xyz);
    }
    let iris_right: Vec<usize> = (468..473).collect();
    let iris_left: Vec<usize> = (473..478).collect();
    for (name, list) in [
        ("output_lips", &LIPS[..]),
        ("output_left_eye", &RIGHT_EYE[..]),
        ("output_right_eye", &LEFT_EYE[..]),
        ("output_left_iris", &iris_right[..]),
        ("output_right_iris", &iris_left[..]),
    ] {
        let refined = get(name, list.len() * 2)?;
        for (&i, xy) in list.iter().zip(refined.chunks_exact(2)) {
            points[i][..2].copy_from_slice(xy);
        }
    }
    // The irises have no depth of their own: that of the lids' rims.
    for (iris, eye) in [(iris_right, RIGHT_EYE), (iris_left, LEFT_EYE)] {
        let depth = eye[..RIMS].iter().map(|&i| points[i][2]).sum::<f32>() / RIMS as f32;
        for i in iris {
            points[i][2] = depth;
        }
    }
    let side = SIDE as f32;
    let points_px: Vec<[f32; 3]> = points
        .iter()
        .map(|&[x, y, z]| {
            let [px, py] = square.place(x / side, y / side);
            [px, py, z / side * square.side]
        })
        .collect();
    let presence = crate::sigmoid(get("conv_faceflag", 1)?[0]);
    if points_px.iter().flatten().any(|c| !c.is_finite()) || presence.is_nan() {
        return Err(LandmarkError::NotFinite);
    }
    Ok(Look {
        points_px,
        presence,
    })
}

/// Where to look again: around all points, turned so that the eyes lie level.
pub(crate) fn square_around(points_px: &[[f32; 3]]) -> Square {
    let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
    for p in &points_px[..FACE_POINTS.min(points_px.len())] {
        for k in 0..2 {
            low[k] = low[k].min(p[k]);
            high[k] = high[k].max(p[k]);
        }
    }
    let (right, left) = (points_px[33], points_px[263]);
    Square {
        centre: [0, 1].map(|k| (low[k] + high[k]) / 2.0),
        side: 1.5 * (high[0] - low[0]).max(high[1] - low[1]),
        turn: direction([right[0], right[1]], [left[0], left[1]]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polygons::mirrored;

    #[test]
    fn the_eyes_lists_mirror_each_other() {
        for (r, l) in RIGHT_EYE.iter().zip(LEFT_EYE) {
            assert_eq!(mirrored()[*r], l);
        }
        assert!(LIPS.iter().all(|&i| LIPS.contains(&mirrored()[i])));
    }

    #[test]
    fn the_square_follows_a_tilted_face() {
        let mut points = vec![[100.0, 100.0, 0.0]; FACE_POINTS];
        (points[33], points[263]) = ([80.0, 80.0, 0.0], [120.0, 110.0, 0.0]);
        points[152] = [90.0, 180.0, 0.0];
        let square = square_around(&points);
        assert_eq!(square.centre, [100.0, 130.0]);
        assert_eq!(square.side, 150.0);
        assert!((square.turn[0] - 0.8).abs() < 1e-6 && (square.turn[1] - 0.6).abs() < 1e-6);
    }
}
