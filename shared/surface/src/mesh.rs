use crate::vector::{Vec3, add, cross, norm, normalize, scale, sub};

/// A triangle mesh in millimetres, +z front, +y up.
///
/// Positions are welded (one index a point), so that neighbours across a seam of the
/// atlas are neighbours here. `uv_triangles` runs in step with `triangles` and indexes
/// `uvs`; it is empty where the mesh has no atlas.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    /// Points in millimetres.
    pub positions: Vec<Vec3>,
    /// Atlas coordinates, v up (0 at the bottom row of the picture).
    pub uvs: Vec<[f32; 2]>,
    /// Corners as indices of `positions`, counter-clockwise seen from outside.
    pub triangles: Vec<[u32; 3]>,
    /// Corners as indices of `uvs`, or empty.
    pub uv_triangles: Vec<[u32; 3]>,
    /// Rotation from this frame to the axes of the file (a signed permutation).
    pub source_from_mesh: [Vec3; 3],
}

/// Why parts do not make a mesh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeshError {
    /// An index has no point.
    #[error("triangle {triangle} names {what} {index}, but there are {count}")]
    IndexOutOfRange {
        /// Which triangle.
        triangle: usize,
        /// `position` or `uv`.
        what: &'static str,
        /// The index found.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// A coordinate is NaN or infinite.
    #[error("{what} {index} is not a finite number")]
    NotFinite {
        /// `position` or `uv`.
        what: &'static str,
        /// Which one.
        index: usize,
    },
    /// The two triangle lists differ in length.
    #[error("{triangles} triangles have {uv_triangles} atlas triangles")]
    UvCount {
        /// Triangles in space.
        triangles: usize,
        /// Triangles in the atlas.
        uv_triangles: usize,
    },
}

/// The rotation that changes nothing.
pub(crate) const IDENTITY: [Vec3; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

impl Mesh {
    /// Checks the parts: indices in range, numbers finite, lists in step.
    ///
    /// # Errors
    /// The first fault found, with its place.
    pub fn new(
        positions: Vec<Vec3>,
        uvs: Vec<[f32; 2]>,
        triangles: Vec<[u32; 3]>,
        uv_triangles: Vec<[u32; 3]>,
    ) -> Result<Self, MeshError> {
        if let Some(index) = positions
            .iter()
            .position(|p| p.iter().any(|c| !c.is_finite()))
        {
            return Err(MeshError::NotFinite {
                what: "position",
                index,
            });
        }
        if let Some(index) = uvs.iter().position(|p| p.iter().any(|c| !c.is_finite())) {
            return Err(MeshError::NotFinite { what: "uv", index });
        }
        if !uv_triangles.is_empty() && uv_triangles.len() != triangles.len() {
            return Err(MeshError::UvCount {
                triangles: triangles.len(),
                uv_triangles: uv_triangles.len(),
            });
        }
        for (list, what, count) in [
            (&triangles, "position", positions.len()),
            (&uv_triangles, "uv", uvs.len()),
        ] {
            for (triangle, corners) in list.iter().enumerate() {
                if let Some(&index) = corners.iter().find(|&&i| i as usize >= count) {
                    return Err(MeshError::IndexOutOfRange {
                        triangle,
                        what,
                        index,
                        count,
                    });
                }
            }
        }
        Ok(Self {
            positions,
            uvs,
            triangles,
            uv_triangles,
            source_from_mesh: IDENTITY,
        })
    }

    /// Whether every triangle lies in an atlas.
    #[must_use]
    pub fn has_atlas(&self) -> bool {
        !self.uv_triangles.is_empty()
    }

    /// The corners of a triangle in millimetres.
    #[must_use]
    pub fn corners(&self, triangle: usize) -> [Vec3; 3] {
        self.triangles[triangle].map(|i| self.positions[i as usize])
    }

    /// The corners of a triangle in the atlas.
    #[must_use]
    pub fn uv_corners(&self, triangle: usize) -> [[f32; 2]; 3] {
        self.uv_triangles[triangle].map(|i| self.uvs[i as usize])
    }

    /// The normal of a triangle times twice its area.
    #[must_use]
    pub fn area_normal(&self, triangle: usize) -> Vec3 {
        let [a, b, c] = self.corners(triangle);
        cross(sub(b, a), sub(c, a))
    }

    /// The area of a triangle in mm2.
    #[must_use]
    pub fn area_mm2(&self, triangle: usize) -> f32 {
        0.5 * norm(self.area_normal(triangle))
    }

    /// One unit normal a position, weighted by area.
    #[must_use]
    pub fn vertex_normals(&self) -> Vec<Vec3> {
        let mut normals = vec![[0.0; 3]; self.positions.len()];
        for (t, corners) in self.triangles.iter().enumerate() {
            let n = self.area_normal(t);
            for &c in corners {
                normals[c as usize] = add(normals[c as usize], n);
            }
        }
        normals.into_iter().map(normalize).collect()
    }

    /// A point of a triangle from its barycentric weights, in millimetres.
    #[must_use]
    pub fn point(&self, triangle: usize, bary: Vec3) -> Vec3 {
        let [a, b, c] = self.corners(triangle);
        add(add(scale(a, bary[0]), scale(b, bary[1])), scale(c, bary[2]))
    }

    /// A point of this frame in the axes of the file, in millimetres.
    #[must_use]
    pub fn to_source(&self, p: Vec3) -> [f64; 3] {
        self.source_from_mesh.map(|row| {
            row.iter()
                .zip(p)
                .map(|(r, c)| f64::from(*r) * f64::from(c))
                .sum::<f64>()
                + 0.0
        })
    }

    /// A flat sheet with the lower left corner at the origin: what a photograph is.
    #[must_use]
    pub fn sheet(width_mm: f32, height_mm: f32) -> Self {
        Self {
            positions: vec![
                [0.0, 0.0, 0.0],
                [width_mm, 0.0, 0.0],
                [width_mm, height_mm, 0.0],
                [0.0, height_mm, 0.0],
            ],
            uvs: vec![[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]],
            triangles: vec![[0, 1, 2], [0, 2, 3]],
            uv_triangles: vec![[0, 1, 2], [0, 2, 3]],
            source_from_mesh: IDENTITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_named_with_their_place() {
        let p = vec![[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]];
        assert_eq!(
            Mesh::new(p.clone(), vec![], vec![[0, 1, 3]], vec![]),
            Err(MeshError::IndexOutOfRange {
                triangle: 0,
                what: "position",
                index: 3,
                count: 3
            })
        );
        let mut nan = p.clone();
        nan[1][2] = f32::NAN;
        assert_eq!(
            Mesh::new(nan, vec![], vec![], vec![]),
            Err(MeshError::NotFinite {
                what: "position",
                index: 1
            })
        );
        assert_eq!(
            Mesh::new(p, vec![[0.0; 2]; 3], vec![[0, 1, 2]; 2], vec![[0, 1, 2]]),
            Err(MeshError::UvCount {
                triangles: 2,
                uv_triangles: 1
            })
        );
    }

    #[test]
    fn a_sheet_has_its_area_and_faces_the_front() {
        let sheet = Mesh::sheet(30.0, 20.0);
        let area: f32 = (0..2).map(|t| sheet.area_mm2(t)).sum();
        assert_eq!(area, 600.0);
        assert!(sheet.vertex_normals().iter().all(|n| *n == [0.0, 0.0, 1.0]));
    }
}
