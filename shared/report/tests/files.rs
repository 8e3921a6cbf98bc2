//! The files: their names, sizes, formats and bytes.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod fixture;
mod meshopt;

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

/// A view of a model, unpacked: its bytes and its stride.
fn unpacked(json: &Value, bin: &[u8], view: usize) -> (Vec<u8>, usize) {
    let number = |v: &Value, name: &str| v[name].as_u64().unwrap_or_default() as usize;
    let view = &json["bufferViews"][view];
    let Some(packed) = view["extensions"].get("EXT_meshopt_compression") else {
        let start = number(view, "byteOffset");
        return (bin[start..start + number(view, "byteLength")].to_vec(), 1);
    };
    let (start, count, stride) = (
        number(packed, "byteOffset"),
        number(packed, "count"),
        number(packed, "byteStride"),
    );
    assert_eq!((start % 4, number(packed, "buffer")), (0, 0));
    // The view itself lies in a buffer that is not in the file.
    let fallback = &json["buffers"][number(view, "buffer")];
    assert_eq!(
        fallback["extensions"]["EXT_meshopt_compression"]["fallback"],
        true
    );
    assert!(
        number(view, "byteOffset") + number(view, "byteLength") <= number(fallback, "byteLength")
    );
    let source = &bin[start..start + number(packed, "byteLength")];
    let bytes = match packed["mode"].as_str().unwrap() {
        "ATTRIBUTES" => meshopt::vertices(source, count, stride),
        "TRIANGLES" => meshopt::triangles(source, count / 3)
            .into_iter()
            .flat_map(|i| i.to_le_bytes().into_iter().take(stride))
            .collect(),
        other => panic!("{other}"),
    };
    assert_eq!(bytes.len(), number(view, "byteLength"));
    (bytes, stride)
}

#[test]
fn a_model_comes_back_as_it_was() {
    for (columns, rows) in [(10, 10), (120, 130), (300, 260)] {
        let mesh = fixture::head(columns, rows);
        let skin = fixture::skin(64);
        let glb = write_glb(&mesh, &skin, &[]).unwrap();
        let (json, bin) = read_glb(&glb);
        let read = |accessor: &Value| {
            let accessor = &json["accessors"][accessor.as_u64().unwrap() as usize];
            let (bytes, stride) = unpacked(
                &json,
                bin,
                accessor["bufferView"].as_u64().unwrap() as usize,
            );
            assert_eq!(
                bytes.len() / stride,
                accessor["count"].as_u64().unwrap() as usize
            );
            (bytes, stride, accessor.clone())
        };
        let primitive = &json["meshes"][0]["primitives"][0];
        let shorts = |name: &str| -> Vec<Vec<u16>> {
            let (bytes, stride, accessor) = read(&primitive["attributes"][name]);
            assert_eq!(accessor["componentType"], 5123);
            let short = |b: &[u8]| u16::from_le_bytes([b[0], b[1]]);
            bytes
                .chunks_exact(stride)
                .map(|record| record.chunks_exact(2).map(short).collect())
                .collect()
        };
        let (grid, uvs) = (shorts("POSITION"), shorts("TEXCOORD_0"));
        let (bytes, stride, accessor) = read(&primitive["indices"]);
        assert_eq!(
            accessor["componentType"],
            if stride == 2 { 5123 } else { 5125 }
        );
        let indices: Vec<usize> = bytes
            .chunks_exact(stride)
            .map(|b| b.iter().rev().fold(0, |i, b| (i << 8) | usize::from(*b)))
            .collect();
        assert_eq!(stride == 2, grid.len() <= 65535);

        // A corner of the scan on the grids of the file.
        let node = &json["nodes"][0];
        let on_grid = |mm: f32, k: usize| {
            let (step, low) = (node["scale"][k].as_f64(), node["translation"][k].as_f64());
            ((f64::from(mm) / 1000.0 - low.unwrap()) / step.unwrap()).round() as i64
        };
        let texture = &json["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"];
        let scale = texture["extensions"]["KHR_texture_transform"]["scale"][0].as_f64();
        let steps = (65535.0 / scale.unwrap()).round() as f32;
        let turned = |corners: [[i64; 5]; 3]| {
            let least = (0..3).min_by_key(|&k| corners[k]).unwrap();
            [0, 1, 2].map(|k| corners[(least + k) % 3])
        };
        let mut own: Vec<_> = (0..mesh.triangles.len())
            .map(|t| {
                turned([0, 1, 2].map(|k| {
                    let (p, uv) = (mesh.corners(t)[k], mesh.uv_corners(t)[k]);
                    let atlas = |c: f32| (c * steps + 0.5) as i64;
                    [
                        atlas(uv[0]),
                        atlas(1.0 - uv[1]),
                        on_grid(p[0], 0),
                        on_grid(p[1], 1),
                        on_grid(p[2], 2),
                    ]
                }))
            })
            .collect();
        let mut kept: Vec<_> = indices
            .chunks_exact(3)
            .map(|t| {
                turned([0, 1, 2].map(|k| {
                    let (p, uv) = (&grid[t[k]], &uvs[t[k]]);
                    [uv[0], uv[1], p[0], p[1], p[2]].map(i64::from)
                }))
            })
            .collect();
        if mesh.triangles.len() <= 22_000 {
            // The seam doubles the points of one column, and nothing else.
            assert_eq!(grid.len(), ((columns + 1) * (rows + 1) + rows + 1) as usize);
            assert_eq!(own.len(), kept.len());
            own.sort_unstable();
            kept.sort_unstable();
            // Their places in the atlas, which come first, tell them apart.
            for (a, b) in own.iter().flatten().zip(kept.iter().flatten()) {
                assert_eq!(a[..2], b[..2]);
                // A point in the middle between two steps may be rounded either way.
                assert!((2..5).all(|k| (a[k] - b[k]).abs() <= 1), "{a:?} {b:?}");
            }
        } else {
            assert!(kept.len() <= 22_000 && kept.len() > 2_000);
        }
        // Fewer bytes than the numbers take by themselves.
        let model = glb.len() - json.to_string().len();
        assert!(
            model < 11 * grid.len() + 2 * indices.len() || grid.len() < 500,
            "{model} bytes"
        );

        let normals = &primitive["attributes"]["NORMAL"];
        let (bytes, _, _) = read(normals);
        let of_scan = mesh.vertex_normals();
        let decoded = meshopt::octahedral(&bytes);
        for n in &decoded {
            let length = n.iter().map(|c| c * c).sum::<f32>().sqrt();
            assert!((length - 1.0).abs() < 0.01, "{length}");
        }
        // The tip of the nose looks forward in both.
        let forward = |all: &[[f32; 3]]| all.iter().map(|n| n[2]).fold(-1.0, f32::max);
        assert!((forward(&decoded) - forward(&of_scan)).abs() < 0.02);
        for c in 0..3 {
            let lowest = grid.iter().map(|p| p[c]).min().unwrap();
            let position = primitive["attributes"]["POSITION"].as_u64().unwrap() as usize;
            assert_eq!(json["accessors"][position]["min"][c], lowest);
        }
        let image = json["images"][0]["bufferView"].as_u64().unwrap() as usize;
        let (w, h, _, _) = decode(&unpacked(&json, bin, image).0);
        assert_eq!((w, h), (64, 64));
        assert_eq!(json["asset"]["version"], "2.0");
        assert_eq!(
            json["extensionsRequired"],
            serde_json::json!([
                "KHR_mesh_quantization",
                "EXT_meshopt_compression",
                "KHR_texture_transform",
                "EXT_texture_webp"
            ])
        );
    }
}

/// As fine as a scanner's, with a picture that compresses badly.
#[test]
fn a_fine_scan_is_a_model_of_less_than_1_5_megabytes() {
    let mut skin = fixture::skin(4096);
    let mut state = 1_u32;
    for level in &mut skin.rgb {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *level = level.wrapping_add((state >> 27) as u8);
    }
    let glb = write_glb(&fixture::head(240, 220), &skin, &[]).unwrap();
    assert!(glb.len() < 1_500_000, "{} bytes", glb.len());
}

#[test]
fn a_model_without_an_atlas_has_no_picture_and_none_without_triangles() {
    let mut mesh = fixture::head(6, 6);
    mesh.uvs.clear();
    mesh.uv_triangles.clear();
    let glb = write_glb(&mesh, &fixture::skin(8), &[]).unwrap();
    let (json, _) = read_glb(&glb);
    assert!(json.get("images").is_none() && json["extensionsUsed"][2].is_null());
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
            logo: None,
        },
        patient_first_name: Some("Anna"),
        locales,
        expires: Some("2028-05-14"),
        previous: None,
        previous_files: &[],
        asset_prefix: "",
    }
}

#[test]
fn one_analysis_leaves_its_files_and_the_report_is_made_of_them() {
    let made = artifacts();
    let names: Vec<&str> = made.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names.len(), 1 + 4 + 13 + 1 + 1);
    for expected in [
        "findings.json",
        "heat_wrinkles.webp",
        "heat_redness.webp",
        "prints.bin",
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
fn the_head_of_the_scan_before_stands_beside_this_one_behind_a_link() {
    let mut made = artifacts();
    let mut earlier = fixture::findings();
    earlier.captured_at = "2025-11-12T10:00:00+01:00".to_owned();
    let mut before = made.clone();
    // What only one of the two has cannot be compared.
    made.retain(|a| a.name != "heat_pores.webp");
    before.retain(|a| a.name != "heat_redness.webp");
    let locales = [Locale::De];
    let linked = ReportRequest {
        previous: Some(&earlier),
        previous_files: &before,
        asset_prefix: "?",
        ..request(&locales)
    };
    let shown = |made: &[Artifact], request: &ReportRequest<'_>| {
        let files = render_report(made, request).unwrap();
        let page = String::from_utf8(files[0].bytes.clone()).unwrap();
        let names: Vec<String> = files
            .iter()
            .filter(|f| f.name.contains("previous"))
            .map(|f| f.name.clone())
            .collect();
        assert_eq!(!names.is_empty(), page.contains("data-before="));
        assert_eq!(!names.is_empty(), page.contains("data-act=\"compare\""));
        (names, page)
    };
    let (names, page) = shown(&made, &linked);
    assert_eq!(
        names,
        [
            "previous.glb",
            "heat_previous_wrinkles.webp",
            "heat_previous_pigmentation.webp"
        ]
    );
    assert!(page.contains("data-before=\"?previous.glb\""));
    assert!(page.contains("data-before-heats=\"wrinkles pigmentation\""));
    assert!(page.contains("Mit der Aufnahme vom 12. November 2025 vergleichen ("));
    let files = render_report(&made, &linked).unwrap();
    let named = |name: &str| files.iter().find(|f| f.name == name).unwrap();
    let model = before.iter().find(|a| a.name == "scan.glb").unwrap();
    assert_eq!(named("previous.glb").bytes, model.bytes);
    assert_eq!(named("previous.glb").content_type, "model/gltf-binary");
    // Not in a folder, not of a scan whose numbers are not told, not without either head.
    for request in [
        ReportRequest {
            asset_prefix: "",
            ..linked
        },
        ReportRequest {
            previous: None,
            ..linked
        },
        ReportRequest {
            previous_files: &before[..1],
            ..linked
        },
    ] {
        assert!(shown(&made, &request).0.is_empty());
    }
    made.retain(|a| a.name != "scan.glb");
    assert!(shown(&made, &linked).0.is_empty());
}

#[test]
fn what_changed_is_the_same_in_the_data_copy_and_in_the_bundle() {
    let made = artifacts();
    let mut earlier = fixture::findings();
    earlier.scan_id = "D9-20251112-000077".to_owned();
    earlier.captured_at = "2025-11-12T10:00:00+01:00".to_owned();
    for measure in earlier.regions.iter_mut().flat_map(|r| &mut r.measures) {
        measure.value = measure.value.map(|v| v * 0.4);
    }
    let locales = [Locale::De];
    let files = |previous| {
        let request = ReportRequest {
            previous,
            ..request(&locales)
        };
        let files = render_report(&made, &request).unwrap();
        ["data.json", "fhir.json"].map(|name| {
            let file = files.iter().find(|f| f.name == name).unwrap();
            serde_json::from_slice::<serde_json::Value>(&file.bytes).unwrap()
        })
    };
    let [data, bundle] = files(Some(&earlier));
    let changes = &data["changes"];
    assert_eq!(
        changes["previous_captured_at"],
        earlier.captured_at.as_str()
    );
    let observations: Vec<&serde_json::Value> = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| &e["resource"])
        .filter(|r| r["resourceType"] == "Observation")
        .collect();
    let change_of = |o: &serde_json::Value| {
        let all = o["extension"].as_array().unwrap();
        all.iter()
            .find(|e| e["url"].as_str().unwrap().ends_with("/change"))
            .cloned()
    };
    let (mut told, mut beyond) = (0, 0);
    for region in changes["regions"].as_array().unwrap() {
        for measure in region["measures"].as_array().unwrap() {
            let found = observations.iter().find(|o| {
                o["bodySite"]["coding"][0]["code"] == region["region"]
                    && o["code"]["coding"][0]["code"] == measure["name"]
            });
            let change = change_of(found.unwrap());
            if measure["smallest_detectable"].is_null() {
                assert_eq!(measure["verdict"], "not_comparable");
                assert_eq!(change, None);
                continue;
            }
            let change = change.unwrap();
            let part = |k: usize, value: &str| change["extension"][k][value].clone();
            assert_eq!(part(0, "valueQuantity")["value"], measure["before"]);
            assert_eq!(part(1, "valueDateTime"), earlier.captured_at.as_str());
            let least = part(2, "valueQuantity")["value"].clone();
            assert_eq!(least, measure["smallest_detectable"]);
            assert_eq!(part(3, "valueCode"), measure["verdict"]);
            told += 1;
            beyond += usize::from(measure["verdict"] == "more");
        }
    }
    assert!(told >= 50 && beyond >= 10, "{told} {beyond}");
    let [data, bundle] = files(None);
    assert!(data.get("changes").is_none());
    assert!(!bundle.to_string().contains("StructureDefinition/change"));
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
            // Among bytes of pictures it stands by chance.
            let is_picture = ["image/webp", "application/octet-stream"];
            if is_picture.contains(&artifact.content_type) && needle == b"@" {
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
