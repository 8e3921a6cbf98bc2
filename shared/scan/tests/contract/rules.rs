//! What a manifest may say, and what it must not.

use dermalia_scan::ScanError;
use serde_json::{Value, json};

use crate::rig::{example, read, refusal};

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
