//! The bundle of the contract's page, with files that exist.

use std::io::{Cursor, Write as _};

use dermalia_scan::manifest::FileEntry;
use dermalia_scan::{Limits, Scan, ScanError};
use serde_json::{Value, json};

pub(crate) type Files = Vec<(String, Vec<u8>)>;

pub(crate) const OBJ: &str = "v 0 0 0\nv 3 0 0\nv 3 2 0\nv 0 2 0\nvt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\n\
                   f 1/1 2/2 3/3 4/4\n";

pub(crate) fn png(seed: u8, bits: png::BitDepth, colour: png::ColorType) -> Vec<u8> {
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
pub(crate) fn example() -> (Value, Files) {
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

pub(crate) fn bundle(manifest: &Value, files: &Files) -> Files {
    let mut bundle = files.clone();
    bundle.push((
        "manifest.json".into(),
        serde_json::to_vec(manifest).unwrap(),
    ));
    bundle
}

pub(crate) fn read(manifest: &Value, files: &Files) -> Result<Scan, ScanError> {
    Scan::read_files(bundle(manifest, files), &Limits::default())
}

pub(crate) fn zipped(files: &Files) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

pub(crate) fn refusal(change: impl Fn(&mut Value)) -> ScanError {
    let (mut manifest, files) = example();
    change(&mut manifest);
    match read(&manifest, &files) {
        Err(error) => error,
        Ok(_) => panic!("accepted"),
    }
}
