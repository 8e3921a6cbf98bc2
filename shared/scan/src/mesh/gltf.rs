//! glTF 2.0, text and binary: triangles of the scene, in its own axes. Buffers come from
//! the file itself or from the bundle, never from a URL.

use std::borrow::Cow;

use data_encoding::BASE64;

use super::accessor::Store;
use super::document::{Document, Primitive};
use super::node::{Affine, apply, mirrors, placed_meshes};
use super::{Builder, Companions, RawMesh};
use crate::ScanError;

const JSON_CHUNK: u32 = 0x4e4f_534a;
const BIN_CHUNK: u32 = 0x004e_4942;

/// Required extensions that leave positions and atlas readable: quantised numbers are
/// read, materials and pictures are dropped.
const HARMLESS: [&str; 5] = [
    "KHR_mesh_quantization",
    "KHR_materials_",
    "KHR_texture_",
    "EXT_texture_",
    "KHR_lights_punctual",
];

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    let b = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

pub(crate) fn read_glb(
    out: Builder,
    bytes: &[u8],
    companions: &Companions<'_>,
) -> Result<RawMesh, ScanError> {
    if bytes.get(..4) != Some(b"glTF") {
        return Err(out.broken("it does not start with glTF"));
    }
    let (Some(version), Some(length)) = (le32(bytes, 4), le32(bytes, 8)) else {
        return Err(out.broken("its header is cut off"));
    };
    if version != 2 {
        return Err(out.broken(format!("container version {version}; 2 is accepted")));
    }
    if length as usize != bytes.len() {
        return Err(out.broken(format!(
            "its header says {length} bytes; it has {}",
            bytes.len()
        )));
    }
    let (mut json, mut bin) = (None, None);
    let (mut at, mut number) = (12, 0);
    while at < bytes.len() {
        let (Some(length), Some(kind)) = (le32(bytes, at), le32(bytes, at + 4)) else {
            return Err(out.broken("a chunk's header is cut off"));
        };
        let chunk = bytes
            .get(at + 8..(at + 8).saturating_add(length as usize))
            .ok_or_else(|| out.broken("a chunk is cut off"))?;
        if length % 4 != 0 {
            return Err(out.broken("a chunk's length is not a multiple of 4"));
        }
        match (kind, number) {
            (JSON_CHUNK, 0) => json = Some(chunk),
            (_, 0) => return Err(out.broken("its first chunk is not JSON")),
            (JSON_CHUNK, _) => return Err(out.broken("it has two JSON chunks")),
            (BIN_CHUNK, 1) => bin = Some(chunk),
            (BIN_CHUNK, _) => return Err(out.broken("a binary chunk is not the second")),
            // Unknown chunks are to be ignored.
            _ => {}
        }
        at += 8 + length as usize;
        number += 1;
    }
    let json = json.ok_or_else(|| out.broken("it has no chunk"))?;
    read_document(out, json, bin, companions)
}

pub(crate) fn read_gltf(
    out: Builder,
    bytes: &[u8],
    companions: &Companions<'_>,
) -> Result<RawMesh, ScanError> {
    read_document(out, bytes, None, companions)
}

fn read_document(
    mut out: Builder,
    json: &[u8],
    bin: Option<&[u8]>,
    companions: &Companions<'_>,
) -> Result<RawMesh, ScanError> {
    // serde's text can quote the file, so only the place is told.
    let document: Document<'_> = serde_json::from_slice(json).map_err(|e| {
        out.broken(format!(
            "its JSON is not a glTF document at line {}, column {}",
            e.line(),
            e.column()
        ))
    })?;
    check_version(&out, &document)?;
    if let Some(extension) = document
        .extensions_required
        .0
        .iter()
        .find(|e| !HARMLESS.iter().any(|h| e.starts_with(h)))
    {
        return Err(out.feature(crate::name::shown(extension)));
    }
    let buffers = buffers(&out, &document, bin, companions)?;
    let store = Store {
        document: &document,
        buffers,
    };
    let meshes = &document.meshes.0;
    for (index, map) in placed_meshes(&out, &document)? {
        let mesh = meshes
            .get(index as usize)
            .ok_or_else(|| out.no_such("mesh", index.into(), meshes.len()))?;
        for primitive in &mesh.primitives.0 {
            push_primitive(&mut out, &store, primitive, &map)?;
        }
    }
    out.finish()
}

fn check_version(out: &Builder, document: &Document<'_>) -> Result<(), ScanError> {
    let parse = |text: &str| -> Option<(u32, u32)> {
        let (major, minor) = text.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    };
    let asset = &document.asset;
    let version = parse(&asset.version);
    let needed = asset.min_version.as_deref().map(parse);
    match (version, needed) {
        (Some((2, _)), None | Some(Some((2, 0)))) => Ok(()),
        _ => Err(out.broken("it is not glTF 2.0")),
    }
}

fn buffers<'b, 'c: 'b>(
    out: &Builder,
    document: &Document<'_>,
    bin: Option<&'b [u8]>,
    companions: &Companions<'c>,
) -> Result<Vec<Cow<'b, [u8]>>, ScanError> {
    let mut buffers = Vec::with_capacity(document.buffers.0.len());
    for (i, buffer) in document.buffers.0.iter().enumerate() {
        let mut bytes = match buffer.uri.as_deref() {
            None if i == 0 && bin.is_some() => Cow::Borrowed(bin.unwrap_or_default()),
            None => return Err(out.broken(format!("buffer {i} has no data"))),
            Some(uri) => match uri.strip_prefix("data:") {
                Some(data) => Cow::Owned(decode_data(data).ok_or_else(|| {
                    out.broken(format!("buffer {i} holds malformed base64 data"))
                })?),
                None => Cow::Borrowed(companions(&unescape(uri)).ok_or_else(|| out.foreign(uri))?),
            },
        };
        let got = bytes.len() as u64;
        if buffer.byte_length == 0 || got < buffer.byte_length {
            return Err(out.broken(format!(
                "buffer {i} has {got} bytes; its byteLength is {}",
                buffer.byte_length
            )));
        }
        // Padding is not part of the buffer.
        match &mut bytes {
            Cow::Borrowed(b) => *b = &b[..buffer.byte_length as usize],
            Cow::Owned(b) => b.truncate(buffer.byte_length as usize),
        }
        buffers.push(bytes);
    }
    Ok(buffers)
}

fn decode_data(data: &str) -> Option<Vec<u8>> {
    let (kind, base64) = data.split_once(',')?;
    if !matches!(
        kind,
        "application/octet-stream;base64" | "application/gltf-buffer;base64"
    ) {
        return None;
    }
    BASE64.decode(base64.as_bytes()).ok()
}

/// A relative URI as a file name. What still has a scheme or a path is in no bundle.
fn unescape(uri: &str) -> String {
    let bytes = uri.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(|d| std::str::from_utf8(d).ok())
            .and_then(|d| u8::from_str_radix(d, 16).ok());
        match digits {
            Some(byte) => {
                plain.push(byte);
                at += 3;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn push_primitive(
    out: &mut Builder,
    store: &Store<'_>,
    primitive: &Primitive,
    map: &Affine,
) -> Result<(), ScanError> {
    let mode = primitive.mode.unwrap_or(4);
    match mode {
        // Points and lines are no surface.
        0..=3 => return Ok(()),
        4..=6 => {}
        _ => return Err(out.broken(format!("a primitive has the mode {mode}"))),
    }
    let Some(position) = primitive.attributes.position else {
        return Err(out.broken("a primitive has no POSITION"));
    };
    // Before anything is read or made: one mesh can be placed many times.
    let count = store.accessor(out, position)?.count as usize;
    let corners = match primitive.indices {
        Some(indices) => store.accessor(out, indices)?.count as usize,
        None => count,
    };
    let triangles = if mode == 4 {
        if corners % 3 != 0 {
            return Err(out.broken(format!("{corners} corners do not make whole triangles")));
        }
        corners / 3
    } else {
        corners.saturating_sub(2)
    };
    out.expect_triangles(triangles)?;
    let points: Vec<[f32; 3]> = store.floats(out, position)?;
    let uvs: Option<Vec<[f32; 2]>> = match primitive.attributes.uv {
        Some(uv) => Some(store.floats(out, uv)?),
        None => None,
    };
    if let Some(uvs) = &uvs
        && uvs.len() != points.len()
    {
        return Err(out.broken(format!(
            "a primitive has {} points and {} atlas points",
            points.len(),
            uvs.len()
        )));
    }
    let corners = match primitive.indices {
        Some(indices) => store.indices(out, indices, points.len())?,
        None => (0..points.len() as u32).collect(),
    };
    let (first, first_uv) = (out.positions().len() as u32, out.uv_count() as u32);
    for point in points {
        out.push_position(apply(map, point))?;
    }
    for [u, v] in uvs.iter().flatten() {
        // The format counts v down from the top row.
        out.push_uv([*u, 1.0 - v])?;
    }
    let flip = mirrors(map);
    let mut push = |[a, b, c]: [u32; 3]| {
        let t = if flip { [a, c, b] } else { [a, b, c] };
        out.push_triangle(
            t.map(|i| first + i),
            uvs.is_some().then(|| t.map(|i| first_uv + i)),
        )
    };
    match mode {
        4 => corners
            .chunks_exact(3)
            .try_for_each(|t| push([t[0], t[1], t[2]])),
        5 => corners.windows(3).enumerate().try_for_each(|(i, t)| {
            // Every second triangle of a strip runs the other way.
            push(if i % 2 == 0 {
                [t[0], t[1], t[2]]
            } else {
                [t[1], t[0], t[2]]
            })
        }),
        _ => corners
            .get(1..)
            .unwrap_or_default()
            .windows(2)
            .try_for_each(|t| push([corners[0], t[0], t[1]])),
    }
}
