//! What the manifest, the files, the key and the limits must agree on.

use std::path::Path;

use dermalia_scan::manifest::FileEntry;
use dermalia_scan::{Limits, Scan, ScanError};

use crate::rig::{bundle, example, read, zipped};

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
