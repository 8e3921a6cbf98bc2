//! Peaks of a plane and the ground that belongs to each.

use crate::field::Field;

/// The mark of a cell that belongs to no peak.
pub(crate) const NO_BASIN: u32 = u32::MAX;

/// What makes a peak one of its own.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// The height a peak must have.
    pub(crate) peak: f32,
    /// How far down ground is counted.
    pub(crate) floor: f32,
    /// How deep the saddle to a higher neighbour must lie, absolutely …
    pub(crate) saddle: f32,
    /// … and as a share of the peak.
    pub(crate) saddle_share: f32,
}

/// The peaks of a plane and their basins.
#[derive(Debug, Clone)]
pub(crate) struct Basins {
    /// The basin of each cell, or [`NO_BASIN`].
    pub(crate) basin: Vec<u32>,
    /// The cell of each basin's peak.
    pub(crate) peaks: Vec<usize>,
    /// The cells of each basin from the highest down.
    pub(crate) members: Vec<Vec<u32>>,
}

/// Floods a plane from its heights downwards (a watershed): two grounds that meet become
/// one unless the lower peak stands clearly above the saddle between them.
pub(crate) fn basins(field: &Field, height: &[f32], usable: &[bool], rules: Rules) -> Basins {
    let (w, h) = (field.width, field.height);
    // From the highest down: the bits of positive numbers have their order.
    let floor = rules.floor.max(0.0);
    let mut order: Vec<u64> = (usable.iter().zip(height).enumerate())
        .filter(|(_, (usable, height))| **usable & (**height > floor))
        .map(|(i, (_, height))| u64::from(!height.to_bits()) << 32 | i as u64)
        .collect();
    order.sort_unstable();
    let order: Vec<u32> = order.into_iter().map(|key| key as u32).collect();
    let mut basin = vec![NO_BASIN; height.len()];
    let mut peaks: Vec<usize> = vec![];
    let mut parent: Vec<u32> = vec![];
    for &cell in &order {
        let i = cell as usize;
        let (x, y) = (i % w, i / w);
        // Roots around this cell; the one whose neighbour is highest takes the cell.
        let mut around: [(u32, f32); 8] = [(NO_BASIN, 0.0); 8];
        let mut n = 0;
        for ny in y.saturating_sub(1)..=(y + 1).min(h - 1) {
            for nx in x.saturating_sub(1)..=(x + 1).min(w - 1) {
                let j = ny * w + nx;
                if j == i || basin[j] == NO_BASIN {
                    continue;
                }
                let r = root(&mut parent, basin[j]);
                match around[..n].iter_mut().find(|(b, _)| *b == r) {
                    Some((_, v)) => *v = v.max(height[j]),
                    None => {
                        around[n] = (r, height[j]);
                        n += 1;
                    }
                }
            }
        }
        if n == 0 {
            basin[i] = peaks.len() as u32;
            parent.push(peaks.len() as u32);
            peaks.push(i);
            continue;
        }
        let around = &mut around[..n];
        around.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        basin[i] = around[0].0;
        for a in 0..n {
            for b in a + 1..n {
                let (p, q) = (
                    root(&mut parent, around[a].0),
                    root(&mut parent, around[b].0),
                );
                if p == q {
                    continue;
                }
                // Peaks are numbered from the highest downwards.
                let (high, low) = (p.min(q), p.max(q));
                let top = height[peaks[low as usize]];
                let clear = rules.saddle.max(rules.saddle_share * top);
                if top - height[i] < clear {
                    parent[low as usize] = high;
                }
            }
        }
    }
    // Roots that are high enough, renumbered.
    let mut number = vec![NO_BASIN; peaks.len()];
    let mut kept = vec![];
    for p in 0..peaks.len() {
        if root(&mut parent, p as u32) as usize == p && height[peaks[p]] >= rules.peak {
            number[p] = kept.len() as u32;
            kept.push(peaks[p]);
        }
    }
    let mut members = vec![vec![]; kept.len()];
    for &cell in &order {
        let b = &mut basin[cell as usize];
        if *b != NO_BASIN {
            *b = number[root(&mut parent, *b) as usize];
        }
        if *b != NO_BASIN {
            members[*b as usize].push(cell);
        }
    }
    Basins {
        basin,
        peaks: kept,
        members,
    }
}

fn root(parent: &mut [u32], mut b: u32) -> u32 {
    while parent[b as usize] != b {
        let up = parent[parent[b as usize] as usize];
        parent[b as usize] = up;
        b = up;
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Extent, Sample};

    fn field(side: usize) -> Field {
        let extent = Extent {
            origin: [0, 0],
            size: [side, side],
            px_mm: [0.2, 0.2],
            aim_mm: 0.15,
        };
        Field::reduce(extent, |_, _| {
            Some(Sample {
                density: [0.0; 3],
                area_mm2: 0.04,
                usable: true,
            })
        })
    }

    fn two_bumps(side: usize, apart: f32, second: f32) -> Vec<f32> {
        let middle = side as f32 / 2.0;
        (0..side * side)
            .map(|i| {
                let (x, y) = ((i % side) as f32, (i / side) as f32 - middle);
                let bump = |cx: f32| (-((x - cx).powi(2) + y * y) / (2.0 * 36.0)).exp();
                bump(middle - apart / 2.0) + second * bump(middle + apart / 2.0)
            })
            .collect()
    }

    #[test]
    fn neighbours_part_at_a_clear_saddle_only() {
        let f = field(100);
        let rules = Rules {
            peak: 0.3,
            floor: 0.1,
            saddle: 0.05,
            saddle_share: 0.15,
        };
        let usable = vec![true; f.len()];
        let apart = basins(&f, &two_bumps(100, 20.0, 0.8), &usable, rules);
        assert_eq!(apart.peaks.len(), 2);
        assert_ne!(apart.basin[50 * 100 + 38], apart.basin[50 * 100 + 62]);
        let together = basins(&f, &two_bumps(100, 13.0, 0.9), &usable, rules);
        assert_eq!(together.peaks.len(), 1);
        assert_eq!(together.basin[50 * 100 + 42], together.basin[50 * 100 + 58]);
        let low = basins(&f, &two_bumps(100, 40.0, 0.2), &usable, rules);
        assert_eq!(low.peaks.len(), 1);
        assert_eq!(low.basin[50 * 100 + 70], NO_BASIN);
    }

    #[test]
    fn nothing_grows_over_what_is_not_usable() {
        let f = field(60);
        let mut usable = vec![true; f.len()];
        for y in 0..60 {
            usable[y * 60 + 30] = false;
        }
        let rules = Rules {
            peak: 0.5,
            floor: 0.1,
            saddle: 0.05,
            saddle_share: 0.15,
        };
        let found = basins(&f, &vec![1.0; f.len()], &usable, rules);
        assert_eq!(found.peaks.len(), 2);
        assert!((0..60).all(|y| found.basin[y * 60 + 30] == NO_BASIN));
    }
}
