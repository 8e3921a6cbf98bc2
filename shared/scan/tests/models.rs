//! glTF made by hand, and the real heads of the shared data.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the functions that the tests share are test code, too"
)]

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use dermalia_scan::manifest::{Axis, Unit};
use dermalia_scan::mesh::{self, Frame};
use dermalia_scan::{Limits, ScanError};
use dermalia_surface::Mesh;
use serde_json::{Value, json};

fn frame(unit: Unit) -> Frame {
    Frame::new(unit, Axis::PlusZ, Axis::PlusY).unwrap()
}

fn read(file: &str, bytes: &[u8]) -> Result<Mesh, ScanError> {
    read_with(file, bytes, &[])
}

fn read_with(file: &str, bytes: &[u8], others: &[(&str, &[u8])]) -> Result<Mesh, ScanError> {
    mesh::read(file, bytes, &Limits::default(), &|name| {
        others.iter().find(|(n, _)| *n == name).map(|(_, b)| *b)
    })?
    .into_mesh(file, &frame(Unit::Mm))
}

/// A square of four points with 16-bit atlas coordinates and indices, and a sparse
/// change of one point.
fn buffer() -> Vec<u8> {
    let mut out = Vec::new();
    // 0: positions with a stride of 16.
    for [x, y] in [[0.0_f32, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]] {
        for v in [x, y, 0.5, f32::NAN] {
            out.extend(v.to_le_bytes());
        }
    }
    // 64: atlas coordinates, v down.
    for [u, v] in [[0_u16, 65535], [65535, 65535], [65535, 0], [0, 0]] {
        out.extend(u.to_le_bytes());
        out.extend(v.to_le_bytes());
    }
    // 80: indices of two triangles.
    for i in [0_u16, 1, 2, 0, 2, 3] {
        out.extend(i.to_le_bytes());
    }
    // 92: a place and a value for it.
    out.extend([2, 0, 0, 0]);
    for v in [2.0_f32, 1.0, 9.0] {
        out.extend(v.to_le_bytes());
    }
    out
}

fn document() -> Value {
    let bytes = buffer();
    json!({
        "asset": { "version": "2.0", "generator": "by hand" },
        "extensionsUsed": ["KHR_materials_unlit"],
        "extensionsRequired": ["KHR_materials_unlit"],
        "scene": 0,
        "scenes": [{ "nodes": [0] }],
        "nodes": [{ "mesh": 0 }],
        "materials": [{ "pbrMetallicRoughness": {} }],
        "meshes": [{ "primitives": [
            { "attributes": { "POSITION": 0, "TEXCOORD_0": 1, "NORMAL": 0 }, "indices": 2 }
        ] }],
        "accessors": [
            { "bufferView": 0, "componentType": 5126, "count": 4, "type": "VEC3" },
            { "bufferView": 1, "componentType": 5123, "normalized": true, "count": 4,
              "type": "VEC2" },
            { "bufferView": 2, "componentType": 5123, "count": 6, "type": "SCALAR" }
        ],
        "bufferViews": [
            { "buffer": 0, "byteLength": 64, "byteStride": 16 },
            { "buffer": 0, "byteOffset": 64, "byteLength": 16 },
            { "buffer": 0, "byteOffset": 80, "byteLength": 12 },
            { "buffer": 0, "byteOffset": 92, "byteLength": 4 },
            { "buffer": 0, "byteOffset": 96, "byteLength": 12 }
        ],
        "buffers": [{
            "byteLength": bytes.len(),
            "uri": format!("data:application/octet-stream;base64,{}", BASE64.encode(&bytes))
        }]
    })
}

fn gltf(document: &Value) -> Result<Mesh, ScanError> {
    read("m.gltf", document.to_string().as_bytes())
}

fn glb(document: &Value, bin: &[u8]) -> Vec<u8> {
    let mut json = document.to_string().into_bytes();
    json.resize(json.len().next_multiple_of(4), b' ');
    let mut bin = bin.to_vec();
    bin.resize(bin.len().next_multiple_of(4), 0);
    let length = 12 + 8 + json.len() + 8 + bin.len();
    let mut out = b"glTF\x02\0\0\0".to_vec();
    out.extend((length as u32).to_le_bytes());
    for (kind, chunk) in [(b"JSON", &json), (b"BIN\0", &bin)] {
        out.extend((chunk.len() as u32).to_le_bytes());
        out.extend(kind);
        out.extend(chunk);
    }
    out
}

fn without_uri() -> Value {
    let mut document = document();
    document["buffers"][0]
        .as_object_mut()
        .unwrap()
        .remove("uri");
    document
}

#[test]
fn a_square_is_read_from_text_container_and_companion() {
    let mesh = gltf(&document()).unwrap();
    assert_eq!(
        mesh.positions,
        [
            [0.0, 0.0, 0.5],
            [2.0, 0.0, 0.5],
            [2.0, 1.0, 0.5],
            [0.0, 1.0, 0.5]
        ]
    );
    assert_eq!(mesh.uvs, [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]);
    assert_eq!(mesh.triangles, [[0, 1, 2], [0, 2, 3]]);
    assert_eq!(mesh.uv_triangles, mesh.triangles);
    assert_eq!(
        read("m.glb", &glb(&without_uri(), &buffer())).unwrap(),
        mesh
    );
    let mut beside = document();
    beside["buffers"][0]["uri"] = json!("my%20mesh.bin");
    let text = beside.to_string();
    assert_eq!(
        read_with("m.gltf", text.as_bytes(), &[("my mesh.bin", &buffer())]).unwrap(),
        mesh
    );
    for uri in [
        "http://example.org/m.bin",
        "../m.bin",
        "/etc/passwd",
        "file:///m.bin",
        "m.bin",
    ] {
        beside["buffers"][0]["uri"] = json!(uri);
        assert_eq!(
            gltf(&beside).unwrap_err(),
            ScanError::MeshForeign {
                file: "m.gltf".into(),
                uri: uri.into()
            }
        );
    }
}

#[test]
fn nodes_move_turn_scale_and_mirror() {
    let place = |nodes: Value| {
        let mut document = document();
        document["nodes"] = nodes;
        gltf(&document)
    };
    // A quarter turn about y under a shift: x to -z.
    let turned = place(json!([
        { "children": [1], "translation": [10, 0, 0] },
        { "mesh": 0, "rotation": [0, 0.5_f64.sqrt(), 0, 0.5_f64.sqrt()], "scale": [2, 2, 2] }
    ]))
    .unwrap();
    for (got, want) in turned.positions[2].iter().zip([11.0, 2.0, -4.0]) {
        assert!((got - want).abs() < 1e-5, "{:?}", turned.positions);
    }
    let matrix =
        place(json!([{ "mesh": 0, "matrix": [1,0,0,0, 0,1,0,0, 0,0,1,0, 5,6,7,1] }])).unwrap();
    assert_eq!(matrix.positions[0], [5.0, 6.0, 7.5]);
    // A mirror turns the corners round, so that the front stays the front.
    let mirrored = place(json!([{ "mesh": 0, "scale": [-1, 1, 1] }])).unwrap();
    assert_eq!(mirrored.triangles[0], [0, 2, 1]);
    assert!(mirrored.area_normal(0)[2] > 0.0);
    // Two nodes with one mesh: both are there.
    let mut twice = document();
    twice["scenes"][0]["nodes"] = json!([0, 1]);
    twice["nodes"] = json!([{ "mesh": 0 }, { "mesh": 0, "translation": [0, 0, 1] }]);
    assert_eq!(gltf(&twice).unwrap().triangles.len(), 4);
    for circle in [
        json!([{ "mesh": 0, "children": [0] }]),
        json!([{ "children": [1] }, { "mesh": 0, "children": [0] }]),
        json!([{ "children": [1, 1] }, { "mesh": 0 }]),
        json!([{ "children": [7] }]),
        json!([{ "mesh": 9 }]),
        json!([{ "mesh": 0, "rotation": [0, 0, 0, 0] }]),
        json!([{ "mesh": 0, "scale": [1e308, 1e308, 1e308] }]),
    ] {
        place(circle).unwrap_err();
    }
}

#[test]
fn strips_fans_and_sparse_points_are_read() {
    let mut strip = document();
    strip["meshes"][0]["primitives"][0]["mode"] = json!(5);
    strip["meshes"][0]["primitives"][0]
        .as_object_mut()
        .unwrap()
        .remove("indices");
    assert_eq!(gltf(&strip).unwrap().triangles, [[0, 1, 2], [2, 1, 3]]);
    strip["meshes"][0]["primitives"][0]["mode"] = json!(6);
    assert_eq!(gltf(&strip).unwrap().triangles, [[0, 1, 2], [0, 2, 3]]);
    strip["meshes"][0]["primitives"][0]["mode"] = json!(1);
    assert_eq!(gltf(&strip).unwrap_err().code(), "mesh_empty");
    let mut sparse = document();
    sparse["accessors"][0]["sparse"] = json!({
        "count": 1,
        "indices": { "bufferView": 3, "componentType": 5121 },
        "values": { "bufferView": 4 }
    });
    assert_eq!(gltf(&sparse).unwrap().positions[2], [2.0, 1.0, 9.0]);
    sparse["accessors"][0]["sparse"]["count"] = json!(2);
    gltf(&sparse).unwrap_err();
}

#[test]
fn what_cannot_be_read_is_refused() {
    for (path, value, code) in [
        ("/asset/version", json!("1.0"), "mesh_broken"),
        ("/asset/minVersion", json!("2.1"), "mesh_broken"),
        (
            "/extensionsRequired",
            json!(["KHR_draco_mesh_compression"]),
            "mesh_feature",
        ),
        (
            "/extensionsRequired",
            json!(["EXT_meshopt_compression"]),
            "mesh_feature",
        ),
        ("/nodes/0/skin", json!(0), "mesh_feature"),
        ("/accessors/0/bufferView", json!(9), "mesh_index"),
        ("/accessors/0/count", json!(5), "mesh_broken"),
        ("/accessors/0/count", json!(u64::MAX), "mesh_broken"),
        ("/accessors/0/count", json!(0), "mesh_broken"),
        ("/accessors/0/byteOffset", json!(2), "mesh_broken"),
        (
            "/accessors/0/byteOffset",
            json!(u64::MAX - 3),
            "mesh_broken",
        ),
        ("/accessors/0/componentType", json!(5127), "mesh_broken"),
        ("/accessors/0/type", json!("VEC4"), "mesh_broken"),
        ("/accessors/1/count", json!(3), "mesh_broken"),
        ("/accessors/2/count", json!(5), "mesh_broken"),
        ("/accessors/2/componentType", json!(5122), "mesh_broken"),
        ("/bufferViews/0/byteStride", json!(8), "mesh_broken"),
        ("/bufferViews/0/byteStride", json!(0), "mesh_broken"),
        (
            "/bufferViews/0/byteLength",
            json!(1e6 as u64),
            "mesh_broken",
        ),
        ("/bufferViews/0/buffer", json!(1), "mesh_index"),
        ("/buffers/0/byteLength", json!(1e6 as u64), "mesh_broken"),
        (
            "/buffers/0/uri",
            json!("data:text/plain;base64,AAAA"),
            "mesh_broken",
        ),
        (
            "/buffers/0/uri",
            json!("data:application/octet-stream;base64,A"),
            "mesh_broken",
        ),
        ("/meshes/0/primitives/0/mode", json!(7), "mesh_broken"),
        ("/scene", json!(4), "mesh_index"),
    ] {
        let mut document = document();
        let (parent, key) = path.rsplit_once('/').unwrap();
        document.pointer_mut(parent).unwrap()[key] = value.clone();
        assert_eq!(gltf(&document).unwrap_err().code(), code, "{path} {value}");
    }
    // An index past the points.
    let mut bytes = buffer();
    bytes[82] = 4;
    assert_eq!(
        read("m.glb", &glb(&without_uri(), &bytes)).unwrap_err(),
        ScanError::MeshIndex {
            file: "m.glb".into(),
            what: "vertex",
            index: 4,
            count: 4
        }
    );
    // A point that is no number.
    let mut bytes = buffer();
    bytes[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    assert_eq!(
        read("m.glb", &glb(&without_uri(), &bytes))
            .unwrap_err()
            .code(),
        "mesh_not_finite"
    );
}

/// One mesh placed so often that its triangles would fill the memory.
#[test]
fn copies_count_against_the_limit_before_they_are_made() {
    let mut document = without_uri();
    document["nodes"] = json!(vec![json!({ "mesh": 0 }); 60_000]);
    document["scenes"][0]["nodes"] = json!((0..60_000).collect::<Vec<_>>());
    let limits = Limits {
        triangles: 1_000,
        ..Limits::default()
    };
    let bytes = glb(&document, &buffer());
    assert_eq!(
        mesh::read("m.glb", &bytes, &limits, &|_| None)
            .unwrap_err()
            .code(),
        "too_many_triangles"
    );
}

#[test]
fn every_cut_container_is_refused_and_no_changed_byte_panics() {
    let bytes = glb(&without_uri(), &buffer());
    for end in 0..bytes.len() {
        read("m.glb", &bytes[..end]).unwrap_err();
    }
    for at in 0..bytes.len() {
        for value in [0, b'9', b'}', 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            let _ = read("m.glb", &changed);
        }
    }
}

fn head(path: &str) -> Option<Vec<u8>> {
    let shared = std::env::var_os("DERMALIA_SHARED").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    );
    let path = shared.join("data/heads").join(path);
    let bytes = std::fs::read(&path).ok();
    if bytes.is_none() {
        eprintln!("SKIPPED: {} is absent", path.display());
    }
    bytes
}

fn area(mesh: &Mesh) -> f64 {
    (0..mesh.triangles.len())
        .map(|t| f64::from(mesh.area_mm2(t)))
        .sum()
}

/// Counts as trimesh reads them, before its points are welded.
#[test]
fn real_heads_are_read_whole() {
    for (path, triangles) in [
        ("lee_perry_smith/LeePerrySmith.glb", 17_684),
        ("ict_facekit/generic_neutral_mesh.obj", 52_220),
        ("mediapipe_canonical/canonical_face_model.obj", 898),
    ] {
        let Some(bytes) = head(path) else { return };
        let mesh = read(path, &bytes).unwrap();
        assert_eq!(mesh.triangles.len(), triangles, "{path}");
        assert!(mesh.has_atlas(), "{path}");
        // A head bulges towards the front, +z: the nose is its foremost point.
        let lowest = mesh.positions.iter().map(|p| p[1]).fold(f32::MAX, f32::min);
        let highest = mesh.positions.iter().map(|p| p[1]).fold(f32::MIN, f32::max);
        assert!(highest > lowest);
        let facing: f64 = (0..mesh.triangles.len())
            .map(|t| {
                f64::from(mesh.area_normal(t)[2]) * f64::from(mesh.point(t, [1.0 / 3.0; 3])[2])
            })
            .sum();
        assert!(facing > 0.0, "{path}: the corners run clockwise");
    }
}

/// A real head written in every form the readers take is one surface.
#[test]
fn a_real_head_is_the_same_in_every_format() {
    let Some(bytes) = head("lee_perry_smith/LeePerrySmith.glb") else {
        return;
    };
    let mesh = read("head.glb", &bytes).unwrap();
    let mut obj = String::new();
    for p in &mesh.positions {
        obj += &format!("v {} {} {}\n", p[0], p[1], p[2]);
    }
    for uv in &mesh.uvs {
        obj += &format!("vt {} {}\n", uv[0], uv[1]);
    }
    for (t, uv) in mesh.triangles.iter().zip(&mesh.uv_triangles) {
        let corner = |i: usize| format!(" {}/{}", t[i] + 1, uv[i] + 1);
        obj += &format!("f{}{}{}\n", corner(0), corner(1), corner(2));
    }
    assert_eq!(read("head.obj", obj.as_bytes()).unwrap(), mesh);
    for (name, little) in [("binary_little_endian", true), ("binary_big_endian", false)] {
        let mut ply = format!(
            "ply\nformat {name} 1.0\nelement vertex {}\nproperty float x\nproperty float y\n\
             property float z\nelement face {}\nproperty list uchar uint vertex_indices\n\
             property list uchar float texcoord\nend_header\n",
            mesh.positions.len(),
            mesh.triangles.len()
        )
        .into_bytes();
        let f = |v: f32| {
            if little {
                v.to_le_bytes()
            } else {
                v.to_be_bytes()
            }
        };
        let u = |v: u32| {
            if little {
                v.to_le_bytes()
            } else {
                v.to_be_bytes()
            }
        };
        for v in mesh.positions.iter().flatten() {
            ply.extend(f(*v));
        }
        for (t, uv) in mesh.triangles.iter().zip(&mesh.uv_triangles) {
            ply.push(3);
            ply.extend(t.iter().flat_map(|i| u(*i)));
            ply.push(6);
            ply.extend(uv.iter().flat_map(|i| mesh.uvs[*i as usize]).flat_map(f));
        }
        let read = read("head.ply", &ply).unwrap();
        assert_eq!(read.positions, mesh.positions);
        assert_eq!(read.triangles, mesh.triangles);
        for t in 0..mesh.triangles.len() {
            assert_eq!(read.uv_corners(t), mesh.uv_corners(t));
        }
    }
    // In metres it is a thousand times as long.
    let metres = mesh::read("head.glb", &bytes, &Limits::default(), &|_| None)
        .unwrap()
        .into_mesh("head.glb", &frame(Unit::M))
        .unwrap();
    assert!((area(&metres) / area(&mesh) / 1e6 - 1.0).abs() < 1e-5);
}
