use crate::vector::{cross, dot, norm, sub};
use crate::{Mesh, Vec3};

/// Mean curvature at each point in 1/mm, positive where the surface bulges outward,
/// by the cotangent Laplacian over mixed Voronoi areas
/// (Meyer, Desbrun, Schroeder, Barr 2003, doi 10.1007/978-3-662-05105-4_2).
///
/// Points of no area and points on a border get 0 contributions from missing triangles,
/// so border values are not meaningful.
#[must_use]
pub fn mean_curvature_per_mm(mesh: &Mesh) -> Vec<f32> {
    let n = mesh.positions.len();
    let mut laplacian = vec![[0.0_f64; 3]; n];
    let mut area = vec![0.0_f64; n];
    for (t, corners) in mesh.triangles.iter().enumerate() {
        let p = mesh.corners(t);
        let double_area = f64::from(norm(mesh.area_normal(t)));
        if double_area <= 0.0 {
            continue;
        }
        let mut cot = [0.0_f64; 3];
        for k in 0..3 {
            let (a, b) = (sub(p[(k + 1) % 3], p[k]), sub(p[(k + 2) % 3], p[k]));
            cot[k] = f64::from(dot(a, b)) / f64::from(norm(cross(a, b)));
        }
        let obtuse = cot.iter().position(|&c| c < 0.0);
        for k in 0..3 {
            let (i, j) = (corners[(k + 1) % 3] as usize, corners[(k + 2) % 3] as usize);
            let edge = sub(p[(k + 2) % 3], p[(k + 1) % 3]);
            for c in 0..3 {
                let step = cot[k] * f64::from(edge[c]);
                laplacian[i][c] += step;
                laplacian[j][c] -= step;
            }
            let own = corners[k] as usize;
            area[own] += match obtuse {
                Some(o) if o == k => double_area / 4.0,
                Some(_) => double_area / 8.0,
                None => {
                    let (u, v) = ((k + 1) % 3, (k + 2) % 3);
                    let to = |m: usize| {
                        let d: Vec3 = sub(p[m], p[k]);
                        f64::from(dot(d, d))
                    };
                    // The Voronoi share: each edge weighs the cotangent opposite to it.
                    (to(u) * cot[v] + to(v) * cot[u]) / 8.0
                }
            };
        }
    }
    let normals = mesh.vertex_normals();
    (0..n)
        .map(|i| {
            if area[i] <= 0.0 {
                return 0.0;
            }
            let along: f64 = (0..3)
                .map(|c| laplacian[i][c] * f64::from(normals[i][c]))
                .sum();
            (-along / (4.0 * area[i])) as f32
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An octahedron subdivided onto a sphere of radius r has mean curvature 1/r.
    #[test]
    fn sphere_has_the_inverse_of_its_radius() {
        let r = 40.0_f32;
        let mut p: Vec<Vec3> = vec![
            [0.0, 0.0, r],
            [r, 0.0, 0.0],
            [0.0, r, 0.0],
            [-r, 0.0, 0.0],
            [0.0, -r, 0.0],
            [0.0, 0.0, -r],
        ];
        let mut t: Vec<[u32; 3]> = vec![
            [0, 1, 2],
            [0, 2, 3],
            [0, 3, 4],
            [0, 4, 1],
            [5, 2, 1],
            [5, 3, 2],
            [5, 4, 3],
            [5, 1, 4],
        ];
        for _ in 0..5 {
            let mut mid = std::collections::BTreeMap::new();
            let mut next = vec![];
            for tri in &t {
                let m: Vec<u32> = (0..3)
                    .map(|k| {
                        let (a, b) = (tri[k].min(tri[(k + 1) % 3]), tri[k].max(tri[(k + 1) % 3]));
                        *mid.entry((a, b)).or_insert_with(|| {
                            let s = crate::add(p[a as usize], p[b as usize]);
                            p.push(crate::scale(crate::normalize(s), r));
                            p.len() as u32 - 1
                        })
                    })
                    .collect();
                next.extend([
                    [tri[0], m[0], m[2]],
                    [tri[1], m[1], m[0]],
                    [tri[2], m[2], m[1]],
                    [m[0], m[1], m[2]],
                ]);
            }
            t = next;
        }
        let mesh = Mesh::new(p, vec![], t, vec![]).unwrap();
        for h in mean_curvature_per_mm(&mesh) {
            assert!((h * r - 1.0).abs() < 0.02, "{h}");
        }
    }
}
