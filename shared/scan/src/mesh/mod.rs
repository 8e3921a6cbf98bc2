//! Meshes of the accepted formats, to one welded [`Mesh`] in the product's frame.

mod accessor;
mod document;
mod frame;
mod gltf;
mod node;
mod obj;
mod plain_obj;
mod ply;
mod ply_header;
mod polygon;
mod weld;

pub use frame::Frame;

use dermalia_surface::{Mesh, MeshError, Vec3};

use crate::{Limits, ScanError, name};

/// The farthest a coordinate may lie from the origin, in millimetres: a kilometre.
/// Beyond it 32-bit floats no longer resolve skin, and areas overflow.
const MAX_COORDINATE_MM: f32 = 1e6;
/// The atlas repeats or is broken far beyond its unit square.
const MAX_UV: f32 = 1e6;
/// The corner of a face that has no atlas coordinates.
const NO_UV: u32 = u32::MAX;
/// Points and atlas points a triangle can need.
const POINTS_A_TRIANGLE: usize = 3;

/// What a file holds, in its own unit and axes.
#[derive(Debug, Clone, PartialEq)]
pub struct RawMesh {
    positions: Vec<Vec3>,
    uvs: Vec<[f32; 2]>,
    triangles: Vec<[u32; 3]>,
    /// In step with `triangles`; [`NO_UV`] where a face has none.
    uv_triangles: Vec<[u32; 3]>,
}

/// Looks up another file of the bundle.
pub type Companions<'a> = dyn Fn(&str) -> Option<&'a [u8]> + 'a;

/// Whether a format can refer to other files of the bundle.
pub(crate) fn has_companions(file: &str) -> bool {
    matches!(extension(file).as_str(), "gltf" | "glb")
}

fn extension(file: &str) -> String {
    file.rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase())
        .unwrap_or_default()
}

/// Reads a mesh by its file name's extension.
///
/// # Errors
/// An unknown format, a broken file, or more triangles than the limit.
pub fn read(
    file: &str,
    bytes: &[u8],
    limits: &Limits,
    companions: &Companions<'_>,
) -> Result<RawMesh, ScanError> {
    let builder = Builder::new(file, limits);
    match extension(file).as_str() {
        "obj" => obj::read(builder, bytes),
        "ply" => ply::read(builder, bytes),
        "glb" => gltf::read_glb(builder, bytes, companions),
        "gltf" => gltf::read_gltf(builder, bytes, companions),
        _ => Err(ScanError::MeshFormat {
            file: name::shown(file),
        }),
    }
}

/// Collects a mesh within the limits.
pub(crate) struct Builder {
    file: String,
    max_triangles: usize,
    mesh: RawMesh,
}

impl Builder {
    fn new(file: &str, limits: &Limits) -> Self {
        Self {
            file: name::shown(file),
            max_triangles: limits.triangles,
            mesh: RawMesh {
                positions: Vec::new(),
                uvs: Vec::new(),
                triangles: Vec::new(),
                uv_triangles: Vec::new(),
            },
        }
    }

    pub(crate) fn broken(&self, reason: impl Into<String>) -> ScanError {
        ScanError::MeshBroken {
            file: self.file.clone(),
            reason: reason.into(),
        }
    }

    pub(crate) fn at_line(&self, line: usize, reason: impl Into<String>) -> ScanError {
        ScanError::MeshLine {
            file: self.file.clone(),
            line,
            reason: reason.into(),
        }
    }

    pub(crate) fn feature(&self, feature: impl Into<String>) -> ScanError {
        ScanError::MeshFeature {
            file: self.file.clone(),
            feature: feature.into(),
        }
    }

    pub(crate) fn foreign(&self, uri: &str) -> ScanError {
        ScanError::MeshForeign {
            file: self.file.clone(),
            uri: name::shown(uri),
        }
    }

    pub(crate) fn no_such(&self, what: &'static str, index: i64, count: usize) -> ScanError {
        ScanError::MeshIndex {
            file: self.file.clone(),
            what,
            index,
            count: count as u64,
        }
    }

    fn too_many(&self, got: usize) -> ScanError {
        ScanError::TooManyTriangles {
            file: self.file.clone(),
            limit: self.max_triangles as u64,
            got: got as u64,
        }
    }

    pub(crate) fn positions(&self) -> &[Vec3] {
        &self.mesh.positions
    }

    pub(crate) fn uv_count(&self) -> usize {
        self.mesh.uvs.len()
    }

    pub(crate) fn max_points(&self) -> usize {
        self.max_triangles.saturating_mul(POINTS_A_TRIANGLE)
    }

    /// A point. More points than the triangles can use count as too many triangles.
    pub(crate) fn push_position(&mut self, p: Vec3) -> Result<(), ScanError> {
        if self.mesh.positions.len() >= self.max_points() {
            return Err(self.too_many(self.max_triangles + 1));
        }
        if !p.iter().all(|c| c.is_finite()) {
            return Err(self.not_finite("position", self.mesh.positions.len(), f32::MAX));
        }
        self.mesh.positions.push(p);
        Ok(())
    }

    pub(crate) fn push_uv(&mut self, uv: [f32; 2]) -> Result<(), ScanError> {
        if self.mesh.uvs.len() >= self.max_points() {
            return Err(self.too_many(self.max_triangles + 1));
        }
        if !uv.iter().all(|c| c.abs() <= MAX_UV) {
            return Err(self.not_finite("atlas coordinate", self.mesh.uvs.len(), MAX_UV));
        }
        self.mesh.uvs.push(uv);
        Ok(())
    }

    fn not_finite(&self, what: &'static str, index: usize, limit: f32) -> ScanError {
        ScanError::MeshNotFinite {
            file: self.file.clone(),
            what,
            index: index as u64,
            limit: f64::from(limit),
        }
    }

    pub(crate) fn push_triangle(
        &mut self,
        corners: [u32; 3],
        uv_corners: Option<[u32; 3]>,
    ) -> Result<(), ScanError> {
        if self.mesh.triangles.len() >= self.max_triangles {
            return Err(self.too_many(self.max_triangles + 1));
        }
        self.mesh.triangles.push(corners);
        self.mesh
            .uv_triangles
            .push(uv_corners.unwrap_or([NO_UV; 3]));
        Ok(())
    }

    /// Room for what a file announces, no more than the limits and `plausible` allow.
    pub(crate) fn reserve(&mut self, points: usize, triangles: usize, plausible: usize) {
        let points = points.min(self.max_points()).min(plausible);
        let triangles = triangles.min(self.max_triangles).min(plausible);
        self.mesh.positions.reserve(points);
        self.mesh.triangles.reserve(triangles);
        self.mesh.uv_triangles.reserve(triangles);
    }

    /// Whether so many more triangles are within the limit, before they are made.
    pub(crate) fn expect_triangles(&self, more: usize) -> Result<(), ScanError> {
        let total = self.mesh.triangles.len().saturating_add(more);
        if total > self.max_triangles {
            return Err(self.too_many(total));
        }
        Ok(())
    }

    /// Checks every index.
    pub(crate) fn finish(self) -> Result<RawMesh, ScanError> {
        if self.mesh.triangles.is_empty() {
            return Err(ScanError::MeshEmpty { file: self.file });
        }
        let points = self.mesh.positions.len();
        let uvs = self.mesh.uvs.len();
        let corners = self.mesh.triangles.iter().flatten();
        if let Some(&index) = corners.into_iter().find(|&&i| i as usize >= points) {
            return Err(self.no_such("position", i64::from(index), points));
        }
        let uv_corners = self.mesh.uv_triangles.iter().flatten();
        if let Some(&index) = uv_corners
            .into_iter()
            .find(|&&i| i != NO_UV && i as usize >= uvs)
        {
            return Err(self.no_such("atlas coordinate", i64::from(index), uvs));
        }
        Ok(self.mesh)
    }
}

/// The points without their repetitions, and the corners that name them changed by it.
fn welded<const N: usize>(points: Vec<[f32; N]>, corners: &mut [[u32; 3]]) -> Vec<[f32; N]> {
    let (points, index_of) = weld::weld(points);
    for corner in corners.iter_mut().flatten() {
        *corner = index_of[*corner as usize];
    }
    points
}

impl RawMesh {
    /// The welded mesh in millimetres, +z front, +y up.
    ///
    /// Points at exactly the same place become one, and so do atlas points; triangles
    /// that lose a corner by it are dropped. In a mesh with an atlas, a face without
    /// atlas coordinates keeps its surface and gets an atlas triangle of no area.
    ///
    /// # Errors
    /// A coordinate out of reach, or no triangle left.
    pub fn into_mesh(self, file: &str, frame: &Frame) -> Result<Mesh, ScanError> {
        let Self {
            positions,
            mut uvs,
            mut triangles,
            mut uv_triangles,
        } = self;
        let shown = name::shown(file);
        let limit = f64::from(MAX_COORDINATE_MM);
        let mut placed = Vec::with_capacity(positions.len());
        for (index, p) in positions.iter().enumerate() {
            let p = frame.to_mesh(p.map(f64::from));
            if !p.iter().all(|c| c.abs() <= MAX_COORDINATE_MM) {
                return Err(ScanError::MeshNotFinite {
                    file: shown,
                    what: "position in millimetres",
                    index: index as u64,
                    limit,
                });
            }
            placed.push(p);
        }
        drop(positions);
        let has_uvs = uv_triangles.iter().flatten().any(|&i| i != NO_UV);
        if has_uvs {
            if uv_triangles.iter().flatten().any(|&i| i == NO_UV) {
                let nowhere = uvs.len() as u32;
                uvs.push([0.0; 2]);
                for corner in uv_triangles.iter_mut().flatten() {
                    if *corner == NO_UV {
                        *corner = nowhere;
                    }
                }
            }
        } else {
            uvs = Vec::new();
            uv_triangles = Vec::new();
        }
        let (uvs, placed) = rayon::join(
            || welded(uvs, &mut uv_triangles),
            || welded(placed, &mut triangles),
        );
        let whole = |[a, b, c]: [u32; 3]| a != b && b != c && c != a;
        if has_uvs {
            let mut all = triangles.iter();
            uv_triangles.retain(|_| all.next().is_some_and(|&t| whole(t)));
        }
        triangles.retain(|&t| whole(t));
        if triangles.is_empty() {
            return Err(ScanError::MeshEmpty { file: shown });
        }
        let mut mesh =
            Mesh::new(placed, uvs, triangles, uv_triangles).map_err(|e: MeshError| {
                ScanError::MeshBroken {
                    file: shown,
                    reason: e.to_string(),
                }
            })?;
        mesh.source_from_mesh = frame.source_from_mesh();
        Ok(mesh)
    }
}
