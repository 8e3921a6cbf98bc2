use std::collections::BTreeMap;

use dermalia_findings::PointMm;
use serde::{Deserialize, Serialize};

use super::f1;

/// Agreement of one kind of point-like features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointScore {
    /// How many there are.
    pub truth: usize,
    /// How many were found.
    pub found: usize,
    /// How many of them are the same.
    pub matched: usize,
    /// Matched over found; `None` where nothing was found.
    pub precision: Option<f64>,
    /// Matched over true; `None` where there is nothing.
    pub recall: Option<f64>,
    /// Harmonic mean of both; 1 where there is nothing and nothing was found.
    pub f1: f64,
    /// Sum of the found sizes of the matched over that of their true ones, less 1.
    pub size_bias: Option<f64>,
    /// Mean of the matched sizes' relative errors without their sign.
    pub size_error: Option<f64>,
    /// Mean distance of the matched centres.
    pub distance_mm: Option<f64>,
}

/// A true feature; `size` is a diameter or an area.
#[derive(Debug, Clone, Copy)]
pub(super) struct TruePoint {
    pub(super) centre: PointMm,
    pub(super) size: f64,
    pub(super) tolerance_mm: f64,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    centre: PointMm,
    size: f64,
}

impl Found {
    pub(super) const fn new(centre: PointMm, size: f64) -> Self {
        Self { centre, size }
    }
}

pub(super) fn distance(a: PointMm, b: PointMm) -> f64 {
    (0..3)
        .map(|k| (a[k] - b[k]) * (a[k] - b[k]))
        .sum::<f64>()
        .sqrt()
}

impl PointScore {
    /// The score, and the indices of what was found in vain.
    pub(super) fn of(truth: &[TruePoint], found: &[Found]) -> (Self, Vec<usize>) {
        let pairs = nearest_first(truth, found);
        let mut taken = vec![false; found.len()];
        let mut hit = vec![false; truth.len()];
        let (mut matched, mut far, mut error) = (0_usize, 0.0, 0.0);
        let (mut size_found, mut size_true) = (0.0, 0.0);
        for (d, t, f) in pairs {
            if hit[t] || taken[f] {
                continue;
            }
            hit[t] = true;
            taken[f] = true;
            matched += 1;
            far += d;
            size_found += found[f].size;
            size_true += truth[t].size;
            error += (found[f].size / truth[t].size - 1.0).abs();
        }
        let over = |n: usize| (n > 0).then(|| matched as f64 / n as f64);
        let mean = |sum: f64| (matched > 0).then(|| sum / matched as f64);
        let (precision, recall) = (over(found.len()), over(truth.len()));
        let score = Self {
            truth: truth.len(),
            found: found.len(),
            matched,
            precision,
            recall,
            f1: f1(precision, recall),
            size_bias: (matched > 0).then(|| size_found / size_true - 1.0),
            size_error: mean(error),
            distance_mm: mean(far),
        };
        (score, (0..found.len()).filter(|&f| !taken[f]).collect())
    }
}

/// Every pair within tolerance, nearest first; equal distances in the order of the lists.
fn nearest_first(truth: &[TruePoint], found: &[Found]) -> Vec<(f64, usize, usize)> {
    let cell_mm = truth.iter().map(|t| t.tolerance_mm).fold(0.5, f64::max);
    let cell = |p: PointMm| p.map(|c| libm::floor(c / cell_mm) as i64);
    let mut grid: BTreeMap<[i64; 3], Vec<usize>> = BTreeMap::new();
    for (i, f) in found.iter().enumerate() {
        grid.entry(cell(f.centre)).or_default().push(i);
    }
    let mut pairs = vec![];
    for (t, real) in truth.iter().enumerate() {
        let [x, y, z] = cell(real.centre);
        for k in 0..27 {
            let key = [x + k % 3 - 1, y + k / 3 % 3 - 1, z + k / 9 - 1];
            for &f in grid.get(&key).into_iter().flatten() {
                let d = distance(real.centre, found[f].centre);
                if d <= real.tolerance_mm {
                    pairs.push((d, t, f));
                }
            }
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real(x: f64, size: f64, tolerance_mm: f64) -> TruePoint {
        TruePoint {
            centre: [x, 0.0, 0.0],
            size,
            tolerance_mm,
        }
    }

    #[test]
    fn the_nearest_pair_wins_and_each_counts_once() {
        let truth = [
            real(0.0, 2.0, 1.0),
            real(1.5, 4.0, 1.0),
            real(9.0, 1.0, 0.5),
        ];
        let found = [
            Found::new([0.9, 0.0, 0.0], 5.0),
            Found::new([0.1, 0.0, 0.0], 2.2),
            Found::new([0.2, 0.0, 0.0], 9.0),
            Found::new([9.6, 0.0, 0.0], 1.0),
        ];
        let (score, wrong) = PointScore::of(&truth, &found);
        assert_eq!((score.truth, score.found, score.matched), (3, 4, 2));
        assert_eq!(wrong, [2, 3]);
        assert!((score.f1 - 4.0 / 7.0).abs() < 1e-12);
        assert!((score.size_bias.unwrap() - (7.2 / 6.0 - 1.0)).abs() < 1e-12);
        assert!((score.size_error.unwrap() - (0.1 + 0.25) / 2.0).abs() < 1e-12);
        assert!((score.distance_mm.unwrap() - 0.35).abs() < 1e-12);
    }

    #[test]
    fn nothing_against_nothing_is_right_and_against_something_wrong() {
        assert_eq!(PointScore::of(&[], &[]).0.f1, 1.0);
        assert_eq!(PointScore::of(&[real(0.0, 1.0, 1.0)], &[]).0.f1, 0.0);
        assert_eq!(PointScore::of(&[], &[Found::new([0.0; 3], 1.0)]).0.f1, 0.0);
    }
}
