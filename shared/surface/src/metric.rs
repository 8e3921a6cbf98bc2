use crate::Mesh;

/// The first fundamental form of a triangle's atlas map, for a raster of a given size:
/// the inner products of the surface steps that one pixel to the right (`a`) and one
/// pixel down (`b`) make, in mm2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// a . a
    pub e: f32,
    /// a . b
    pub f: f32,
    /// b . b
    pub g: f32,
    /// Whether the atlas shows this triangle mirrored.
    pub mirrored: bool,
}

impl Metric {
    /// The metric of one triangle in a raster of `width` x `height` pixels, or `None`
    /// where the triangle has no extent in the atlas.
    #[must_use]
    pub fn of(mesh: &Mesh, triangle: usize, width: usize, height: usize) -> Option<Self> {
        let p = mesh.corners(triangle).map(|c| c.map(f64::from));
        let uv = mesh.uv_corners(triangle);
        // Pixel coordinates: x to the right, y down.
        let q = uv.map(|[u, v]| {
            [
                f64::from(u) * width as f64,
                (1.0 - f64::from(v)) * height as f64,
            ]
        });
        let (x1, y1) = (q[1][0] - q[0][0], q[1][1] - q[0][1]);
        let (x2, y2) = (q[2][0] - q[0][0], q[2][1] - q[0][1]);
        let det = x1 * y2 - x2 * y1;
        if det == 0.0 || !det.is_finite() {
            return None;
        }
        let mut a = [0.0_f64; 3];
        let mut b = [0.0_f64; 3];
        for k in 0..3 {
            let (d1, d2) = (p[1][k] - p[0][k], p[2][k] - p[0][k]);
            a[k] = (d1 * y2 - d2 * y1) / det;
            b[k] = (d2 * x1 - d1 * x2) / det;
        }
        let inner = |u: &[f64; 3], v: &[f64; 3]| (u[0] * v[0] + u[1] * v[1] + u[2] * v[2]) as f32;
        // The y axis points down, so an unmirrored triangle turns the other way here.
        Some(Self {
            e: inner(&a, &a),
            f: inner(&a, &b),
            g: inner(&b, &b),
            mirrored: det > 0.0,
        })
    }

    /// The surface of one pixel in mm2.
    #[must_use]
    pub fn pixel_area_mm2(&self) -> f32 {
        (self.e * self.g - self.f * self.f).max(0.0).sqrt()
    }

    /// The side of a square of one pixel's area, in millimetres.
    #[must_use]
    pub fn mm_per_px(&self) -> f32 {
        self.pixel_area_mm2().sqrt()
    }

    /// The length on the surface of a step of (`dx`, `dy`) pixels, in millimetres.
    #[must_use]
    pub fn length_mm(&self, dx: f32, dy: f32) -> f32 {
        (self.e * dx * dx + 2.0 * self.f * dx * dy + self.g * dy * dy)
            .max(0.0)
            .sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plane_is_exact() {
        let sheet = Mesh::sheet(30.0, 20.0);
        for t in 0..2 {
            let m = Metric::of(&sheet, t, 300, 100).unwrap();
            assert!((m.e.sqrt() - 0.1).abs() < 1e-7 && (m.g.sqrt() - 0.2).abs() < 1e-7);
            assert!(m.f.abs() < 1e-9 && !m.mirrored);
            assert!((m.pixel_area_mm2() - 0.02).abs() < 1e-8);
            assert!((m.length_mm(3.0, 2.0) - 0.5).abs() < 1e-6);
        }
    }

    /// A latitude-longitude sphere: the sum of pixel areas is 4 pi r2, and the metric of
    /// each triangle is the analytic one at its middle, to the order of the mesh.
    #[test]
    fn sphere_is_analytic() {
        let (r, nu, nv) = (50.0_f32, 256_u32, 128_u32);
        let (pi, mut p, mut uv) = (std::f32::consts::PI, vec![], vec![]);
        for j in 0..=nv {
            for i in 0..=nu {
                let (u, v) = (i as f32 / nu as f32, j as f32 / nv as f32);
                let (lon, lat) = (2.0 * pi * u, pi * (v - 0.5));
                p.push([
                    r * lat.cos() * lon.sin(),
                    r * lat.sin(),
                    r * lat.cos() * lon.cos(),
                ]);
                uv.push([u, v]);
            }
        }
        let mut t = vec![];
        for j in 0..nv {
            for i in 0..nu {
                let a = j * (nu + 1) + i;
                let b = a + nu + 1;
                t.extend([[a, a + 1, b + 1], [a, b + 1, b]]);
            }
        }
        let mesh = Mesh::new(p, uv, t.clone(), t).unwrap();
        let (w, h) = (2048, 1024);
        let mut total = 0.0_f64;
        for i in 0..mesh.triangles.len() {
            let m = Metric::of(&mesh, i, w, h).unwrap();
            let q = mesh.uv_corners(i);
            let px = 0.5
                * ((q[1][0] - q[0][0]) * (q[2][1] - q[0][1])
                    - (q[2][0] - q[0][0]) * (q[1][1] - q[0][1]))
                    .abs()
                * (w * h) as f32;
            total += f64::from(m.pixel_area_mm2() * px);
            let lat = pi * ((q[0][1] + q[1][1] + q[2][1]) / 3.0 - 0.5);
            if lat.abs() < 1.2 {
                let step = 2.0 * pi * r / w as f32;
                assert!((m.g.sqrt() / step - 1.0).abs() < 1e-3);
                assert!((m.e.sqrt() / (step * lat.cos()) - 1.0).abs() < 0.04);
            }
        }
        // The inscribed polyhedron of this fineness is 0.03 % smaller than the sphere.
        let exact = 4.0 * std::f64::consts::PI * f64::from(r * r);
        assert!((total / exact - 1.0).abs() < 5e-4, "{total} {exact}");
    }
}
