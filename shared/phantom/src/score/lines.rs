use dermalia_findings::PointMm;
use serde::{Deserialize, Serialize};

use super::f1;
use super::points::distance;

/// Agreement of wrinkles.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineScore {
    /// How many there are.
    pub truth: usize,
    /// How many were found.
    pub found: usize,
    /// How many true ones are covered by half or more of their length.
    pub covered: usize,
    /// How many found ones lie on a true one with less than half of their length.
    pub false_lines: usize,
    /// Found length within 1 mm of a true path over found length.
    pub precision: Option<f64>,
    /// True length within 1 mm of a found path over true length.
    pub recall: Option<f64>,
    /// Harmonic mean of both; 1 where there is nothing and nothing was found.
    pub f1: f64,
    /// Stated lengths of what was found on the covered lines over their true ones, less 1.
    pub length_bias: Option<f64>,
    /// The same of the mean width, weighted by length.
    pub width_bias: Option<f64>,
    /// The same of the mean depth; `None` where no depth was stated.
    pub depth_bias: Option<f64>,
    /// Mean over covered lines of the relative error of the depth without its sign.
    pub depth_error: Option<f64>,
}

pub(super) struct TrueLine<'a> {
    pub(super) path: &'a [PointMm],
    pub(super) length_mm: f64,
    pub(super) width_mm: f64,
    pub(super) depth_mm: f64,
}

pub(super) struct FoundLine<'a> {
    pub(super) path: &'a [PointMm],
    pub(super) length_mm: f64,
    pub(super) width_mm: f64,
    pub(super) depth_mm: Option<f64>,
}

const TOLERANCE_MM: f64 = 1.0;
const SAMPLE_MM: f64 = 0.25;

/// Points along a path about every quarter of a millimetre, each with the length that
/// it stands for.
fn samples(path: &[PointMm]) -> Vec<(PointMm, f64)> {
    let mut all = vec![];
    for w in path.windows(2) {
        let length = distance(w[0], w[1]);
        let n = libm::ceil(length / SAMPLE_MM).max(1.0) as usize;
        for i in 0..n {
            let t = (i as f64 + 0.5) / n as f64;
            let p = [0, 1, 2].map(|k| w[0][k] + (w[1][k] - w[0][k]) * t);
            all.push((p, length / n as f64));
        }
    }
    all
}

fn to_path(p: PointMm, path: &[PointMm]) -> f64 {
    let mut best = f64::INFINITY;
    for w in path.windows(2) {
        let d = [0, 1, 2].map(|k| w[1][k] - w[0][k]);
        let q = [0, 1, 2].map(|k| p[k] - w[0][k]);
        let l2: f64 = d.iter().map(|c| c * c).sum();
        let dot: f64 = (0..3).map(|k| d[k] * q[k]).sum();
        let t = if l2 > 0.0 {
            (dot / l2).clamp(0.0, 1.0)
        } else {
            0.0
        };
        best = best.min(distance(p, [0, 1, 2].map(|k| w[0][k] + d[k] * t)));
    }
    best
}

/// The path that comes nearest to a point, if within tolerance.
fn on<'a>(p: PointMm, paths: impl Iterator<Item = &'a [PointMm]>) -> Option<usize> {
    let mut best = (TOLERANCE_MM, None);
    for (i, path) in paths.enumerate() {
        let d = to_path(p, path);
        if d < best.0 {
            best = (d, Some(i));
        }
    }
    best.1
}

impl LineScore {
    pub(super) fn of(truth: &[TrueLine<'_>], found: &[FoundLine<'_>]) -> Self {
        let mut covered = vec![false; truth.len()];
        let (mut true_mm, mut hit_mm) = (0.0, 0.0);
        for (line, covered) in truth.iter().zip(&mut covered) {
            let (mut all, mut hit) = (0.0, 0.0);
            for (p, length) in samples(line.path) {
                all += length;
                if on(p, found.iter().map(|f| f.path)).is_some() {
                    hit += length;
                }
            }
            *covered = hit >= 0.5 * all && all > 0.0;
            true_mm += all;
            hit_mm += hit;
        }
        // Stated length, and its sums with width and depth, of what lies on each line.
        let mut on_line = vec![Stated::default(); truth.len()];
        let (mut found_mm, mut right_mm, mut false_lines) = (0.0, 0.0, 0);
        for line in found {
            let (mut all, mut right) = (0.0, 0.0);
            let mut votes = vec![0.0; truth.len()];
            for (p, length) in samples(line.path) {
                all += length;
                if let Some(i) = on(p, truth.iter().map(|t| t.path)) {
                    right += length;
                    votes[i] += length;
                }
            }
            found_mm += all;
            right_mm += right;
            if right < 0.5 * all || all == 0.0 {
                false_lines += 1;
                continue;
            }
            let most = votes.iter().copied().fold(0.0, f64::max);
            if let Some(i) = votes.iter().position(|&v| v == most) {
                on_line[i].add(line);
            }
        }
        let (mut real, mut stated) = (Stated::default(), Stated::default());
        let (mut deep_true, mut deep_found, mut error, mut deep) = (0.0, 0.0, 0.0, 0.0);
        for (i, line) in truth.iter().enumerate() {
            let s = &on_line[i];
            if !covered[i] || s.length == 0.0 {
                continue;
            }
            real.length += line.length_mm;
            real.width += line.length_mm * line.width_mm;
            stated.length += s.length;
            stated.width += s.width;
            if s.deep > 0.0 {
                let depth = s.depth / s.deep;
                deep_true += line.length_mm * line.depth_mm;
                deep_found += line.length_mm * depth;
                error += (depth / line.depth_mm - 1.0).abs();
                deep += 1.0;
            }
        }
        let ratio = |a: f64, b: f64| (b > 0.0).then(|| a / b);
        let (precision, recall) = (ratio(right_mm, found_mm), ratio(hit_mm, true_mm));
        let mean_width = ratio(stated.width, stated.length).zip(ratio(real.width, real.length));
        Self {
            truth: truth.len(),
            found: found.len(),
            covered: covered.iter().filter(|c| **c).count(),
            false_lines,
            precision,
            recall,
            f1: f1(precision, recall),
            length_bias: ratio(stated.length, real.length).map(|r| r - 1.0),
            width_bias: mean_width.map(|(s, r)| s / r - 1.0),
            depth_bias: ratio(deep_found, deep_true).map(|r| r - 1.0),
            depth_error: ratio(error, deep),
        }
    }
}

/// Sums over the lines found on one true line.
#[derive(Debug, Clone, Default)]
struct Stated {
    length: f64,
    width: f64,
    depth: f64,
    /// Length of those with a depth.
    deep: f64,
}

impl Stated {
    fn add(&mut self, line: &FoundLine<'_>) {
        self.length += line.length_mm;
        self.width += line.length_mm * line.width_mm;
        if let Some(depth) = line.depth_mm {
            self.depth += line.length_mm * depth;
            self.deep += line.length_mm;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_counts_by_length() {
        let path = [[0.0, 0.0, 0.0], [20.0, 0.0, 0.0]];
        let truth = [TrueLine {
            path: &path,
            length_mm: 20.0,
            width_mm: 1.0,
            depth_mm: 0.2,
        }];
        // Three quarters of it, in two pieces half a millimetre aside, and a stray line.
        let pieces = [
            [[0.0, 0.5, 0.0], [10.0, 0.5, 0.0]],
            [[15.0, 0.5, 0.0], [20.0, 0.5, 0.0]],
            [[0.0, 9.0, 0.0], [5.0, 9.0, 0.0]],
        ];
        let found: Vec<FoundLine<'_>> = pieces
            .iter()
            .map(|p| FoundLine {
                path: p,
                length_mm: p[1][0] - p[0][0],
                width_mm: 1.1,
                depth_mm: Some(0.18),
            })
            .collect();
        let score = LineScore::of(&truth, &found);
        assert_eq!((score.covered, score.false_lines), (1, 1));
        assert!((score.precision.unwrap() - 0.75).abs() < 1e-9);
        // The tolerance reaches 0.87 mm beyond the ends of the pieces: 15 + 2 x 0.75.
        assert!((score.recall.unwrap() - 0.825).abs() < 0.02);
        assert!((score.length_bias.unwrap() + 0.25).abs() < 1e-9);
        assert!((score.width_bias.unwrap() - 0.1).abs() < 1e-9);
        assert!((score.depth_bias.unwrap() + 0.1).abs() < 1e-9);
        let none = LineScore::of(&truth, &[]);
        assert_eq!((none.f1, none.length_bias), (0.0, None));
        assert_eq!(LineScore::of(&[], &[]).f1, 1.0);
    }
}
