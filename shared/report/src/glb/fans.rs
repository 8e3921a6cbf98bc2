//! The triangles around the points of a mesh that changes.

use dermalia_surface::Mesh;

use super::departure::{MOST_TRIANGLES, turned};

/// The triangles around each point, in a store that grows: a list that becomes longer is
/// written anew.
pub(super) struct Fans {
    starts: Vec<u32>,
    lengths: Vec<u32>,
    triangles: Vec<u32>,
}

impl Fans {
    pub(super) fn of(mesh: &Mesh) -> Self {
        let points = mesh.positions.len();
        let mut lengths = vec![0_u32; points];
        for &c in mesh.triangles.iter().flatten() {
            lengths[c as usize] += 1;
        }
        let mut starts = Vec::with_capacity(points);
        let mut end = 0;
        for &length in &lengths {
            starts.push(end);
            end += length;
        }
        let mut fill = starts.clone();
        let mut triangles = vec![0_u32; end as usize];
        for (t, corners) in mesh.triangles.iter().enumerate() {
            for &c in corners {
                triangles[fill[c as usize] as usize] = t as u32;
                fill[c as usize] += 1;
            }
        }
        Self {
            starts,
            lengths,
            triangles,
        }
    }

    #[inline(always)]
    pub(super) fn at(&self, point: u32) -> &[u32] {
        let start = self.starts[point as usize] as usize;
        &self.triangles[start..start + self.lengths[point as usize] as usize]
    }

    /// Takes a triangle out of the list of a point.
    pub(super) fn remove(&mut self, point: u32, triangle: u32) {
        let start = self.starts[point as usize] as usize;
        let length = &mut self.lengths[point as usize];
        let list = &mut self.triangles[start..start + *length as usize];
        if let Some(place) = list.iter().position(|&t| t == triangle) {
            list[place] = list[list.len() - 1];
            *length -= 1;
        }
    }

    /// Adds triangles to the list of a point.
    pub(super) fn extend(&mut self, point: u32, more: &[u32]) {
        let start = self.starts[point as usize] as usize;
        let length = self.lengths[point as usize] as usize;
        self.starts[point as usize] = self.triangles.len() as u32;
        self.triangles.extend_from_within(start..start + length);
        self.triangles.extend_from_slice(more);
        self.lengths[point as usize] += more.len() as u32;
    }
}

/// Where an inner point lies in the atlas; `None` at a border, where the surface is no
/// surface, on a seam, or where more triangles meet than are worked on.
pub(super) fn inner_uv(mesh: &Mesh, fan: &[u32], point: u32) -> Option<[f32; 2]> {
    if !(3..=MOST_TRIANGLES).contains(&fan.len()) {
        return None;
    }
    // The second and third corners.
    let (mut seconds, mut thirds) = ([0; MOST_TRIANGLES], [0; MOST_TRIANGLES]);
    for (k, &t) in fan.iter().enumerate() {
        let (_, [_, b, c]) = turned(mesh.triangles[t as usize], point);
        if b == point || c == point {
            return None;
        }
        (seconds[k], thirds[k]) = (b, c);
    }
    let (start, mut end) = (seconds[0], thirds[0]);
    // From triangle to triangle, back to the first only after all of them.
    for left in (1..fan.len()).rev() {
        let (here, mut beside) = (end, 0);
        for (&b, &c) in seconds.iter().zip(&thirds).take(fan.len()) {
            if b == here {
                (end, beside) = (c, beside + 1);
            }
        }
        if beside != 1 || (end == start) != (left == 1) {
            return None;
        }
    }
    let mut uv = None;
    for &t in fan {
        if let Some(of_corners) = mesh.uv_triangles.get(t as usize) {
            let (turn, _) = turned(mesh.triangles[t as usize], point);
            let own = mesh.uvs[of_corners[turn] as usize];
            if *uv.get_or_insert(own) != own {
                return None;
            }
        }
    }
    Some(uv.unwrap_or_default())
}
