//! Ridge points to centre lines.

use dermalia_surface::{Vec3, add, dot, norm, normalize, scale, sub};

use crate::ridges::RidgePoint;

/// How points join to lines.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linking {
    /// A line starts at a point of at least this strength.
    pub(crate) high: f32,
    /// And goes on over points of at least this.
    pub(crate) low: f32,
    /// Points this near to a line belong to it.
    pub(crate) width_mm: f32,
    /// The longest gap that is bridged.
    pub(crate) gap_mm: f32,
}

/// Cells of points for neighbour queries, in a fixed order.
struct Grid {
    cell_mm: f32,
    /// Cell and point, sorted.
    entries: Vec<([i32; 3], u32)>,
}

impl Grid {
    fn new(points: &[RidgePoint], cell_mm: f32) -> Self {
        let mut entries: Vec<_> = points
            .iter()
            .enumerate()
            .map(|(i, p)| (Self::cell(p.mm, cell_mm), i as u32))
            .collect();
        entries.sort_unstable();
        Self { cell_mm, entries }
    }

    fn cell(p: Vec3, cell_mm: f32) -> [i32; 3] {
        p.map(|c| (c / cell_mm).floor() as i32)
    }

    /// Calls `f` for each point that can lie within `radius` of `p`.
    fn near(&self, p: Vec3, radius: f32, mut f: impl FnMut(usize)) {
        let lo = Self::cell(p.map(|c| c - radius), self.cell_mm);
        let hi = Self::cell(p.map(|c| c + radius), self.cell_mm);
        for x in lo[0]..=hi[0] {
            for y in lo[1]..=hi[1] {
                let from = [x, y, lo[2]];
                let start = self.entries.partition_point(|e| e.0 < from);
                for e in &self.entries[start..] {
                    if e.0 > [x, y, hi[2]] {
                        break;
                    }
                    f(e.1 as usize);
                }
            }
        }
    }
}

/// Joins points to lines, the strongest first; each line as the indices of its points
/// in order. A point belongs to one line at most.
pub(crate) fn link(points: &[RidgePoint], linking: Linking) -> Vec<Vec<usize>> {
    let grid = Grid::new(points, 0.5);
    let mut order: Vec<usize> = (0..points.len())
        .filter(|&i| points[i].strength >= linking.high)
        .collect();
    order.sort_by(|&a, &b| {
        points[b]
            .strength
            .total_cmp(&points[a].strength)
            .then(a.cmp(&b))
    });
    let mut used = vec![false; points.len()];
    let mut lines = vec![];
    for seed in order {
        if used[seed] {
            continue;
        }
        let start = points[seed].along;
        claim(&grid, points, seed, linking.width_mm, &mut used);
        let ahead = extend(&grid, points, seed, start, linking, &mut used);
        let mut line = extend(&grid, points, seed, scale(start, -1.0), linking, &mut used);
        line.reverse();
        line.push(seed);
        line.extend(ahead);
        lines.push(line);
    }
    lines
}

/// Takes every point beside a point of a line.
fn claim(grid: &Grid, points: &[RidgePoint], at: usize, width_mm: f32, used: &mut [bool]) {
    let p = points[at];
    grid.near(p.mm, width_mm, |q| {
        let v = sub(points[q].mm, p.mm);
        let t = dot(v, p.along);
        if norm(sub(v, scale(p.along, t))) <= width_mm && t.abs() <= 0.5 * width_mm {
            used[q] = true;
        }
    });
    used[at] = true;
}

fn extend(
    grid: &Grid,
    points: &[RidgePoint],
    seed: usize,
    mut direction: Vec3,
    linking: Linking,
    used: &mut [bool],
) -> Vec<usize> {
    let mut line = vec![];
    let mut at = seed;
    loop {
        let next = [(0.4, 0.7, 0.85), (linking.gap_mm, 0.35, 0.9)]
            .into_iter()
            .find_map(|(reach, slope, agree)| {
                step(
                    grid,
                    points,
                    at,
                    direction,
                    linking.low,
                    used,
                    [reach, slope, agree],
                )
            });
        let Some(next) = next else {
            return line;
        };
        let mut along = points[next].along;
        if dot(along, direction) < 0.0 {
            along = scale(along, -1.0);
        }
        direction = normalize(add(scale(direction, 0.6), scale(along, 0.4)));
        claim(grid, points, next, linking.width_mm, used);
        line.push(next);
        at = next;
    }
}

/// The unused point that goes on best from `at`.
fn step(
    grid: &Grid,
    points: &[RidgePoint],
    at: usize,
    direction: Vec3,
    low: f32,
    used: &[bool],
    [reach, slope, agree]: [f32; 3],
) -> Option<usize> {
    let p = points[at].mm;
    let mut best: Option<(f32, usize)> = None;
    grid.near(p, reach, |q| {
        if used[q] || points[q].strength < low {
            return;
        }
        let v = sub(points[q].mm, p);
        let forward = dot(v, direction);
        let aside = norm(sub(v, scale(direction, forward)));
        if forward <= 0.02
            || norm(v) > reach
            || aside > slope * forward + 0.03
            || dot(points[q].along, direction).abs() < agree
        {
            return;
        }
        let cost = forward + 3.0 * aside;
        if best.is_none_or(|(c, i)| cost < c || (cost == c && q < i)) {
            best = Some((cost, q));
        }
    });
    best.map(|(_, q)| q)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f32, y: f32, strength: f32) -> RidgePoint {
        RidgePoint {
            px: [x, y],
            mm: [x, y, 0.0],
            along: [1.0, 0.0, 0.0],
            strength,
        }
    }

    const LINKING: Linking = Linking {
        high: 2.0,
        low: 1.0,
        width_mm: 0.3,
        gap_mm: 2.5,
    };

    #[test]
    fn a_gap_is_bridged_and_a_parallel_line_stays_apart() {
        let mut points = vec![];
        for i in 0..200 {
            let x = i as f32 * 0.1;
            if !(9.0..11.0).contains(&x) {
                points.push(point(x, 0.02 * (i % 2) as f32, 3.0));
            }
            points.push(point(x, 2.0, 2.5));
        }
        let lines = link(&points, LINKING);
        assert_eq!(lines.len(), 2);
        let span = |l: &[usize]| (points[l[0]].mm[0] - points[l[l.len() - 1]].mm[0]).abs();
        assert!(span(&lines[0]) > 19.5 && span(&lines[1]) > 19.5);
        assert!(lines[0].iter().all(|&i| points[i].mm[1] < 0.1));
    }

    #[test]
    fn weak_points_go_on_but_do_not_start() {
        let strong: Vec<RidgePoint> = (0..100)
            .map(|i| point(i as f32 * 0.1, 0.0, if i < 20 { 2.5 } else { 1.2 }))
            .collect();
        assert_eq!(link(&strong, LINKING).len(), 1);
        let weak: Vec<RidgePoint> = strong
            .iter()
            .map(|p| RidgePoint {
                strength: 1.2,
                ..*p
            })
            .collect();
        assert!(link(&weak, LINKING).is_empty());
    }
}
