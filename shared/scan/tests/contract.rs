//! The contract `dermalia.scan/1`: its example, its rules, its two transports.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the functions that the tests share are test code, too"
)]

use std::io::{Cursor, Write as _};
use std::path::Path;

use dermalia_scan::manifest::{Camera, FileEntry, ImageEntry, Light, Space};
use dermalia_scan::{Limits, Manifest, Scan, ScanError};
use proptest::prelude::*;
use serde_json::{Value, json};

type Files = Vec<(String, Vec<u8>)>;

const OBJ: &str = "v 0 0 0\nv 3 0 0\nv 3 2 0\nv 0 2 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n\
                   f 1/1 2/2 3/3 4/4\n";

fn png(seed: u8, bits: png::BitDepth, colour: png::ColorType) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, 3, 2);
    encoder.set_color(colour);
    encoder.set_depth(bits);
    let bytes = 6 * colour.samples() * if bits == png::BitDepth::Sixteen { 2 } else { 1 };
    let data: Vec<u8> = (0..bytes).map(|i| seed.wrapping_add(i as u8 * 7)).collect();
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&data)
        .unwrap();
    out
}

/// The page's own example, with files that exist.
fn example() -> (Value, Files) {
    let rgb = |seed| png(seed, png::BitDepth::Eight, png::ColorType::Rgb);
    let files: Files = vec![
        ("face.obj".into(), OBJ.into()),
        ("white.png".into(), rgb(1)),
        ("cross.png".into(), rgb(2)),
        ("left_uv.png".into(), rgb(3)),
        (
            "relief.png".into(),
            png(4, png::BitDepth::Sixteen, png::ColorType::Grayscale),
        ),
    ];
    let points: Vec<[f64; 3]> = (0..468).map(|i| [0.1, 22.4, f64::from(i) / 10.0]).collect();
    let manifest = json!({
      "schema": "dermalia.scan/1",
      "scan_id": "D9-20260514-000123",
      "practice_id": "praxis-nord",
      "captured_at": "2026-05-14T09:31:00+02:00",
      "device": { "maker": "Isemeco", "model": "D9", "firmware": "3.2.1" },
      "patient": { "first_name": "Anna", "email": "anna@example.org", "locale": "de" },
      "previous_scan_id": "D9-20251103-000077",
      "capture": { "skin": "clean" },
      "mesh": { "file": "face.obj", "unit": "cm", "front": "-x", "up": "+z" },
      "images": [
        { "file": "white.png", "light": "white", "space": "texture" },
        { "file": "cross.png", "light": "cross_polarised", "space": "texture" },
        { "file": "left_uv.png", "light": "uv", "space": "camera", "view": "left",
          "camera": { "fx": 5120.0, "fy": 5120.0, "cx": 2000.0, "cy": 1500.0,
                      "camera_from_mesh": [1,0,0,0, 0,1,0,0, 0,0,1,400, 0,0,0,1],
                      "distortion": [0,0,0,0,0] } }
      ],
      "relief": { "file": "relief.png", "space": "texture", "mm_per_level": 0.0001,
                  "zero_level": 32768 },
      "landmarks": { "scheme": "mediapipe-468", "points": points },
      "device_values": [
        { "parameter": "hydration", "region": "cheek_left", "value": 47.1, "unit": "AU",
          "instrument": "Corneometer CM 825" }
      ],
      "files": files.iter().map(|(n, b)| FileEntry::of(n, b)).collect::<Vec<_>>(),
    });
    (manifest, files)
}

fn bundle(manifest: &Value, files: &Files) -> Files {
    let mut bundle = files.clone();
    bundle.push((
        "manifest.json".into(),
        serde_json::to_vec(manifest).unwrap(),
    ));
    bundle
}

fn read(manifest: &Value, files: &Files) -> Result<Scan, ScanError> {
    Scan::read_files(bundle(manifest, files), &Limits::default())
}

fn zipped(files: &Files) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn refusal(change: impl Fn(&mut Value)) -> ScanError {
    let (mut manifest, files) = example();
    change(&mut manifest);
    match read(&manifest, &files) {
        Err(error) => error,
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn folder_archive_and_memory_are_one_scan() {
    let (manifest, files) = example();
    let files = bundle(&manifest, &files);
    let limits = Limits::default();
    let memory = Scan::read_files(files.clone(), &limits).unwrap();
    let archive = zipped(&files);
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in &files {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let zip_path = folder.path().with_extension("zip");
    std::fs::write(&zip_path, &archive).unwrap();
    for other in [
        Scan::read_zip(&archive, &limits).unwrap(),
        Scan::read_path(folder.path(), &limits).unwrap(),
        Scan::read_path(&zip_path, &limits).unwrap(),
    ] {
        assert_eq!(other.manifest.to_json(), memory.manifest.to_json());
        assert_eq!(other.mesh, memory.mesh);
        assert_eq!(other.landmarks, memory.landmarks);
        for (a, b) in other.pictures.iter().zip(&memory.pictures) {
            assert_eq!(a.bytes(), b.bytes());
            assert_eq!(a.decode(&limits), b.decode(&limits));
        }
        let relief = other.relief.unwrap().decode_levels(&limits).unwrap();
        assert_eq!((relief.width, relief.height), (3, 2));
        assert_eq!(relief.levels[1], 0x1219);
    }
    std::fs::remove_file(zip_path).unwrap();
    // The square of 3 x 2 cm, front -x and up +z: file x is -z, file y is x.
    let mesh = memory.mesh.unwrap();
    assert_eq!(mesh.positions[2], [-20.0, 0.0, -30.0]);
    assert_eq!(mesh.to_source(mesh.positions[2]), [30.0, 20.0, 0.0]);
    assert_eq!(mesh.triangles.len(), 2);
    assert_eq!(memory.landmarks.unwrap()[10], [-224.0, 10.0, -1.0]);
    assert_eq!(
        memory.manifest.captured_at_timestamp().unwrap().to_string(),
        "2026-05-14T07:31:00Z"
    );
}

#[test]
fn a_manifest_survives_writing_and_reading() {
    let (manifest, files) = example();
    let first = read(&manifest, &files).unwrap().manifest.to_json();
    let second = Manifest::parse(&first, &Limits::default())
        .unwrap()
        .to_json();
    assert_eq!(first, second);
}

#[test]
fn data_about_the_patient_is_refused_by_the_fields_name_and_never_quoted() {
    for (path, name) in [
        ("/patient", "date_of_birth"),
        ("/patient", "insurance number"),
        ("", "diagnosis"),
        ("/device", "serial_of_patient"),
        ("/capture", "address"),
        ("/mesh", "patient_name"),
        ("/images/2", "operator"),
        ("/images/2/camera", "gps"),
        ("/relief", "note"),
        ("/landmarks", "age"),
        ("/device_values/0", "comment"),
        ("/files/3", "owner"),
    ] {
        let error = refusal(|m| m.pointer_mut(path).unwrap()[name] = json!("1984-secret"));
        let parent = path.trim_start_matches('/').replace('/', ".");
        let parent = ["0", "2", "3"].iter().fold(parent, |p, i| {
            p.replace(&format!(".{i}"), &format!("[{i}]"))
        });
        let field = if parent.is_empty() {
            name.to_owned()
        } else {
            format!("{parent}.{name}")
        };
        assert_eq!(error, ScanError::UnknownField { field });
        assert!(error.is_refusal());
    }
    // Values of fields that exist are described, not quoted.
    for (path, value) in [
        ("/patient/email", json!("secret@")),
        ("/patient/first_name", json!("secret\nname")),
        ("/patient/first_name", json!({"secret": 1})),
        ("/patient/locale", json!("secret_locale")),
        ("/patient", json!("secret")),
        ("/scan_id", json!("secret name")),
        ("/practice_id", json!("secret name")),
        ("/captured_at", json!("secret")),
        ("/images/0/light", json!("secret")),
        ("/device_values/0/parameter", json!("secret")),
        ("/device_values/0/region", json!("secret")),
        ("/landmarks/scheme", json!("secret")),
        ("/schema", json!("secret")),
    ] {
        let error = refusal(|m| *m.pointer_mut(path).unwrap() = value.clone());
        assert_eq!(error.code(), "bad_field", "{path}: {error}");
        let field = error
            .subject()
            .unwrap()
            .replace(['.', '['], "/")
            .replace(']', "");
        assert!(path.ends_with(&field), "{path}: {field}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
    let (manifest, files) = example();
    let shown = format!("{:?}", read(&manifest, &files).unwrap());
    assert!(
        !shown.contains("Anna") && !shown.contains("example.org"),
        "{shown}"
    );
}

#[test]
fn each_rule_has_its_refusal() {
    let code = |path: &str, value: Value| {
        let error = refusal(|m| {
            let (parent, key) = path.rsplit_once('/').unwrap();
            let parent = m.pointer_mut(parent).unwrap();
            match key.parse::<usize>() {
                Ok(i) => parent[i] = value.clone(),
                Err(_) => parent[key] = value.clone(),
            }
        });
        (error.code(), error.subject().unwrap_or_default().to_owned())
    };
    let camera = json!({"fx": 1, "fy": 1, "cx": 0, "cy": 0,
        "camera_from_mesh": [1,0,0,0, 0,1,0,0, 0,0,1,0, 0,0,0,1]});
    let mirrored = json!([-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
    let scaled = json!([2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0, 1]);
    let last_row = json!([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1]);
    for (path, value, code_wanted, subject) in [
        ("/schema", json!("dermalia.scan/2"), "bad_field", "schema"),
        ("/scan_id", json!("short"), "bad_field", "scan_id"),
        ("/practice_id", json!("Praxis"), "bad_field", "practice_id"),
        ("/practice_id", json!("praxis-"), "bad_field", "practice_id"),
        (
            "/captured_at",
            json!("2026-05-14T09:31:00"),
            "bad_field",
            "captured_at",
        ),
        (
            "/captured_at",
            json!("2026-02-30T09:31:00Z"),
            "bad_field",
            "captured_at",
        ),
        (
            "/captured_at",
            json!("2026-05-14 09:31:00Z"),
            "bad_field",
            "captured_at",
        ),
        ("/device/maker", json!(""), "bad_field", "device.maker"),
        (
            "/patient/email",
            json!("a@b@c.de"),
            "bad_field",
            "patient.email",
        ),
        (
            "/patient/email",
            json!("a b@c.de"),
            "bad_field",
            "patient.email",
        ),
        (
            "/patient/email",
            json!("a@localhost"),
            "bad_field",
            "patient.email",
        ),
        (
            "/patient/email",
            json!("a@b.de\r\nBcc: c@d.de"),
            "bad_field",
            "patient.email",
        ),
        (
            "/patient/locale",
            json!("de_DE"),
            "bad_field",
            "patient.locale",
        ),
        ("/patient/locale", json!("d"), "bad_field", "patient.locale"),
        (
            "/previous_scan_id",
            json!("a/b-long-enough"),
            "bad_field",
            "previous_scan_id",
        ),
        (
            "/previous_scan_id",
            json!("D9-20260514-000123"),
            "bad_field",
            "previous_scan_id",
        ),
        ("/capture/skin", json!("dirty"), "bad_field", "capture.skin"),
        ("/mesh/unit", json!("inch"), "bad_field", "mesh.unit"),
        ("/mesh/unit", json!(null), "bad_field", "mesh.unit"),
        ("/mesh/up", json!("+x"), "bad_field", "mesh.up"),
        ("/mesh/up", json!("-x"), "bad_field", "mesh.up"),
        ("/mesh/file", json!("other.obj"), "not_listed", "mesh.file"),
        (
            "/images/0/space",
            json!("camera"),
            "missing_field",
            "images[0].camera",
        ),
        (
            "/images/0/camera",
            camera,
            "misplaced_field",
            "images[0].camera",
        ),
        (
            "/images/0/mm_per_px",
            json!(0.1),
            "misplaced_field",
            "images[0].mm_per_px",
        ),
        (
            "/images/2/camera/fx",
            json!(0),
            "bad_field",
            "images[2].camera.fx",
        ),
        (
            "/images/2/camera/camera_from_mesh",
            mirrored,
            "bad_field",
            "images[2].camera.camera_from_mesh",
        ),
        (
            "/images/2/camera/camera_from_mesh",
            scaled,
            "bad_field",
            "images[2].camera.camera_from_mesh",
        ),
        (
            "/images/2/camera/camera_from_mesh",
            last_row,
            "bad_field",
            "images[2].camera.camera_from_mesh",
        ),
        (
            "/images/2/camera/camera_from_mesh",
            json!([1, 2]),
            "bad_field",
            "images[2].camera.camera_from_mesh",
        ),
        (
            "/images/1/file",
            json!("white.png"),
            "same_picture_two_lights",
            "white.png",
        ),
        (
            "/relief/file",
            json!("white.png"),
            "used_twice",
            "relief.file",
        ),
        (
            "/relief/mm_per_level",
            json!(0),
            "bad_field",
            "relief.mm_per_level",
        ),
        (
            "/relief/space",
            json!("camera"),
            "bad_field",
            "relief.space",
        ),
        (
            "/landmarks/points",
            json!([[1, 2, 3]]),
            "bad_field",
            "landmarks.points",
        ),
        (
            "/landmarks/points/7",
            json!([1, 2, 1e9]),
            "bad_field",
            "landmarks.points[7]",
        ),
        (
            "/landmarks/points/7",
            json!([1, 2]),
            "bad_field",
            "landmarks.points[7]",
        ),
        (
            "/device_values/0/parameter",
            json!("sebum"),
            "bad_field",
            "device_values[0].parameter",
        ),
        (
            "/device_values/0/region",
            json!("ear"),
            "bad_field",
            "device_values[0].region",
        ),
        (
            "/files/0/name",
            json!("../face.obj"),
            "bad_name",
            "../face.obj",
        ),
        (
            "/files/0/name",
            json!("white.png"),
            "duplicate_name",
            "white.png",
        ),
        (
            "/files/0/name",
            json!("WHITE.png"),
            "case_collision",
            "white.png",
        ),
        (
            "/files/0/name",
            json!("manifest.json"),
            "bad_field",
            "files[0].name",
        ),
        (
            "/files/0/sha256",
            json!("00"),
            "bad_field",
            "files[0].sha256",
        ),
        ("/files/0/bytes", json!(-1), "bad_field", "files[0].bytes"),
        ("/files/0/bytes", json!(7), "size_mismatch", "face.obj"),
        (
            "/files/0/sha256",
            json!("0".repeat(64)),
            "hash_mismatch",
            "face.obj",
        ),
    ] {
        let (got, of) = code(path, value.clone());
        assert_eq!((got, of.as_str()), (code_wanted, subject), "{path} {value}");
    }
    for field in [
        "schema",
        "scan_id",
        "practice_id",
        "captured_at",
        "device",
        "images",
        "files",
    ] {
        let error = refusal(|m| drop(m.as_object_mut().unwrap().remove(field)));
        assert_eq!(
            error,
            ScanError::MissingField {
                field: field.into()
            }
        );
    }
    let error = refusal(|m| drop(m["mesh"].as_object_mut().unwrap().remove("unit")));
    assert_eq!(
        error,
        ScanError::MissingField {
            field: "mesh.unit".into()
        }
    );
}

#[test]
fn what_is_optional_may_be_absent() {
    let (mut manifest, files) = example();
    let object = manifest.as_object_mut().unwrap();
    for field in [
        "patient",
        "previous_scan_id",
        "capture",
        "landmarks",
        "device_values",
    ] {
        object.remove(field);
    }
    manifest["images"][2]["camera"]
        .as_object_mut()
        .unwrap()
        .remove("distortion");
    let scan = read(&manifest, &files).unwrap();
    assert!(scan.landmarks.is_none() && scan.manifest.patient.is_none());
    // Without a mesh the pictures are flat, and landmarks have no axes to lie in.
    let (mut manifest, mut files) = example();
    manifest.as_object_mut().unwrap().remove("mesh");
    manifest["files"].as_array_mut().unwrap().remove(0);
    files.remove(0);
    let scan = read(&manifest, &files).unwrap();
    assert!(scan.mesh.is_none() && scan.landmarks.is_none());
    assert_eq!(scan.pictures.len(), 3);
}

#[test]
fn the_bundle_and_the_list_must_agree() {
    let (manifest, files) = example();
    let mut missing = files.clone();
    missing.remove(1);
    assert_eq!(
        read(&manifest, &missing).unwrap_err(),
        ScanError::FileMissing {
            file: "white.png".into()
        }
    );
    let mut extra = files.clone();
    extra.push(("thumbs.db".into(), vec![1]));
    assert_eq!(
        read(&manifest, &extra).unwrap_err(),
        ScanError::FileExtra {
            file: "thumbs.db".into()
        }
    );
    let mut changed = files.clone();
    changed[1].1[40] ^= 1;
    assert_eq!(
        read(&manifest, &changed).unwrap_err().code(),
        "hash_mismatch"
    );
    let mut longer = files.clone();
    longer[1].1.push(0);
    assert_eq!(
        read(&manifest, &longer).unwrap_err().code(),
        "size_mismatch"
    );
    assert_eq!(
        Scan::read_files(files, &Limits::default()).unwrap_err(),
        ScanError::ManifestMissing
    );
    assert_eq!(
        Scan::read_zip(b"hello", &Limits::default()).unwrap_err(),
        ScanError::NotABundle
    );
    let nowhere = Scan::read_path(Path::new("/nowhere/at/all"), &Limits::default()).unwrap_err();
    assert!(!nowhere.is_refusal());
}

#[test]
fn equal_pictures_under_two_lights_are_a_device_fault() {
    let (mut manifest, mut files) = example();
    files[2].1 = files[1].1.clone();
    manifest["files"][2] = serde_json::to_value(FileEntry::of("cross.png", &files[2].1)).unwrap();
    assert_eq!(
        read(&manifest, &files).unwrap_err(),
        ScanError::SamePictureTwoLights {
            file: "cross.png".into(),
            other: "white.png".into()
        }
    );
}

#[test]
fn a_texture_needs_an_atlas() {
    let (mut manifest, mut files) = example();
    files[0].1 = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n".to_vec();
    manifest["files"][0] = serde_json::to_value(FileEntry::of("face.obj", &files[0].1)).unwrap();
    assert_eq!(
        read(&manifest, &files).unwrap_err(),
        ScanError::NoAtlas {
            field: "images[0]".into(),
            file: "face.obj".into()
        }
    );
}

#[test]
fn ids_must_be_those_of_the_key() {
    let (manifest, files) = example();
    let scan = read(&manifest, &files).unwrap();
    scan.expect_ids("praxis-nord", "D9-20260514-000123")
        .unwrap();
    assert_eq!(
        scan.expect_ids("praxis-nord", "D9-20260514-000124")
            .unwrap_err()
            .subject(),
        Some("scan_id")
    );
    assert_eq!(
        scan.expect_ids("praxis-sued", "D9-20260514-000123")
            .unwrap_err()
            .subject(),
        Some("practice_id")
    );
}

#[test]
fn every_limit_holds() {
    let (manifest, files) = example();
    let all = bundle(&manifest, &files);
    let total: u64 = all.iter().map(|(_, b)| b.len() as u64).sum();
    let manifest_bytes = all.last().unwrap().1.len() as u64;
    let zip = zipped(&all);
    let of = |limits: Limits| {
        let memory = Scan::read_files(all.clone(), &limits).unwrap_err();
        let archive = Scan::read_zip(&zip, &limits).unwrap_err();
        assert_eq!(memory.code(), archive.code());
        memory.code()
    };
    let default = Limits::default;
    assert_eq!(
        of(Limits {
            files: 4,
            ..default()
        }),
        "too_many_files"
    );
    assert_eq!(
        of(Limits {
            unpacked_bytes: total - 1,
            ..default()
        }),
        "unpacked_too_large"
    );
    assert_eq!(
        of(Limits {
            manifest_bytes: manifest_bytes - 1,
            ..default()
        }),
        "manifest_too_large"
    );
    assert_eq!(
        of(Limits {
            pixels: 5,
            ..default()
        }),
        "too_many_pixels"
    );
    assert_eq!(
        of(Limits {
            triangles: 1,
            ..default()
        }),
        "too_many_triangles"
    );
    let packed = Limits {
        packed_bytes: zip.len() as u64 - 1,
        ..default()
    };
    assert_eq!(
        Scan::read_zip(&zip, &packed).unwrap_err().code(),
        "packed_too_large"
    );
    let exact = Limits {
        files: 5,
        unpacked_bytes: total,
        packed_bytes: zip.len() as u64,
        pixels: 6,
        triangles: 2,
        manifest_bytes,
    };
    Scan::read_zip(&zip, &exact).unwrap();
}

#[test]
fn malformed_json_is_placed() {
    let limits = Limits::default();
    assert_eq!(
        Manifest::parse(b"{\n \"schema\": oops}", &limits).unwrap_err(),
        ScanError::ManifestSyntax {
            line: 2,
            column: 12
        }
    );
    for bad in [
        &b""[..],
        b"[]",
        b"null",
        b"{} {}",
        b"\xff",
        &[b'['; 100_000],
    ] {
        Manifest::parse(bad, &limits).unwrap_err();
    }
    let (manifest, _) = example();
    let text = manifest.to_string();
    let twice = text.replacen('{', "{\"scan_id\":\"AAAAAAAA\",", 1);
    assert_eq!(
        Manifest::parse(twice.as_bytes(), &limits).unwrap_err(),
        ScanError::DuplicateField {
            field: "scan_id".into()
        }
    );
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    Manifest::parse(&marked, &limits).unwrap();
}

/// A builder makes what the reader takes.
#[test]
fn a_built_manifest_is_checked_like_a_read_one() {
    let (manifest, _) = example();
    let mut built: Manifest = serde_json::from_value(manifest).unwrap();
    built.check(&Limits::default()).unwrap();
    built.images.push(ImageEntry {
        file: "left_uv.png".into(),
        light: Light::Uv,
        space: Space::Camera,
        view: None,
        camera: Some(Camera {
            fx: f64::NAN,
            fy: 1.0,
            cx: 0.0,
            cy: 0.0,
            camera_from_mesh: [0.0; 16],
            distortion: [0.0; 5],
        }),
        mm_per_px: None,
    });
    assert_eq!(
        built.check(&Limits::default()).unwrap_err().subject(),
        Some("images[3].camera.fx")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    /// Bytes changed anywhere in any file, hashes made to agree again: an answer.
    #[test]
    fn no_mutation_panics(
        file in 0_usize..5,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let (mut manifest, mut files) = example();
        let (name, bytes) = &mut files[file];
        for (at, value) in &changes {
            let at = at.index(bytes.len());
            bytes[at] = *value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        manifest["files"][file] =
            serde_json::to_value(FileEntry::of(name.as_str(), bytes)).unwrap();
        if let Ok(scan) = read(&manifest, &files) {
            for picture in scan.pictures.iter().chain(&scan.relief) {
                let _ = picture.decode(&Limits::default());
                let _ = picture.decode_levels(&Limits::default());
            }
        }
    }

    #[test]
    fn no_manifest_panics(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let (manifest, _) = example();
        let mut text = manifest.to_string().into_bytes();
        for (at, value) in &changes {
            let at = at.index(text.len());
            text[at] = *value;
        }
        if let Ok(manifest) = Manifest::parse(&text, &Limits::default()) {
            let again = Manifest::parse(&manifest.to_json(), &Limits::default()).unwrap();
            prop_assert_eq!(again.to_json(), manifest.to_json());
        }
    }
}
