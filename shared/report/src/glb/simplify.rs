//! Fewer triangles within a bound in millimetres.
//!
//! Points are removed by collapsing an edge onto its other end (Hoppe 1996, doi
//! 10.1145/237170.237216), the cheapest first, a set of independent ones each round. What
//! a removal costs is measured, not estimated: the distance of the removed point from the
//! triangles that close its place, on top of what was spent there before, and how far the
//! skin's picture slides. Borders and the seams of the atlas stay as they are.

use dermalia_surface::{Mesh, Vec3, add, cross, dot, norm, scale, sub};
use rayon::prelude::*;

/// Rounds after which what is left stays; a scan needs about a dozen.
const MOST_ROUNDS: usize = 64;
/// A slide of the picture counts a quarter of a departure of the surface.
const SLIDE_WEIGHT: f32 = 0.25;
/// The least cosine between a triangle's normal before and after.
const LEAST_COSINE: f32 = 0.5;

/// How far to go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// No fewer triangles than this.
    pub(super) triangles: usize,
    /// No removed point lies farther than this from the new surface.
    pub(super) bound_mm: f32,
}

/// The best way to remove one point.
#[derive(Clone, Copy)]
struct Collapse {
    cost: f32,
    spent_mm: f32,
    from: u32,
    to: u32,
}

struct Fans {
    starts: Vec<u32>,
    triangles: Vec<u32>,
}

impl Fans {
    fn of(mesh: &Mesh) -> Self {
        let mut starts = vec![0_u32; mesh.positions.len() + 1];
        for &c in mesh.triangles.iter().flatten() {
            starts[c as usize + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut fill = starts.clone();
        let mut triangles = vec![0_u32; mesh.triangles.len() * 3];
        for (t, corners) in mesh.triangles.iter().enumerate() {
            for &c in corners {
                triangles[fill[c as usize] as usize] = t as u32;
                fill[c as usize] += 1;
            }
        }
        Self { starts, triangles }
    }

    fn at(&self, point: u32) -> &[u32] {
        let i = point as usize;
        &self.triangles[self.starts[i] as usize..self.starts[i + 1] as usize]
    }
}

/// The mesh with fewer triangles; unused points stay in it.
pub(super) fn simplify(mesh: &Mesh, budget: Budget) -> Mesh {
    let mut mesh = mesh.clone();
    let points = mesh.positions.len();
    let mut spent_mm = vec![0.0_f32; points];
    // The way of each point, and whether its surroundings have changed since it was found.
    let mut known: Vec<Option<Collapse>> = vec![None; points];
    let mut stale = vec![true; points];
    for _ in 0..MOST_ROUNDS {
        let Some(excess) = mesh.triangles.len().checked_sub(budget.triangles + 1) else {
            break;
        };
        let fans = Fans::of(&mesh);
        known
            .par_iter_mut()
            .zip(&stale)
            .enumerate()
            .with_min_len(256)
            .filter(|(_, (_, stale))| **stale)
            .for_each_init(Scratch::default, |scratch, (p, (way, _))| {
                *way = scratch.best(&mesh, &fans, &spent_mm, p as u32, budget.bound_mm);
            });
        let mut ways: Vec<Collapse> = known.iter().flatten().copied().collect();
        let dearer =
            |a: &Collapse, b: &Collapse| a.cost.total_cmp(&b.cost).then(a.from.cmp(&b.from));
        // The dearer half may find a cheaper way once its surroundings have settled.
        let half = ways.len().div_ceil(2);
        if half < ways.len() {
            ways.select_nth_unstable_by(half, dearer);
            ways.truncate(half);
        }
        ways.sort_unstable_by(dearer);
        let mut touched = vec![false; points];
        let mut target: Vec<u32> = (0..points as u32).collect();
        let mut removed = 0;
        for way in &ways {
            let ring = || {
                fans.at(way.from)
                    .iter()
                    .flat_map(|&t| mesh.triangles[t as usize])
            };
            if 2 * removed > excess || ring().any(|c| touched[c as usize]) {
                continue;
            }
            ring().for_each(|c| touched[c as usize] = true);
            target[way.from as usize] = way.to;
            known[way.from as usize] = None;
            // What was removed here before may lie on any triangle of the ring.
            for corner in ring() {
                let spent = &mut spent_mm[corner as usize];
                *spent = spent.max(way.spent_mm);
            }
            removed += 1;
        }
        if removed == 0 {
            break;
        }
        apply(&mut mesh, &fans, &target);
        // A way depends on the triangles around its point and on those around the corners
        // of these.
        stale.fill(false);
        for corners in &mesh.triangles {
            if corners.iter().any(|&c| touched[c as usize]) {
                corners.iter().for_each(|&c| stale[c as usize] = true);
            }
        }
    }
    mesh
}

/// The atlas coordinate of a corner, where there is an atlas.
fn uv_of(mesh: &Mesh, triangle: u32, point: u32) -> Option<(u32, [f32; 2])> {
    let corners = mesh.triangles[triangle as usize];
    let uv = mesh.uv_triangles.get(triangle as usize)?;
    let k = corners.iter().position(|&c| c == point)?;
    Some((uv[k], mesh.uvs[uv[k] as usize]))
}

/// A triangle around the point that may go, turned so that the point is its first corner.
struct Leaf {
    /// The other two corners, and where they lie in the atlas.
    corners: [u32; 2],
    uvs: [[f32; 2]; 2],
}

/// Triangles that are worked on side by side.
const LANES: usize = 8;

/// The geometry of [`LANES`] triangles around the point, read once for all ways of
/// removing it: lanes last, so that the processor's vectors fill.
#[derive(Clone, Copy)]
struct Lanes {
    /// The second and the third corner.
    b: [[f32; LANES]; 3],
    c: [[f32; LANES]; 3],
    /// The normal times twice the area, and what its product with the new one must reach
    /// for each unit of the new one's length.
    normal: [[f32; LANES]; 3],
    least: [f32; LANES],
    corners: [[u32; LANES]; 2],
}

/// No point has this number: a lane without a triangle.
const NOBODY: u32 = u32::MAX;

impl Lanes {
    const EMPTY: Self = Self {
        b: [[0.0; LANES]; 3],
        c: [[0.0; LANES]; 3],
        normal: [[0.0; LANES]; 3],
        least: [0.0; LANES],
        corners: [[NOBODY; LANES]; 2],
    };
}

/// Room to look for the best way to remove a point.
#[derive(Default)]
struct Scratch {
    fan: Vec<Leaf>,
    lanes: Vec<Lanes>,
    ring: Vec<u32>,
    ways: Vec<Collapse>,
    /// Millimetres a unit of the atlas; 0 without one.
    mm_per_uv: f32,
}

impl Scratch {
    /// Reads the triangles and the points around an inner point, the latter in order of
    /// their numbers; where the point lies in the atlas, `None` at a border, where the
    /// surface is no surface, or on a seam.
    fn read(&mut self, mesh: &Mesh, fan: &[u32], point: u32) -> Option<[f32; 2]> {
        self.fan.clear();
        self.lanes.clear();
        self.ring.clear();
        let (mut mm2, mut uv2) = (0.0, 0.0);
        let mut place_uv = None;
        for (number, &t) in fan.iter().enumerate() {
            let corners = mesh.triangles[t as usize];
            let own = corners.iter().position(|&c| c == point)?;
            let turn = |[a, b, c]: [u32; 3]| match own {
                0 => [a, b, c],
                1 => [b, c, a],
                _ => [c, a, b],
            };
            let (uv, uv_b, uv_c) = match mesh.uv_triangles.get(t as usize) {
                Some(&uv) => {
                    let [a, b, c] = turn(uv);
                    let at = |i: u32| mesh.uvs[i as usize];
                    (at(a), at(b), at(c))
                }
                None => ([0.0; 2], [0.0; 2], [0.0; 2]),
            };
            if *place_uv.get_or_insert(uv) != uv {
                return None;
            }
            let [_, corner_b, corner_c] = turn(corners);
            let at = |i: u32| mesh.positions[i as usize];
            let (a, b, c) = (at(point), at(corner_b), at(corner_c));
            let normal = cross(sub(b, a), sub(c, a));
            let size = norm(normal);
            if number.is_multiple_of(LANES) {
                self.lanes.push(Lanes::EMPTY);
            }
            let (lanes, l) = (self.lanes.last_mut()?, number % LANES);
            for k in 0..3 {
                lanes.b[k][l] = b[k];
                lanes.c[k][l] = c[k];
                lanes.normal[k][l] = normal[k];
            }
            lanes.least[l] = LEAST_COSINE * size;
            lanes.corners[0][l] = corner_b;
            lanes.corners[1][l] = corner_c;
            mm2 += 0.5 * size;
            let side = |p: [f32; 2]| [p[0] - uv[0], p[1] - uv[1]];
            let (p, q) = (side(uv_b), side(uv_c));
            uv2 += 0.5 * (p[0] * q[1] - p[1] * q[0]).abs();
            self.ring.extend([corner_b, corner_c]);
            self.fan.push(Leaf {
                corners: [corner_b, corner_c],
                uvs: [uv_b, uv_c],
            });
        }
        self.mm_per_uv = if uv2 > 0.0 { f32::sqrt(mm2 / uv2) } else { 0.0 };
        let all = &mut self.ring;
        all.sort_unstable();
        // Around an inner point each neighbour is in two triangles.
        let inner = all.len() == 2 * fan.len()
            && all
                .chunks(2)
                .all(|pair| pair.len() == 2 && pair[0] == pair[1])
            && all.windows(3).all(|w| w[0] != w[2])
            && all.binary_search(&point).is_err();
        all.dedup();
        place_uv.filter(|_| inner && all.len() >= 3 && all.len() == fan.len())
    }

    fn best(
        &mut self,
        mesh: &Mesh,
        fans: &Fans,
        spent_mm: &[f32],
        from: u32,
        bound_mm: f32,
    ) -> Option<Collapse> {
        let spent = spent_mm[from as usize];
        if spent >= bound_mm {
            return None;
        }
        let uv = self.read(mesh, fans.at(from), from)?;
        let lost = mesh.positions[from as usize];
        self.ways.clear();
        for &to in &self.ring {
            let place = mesh.positions[to as usize];
            let Some((gap, slide)) = self.departure((lost, uv), to, place) else {
                continue;
            };
            let cost = (spent + gap).max(SLIDE_WEIGHT * slide);
            if cost <= bound_mm {
                self.ways.push(Collapse {
                    cost,
                    spent_mm: spent + gap,
                    from,
                    to,
                });
            }
        }
        let cheaper = |a: &Collapse, b: &Collapse| a.cost.total_cmp(&b.cost).then(a.to.cmp(&b.to));
        self.ways.sort_unstable_by(cheaper);
        // Only the two triangles of the edge may be shared by its ends.
        let closes = |to: u32| {
            let both = self
                .ring
                .iter()
                .filter(|&&c| c != to && joined(mesh, fans, to, c));
            both.count() == 2
        };
        self.ways.iter().find(|way| closes(way.to)).copied()
    }

    /// How far the removed point lies from what closes its place, and how far the picture
    /// slides there, both in millimetres; `None` if the surface would fold.
    fn departure(
        &self,
        (lost, uv_lost): (Vec3, [f32; 2]),
        to: u32,
        place: Vec3,
    ) -> Option<(f32, f32)> {
        // The nearest of the new triangles, and where in it.
        let (mut gap, mut nearest, mut bary) = (f32::INFINITY, usize::MAX, [0.0; 2]);
        for (group, lanes) in self.lanes.iter().enumerate() {
            let found = closest_of_lanes(lanes, lost, to, place);
            if found.folds.iter().any(|f| *f != 0) {
                return None;
            }
            for l in 0..LANES {
                if found.distance[l] < gap {
                    gap = found.distance[l];
                    nearest = group * LANES + l;
                    bary = [found.v[l], found.w[l]];
                }
            }
        }
        let leaf = self.fan.get(nearest)?;
        let uv_to = self
            .fan
            .iter()
            .find_map(|f| Some(f.uvs[f.corners.iter().position(|&c| c == to)?]))?;
        let [v, w] = bary;
        let slide = [0, 1].map(|k| {
            (1.0 - v - w) * uv_to[k] + v * leaf.uvs[0][k] + w * leaf.uvs[1][k] - uv_lost[k]
        });
        let length = (slide[0] * slide[0] + slide[1] * slide[1]).sqrt();
        Some((gap, length * self.mm_per_uv))
    }
}

/// What [`closest_of_lanes`] finds in each lane.
struct Nearest {
    /// From the nearest point; infinite where there is no new triangle.
    distance: [f32; LANES],
    /// Its weights of the second and third corner.
    v: [f32; LANES],
    w: [f32; LANES],
    /// Not 0 where the surface would fold.
    folds: [u32; LANES],
}

/// Barycentric weights of the point that is nearest to `p` (Ericson, Real-Time Collision
/// Detection, 5.1.5), in triangles whose first corner has moved to `a`; without a branch,
/// so that all lanes are worked on at once.
fn closest_of_lanes(lanes: &Lanes, p: Vec3, to: u32, a: Vec3) -> Nearest {
    let mut out = Nearest {
        distance: [f32::INFINITY; LANES],
        v: [0.0; LANES],
        w: [0.0; LANES],
        folds: [0; LANES],
    };
    let ap = sub(p, a);
    for l in 0..LANES {
        let corner = |of: &[[f32; LANES]; 3]| [of[0][l], of[1][l], of[2][l]];
        let (b, c) = (corner(&lanes.b), corner(&lanes.c));
        let (ab, ac, bp, cp) = (sub(b, a), sub(c, a), sub(p, b), sub(p, c));
        let after = cross(ab, ac);
        let size = norm(after);
        let (d1, d2) = (dot(ab, ap), dot(ac, ap));
        let (d3, d4) = (dot(ab, bp), dot(ac, bp));
        let (d5, d6) = (dot(ab, cp), dot(ac, cp));
        let (va, vb, vc) = (d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2);
        let sum = va + vb + vc;
        let (mut v, mut w) = (vb / sum, vc / sum);
        // The edges and corners; of those that hold, the last one here counts.
        let far = (d4 - d3) / ((d4 - d3) + (d5 - d6));
        let on = (va <= 0.0) & (d4 - d3 >= 0.0) & (d5 - d6 >= 0.0);
        (v, w) = (if on { 1.0 - far } else { v }, if on { far } else { w });
        let far = d2 / (d2 - d6);
        let on = (vb <= 0.0) & (d2 >= 0.0) & (d6 <= 0.0);
        (v, w) = (if on { 0.0 } else { v }, if on { far } else { w });
        let on = (d6 >= 0.0) & (d5 <= d6);
        (v, w) = (if on { 0.0 } else { v }, if on { 1.0 } else { w });
        let far = d1 / (d1 - d3);
        let on = (vc <= 0.0) & (d1 >= 0.0) & (d3 <= 0.0);
        (v, w) = (if on { far } else { v }, if on { 0.0 } else { w });
        let on = (d3 >= 0.0) & (d4 <= d3);
        (v, w) = (if on { 1.0 } else { v }, if on { 0.0 } else { w });
        let on = (d1 <= 0.0) & (d2 <= 0.0);
        (v, w) = (if on { 0.0 } else { v }, if on { 0.0 } else { w });
        let gap = norm(sub(add(scale(ab, v), scale(ac, w)), ap));
        // The two triangles of the edge go.
        let stays = (lanes.corners[0][l] != NOBODY)
            & (lanes.corners[0][l] != to)
            & (lanes.corners[1][l] != to);
        let bent = dot(corner(&lanes.normal), after) < lanes.least[l] * size;
        out.distance[l] = if stays { gap } else { f32::INFINITY };
        out.v[l] = v;
        out.w[l] = w;
        out.folds[l] = if stays & ((size <= 1e-9) | bent) {
            1
        } else {
            0
        };
    }
    out
}

fn joined(mesh: &Mesh, fans: &Fans, a: u32, b: u32) -> bool {
    fans.at(a)
        .iter()
        .any(|&t| mesh.triangles[t as usize].contains(&b))
}

fn apply(mesh: &mut Mesh, fans: &Fans, target: &[u32]) {
    let mut keep = vec![true; mesh.triangles.len()];
    for (from, &to) in target.iter().enumerate() {
        if from as u32 == to {
            continue;
        }
        let fan = fans.at(from as u32);
        let edge = fan
            .iter()
            .copied()
            .find(|&t| mesh.triangles[t as usize].contains(&to));
        let uv_to = edge.and_then(|t| uv_of(mesh, t, to)).map(|u| u.0);
        for &t in fan {
            let t = t as usize;
            if mesh.triangles[t].contains(&to) {
                keep[t] = false;
                continue;
            }
            for k in 0..3 {
                if mesh.triangles[t][k] == from as u32 {
                    mesh.triangles[t][k] = to;
                    if let (Some(uv), Some(own)) = (uv_to, mesh.uv_triangles.get_mut(t)) {
                        own[k] = uv;
                    }
                }
            }
        }
    }
    let mut stays = keep.iter().copied();
    mesh.triangles.retain(|_| stays.next().unwrap_or(true));
    let mut stays = keep.iter().copied();
    mesh.uv_triangles.retain(|_| stays.next().unwrap_or(true));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half an ellipsoid; the right half of its atlas is a chart of its own.
    fn head(n: u32) -> Mesh {
        let (mut positions, mut uvs) = (vec![], vec![]);
        for j in 0..=n {
            for i in 0..=n {
                let (u, v) = (i as f32 / n as f32, j as f32 / n as f32);
                let (a, b) = ((u - 0.5) * 2.4, (v - 0.5) * 2.2);
                positions.push([
                    75.0 * a.sin() * b.cos(),
                    105.0 * b.sin(),
                    80.0 * a.cos() * b.cos(),
                ]);
                uvs.push([u, v]);
            }
        }
        let shift = uvs.len() as u32;
        uvs.extend_from_within(..);
        uvs[shift as usize..].iter_mut().for_each(|uv| uv[0] += 1.0);
        let (mut triangles, mut uv_triangles) = (vec![], vec![]);
        for j in 0..n {
            for i in 0..n {
                let p = j * (n + 1) + i;
                let q = p + n + 1;
                for t in [[p, p + 1, q + 1], [p, q + 1, q]] {
                    triangles.push(t);
                    uv_triangles.push(t.map(|c| if i >= n / 2 { c + shift } else { c }));
                }
            }
        }
        Mesh::new(positions, uvs, triangles, uv_triangles).unwrap()
    }

    /// Barycentric weights of the point of a triangle that is nearest to `p` (Ericson,
    /// Real-Time Collision Detection, 5.1.5).
    fn closest(p: Vec3, a: Vec3, b: Vec3, c: Vec3) -> Vec3 {
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
                for k in 0..3 {
                    (lanes.b[k][l], lanes.c[k][l]) = (b[k], c[k]);
                }
                lanes.corners = [[1; LANES], [2; LANES]];
                lanes.corners[0][3] = 7;
            }
            let found = closest_of_lanes(&lanes, p, 7, a);
            for l in 0..LANES {
                let corner = |of: &[[f32; LANES]; 3]| [of[0][l], of[1][l], of[2][l]];
                let (b, c) = (corner(&lanes.b), corner(&lanes.c));
                let flat = norm(cross(sub(b, a), sub(c, a))) < 1e-3;
                if l == 3 || flat {
                    assert!(flat || found.distance[l].is_infinite());
                    continue;
                }
                let w = closest(p, a, b, c);
                let at = add(add(scale(a, w[0]), scale(b, w[1])), scale(c, w[2]));
                let gap = norm(sub(at, p));
                assert!((found.distance[l] - gap).abs() < 1e-4, "{round} {l}");
                assert!((found.v[l] - w[1]).abs() < 1e-3 && (found.w[l] - w[2]).abs() < 1e-3);
            }
        }
    }

    fn distance(p: Vec3, mesh: &Mesh) -> f32 {
        (0..mesh.triangles.len())
            .map(|t| {
                let [a, b, c] = mesh.corners(t);
                let w = closest(p, a, b, c);
                let at = add(add(scale(a, w[0]), scale(b, w[1])), scale(c, w[2]));
                norm(sub(at, p))
            })
            .fold(f32::INFINITY, f32::min)
    }

    #[test]
    fn every_old_point_stays_within_the_bound_of_the_new_surface() {
        let old = head(48);
        for bound_mm in [0.05_f32, 0.4] {
            let budget = Budget {
                triangles: 0,
                bound_mm,
            };
            let new = simplify(&old, budget);
            assert!(new.triangles.len() < old.triangles.len());
            let worst = old.positions.iter().map(|&p| distance(p, &new));
            let worst = worst.fold(0.0, f32::max);
            assert!(worst <= bound_mm, "{worst} of {bound_mm}");
            // The new surface keeps to the old one, too.
            let farthest = (0..new.triangles.len())
                .map(|t| distance(new.point(t, [1.0 / 3.0; 3]), &old))
                .fold(0.0, f32::max);
            assert!(farthest <= 2.0 * bound_mm, "{farthest} of {bound_mm}");
            let area = |m: &Mesh| (0..m.triangles.len()).map(|t| m.area_mm2(t)).sum::<f32>();
            assert!((area(&new) / area(&old) - 1.0).abs() < 0.02);
        }
    }

    #[test]
    fn the_budget_borders_and_seams_are_kept() {
        let old = head(40);
        let new = simplify(
            &old,
            Budget {
                triangles: 1500,
                bound_mm: 5.0,
            },
        );
        assert!(
            (1498..=1500).contains(&new.triangles.len()),
            "{}",
            new.triangles.len()
        );
        let used: std::collections::BTreeSet<u32> =
            new.triangles.iter().flatten().copied().collect();
        for j in 0..=40 {
            for i in 0..=40 {
                if j == 0 || j == 40 || i == 0 || i == 40 || i == 20 {
                    assert!(used.contains(&(j * 41 + i)), "border or seam ({i}, {j})");
                }
            }
        }
        // No triangle reaches from one chart into the other.
        for t in 0..new.triangles.len() {
            let charts = new.uv_corners(t).map(|uv| uv[0] > 1.2);
            let xs = new.corners(t).map(|p| p[0]);
            let left = xs.iter().all(|x| *x <= 1e-3);
            let right = xs.iter().all(|x| *x >= -1e-3);
            assert!(left || right, "{xs:?} {charts:?}");
        }
    }

    #[test]
    fn a_small_or_broken_mesh_is_left_as_it_is() {
        let budget = Budget {
            triangles: 10_000,
            bound_mm: 1.0,
        };
        let small = head(8);
        assert_eq!(simplify(&small, budget), small);
        // Three triangles on one edge are no surface.
        let positions = vec![
            [0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [0.0, -1.0, 0.0],
            [0.0, 0.0, 1.0],
        ];
        let triangles = vec![[0, 1, 2], [1, 0, 3], [0, 1, 4]];
        let broken = Mesh::new(positions, vec![], triangles, vec![]).unwrap();
        let none = Budget {
            triangles: 0,
            ..budget
        };
        assert_eq!(simplify(&broken, none), broken);
    }
}
