//! The short-range face detector (BlazeFace, arXiv 1907.05047).

use crate::LandmarkError;
use crate::interpreter::{Model, Tensor};
use crate::picture::{Pyramid, Square};

/// Pixels a side of the model's input.
const SIDE: usize = 128;
/// Grids of the model: cells a side, boxes a cell.
const GRIDS: [(usize, usize); 2] = [(16, 2), (8, 6)];
const BOXES: usize = 896;
/// Numbers a box: x, y, width, height, then six points.
const NUMBERS: usize = 16;
const LEAST_SCORE: f32 = 0.5;
/// Boxes that overlap by more (area of intersection over union) are one face.
const SAME_FACE: f32 = 0.3;

/// A face found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Detection {
    /// From 0.5 to 1.
    pub(crate) score: f32,
    /// Where the landmark model is to look.
    pub(crate) square: Square,
}

/// A box in the square that was looked at (0 to 1), with the eyes.
#[derive(Clone, Copy)]
struct Candidate {
    score: f32,
    /// Middle x, y, width, height, the patient's right eye x, y, left eye x, y.
    numbers: [f32; 8],
}

/// The faces within a square of the picture, the most certain first.
pub(crate) fn detect(
    model: &Model,
    pyramid: &Pyramid<'_>,
    within: &Square,
) -> Result<Vec<Detection>, LandmarkError> {
    let input = Tensor {
        shape: vec![1, SIDE, SIDE, 3],
        values: within.cut(pyramid, SIDE, true, |level| level / 127.5 - 1.0),
    };
    let outputs = model.run(input)?;
    let boxes = crate::model_output(&outputs, "regressors", BOXES * NUMBERS)?;
    let scores = crate::model_output(&outputs, "classificators", BOXES)?;
    let mut candidates = vec![];
    for (i, [cx, cy]) in anchors().enumerate() {
        let score = crate::sigmoid(scores[i]);
        if score >= LEAST_SCORE {
            let b = &boxes[i * NUMBERS..(i + 1) * NUMBERS];
            let n = |k: usize| b[k] / SIDE as f32;
            let numbers = [
                n(0) + cx,
                n(1) + cy,
                n(2),
                n(3),
                n(4) + cx,
                n(5) + cy,
                n(6) + cx,
                n(7) + cy,
            ];
            candidates.push(Candidate { score, numbers });
        }
    }
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(merged(candidates)
        .iter()
        .map(|c| c.on_picture(within))
        .collect())
}

fn anchors() -> impl Iterator<Item = [f32; 2]> {
    GRIDS.into_iter().flat_map(|(cells, each)| {
        (0..cells * cells * each).map(move |i| {
            let cell = i / each;
            [cell % cells, cell / cells].map(|c| (c as f32 + 0.5) / cells as f32)
        })
    })
}

/// Boxes of the same face become their mean, weighted by score.
fn merged(mut rest: Vec<Candidate>) -> Vec<Candidate> {
    let mut faces = vec![];
    while let Some(best) = rest.first().copied() {
        let (same, other): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|c| c.overlap(&best) > SAME_FACE);
        let total: f32 = same.iter().map(|c| c.score).sum();
        let mut numbers = [0.0; 8];
        for c in &same {
            for k in 0..8 {
                numbers[k] += c.numbers[k] * c.score / total;
            }
        }
        // A box without extent overlaps nothing, not even itself.
        if !same.is_empty() {
            let score = best.score;
            faces.push(Candidate { score, numbers });
            rest = other;
        } else {
            rest = other.into_iter().skip(1).collect();
        }
    }
    faces
}

impl Candidate {
    fn overlap(&self, other: &Self) -> f32 {
        let (a, b) = (&self.numbers, &other.numbers);
        let side = |k: usize| {
            let low = (a[k] - a[k + 2] / 2.0).max(b[k] - b[k + 2] / 2.0);
            let high = (a[k] + a[k + 2] / 2.0).min(b[k] + b[k + 2] / 2.0);
            (high - low).max(0.0)
        };
        let both = side(0) * side(1);
        let all = a[2] * a[3] + b[2] * b[3] - both;
        if all > 0.0 { both / all } else { 0.0 }
    }

    fn on_picture(&self, within: &Square) -> Detection {
        let n = &self.numbers;
        let (right, left) = (within.place(n[4], n[5]), within.place(n[6], n[7]));
        Detection {
            score: self.score,
            square: Square {
                centre: within.place(n[0], n[1]),
                side: 1.5 * n[2].max(n[3]) * within.side,
                turn: direction(right, left),
            },
        }
    }
}

/// Cosine and sine of the direction from one place to another.
pub(crate) fn direction(from: [f32; 2], to: [f32; 2]) -> [f32; 2] {
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let length = (dx * dx + dy * dy).sqrt();
    if length > 0.0 {
        [dx / length, dy / length]
    } else {
        [1.0, 0.0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_the_middles_of_cells() {
        let all: Vec<[f32; 2]> = anchors().collect();
        assert_eq!(all.len(), BOXES);
        assert_eq!(all[0], [1.0 / 32.0, 1.0 / 32.0]);
        assert_eq!(all[1], all[0]);
        assert_eq!(all[2], [3.0 / 32.0, 1.0 / 32.0]);
        assert_eq!(all[512], [1.0 / 16.0, 1.0 / 16.0]);
        assert_eq!(all[895], [15.0 / 16.0, 15.0 / 16.0]);
    }

    #[test]
    fn boxes_of_one_face_become_one() {
        let at = |x: f32, score: f32| {
            let mut numbers = [0.5; 8];
            (numbers[0], numbers[2], numbers[3]) = (x, 0.2, 0.2);
            Candidate { score, numbers }
        };
        let faces = merged(vec![at(0.30, 0.9), at(0.32, 0.6), at(0.80, 0.55)]);
        assert_eq!(faces.len(), 2);
        assert!((faces[0].numbers[0] - (0.30 * 0.9 + 0.32 * 0.6) / 1.5).abs() < 1e-6);
        assert!((faces[0].score - 0.9).abs() < 1e-6);
        let mut flat = at(0.5, 0.7);
        flat.numbers[2] = 0.0;
        assert!(merged(vec![flat]).is_empty());
    }
}
