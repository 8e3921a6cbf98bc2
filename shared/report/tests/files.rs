//! The files: their names, sizes, formats and bytes.
#![allow(missing_docs, clippy::unwrap_used)]

mod fixture;

use std::sync::OnceLock;

use dermalia_findings::{Parameter, ParameterMap};
use dermalia_report::pictures::{HEAT_MAP_MAX_PX, View, heat_map, palette, stills};
use dermalia_report::{
    Artifact, ArtifactError, Locale, PracticeView, ReportRequest, render_artifacts, render_report,
    write_glb,
};
use dermalia_surface::Mesh;
use serde_json::Value;

fn decode(webp: &[u8]) -> (usize, usize, Vec<u8>, bool) {
    let image = webp::Decoder::new(webp).decode().unwrap();
    (
        image.width() as usize,
        image.height() as usize,
        image.to_vec(),
        image.is_alpha(),
    )
}

#[test]
fn a_heat_map_is_transparent_where_nothing_was_measured() {
    let map = fixture::map(Parameter::Redness, 256);
    let (w, h, px, alpha) = decode(&heat_map(&map).unwrap());
    assert_eq!((w, h, alpha), (256, 256, true));
    for (i, &level) in map.strength.iter().enumerate() {
        let a = px[4 * i + 3];
        match palette::strength(level) {
            None => assert_eq!(a, 0),
            Some(s) => assert_eq!(a, (palette::opacity(s) * 255.0 + 0.5) as u8),
        }
    }
    // The middle of a cheek is dark, its surroundings pale.
    let at = |x: usize, y: usize| f32::from(px[4 * (y * 256 + x)]);
    assert!(at(84, 153) < 90.0 && at(128, 60) > 180.0);
}

#[test]
fn a_large_heat_map_is_reduced() {
    let map = fixture::map(Parameter::Pores, 2100);
    let (w, h, _, _) = decode(&heat_map(&map).unwrap());
    assert_eq!((w, h), (700, 700));
    assert!(w <= HEAT_MAP_MAX_PX);
}

#[test]
fn faulty_pictures_are_refused() {
    let bad = ParameterMap {
        parameter: Parameter::Pores,
        width: 4,
        height: 4,
        strength: vec![1; 15],
    };
    let text = heat_map(&bad).unwrap_err().to_string();
    assert!(text.contains("15") && text.contains("16"), "{text}");
    let empty = ParameterMap {
        width: 0,
        height: 0,
        strength: vec![],
        ..bad
    };
    assert!(heat_map(&empty).is_err());
    let mut skin = fixture::skin(8);
    skin.rgb.pop();
    assert!(stills(None, &skin, &[]).is_err());
    assert!(write_glb(&fixture::head(4, 4), &skin, &[]).is_err());
}

#[test]
fn a_head_is_seen_from_three_sides() {
    let maps = fixture::maps(256);
    let all = stills(Some(&fixture::head(40, 40)), &fixture::skin(256), &maps).unwrap();
    assert_eq!(all.len(), 13);
    let front = |p| {
        all.iter()
            .find(|s| s.view == View::Front && s.parameter == p)
            .unwrap()
    };
    let (w, h, skin, _) = decode(&front(None).webp);
    assert_eq!((w, h), (720, 864));
    let (_, _, red, _) = decode(&front(Some(Parameter::Redness)).webp);
    let px = |image: &[u8], x: usize, y: usize| {
        let i = 3 * (y * w + x);
        [image[i], image[i + 1], image[i + 2]].map(i32::from)
    };
    // The corner is backdrop in both; skin is warm; the painted cheek is blue.
    assert!(px(&skin, 5, 5).iter().all(|c| *c > 200));
    let middle = px(&skin, 360, 300);
    assert!(middle[0] > middle[2] + 25, "{middle:?}");
    let cheek = (0..h)
        .flat_map(|y| (0..w).map(move |x| (x, y)))
        .filter(|&(x, y)| {
            let c = px(&red, x, y);
            c[2] > c[0] + 25
        })
        .count();
    assert!(cheek > 3000, "{cheek} blue pixels");
    // The patient's left is on the viewer's right when seen from the front, and in the
    // middle when seen from the left.
    let left = all
        .iter()
        .find(|s| s.view == View::Left && s.parameter.is_some())
        .unwrap();
    assert_eq!((left.width, left.height), (500, 600));
}

#[test]
fn the_left_view_shows_the_left_cheek() {
    let mut map = fixture::map(Parameter::Redness, 128);
    for (i, level) in map.strength.iter_mut().enumerate() {
        // One strong patch beside the ear on the side of +x, the patient's left.
        let (x, y) = (i % 128, i / 128);
        if *level > 0 {
            *level = if (96..108).contains(&x) && (50..80).contains(&y) {
                255
            } else {
                1
            };
        }
    }
    let all = stills(Some(&fixture::head(40, 40)), &fixture::skin(128), &[map]).unwrap();
    let blue = |view: View| {
        let still = all
            .iter()
            .find(|s| s.view == view && s.parameter.is_some())
            .unwrap();
        let (_, _, px, _) = decode(&still.webp);
        px.chunks_exact(3)
            .filter(|c| c[1] < 70 && c[2] > c[1])
            .count()
    };
    let (left, right) = (blue(View::Left), blue(View::Right));
    assert!(left > 2000 && left > 20 * right, "{left} {right}");
}

#[test]
fn a_photograph_is_shown_flat() {
    let maps = fixture::maps(900);
    let all = stills(None, &fixture::skin(1800), &maps).unwrap();
    assert_eq!(all.len(), 5);
    assert!(all.iter().all(|s| s.view == View::Front && s.width == 600));
    let flat = Mesh::sheet(100.0, 100.0);
    assert_eq!(
        stills(Some(&flat), &fixture::skin(64), &[]).unwrap().len(),
        1
    );
}

/// Reads a GLB: the JSON and the binary chunk.
fn read_glb(bytes: &[u8]) -> (Value, &[u8]) {
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!(&bytes[..4], b"glTF");
    assert_eq!((word(4), word(8) as usize), (2, bytes.len()));
    let json_len = word(12) as usize;
    assert_eq!((json_len % 4, &bytes[16..20]), (0, &b"JSON"[..]));
    let bin = 20 + json_len;
    let bin_len = word(bin) as usize;
    assert_eq!((bin_len % 4, &bytes[bin + 4..bin + 8]), (0, &b"BIN\0"[..]));
    assert_eq!(bin + 8 + bin_len, bytes.len());
    (
        serde_json::from_slice(&bytes[20..bin]).unwrap(),
        &bytes[bin + 8..],
    )
}

#[test]
fn a_model_comes_back_as_it_was() {
    for (columns, rows) in [(10, 10), (300, 260)] {
        let mesh = fixture::head(columns, rows);
        let skin = fixture::skin(64);
        let glb = write_glb(&mesh, &skin, &[]).unwrap();
        let (json, bin) = read_glb(&glb);
        let view = |accessor: usize| {
            let a = &json["accessors"][accessor];
            let v = &json["bufferViews"][a["bufferView"].as_u64().unwrap() as usize];
            let (start, len) = (
                v["byteOffset"].as_u64().unwrap(),
                v["byteLength"].as_u64().unwrap(),
            );
            assert_eq!(start % 4, 0);
            (&bin[start as usize..(start + len) as usize], a)
        };
        // Each value of a view with its stride, as a number.
        let numbers = |accessor: usize, width: usize| -> Vec<Vec<f32>> {
            let (raw, a) = view(accessor);
            let v = &json["bufferViews"][a["bufferView"].as_u64().unwrap() as usize];
            let stride = v["byteStride"].as_u64().unwrap() as usize;
            assert_eq!(
                (stride % 4, raw.len() / stride),
                (0, a["count"].as_u64().unwrap() as usize)
            );
            raw.chunks_exact(stride)
                .map(|b| {
                    (0..width)
                        .map(|k| match a["componentType"].as_u64().unwrap() {
                            5120 => f32::from(b[k] as i8),
                            5123 => f32::from(u16::from_le_bytes([b[2 * k], b[2 * k + 1]])),
                            other => panic!("component type {other}"),
                        })
                        .collect()
                })
                .collect()
        };
        let primitive = &json["meshes"][0]["primitives"][0];
        let at = |name: &str| primitive["attributes"][name].as_u64().unwrap() as usize;
        let (grid, normals, uvs) = (
            numbers(at("POSITION"), 3),
            numbers(at("NORMAL"), 3),
            numbers(at("TEXCOORD_0"), 2),
        );
        let node = &json["nodes"][0];
        let metres = |i: usize, k: usize| {
            let step = node["scale"][k].as_f64().unwrap();
            node["translation"][k].as_f64().unwrap() + step * f64::from(grid[i][k])
        };
        let (raw, accessor) = view(primitive["indices"].as_u64().unwrap() as usize);
        let indices: Vec<usize> = match accessor["componentType"].as_u64().unwrap() {
            5123 => raw
                .chunks_exact(2)
                .map(|b| u16::from_le_bytes([b[0], b[1]]) as usize)
                .collect(),
            5125 => raw
                .chunks_exact(4)
                .map(|b| u32::from_le_bytes(b.try_into().unwrap()) as usize)
                .collect(),
            other => panic!("component type {other}"),
        };
        let count = grid.len();
        assert_eq!(accessor["componentType"] == 5123, count <= 65535);
        let is_whole = mesh.triangles.len() <= 40_000;
        if is_whole {
            // The seam doubles the points of one column, and nothing else.
            assert_eq!(count, ((columns + 1) * (rows + 1) + rows + 1) as usize);
            assert_eq!(indices.len(), mesh.triangles.len() * 3);
            for (t, corner) in indices.chunks_exact(3).enumerate() {
                for k in 0..3 {
                    let (p, uv) = (mesh.corners(t)[k], mesh.uv_corners(t)[k]);
                    let i = corner[k];
                    for c in 0..3 {
                        let away_mm = metres(i, c) * 1000.0 - f64::from(p[c]);
                        assert!(away_mm.abs() < 0.003, "{away_mm}");
                    }
                    assert!((uvs[i][0] / 65535.0 - uv[0]).abs() < 1e-5);
                    assert!((uvs[i][1] / 65535.0 - (1.0 - uv[1])).abs() < 1e-5);
                }
            }
        } else {
            assert!(indices.len() <= 3 * 40_000 && indices.len() > 3 * 2_000);
        }
        for n in &normals {
            let length = n.iter().map(|c| c * c).sum::<f32>().sqrt() / 127.0;
            assert!((length - 1.0).abs() < 0.01, "{length}");
        }
        let (_, position) = view(at("POSITION"));
        for c in 0..3 {
            let lowest = grid.iter().map(|p| p[c]).fold(f32::INFINITY, f32::min);
            assert_eq!(position["min"][c].as_f64().unwrap() as f32, lowest);
        }
        let image = &json["images"][0];
        let v = &json["bufferViews"][image["bufferView"].as_u64().unwrap() as usize];
        let start = v["byteOffset"].as_u64().unwrap() as usize;
        let (w, h, _, _) = decode(&bin[start..start + v["byteLength"].as_u64().unwrap() as usize]);
        assert_eq!((w, h), (64, 64));
        assert_eq!(json["asset"]["version"], "2.0");
        assert_eq!(
            json["extensionsRequired"],
            serde_json::json!(["KHR_mesh_quantization", "EXT_texture_webp"])
        );
    }
}

#[test]
fn a_model_without_an_atlas_has_no_picture_and_none_without_triangles() {
    let mut mesh = fixture::head(6, 6);
    mesh.uvs.clear();
    mesh.uv_triangles.clear();
    let glb = write_glb(&mesh, &fixture::skin(8), &[]).unwrap();
    let (json, _) = read_glb(&glb);
    assert!(json.get("images").is_none() && json["extensionsUsed"][1].is_null());
    assert_eq!(json["accessors"][1]["count"], 49);
    mesh.triangles.clear();
    assert!(write_glb(&mesh, &fixture::skin(8), &[]).is_err());
}

fn artifacts() -> Vec<Artifact> {
    static MADE: OnceLock<Vec<Artifact>> = OnceLock::new();
    MADE.get_or_init(make).clone()
}

fn make() -> Vec<Artifact> {
    render_artifacts(
        &fixture::findings(),
        &fixture::maps(256),
        &fixture::skin(256),
        Some(&fixture::head(40, 40)),
    )
    .unwrap()
}

fn request(locales: &[Locale]) -> ReportRequest<'_> {
    ReportRequest {
        practice: PracticeView {
            name: Some("Praxis am Nordufer"),
            contact: None,
        },
        patient_first_name: Some("Anna"),
        locales,
        expires: Some("2028-05-14"),
        previous: None,
        asset_prefix: "",
    }
}

#[test]
fn one_analysis_leaves_its_files_and_the_report_is_made_of_them() {
    let made = artifacts();
    let names: Vec<&str> = made.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names.len(), 1 + 4 + 13 + 1);
    for expected in [
        "findings.json",
        "heat_wrinkles.webp",
        "heat_redness.webp",
        "scan.glb",
        "still_front_skin.webp",
        "still_left_pores.webp",
        "still_right_pigmentation.webp",
    ] {
        assert!(names.contains(&expected), "{expected}");
    }
    let report = render_report(&made, &request(&[Locale::De, Locale::En])).unwrap();
    let names: Vec<&str> = report.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "report.html",
            "report.en.html",
            "data.json",
            "fhir.json",
            "scan.glb"
        ]
    );
    let page = String::from_utf8(report[0].bytes.clone()).unwrap();
    assert!(page.contains("href=\"report.en.html\"") && page.contains("href=\"scan.glb\""));
    assert!(!page.contains("erase\"") && !page.contains("object\""));
    let data: Value = serde_json::from_slice(&report[2].bytes).unwrap();
    // Letter for letter what the analysis wrote.
    let stored = made.iter().find(|a| a.name == "findings.json").unwrap();
    let copy = String::from_utf8(report[2].bytes.clone()).unwrap();
    assert!(copy.contains(std::str::from_utf8(&stored.bytes).unwrap().trim()));
    assert_eq!(data["findings"]["scan_id"], "D9-20260514-000123");
    let direct: Value =
        serde_json::from_slice(&dermalia_report::data_copy(&fixture::findings()).unwrap()).unwrap();
    assert_eq!(direct, data);
    assert!(data["about"]["de"].is_string() && data["fields"]["ita"]["name"]["en"].is_string());
    // Behind a link, files are asked for by a query.
    let linked = ReportRequest {
        asset_prefix: "?",
        ..request(&[Locale::En])
    };
    let report = render_report(&made, &linked).unwrap();
    let page = String::from_utf8(report[0].bytes.clone()).unwrap();
    assert!(page.contains("href=\"?scan.glb\"") && page.contains("href=\"?data.json\""));
    // So are deletion and objection, which a page in a folder cannot offer.
    for wish in ["href=\"?erase\"", "href=\"?object\""] {
        assert!(page.contains(wish), "{wish}");
    }
    // The pictures lie beside the page, which alone is what a first view transfers.
    let names: Vec<&str> = report.iter().map(|a| a.name.as_str()).collect();
    for name in [
        "still_front_skin.webp",
        "still_left_pores.webp",
        "heat_redness.webp",
    ] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(page.contains("src=\"?still_left_pores.webp\"") && !page.contains("data:image"));
    assert!(page.contains("data-heat=\"?heat_*.webp\""));
    let portrait = made
        .iter()
        .find(|a| a.name == "still_front_skin.webp")
        .unwrap();
    let first_view = page.len() + portrait.bytes.len();
    assert!(first_view < 150_000, "{first_view} bytes");
}

#[test]
fn the_same_input_gives_the_same_bytes_on_any_number_of_threads() {
    let run = |threads: usize| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
            .install(make)
    };
    let one = run(1);
    assert_eq!(one, run(3));
    let locales = [Locale::En, Locale::De];
    assert_eq!(
        render_report(&one, &request(&locales)).unwrap(),
        render_report(&one, &request(&locales)).unwrap()
    );
}

#[test]
fn missing_or_foreign_findings_are_refused() {
    let locales = [Locale::De];
    assert!(matches!(
        render_report(&[], &request(&locales)),
        Err(ArtifactError::Missing {
            name: "findings.json"
        })
    ));
    let mut made = artifacts();
    assert!(matches!(
        render_report(&made, &request(&[])),
        Err(ArtifactError::NoLocale)
    ));
    let mut findings = fixture::findings();
    findings.schema = "dermalia.findings/9".to_owned();
    for a in &mut made {
        if a.name == "findings.json" {
            a.bytes = serde_json::to_vec(&findings).unwrap();
        }
    }
    let text = render_report(&made, &request(&locales))
        .unwrap_err()
        .to_string();
    assert!(text.contains("/9") && text.contains("/1"), "{text}");
}

#[test]
fn files_carry_no_personal_data() {
    for artifact in artifacts() {
        for needle in [&b"Anna"[..], b"@", b"Exif", b"XMP "] {
            if artifact.content_type == "image/webp" && needle == b"@" {
                continue;
            }
            if artifact.content_type == "model/gltf-binary" {
                let (json, _) = read_glb(&artifact.bytes);
                assert!(
                    !json
                        .to_string()
                        .as_bytes()
                        .windows(needle.len())
                        .any(|w| w == needle)
                );
                continue;
            }
            assert!(
                !artifact.bytes.windows(needle.len()).any(|w| w == needle),
                "{}",
                artifact.name
            );
        }
    }
}
