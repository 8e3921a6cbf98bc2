//! The closest point of a small triangle mesh, by a tree of boxes.

use dermalia_surface::{Mesh, Vec3, add, dot, scale, sub};

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

/// A box is looked at sooner than a triangle.
const LEAF: usize = 1;

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
        self.closest_near(p, reach, None, &mut Vec::with_capacity(32))
    }

    /// The same; sooner where the closest triangle of a neighbour is known. `open` is room
    /// for the search.
    pub(crate) fn closest_near(
        &self,
        p: Vec3,
        reach: f32,
        neighbours: Option<usize>,
        open: &mut Vec<(f32, usize)>,
    ) -> Option<Closest> {
        let mut limit = reach * reach;
        let mut best = neighbours.and_then(|triangle| {
            let (bary, distance2) = on_triangle(p, self.corners[triangle]);
            (distance2 <= limit).then_some(Closest {
                triangle,
                bary,
                distance2,
            })
        });
        if let Some(found) = best {
            limit = found.distance2;
        }
        open.clear();
        open.push((self.box_distance2(0, p), 0));
        while let Some((distance2, at)) = open.pop() {
            if distance2 > limit {
                continue;
            }
            let node = &self.nodes[at];
            if node.count == 0 && node.first == 0 {
                return None;
            }
            if node.count == 0 {
                let (a, b) = (node.first, node.first + 1);
                let (a, b) = ((self.box_distance2(a, p), a), (self.box_distance2(b, p), b));
                open.extend(if a.0 <= b.0 { [b, a] } else { [a, b] });
                continue;
            }
            for &triangle in &self.order[node.first..node.first + node.count] {
                let (bary, distance2) = on_triangle(p, self.corners[triangle]);
                let nearer = best.is_none_or(|c: Closest| {
                    distance2 < c.distance2 || (distance2 == c.distance2 && triangle < c.triangle)
                });
                if distance2 <= limit && nearer {
                    limit = distance2;
                    best = Some(Closest {
                        triangle,
                        bary,
                        distance2,
                    });
                }
            }
        }
        best
    }

    fn box_distance2(&self, node: usize, p: Vec3) -> f32 {
        let n = &self.nodes[node];
        (0..3)
            .map(|k| (n.low[k] - p[k]).max(p[k] - n.high[k]).max(0.0))
            .map(|d| d * d)
            .sum()
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
