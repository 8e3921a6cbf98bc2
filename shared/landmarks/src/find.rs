use std::sync::OnceLock;

use crate::LandmarkError;
use crate::attention::{self, Look};
use crate::detector::{Detection, detect};
use crate::interpreter::{Model, ModelError};
use crate::picture::{Pyramid, RgbView, Square};

/// A face is taken for one from this presence on; an upside-down atlas has passed 0.5.
pub const LEAST_PRESENCE: f32 = 0.9;
/// How often the model looks at most where it found the points; upright faces need two.
const MOST_LOOKS: usize = 6;
/// A look from a square that differs by less than this (turn, shift and size in sides) is
/// as good as the one before.
const SAME_SQUARE: f32 = 0.05;
/// Mean horizontal diameter of the visible iris of an adult, 11.7 mm (SD 0.5;
/// Rüfer et al. 2005, doi 10.1097/01.ico.0000148312.01805.53).
const IRIS_MM: f64 = 11.7;

/// Landmarks on a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureLandmarks {
    /// 478 points in pixels: x right, y down, z in the same unit, smaller is nearer.
    pub points_px: Vec<[f32; 3]>,
    /// The model's certainty that there is a face, from 0 to 1.
    pub presence: f32,
}

impl PictureLandmarks {
    /// The scale of the face from the width of the irises: good to about 5 %. `None` for
    /// closed eyes, or where the two irises disagree.
    #[must_use]
    pub fn mm_per_px_from_iris(&self) -> Option<f64> {
        let distance = |a: usize, b: usize| {
            let (p, q) = (self.points_px.get(a)?, self.points_px.get(b)?);
            let d = [0, 1].map(|k| f64::from(p[k]) - f64::from(q[k]));
            Some((d[0] * d[0] + d[1] * d[1]).sqrt())
        };
        // Opening of the lids against the width of the eye.
        for (upper, lower, inner, outer) in [(159, 145, 133, 33), (386, 374, 362, 263)] {
            if distance(upper, lower)? < 0.15 * distance(inner, outer)? {
                return None;
            }
        }
        let (right, left) = (distance(469, 471)?, distance(474, 476)?);
        let (small, large) = (right.min(left), right.max(left));
        // The eye that is turned away shows its iris narrower.
        (small > 2.0 && small > 0.8 * large).then(|| IRIS_MM / large)
    }
}

/// The embedded models, read once.
pub(crate) struct Models {
    detector: Model,
    attention: Model,
}

impl Models {
    pub(crate) fn get() -> Result<&'static Self, LandmarkError> {
        static MODELS: OnceLock<Result<Models, ModelError>> = OnceLock::new();
        MODELS
            .get_or_init(|| {
                Ok(Self {
                    detector: Model::read(DETECTOR)?,
                    attention: Model::read(ATTENTION)?,
                })
            })
            .as_ref()
            .map_err(|e| e.clone().into())
    }
}

/// The embedded detector, as published.
pub(crate) const DETECTOR: &[u8] = include_bytes!(concat!(
    env!("OUT_DIR"),
    "/face_detection_short_range.tflite"
));
/// The embedded landmark model, as published.
pub(crate) const ATTENTION: &[u8] = include_bytes!(concat!(
    env!("OUT_DIR"),
    "/face_landmark_with_attention.tflite"
));

/// Finds the face on a picture, the largest if there are several. A small face is looked
/// for in parts of the picture; a face that lies on its side or head is found too.
///
/// # Errors
/// Only a fault of the models; no face is `None`.
pub fn find_on_picture(picture: &RgbView<'_>) -> Result<Option<PictureLandmarks>, LandmarkError> {
    let models = Models::get()?;
    let pyramid = Pyramid::new(*picture);
    for step in search(picture) {
        let mut faces: Vec<Detection> = vec![];
        for square in step {
            faces.extend(detect(&models.detector, &pyramid, &square)?);
        }
        faces.sort_by(|a, b| {
            let size = |d: &Detection| d.score * d.square.side;
            size(b).total_cmp(&size(a))
        });
        for face in faces.iter().take(MOST_FACES) {
            let found = settle(models, &pyramid, face.square)?;
            if found.presence >= LEAST_PRESENCE {
                return Ok(Some(PictureLandmarks {
                    points_px: found.points_px,
                    presence: found.presence,
                }));
            }
        }
    }
    Ok(None)
}

/// Detections that are followed up in one step of the search.
const MOST_FACES: usize = 4;

/// Looks at one square.
pub(crate) fn look_once(
    models: &Models,
    pyramid: &Pyramid<'_>,
    square: Square,
) -> Result<Look, LandmarkError> {
    attention::look(&models.attention, pyramid, &square)
}

/// Looks where a face was detected, and again where the points were found.
pub(crate) fn settle(
    models: &Models,
    pyramid: &Pyramid<'_>,
    mut square: Square,
) -> Result<Look, LandmarkError> {
    let mut found = attention::look(&models.attention, pyramid, &square)?;
    for looks in 1..MOST_LOOKS {
        if found.presence < 0.5 {
            break;
        }
        let next = attention::square_around(&found.points_px);
        if looks > 1 && square.differs(&next) < SAME_SQUARE {
            break;
        }
        square = next;
        found = attention::look(&models.attention, pyramid, &square)?;
    }
    Ok(found)
}

/// The squares to look at, step by step: the whole picture, the whole picture turned by
/// quarters, then overlapping halves and quarters of it.
fn search(picture: &RgbView<'_>) -> Vec<Vec<Square>> {
    let (w, h) = (picture.width() as f32, picture.height() as f32);
    let whole = Square {
        centre: [w / 2.0, h / 2.0],
        side: w.max(h),
        turn: [1.0, 0.0],
    };
    let turned = |turn: [f32; 2]| vec![Square { turn, ..whole }];
    let mut steps = vec![vec![whole]];
    steps.extend([[0.0, 1.0], [0.0, -1.0], [-1.0, 0.0]].map(turned));
    for parts in [2, 4] {
        let side = whole.side / parts as f32;
        if side < SMALLEST_PART_PX {
            break;
        }
        // Each part overlaps the next by half.
        let places = |length: f32| {
            let count = ((length - side) / (side / 2.0)).ceil().max(0.0) as usize;
            let gap = if count > 0 {
                (length - side) / count as f32
            } else {
                0.0
            };
            (0..=count).map(move |i| {
                if count > 0 {
                    side / 2.0 + i as f32 * gap
                } else {
                    length / 2.0
                }
            })
        };
        let rows = places(h).flat_map(|y| places(w).map(move |x| [x, y]));
        steps.push(
            rows.map(|centre| Square {
                centre,
                side,
                turn: [1.0, 0.0],
            })
            .collect(),
        );
    }
    steps
}

/// A part with fewer pixels shows no face with skin to be measured.
const SMALLEST_PART_PX: f32 = 192.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_covers_the_picture_in_ever_smaller_parts() {
        let rgb = vec![0; 4000 * 3000 * 3];
        let view = RgbView::new(4000, 3000, &rgb).unwrap();
        let steps = search(&view);
        assert_eq!(steps.len(), 6);
        for step in &steps[4..] {
            for corner in [
                [1.0, 1.0],
                [3999.0, 2999.0],
                [2000.0, 1500.0],
                [1.0, 2999.0],
            ] {
                assert!(step.iter().any(|s: &Square| {
                    (0..2).all(|k| (s.centre[k] - corner[k]).abs() <= s.side / 2.0 + 0.5)
                }));
            }
        }
        assert!(steps[5].len() < 60);
        let small = vec![0; 100 * 80 * 3];
        assert_eq!(search(&RgbView::new(100, 80, &small).unwrap()).len(), 4);
    }

    #[test]
    fn the_iris_gives_the_scale_only_of_open_eyes() {
        let mut points_px = vec![[0.0; 3]; 478];
        for (i, x, y) in [
            (33, 0.0, 0.0),
            (133, 60.0, 0.0),
            (159, 30.0, -10.0),
            (145, 30.0, 10.0),
            (362, 120.0, 0.0),
            (263, 180.0, 0.0),
            (386, 150.0, -10.0),
            (374, 150.0, 10.0),
            (469, 42.0, 0.0),
            (471, 18.6, 0.0),
            (474, 162.0, 0.0),
            (476, 138.6, 0.0),
        ] {
            points_px[i] = [x, y, 0.0];
        }
        let mut face = PictureLandmarks {
            points_px,
            presence: 1.0,
        };
        assert!((face.mm_per_px_from_iris().unwrap() - 0.5).abs() < 1e-6);
        face.points_px[159][1] = 9.0;
        assert_eq!(face.mm_per_px_from_iris(), None);
    }
}
