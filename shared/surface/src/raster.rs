use std::ops::Range;

use rayon::prelude::*;

use crate::{Mesh, Vec3, Work, in_vectors};

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

/// The pixels along one side whose middles lie between the lowest and the highest corner;
/// `None` where there are none. Middles lie at n + 0.5.
#[inline(always)]
fn range(q: &[[f64; 2]; 3], axis: usize, size: usize) -> Option<[usize; 2]> {
    let lo = q[0][axis].min(q[1][axis]).min(q[2][axis]);
    let hi = q[0][axis].max(q[1][axis]).max(q[2][axis]);
    let first = (lo - 0.5).ceil().max(0.0);
    let last = (hi - 0.5).floor().min(size as f64 - 1.0);
    (first <= last).then_some([first as usize, last as usize])
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
    #[inline(always)]
    fn new(q: [[f64; 2]; 3], width: usize, height: usize) -> Option<Self> {
        // Most triangles of a small view lie between middles: told before any division.
        let (x, y) = (range(&q, 0, width)?, range(&q, 1, height)?);
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
        Some(Self { a, b, c, x, y })
    }

    #[inline(always)]
    fn at(&self, x: usize, y: usize) -> [f64; 3] {
        let (px, py) = (x as f64 + 0.5, y as f64 + 0.5);
        [0, 1, 2].map(|k| self.a[k] * px + self.b[k] * py + self.c[k])
    }

    #[inline(always)]
    fn covers(w: [f64; 3]) -> bool {
        w.iter().all(|&v| v >= -INSIDE)
    }

    /// The pixels of a row that the triangle covers: where its edges cross the row tells
    /// about, the weights themselves decide.
    fn span(&self, y: usize) -> Range<usize> {
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

/// A weight that is less below 0 than this is that of a point on the edge.
const INSIDE: f64 = 1e-9;
/// Weights above this lie within a triangle without doubt.
const WITHIN: f64 = 1e-6;

/// Where the edges of a triangle cross the rows. Only where a crossing comes nearer to the
/// middle of a pixel than rounding could move it, the weights have to decide.
struct Edges {
    /// Crossings to the left and to the right of the triangle, from two edges at most
    /// each: the pixel's middle at row y + 0.5 is `[0] * (y + 0.5) + [1]`.
    left: [[f64; 2]; 2],
    right: [[f64; 2]; 2],
    /// The weight of an edge along the rows, by y.
    level: [f64; 2],
    /// Whether the triangle is so thin that the weights decide always.
    thin: bool,
}

impl Edges {
    /// Crossings are known to some 1e-8 of a pixel where the limits of `thin` hold, and
    /// [`INSIDE`] moves them by 1e-5 at most.
    const DOUBT_PX: f64 = 2e-5;

    #[inline(always)]
    fn of(s: &Setup) -> Self {
        let mut edges = Self {
            left: [[0.0, f64::NEG_INFINITY]; 2],
            right: [[0.0, f64::INFINITY]; 2],
            level: [0.0, 1.0],
            thin: false,
        };
        let (mut lefts, mut rights) = (0, 0);
        for k in 0..3 {
            let (a, b, c) = (s.a[k], s.b[k], s.c[k]);
            if a == 0.0 {
                edges.level = [b, c];
                continue;
            }
            let crossing = [-b / a, -c / a - 0.5];
            edges.thin |= a.abs() < 1e-4 || crossing[0].abs() > 1e3 || crossing[1].abs() > 1e10;
            let (list, n) = if a > 0.0 {
                (&mut edges.left, &mut lefts)
            } else {
                (&mut edges.right, &mut rights)
            };
            if let Some(edge) = list.get_mut(*n) {
                *edge = crossing;
            } else {
                edges.thin = true;
            }
            *n += 1;
        }
        edges
    }

    /// As [`Setup::span`].
    #[inline(always)]
    fn span(&self, s: &Setup, y: usize) -> Range<usize> {
        if self.thin {
            return s.span(y);
        }
        let py = y as f64 + 0.5;
        if self.level[0] * py + self.level[1] < -INSIDE {
            return 0..0;
        }
        let at = |edge: [f64; 2]| edge[0] * py + edge[1];
        // One more than the first covered and than the last, both before rounding down.
        let lo = at(self.left[0]).max(at(self.left[1]));
        let lo = lo.max(s.x[0] as f64 - 0.5) + 1.0;
        let hi = at(self.right[0]).min(at(self.right[1]));
        let hi = hi.min(s.x[1] as f64 + 0.5) + 1.0;
        let (from, to) = (lo as usize, hi as usize);
        let doubtful = |v: f64, whole: usize| (v - whole as f64 - 0.5).abs() > 0.5 - Self::DOUBT_PX;
        if doubtful(lo, from) || doubtful(hi, to) {
            return s.span(y);
        }
        from..to.max(from)
    }
}

const STRIP_ROWS: usize = 64;

/// The triangles that each strip of rows touches, in the order of the mesh.
struct Strips {
    /// Where the list of each strip begins, and the end of the last.
    starts: Vec<usize>,
    list: Vec<u32>,
}

impl Strips {
    /// By the first and the last row of each triangle.
    fn of(rows: &[Option<[usize; 2]>], height: usize) -> Self {
        let strips = height.div_ceil(STRIP_ROWS);
        let touched = |r: &[usize; 2]| r[0] / STRIP_ROWS..=r[1] / STRIP_ROWS;
        let mut starts = vec![0; strips + 1];
        for strip in rows.iter().flatten().flat_map(touched) {
            starts[strip + 1] += 1;
        }
        for strip in 0..strips {
            starts[strip + 1] += starts[strip];
        }
        let mut next = starts.clone();
        let mut list = vec![0; starts[strips]];
        for (t, rows) in rows.iter().enumerate() {
            for strip in rows.iter().flat_map(touched) {
                list[next[strip]] = t as u32;
                next[strip] += 1;
            }
        }
        Self { starts, list }
    }

    fn get(&self, strip: usize) -> &[u32] {
        match (self.starts.get(strip), self.starts.get(strip + 1)) {
            (Some(&from), Some(&to)) => &self.list[from..to],
            _ => &[],
        }
    }
}

/// Pixels of an atlas that triangles claim.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Claims {
    /// Those that lie in a triangle.
    pub covered_px: usize,
    /// Those that more than one triangle claims.
    pub overlapping_px: usize,
}

impl std::iter::Sum for Claims {
    fn sum<I: Iterator<Item = Self>>(claims: I) -> Self {
        claims.fold(Self::default(), |a, b| Self {
            covered_px: a.covered_px + b.covered_px,
            overlapping_px: a.overlapping_px + b.overlapping_px,
        })
    }
}

/// The raster of an atlas before it is drawn: strip by strip, so that what is made of a
/// strip can be made while it is at hand. Row 0 is the top (v = 1).
pub struct UvStrips<'a> {
    mesh: &'a Mesh,
    width: usize,
    height: usize,
    strips: Strips,
}

impl<'a> UvStrips<'a> {
    /// Rows of a strip; the last can have fewer.
    pub const ROWS: usize = STRIP_ROWS;

    /// For a raster of `width` x `height` pixels.
    #[must_use]
    pub fn new(mesh: &'a Mesh, width: usize, height: usize) -> Self {
        let rows: Vec<Option<[usize; 2]>> = (0..mesh.uv_triangles.len())
            .into_par_iter()
            .map(|t| {
                let q = corners_px(mesh, t, width, height);
                range(&q, 0, width).and(range(&q, 1, height))
            })
            .collect();
        Self {
            mesh,
            width,
            height,
            strips: Strips::of(&rows, height),
        }
    }

    /// How many strips there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.height.div_ceil(STRIP_ROWS)
    }

    /// Draws a strip: the triangle of each pixel's middle, or [`NO_TRIANGLE`]. Where
    /// triangles overlap, the first in the mesh keeps the pixel.
    pub fn draw(&self, strip: usize, rows: &mut [u32]) -> Claims {
        rows.fill(NO_TRIANGLE);
        in_vectors(Drawing {
            strips: self,
            strip,
            rows,
        })
    }
}

/// The drawing of one strip.
struct Drawing<'a> {
    strips: &'a UvStrips<'a>,
    strip: usize,
    rows: &'a mut [u32],
}

impl Work for Drawing<'_> {
    type Output = Claims;

    #[inline(always)]
    fn call(self) -> Claims {
        let Self {
            strips,
            strip,
            rows,
        } = self;
        let (width, top) = (strips.width, strip * STRIP_ROWS);
        let bottom = top + rows.len() / width.max(1);
        let mut claims = Claims::default();
        for &t in strips.strips.get(strip) {
            let q = corners_px(strips.mesh, t as usize, width, strips.height);
            let Some(s) = Setup::new(q, width, strips.height) else {
                continue;
            };
            let edges = Edges::of(&s);
            for y in s.y[0].max(top)..(s.y[1] + 1).min(bottom) {
                let span = edges.span(&s, y);
                let from = (y - top) * width;
                let taken = claim(rows, from + span.start..from + span.end, t);
                claims.covered_px += span.len() - taken;
                if taken > 0 {
                    claims.overlapping_px += span
                        .filter(|x| rows[from + x] != t)
                        .filter(|x| s.at(*x, y).iter().all(|&v| v > WITHIN))
                        .count();
                }
            }
        }
        claims
    }
}

/// Gives the free pixels of a run to a triangle; how many of the run were not free. Most
/// runs are short: whole blocks are looked at instead of counting out the run.
#[inline(always)]
fn claim(px: &mut [u32], run: Range<usize>, triangle: u32) -> usize {
    const BLOCK: usize = 8;
    let mut taken = 0_u32;
    let mut at = run.start;
    while at < run.end {
        let left = (run.end - at).min(BLOCK) as u32;
        if let Some(block) = px.get_mut(at..).and_then(<[u32]>::first_chunk_mut::<BLOCK>) {
            for (i, px) in (0..BLOCK as u32).zip(block) {
                let (inside, free) = (i < left, *px == NO_TRIANGLE);
                taken += u32::from(inside & !free);
                *px = if inside & free { triangle } else { *px };
            }
        } else {
            for px in &mut px[at..run.end] {
                let free = *px == NO_TRIANGLE;
                taken += u32::from(!free);
                *px = if free { triangle } else { *px };
            }
        }
        at += BLOCK;
    }
    taken as usize
}

/// The corners of a triangle in a raster of the atlas.
#[inline(always)]
fn corners_px(mesh: &Mesh, triangle: usize, width: usize, height: usize) -> [[f64; 2]; 3] {
    mesh.uv_corners(triangle).map(|[u, v]| {
        [
            f64::from(u) * width as f64,
            (1.0 - f64::from(v)) * height as f64,
        ]
    })
}

/// Rasterises the atlas. Where triangles overlap, the first in the mesh keeps the pixel.
#[must_use]
pub fn rasterize_uv(mesh: &Mesh, width: usize, height: usize) -> UvRaster {
    let strips = UvStrips::new(mesh, width, height);
    let mut triangle = vec![NO_TRIANGLE; width * height];
    let claims: Claims = triangle
        .par_chunks_mut((width * STRIP_ROWS).max(1))
        .enumerate()
        .map(|(strip, rows)| strips.draw(strip, rows))
        .sum();
    UvRaster {
        width,
        height,
        triangle,
        overlapping_px: claims.overlapping_px,
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
    let flat = |t: usize| Some(corner(t)?.map(|p| [f64::from(p[0]), f64::from(p[1])]));
    let rows: Vec<Option<[usize; 2]>> = (0..mesh.triangles.len())
        .into_par_iter()
        .map(|t| {
            let q = flat(t)?;
            range(&q, 0, width).and(range(&q, 1, height))
        })
        .collect();
    let strips = Strips::of(&rows, height);
    drop(rows);
    let mut fragments = vec![Fragment::EMPTY; width * height];
    fragments
        .par_chunks_mut((width * STRIP_ROWS).max(1))
        .enumerate()
        .for_each(|(strip, rows)| {
            let top = strip * STRIP_ROWS;
            let bottom = top + rows.len() / width;
            for &t in strips.get(strip) {
                let Some(q) = corner(t as usize) else {
                    continue;
                };
                let flat = q.map(|p| [f64::from(p[0]), f64::from(p[1])]);
                let Some(s) = Setup::new(flat, width, height) else {
                    continue;
                };
                for y in s.y[0].max(top)..(s.y[1] + 1).min(bottom) {
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

    /// The weights alone, at every pixel.
    fn covered(s: &Setup, y: usize) -> Vec<usize> {
        (s.x[0]..=s.x[1])
            .filter(|&x| Setup::covers(s.at(x, y)))
            .collect()
    }

    #[test]
    fn crossings_give_the_pixels_that_the_weights_do() {
        let mut state = 1_u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / (1 << 24) as f64
        };
        let size = 96;
        let (mut spans, mut decided) = (0, 0);
        for round in 0..6000 {
            // Corners anywhere, on middles and edges of pixels, and far beyond the picture.
            let step = [0.0, 0.5, 0.25, 1.0][round % 4];
            let reach = if round % 7 == 0 { 4000.0 } else { 90.0 };
            let mut place = || {
                let v = (random() - 0.2) * reach;
                if step > 0.0 {
                    (v / step).round() * step
                } else {
                    v
                }
            };
            let mut q = [0; 3].map(|_| [place(), place()]);
            if round % 5 == 0 {
                // A sliver.
                q[2] = [
                    0.3 * q[0][0] + 0.7 * q[1][0] + 1e-7,
                    0.3 * q[0][1] + 0.7 * q[1][1],
                ];
            }
            let Some(s) = Setup::new(q, size, size) else {
                continue;
            };
            let edges = Edges::of(&s);
            decided += usize::from(!edges.thin);
            for y in s.y[0]..=s.y[1] {
                assert_eq!(
                    edges.span(&s, y).collect::<Vec<_>>(),
                    covered(&s, y),
                    "{q:?} {y}"
                );
                spans += 1;
            }
        }
        assert!(spans > 50_000 && decided > 3000, "{spans} {decided}");
    }

    #[test]
    fn claims_are_those_of_the_pixels() {
        let mut mesh = Mesh::sheet(10.0, 10.0);
        mesh.uvs.push([0.6, 0.7]);
        mesh.uv_triangles = vec![[0, 1, 2], [0, 4, 1], [4, 2, 3]];
        mesh.triangles.push([0, 1, 2]);
        let (w, h) = (70, 130);
        let inside = |t: usize, x: usize, y: usize, least: f64| {
            let s = Setup::new(corners_px(&mesh, t, w, h), w, h).unwrap();
            s.at(x, y).iter().all(|v| *v >= least)
        };
        let mut expected = Claims::default();
        let raster = rasterize_uv(&mesh, w, h);
        for (i, drawn) in raster.triangle.iter().enumerate() {
            let (x, y) = (i % w, i / w);
            let first = (0..3).find(|t| inside(*t, x, y, -INSIDE));
            assert_eq!(*drawn, first.map_or(NO_TRIANGLE, |t| t as u32));
            expected.covered_px += usize::from(first.is_some());
            let others = first.map_or(3, |t| t + 1)..3;
            expected.overlapping_px += others.filter(|t| inside(*t, x, y, WITHIN)).count();
        }
        let strips = UvStrips::new(&mesh, w, h);
        let claims: Claims = (0..strips.count())
            .map(|strip| {
                let rows = UvStrips::ROWS.min(h - strip * UvStrips::ROWS);
                strips.draw(strip, &mut vec![0; w * rows])
            })
            .sum();
        assert_eq!(claims, expected);
        assert!(claims.overlapping_px > 1000, "{claims:?}");
    }
}
