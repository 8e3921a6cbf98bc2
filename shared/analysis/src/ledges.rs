//! What lies beside something taller: a pale spot that a dark one touches is no peak of its
//! own, but a ledge on the slope of the other.

use crate::extent::{connected, outline};
use crate::field::{Field, quantile};
use crate::segments::Basins;
use crate::window::{distances, window_around};

/// Beyond the half height of a peak its own edge reaches so far …
const EDGE_MM: f32 = 0.4;
/// … and so many times the smoothing further.
const BLURS: f32 = 1.6;
/// Less than this is an edge that is softer on one side.
const LEAST_MM2: f32 = 2.0;

/// Of a soft edge down to half of its height 40 % are above three quarters of that, of a ledge
/// 80 %. The highest cells are within the reach of the peak.
const TOP: f64 = 0.95;
const HIGH: f32 = 0.75;
const MOSTLY: f32 = 0.6;

/// The ledges in the basins of some peaks, as basins of their own after the others; `None`
/// where there are none. A ledge is at least so high, in a plane with a blur of `blur_mm`.
pub(crate) fn ledges(
    field: &Field,
    smooth: &[f32],
    basins: &Basins,
    peaks: impl Iterator<Item = usize>,
    least: f32,
    blur_mm: f32,
) -> Option<Basins> {
    let margin = EDGE_MM + BLURS * blur_mm;
    let mut parted: Option<Basins> = None;
    for number in peaks {
        let high: Vec<u32> = (basins.members[number].iter().copied())
            .take_while(|&c| smooth[c as usize] > least)
            .collect();
        let peak = outline(field, smooth, basins, number);
        if field.surface(&high) - field.surface(&peak) < LEAST_MM2 {
            continue;
        }
        let window = window_around(field, &high, 0.0);
        let away = distances(field, &window, &peak);
        let beyond = |c: &u32| away[window.local(field, *c as usize)] > margin;
        let rest: Vec<u32> = high.iter().copied().filter(beyond).collect();
        let Some(&top) = rest.first() else { continue };
        let half = 0.5 * smooth[top as usize];
        let upper = rest.partition_point(|&c| smooth[c as usize] > half);
        let ledge = connected(field, &rest[..upper], top as usize);
        // What is cut off at the least height shows only the start of its fall.
        let is_ring = || half >= least && is_level(smooth, &ledge);
        if field.surface(&ledge) < LEAST_MM2 || !beyond(&middle(field, &ledge)) && !is_ring() {
            continue;
        }
        // The slope between the two is the ledge's where it is the nearer.
        let near = distances(field, &window, &ledge);
        let parted = parted.get_or_insert_with(|| basins.clone());
        let own = parted.peaks.len() as u32;
        let members: Vec<u32> = (high.into_iter())
            .filter(|&c| {
                let place = window.local(field, c as usize);
                near[place] <= margin && away[place] > 0.0
            })
            .collect();
        for &c in &members {
            parted.basin[c as usize] = own;
        }
        parted.peaks.push(top as usize);
        parted.members.push(members);
    }
    parted
}

/// Whether a ledge around a peak is level, and no soft edge: most of it is hardly lower than
/// its highest cells.
fn is_level(smooth: &[f32], ledge: &[u32]) -> bool {
    let mut heights: Vec<f32> = ledge.iter().map(|&c| smooth[c as usize]).collect();
    let Some(top) = quantile(&mut heights, TOP) else {
        return false;
    };
    let high = heights.iter().filter(|h| **h > HIGH * top).count();
    high as f32 >= MOSTLY * heights.len() as f32
}

/// The cell in the middle of some.
fn middle(field: &Field, cells: &[u32]) -> u32 {
    let mean = |of: &dyn Fn(usize) -> usize| {
        cells.iter().map(|&c| of(c as usize)).sum::<usize>() / cells.len().max(1)
    };
    let [x, y] = [mean(&|c| c % field.width), mean(&|c| c / field.width)];
    (y * field.width + x) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Extent, Sample};
    use crate::segments::{Rules, basins};

    const SIDE: usize = 160;

    /// Ledges in a plane of 24 mm: how many there are, and the surface of the first.
    fn found(height: impl Fn(f32, f32) -> f32) -> (usize, f32) {
        let extent = Extent {
            origin: [0, 0],
            size: [SIDE, SIDE],
            px_mm: [0.15, 0.15],
            aim_mm: 0.15,
        };
        let field = Field::reduce(extent, |_, _| {
            Some(Sample {
                density: [0.0; 3],
                area_mm2: 0.0225,
                usable: true,
            })
        });
        let at = |i: usize| 0.15 * (i as f32 - 80.0);
        let raw: Vec<f32> = (0..SIDE * SIDE)
            .map(|i| height(at(i % SIDE), at(i / SIDE)))
            .collect();
        let smooth = field.smooth(&raw, &field.weight, 0.22);
        let rules = Rules {
            peak: 0.03,
            floor: 0.01,
            saddle: 0.01,
            saddle_share: 0.2,
        };
        let basins = basins(&field, &smooth, &field.usable(), rules);
        let count = basins.peaks.len();
        let Some(parted) = ledges(&field, &smooth, &basins, 0..count, 0.03, 0.22) else {
            return (0, 0.0);
        };
        let first = outline(&field, &smooth, &parted, count);
        (parted.peaks.len() - count, field.surface(&first))
    }

    /// A disc of some radius with an edge as soft as a mole's.
    fn disc(x: f32, y: f32, radius: f32) -> f32 {
        1.0 / (1.0 + (((x * x + y * y).sqrt() - radius) / 0.2).exp())
    }

    #[test]
    fn a_pale_spot_that_a_dark_one_touches_is_a_ledge() {
        let (count, area) = found(|x, y| 0.8 * disc(x, y, 1.5) + 0.26 * disc(x - 4.2, y, 2.8));
        assert_eq!(count, 1);
        assert!((area / 24.6 - 1.0).abs() < 0.15, "{area}");
    }

    #[test]
    fn a_pale_spot_around_a_dark_one_is_a_ledge() {
        let (count, area) = found(|x, y| 0.8 * disc(x, y, 1.5) + 0.26 * disc(x - 0.6, y, 3.8));
        assert_eq!(count, 1);
        let ring = std::f32::consts::PI * (3.8 * 3.8 - 1.5 * 1.5);
        assert!((area / ring - 1.0).abs() < 0.15, "{area} {ring}");
    }

    #[test]
    fn a_soft_edge_is_none() {
        assert_eq!(found(|x, y| 0.8 * disc(x, y, 3.0)).0, 0);
        let soft = |x: f32, y: f32| 0.8 * (-0.5 * (x * x + y * y) / 1.5 / 1.5).exp();
        assert_eq!(found(soft).0, 0);
        // And not what lies apart and has a basin of its own.
        let apart = |x: f32, y: f32| 0.8 * disc(x + 3.0, y, 1.5) + 0.26 * disc(x - 4.0, y, 2.0);
        assert_eq!(found(apart).0, 0);
    }
}
