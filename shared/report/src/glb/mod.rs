//! The patient's own head as a binary glTF 2.0 file.
//!
//! One primitive with +y up and +z out of the face, which is what glTF calls the front.
//! Triangles beyond a budget are saved where that moves the surface by less than
//! [`BOUND_MM`]; positions lie on a grid of 16 bits (a few micrometres on a head), normals
//! on one of 8 bits, by `KHR_mesh_quantization`. The skin is a WebP picture by
//! `EXT_texture_webp`, required and without a second copy in another format: every
//! viewer the product addresses reads it, and a PNG of skin would be five times the size.
//! The features lie beside it as records that the page's viewer reads.
//! No name, date or identifier is written.

mod marks;
mod simplify;

use dermalia_findings::{BaseTexture, Feature};
use dermalia_surface::Mesh;
use serde_json::{Value, json};

use crate::pictures::{self, PictureError};
use simplify::{Budget, simplify};

/// How far a point of the scan may lie from the surface of the model.
pub(crate) const BOUND_MM: f32 = 0.2;
/// Triangles that a telephone turns smoothly, and that are few bytes.
const TRIANGLES: usize = 40_000;

const MAGIC: u32 = 0x4654_6C67;
const CHUNK_JSON: u32 = 0x4E4F_534A;
const CHUNK_BIN: u32 = 0x004E_4942;
const ARRAY_BUFFER: u32 = 34962;
const ELEMENT_ARRAY_BUFFER: u32 = 34963;
const BYTE: u32 = 5120;
const UNSIGNED_SHORT: u32 = 5123;
const UNSIGNED_INT: u32 = 5125;
const FLOAT: u32 = 5126;
const CLAMP_TO_EDGE: u32 = 33071;
const LINEAR: u32 = 9729;
const LINEAR_MIPMAP_LINEAR: u32 = 9987;

/// Why a model cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// There is nothing to draw.
    #[error("the mesh has no triangles")]
    Empty,
    /// The format counts bytes in 32 bits.
    #[error("the model needs {got} bytes (a GLB holds at most {most})")]
    TooLarge {
        /// Bytes needed.
        got: usize,
        /// Bytes allowed.
        most: usize,
    },
    /// The texture cannot be encoded.
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// The vertices of the file: one for each pair of a point and an atlas coordinate.
struct Vertices {
    /// (position, uv) indices, ascending.
    pairs: Vec<(u32, u32)>,
    /// Corners as indices of `pairs`.
    indices: Vec<u32>,
}

fn split_at_seams(mesh: &Mesh) -> Vertices {
    let corners = || {
        mesh.triangles.iter().enumerate().flat_map(|(t, p)| {
            let uv = mesh.uv_triangles.get(t).copied().unwrap_or([0; 3]);
            [0, 1, 2].map(|k| (p[k], uv[k]))
        })
    };
    let mut pairs: Vec<(u32, u32)> = corners().collect();
    pairs.sort_unstable();
    pairs.dedup();
    let indices = corners()
        .map(|pair| pairs.partition_point(|p| *p < pair) as u32)
        .collect();
    Vertices { pairs, indices }
}

/// The binary chunk while it grows, with the views into it.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    views: Vec<Value>,
}

impl Buffer {
    /// Adds a view; `stride` is that of vertices, of which each begins on four bytes.
    fn view(
        &mut self,
        target: Option<u32>,
        stride: Option<usize>,
        data: impl Iterator<Item = u8>,
    ) -> usize {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
        let start = self.bytes.len();
        self.bytes.extend(data);
        let mut view = json!({
            "buffer": 0,
            "byteOffset": start,
            "byteLength": self.bytes.len() - start,
        });
        if let Some(target) = target {
            view["target"] = json!(target);
        }
        if let Some(stride) = stride {
            view["byteStride"] = json!(stride);
        }
        self.views.push(view);
        self.views.len() - 1
    }
}

/// The grid of 16 bits that positions lie on, the same in all directions.
struct Grid {
    low_mm: [f32; 3],
    extent_mm: f32,
}

impl Grid {
    fn around(points: impl Iterator<Item = [f32; 3]>) -> Self {
        let (mut low, mut high) = ([f32::INFINITY; 3], [f32::NEG_INFINITY; 3]);
        for p in points {
            for k in 0..3 {
                low[k] = low[k].min(p[k]);
                high[k] = high[k].max(p[k]);
            }
        }
        let extent = (0..3).map(|k| high[k] - low[k]).fold(1e-6, f32::max);
        Self {
            low_mm: low,
            extent_mm: extent,
        }
    }

    fn of(&self, p: [f32; 3]) -> [u16; 3] {
        [0, 1, 2].map(|k| {
            let t = (p[k] - self.low_mm[k]) / self.extent_mm;
            (t.clamp(0.0, 1.0) * 65535.0 + 0.5) as u16
        })
    }
}

/// A unit vector on eight bits; a point of no area has no direction, the format wants one.
fn small_normal(n: [f32; 3]) -> [i8; 3] {
    let n = if n == [0.0; 3] { [0.0, 0.0, 1.0] } else { n };
    n.map(|c| (c.clamp(-1.0, 1.0) * 127.0).round() as i8)
}

/// Writes the mesh with its skin and its features as `scan.glb`. A mesh without an atlas
/// gets a plain surface and no picture.
///
/// # Errors
/// A mesh without triangles, a texture that does not fill its size, a file over 4 GiB.
pub fn write_glb(
    mesh: &Mesh,
    base: &BaseTexture,
    features: &[Feature],
) -> Result<Vec<u8>, ModelError> {
    if mesh.triangles.is_empty() {
        return Err(ModelError::Empty);
    }
    let budget = Budget {
        triangles: TRIANGLES,
        bound_mm: BOUND_MM,
    };
    // Normals are those of the whole scan: light falls on the model as on the skin.
    let normals = mesh.vertex_normals();
    let mesh = &simplify(mesh, budget);
    let vertices = split_at_seams(mesh);
    let count = vertices.pairs.len();
    let place = |pair: &(u32, u32)| mesh.positions[pair.0 as usize];
    let grid = Grid::around(vertices.pairs.iter().map(place));
    let positions: Vec<[u16; 3]> = vertices.pairs.iter().map(|p| grid.of(place(p))).collect();
    let (mut low, mut high) = ([u16::MAX; 3], [0_u16; 3]);
    for p in &positions {
        for k in 0..3 {
            low[k] = low[k].min(p[k]);
            high[k] = high[k].max(p[k]);
        }
    }

    let mut buffer = Buffer::default();
    let (component, width) = if count <= usize::from(u16::MAX) {
        (UNSIGNED_SHORT, 2)
    } else {
        (UNSIGNED_INT, 4)
    };
    let index_view = buffer.view(
        Some(ELEMENT_ARRAY_BUFFER),
        None,
        vertices
            .indices
            .iter()
            .flat_map(|i| i.to_le_bytes().into_iter().take(width)),
    );
    let position_view = buffer.view(
        Some(ARRAY_BUFFER),
        Some(8),
        positions
            .iter()
            .flat_map(|p| [p[0], p[1], p[2], 0].into_iter().flat_map(u16::to_le_bytes)),
    );
    let normal_view = buffer.view(
        Some(ARRAY_BUFFER),
        Some(4),
        vertices.pairs.iter().flat_map(|&(p, _)| {
            let n = small_normal(normals[p as usize]);
            [n[0], n[1], n[2], 0].map(|c| c.to_le_bytes()[0])
        }),
    );
    let mut accessors = vec![
        json!({"bufferView": index_view, "componentType": component, "type": "SCALAR",
            "count": vertices.indices.len()}),
        json!({"bufferView": position_view, "componentType": UNSIGNED_SHORT, "type": "VEC3",
            "count": count, "min": low, "max": high}),
        json!({"bufferView": normal_view, "componentType": BYTE, "normalized": true,
            "type": "VEC3", "count": count}),
    ];
    let mut attributes = json!({"POSITION": 1, "NORMAL": 2});
    let mut material = json!({"pbrMetallicRoughness": {
        "metallicFactor": 0.0, "roughnessFactor": 0.85}});
    let step_m = 0.001 * grid.extent_mm / 65535.0;
    let mut document = json!({
        "asset": {"version": "2.0", "generator": "dermalia"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "scale": [step_m, step_m, step_m],
            "translation": grid.low_mm.map(|c| c * 0.001)}],
    });
    let mut extensions = vec!["KHR_mesh_quantization"];
    if mesh.has_atlas() {
        // glTF counts v from the top.
        let uvs = || {
            vertices.pairs.iter().map(|&(_, uv)| {
                let [u, v] = mesh.uvs[uv as usize];
                [u, 1.0 - v]
            })
        };
        // An atlas that is repeated reaches over its edge and does not fit the grid.
        let fits = uvs().flatten().all(|c| (0.0..=1.0).contains(&c));
        let (kind, stride, data): (u32, usize, Vec<u8>) = if fits {
            let small = |c: f32| ((c * 65535.0 + 0.5) as u16).to_le_bytes();
            (UNSIGNED_SHORT, 4, uvs().flatten().flat_map(small).collect())
        } else {
            (
                FLOAT,
                8,
                uvs().flatten().flat_map(f32::to_le_bytes).collect(),
            )
        };
        let uv_view = buffer.view(Some(ARRAY_BUFFER), Some(stride), data.into_iter());
        accessors.push(json!({"bufferView": uv_view, "componentType": kind,
            "normalized": fits, "type": "VEC2", "count": count}));
        attributes["TEXCOORD_0"] = json!(3);
        let picture = pictures::base_webp(base)?;
        let picture_view = buffer.view(None, None, picture.into_iter());
        material["pbrMetallicRoughness"]["baseColorTexture"] = json!({"index": 0});
        extensions.push("EXT_texture_webp");
        document["images"] = json!([{"bufferView": picture_view, "mimeType": "image/webp"}]);
        document["samplers"] = json!([{"magFilter": LINEAR, "minFilter": LINEAR_MIPMAP_LINEAR,
            "wrapS": CLAMP_TO_EDGE, "wrapT": CLAMP_TO_EDGE}]);
        document["textures"] = json!([{"sampler": 0,
            "extensions": {"EXT_texture_webp": {"source": 0}}}]);
    } else {
        material["pbrMetallicRoughness"]["baseColorFactor"] = json!([0.72, 0.68, 0.64, 1.0]);
    }
    document["extensionsUsed"] = json!(extensions);
    document["extensionsRequired"] = json!(extensions);
    document["materials"] = json!([material]);
    document["meshes"] = json!([{"primitives": [{"attributes": attributes, "indices": 0,
        "material": 0}]}]);
    let records = marks::records(features, mesh, |p| grid.of(p));
    if !records.is_empty() {
        let count = records.len() / marks::RECORD_BYTES;
        let view = buffer.view(None, None, records.into_iter());
        document["meshes"][0]["extras"] = json!({"features": {"bufferView": view,
            "count": count}});
    }
    document["accessors"] = json!(accessors);
    document["bufferViews"] = json!(buffer.views);
    document["buffers"] = json!([{"byteLength": buffer.bytes.len()}]);
    assemble(&document, buffer.bytes)
}

fn assemble(document: &Value, mut binary: Vec<u8>) -> Result<Vec<u8>, ModelError> {
    let mut text = document.to_string().into_bytes();
    while !text.len().is_multiple_of(4) {
        text.push(b' ');
    }
    while !binary.len().is_multiple_of(4) {
        binary.push(0);
    }
    let total = 12 + 8 + text.len() + 8 + binary.len();
    let most = u32::MAX as usize;
    if total > most {
        return Err(ModelError::TooLarge { got: total, most });
    }
    let mut out = Vec::with_capacity(total);
    for word in [MAGIC, 2, total as u32, text.len() as u32, CHUNK_JSON] {
        out.extend(word.to_le_bytes());
    }
    out.append(&mut text);
    out.extend((binary.len() as u32).to_le_bytes());
    out.extend(CHUNK_BIN.to_le_bytes());
    out.append(&mut binary);
    Ok(out)
}
