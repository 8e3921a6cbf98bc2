//! The order of triangles and points in which they take the fewest bytes and are drawn
//! fastest: fan by fan (Sander 2007, doi 10.1145/1276377.1276489), points by their first use.

use dermalia_surface::Mesh;

/// How many points are taken for recent; the format's reader remembers as many.
const RECENT: usize = 16;

struct Walk<'a> {
    triangles: &'a [[u32; 3]],
    /// The triangles of each point: those of point `p` from `starts[p]` on.
    starts: Vec<u32>,
    around: Vec<u32>,
    is_placed: Vec<bool>,
    /// How many triangles of each point are not placed yet.
    left: Vec<u32>,
    /// When each point was last brought in, counted in points brought in.
    brought: Vec<usize>,
    clock: usize,
    /// Points of placed triangles, the latest at the end.
    visited: Vec<u32>,
    out: Vec<[u32; 3]>,
}

/// The same triangles of this many points, turned and in another order.
pub(super) fn neighbours_first(triangles: &[[u32; 3]], points: usize) -> Vec<[u32; 3]> {
    let mut left = vec![0_u32; points];
    triangles
        .iter()
        .flatten()
        .for_each(|&p| left[p as usize] += 1);
    let mut starts = vec![0_u32; points + 1];
    for p in 0..points {
        starts[p + 1] = starts[p] + left[p];
    }
    let mut fill = starts.clone();
    let mut around = vec![0_u32; triangles.len() * 3];
    for (t, corners) in triangles.iter().enumerate() {
        for &p in corners {
            around[fill[p as usize] as usize] = t as u32;
            fill[p as usize] += 1;
        }
    }
    let mut walk = Walk {
        triangles,
        starts,
        around,
        is_placed: vec![false; triangles.len()],
        left,
        brought: vec![0; points],
        clock: RECENT + 1,
        visited: vec![],
        out: Vec::with_capacity(triangles.len()),
    };
    let mut rest = 0;
    let mut focus = None;
    while rest < points {
        match focus.take() {
            Some(point) => focus = walk.fan(point),
            None if walk.left[rest] > 0 => focus = Some(rest as u32),
            None => rest += 1,
        }
    }
    walk.out
}

/// New numbers for the points, in the order of their first use: the old one of each.
pub(super) fn by_first_use(triangles: &mut [[u32; 3]], points: usize) -> Vec<u32> {
    let mut new = vec![u32::MAX; points];
    let mut old = Vec::with_capacity(points);
    for corner in triangles.iter_mut().flatten() {
        let number = &mut new[*corner as usize];
        if *number == u32::MAX {
            *number = old.len() as u32;
            old.push(*corner);
        }
        *corner = *number;
    }
    old
}

/// Cells along each side of the box around a mesh.
const CELLS: f32 = 1024.0;

/// The same surface, with what is near in space near in memory, too: triangles along a
/// Z-order curve (Morton 1966), points by their first use. Points of no triangle go.
pub(super) fn near_together(mesh: &Mesh) -> Mesh {
    let mut low = [f32::INFINITY; 3];
    let mut side = 0.0_f32;
    for k in 0..3 {
        let along = mesh.positions.iter().map(|p| p[k]);
        low[k] = along.clone().fold(f32::INFINITY, f32::min);
        side = side.max(along.fold(f32::NEG_INFINITY, f32::max) - low[k]);
    }
    let cell = |p: u32| {
        let place = mesh.positions[p as usize];
        let along = |k: usize| {
            // A number that is none becomes 0.
            let at = CELLS * (place[k] - low[k]) / side;
            spread((at as u32).min(CELLS as u32 - 1))
        };
        along(0) | (along(1) << 1) | (along(2) << 2)
    };
    let mut order: Vec<(u32, u32)> = mesh
        .triangles
        .iter()
        .zip(0..)
        .map(|(corners, t)| (cell(corners[0]), t))
        .collect();
    sort_by_cell(&mut order);
    let sorted = |of: &[[u32; 3]]| -> Vec<[u32; 3]> {
        let all = order.iter().filter_map(|&(_, t)| of.get(t as usize));
        all.copied().collect()
    };
    let mut triangles = sorted(&mesh.triangles);
    let points = by_first_use(&mut triangles, mesh.positions.len());
    let mut uv_triangles = sorted(&mesh.uv_triangles);
    let uvs = by_first_use(&mut uv_triangles, mesh.uvs.len());
    Mesh {
        positions: points.iter().map(|&p| mesh.positions[p as usize]).collect(),
        uvs: uvs.iter().map(|&p| mesh.uvs[p as usize]).collect(),
        triangles,
        uv_triangles,
        source_from_mesh: mesh.source_from_mesh,
    }
}

/// Sorts by the cell, ten bits after ten from the lowest on; those of one cell stay in their
/// order.
fn sort_by_cell(order: &mut Vec<(u32, u32)>) {
    const BITS: u32 = 10;
    let mut sorted = vec![(0, 0); order.len()];
    for digit in 0..3 {
        let of = |cell: u32| (cell >> (digit * BITS)) as usize % (1 << BITS);
        let mut starts = [0_usize; (1 << BITS) + 1];
        for &(cell, _) in order.iter() {
            starts[of(cell) + 1] += 1;
        }
        for i in 0..1 << BITS {
            starts[i + 1] += starts[i];
        }
        for &(cell, t) in order.iter() {
            let next = &mut starts[of(cell)];
            sorted[*next] = (cell, t);
            *next += 1;
        }
        std::mem::swap(order, &mut sorted);
    }
}

/// The ten lowest bits, each followed by two zeros.
fn spread(n: u32) -> u32 {
    let n = (n | (n << 16)) & 0x0300_00FF;
    let n = (n | (n << 8)) & 0x0300_F00F;
    let n = (n | (n << 4)) & 0x030C_30C3;
    (n | (n << 2)) & 0x0924_9249
}

impl Walk<'_> {
    /// Places what is left around a point; gives the point to go on at.
    fn fan(&mut self, centre: u32) -> Option<u32> {
        let c = centre as usize;
        let mut waiting: Vec<u32> = self.around
            [self.starts[c] as usize..self.starts[c + 1] as usize]
            .iter()
            .copied()
            .filter(|&t| !self.is_placed[t as usize])
            .collect();
        // A corner twice in one triangle lists it twice.
        waiting.dedup();
        let mut rim: Vec<u32> = vec![];
        while !waiting.is_empty() {
            // Beside the one before, else at a point that is recent.
            let (last, before) = (self.out.last().copied(), rim.len());
            let shared = |t: u32| {
                let corners = self.triangles[t as usize];
                let with_last =
                    last.map_or(0, |l| corners.iter().filter(|c| l.contains(c)).count());
                let recent = corners.iter().filter(|p| self.age(**p) <= RECENT).count();
                (with_last * usize::from(before > 0), recent)
            };
            let best = (0..waiting.len()).max_by_key(|&i| (shared(waiting[i]), usize::MAX - i));
            let t = waiting.remove(best.unwrap_or(0));
            self.is_placed[t as usize] = true;
            self.out.push(self.turned(self.triangles[t as usize]));
            for p in self.triangles[t as usize] {
                self.left[p as usize] = self.left[p as usize].saturating_sub(1);
                if self.age(p) > RECENT {
                    self.brought[p as usize] = self.clock;
                    self.clock += 1;
                }
                rim.push(p);
            }
        }
        self.visited.extend(&rim);
        self.next(&rim)
    }

    fn age(&self, point: u32) -> usize {
        self.clock - self.brought[point as usize]
    }

    /// New points stand last: so they are counted in the order in which the reader meets them.
    fn turned(&self, [a, b, c]: [u32; 3]) -> [u32; 3] {
        let is_new = |p: u32| self.brought[p as usize] == 0;
        let turns = [[a, b, c], [b, c, a], [c, a, b]];
        let key = |t: &[u32; 3]| t.map(is_new);
        turns
            .into_iter()
            .min_by_key(|t| key(t))
            .unwrap_or([a, b, c])
    }

    /// Of the rim, the point that has waited longest and whose fan still finds it recent;
    /// else the last visited one with something left.
    fn next(&mut self, rim: &[u32]) -> Option<u32> {
        let mut best: Option<(usize, u32)> = None;
        for &p in rim {
            let left = self.left[p as usize] as usize;
            if left == 0 {
                continue;
            }
            let age = self.age(p);
            let worth = if age + 2 * left <= RECENT { age } else { 0 };
            if best.is_none_or(|(most, _)| worth > most) {
                best = Some((worth, p));
            }
        }
        if let Some((_, point)) = best {
            return Some(point);
        }
        while let Some(p) = self.visited.pop() {
            if self.left[p as usize] > 0 {
                return Some(p);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_spread_by_three() {
        for n in [0, 1, 0b10_1101_0011, 1023] {
            let wanted: u32 = (0..10).map(|bit| ((n >> bit) & 1) << (3 * bit)).sum();
            assert_eq!(spread(n), wanted);
        }
    }

    #[test]
    fn cells_are_sorted_and_keep_their_order() {
        let cell = |t: u32| t.wrapping_mul(2_654_435_761) >> (2 + 18 * (t % 2));
        let mut order: Vec<(u32, u32)> = (0..20_000).map(|t| (cell(t), t)).collect();
        let mut wanted = order.clone();
        wanted.sort_unstable();
        sort_by_cell(&mut order);
        assert_eq!(order, wanted);
    }

    /// A flat square of `n` by `n` cells whose triangles and points are shuffled.
    fn shuffled(n: u32) -> Mesh {
        let side = n + 1;
        let number = |p: u32| (p * 7919) % (side * side);
        let mut positions = vec![[0.0; 3]; (side * side) as usize];
        let mut uvs = vec![[0.0; 2]; (side * side) as usize];
        for p in 0..side * side {
            let [x, y] = [p % side, p / side].map(|v| v as f32);
            positions[number(p) as usize] = [x, y, 0.0];
            uvs[number(p) as usize] = [x / n as f32, y / n as f32];
        }
        let mut triangles = vec![[0; 3]; (2 * n * n) as usize];
        for c in 0..n * n {
            let p = c / n * side + c % n;
            for (k, t) in [[p, p + 1, p + side + 1], [p, p + side + 1, p + side]]
                .into_iter()
                .enumerate()
            {
                let place = ((2 * c + k as u32) * 7907) % (2 * n * n);
                triangles[place as usize] = t.map(number);
            }
        }
        Mesh::new(positions, uvs, triangles.clone(), triangles).unwrap()
    }

    #[test]
    fn a_surface_in_another_order_is_the_same_and_lies_together() {
        let mesh = shuffled(64);
        let sorted = near_together(&mesh);
        let corners = |m: &Mesh| {
            let mut all: Vec<[[u32; 5]; 3]> = (m.triangles.iter().zip(&m.uv_triangles))
                .map(|(t, uv)| {
                    [0, 1, 2].map(|k| {
                        let (p, uv) = (m.positions[t[k] as usize], m.uvs[uv[k] as usize]);
                        [p[0], p[1], p[2], uv[0], uv[1]].map(f32::to_bits)
                    })
                })
                .collect();
            all.sort_unstable();
            all
        };
        assert_eq!(corners(&mesh), corners(&sorted));
        // How far apart in memory the corners of a triangle are, on average.
        let apart = |m: &Mesh| {
            let far = |t: &[u32; 3]| u64::from(t.iter().max().unwrap() - t.iter().min().unwrap());
            m.triangles.iter().map(far).sum::<u64>() / m.triangles.len() as u64
        };
        assert!(
            10 * apart(&sorted) < apart(&mesh),
            "{} {}",
            apart(&sorted),
            apart(&mesh)
        );
    }
}
