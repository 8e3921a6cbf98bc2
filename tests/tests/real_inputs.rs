//! The program on real input: a scanned head and photographs of people.
//!
//! None of it is part of this project; the tests look for it beside the project and say
//! loudly when it is not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use dermalia_tests::{dermalia, shared_data};
use serde_json::{Value, json};

use crate::program::sha256;

/// The unit of the head's file, if the copy in NVIDIA `FaceWorks` is in centimetres.
const HEAD_UNIT_MM: f32 = 50.35;
/// The side of the head's colour map.
const MAP_PX: f64 = 1024.0;
const REGIONS: [&str; 13] = [
    "forehead",
    "glabella",
    "crows_feet_left",
    "crows_feet_right",
    "under_eye_left",
    "under_eye_right",
    "nose",
    "cheek_left",
    "cheek_right",
    "nasolabial_left",
    "nasolabial_right",
    "perioral",
    "chin",
];

/// Which way the file's v runs: the format counts it from the top of the picture.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Atlas {
    /// As the file has it, read by the letter: the picture is upside down.
    AsStored,
    /// As the format asks for.
    Turned,
}

fn write_manifest(dir: &Path, mut rest: Value) {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let files: Vec<Value> = names
        .iter()
        .map(|name| {
            let bytes = fs::read(dir.join(name)).unwrap();
            json!({ "name": name, "bytes": bytes.len(), "sha256": sha256(&bytes) })
        })
        .collect();
    let fixed = json!({
        "schema": "dermalia.scan/1",
        "scan_id": "REAL-0000001",
        "practice_id": "praxis-nord",
        "captured_at": "2026-05-14T09:31:00+02:00",
        "device": { "maker": "Test", "model": "Real input" },
        "files": files,
    });
    for (key, value) in fixed.as_object().unwrap() {
        rest[key] = value.clone();
    }
    fs::write(dir.join("manifest.json"), rest.to_string()).unwrap();
}

/// The GLB in millimetres (its unit is none of the contract's), its atlas as asked for.
fn head_in_mm(glb: &[u8], atlas: Atlas) -> Vec<u8> {
    let word = |at: usize| u32::from_le_bytes(glb[at..at + 4].try_into().unwrap());
    let text = word(12) as usize;
    let mut gltf: Value = serde_json::from_slice(&glb[20..20 + text]).unwrap();
    let mut binary = glb[28 + text..].to_vec();
    let attributes = gltf["meshes"][0]["primitives"][0]["attributes"].clone();
    let mut rewrite = |name: &str, width: usize, change: &dyn Fn(usize, f32) -> f32| {
        let index = attributes[name].as_u64().unwrap() as usize;
        let accessor = gltf["accessors"][index].clone();
        let view = &gltf["bufferViews"][accessor["bufferView"].as_u64().unwrap() as usize];
        let number = |v: &Value| v.as_u64().unwrap_or(0) as usize;
        let start = number(&view["byteOffset"]) + number(&accessor["byteOffset"]);
        let stride = number(&view["byteStride"]).max(4 * width);
        for i in 0..number(&accessor["count"]) {
            for k in 0..width {
                let at = start + i * stride + 4 * k;
                let old = f32::from_le_bytes(binary[at..at + 4].try_into().unwrap());
                binary[at..at + 4].copy_from_slice(&change(k, old).to_le_bytes());
            }
        }
        for bound in ["min", "max"] {
            if let Some(values) = gltf["accessors"][index][bound].as_array_mut() {
                for (k, v) in values.iter_mut().enumerate() {
                    *v = json!(change(k, v.as_f64().unwrap() as f32));
                }
            }
        }
    };
    rewrite("POSITION", 3, &|_, v| v * HEAD_UNIT_MM);
    if atlas == Atlas::Turned {
        rewrite("TEXCOORD_0", 2, &|k, v| if k == 1 { 1.0 - v } else { v });
    }
    let mut json = gltf.to_string().into_bytes();
    json.resize(json.len().next_multiple_of(4), b' ');
    let mut out = b"glTF".to_vec();
    let total = 28 + json.len() + binary.len();
    for part in [2, total, json.len()] {
        out.extend((part as u32).to_le_bytes());
    }
    out.extend(b"JSON");
    out.extend(&json);
    out.extend((binary.len() as u32).to_le_bytes());
    out.extend(b"BIN\0");
    out.extend(&binary);
    out
}

fn head_bundle(data: &Path, dir: &Path, atlas: Atlas) {
    let head = data.join("heads/lee_perry_smith");
    let glb = fs::read(head.join("LeePerrySmith.glb")).unwrap();
    fs::write(dir.join("head.glb"), head_in_mm(&glb, atlas)).unwrap();
    fs::copy(head.join("Map-COL.jpg"), dir.join("white.jpg")).unwrap();
    let relief = "Infinite-Level_02_Disp_NoSmoothUV-4096.jpg";
    fs::copy(head.join(relief), dir.join("relief.jpg")).unwrap();
    write_manifest(
        dir,
        json!({
            "mesh": { "file": "head.glb", "unit": "mm", "front": "+z", "up": "+y" },
            "images": [{ "file": "white.jpg", "light": "white", "space": "texture" }],
            // Nothing tells the scale of the displacement; this makes pits of 0.1 mm.
            "relief": { "file": "relief.jpg", "space": "texture",
                        "mm_per_level": 0.01, "zero_level": 128 },
        }),
    );
}

/// What the program makes of a bundle.
struct Analysed {
    findings: Value,
    out: tempfile::TempDir,
}

fn analyze(bundle: &Path) -> Analysed {
    let out = tempfile::tempdir().unwrap();
    let run = Command::new(dermalia())
        .arg("analyze")
        .arg(bundle)
        .arg("--out")
        .arg(out.path())
        .output()
        .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let findings = fs::read(out.path().join("findings.json")).unwrap();
    Analysed {
        findings: serde_json::from_slice(&findings).unwrap(),
        out,
    }
}

impl Analysed {
    fn region(&self, name: &str) -> &Value {
        let regions = self.findings["regions"].as_array().unwrap();
        regions
            .iter()
            .find(|r| r["region"] == name)
            .unwrap_or_else(|| panic!("no region {name}"))
    }

    fn area(&self, name: &str) -> f64 {
        self.region(name)["area_cm2"].as_f64().unwrap()
    }

    fn excluded(&self, name: &str) -> f64 {
        self.region(name)["excluded_cm2"].as_f64().unwrap()
    }

    fn measure(&self, region: &str, name: &str) -> &Value {
        let measures = self.region(region)["measures"].as_array().unwrap();
        measures
            .iter()
            .find(|m| m["name"] == name)
            .unwrap_or_else(|| panic!("no measure {name}"))
    }

    fn reason(&self, region: &str, name: &str) -> String {
        let m = self.measure(region, name);
        assert!(
            m["value"].is_null() && m["confidence"] == "none",
            "{name}: {m}"
        );
        m["reason"].as_str().unwrap().to_owned()
    }

    fn features(&self, kind: &str) -> Vec<&Value> {
        let all = self.findings["features"].as_array().unwrap();
        all.iter().filter(|f| f["kind"] == kind).collect()
    }

    fn warned(&self, words: &str) -> bool {
        let warnings = self.findings["quality"]["warnings"].as_array().unwrap();
        warnings.iter().any(|w| w.as_str().unwrap().contains(words))
    }

    /// Whether a heat map shows skin that was measured at a place of the picture, both from
    /// 0 at the left and at the top to 1.
    fn mask(&self) -> impl Fn([f64; 2]) -> bool + use<> {
        let bytes = fs::read(self.out.path().join("heat_pigmentation.webp")).unwrap();
        let picture = webp::Decoder::new(&bytes).decode().unwrap();
        assert!(picture.is_alpha());
        move |[x, y]| {
            let (w, h) = (picture.width() as usize, picture.height() as usize);
            let i = (y * h as f64) as usize * w + (x * w as f64) as usize;
            picture[4 * i + 3] > 0
        }
    }

    fn assert_all_regions(&self) {
        assert!(!self.warned("no face"), "{}", self.findings["quality"]);
        for name in REGIONS {
            self.region(name);
        }
        self.region("face");
    }
}

fn numbers(text: &str) -> Vec<f64> {
    text.split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .filter_map(|w| w.parse().ok())
        .collect()
}

/// Pores are refused with the scale that there is and the one that they need.
fn assert_too_coarse_for_pores(result: &Analysed, got: std::ops::Range<f64>) {
    assert!(result.features("pore").is_empty());
    for name in ["pore_density", "pore_diameter_mean", "pore_area_fraction"] {
        let reason = result.reason("face", name);
        assert!(reason.contains("too coarse for pores"), "{reason}");
        let numbers = numbers(&reason);
        assert!(got.contains(&numbers[0]) && numbers[1] == 0.15, "{reason}");
    }
}

/// Sizes of an adult man's face, wide enough for any.
fn assert_head_regions(head: &Analysed) {
    head.assert_all_regions();
    for (name, range) in [
        ("forehead", 20.0..70.0),
        ("glabella", 3.0..15.0),
        ("nose", 15.0..40.0),
        ("perioral", 8.0..40.0),
        ("chin", 2.0..30.0),
        ("face", 150.0..350.0),
    ] {
        assert!(
            range.contains(&head.area(name)),
            "{name} {}",
            head.area(name)
        );
    }
    let whole = |name: &str| head.area(name) + head.excluded(name);
    for (name, range) in [
        ("crows_feet", 3.0..15.0),
        ("under_eye", 3.0..15.0),
        ("cheek", 30.0..70.0),
        ("nasolabial", 2.0..12.0),
    ] {
        let sides = ["left", "right"].map(|side| whole(&format!("{name}_{side}")));
        assert!(sides.iter().all(|a| range.contains(a)), "{name} {sides:?}");
        let ratio = sides[0] / sides[1];
        assert!((0.6..1.67).contains(&ratio), "{name} {sides:?}");
    }
    let sum: f64 = REGIONS.iter().map(|r| head.area(r)).sum();
    assert!((sum / head.area("face") - 1.0).abs() < 0.02, "{sum}");

    // The patient's left is at +x.
    let mut sided = 0;
    for feature in head.findings["features"].as_array().unwrap() {
        let point = feature.get("centre_mm").unwrap_or(&feature["path_mm"][0]);
        let x = point[0].as_f64().unwrap();
        let region = feature["region"].as_str().unwrap();
        let side = [("_left", 1.0), ("_right", -1.0)];
        if let Some((_, sign)) = side.iter().find(|(end, _)| region.ends_with(end)) {
            assert!(sign * x > 5.0, "{region} at x {x}");
            sided += 1;
        }
    }
    assert!(sided >= 5, "only {sided} features lie to a side");
}

fn assert_head_masks(head: &Analysed) {
    // The beard's shadow covers the jaw and the lips part of the region around the mouth;
    // the brows reach into the forehead's lower edge and between the brows.
    for (name, least) in [
        ("chin", 5.0),
        ("cheek_left", 5.0),
        ("cheek_right", 4.0),
        ("perioral", 4.0),
        ("forehead", 1.0),
        ("glabella", 0.3),
    ] {
        assert!(
            head.excluded(name) > least,
            "{name} {}",
            head.excluded(name)
        );
    }
    // Places on the colour map, in its pixels, found by looking at it.
    let measured = head.mask();
    let at = |[x, y]: [f64; 2]| measured([x / MAP_PX, y / MAP_PX]);
    for (what, places) in [
        (
            "brow",
            [
                [430.0, 262.0],
                [400.0, 270.0],
                [590.0, 262.0],
                [620.0, 266.0],
            ],
        ),
        (
            "lip",
            [
                [512.0, 478.0],
                [480.0, 478.0],
                [545.0, 478.0],
                [500.0, 490.0],
            ],
        ),
        (
            "beard",
            [
                [375.0, 570.0],
                [470.0, 570.0],
                [660.0, 520.0],
                [640.0, 500.0],
            ],
        ),
        (
            "eye",
            [
                [435.0, 303.0],
                [450.0, 303.0],
                [590.0, 303.0],
                [575.0, 303.0],
            ],
        ),
        (
            "scalp",
            [
                [512.0, 60.0],
                [250.0, 250.0],
                [512.0, 800.0],
                [770.0, 370.0],
            ],
        ),
    ] {
        for place in places {
            assert!(!at(place), "{what} measured at {place:?}");
        }
    }
    for place in [
        [400.0, 400.0],
        [630.0, 390.0],
        [420.0, 350.0],
        [512.0, 190.0],
        [460.0, 200.0],
        [560.0, 200.0],
        [512.0, 380.0],
        [430.0, 470.0],
    ] {
        assert!(at(place), "skin not measured at {place:?}");
    }
}

/// One mole lies on the measured skin, on the right cheek; those on the jaw are in the
/// beard's shadow, the darkest of all on neck and shoulders.
fn assert_head_moles(head: &Analysed) {
    let mole = [418.0 / MAP_PX, 1.0 - 452.0 / MAP_PX];
    let spots = head.features("spot");
    let found = spots.iter().find(|s| {
        let off = [0, 1].map(|k| s["centre_uv"][k].as_f64().unwrap() - mole[k]);
        // A pixel of the map is half a millimetre wide.
        off[0].hypot(off[1]) * MAP_PX * 0.5 < 2.0
    });
    let found = found.unwrap_or_else(|| panic!("the mole is not among {spots:?}"));
    assert!(
        ["cheek_right", "nasolabial_right"].contains(&found["region"].as_str().unwrap()),
        "{found}"
    );
    let area = found["area_mm2"].as_f64().unwrap();
    assert!((1.0..8.0).contains(&area), "{found}");
    assert!(found["contrast_de00"].as_f64().unwrap() > 5.0, "{found}");
    assert!(
        spots.len() < 15,
        "{} spots on almost clear skin",
        spots.len()
    );
}

#[test]
fn a_scanned_head_is_measured_where_it_has_skin_whichever_way_its_atlas_runs() {
    let Some(data) = shared_data() else { return };
    let mut both = vec![];
    for atlas in [Atlas::Turned, Atlas::AsStored] {
        let bundle = tempfile::tempdir().unwrap();
        head_bundle(&data, bundle.path(), atlas);
        let head = analyze(bundle.path());
        assert_eq!(head.warned("upside down"), atlas == Atlas::AsStored);
        assert_head_regions(&head);
        assert_head_masks(&head);
        assert_head_moles(&head);
        assert_too_coarse_for_pores(&head, 0.45..0.6);
        let scale = head.findings["quality"]["mm_per_px"].as_f64().unwrap();
        assert!((0.45..0.6).contains(&scale), "{scale} mm/px of the picture");
        let sa = head.measure("face", "sa")["value"].as_f64();
        assert!(
            sa.is_some_and(|sa| sa > 1.0),
            "the relief carries roughness"
        );
        assert!(head.out.path().join("scan.glb").exists());
        both.push(head);
    }
    let [turned, stored] = &both[..] else {
        unreachable!()
    };
    for name in REGIONS {
        let areas = [turned.area(name), stored.area(name)];
        assert!(
            (areas[0] - areas[1]).abs() < 0.3 + 0.02 * areas[0],
            "{name} {areas:?}"
        );
    }
    for (name, within) in [
        ("ita", 0.5),
        ("a_star", 0.3),
        ("melanin_index", 0.5),
        ("sa", 1.0),
    ] {
        let of = |r: &Analysed| r.measure("face", name)["value"].as_f64().unwrap();
        assert!((of(turned) - of(stored)).abs() < within, "{name}");
    }
}

/// A bundle of one photograph of the data set.
fn photo(data: &Path, file: &str) -> Analysed {
    let bundle = tempfile::tempdir().unwrap();
    let from = data.join("face_photos").join(file);
    let name = PathBuf::from("photo").with_extension(from.extension().unwrap());
    fs::copy(&from, bundle.path().join(&name)).unwrap();
    write_manifest(
        bundle.path(),
        json!({ "images": [{ "file": name, "light": "white", "space": "photo" }] }),
    );
    let result = analyze(bundle.path());
    result.assert_all_regions();
    assert!(!result.out.path().join("scan.glb").exists());
    result
}

/// Whether places of a photograph, in its pixels, were measured or not as they should be.
fn assert_places(result: &Analysed, size: [f64; 2], hidden: &[[f64; 2]], skin: &[[f64; 2]]) {
    let measured = result.mask();
    let at = |p: &[f64; 2]| measured([p[0] / size[0], p[1] / size[1]]);
    for place in hidden {
        assert!(!at(place), "measured at {place:?}, where no skin is seen");
    }
    for place in skin {
        assert!(at(place), "skin not measured at {place:?}");
    }
}

/// 22 megapixels and a man with glasses and stubble, a little turned.
#[test]
fn a_large_photograph_is_measured_beside_glasses() {
    let Some(data) = shared_data() else { return };
    let result = photo(&data, "Christophe_Henner_-_June_2016.jpg");
    let scale = result.findings["quality"]["mm_per_px"].as_f64().unwrap();
    // 63 mm between the pupils say 0.06, within 15 %.
    assert!((0.045..0.075).contains(&scale), "{scale}");
    assert!(result.warned("iris") && result.warned("measured flat"));
    // Fine enough to count pores, but the scale is no more than an estimate.
    for name in ["pore_density", "spot_density", "wrinkle_length_density"] {
        let confidence = &result.measure("face", name)["confidence"];
        assert!(confidence == "low" || confidence == "none", "{name}");
    }
    for name in ["wrinkle_depth_mean", "sa"] {
        assert!(result.reason("face", name).contains("no relief"));
    }
    assert!((60.0..180.0).contains(&result.area("face")));
    assert!(result.excluded("face") > 15.0);
    assert_places(
        &result,
        [5760.0, 3840.0],
        // Frame, bridge, eyes, lips, hair.
        &[
            [1804.0, 1243.0],
            [2287.0, 1243.0],
            [2918.0, 1124.0],
            [1099.0, 1336.0],
            [1767.0, 1336.0],
            [2305.0, 2449.0],
            [2900.0, 300.0],
        ],
        &[
            [1248.0, 2078.0],
            [1804.0, 742.0],
            [2324.0, 1596.0],
            [2287.0, 2635.0],
        ],
    );
}

#[test]
fn coarse_photographs_refuse_what_they_cannot_carry() {
    let Some(data) = shared_data() else { return };
    // Looks to the side, so that no iris gives the scale.
    let result = photo(&data, "800px-Guido-portrait-2014.jpg");
    assert!(result.features("pore").is_empty() && result.features("spot").is_empty());
    for name in ["pore_density", "pore_diameter_mean", "spot_density", "sa"] {
        result.reason("face", name);
    }
    if result.findings["quality"]["mm_per_px"].is_null() {
        assert!(result.warned("no scale"));
        for region in result.findings["regions"].as_array().unwrap() {
            assert!(region["area_cm2"].is_null() && region["excluded_cm2"].is_null());
        }
        assert!(result.findings["features"].as_array().unwrap().is_empty());
    }
    assert_places(
        &result,
        [800.0, 533.0],
        // Eyes, rims, moustache, beard, ear.
        &[
            [283.0, 223.0],
            [377.0, 221.0],
            [373.0, 268.0],
            [299.0, 323.0],
            [355.0, 401.0],
            [520.0, 260.0],
        ],
        &[[355.0, 169.0], [410.0, 285.0], [314.0, 267.0]],
    );

    let result = photo(&data, "astronaut.png");
    assert_too_coarse_for_pores(&result, 1.0..2.0);
    assert!(result.reason("face", "spot_density").contains("too coarse"));
    assert!(result.warned("pores need 0.15 mm"));
    assert!((60.0..250.0).contains(&result.area("face")));
    let ita = result.measure("face", "ita");
    assert!(ita["value"].is_number() && ita["confidence"] != "high");
}

/// One photograph of a bearded man as RGB, CMYK and grey.
#[test]
fn one_photograph_in_three_encodings_tells_the_same() {
    let Some(data) = shared_data() else { return };
    let name = |end: &str| format!("variants/Giunchedi%2C_Filippo_January_2015_01{end}.jpg");
    let [rgb, cmyk, grey] = ["", "-cmyk", "-grayscale"].map(|end| photo(&data, &name(end)));
    for result in [&rgb, &cmyk, &grey] {
        assert_too_coarse_for_pores(result, 0.7..0.95);
    }
    for result in [&rgb, &cmyk] {
        assert!(result.warned("hidden by hair, beard or glasses"));
        for region in ["perioral", "chin"] {
            assert!(
                result.excluded(region) > 2.0 * result.area(region),
                "{region}"
            );
        }
        assert_places(
            result,
            [800.0, 533.0],
            &[
                [350.0, 265.0],
                [450.0, 257.0],
                [400.0, 220.0],
                [365.0, 168.0],
            ],
            &[
                [400.0, 123.0],
                [350.0, 190.0],
                [450.0, 197.0],
                [400.0, 185.0],
            ],
        );
    }
    // The CMYK file was made without a profile of its inks, so colours differ by a few
    // levels; what is masked by colour may then differ along its edges.
    for region in REGIONS {
        let [a, b] = [&rgb, &cmyk].map(|r| r.area(region));
        assert!((a - b).abs() < 0.15 + 0.03 * a, "{region} {a} {b}");
    }
    for (name, within) in [
        ("ita", 3.0),
        ("a_star", 0.6),
        ("melanin_index", 0.6),
        ("erythema_index", 1.0),
    ] {
        let [a, b] = [&rgb, &cmyk].map(|r| r.measure("face", name)["value"].as_f64().unwrap());
        assert!((a - b).abs() < within, "{name} {a} {b}");
        assert_eq!(
            grey.reason("face", name),
            "the picture carries no colour",
            "{name}"
        );
    }
    for name in ["spot_density", "red_area_fraction"] {
        assert_eq!(grey.reason("face", name), "the picture carries no colour");
    }
    assert!(grey.features("spot").is_empty() && grey.features("red_area").is_empty());
    assert!(!grey.out.path().join("heat_pigmentation.webp").exists());
}
