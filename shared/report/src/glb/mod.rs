//! The patient's own head as a binary glTF 2.0 file.
//!
//! One primitive with +y up and +z out of the face, which is what glTF calls the front.
//! Triangles beyond a budget are saved where that moves the surface by less than
//! [`BOUND_MM`]; positions lie on a grid of 14 bits (a hundredth of a millimetre on a
//! head), normals on one of 8 bits, by `KHR_mesh_quantization`; `EXT_meshopt_compression`
//! makes a third of what is left. The skin is a WebP picture by
//! `EXT_texture_webp`, required and without a second copy in another format: every
//! viewer the product addresses reads it, and a PNG of skin would be five times the size.
//! The features lie beside it as records that the page's viewer reads.
//! No name, date or identifier is written.

mod codec;
mod departure;
mod fans;
mod marks;
mod order;
mod quadric;
mod simplify;

use dermalia_findings::{BaseTexture, Feature};
use dermalia_surface::{Mesh, Vec3};
use serde_json::{Value, json};

use crate::pictures::{self, PictureError};
use simplify::{Budget, simplify};

/// How far a point of the scan may lie from the surface of the model.
pub(crate) const BOUND_MM: f32 = 0.2;
/// Triangles that a telephone turns smoothly, and that are few bytes.
const TRIANGLES: usize = 22_000;

const MAGIC: u32 = 0x4654_6C67;
const CHUNK_JSON: u32 = 0x4E4F_534A;
const CHUNK_BIN: u32 = 0x004E_4942;
const ARRAY_BUFFER: u32 = 34962;
const ELEMENT_ARRAY_BUFFER: u32 = 34963;
const BYTE: u32 = 5120;
const UNSIGNED_SHORT: u32 = 5123;
const UNSIGNED_INT: u32 = 5125;
const FLOAT: u32 = 5126;
/// Steps of the grid that positions lie on, and of the one of the atlas.
const GRID_STEPS: f32 = 16_383.0;
const ATLAS_STEPS: f32 = 8191.0;
const PACKED: &str = "EXT_meshopt_compression";
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

/// What the model keeps of a scan.
struct Shape {
    mesh: Mesh,
    /// Of each point of the mesh.
    normals: Vec<Vec3>,
    /// Corners as indices of `pairs`, in the order of the file.
    corners: Vec<[u32; 3]>,
    /// (position, uv) indices.
    pairs: Vec<(u32, u32)>,
}

impl Shape {
    fn of(mesh: &Mesh) -> Self {
        let budget = Budget {
            triangles: TRIANGLES,
            bound_mm: BOUND_MM,
        };
        let mesh = order::near_together(mesh);
        // Normals are those of the whole scan: light falls on the model as on the skin.
        let normals = mesh.vertex_normals();
        let mesh = simplify(mesh, budget);
        let split = split_at_seams(&mesh);
        let (corners, _) = split.indices.as_chunks::<3>();
        let mut corners = order::neighbours_first(corners, split.pairs.len());
        let pairs = order::by_first_use(&mut corners, split.pairs.len())
            .into_iter()
            .map(|old| split.pairs[old as usize])
            .collect();
        Self {
            mesh,
            normals,
            corners,
            pairs,
        }
    }
}

/// The binary chunk while it grows, with the views into it.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    views: Vec<Value>,
    /// What the packed views take unpacked: the size of a buffer that is not in the file.
    unpacked: usize,
}

impl Buffer {
    fn append(&mut self, data: &[u8]) -> (usize, usize) {
        while !self.bytes.len().is_multiple_of(4) {
            self.bytes.push(0);
        }
        let start = self.bytes.len();
        self.bytes.extend(data);
        (start, data.len())
    }

    /// Adds a view of bytes as they are.
    fn view(&mut self, data: &[u8]) -> usize {
        let (start, length) = self.append(data);
        self.views
            .push(json!({"buffer": 0, "byteOffset": start, "byteLength": length}));
        self.views.len() - 1
    }

    /// Adds a packed view of `count` records.
    fn packed(&mut self, count: usize, stride: usize, packed: &[u8], mode: &str) -> usize {
        let (start, length) = self.append(packed);
        let unpacked = count * stride;
        let mut view = json!({
            "buffer": 1,
            "byteOffset": self.unpacked,
            "byteLength": unpacked,
            "extensions": {PACKED: {"buffer": 0, "byteOffset": start, "byteLength": length,
                "byteStride": stride, "count": count, "mode": mode}},
        });
        view["target"] = json!(ELEMENT_ARRAY_BUFFER);
        if mode == "ATTRIBUTES" {
            view["target"] = json!(ARRAY_BUFFER);
            view["byteStride"] = json!(stride);
        }
        self.unpacked = (self.unpacked + unpacked).next_multiple_of(4);
        self.views.push(view);
        self.views.len() - 1
    }

    /// Adds a packed view of records of `S` bytes.
    fn records<const S: usize>(&mut self, records: impl Iterator<Item = [u8; S]>) -> usize {
        let bytes: Vec<u8> = records.flatten().collect();
        let packed = codec::vertices(&bytes, S);
        self.packed(bytes.len() / S, S, &packed, "ATTRIBUTES")
    }
}

/// The grid that positions lie on, the same in all directions.
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
            (t.clamp(0.0, 1.0) * GRID_STEPS + 0.5) as u16
        })
    }
}

/// A unit vector unfolded from an octahedron, on eight bits, as the filter `OCTAHEDRAL`
/// takes it. A point of no area has no direction; the format wants one.
fn octahedral(n: [f32; 3]) -> [u8; 4] {
    let sum = n.iter().map(|c| c.abs()).sum::<f32>();
    let [x, y, z] = if sum > 0.0 {
        n.map(|c| c / sum)
    } else {
        [0.0, 0.0, 1.0]
    };
    let fold = |a: f32, b: f32| (1.0 - b.abs()) * if a < 0.0 { -1.0 } else { 1.0 };
    let (u, v) = if z < 0.0 {
        (fold(x, y), fold(y, x))
    } else {
        (x, y)
    };
    [u, v, 1.0, 0.0].map(|c| ((c.clamp(-1.0, 1.0) * 127.0).round() as i8).to_le_bytes()[0])
}

/// Corners as indices of `width` bytes.
fn index_bytes(width: usize) -> u32 {
    if width == 2 {
        UNSIGNED_SHORT
    } else {
        UNSIGNED_INT
    }
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
    // The picture takes no notice of the shape: they are made side by side.
    let (picture, shape) = rayon::join(
        || mesh.has_atlas().then(|| pictures::base_webp(base)),
        || Shape::of(mesh),
    );
    let picture = picture.transpose()?;
    let Shape {
        mesh,
        normals,
        corners,
        pairs,
    } = &shape;
    let count = pairs.len();
    let place = |pair: &(u32, u32)| mesh.positions[pair.0 as usize];
    let grid = Grid::around(pairs.iter().map(place));
    let positions: Vec<[u16; 3]> = pairs.iter().map(|p| grid.of(place(p))).collect();
    let (mut low, mut high) = ([u16::MAX; 3], [0_u16; 3]);
    for p in &positions {
        for k in 0..3 {
            low[k] = low[k].min(p[k]);
            high[k] = high[k].max(p[k]);
        }
    }

    let mut buffer = Buffer::default();
    let width = if count <= usize::from(u16::MAX) { 2 } else { 4 };
    let component = index_bytes(width);
    let packed = codec::triangles(corners);
    let index_view = buffer.packed(3 * corners.len(), width, &packed, "TRIANGLES");
    let position_view = buffer.records(positions.iter().map(|p| {
        let [[a, b], [c, d], [e, f]] = p.map(u16::to_le_bytes);
        [a, b, c, d, e, f, 0, 0]
    }));
    let normal_view = buffer.records(pairs.iter().map(|&(p, _)| octahedral(normals[p as usize])));
    buffer.views[normal_view]["extensions"][PACKED]["filter"] = json!("OCTAHEDRAL");
    let mut accessors = vec![
        json!({"bufferView": index_view, "componentType": component, "type": "SCALAR",
            "count": 3 * corners.len()}),
        json!({"bufferView": position_view, "componentType": UNSIGNED_SHORT, "type": "VEC3",
            "count": count, "min": low, "max": high}),
        json!({"bufferView": normal_view, "componentType": BYTE, "normalized": true,
            "type": "VEC3", "count": count}),
    ];
    let mut attributes = json!({"POSITION": 1, "NORMAL": 2});
    let mut material = json!({"pbrMetallicRoughness": {
        "metallicFactor": 0.0, "roughnessFactor": 0.85}});
    let step_m = 0.001 * grid.extent_mm / GRID_STEPS;
    let mut document = json!({
        "asset": {"version": "2.0", "generator": "dermalia"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "scale": [step_m, step_m, step_m],
            "translation": grid.low_mm.map(|c| c * 0.001)}],
    });
    let mut extensions = vec!["KHR_mesh_quantization", PACKED];
    if let Some(picture) = picture {
        // glTF counts v from the top.
        let uvs = || {
            pairs.iter().map(|&(_, uv)| {
                let [u, v] = mesh.uvs[uv as usize];
                [u, 1.0 - v]
            })
        };
        // An atlas that is repeated reaches over its edge and does not fit the grid.
        let fits = uvs().flatten().all(|c| (0.0..=1.0).contains(&c));
        let mut texture = json!({"index": 0});
        let (kind, uv_view) = if fits {
            let small = |c: f32| ((c * ATLAS_STEPS + 0.5) as u16).to_le_bytes();
            let records = uvs().map(|[u, v]| {
                let ([a, b], [c, d]) = (small(u), small(v));
                [a, b, c, d]
            });
            let scale = 65535.0 / ATLAS_STEPS;
            texture["extensions"] = json!({"KHR_texture_transform": {"scale": [scale, scale]}});
            extensions.push("KHR_texture_transform");
            (UNSIGNED_SHORT, buffer.records(records))
        } else {
            let records = uvs().map(|[u, v]| {
                let ([a, b, c, d], [e, f, g, h]) = (u.to_le_bytes(), v.to_le_bytes());
                [a, b, c, d, e, f, g, h]
            });
            (FLOAT, buffer.records(records))
        };
        accessors.push(json!({"bufferView": uv_view, "componentType": kind,
            "normalized": fits, "type": "VEC2", "count": count}));
        attributes["TEXCOORD_0"] = json!(3);
        let picture_view = buffer.view(&picture);
        material["pbrMetallicRoughness"]["baseColorTexture"] = texture;
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
        let packed = codec::vertices(&records, marks::RECORD_BYTES);
        let view = buffer.packed(count, marks::RECORD_BYTES, &packed, "ATTRIBUTES");
        document["meshes"][0]["extras"] = json!({"features": {"bufferView": view,
            "count": count}});
    }
    document["accessors"] = json!(accessors);
    document["bufferViews"] = json!(buffer.views);
    document["buffers"] = json!([
        {"byteLength": buffer.bytes.len()},
        {"byteLength": buffer.unpacked, "extensions": {PACKED: {"fallback": true}}},
    ]);
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
