//! The published reference surfaces, to all digits of their reference parameters.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Cursor, Read};
use std::path::PathBuf;

use dermalia_analysis::iso25178::{HeightParameters, height_parameters, remove_plane};

fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("DERMALIA_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join(path);
    if path.exists() {
        return Some(path);
    }
    eprintln!("SKIPPED: {} is absent", path.display());
    None
}

fn tag<'a>(xml: &'a str, name: &str) -> &'a str {
    let from = xml.find(&format!("<{name}>")).unwrap() + name.len() + 2;
    let to = xml[from..].find('<').unwrap();
    &xml[from..from + to]
}

/// Heights in um and the width of a raster.
fn read(name: &str, bytes: &[u8]) -> (Vec<f64>, usize) {
    if name.ends_with(".sdf") {
        let text = std::str::from_utf8(bytes).unwrap();
        let body = text.split('*').nth(1).unwrap();
        let scale = 1e-6 * 1e6;
        return (
            body.split_whitespace()
                .map(|z| z.parse::<f64>().unwrap() * scale)
                .collect(),
            7,
        );
    }
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut xml = String::new();
    archive
        .by_name("main.xml")
        .unwrap()
        .read_to_string(&mut xml)
        .unwrap();
    let mut data = vec![];
    archive
        .by_name("bindata/data.bin")
        .unwrap()
        .read_to_end(&mut data)
        .unwrap();
    let cz = &xml[xml.find("<CZ>").unwrap()..];
    let heights = if tag(cz, "DataType") == "D" {
        data.chunks_exact(8)
            .map(|c| f64::from_le_bytes(c.try_into().unwrap()) * 1e6)
            .collect()
    } else {
        data.chunks_exact(4)
            .map(|c| f64::from(f32::from_le_bytes(c.try_into().unwrap())) * 1e6)
            .collect()
    };
    (heights, tag(&xml, "SizeX").parse().unwrap())
}

fn parameter(p: &HeightParameters, name: &str) -> Option<f64> {
    Some(match name {
        "Sa" => p.sa,
        "Sq" => p.sq,
        "Sp" => p.sp,
        "Sv" => p.sv,
        "Sz" => p.sz,
        "Ssk" => p.ssk,
        "Sku" => p.sku,
        _ => return None,
    })
}

#[test]
fn reference_surfaces_agree_to_every_printed_digit() {
    let Some(table) = shared("roughness/reference_parameters.csv") else {
        return;
    };
    let mut compared = 0;
    for line in std::fs::read_to_string(&table).unwrap().lines().skip(1) {
        let f: Vec<&str> = line.split(',').collect();
        let bytes = std::fs::read(table.with_file_name(f[0])).unwrap();
        let (mut z, width) = read(f[0], &bytes);
        if f[1].contains("plane removed") {
            remove_plane(&mut z, width);
        }
        let p = height_parameters(z.iter().map(|&z| (z, 1.0))).unwrap();
        let Some(value) = parameter(&p, f[2]) else {
            continue;
        };
        let expected: f64 = f[3].parse().unwrap();
        let digits = f[3]
            .trim_start_matches(['-', '0', '.'])
            .chars()
            .filter(char::is_ascii_digit)
            .count();
        // One unit of the last printed digit.
        let unit = 10_f64.powf(expected.abs().log10().floor() + 1.0 - digits as f64);
        assert!(
            (value - expected).abs() <= unit,
            "{} {} {}: {value} against {expected}",
            f[0],
            f[1],
            f[2]
        );
        compared += 1;
    }
    assert!(compared >= 24, "{compared}");
}
