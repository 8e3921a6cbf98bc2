//! The closest point of a small triangle mesh, by a tree of boxes.

use dermalia_surface::{Mesh, Vec3, add, dot, scale, sub};
use rayon::prelude::*;

/// A point of the mesh near a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Closest {
    /// The triangle it lies on.
    pub triangle: usize,
    /// Its weights of the triangle's corners.
    pub bary: Vec3,
    /// Squared distance of the query.
    pub distance2: f32,
}

struct Node {
    low: Vec3,
    high: Vec3,
    /// Triangles `first..first + count` of the order, or for an inner node the children
    /// `first` and `first + 1`.
    first: usize,
    count: usize,
}

impl Node {
    /// Whether it is the root of a tree without triangles.
    fn is_empty(&self) -> bool {
        self.count == 0 && self.first == 0
    }
}

/// A box is looked at sooner than a triangle.
const LEAF: usize = 1;
/// The side of a neighbourhood, of which there are no more than this along a side.
const CUBE_MM: f32 = 4.0;
const MOST_CUBES: u32 = 128;

/// The boxes, and the triangles in the order of their leaves.
pub struct Tree {
    nodes: Vec<Node>,
    order: Vec<usize>,
    corners: Vec<[Vec3; 3]>,
}

impl Tree {
    /// Of all triangles of a mesh.
    #[must_use]
    pub fn of(mesh: &Mesh) -> Self {
        let corners: Vec<[Vec3; 3]> = (0..mesh.triangles.len()).map(|t| mesh.corners(t)).collect();
        let mut tree = Self {
            nodes: vec![],
            order: (0..corners.len()).collect(),
            corners,
        };
        tree.nodes.push(tree.boxed(0, tree.order.len()));
        let mut at = 0;
        while at < tree.nodes.len() {
            tree.split(at);
            at += 1;
        }
        tree
    }

    fn boxed(&self, first: usize, count: usize) -> Node {
        let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
        for &t in &self.order[first..first + count] {
            for p in self.corners[t] {
                for k in 0..3 {
                    low[k] = low[k].min(p[k]);
                    high[k] = high[k].max(p[k]);
                }
            }
        }
        Node {
            low,
            high,
            first,
            count,
        }
    }

    fn split(&mut self, at: usize) {
        let Node {
            low,
            high,
            first,
            count,
        } = self.nodes[at];
        if count <= LEAF {
            return;
        }
        let size = sub(high, low);
        let axis = (0..3).fold(0, |best, k| if size[k] > size[best] { k } else { best });
        let corners = &self.corners;
        let middle = |t: usize| corners[t].iter().map(|p| p[axis]).sum::<f32>();
        self.order[first..first + count]
            .sort_by(|&a, &b| middle(a).total_cmp(&middle(b)).then(a.cmp(&b)));
        let half = count / 2;
        let children = [
            self.boxed(first, half),
            self.boxed(first + half, count - half),
        ];
        self.nodes[at].first = self.nodes.len();
        self.nodes[at].count = 0;
        self.nodes.extend(children);
    }

    /// The closest point within `reach`; of equally close triangles the first.
    #[must_use]
    pub fn closest(&self, p: Vec3, reach: f32) -> Option<Closest> {
        let mut search = Search::new(reach);
        let mut open = Vec::with_capacity(32);
        open.push((self.box_distance2(0, p), 0));
        while let Some((distance2, at)) = open.pop() {
            if distance2 > search.limit {
                continue;
            }
            let node = &self.nodes[at];
            if node.is_empty() {
                return None;
            }
            if node.count == 0 {
                let (a, b) = (node.first, node.first + 1);
                let (a, b) = ((self.box_distance2(a, p), a), (self.box_distance2(b, p), b));
                open.extend(if a.0 <= b.0 { [b, a] } else { [a, b] });
                continue;
            }
            for &triangle in self.triangles(node) {
                search.look_at(p, triangle, self.corners[triangle]);
            }
        }
        search.best
    }

    /// The same of many points, in their order: points of one neighbourhood share the few
    /// triangles that any of them can be closest to.
    #[must_use]
    pub fn closest_of_each(&self, points: &[Vec3], reach: f32) -> Vec<Option<Closest>> {
        let mut out = vec![None; points.len()];
        if self.nodes[0].is_empty() {
            return out;
        }
        let order = self.neighbourhoods(points, reach);
        let found: Vec<Vec<(u32, Closest)>> = order
            .par_chunk_by(|a, b| a.0 == b.0)
            .map_init(Vec::new, |near, members| {
                self.closest_of_neighbours(points, members, reach, near)
            })
            .collect();
        for (i, closest) in found.into_iter().flatten() {
            out[i as usize] = Some(closest);
        }
        out
    }

    /// The points within `reach` of the mesh's box, by the cube that each lies in.
    fn neighbourhoods(&self, points: &[Vec3], reach: f32) -> Vec<(u32, u32)> {
        let low = self.nodes[0].low.map(|v| v - reach);
        let size = sub(self.nodes[0].high.map(|v| v + reach), low);
        let longest = size[0].max(size[1]).max(size[2]);
        let side = CUBE_MM.max(longest / MOST_CUBES as f32);
        let mut order: Vec<(u32, u32)> = (points.par_iter().enumerate())
            .filter(|(_, p)| (0..3).all(|k| (0.0..=size[k]).contains(&(p[k] - low[k]))))
            .map(|(i, p)| {
                let [x, y, z] = [0, 1, 2].map(|k| ((p[k] - low[k]) / side) as u32);
                ((z * (MOST_CUBES + 1) + y) * (MOST_CUBES + 1) + x, i as u32)
            })
            .collect();
        order.par_sort_unstable();
        order
    }

    /// The closest points of neighbours. `near` is room for a list.
    fn closest_of_neighbours(
        &self,
        points: &[Vec3],
        members: &[(u32, u32)],
        reach: f32,
        near: &mut Vec<usize>,
    ) -> Vec<(u32, Closest)> {
        let point = |member: &(u32, u32)| points[member.1 as usize];
        let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
        for p in members.iter().map(point) {
            for k in 0..3 {
                low[k] = low[k].min(p[k]);
                high[k] = high[k].max(p[k]);
            }
        }
        let across = sub(high, low);
        let diagonal = dot(across, across).sqrt();
        // None is farther from the mesh than one of them and the way to it, rounded up.
        let Some(first) = members.first().map(point) else {
            return vec![];
        };
        let Some(found) = self.closest(first, reach + diagonal) else {
            return vec![];
        };
        let limit = 1.001 * (found.distance2.sqrt() + diagonal) + 1e-3;
        self.leaves_near([low, high], limit * limit, near);
        let mut last = found.triangle;
        let closest = |member: &(u32, u32)| {
            let p = point(member);
            let mut search = Search::new(reach);
            search.look_at(p, last, self.corners[last]);
            for &leaf in &*near {
                if self.box_distance2(leaf, p) <= search.limit {
                    for &triangle in self.triangles(&self.nodes[leaf]) {
                        search.look_at(p, triangle, self.corners[triangle]);
                    }
                }
            }
            let best = search.best?;
            last = best.triangle;
            Some((member.1, best))
        };
        members.iter().filter_map(closest).collect()
    }

    /// The leaves whose boxes come as near to another box.
    fn leaves_near(&self, [low, high]: [Vec3; 2], limit2: f32, out: &mut Vec<usize>) {
        out.clear();
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            let node = &self.nodes[at];
            let distance2: f32 = (0..3)
                .map(|k| (node.low[k] - high[k]).max(low[k] - node.high[k]).max(0.0))
                .map(|d| d * d)
                .sum();
            if distance2 > limit2 {
                continue;
            }
            if node.count == 0 {
                open.extend([node.first, node.first + 1]);
            } else {
                out.push(at);
            }
        }
    }

    fn triangles(&self, leaf: &Node) -> &[usize] {
        &self.order[leaf.first..leaf.first + leaf.count]
    }

    fn box_distance2(&self, node: usize, p: Vec3) -> f32 {
        let n = &self.nodes[node];
        (0..3)
            .map(|k| (n.low[k] - p[k]).max(p[k] - n.high[k]).max(0.0))
            .map(|d| d * d)
            .sum()
    }
}

/// A search for the closest point.
struct Search {
    /// Squared distance beyond which nothing counts.
    limit: f32,
    best: Option<Closest>,
}

impl Search {
    fn new(reach: f32) -> Self {
        Self {
            limit: reach * reach,
            best: None,
        }
    }

    #[inline]
    fn look_at(&mut self, p: Vec3, triangle: usize, corners: [Vec3; 3]) {
        let (bary, distance2) = on_triangle(p, corners);
        let nearer = self.best.is_none_or(|c| {
            distance2 < c.distance2 || (distance2 == c.distance2 && triangle < c.triangle)
        });
        if distance2 <= self.limit && nearer {
            self.limit = distance2;
            self.best = Some(Closest {
                triangle,
                bary,
                distance2,
            });
        }
    }
}

/// Weights of the closest point of a triangle and its squared distance
/// (Ericson, Real-Time Collision Detection, section 5.1.5).
fn on_triangle(p: Vec3, [a, b, c]: [Vec3; 3]) -> (Vec3, f32) {
    let (ab, ac, ap) = (sub(b, a), sub(c, a), sub(p, a));
    let (d1, d2) = (dot(ab, ap), dot(ac, ap));
    let (bp, cp) = (sub(p, b), sub(p, c));
    let (d3, d4) = (dot(ab, bp), dot(ac, bp));
    let (d5, d6) = (dot(ab, cp), dot(ac, cp));
    let (va, vb, vc) = (d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2);
    let bary = if d1 <= 0.0 && d2 <= 0.0 {
        [1.0, 0.0, 0.0]
    } else if d3 >= 0.0 && d4 <= d3 {
        [0.0, 1.0, 0.0]
    } else if vc <= 0.0 && d1 >= 0.0 && d3 <= 0.0 {
        let v = d1 / (d1 - d3);
        [1.0 - v, v, 0.0]
    } else if d6 >= 0.0 && d5 <= d6 {
        [0.0, 0.0, 1.0]
    } else if vb <= 0.0 && d2 >= 0.0 && d6 <= 0.0 {
        let w = d2 / (d2 - d6);
        [1.0 - w, 0.0, w]
    } else if va <= 0.0 && d4 - d3 >= 0.0 && d5 - d6 >= 0.0 {
        let w = (d4 - d3) / ((d4 - d3) + (d5 - d6));
        [0.0, 1.0 - w, w]
    } else {
        let sum = va + vb + vc;
        [va / sum, vb / sum, vc / sum]
    };
    let q = add(add(scale(a, bary[0]), scale(b, bary[1])), scale(c, bary[2]));
    let d = sub(p, q);
    (bary, dot(d, d))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical;

    /// Near the face, far from it, in the middle between two sides of it, and where no number
    /// is: each point as on its own.
    #[test]
    fn many_points_are_closest_to_what_each_is_alone() {
        let face = canonical().mesh();
        let tree = Tree::of(&face);
        let mut points = vec![[f32::NAN, 0.0, 0.0], [0.0, 0.0, 900.0], [0.0, 0.0, -30.0]];
        for (k, p) in face.positions.iter().enumerate() {
            for step in 0..9 {
                let off = |axis: usize| ((k * 31 + step * 17 + axis * 7) % 101) as f32 - 50.0;
                let near = 0.02 * step as f32 * step as f32;
                points.push([0, 1, 2].map(|axis| p[axis] + near * off(axis)));
            }
        }
        for reach in [2.0, 25.0] {
            let together = tree.closest_of_each(&points, reach);
            let alone: Vec<_> = points.iter().map(|p| tree.closest(*p, reach)).collect();
            let found = alone.iter().flatten().count();
            assert!(found > points.len() / 4 && found < points.len());
            assert!(together == alone);
        }
        let nothing = Tree::of(&Mesh {
            triangles: vec![],
            ..face
        });
        assert!(nothing.closest_of_each(&points, 25.0) == vec![None; points.len()]);
    }
}
