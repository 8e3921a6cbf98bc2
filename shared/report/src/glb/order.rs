//! The order of triangles and points in which they take the fewest bytes and are drawn
//! fastest: each triangle beside one of the last, points by their first use.

use std::collections::{HashMap, VecDeque};

/// How many edges and points are taken for recent; the format's reader remembers as many.
const RECENT: usize = 15;

struct Walk<'a> {
    triangles: &'a [[u32; 3]],
    /// The triangle on each directed edge; looked up only.
    on_edge: HashMap<[u32; 2], u32>,
    is_placed: Vec<bool>,
    edges: VecDeque<[u32; 2]>,
    points: VecDeque<u32>,
    /// Edges that have left the recent ones, the latest at the end.
    left: Vec<[u32; 2]>,
    out: Vec<[u32; 3]>,
}

/// The same triangles, turned and in another order.
pub(super) fn neighbours_first(triangles: &[[u32; 3]]) -> Vec<[u32; 3]> {
    let mut on_edge = HashMap::with_capacity(triangles.len() * 3);
    for (t, &[a, b, c]) in triangles.iter().enumerate() {
        for edge in [[a, b], [b, c], [c, a]] {
            on_edge.entry(edge).or_insert(t as u32);
        }
    }
    let mut walk = Walk {
        triangles,
        on_edge,
        is_placed: vec![false; triangles.len()],
        edges: VecDeque::new(),
        points: VecDeque::new(),
        left: vec![],
        out: Vec::with_capacity(triangles.len()),
    };
    let mut rest = 0;
    while rest < triangles.len() {
        if let Some(edge) = walk.best_edge() {
            walk.place_on(edge);
        } else if !walk.is_placed[rest] {
            walk.place(rest as u32, triangles[rest]);
        } else {
            rest += 1;
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

impl Walk<'_> {
    fn free_on(&self, edge: [u32; 2]) -> Option<u32> {
        let t = *self.on_edge.get(&edge)?;
        (!self.is_placed[t as usize]).then_some(t)
    }

    fn third(&self, t: u32, [a, b]: [u32; 2]) -> u32 {
        let corners = self.triangles[t as usize];
        corners.into_iter().find(|&c| c != a && c != b).unwrap_or(a)
    }

    /// The edge to go on at: one whose triangle brings no new point, else the oldest that
    /// is still recent, else the last that was left behind.
    fn best_edge(&mut self) -> Option<[u32; 2]> {
        let mut oldest = None;
        for &edge in &self.edges {
            let Some(t) = self.free_on(edge) else {
                continue;
            };
            if self.points.contains(&self.third(t, edge)) {
                return Some(edge);
            }
            oldest = Some(edge);
        }
        if oldest.is_some() {
            return oldest;
        }
        while let Some(edge) = self.left.pop() {
            if self.free_on(edge).is_some() {
                return Some(edge);
            }
        }
        None
    }

    fn place_on(&mut self, edge: [u32; 2]) {
        if let Some(t) = self.free_on(edge) {
            let third = self.third(t, edge);
            self.place(t, [edge[0], edge[1], third]);
        }
    }

    fn place(&mut self, t: u32, [a, b, c]: [u32; 3]) {
        self.is_placed[t as usize] = true;
        self.out.push([a, b, c]);
        // A neighbour runs along the same edge the other way.
        for edge in [[b, a], [c, b], [a, c]] {
            if self.free_on(edge).is_some() {
                self.edges.push_front(edge);
            }
        }
        while self.edges.len() > RECENT {
            self.left.extend(self.edges.pop_back());
        }
        for point in [a, b, c] {
            if !self.points.contains(&point) {
                self.points.push_front(point);
            }
        }
        self.points.truncate(RECENT);
    }
}
