//! Fewer triangles within a bound in millimetres.
//!
//! Points are removed by collapsing an edge onto its other end (Hoppe 1996, doi
//! 10.1145/237170.237216). Quadrics tell the best ways of a point and whose turn it is;
//! what a removal costs is measured: how far each point that was ever removed there would
//! lie from the triangles that close the place, and how far the skin's picture would have
//! slid under it (Klein, Liebich and Straßer 1996, doi 10.1109/VISUAL.1996.568124). It
//! must stay under a limit, which rises when too little is left to do under it. Borders
//! and the seams of the atlas stay as they are.

use dermalia_surface::{Mesh, Work, in_vectors, norm, scale, sub};
use rayon::prelude::*;

use super::departure::{Fan, LANES, Lost, MOST_TRIANGLES, turned};
use super::fans::{Fans, inner_uv};
use super::quadric::Quadric;

/// Rounds after which what is left stays; a scan needs about two dozen.
const MOST_ROUNDS: usize = 256;
/// The first limit, as a share of the bound, and by how much it rises.
const FIRST_LIMIT: f32 = 1.0 / 32.0;
const RISE: f32 = 1.5;
/// It rises when a round removes less than one of so many points.
const SLOW: usize = 16;
/// Of the points that may go, one of so many is looked at in a round: the cheapest.
const TURN: usize = 2;
/// No point and no triangle has this number.
const NOBODY: u32 = u32::MAX;
/// The corners of a triangle that is no more.
const GONE: [u32; 3] = [NOBODY; 3];
/// In the place of a measured cost.
const STALE: f32 = -1.0;
const REMOVED: f32 = -2.0;
/// Triangles around the point that another one goes onto: a longer list, written anew each
/// time, would take all memory.
const MOST_AT_END: usize = 2 * MOST_TRIANGLES;

/// How far to go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// No fewer triangles than this.
    pub(super) triangles: usize,
    /// No removed point lies farther than this from the new surface.
    pub(super) bound_mm: f32,
}

/// The two best ways of a point by its quadric, the better first.
#[derive(Clone, Copy)]
struct Ways {
    cost_mm2: f32,
    to: [u32; 2],
    /// What they were measured to cost when that was too much; [`STALE`] if the
    /// surroundings have changed since the ways were found, [`REMOVED`] afterwards.
    refused_mm: f32,
}

impl Ways {
    const NONE: Self = Self {
        cost_mm2: f32::INFINITY,
        to: [NOBODY; 2],
        refused_mm: 0.0,
    };
}

/// A removal that was measured.
struct Collapse {
    from: u32,
    /// Its other end; [`NOBODY`] if it may not be.
    to: u32,
    /// How far the worst point departs, of the better way if none may be.
    departs_mm: f32,
    /// How many slots it has.
    slots: usize,
}

/// Removals that were measured.
struct Measured {
    collapses: Vec<Collapse>,
    /// The points removed here before, of those that may be, and on which triangle of the
    /// fan each comes to lie.
    lost: Vec<u32>,
    slots: Vec<u8>,
}

/// Room to measure in.
#[derive(Default)]
struct Scratch {
    fan: Fan,
    lost: Vec<Lost>,
}

/// Room to remove a point in.
#[derive(Default)]
struct Room {
    fan: Vec<u32>,
    moved: Vec<u32>,
    /// The points around it.
    ring: Vec<u32>,
    /// Those that were removed here before, and the triangle of the fan of each.
    lost: Vec<(u32, u8)>,
    /// Of each point the last removal at whose end it lay, counted in removals.
    near_end: Vec<u32>,
    removals: u32,
}

/// A mesh that loses points.
struct Shrinking {
    mesh: Mesh,
    fans: Fans,
    quadrics: Vec<Quadric>,
    /// The points that were removed lie on triangles: the first of each triangle, and the
    /// next one after each point.
    first: Vec<u32>,
    next: Vec<u32>,
    /// Where a point that may go lies in the atlas.
    uvs: Vec<[f32; 2]>,
}

/// The mesh with fewer triangles; unused points stay in it.
pub(super) fn simplify(mesh: Mesh, budget: Budget) -> Mesh {
    let mut left = mesh.triangles.len();
    if left < budget.triangles + 2 {
        return mesh;
    }
    let (mut surface, mut live) = Shrinking::of(mesh);
    let points = surface.mesh.positions.len();
    let mut ways = vec![Ways::NONE; points];
    // In which round a point last became part of a place that may change.
    let mut touched = vec![0_u32; points];
    let mut limit_mm = FIRST_LIMIT * budget.bound_mm;
    let (mut stale, mut chosen) = (live.clone(), vec![]);
    let mut costs: Vec<f32> = vec![];
    let mut room = Room {
        near_end: vec![0; points],
        ..Room::default()
    };
    for round in 1..=MOST_ROUNDS as u32 {
        if left < budget.triangles + 2 {
            break;
        }
        // Everything is done in the order of the points, in which what is near in space is
        // near in memory.
        let found: Vec<Vec<Ways>> = stale
            .par_chunks(512)
            .map(|points| {
                let surface = &surface;
                in_vectors(Finding { surface, points })
            })
            .collect();
        for (&p, way) in stale.iter().zip(found.into_iter().flatten()) {
            ways[p as usize] = way;
        }
        let may = |p: u32| ways[p as usize].refused_mm <= limit_mm;
        costs.clear();
        costs.extend(
            live.iter()
                .filter(|&&p| may(p))
                .map(|&p| ways[p as usize].cost_mm2),
        );
        let turn = costs.len() / TURN;
        let most_mm2 = if turn < costs.len() {
            *costs.select_nth_unstable_by(turn, f32::total_cmp).1
        } else {
            f32::INFINITY
        };
        chosen.clear();
        for &p in &live {
            let way = &ways[p as usize];
            if way.cost_mm2 <= most_mm2 && may(p) && touched[p as usize] != round {
                for &t in surface.fans.at(p) {
                    for c in surface.mesh.triangles[t as usize] {
                        touched[c as usize] = round;
                    }
                }
                chosen.push(p);
            }
        }
        let wanted = (left - budget.triangles) / 2;
        if wanted < chosen.len() {
            let cost = |p: &u32| ways[*p as usize].cost_mm2;
            let cheaper = |a: &u32, b: &u32| cost(a).total_cmp(&cost(b)).then(a.cmp(b));
            chosen.select_nth_unstable_by(wanted, cheaper);
            chosen.truncate(wanted);
            chosen.sort_unstable();
        }
        let measured: Vec<Measured> = chosen
            .par_chunks(64)
            .map_init(Scratch::default, |scratch, points| {
                in_vectors(Measuring {
                    surface: &surface,
                    scratch,
                    points,
                    ways: &ways,
                    limit_mm,
                })
            })
            .collect();
        let mut removed = 0;
        for part in &measured {
            let mut known = part.lost.iter().copied().zip(part.slots.iter().copied());
            for collapse in &part.collapses {
                let from = &mut ways[collapse.from as usize];
                if collapse.to == NOBODY {
                    from.refused_mm = collapse.departs_mm;
                    continue;
                }
                room.lost.clear();
                room.lost.extend(known.by_ref().take(collapse.slots));
                if surface.fans.at(collapse.to).len() > MOST_AT_END
                    || !surface.closes(&mut room, collapse)
                {
                    from.refused_mm = f32::INFINITY;
                    continue;
                }
                from.refused_mm = REMOVED;
                for &c in &room.ring {
                    let refused_mm = &mut ways[c as usize].refused_mm;
                    *refused_mm = refused_mm.min(STALE);
                }
                surface.remove(&mut room, collapse);
                removed += 1;
            }
        }
        left -= 2 * removed;
        live.retain(|&p| ways[p as usize].refused_mm != REMOVED);
        stale.clear();
        stale.extend(
            live.iter()
                .filter(|&&p| ways[p as usize].refused_mm == STALE),
        );
        if chosen.len() < wanted && removed * SLOW < live.len() {
            if limit_mm >= budget.bound_mm && removed == 0 {
                break;
            }
            limit_mm = (RISE * limit_mm).min(budget.bound_mm);
        }
    }
    surface.mesh()
}

/// The finding of the ways of some points.
struct Finding<'a> {
    surface: &'a Shrinking,
    points: &'a [u32],
}

impl Work for Finding<'_> {
    type Output = Vec<Ways>;

    #[inline(always)]
    fn call(self) -> Vec<Ways> {
        let mut out = Vec::with_capacity(self.points.len());
        for &p in self.points {
            out.push(self.surface.ways(p));
        }
        out
    }
}

/// The measuring of the removals of some points.
struct Measuring<'a> {
    surface: &'a Shrinking,
    scratch: &'a mut Scratch,
    points: &'a [u32],
    ways: &'a [Ways],
    limit_mm: f32,
}

impl Work for Measuring<'_> {
    type Output = Measured;

    #[inline(always)]
    fn call(self) -> Measured {
        let of = |p: u32| self.ways[p as usize].to;
        self.surface
            .measure(self.scratch, self.points, of, self.limit_mm)
    }
}

impl Shrinking {
    /// With it the points that may go.
    fn of(mesh: Mesh) -> (Self, Vec<u32>) {
        let fans = Fans::of(&mesh);
        let points = mesh.positions.len();
        let mut quadrics = vec![Quadric::default(); points];
        for (t, corners) in mesh.triangles.iter().enumerate() {
            let normal = mesh.area_normal(t);
            let size = norm(normal);
            if size > 0.0 {
                let plane = Quadric::plane(scale(normal, 1.0 / size), 0.5 * size);
                for &c in corners {
                    quadrics[c as usize].add(&plane);
                }
            }
        }
        let inner: Vec<Option<[f32; 2]>> = (0..points as u32)
            .into_par_iter()
            .with_min_len(1024)
            .map(|p| inner_uv(&mesh, fans.at(p), p))
            .collect();
        let live = (0..points as u32).filter(|&p| inner[p as usize].is_some());
        let live = live.collect();
        let surface = Self {
            first: vec![NOBODY; mesh.triangles.len()],
            next: vec![NOBODY; points],
            uvs: inner.into_iter().map(Option::unwrap_or_default).collect(),
            mesh,
            fans,
            quadrics,
        };
        (surface, live)
    }

    /// Calls with the points around an inner one: each is the second corner once.
    #[inline(always)]
    fn ring(&self, point: u32, mut each: impl FnMut(u32)) {
        for &t in self.fans.at(point) {
            let (_, [_, other, _]) = turned(self.mesh.triangles[t as usize], point);
            each(other);
        }
    }

    #[inline(always)]
    fn ways(&self, point: u32) -> Ways {
        let place = self.mesh.positions[point as usize];
        let quadric = &self.quadrics[point as usize];
        let (mut costs, mut to) = ([f32::INFINITY; 2], [NOBODY; 2]);
        for group in self.fans.at(point).chunks(LANES) {
            let (mut others, mut away) = ([NOBODY; LANES], [[0.0; LANES]; 3]);
            for (l, &t) in group.iter().enumerate() {
                // Around an inner point each neighbour is the second corner once.
                let (_, [_, other, _]) = turned(self.mesh.triangles[t as usize], point);
                others[l] = other;
                let other = self.mesh.positions[other as usize];
                for k in 0..3 {
                    away[k][l] = other[k];
                }
            }
            let mut sums = [0.0; LANES];
            for l in 0..LANES {
                sums[l] = quadric.sum(sub([away[0][l], away[1][l], away[2][l]], place));
            }
            for (&cost, &other) in sums.iter().zip(&others).take(group.len()) {
                if cost < costs[0] {
                    (costs, to) = ([cost, costs[0]], [other, to[0]]);
                } else if cost < costs[1] {
                    (costs[1], to[1]) = (cost, other);
                }
            }
        }
        Ways {
            cost_mm2: quadric.mean(costs[0]),
            to,
            refused_mm: 0.0,
        }
    }

    /// Calls with the points that were removed around a point, always in the same order.
    #[inline(always)]
    fn removed_around(&self, point: u32, mut each: impl FnMut(u32)) {
        for &t in self.fans.at(point) {
            let mut lost = self.first[t as usize];
            while lost != NOBODY {
                each(lost);
                lost = self.next[lost as usize];
            }
        }
    }

    #[inline(always)]
    fn measure(
        &self,
        Scratch { fan, lost }: &mut Scratch,
        points: &[u32],
        ways: impl Fn(u32) -> [u32; 2],
        limit_mm: f32,
    ) -> Measured {
        let mut out = Measured {
            collapses: Vec::with_capacity(points.len()),
            lost: Vec::with_capacity(8 * points.len()),
            slots: Vec::with_capacity(8 * points.len()),
        };
        for &from in points {
            let mut collapse = Collapse {
                from,
                to: NOBODY,
                departs_mm: f32::INFINITY,
                slots: 0,
            };
            let triangles = self.fans.at(from);
            if triangles.len() <= MOST_TRIANGLES {
                fan.read(&self.mesh, triangles, from);
                lost.clear();
                let mut add = |p: u32| {
                    out.lost.push(p);
                    lost.push(Lost {
                        place: self.mesh.positions[p as usize],
                        uv: self.uvs[p as usize],
                    });
                };
                add(from);
                self.removed_around(from, add);
                for to in ways(from).into_iter().filter(|&to| to != NOBODY) {
                    let (before, place) = (out.slots.len(), self.mesh.positions[to as usize]);
                    let departs_mm = fan
                        .departure_mm(to, place, lost, &mut out.slots)
                        .unwrap_or(f32::INFINITY);
                    collapse.departs_mm = collapse.departs_mm.min(departs_mm);
                    if departs_mm <= limit_mm {
                        (collapse.to, collapse.slots) = (to, lost.len());
                        break;
                    }
                    out.slots.truncate(before);
                }
                if collapse.to == NOBODY {
                    out.lost.truncate(out.slots.len());
                }
            }
            out.collapses.push(collapse);
        }
        out
    }

    /// Whether only the two triangles of the edge are shared by its ends; finds the ring.
    fn closes(&self, room: &mut Room, &Collapse { from, to, .. }: &Collapse) -> bool {
        let Room { ring, near_end, .. } = room;
        room.removals += 1;
        for &t in self.fans.at(to) {
            for c in self.mesh.triangles[t as usize] {
                near_end[c as usize] = room.removals;
            }
        }
        ring.clear();
        self.ring(from, |c| ring.push(c));
        let is_near = |c: &&u32| **c != to && near_end[**c as usize] == room.removals;
        ring.iter().filter(is_near).count() == 2
    }

    fn remove(&mut self, room: &mut Room, &Collapse { from, to, .. }: &Collapse) {
        let Room {
            fan, moved, lost, ..
        } = room;
        fan.clear();
        fan.extend_from_slice(self.fans.at(from));
        moved.clear();
        let mut uv_to = None;
        for &t in fan.iter() {
            self.first[t as usize] = NOBODY;
            let corners = self.mesh.triangles[t as usize];
            let Some(k) = corners.iter().position(|&c| c == to) else {
                moved.push(t);
                continue;
            };
            let uv = self.mesh.uv_triangles.get(t as usize).map(|uv| uv[k]);
            uv_to = uv_to.or(uv);
            for c in corners.into_iter().filter(|&c| c != from) {
                self.fans.remove(c, t);
            }
            self.mesh.triangles[t as usize] = GONE;
        }
        for &(p, slot) in lost.iter() {
            let first = &mut self.first[fan[usize::from(slot)] as usize];
            self.next[p as usize] = *first;
            *first = p;
        }
        for &t in moved.iter() {
            let (turn, _) = turned(self.mesh.triangles[t as usize], from);
            self.mesh.triangles[t as usize][turn] = to;
            if let (Some(uv), Some(own)) = (uv_to, self.mesh.uv_triangles.get_mut(t as usize)) {
                own[turn] = uv;
            }
        }
        self.fans.extend(to, moved);
        let place = |p: u32| self.mesh.positions[p as usize];
        let seen = self.quadrics[from as usize].seen_from(sub(place(to), place(from)));
        self.quadrics[to as usize].add(&seen);
    }

    /// What is left.
    fn mesh(self) -> Mesh {
        let mut mesh = self.mesh;
        let mut stays = mesh.triangles.iter().map(|t| *t != GONE);
        mesh.uv_triangles.retain(|_| stays.next().unwrap_or(true));
        mesh.triangles.retain(|t| *t != GONE);
        mesh
    }
}

#[cfg(test)]
mod tests {
    use dermalia_surface::{Vec3, add};

    use super::super::departure::tests::closest;
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
            let new = simplify(old.clone(), budget);
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
            old.clone(),
            Budget {
                triangles: 1500,
                bound_mm: 5.0,
            },
        );
        assert!(
            (1500..=1501).contains(&new.triangles.len()),
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

    /// A file decides how many triangles meet in a point: work and memory must not grow with
    /// the square of that.
    #[test]
    fn points_where_many_triangles_meet_stay_and_cost_no_more_than_others() {
        const RIM: u32 = 200_000;
        let round = |radius: f32, z: f32| {
            (0..RIM).map(move |i| {
                let angle = std::f32::consts::TAU * i as f32 / RIM as f32;
                [radius * angle.cos(), radius * angle.sin(), z]
            })
        };
        let budget = Budget {
            triangles: 0,
            bound_mm: 1.0,
        };
        // A cone, and a disc whose hub is the first neighbour of every point around it.
        for height in [50.0, 0.0] {
            let mut positions = vec![[0.0, 0.0, height]];
            positions.extend(round(50.0, 0.0).chain(round(60.0, 0.0)));
            let mut triangles = vec![];
            for i in 0..RIM {
                let (a, b) = (1 + i, 1 + (i + 1) % RIM);
                triangles.push([0, a, b]);
                triangles.push([a, a + RIM, b]);
                triangles.push([b, a + RIM, b + RIM]);
            }
            let mesh = Mesh::new(positions, vec![], triangles, vec![]).unwrap();
            let less = simplify(mesh, budget);
            assert!(less.triangles.iter().any(|t| t.contains(&0)));
            assert!(less.triangles.len() < 3 * RIM as usize);
        }
    }

    #[test]
    fn a_small_or_broken_mesh_is_left_as_it_is() {
        let budget = Budget {
            triangles: 10_000,
            bound_mm: 1.0,
        };
        let small = head(8);
        assert_eq!(simplify(small.clone(), budget), small);
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
        assert_eq!(simplify(broken.clone(), none), broken);
    }
}
