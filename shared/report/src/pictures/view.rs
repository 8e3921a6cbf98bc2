//! Which triangle of the head a camera sees where, strip by strip.

use dermalia_surface::{Mesh, NO_TRIANGLE, Vec3};
use rayon::prelude::*;

use super::paint::whole;

/// Corners may lie this much outside of their triangle, so that none is left between two.
const SLACK: f32 = 1e-5;

/// Samples of a row that are worked on side by side.
const LANES: usize = 8;

/// The head as a camera has it in front of it.
pub(super) struct View {
    /// Columns, in samples, and the rows of a strip.
    columns: usize,
    strip_rows: usize,
    /// Column, row and depth of each point; not a number where it cannot be seen.
    pub(super) places: Vec<Vec3>,
    /// The triangles that reach into each strip, in the order of the mesh.
    bins: Vec<Vec<u32>>,
}

/// What is seen in a strip: the nearest triangle at each sample, and its depth.
#[derive(Default)]
pub(super) struct Strip {
    /// Row by row; each has some that are no samples at its end.
    pub(super) triangles: Vec<u32>,
    depths: Vec<f32>,
    pub(super) stride: usize,
}

/// The samples along one side whose middles lie between two places.
#[inline(always)]
fn span(low: f32, high: f32, most: usize) -> std::ops::Range<usize> {
    // What is no number becomes 0.
    let at = |place: f32| whole((place + 0.5).max(0.0).min(most as f32)) as usize;
    at(low)..at(high).min(most)
}

#[inline(always)]
fn lesser(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

impl View {
    pub(super) fn of(
        mesh: &Mesh,
        (columns, rows): (usize, usize),
        strip_rows: usize,
        project: impl Fn(Vec3) -> Option<Vec3> + Sync,
    ) -> Self {
        let places: Vec<Vec3> = mesh
            .positions
            .par_iter()
            .with_min_len(4096)
            .map(|&p| project(p).unwrap_or([f32::NAN; 3]))
            .collect();
        let mut bins = vec![vec![]; rows.div_ceil(strip_rows)];
        for (t, corners) in mesh.triangles.iter().enumerate() {
            let [a, b, c] = corners.map(|i| places[i as usize]);
            let reach = |k: usize, most: usize| {
                span(a[k].min(b[k]).min(c[k]), a[k].max(b[k]).max(c[k]), most)
            };
            let (across, down) = (reach(0, columns), reach(1, rows));
            if !across.is_empty() && !down.is_empty() {
                for bin in &mut bins[down.start / strip_rows..=(down.end - 1) / strip_rows] {
                    bin.push(t as u32);
                }
            }
        }
        Self {
            columns,
            strip_rows,
            places,
            bins,
        }
    }

    /// Draws one strip.
    #[inline(always)]
    pub(super) fn draw(&self, mesh: &Mesh, number: usize, strip: &mut Strip) {
        let stride = self.columns + LANES;
        let size = stride * self.strip_rows;
        strip.stride = stride;
        strip.triangles.clear();
        strip.triangles.resize(size, NO_TRIANGLE);
        strip.depths.clear();
        strip.depths.resize(size, f32::INFINITY);
        let top = number * self.strip_rows;
        for &t in &self.bins[number] {
            let [a, b, c] = mesh.triangles[t as usize].map(|i| self.places[i as usize]);
            let plane = Plane::of(a, b, c);
            if !plane.is_there() {
                continue;
            }
            let (low, high) = (a[1].min(b[1]).min(c[1]), a[1].max(b[1]).max(c[1]));
            let down = span(low - top as f32, high - top as f32, self.strip_rows);
            let across = span(
                a[0].min(b[0]).min(c[0]),
                a[0].max(b[0]).max(c[0]),
                self.columns,
            );
            let (b_deeper, c_deeper) = (b[2] - a[2], c[2] - a[2]);
            for y in down {
                let dy = (top + y) as f32 + 0.5 - a[1];
                for x in across.clone().step_by(LANES) {
                    let at = y * stride + x;
                    let triangles = strip.triangles[at..].first_chunk_mut::<LANES>();
                    let depths = strip.depths[at..].first_chunk_mut::<LANES>();
                    let (Some(triangles), Some(depths)) = (triangles, depths) else {
                        continue;
                    };
                    // Without a branch, so that vectors fill: what lies outside is farther
                    // away than everything, behind the end of the row, too.
                    let first = x as u32 as f32 + 0.5 - a[0];
                    let mut here = [0.0; LANES];
                    for l in 0..LANES {
                        let [v, w] = plane.weights(first + l as f32, dy);
                        let within = lesser(lesser(v, w) + SLACK, (1.0 + SLACK) - (v + w));
                        let depth = a[2] + v * b_deeper + w * c_deeper;
                        here[l] = if within >= 0.0 { depth } else { f32::INFINITY };
                    }
                    let (mut held, mut nearest) = (*triangles, *depths);
                    for l in 0..LANES {
                        let is_nearer = 0_u32.wrapping_sub(u32::from(here[l] < nearest[l]));
                        held[l] = (t & is_nearer) | (held[l] & !is_nearer);
                        nearest[l] = lesser(here[l], nearest[l]);
                    }
                    (*triangles, *depths) = (held, nearest);
                }
            }
        }
    }
}

/// The weights of the second and third corner, as they grow away from the first.
pub(super) struct Plane {
    v: [f32; 2],
    w: [f32; 2],
    area: f32,
}

impl Plane {
    #[inline(always)]
    pub(super) fn of(a: Vec3, b: Vec3, c: Vec3) -> Self {
        let (ab, ac) = ([b[0] - a[0], b[1] - a[1]], [c[0] - a[0], c[1] - a[1]]);
        let area = ab[0] * ac[1] - ac[0] * ab[1];
        let each = 1.0 / area;
        Self {
            v: [ac[1] * each, -ac[0] * each],
            w: [-ab[1] * each, ab[0] * each],
            area,
        }
    }

    /// Not for a triangle without area.
    #[inline(always)]
    fn is_there(&self) -> bool {
        self.area != 0.0 && self.area.is_finite()
    }

    #[inline(always)]
    pub(super) fn weights(&self, dx: f32, dy: f32) -> [f32; 2] {
        [
            self.v[0] * dx + self.v[1] * dy,
            self.w[0] * dx + self.w[1] * dy,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearer_triangle_is_seen_and_nothing_is_left_between_two() {
        let mut mesh = Mesh::sheet(10.0, 10.0);
        let back = mesh.clone();
        mesh.positions
            .extend(back.positions.iter().map(|p| [p[0], p[1], -5.0]));
        mesh.triangles
            .extend(back.triangles.iter().map(|t| t.map(|i| i + 4)));
        let project = |p: Vec3| Some([p[0] * 2.0 + 1.0, 21.0 - p[1] * 2.0, -p[2]]);
        let view = View::of(&mesh, (22, 22), 8, project);
        let mut strip = Strip::default();
        for number in 0..3 {
            view.draw(&mesh, number, &mut strip);
            for (i, &t) in strip.triangles.iter().enumerate() {
                let (x, y) = (i % strip.stride, number * 8 + i / strip.stride);
                let inside = (1..21).contains(&x) && (1..21).contains(&y);
                assert_eq!(t < 2, inside, "{x} {y}");
                assert!(inside || t == NO_TRIANGLE);
                if inside {
                    let [a, b, c] = mesh.triangles[t as usize].map(|i| view.places[i as usize]);
                    let (dx, dy) = (x as f32 + 0.5 - a[0], y as f32 + 0.5 - a[1]);
                    let [v, w] = Plane::of(a, b, c).weights(dx, dy);
                    let p = mesh.point(t as usize, [1.0 - v - w, v, w]);
                    assert!((p[0] * 2.0 + 0.5 - x as f32).abs() < 1e-3);
                    assert!((20.5 - p[1] * 2.0 - y as f32).abs() < 1e-3);
                }
            }
        }
        let none = View::of(&mesh, (22, 22), 8, |_| None);
        none.draw(&mesh, 1, &mut strip);
        assert!(strip.triangles.iter().all(|&t| t == NO_TRIANGLE));
    }
}
