use std::sync::OnceLock;

use dermalia_surface::{Mesh, Vec3};

/// Landmarks of the scheme `mediapipe-468`.
pub const FACE_POINTS: usize = 468;
const TRIANGLES: usize = 898;

/// The canonical face of MediaPipe: the shape and the atlas that the 468 landmarks share.
///
/// Its frame is the product's: +x to the patient's left, +y up, +z out of the face.
#[derive(Debug, Clone, PartialEq)]
pub struct CanonicalFace {
    /// One point a landmark, in millimetres.
    pub positions_mm: Vec<Vec3>,
    /// One atlas coordinate a landmark, v up.
    pub uvs: Vec<[f32; 2]>,
    /// Counter-clockwise seen from the front.
    pub triangles: Vec<[u32; 3]>,
}

impl CanonicalFace {
    /// The face as a mesh with its own atlas.
    #[must_use]
    pub fn mesh(&self) -> Mesh {
        self.with_points(&self.positions_mm)
    }

    /// The canonical triangles over other points (the first 468 are used).
    pub(crate) fn with_points(&self, points: &[Vec3]) -> Mesh {
        Mesh {
            positions: points.iter().copied().take(FACE_POINTS).collect(),
            uvs: self.uvs.clone(),
            triangles: self.triangles.clone(),
            uv_triangles: self.triangles.clone(),
            source_from_mesh: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        }
    }
}

/// The canonical face.
#[must_use]
pub fn canonical() -> &'static CanonicalFace {
    static FACE: OnceLock<CanonicalFace> = OnceLock::new();
    FACE.get_or_init(|| {
        read(include_bytes!(concat!(
            env!("OUT_DIR"),
            "/canonical_face.table"
        )))
    })
}

/// The build script has checked the counts and the indices of this table.
fn read(table: &[u8]) -> CanonicalFace {
    let words: Vec<[u8; 4]> = table
        .chunks_exact(4)
        .map(|c| [c[0], c[1], c[2], c[3]])
        .collect();
    let (vertices, corners) = words.split_at(FACE_POINTS * 5);
    let number = |w: &[u8; 4]| f32::from_le_bytes(*w);
    CanonicalFace {
        positions_mm: vertices
            .chunks_exact(5)
            .map(|v| [number(&v[0]), number(&v[1]), number(&v[2])])
            .collect(),
        uvs: vertices
            .chunks_exact(5)
            .map(|v| [number(&v[3]), number(&v[4])])
            .collect(),
        triangles: corners
            .chunks_exact(3)
            .take(TRIANGLES)
            .map(|t| [0, 1, 2].map(|k| u32::from_le_bytes(t[k])))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_face_is_whole_and_looks_to_the_front() {
        let face = canonical();
        assert_eq!(face.positions_mm.len(), FACE_POINTS);
        assert_eq!(face.uvs.len(), FACE_POINTS);
        assert_eq!(face.triangles.len(), TRIANGLES);
        let mesh = face.mesh();
        Mesh::new(
            mesh.positions.clone(),
            mesh.uvs.clone(),
            mesh.triangles.clone(),
            mesh.uv_triangles.clone(),
        )
        .unwrap();
        let towards: f32 = (0..TRIANGLES).map(|t| mesh.area_normal(t)[2]).sum();
        assert!(towards > 0.0);
        // The tip of the nose is in front, the chin below, point 33 on the patient's right.
        assert!(face.positions_mm[4][2] > 50.0);
        assert!(face.positions_mm[152][1] < face.positions_mm[10][1]);
        assert!(face.positions_mm[33][0] < 0.0 && face.positions_mm[263][0] > 0.0);
        assert!(face.uvs[152][1] < face.uvs[10][1]);
    }
}
