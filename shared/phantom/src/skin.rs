//! The surface that features lie on: points in the atlas, points in space, walks along
//! the skin.

use dermalia_surface::Mesh;

/// A vector in millimetres.
pub(crate) type V3 = [f64; 3];

pub(crate) fn sub(a: V3, b: V3) -> V3 {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(crate) fn along(a: V3, b: V3, t: f64) -> V3 {
    [a[0] + b[0] * t, a[1] + b[1] * t, a[2] + b[2] * t]
}

pub(crate) fn dot(a: V3, b: V3) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(crate) fn cross(a: V3, b: V3) -> V3 {
    [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]
}

pub(crate) fn norm(a: V3) -> f64 {
    dot(a, a).sqrt()
}

pub(crate) fn unit(a: V3) -> V3 {
    let n = norm(a);
    if n > 0.0 {
        a.map(|c| c / n)
    } else {
        [0.0, 0.0, 1.0]
    }
}

pub(crate) fn wide(p: [f32; 3]) -> V3 {
    p.map(f64::from)
}

/// A point of the skin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point {
    pub(crate) triangle: usize,
    pub(crate) uv: [f64; 2],
    pub(crate) mm: V3,
    pub(crate) normal: V3,
}

/// The affine map of one triangle from the atlas to space.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chart {
    pub(crate) uv: [f64; 2],
    pub(crate) mm: V3,
    /// Step in space a unit of u and of v.
    pub(crate) du: V3,
    pub(crate) dv: V3,
}

/// The mesh with what placing and painting need of it.
pub(crate) struct Skin {
    pub(crate) mesh: Mesh,
    pub(crate) normals: Vec<V3>,
    pub(crate) charts: Vec<Chart>,
    /// Running sum of the triangles' areas in mm2.
    area_until: Vec<f64>,
    grid: Grid,
}

/// Triangles by cell of the atlas.
struct Grid {
    starts: Vec<u32>,
    triangles: Vec<u32>,
}

const CELLS: usize = 192;

impl Grid {
    fn cells(q: [[f64; 2]; 3], k: usize) -> std::ops::RangeInclusive<usize> {
        let cell = |v: f64| ((v * CELLS as f64).max(0.0) as usize).min(CELLS - 1);
        let lo = q[0][k].min(q[1][k]).min(q[2][k]);
        let hi = q[0][k].max(q[1][k]).max(q[2][k]);
        cell(lo)..=cell(hi)
    }

    fn of(mesh: &Mesh) -> Self {
        let mut bins = vec![vec![]; CELLS * CELLS];
        for t in 0..mesh.uv_triangles.len() {
            let q = mesh.uv_corners(t).map(|c| c.map(f64::from));
            for y in Self::cells(q, 1) {
                for x in Self::cells(q, 0) {
                    bins[y * CELLS + x].push(t as u32);
                }
            }
        }
        let mut starts = vec![0];
        let mut triangles = vec![];
        for bin in bins {
            triangles.extend(bin);
            starts.push(triangles.len() as u32);
        }
        Self { starts, triangles }
    }

    fn at(&self, uv: [f64; 2]) -> &[u32] {
        let cell = |v: f64| (v * CELLS as f64) as usize;
        if !(0.0..1.0).contains(&uv[0]) || !(0.0..1.0).contains(&uv[1]) {
            return &[];
        }
        let i = cell(uv[1]) * CELLS + cell(uv[0]);
        &self.triangles[self.starts[i] as usize..self.starts[i + 1] as usize]
    }
}

fn chart(mesh: &Mesh, t: usize) -> Chart {
    let p = mesh.corners(t).map(wide);
    let q = mesh.uv_corners(t).map(|c| c.map(f64::from));
    let (a, b) = (sub(p[1], p[0]), sub(p[2], p[0]));
    let (u1, v1) = (q[1][0] - q[0][0], q[1][1] - q[0][1]);
    let (u2, v2) = (q[2][0] - q[0][0], q[2][1] - q[0][1]);
    let det = u1 * v2 - u2 * v1;
    let inverse = if det == 0.0 { 0.0 } else { 1.0 / det };
    Chart {
        uv: q[0],
        mm: p[0],
        du: [0, 1, 2].map(|k| (a[k] * v2 - b[k] * v1) * inverse),
        dv: [0, 1, 2].map(|k| (b[k] * u1 - a[k] * u2) * inverse),
    }
}

impl Chart {
    pub(crate) fn at(&self, uv: [f64; 2]) -> V3 {
        let p = along(self.mm, self.du, uv[0] - self.uv[0]);
        along(p, self.dv, uv[1] - self.uv[1])
    }

    /// The step in the atlas that comes nearest to a step in space.
    pub(crate) fn step(&self, mm: V3) -> [f64; 2] {
        let (e, f, g) = (
            dot(self.du, self.du),
            dot(self.du, self.dv),
            dot(self.dv, self.dv),
        );
        let det = e * g - f * f;
        if det <= 0.0 {
            return [0.0; 2];
        }
        let (a, b) = (dot(mm, self.du), dot(mm, self.dv));
        [(a * g - b * f) / det, (b * e - a * f) / det]
    }
}

impl Skin {
    pub(crate) fn new(mesh: Mesh) -> Self {
        let normals = mesh.vertex_normals().into_iter().map(wide).collect();
        let mut sum = 0.0;
        let area_until = (0..mesh.triangles.len())
            .map(|t| {
                sum += f64::from(mesh.area_mm2(t));
                sum
            })
            .collect();
        let charts = (0..mesh.triangles.len()).map(|t| chart(&mesh, t)).collect();
        let grid = Grid::of(&mesh);
        Self {
            mesh,
            normals,
            charts,
            area_until,
            grid,
        }
    }

    /// Weights of the three corners at a point of the atlas.
    pub(crate) fn weights(&self, triangle: usize, uv: [f64; 2]) -> V3 {
        let q = self.mesh.uv_corners(triangle).map(|c| c.map(f64::from));
        let area = |a: [f64; 2], b: [f64; 2], c: [f64; 2]| {
            (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        };
        let whole = area(q[0], q[1], q[2]);
        [
            area(uv, q[1], q[2]) / whole,
            area(q[0], uv, q[2]) / whole,
            area(q[0], q[1], uv) / whole,
        ]
    }

    fn point(&self, triangle: usize, uv: [f64; 2], w: V3) -> Point {
        let mut normal = [0.0; 3];
        for (k, &c) in self.mesh.triangles[triangle].iter().enumerate() {
            normal = along(normal, self.normals[c as usize], w[k]);
        }
        Point {
            triangle,
            uv,
            mm: self.charts[triangle].at(uv),
            normal: unit(normal),
        }
    }

    /// The point of the skin at a place of the atlas.
    pub(crate) fn locate(&self, uv: [f64; 2]) -> Option<Point> {
        self.grid.at(uv).iter().find_map(|&t| {
            let w = self.weights(t as usize, uv);
            w.iter()
                .all(|&v| v >= -1e-9)
                .then(|| self.point(t as usize, uv, w))
        })
    }

    /// A step along the skin in the direction of `direction`.
    pub(crate) fn walk(&self, from: &Point, direction: V3, step_mm: f64) -> Option<Point> {
        let n = from.normal;
        let tangent = unit(along(direction, n, -dot(direction, n)));
        let d = self.charts[from.triangle].step(tangent.map(|c| c * step_mm));
        self.locate([from.uv[0] + d[0], from.uv[1] + d[1]])
    }

    /// Two unit vectors in the tangent plane at a point, the first towards +x.
    pub(crate) fn frame(point: &Point) -> [V3; 2] {
        let n = point.normal;
        let helper = if n[0].abs() < 0.9 {
            [1.0, 0.0, 0.0]
        } else {
            [0.0, 0.0, -1.0]
        };
        let e1 = unit(along(helper, n, -dot(helper, n)));
        [e1, cross(n, e1)]
    }

    pub(crate) fn area_mm2(&self) -> f64 {
        self.area_until.last().copied().unwrap_or(0.0)
    }

    /// Millimetres a unit of the atlas, over the whole surface.
    pub(crate) fn mm_per_uv(&self) -> f64 {
        let atlas: f64 = (0..self.mesh.triangles.len())
            .map(|t| {
                let q = self.mesh.uv_corners(t).map(|c| c.map(f64::from));
                let a = [q[1][0] - q[0][0], q[1][1] - q[0][1]];
                let b = [q[2][0] - q[0][0], q[2][1] - q[0][1]];
                0.5 * (a[0] * b[1] - a[1] * b[0]).abs()
            })
            .sum();
        (self.area_mm2() / atlas).sqrt()
    }

    /// A point from three numbers in [0, 1), uniform over the surface.
    pub(crate) fn uniform(&self, pick: f64, r: f64, s: f64) -> Point {
        let at = pick * self.area_mm2();
        let t = self
            .area_until
            .partition_point(|&a| a <= at)
            .min(self.area_until.len() - 1);
        let (r, s) = if r + s > 1.0 {
            (1.0 - r, 1.0 - s)
        } else {
            (r, s)
        };
        let q = self.mesh.uv_corners(t).map(|c| c.map(f64::from));
        let w = [1.0 - r - s, r, s];
        let uv = [0, 1].map(|k| w[0] * q[0][k] + w[1] * q[1][k] + w[2] * q[2][k]);
        self.point(t, uv, w)
    }

    /// Rectangle of the atlas that holds every point of the skin within `radius_mm` of
    /// `centre` in space: `[u_min, v_min, u_max, v_max]`.
    pub(crate) fn bounds(&self, centre: &Point, radius_mm: f64) -> [f64; 4] {
        let chart = &self.charts[centre.triangle];
        let mut b = [centre.uv[0], centre.uv[1], centre.uv[0], centre.uv[1]];
        let mut take = |uv: [f64; 2]| {
            for k in 0..2 {
                b[k] = b[k].min(uv[k]);
                b[k + 2] = b[k + 2].max(uv[k]);
            }
        };
        if radius_mm <= 4.0 {
            // So small that one chart serves; half as much again covers its bending.
            let [e1, e2] = Self::frame(centre);
            for i in 0..16 {
                let angle = std::f64::consts::TAU * f64::from(i) / 16.0;
                let d = along(e1.map(|c| c * libm::cos(angle)), e2, libm::sin(angle));
                let s = chart.step(d.map(|c| c * radius_mm * 1.5));
                take([centre.uv[0] + s[0], centre.uv[1] + s[1]]);
            }
            return b;
        }
        for (t, corners) in self.mesh.triangles.iter().enumerate() {
            let near = corners.iter().any(|&c| {
                norm(sub(wide(self.mesh.positions[c as usize]), centre.mm)) < radius_mm + 2.0
            });
            if near {
                for uv in self.mesh.uv_corners(t) {
                    take(uv.map(f64::from));
                }
            }
        }
        b
    }
}
