//! Folder and archive, writing and reading.

use dermalia_scan::manifest::{Camera, FileEntry, ImageEntry, Light, Space};
use dermalia_scan::{Limits, Manifest, Scan, ScanError};
use proptest::prelude::*;

use crate::rig::{bundle, example, read, zipped};

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
