//! Loop subdivision (Loop 1987): a coarse face becomes a smooth one.

use std::collections::BTreeMap;

/// A triangle mesh with `N` numbers a point; the points it started from keep their index.
#[derive(Debug, Clone)]
pub(crate) struct Net<const N: usize> {
    pub(crate) points: Vec<[f64; N]>,
    pub(crate) triangles: Vec<[u32; 3]>,
}

struct Edge {
    index: u32,
    opposite: [u32; 2],
    faces: u8,
}

fn weighted<const N: usize>(terms: &[(f64, [f64; N])]) -> [f64; N] {
    let mut sum = [0.0; N];
    for (w, p) in terms {
        for k in 0..N {
            sum[k] += w * p[k];
        }
    }
    sum
}

impl<const N: usize> Net<N> {
    /// One step: each triangle becomes four.
    pub(crate) fn subdivided(&self) -> Self {
        let n = self.points.len();
        let mut edges: BTreeMap<(u32, u32), Edge> = BTreeMap::new();
        for t in &self.triangles {
            for k in 0..3 {
                let (a, b, c) = (t[k], t[(k + 1) % 3], t[(k + 2) % 3]);
                let edge = edges.entry((a.min(b), a.max(b))).or_insert(Edge {
                    index: 0,
                    opposite: [c; 2],
                    faces: 0,
                });
                edge.opposite[usize::from(edge.faces.min(1))] = c;
                edge.faces += 1;
            }
        }
        let mut ring = vec![([0.0; N], 0_u32); n];
        let mut rim = vec![([0.0; N], 0_u32); n];
        let mut points = vec![[0.0; N]; n];
        for (i, (&(a, b), edge)) in edges.iter_mut().enumerate() {
            edge.index = (n + i) as u32;
            let (pa, pb) = (self.points[a as usize], self.points[b as usize]);
            let lists = if edge.faces == 1 { &mut rim } else { &mut ring };
            for (at, other) in [(a, pb), (b, pa)] {
                let (sum, count) = &mut lists[at as usize];
                *sum = weighted(&[(1.0, *sum), (1.0, other)]);
                *count += 1;
            }
            points.push(if edge.faces == 1 {
                weighted(&[(0.5, pa), (0.5, pb)])
            } else {
                let [c, d] = edge.opposite.map(|i| self.points[i as usize]);
                weighted(&[(0.375, pa), (0.375, pb), (0.125, c), (0.125, d)])
            });
        }
        for i in 0..n {
            let p = self.points[i];
            points[i] = if rim[i].1 > 0 {
                let m = f64::from(rim[i].1);
                weighted(&[(0.75, p), (0.25 / m, rim[i].0)])
            } else if ring[i].1 > 0 {
                let m = f64::from(ring[i].1);
                let beta = if ring[i].1 == 3 {
                    3.0 / 16.0
                } else {
                    3.0 / (8.0 * m)
                };
                weighted(&[(1.0 - m * beta, p), (beta, ring[i].0)])
            } else {
                p
            };
        }
        let mid = |a: u32, b: u32| edges.get(&(a.min(b), a.max(b))).map_or(a, |e| e.index);
        let triangles = self
            .triangles
            .iter()
            .flat_map(|&[a, b, c]| {
                let (ab, bc, ca) = (mid(a, b), mid(b, c), mid(c, a));
                [[a, ab, ca], [b, bc, ab], [c, ca, bc], [ab, bc, ca]]
            })
            .collect();
        Self { points, triangles }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Loop's rules reproduce an affine map, so a flat grid stays flat and keeps its area.
    #[test]
    fn a_flat_sheet_stays_flat_and_a_closed_one_shrinks_smoothly() {
        let net = Net {
            points: vec![
                [0.0, 0.0, 5.0],
                [2.0, 0.0, 5.0],
                [2.0, 2.0, 5.0],
                [0.0, 2.0, 5.0],
                [1.0, 1.0, 5.0],
            ],
            triangles: vec![[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]],
        };
        let fine = net.subdivided().subdivided();
        assert_eq!(fine.triangles.len(), 64);
        assert!(fine.points.iter().all(|p| (p[2] - 5.0).abs() < 1e-12));
        assert!((fine.points[4][0] - 1.0).abs() < 1e-12);
        let octahedron = Net {
            points: vec![
                [1.0, 0.0, 0.0],
                [-1.0, 0.0, 0.0],
                [0.0, 1.0, 0.0],
                [0.0, -1.0, 0.0],
                [0.0, 0.0, 1.0],
                [0.0, 0.0, -1.0],
            ],
            triangles: vec![
                [0, 2, 4],
                [2, 1, 4],
                [1, 3, 4],
                [3, 0, 4],
                [2, 0, 5],
                [1, 2, 5],
                [3, 1, 5],
                [0, 3, 5],
            ],
        };
        let ball = octahedron.subdivided().subdivided().subdivided();
        let r: Vec<f64> = ball
            .points
            .iter()
            .map(|p| p.iter().map(|c| c * c).sum::<f64>().sqrt())
            .collect();
        let (lo, hi) = r
            .iter()
            .fold((f64::MAX, 0.0_f64), |(l, h), &x| (l.min(x), h.max(x)));
        assert!(lo > 0.4 && hi < 0.55 && hi / lo < 1.25, "{lo} {hi}");
    }
}
