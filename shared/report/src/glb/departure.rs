//! How far removed points lie from the triangles that close their place: measured, eight
//! triangles side by side.

use dermalia_surface::{Mesh, Vec3, cross, dot, norm, sub};

/// Triangles that are worked on side by side.
pub(super) const LANES: usize = 8;
type Lane = [f32; LANES];
/// No point has this number: a lane without a triangle.
const NOBODY: u32 = u32::MAX;
/// The least cosine between a triangle's normal before and after.
const LEAST_COSINE: f32 = 0.5;
/// A slide of the picture counts a quarter of a departure of the surface.
const SLIDE_WEIGHT: f32 = 0.25;

/// A removed point: where it lay, in space and in the atlas.
#[derive(Clone, Copy)]
pub(super) struct Lost {
    pub(super) place: Vec3,
    pub(super) uv: [f32; 2],
}

/// The geometry of [`LANES`] triangles around a point, read once for all ways of removing
/// it: lanes last, so that the processor's vectors fill.
#[derive(Clone, Copy)]
struct Lanes {
    /// The second and the third corner.
    b: [Lane; 3],
    c: [Lane; 3],
    uv_b: [Lane; 2],
    uv_c: [Lane; 2],
    /// The normal times twice the area, and what its product with the new one must reach
    /// for each unit of the new one's length.
    normal: [Lane; 3],
    least: Lane,
    corners: [[u32; LANES]; 2],
}

impl Lanes {
    const EMPTY: Self = Self {
        b: [[0.0; LANES]; 3],
        c: [[0.0; LANES]; 3],
        uv_b: [[0.0; LANES]; 2],
        uv_c: [[0.0; LANES]; 2],
        normal: [[0.0; LANES]; 3],
        least: [0.0; LANES],
        corners: [[NOBODY; LANES]; 2],
    };
}

/// The same triangles when their first corner has moved.
struct Moved {
    /// The two edges from there, and their products.
    ab: [Lane; 3],
    ac: [Lane; 3],
    ab_ab: Lane,
    ab_ac: Lane,
    ac_ac: Lane,
    /// Added to the squared distance: infinite where there is no triangle.
    absent: Lane,
}

impl Moved {
    /// `None` if the surface would fold.
    #[inline(always)]
    fn of(lanes: &Lanes, to: u32, a: Vec3) -> Option<Self> {
        let mut out = Self {
            ab: [[0.0; LANES]; 3],
            ac: [[0.0; LANES]; 3],
            ab_ab: [0.0; LANES],
            ab_ac: [0.0; LANES],
            ac_ac: [0.0; LANES],
            absent: [0.0; LANES],
        };
        let mut folds = [0_u32; LANES];
        for l in 0..LANES {
            let corner = |of: &[Lane; 3]| [of[0][l], of[1][l], of[2][l]];
            let (ab, ac) = (sub(corner(&lanes.b), a), sub(corner(&lanes.c), a));
            for k in 0..3 {
                (out.ab[k][l], out.ac[k][l]) = (ab[k], ac[k]);
            }
            (out.ab_ab[l], out.ab_ac[l], out.ac_ac[l]) = (dot(ab, ab), dot(ab, ac), dot(ac, ac));
            let after = cross(ab, ac);
            let size = norm(after);
            // The two triangles of the edge go.
            let [b, c] = [lanes.corners[0][l], lanes.corners[1][l]];
            let stays = (b != NOBODY) & (b != to) & (c != to);
            let bent = dot(corner(&lanes.normal), after) < lanes.least[l] * size;
            out.absent[l] = if stays { 0.0 } else { f32::INFINITY };
            folds[l] = u32::from(stays & ((size <= 1e-9) | bent));
        }
        folds.iter().all(|f| *f == 0).then_some(out)
    }

    /// The squared distances of what lies at `ap` from the moved corner, and the weights of
    /// the second and third corner at the nearest points (Ericson, Real-Time Collision
    /// Detection, 5.1.5); without a branch, so that all lanes are worked on at once.
    #[inline(always)]
    fn nearest(&self, ap: Vec3) -> [Lane; 3] {
        let mut out = [[0.0; LANES]; 3];
        for l in 0..LANES {
            let (ab, ac) = (
                [self.ab[0][l], self.ab[1][l], self.ab[2][l]],
                [self.ac[0][l], self.ac[1][l], self.ac[2][l]],
            );
            let (d1, d2) = (dot(ab, ap), dot(ac, ap));
            let (d3, d4) = (d1 - self.ab_ab[l], d2 - self.ab_ac[l]);
            let (d5, d6) = (d1 - self.ab_ac[l], d2 - self.ac_ac[l]);
            let (va, vb, vc) = (d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2);
            // The edges and corners; of those that hold, the last one counts: edges bc and ac,
            // corner c, edge ab, corners b and a. One quotient for each weight is enough: what
            // is divided is chosen before.
            let on_bc = (va <= 0.0) & (d4 - d3 >= 0.0) & (d5 - d6 >= 0.0);
            let on_ac = (vb <= 0.0) & (d2 >= 0.0) & (d6 <= 0.0);
            let on_ab = (vc <= 0.0) & (d1 >= 0.0) & (d3 <= 0.0);
            let (mut for_v, mut for_w, mut whole) = (vb, vc, va + vb + vc);
            (for_w, whole) = if on_bc {
                (d4 - d3, (d4 - d3) + (d5 - d6))
            } else {
                (for_w, whole)
            };
            (for_w, whole) = if on_ac { (d2, d2 - d6) } else { (for_w, whole) };
            (for_v, whole) = if on_ab { (d1, d1 - d3) } else { (for_v, whole) };
            let (far_v, far_w) = (for_v / whole, for_w / whole);
            let (mut v, mut w) = (far_v, far_w);
            v = if on_bc { 1.0 - far_w } else { v };
            v = if on_ac { 0.0 } else { v };
            let on = (d6 >= 0.0) & (d5 <= d6);
            (v, w) = (if on { 0.0 } else { v }, if on { 1.0 } else { w });
            (v, w) = (if on_ab { far_v } else { v }, if on_ab { 0.0 } else { w });
            let on = (d3 >= 0.0) & (d4 <= d3);
            (v, w) = (if on { 1.0 } else { v }, if on { 0.0 } else { w });
            let on = (d1 <= 0.0) & (d2 <= 0.0);
            (v, w) = (if on { 0.0 } else { v }, if on { 0.0 } else { w });
            let gap = |k: usize| v * ab[k] + w * ac[k] - ap[k];
            let gap = [gap(0), gap(1), gap(2)];
            out[0][l] = dot(gap, gap) + self.absent[l];
            (out[1][l], out[2][l]) = (v, w);
        }
        out
    }
}

/// The least number of a lane; one that is none counts as infinite.
#[inline(always)]
fn least(lane: &Lane) -> f32 {
    let lesser = |a: f32, b: f32| if a < b { a } else { b };
    let four: [f32; 4] = std::array::from_fn(|l| {
        let [a, b] = [lane[l], lane[l + 4]].map(|v| lesser(v, f32::INFINITY));
        lesser(a, b)
    });
    lesser(lesser(four[0], four[2]), lesser(four[1], four[3]))
}

/// The triangles around a point that may go.
#[derive(Default)]
pub(super) struct Fan {
    lanes: Vec<Lanes>,
    /// Millimetres a unit of the atlas; 0 without one.
    mm_per_uv: f32,
}

impl Fan {
    /// Reads the triangles around an inner point.
    #[inline(always)]
    pub(super) fn read(&mut self, mesh: &Mesh, fan: &[u32], point: u32) {
        self.lanes.clear();
        let (mut mm2, mut uv2) = (0.0, 0.0);
        let a = mesh.positions[point as usize];
        for group in fan.chunks(LANES) {
            let mut lanes = Lanes::EMPTY;
            let mut uv = [[0.0; LANES]; 2];
            for (l, &t) in group.iter().enumerate() {
                let (turn, [_, b, c]) = turned(mesh.triangles[t as usize], point);
                let at = |i: u32| mesh.positions[i as usize];
                let (place_b, place_c) = (at(b), at(c));
                for k in 0..3 {
                    lanes.b[k][l] = place_b[k];
                    lanes.c[k][l] = place_c[k];
                }
                if let Some(of) = mesh.uv_triangles.get(t as usize) {
                    let corner = |k: usize| mesh.uvs[of[TURNS[turn][k]] as usize];
                    let [own, uv_b, uv_c] = [corner(0), corner(1), corner(2)];
                    for k in 0..2 {
                        uv[k][l] = own[k];
                        lanes.uv_b[k][l] = uv_b[k];
                        lanes.uv_c[k][l] = uv_c[k];
                    }
                }
                (lanes.corners[0][l], lanes.corners[1][l]) = (b, c);
            }
            let (mut sizes, mut twice) = ([0.0; LANES], [0.0_f32; LANES]);
            for l in 0..LANES {
                let corner = |of: &[Lane; 3]| [of[0][l], of[1][l], of[2][l]];
                let normal = cross(sub(corner(&lanes.b), a), sub(corner(&lanes.c), a));
                sizes[l] = norm(normal);
                for k in 0..3 {
                    lanes.normal[k][l] = normal[k];
                }
                lanes.least[l] = LEAST_COSINE * sizes[l];
                let side = |of: &[Lane; 2]| [of[0][l] - uv[0][l], of[1][l] - uv[1][l]];
                let (p, q) = (side(&lanes.uv_b), side(&lanes.uv_c));
                twice[l] = (p[0] * q[1] - p[1] * q[0]).abs();
            }
            for (size, twice) in sizes.iter().zip(&twice).take(group.len()) {
                mm2 += 0.5 * size;
                uv2 += 0.5 * twice;
            }
            self.lanes.push(lanes);
        }
        self.mm_per_uv = if uv2 > 0.0 { f32::sqrt(mm2 / uv2) } else { 0.0 };
    }

    /// How far the worst of the removed points would depart if the point in the middle
    /// moved onto its neighbour `to`, in millimetres: from the surface, or with the
    /// picture. `None` if the surface would fold. Adds to `slots` on which triangle of the
    /// fan each of them would lie.
    #[inline(always)]
    pub(super) fn departure_mm(
        &self,
        to: u32,
        place: Vec3,
        lost: &[Lost],
        slots: &mut Vec<u8>,
    ) -> Option<f32> {
        let mut uv_to = [0.0; 2];
        let mut moved: [Option<Moved>; MOST_GROUPS] = [const { None }; MOST_GROUPS];
        for (lanes, moved) in self.lanes.iter().zip(&mut moved) {
            *moved = Some(Moved::of(lanes, to, place)?);
            if let Some(l) = lanes.corners[0].iter().position(|&c| c == to) {
                uv_to = [lanes.uv_b[0][l], lanes.uv_b[1][l]];
            }
        }
        let mut worst = 0.0_f32;
        for point in lost {
            let ap = sub(point.place, place);
            let (mut gap2, mut nearest, mut bary) = (f32::INFINITY, usize::MAX, [0.0; 2]);
            for (group, moved) in moved.iter().flatten().enumerate() {
                let [distance2, v, w] = moved.nearest(ap);
                let least = least(&distance2);
                if least < gap2 {
                    // The first of those that are as near.
                    let mut is_least = 0_u32;
                    for l in 0..LANES {
                        is_least |= u32::from(distance2[l] == least) << l;
                    }
                    let l = is_least.trailing_zeros() as usize % LANES;
                    gap2 = least;
                    nearest = group * LANES + l;
                    bary = [v[l], w[l]];
                }
            }
            let (lanes, l) = (self.lanes.get(nearest / LANES)?, nearest % LANES);
            let [v, w] = bary;
            let slide = |k: usize| {
                (1.0 - v - w) * uv_to[k] + v * lanes.uv_b[k][l] + w * lanes.uv_c[k][l] - point.uv[k]
            };
            let slide = [slide(0), slide(1)];
            let slide2 = slide[0] * slide[0] + slide[1] * slide[1];
            let weight = SLIDE_WEIGHT * self.mm_per_uv;
            worst = worst.max(gap2).max(weight * weight * slide2);
            slots.push(nearest as u8);
        }
        Some(worst.sqrt())
    }
}

/// Groups of lanes around a point that may go.
const MOST_GROUPS: usize = 4;
/// Triangles around a point that may go.
pub(super) const MOST_TRIANGLES: usize = MOST_GROUPS * LANES;

/// The corners with `point` first, and by how much they were turned for it; without a
/// branch, because nothing tells which it will be.
#[inline(always)]
pub(super) fn turned(corners: [u32; 3], point: u32) -> (usize, [u32; 3]) {
    let turn = usize::from(corners[1] == point) + 2 * usize::from(corners[2] == point);
    let [a, b, c] = TURNS[turn.min(2)];
    (turn.min(2), [corners[a], corners[b], corners[c]])
}

const TURNS: [[usize; 3]; 3] = [[0, 1, 2], [1, 2, 0], [2, 0, 1]];

#[cfg(test)]
pub(super) mod tests {
    use dermalia_surface::{add, scale};

    use super::*;

    /// Barycentric weights of the point of a triangle that is nearest to `p` (Ericson,
    /// Real-Time Collision Detection, 5.1.5).
    pub(in crate::glb) fn closest(p: Vec3, a: Vec3, b: Vec3, c: Vec3) -> Vec3 {
        let (ab, ac, ap) = (sub(b, a), sub(c, a), sub(p, a));
        let (d1, d2) = (dot(ab, ap), dot(ac, ap));
        if d1 <= 0.0 && d2 <= 0.0 {
            return [1.0, 0.0, 0.0];
        }
        let bp = sub(p, b);
        let (d3, d4) = (dot(ab, bp), dot(ac, bp));
        if d3 >= 0.0 && d4 <= d3 {
            return [0.0, 1.0, 0.0];
        }
        let vc = d1 * d4 - d3 * d2;
        if vc <= 0.0 && d1 >= 0.0 && d3 <= 0.0 {
            let v = d1 / (d1 - d3);
            return [1.0 - v, v, 0.0];
        }
        let cp = sub(p, c);
        let (d5, d6) = (dot(ab, cp), dot(ac, cp));
        if d6 >= 0.0 && d5 <= d6 {
            return [0.0, 0.0, 1.0];
        }
        let vb = d5 * d2 - d1 * d6;
        if vb <= 0.0 && d2 >= 0.0 && d6 <= 0.0 {
            let w = d2 / (d2 - d6);
            return [1.0 - w, 0.0, w];
        }
        let va = d3 * d6 - d5 * d4;
        if va <= 0.0 && d4 - d3 >= 0.0 && d5 - d6 >= 0.0 {
            let w = (d4 - d3) / ((d4 - d3) + (d5 - d6));
            return [0.0, 1.0 - w, w];
        }
        let sum = va + vb + vc;
        let (v, w) = (vb / sum, vc / sum);
        [1.0 - v - w, v, w]
    }

    /// The vectors find what the branches find, at corners, edges and inside.
    #[test]
    fn lanes_find_what_one_triangle_finds() {
        let mut lanes = Lanes::EMPTY;
        let place = |i: usize| [0, 1, 2].map(|k| ((i * 37 + k * 61) % 23) as f32 / 11.0 - 1.0);
        for round in 0..200 {
            let (p, a) = (place(round * 3 + 1), place(round * 5 + 2));
            for l in 0..LANES {
                let (b, c) = (place(round + l * 7 + 3), place(round * 2 + l * 11 + 5));
                let normal = cross(sub(b, a), sub(c, a));
                for k in 0..3 {
                    (lanes.b[k][l], lanes.c[k][l]) = (b[k], c[k]);
                    lanes.normal[k][l] = normal[k];
                }
                // One without area would fold.
                let flat = norm(normal) < 1e-3;
                lanes.corners[0][l] = if flat || l == 3 { 7 } else { 1 };
                lanes.corners[1][l] = 2;
            }
            let [distance2, v, w] = Moved::of(&lanes, 7, a).unwrap().nearest(sub(p, a));
            for l in 0..LANES {
                if lanes.corners[0][l] == 7 {
                    assert!(!distance2[l].is_finite());
                    continue;
                }
                let corner = |of: &[Lane; 3]| [of[0][l], of[1][l], of[2][l]];
                let (b, c) = (corner(&lanes.b), corner(&lanes.c));
                let weights = closest(p, a, b, c);
                let at = scale(a, weights[0]);
                let at = add(add(at, scale(b, weights[1])), scale(c, weights[2]));
                let gap = norm(sub(at, p));
                assert!((distance2[l].sqrt() - gap).abs() < 1e-4, "{round} {l}");
                assert!((v[l] - weights[1]).abs() < 1e-3 && (w[l] - weights[2]).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn a_fold_is_no_way() {
        let mut lanes = Lanes::EMPTY;
        for (k, (b, c)) in [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)].into_iter().enumerate() {
            (lanes.b[k][0], lanes.c[k][0]) = (b, c);
        }
        lanes.normal[2][0] = 1.0;
        lanes.least[0] = LEAST_COSINE;
        lanes.corners[0][0] = 1;
        lanes.corners[1][0] = 2;
        assert!(Moved::of(&lanes, 7, [0.1, 0.1, 0.0]).is_some());
        assert!(
            Moved::of(&lanes, 7, [0.9, 0.9, 0.0]).is_none(),
            "turned over"
        );
        assert!(Moved::of(&lanes, 7, [0.5, 0.5, 0.0]).is_none(), "no area");
        assert!(Moved::of(&lanes, 1, [0.9, 0.9, 0.0]).is_some(), "it goes");
    }
}
