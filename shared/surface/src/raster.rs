use rayon::prelude::*;

use crate::{Mesh, Vec3};

/// The mark of a pixel that no triangle covers.
pub const NO_TRIANGLE: u32 = u32::MAX;

/// Which triangle each pixel of an atlas lies in. Row 0 is the top (v = 1).
#[derive(Debug, Clone)]
pub struct UvRaster {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// The triangle of each pixel's middle, or [`NO_TRIANGLE`].
    pub triangle: Vec<u32>,
    /// Pixels that more than one triangle claims (an overlapping atlas).
    pub overlapping_px: usize,
}

/// One visible point of a view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fragment {
    /// The triangle, or [`NO_TRIANGLE`].
    pub triangle: u32,
    /// Weights of its first and second corner; the third has the rest.
    pub bary: [f32; 2],
    /// Distance along the viewing direction; smaller is nearer.
    pub depth: f32,
}

impl Fragment {
    const EMPTY: Self = Self {
        triangle: NO_TRIANGLE,
        bary: [0.0; 2],
        depth: f32::INFINITY,
    };

    /// All three barycentric weights.
    #[must_use]
    pub fn weights(&self) -> Vec3 {
        [
            self.bary[0],
            self.bary[1],
            1.0 - self.bary[0] - self.bary[1],
        ]
    }
}

/// The nearest triangle at each pixel of a view.
#[derive(Debug, Clone)]
pub struct ViewRaster {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row-major.
    pub fragments: Vec<Fragment>,
}

struct Setup {
    /// Edge functions: weight k at (x, y) is a[k] x + b[k] y + c[k].
    a: [f64; 3],
    b: [f64; 3],
    c: [f64; 3],
    x: [usize; 2],
    y: [usize; 2],
}

impl Setup {
    /// Weights that are 1 at their own corner; `None` for a triangle without area or
    /// outside of the picture.
    fn new(q: [[f64; 2]; 3], width: usize, height: usize) -> Option<Self> {
        let det =
            (q[1][0] - q[0][0]) * (q[2][1] - q[0][1]) - (q[2][0] - q[0][0]) * (q[1][1] - q[0][1]);
        if det == 0.0 || !det.is_finite() {
            return None;
        }
        let (mut a, mut b, mut c) = ([0.0; 3], [0.0; 3], [0.0; 3]);
        for k in 0..3 {
            let (p, r) = (q[(k + 1) % 3], q[(k + 2) % 3]);
            a[k] = (p[1] - r[1]) / det;
            b[k] = (r[0] - p[0]) / det;
            c[k] = (p[0] * r[1] - r[0] * p[1]) / det;
        }
        // Pixel middles lie at n + 0.5.
        let range = |k: usize, size: usize| {
            let lo = q[0][k].min(q[1][k]).min(q[2][k]);
            let hi = q[0][k].max(q[1][k]).max(q[2][k]);
            let first = (lo - 0.5).ceil().max(0.0);
            let last = (hi - 0.5).floor().min(size as f64 - 1.0);
            (first <= last).then_some([first as usize, last as usize])
        };
        Some(Self {
            a,
            b,
            c,
            x: range(0, width)?,
            y: range(1, height)?,
        })
    }

    fn at(&self, x: usize, y: usize) -> [f64; 3] {
        let (px, py) = (x as f64 + 0.5, y as f64 + 0.5);
        [0, 1, 2].map(|k| self.a[k] * px + self.b[k] * py + self.c[k])
    }

    fn covers(w: [f64; 3]) -> bool {
        w.iter().all(|&v| v >= -1e-9)
    }

    /// The pixels of a row that the triangle covers: where its edges cross the row tells
    /// about, the weights themselves decide.
    fn span(&self, y: usize) -> std::ops::Range<usize> {
        let (mut lo, mut hi) = (self.x[0] as f64, self.x[1] as f64);
        for k in 0..3 {
            let rest = self.b[k] * (y as f64 + 0.5) + self.c[k];
            if self.a[k] != 0.0 {
                let x = -rest / self.a[k] - 0.5;
                if self.a[k] > 0.0 {
                    lo = lo.max(x);
                } else {
                    hi = hi.min(x);
                }
            }
        }
        let mut from = (lo.floor() as usize).saturating_sub(1).max(self.x[0]);
        let mut to = (hi.ceil().max(0.0) as usize + 2).min(self.x[1] + 1);
        while from < to && !Self::covers(self.at(from, y)) {
            from += 1;
        }
        while from < to && !Self::covers(self.at(to - 1, y)) {
            to -= 1;
        }
        from..to
    }
}

const STRIP_ROWS: usize = 64;

/// Puts each triangle into the strips it touches, in the order of the mesh.
fn strips(setups: &[Option<Setup>], height: usize) -> Vec<Vec<u32>> {
    let mut bins = vec![vec![]; height.div_ceil(STRIP_ROWS)];
    for (t, setup) in setups.iter().enumerate() {
        if let Some(s) = setup {
            for bin in &mut bins[s.y[0] / STRIP_ROWS..=s.y[1] / STRIP_ROWS] {
                bin.push(t as u32);
            }
        }
    }
    bins
}

/// Rasterises the atlas. Where triangles overlap, the first in the mesh keeps the pixel.
#[must_use]
pub fn rasterize_uv(mesh: &Mesh, width: usize, height: usize) -> UvRaster {
    let setups: Vec<Option<Setup>> = (0..mesh.uv_triangles.len())
        .into_par_iter()
        .map(|t| {
            let q = mesh.uv_corners(t).map(|[u, v]| {
                [
                    f64::from(u) * width as f64,
                    (1.0 - f64::from(v)) * height as f64,
                ]
            });
            Setup::new(q, width, height)
        })
        .collect();
    let bins = strips(&setups, height);
    let mut triangle = vec![NO_TRIANGLE; width * height];
    let overlapping_px = triangle
        .par_chunks_mut((width * STRIP_ROWS).max(1))
        .zip(bins)
        .enumerate()
        .map(|(strip, (rows, bin))| {
            let top = strip * STRIP_ROWS;
            let bottom = top + rows.len() / width - 1;
            let mut overlapping = 0;
            for t in bin {
                let Some(s) = &setups[t as usize] else {
                    continue;
                };
                for y in s.y[0].max(top)..=s.y[1].min(bottom) {
                    let span = s.span(y);
                    let row = &mut rows[(y - top) * width..(y - top + 1) * width];
                    for x in span {
                        if row[x] == NO_TRIANGLE {
                            row[x] = t;
                        } else if s.at(x, y).iter().all(|&v| v > 1e-6) {
                            overlapping += 1;
                        }
                    }
                }
            }
            overlapping
        })
        .sum();
    UvRaster {
        width,
        height,
        triangle,
        overlapping_px,
    }
}

/// Rasterises a view with a depth buffer.
///
/// `project` takes a point in millimetres to `[x_px, y_px, depth]`, or `None` where it
/// cannot be seen; triangles with such a corner are left out. Weights are affine in the
/// picture, which is exact for parallel projection and good to the size of a triangle
/// for a perspective one.
#[must_use]
pub fn rasterize_view<F>(mesh: &Mesh, width: usize, height: usize, project: F) -> ViewRaster
where
    F: Fn(Vec3) -> Option<Vec3> + Sync,
{
    let points: Vec<Option<Vec3>> = mesh.positions.par_iter().map(|&p| project(p)).collect();
    let corner = |t: usize| -> Option<[Vec3; 3]> {
        let [a, b, c] = mesh.triangles[t];
        Some([
            points[a as usize]?,
            points[b as usize]?,
            points[c as usize]?,
        ])
    };
    let setups: Vec<Option<Setup>> = (0..mesh.triangles.len())
        .into_par_iter()
        .map(|t| {
            let q = corner(t)?.map(|p| [f64::from(p[0]), f64::from(p[1])]);
            Setup::new(q, width, height)
        })
        .collect();
    let bins = strips(&setups, height);
    let mut fragments = vec![Fragment::EMPTY; width * height];
    fragments
        .par_chunks_mut((width * STRIP_ROWS).max(1))
        .zip(bins)
        .enumerate()
        .for_each(|(strip, (rows, bin))| {
            let top = strip * STRIP_ROWS;
            let bottom = top + rows.len() / width - 1;
            for t in bin {
                let (Some(s), Some(q)) = (&setups[t as usize], corner(t as usize)) else {
                    continue;
                };
                for y in s.y[0].max(top)..=s.y[1].min(bottom) {
                    for x in s.span(y) {
                        let w = s.at(x, y);
                        if !Setup::covers(w) {
                            continue;
                        }
                        let depth: f64 = (0..3).map(|k| w[k] * f64::from(q[k][2])).sum();
                        let px = &mut rows[(y - top) * width + x];
                        if (depth as f32) < px.depth {
                            *px = Fragment {
                                triangle: t,
                                bary: [w[0] as f32, w[1] as f32],
                                depth: depth as f32,
                            };
                        }
                    }
                }
            }
        });
    ViewRaster {
        width,
        height,
        fragments,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_fills_its_atlas_once() {
        let raster = rasterize_uv(&Mesh::sheet(10.0, 10.0), 97, 65);
        assert_eq!(raster.overlapping_px, 0);
        assert!(raster.triangle.iter().all(|&t| t < 2));
    }

    #[test]
    fn row_zero_is_the_top_of_the_atlas() {
        let mut mesh = Mesh::sheet(10.0, 10.0);
        for uv in &mut mesh.uvs {
            uv[1] = 0.5 + uv[1] / 2.0;
        }
        let raster = rasterize_uv(&mesh, 8, 8);
        assert!(raster.triangle[..32].iter().all(|&t| t < 2));
        assert!(raster.triangle[32..].iter().all(|&t| t == NO_TRIANGLE));
    }

    #[test]
    fn an_overlapping_atlas_is_counted() {
        let mut mesh = Mesh::sheet(10.0, 10.0);
        mesh.uv_triangles[1] = mesh.uv_triangles[0];
        let raster = rasterize_uv(&mesh, 16, 16);
        assert!(raster.overlapping_px > 80 && raster.triangle.contains(&NO_TRIANGLE));
    }

    #[test]
    fn the_nearer_triangle_is_seen_and_weights_give_its_point() {
        let mut mesh = Mesh::sheet(10.0, 10.0);
        let back = mesh.clone();
        mesh.positions
            .extend(back.positions.iter().map(|p| [p[0], p[1], -5.0]));
        mesh.triangles
            .extend(back.triangles.iter().map(|t| t.map(|i| i + 4)));
        let view = rasterize_view(&mesh, 20, 20, |p| {
            Some([p[0] * 2.0, 20.0 - p[1] * 2.0, -p[2]])
        });
        for (i, f) in view.fragments.iter().enumerate() {
            assert!(f.triangle < 2 && f.depth.abs() < 1e-6);
            let p = mesh.point(f.triangle as usize, f.weights());
            let (x, y) = (
                (i % 20) as f32 / 2.0 + 0.25,
                10.0 - (i / 20) as f32 / 2.0 - 0.25,
            );
            assert!((p[0] - x).abs() < 1e-4 && (p[1] - y).abs() < 1e-4);
        }
    }
}
