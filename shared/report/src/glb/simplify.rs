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

/// A triangle around the point that may go, read once for all ways of removing it.
struct Leaf {
    corners: [u32; 3],
    places: [Vec3; 3],
    uvs: [[f32; 2]; 3],
    /// Which corner the point is.
    own: usize,
    /// The normal times twice the area, and its length.
    normal: Vec3,
    size: f32,
}

/// Room to look for the best way to remove a point.
#[derive(Default)]
struct Scratch {
    fan: Vec<Leaf>,
    ring: Vec<u32>,
    ways: Vec<Collapse>,
}

impl Scratch {
    /// Reads the triangles and the points around an inner point, the latter in order of
    /// their numbers; whether it is one, not at a border, where the surface is no surface,
    /// or on a seam.
    fn read(&mut self, mesh: &Mesh, fan: &[u32], point: u32) -> bool {
        self.fan.clear();
        self.ring.clear();
        for &t in fan {
            let corners = mesh.triangles[t as usize];
            let Some(own) = corners.iter().position(|&c| c == point) else {
                return false;
            };
            let uvs = mesh
                .uv_triangles
                .get(t as usize)
                .map_or([[0.0; 2]; 3], |uv| uv.map(|i| mesh.uvs[i as usize]));
            if self.fan.first().is_some_and(|f| f.uvs[f.own] != uvs[own]) {
                return false;
            }
            let places = corners.map(|c| mesh.positions[c as usize]);
            let [a, b, c] = places;
            let normal = cross(sub(b, a), sub(c, a));
            self.fan.push(Leaf {
                corners,
                places,
                uvs,
                own,
                normal,
                size: norm(normal),
            });
            let others = corners.into_iter().filter(|&c| c != point);
            self.ring.extend(others);
        }
        let all = &mut self.ring;
        all.sort_unstable();
        // Around an inner point each neighbour is in two triangles.
        let inner = all.len() == 2 * fan.len()
            && all
                .chunks(2)
                .all(|pair| pair.len() == 2 && pair[0] == pair[1])
            && all.windows(3).all(|w| w[0] != w[2]);
        all.dedup();
        inner && all.len() >= 3 && all.len() == fan.len()
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
        if spent >= bound_mm || !self.read(mesh, fans.at(from), from) {
            return None;
        }
        let mm_per_uv = self.mm_per_uv(mesh);
        self.ways.clear();
        for &to in &self.ring {
            let Some((gap, slide)) = departure(&self.fan, to, mm_per_uv) else {
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
                .filter(|&&c| c != to && joined(mesh, fans, c, to));
            both.count() == 2
        };
        self.ways.iter().find(|way| closes(way.to)).copied()
    }

    fn mm_per_uv(&self, mesh: &Mesh) -> f32 {
        if mesh.uv_triangles.is_empty() {
            return 0.0;
        }
        let (mut mm2, mut uv2) = (0.0, 0.0);
        for leaf in &self.fan {
            let [a, b, c] = leaf.uvs;
            mm2 += 0.5 * leaf.size;
            uv2 += 0.5 * ((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])).abs();
        }
        if uv2 > 0.0 { (mm2 / uv2).sqrt() } else { 0.0 }
    }
}

fn joined(mesh: &Mesh, fans: &Fans, a: u32, b: u32) -> bool {
    fans.at(a)
        .iter()
        .any(|&t| mesh.triangles[t as usize].contains(&b))
}

/// How far the removed point lies from what closes its place, and how far the picture
/// slides there, both in millimetres; `None` if the surface would fold.
fn departure(fan: &[Leaf], to: u32, mm_per_uv: f32) -> Option<(f32, f32)> {
    let edge = fan.iter().find(|leaf| leaf.corners.contains(&to))?;
    let k = edge.corners.iter().position(|&c| c == to)?;
    let (place_to, uv_to) = (edge.places[k], edge.uvs[k]);
    let (lost, uv_lost) = (edge.places[edge.own], edge.uvs[edge.own]);
    // The nearest of the new triangles, and where in it.
    let mut found: Option<(f32, &Leaf, Vec3)> = None;
    for leaf in fan {
        if leaf.corners.contains(&to) {
            continue;
        }
        let mut new = leaf.places;
        new[leaf.own] = place_to;
        let [a, b, c] = new;
        let after = cross(sub(b, a), sub(c, a));
        let is = norm(after);
        if is <= 1e-9 || dot(leaf.normal, after) < LEAST_COSINE * leaf.size * is {
            return None;
        }
        let bary = closest(lost, a, b, c);
        let at = add(add(scale(a, bary[0]), scale(b, bary[1])), scale(c, bary[2]));
        let gap = norm(sub(at, lost));
        if found.is_none_or(|(least, ..)| least > gap) {
            found = Some((gap, leaf, bary));
        }
    }
    let (gap, leaf, bary) = found?;
    let mut uvs = leaf.uvs;
    uvs[leaf.own] = uv_to;
    let mut uv = [0.0_f32; 2];
    for k in 0..3 {
        uv[0] += bary[k] * uvs[k][0];
        uv[1] += bary[k] * uvs[k][1];
    }
    let (du, dv) = (uv[0] - uv_lost[0], uv[1] - uv_lost[1]);
    Some((gap, (du * du + dv * dv).sqrt() * mm_per_uv))
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
