//! What a practice sees of its own: its logo on the report, the state of a mail, the
//! report in its archive's form.

use std::fs;
use std::path::Path;

use dermalia_findings::{Findings, Quality, SCHEMA};
use serde_json::Value;

use crate::program::{done, files_under, run, text};

fn refused(args: &[&str], reason: &str) {
    let output = run(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
    assert!(said.contains(reason), "{args:?}: {said}");
}

/// How many pages in a data folder show a logo, and how many there are.
fn with_logo(folder: &Path) -> (usize, usize) {
    let files = files_under(folder).into_iter();
    let read = files.map(|file| fs::read(file).unwrap());
    let pages: Vec<Vec<u8>> = read.filter(|b| b.starts_with(b"<!DOCTYPE html>")).collect();
    let image = "<img class=\"logo\" src=\"data:image/webp;base64,";
    let has = |page: &&Vec<u8>| text(page).contains(image);
    (pages.iter().filter(has).count(), pages.len())
}

#[test]
fn a_practice_puts_its_logo_on_its_reports() {
    let at = tempfile::tempdir().unwrap();
    let path = |name: &str| at.path().join(name).to_str().unwrap().to_owned();
    let data = path("data");
    let demo = |seed: &str| {
        let args = [
            "--json",
            "demo",
            "--no-serve",
            "--size",
            "512",
            "--listen",
            "127.0.0.1:0",
        ];
        done(&[&args[..], &["--seed", seed, "--data", &data]].concat());
    };
    demo("1");
    let (none, first) = with_logo(Path::new(&data));
    assert!(none == 0 && first >= 2, "{none} of {first}");

    let half = [13, 92, 99, 255, 13, 92, 99, 0].repeat(200);
    let logo = webp::Encoder::from_rgba(&half, 20, 20).encode_lossless();
    fs::write(at.path().join("logo.webp"), &*logo).unwrap();
    fs::write(at.path().join("logo.svg"), b"<svg onload='alert(1)'/>").unwrap();
    let practice = |what: &str, more: &[&str]| {
        let args = ["--json", "practice", what, "praxis-demo", "--data", &data];
        [&args[..], more]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let svg = practice("add", &["--logo", &path("logo.svg")]);
    refused(
        &svg.iter().map(String::as_str).collect::<Vec<_>>(),
        "neither PNG nor WebP",
    );
    let add = practice(
        "add",
        &["--name", "Praxis am Ufer", "--logo", &path("logo.webp")],
    );
    done(&add.iter().map(String::as_str).collect::<Vec<_>>());
    let told: Value =
        serde_json::from_str(&done(&["--json", "practice", "list", "--data", &data])).unwrap();
    assert_eq!(
        (&told["practice"], &told["logo"]),
        (&"praxis-demo".into(), &true.into())
    );

    demo("2");
    let (has, all) = with_logo(Path::new(&data));
    assert!(has >= 2 && all > has, "{has} of {all} pages");

    // The demo's patient has an address: the practice sees that the mail went out.
    let scan = "PHANTOM-00000002";
    let told: Value =
        serde_json::from_str(&done(&["--json", "link", "show", scan, "--data", &data])).unwrap();
    assert_eq!(told["mail"], "sent");

    // Taken away again, it is gone from the terms.
    let remove = practice("terms", &["--no-logo"]);
    let told: Value = serde_json::from_str(&done(
        &remove.iter().map(String::as_str).collect::<Vec<_>>(),
    ))
    .unwrap();
    assert_eq!(told["logo"], false);
}

fn findings() -> Findings {
    Findings {
        schema: SCHEMA.to_owned(),
        scan_id: "D9-20260514-000123".to_owned(),
        practice_id: "praxis-nord".to_owned(),
        captured_at: "2026-05-14T09:31:00+02:00".to_owned(),
        algorithm: "dermalia 0.1.0".to_owned(),
        quality: Quality {
            mm_per_px: None,
            focus: 0.9,
            clipped_fraction: 0.0,
            warnings: vec![],
        },
        regions: vec![],
        features: vec![],
    }
}

#[test]
fn a_printed_report_goes_into_an_archive() {
    let at = tempfile::tempdir().unwrap();
    let path = |name: &str| at.path().join(name).to_str().unwrap().to_owned();
    let (folder, out) = (path(""), path("report.dcm"));
    let export = [
        "export",
        &folder,
        "--dicom",
        "--out",
        &out,
        "--practice",
        "Praxis Nord",
    ];
    refused(&export, "data.json");
    let copy = serde_json::json!({ "schema": "dermalia.data-copy/1", "findings": findings() });
    fs::write(at.path().join("data.json"), copy.to_string()).unwrap();
    refused(&export, "report.pdf");
    fs::write(at.path().join("report.pdf"), b"<html>").unwrap();
    refused(&export, "no PDF");
    assert!(!Path::new(&out).exists());
    fs::write(at.path().join("report.pdf"), b"%PDF-1.7 printed").unwrap();
    done(&export);
    let object = fs::read(&out).unwrap();
    assert_eq!(&object[128..132], b"DICM");
    for part in [
        &b"%PDF-1.7 printed"[..],
        b"20260514093100+0200",
        b"Praxis Nord",
    ] {
        assert!(object.windows(part.len()).any(|w| w == part));
    }
    // Without saying which form, it is a wrong command line.
    let output = run(&["export", &folder, "--out", &out]);
    assert_eq!(output.status.code(), Some(64));
}
