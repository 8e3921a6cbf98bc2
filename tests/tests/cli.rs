//! The command line as a user and a script meet it: the real program, its files, its exit
//! codes and what it prints.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use dermalia_findings::{Confidence, Feature, Findings, MeasureName, Region, SCHEMA, Source};
use dermalia_phantom::score::Score;
use dermalia_phantom::{Phantom, PhantomOptions, Truth};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{done, lines, run, text};

/// Every file of a folder by name, without going deeper.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, fs::read(path).unwrap())
        })
        .collect()
}

fn assert_same(a: &Path, b: &Path) {
    let (a, b) = (files(a), files(b));
    assert!(!a.is_empty());
    assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
    for (name, bytes) in a {
        assert!(bytes == b[&name], "{name} differs");
    }
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }
}

fn findings(dir: &str) -> Findings {
    serde_json::from_slice(&fs::read(Path::new(dir).join("findings.json")).unwrap()).unwrap()
}

#[test]
fn the_same_scan_gives_the_same_bytes_whatever_the_threads_and_the_wrapping() {
    let at = Folder::new();
    let (folder, again, zip) = (at.path("folder"), at.path("again"), at.path("zip"));
    let phantom = ["phantom", "--seed", "5", "--size", "512", "--out"];
    let with = |more: &[&str]| done(&[&phantom[..], more].concat());
    assert!(with(&[&folder]).contains("bundle"));
    with(&[&again]);
    assert_same(
        &Path::new(&folder).join("bundle"),
        &Path::new(&again).join("bundle"),
    );
    let truth = fs::read(Path::new(&folder).join("truth.json")).unwrap();
    assert!(truth == fs::read(Path::new(&again).join("truth.json")).unwrap());
    with(&[&zip, "--zip"]);
    let archive = Path::new(&zip).join("bundle.zip");
    assert!(fs::read(&archive).unwrap().starts_with(b"PK"));
    assert!(!Path::new(&zip).join("bundle").exists());

    let (one, two, packed) = (at.path("one"), at.path("two"), at.path("packed"));
    done(&["analyze", &folder, "--out", &one, "--threads", "1"]);
    done(&["analyze", &folder, "--out", &two, "--threads", "2"]);
    done(&["analyze", archive.to_str().unwrap(), "--out", &packed]);
    assert_same(Path::new(&one), Path::new(&two));
    assert_same(Path::new(&one), Path::new(&packed));

    // A second run replaces the first: the same bytes, and nothing that is not its own.
    for stale in ["heat_hydration.webp", "still_front_nothing.webp"] {
        fs::write(Path::new(&two).join(stale), b"an earlier scan").unwrap();
    }
    fs::write(Path::new(&two).join("findings.json"), b"{}").unwrap();
    done(&["analyze", &folder, "--out", &two]);
    assert_same(Path::new(&one), Path::new(&two));

    // 0.47 mm a pixel shows no pore, and the findings say so.
    let low = findings(&one);
    let pores = low
        .region(Region::Face)
        .unwrap()
        .measure(MeasureName::PoreDensity)
        .unwrap();
    assert_eq!((pores.value, pores.confidence), (None, Confidence::None));
    assert!(pores.reason.as_deref().unwrap().contains("mm/px"));
    assert!(
        !low.features
            .iter()
            .any(|f| matches!(f, Feature::Pore { .. }))
    );

    // The report too is written twice with the same bytes, in either language first.
    let (page, copy) = (at.path("page"), at.path("copy"));
    done(&["report", &one, "--out", &page]);
    done(&["report", &two, "--out", &copy]);
    done(&["report", &two, "--out", &copy]);
    assert_same(Path::new(&page), Path::new(&copy));
    done(&["report", &one, "--locale", "en", "--out", &copy]);
    let english = fs::read_to_string(Path::new(&copy).join("report.html")).unwrap();
    assert!(english.contains("<html lang=\"en\""));
    assert!(
        Path::new(&copy).join("report.de.html").is_file(),
        "the other language"
    );
}

/// The fields of an object, sorted.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    keys.sort_unstable();
    keys
}

/// Every rule of `dermalia.findings/1` that can be checked from outside.
fn assert_contract(raw: &Value) {
    assert_eq!(
        keys(raw),
        [
            "algorithm",
            "captured_at",
            "features",
            "practice_id",
            "quality",
            "regions",
            "scan_id",
            "schema"
        ]
    );
    assert_eq!(raw["schema"], SCHEMA);
    assert_eq!(
        keys(&raw["quality"]),
        ["clipped_fraction", "focus", "mm_per_px", "warnings"]
    );
    let regions = raw["regions"].as_array().unwrap();
    let names: Vec<&str> = regions
        .iter()
        .map(|r| r["region"].as_str().unwrap())
        .collect();
    let expected: Vec<&str> = Region::ALL.iter().map(|r| r.as_str()).collect();
    assert_eq!(names, expected);
    assert_eq!((names.len(), names.last()), (14, Some(&"face")));
    for region in regions {
        assert_eq!(
            keys(region),
            ["area_cm2", "excluded_cm2", "measures", "region"]
        );
        let measures = region["measures"].as_array().unwrap();
        assert_eq!(measures.len(), 21, "{}", region["region"]);
        for (measure, name) in measures.iter().zip(MeasureName::ALL) {
            // Beyond the contract's fields, a computed value has its 95 % interval.
            let computed = measure["source"] == "computed" && !measure["value"].is_null();
            let mut fields = vec!["confidence", "name", "reason", "source", "unit", "value"];
            if computed {
                fields.insert(1, "interval");
            }
            assert_eq!(keys(measure), fields);
            assert_eq!(measure["name"], name.as_str());
            let device = measure["source"] == "device";
            // A probe states its own unit.
            assert!(device || measure["unit"] == name.unit(), "{measure}");
            assert!(!device || *name == MeasureName::Hydration, "{measure}");
            let none = measure["confidence"] == "none";
            assert_eq!(measure["value"].is_null(), none, "{measure}");
            // A probe's value names its instrument; else a reason goes with a reservation.
            assert_eq!(
                measure["reason"].is_string(),
                device || measure["confidence"] != "high",
                "{measure}"
            );
        }
    }
    for feature in raw["features"].as_array().unwrap() {
        let expected: &[&str] = match feature["kind"].as_str().unwrap() {
            "wrinkle" => &[
                "depth_mm",
                "kind",
                "length_mm",
                "path_mm",
                "path_uv",
                "region",
                "width_mm",
            ],
            "pore" => &["centre_mm", "centre_uv", "diameter_mm", "kind", "region"],
            "spot" => &[
                "area_mm2",
                "centre_mm",
                "centre_uv",
                "contrast_de00",
                "kind",
                "region",
            ],
            "red_area" => &[
                "area_mm2",
                "centre_mm",
                "centre_uv",
                "contrast_a",
                "kind",
                "region",
            ],
            other => panic!("a feature of kind {other}"),
        };
        assert_eq!(keys(feature), expected);
        assert!(names.contains(&feature["region"].as_str().unwrap()));
    }
}

#[test]
fn what_is_measured_agrees_with_the_truth_and_stands_in_the_report() {
    let at = Folder::new();
    let (phantom, out, page) = (at.path("phantom"), at.path("out"), at.path("page"));
    done(&["phantom", "--seed", "11", "--out", &phantom]);
    let steps = lines(&done(&["--json", "analyze", &phantom, "--out", &out]));
    assert!(steps.iter().any(|s| s["step"] == "measure"));
    let written = steps.last().unwrap();
    for parameter in ["wrinkles", "pores", "pigmentation", "redness"] {
        let name = format!("heat_{parameter}.webp");
        assert!(
            written["files"]
                .as_array()
                .unwrap()
                .contains(&json!(name.clone()))
        );
        let picture = fs::read(Path::new(&out).join(&name)).unwrap();
        assert!(picture.starts_with(b"RIFF") && &picture[8..12] == b"WEBP");
    }
    let model = fs::read(Path::new(&out).join("scan.glb")).unwrap();
    assert!(model.starts_with(b"glTF"));
    let raw = fs::read(Path::new(&out).join("findings.json")).unwrap();
    assert_contract(&serde_json::from_slice(&raw).unwrap());

    let found = findings(&out);
    let truth: Truth =
        serde_json::from_slice(&fs::read(Path::new(&phantom).join("truth.json")).unwrap()).unwrap();
    let score = Score::of(&found, &truth);
    for (what, f1) in [
        ("pores", score.pores.f1),
        ("spots", score.spots.f1),
        ("red areas", score.red_areas.f1),
        ("wrinkles", score.wrinkles.f1),
    ] {
        assert!(f1 >= 0.8, "{what}: F1 {f1}\n{score:#?}");
    }
    for region in Region::ALL {
        let (found, truth) = (found.region(region).unwrap(), truth.region(region).unwrap());
        let ratio = found.area_cm2.unwrap() / truth.area_cm2;
        assert!((ratio - 1.0).abs() <= 0.03, "{region}: area x {ratio}");
        if let Some(ita) = score.measure(region, MeasureName::Ita) {
            assert!(ita.difference().unwrap().abs() <= 1.5, "{ita:?}");
        }
    }
    // The probe's values are the probe's, in its own unit.
    let probe = found
        .region(Region::Forehead)
        .unwrap()
        .measure(MeasureName::Hydration)
        .unwrap();
    assert_eq!((probe.source, probe.unit.as_str()), (Source::Device, "AU"));

    // The report says the same numbers, with each language's decimal sign.
    done(&[
        "report",
        &out,
        "--out",
        &page,
        "--practice",
        "Praxis <Nord>",
    ]);
    let face = found.region(Region::Face).unwrap();
    let depth = face.measure(MeasureName::WrinkleDepthMean).unwrap();
    let pores = face.measure(MeasureName::PoreDensity).unwrap();
    let numbers = [
        format!("{:.2}", depth.value.unwrap()),
        format!("{:.1}", pores.value.unwrap()),
    ];
    for (name, language, german) in [("report.html", "de", true), ("report.en.html", "en", false)] {
        let html = fs::read_to_string(Path::new(&page).join(name)).unwrap();
        assert!(html.contains(&format!("<html lang=\"{language}\"")));
        assert!(html.contains("Praxis &lt;Nord&gt;") && !html.contains("<Nord>"));
        for number in &numbers {
            let number = if german {
                number.replace('.', ",")
            } else {
                number.clone()
            };
            assert!(html.contains(&number), "{name} lacks {number}");
        }
    }
    let copy: Value =
        serde_json::from_slice(&fs::read(Path::new(&page).join("data.json")).unwrap()).unwrap();
    assert!(copy.to_string().contains(&truth.scan_id));
    assert!(fs::read(Path::new(&page).join("scan.glb")).unwrap() == model);
}

/// Noise makes a line or a speck out of nothing now and then. What is tolerated on the whole
/// face: one spot, one red area, two short wrinkles, and a pore for each 10 cm2.
#[test]
fn clean_skin_has_next_to_no_features() {
    let at = Folder::new();
    let (phantom, out) = (at.path("phantom"), at.path("out"));
    done(&["phantom", "--seed", "4", "--clean", "--out", &phantom]);
    done(&["analyze", &phantom, "--out", &out]);
    let found = findings(&out);
    let face_cm2 = found.region(Region::Face).unwrap().area_cm2.unwrap();
    assert!(face_cm2 > 200.0);
    let (mut spots, mut wrinkles, mut red_areas, mut pores) = (0, 0, 0, 0.0);
    for feature in &found.features {
        match feature {
            Feature::Spot { .. } => spots += 1,
            Feature::Wrinkle { .. } => wrinkles += 1,
            Feature::RedArea { .. } => red_areas += 1,
            Feature::Pore { .. } => pores += 1.0,
        }
    }
    assert!(
        spots <= 1 && wrinkles <= 2 && red_areas <= 1 && pores <= face_cm2 / 10.0,
        "{spots} spots, {wrinkles} wrinkles, {red_areas} red areas, {pores} pores"
    );
}

type Spoil = fn(&Path, &mut Value);

#[test]
fn a_refused_bundle_says_why_and_leaves_nothing() {
    let at = Folder::new();
    let options = PhantomOptions {
        size_px: 256,
        first_name: Some("Xanthippe".to_owned()),
        email: Some("canary@example.org".to_owned()),
        locale: Some("de".to_owned()),
        ..PhantomOptions::default()
    };
    let phantom = Phantom::generate(&options).unwrap();
    // What is done to the bundle; the code, the subject and words of the message.
    let table: &[(Spoil, &str, Value, &[&str])] = &[
        (
            |_, manifest| manifest["patient"]["date_of_birth"] = "1980-02-29".into(),
            "unknown_field",
            json!("patient.date_of_birth"),
            &["patient.date_of_birth"],
        ),
        (
            |dir, _| {
                let path = dir.join("white.png");
                let mut bytes = fs::read(&path).unwrap();
                *bytes.last_mut().unwrap() ^= 1;
                fs::write(path, bytes).unwrap();
            },
            "hash_mismatch",
            json!("white.png"),
            &["SHA-256", "files says"],
        ),
        (
            |dir, _| {
                let path = dir.join("face.obj");
                let mut bytes = fs::read(&path).unwrap();
                bytes.push(b'\n');
                fs::write(path, bytes).unwrap();
            },
            "size_mismatch",
            json!("face.obj"),
            &["bytes", "files says"],
        ),
        (
            |dir, _| fs::remove_file(dir.join("cross.png")).unwrap(),
            "file_missing",
            json!("cross.png"),
            &["missing"],
        ),
        (
            |dir, _| fs::write(dir.join("notes.txt"), b"canary").unwrap(),
            "file_extra",
            json!("notes.txt"),
            &["not listed"],
        ),
        (
            |dir, _| {
                // A sparse file: nothing of it is read.
                let file = fs::File::create(dir.join("huge.png")).unwrap();
                file.set_len(1 << 33).unwrap();
            },
            "unpacked_too_large",
            Value::Null,
            &["bytes", "at most"],
        ),
        (
            |_, manifest| manifest["schema"] = "dermalia.scan/9".into(),
            "bad_field",
            json!("schema"),
            &["dermalia.scan/1"],
        ),
        (
            |_, manifest| {
                manifest.as_object_mut().unwrap().remove("captured_at");
            },
            "missing_field",
            json!("captured_at"),
            &["captured_at"],
        ),
    ];
    for (number, (spoil, code, subject, words)) in table.iter().enumerate() {
        let bundle = at.path(&format!("bundle{number}"));
        let dir = Path::new(&bundle);
        phantom.write_folder(dir).unwrap();
        let path = dir.join("manifest.json");
        let mut manifest: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        spoil(dir, &mut manifest);
        fs::write(&path, serde_json::to_vec(&manifest).unwrap()).unwrap();
        assert_refused(&at, &bundle, code, subject, words);
    }

    fs::write(at.path("picture.jpg"), b"\xff\xd8\xff no bundle").unwrap();
    assert_refused(
        &at,
        &at.path("picture.jpg"),
        "not_a_bundle",
        &Value::Null,
        &["zip"],
    );
    fs::write(at.path("broken.zip"), b"PK\x03\x04 no archive").unwrap();
    assert_refused(
        &at,
        &at.path("broken.zip"),
        "archive_broken",
        &Value::Null,
        &[],
    );
    fs::create_dir(at.path("empty")).unwrap();
    assert_refused(
        &at,
        &at.path("empty"),
        "manifest_missing",
        &json!("manifest.json"),
        &["missing"],
    );
    let zip = fs::read(at.path("broken.zip")).unwrap();
    fs::write(at.path("short.zip"), &zip[..2]).unwrap();
    assert_refused(
        &at,
        &at.path("short.zip"),
        "archive_broken",
        &Value::Null,
        &[],
    );
}

fn assert_refused(at: &Folder, bundle: &str, code: &str, subject: &Value, words: &[&str]) {
    let out = at.path("never");
    for machine in [false, true] {
        let mut args = vec!["analyze", bundle, "--out", &out];
        args.extend(machine.then_some("--json"));
        let output = run(&args);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{code}: {stderr}");
        assert!(output.stdout.is_empty(), "{code}: {:?}", output.stdout);
        let objects = lines(stderr);
        assert_eq!(objects.len(), 1, "{stderr}");
        let object = &objects[0];
        assert_eq!(keys(object), ["code", "error", "message", "subject"]);
        assert_eq!(object["error"], "refused");
        assert_eq!(
            (&object["code"], &object["subject"]),
            (&json!(code), subject)
        );
        let message = object["message"].as_str().unwrap();
        for word in words {
            assert!(message.contains(word), "{word} in {message}");
        }
        for personal in ["Xanthippe", "canary", "1980"] {
            assert!(!stderr.contains(personal), "{personal} in {stderr}");
        }
        assert!(!Path::new(&out).exists(), "{code} left files");
    }
}

#[test]
fn what_is_not_there_is_named() {
    let at = Folder::new();
    let missing = at.path("missing");
    fs::write(at.path("file"), b"").unwrap();
    fs::create_dir(at.path("empty")).unwrap();
    let (file, empty, out) = (at.path("file"), at.path("empty"), at.path("out"));
    for (args, words) in [
        (["analyze", &missing, "--out", &out], missing.as_str()),
        (["analyze", &empty, "--out", &file], "not a folder"),
        (["report", &missing, "--out", &out], missing.as_str()),
        (["report", &empty, "--out", &out], "findings.json"),
        (["phantom", "--size=256", "--out", &file], file.as_str()),
        (
            ["link", "show", "SCAN-0001", &format!("--data={missing}")],
            missing.as_str(),
        ),
    ] {
        let output = run(&args);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty());
        assert!(
            stderr.starts_with("dermalia: ") && stderr.contains(words),
            "{args:?}: {stderr}"
        );
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(!Path::new(&out).exists() && !Path::new(&missing).exists());

        let machine = run(&[&["--json"], &args[..]].concat());
        assert_eq!(machine.status.code(), Some(1));
        let objects = lines(text(&machine.stderr));
        assert_eq!((objects.len(), &objects[0]["error"]), (1, &json!("fault")));
    }
}

#[test]
fn a_wrong_command_line_ends_with_64_and_help_names_every_option() {
    for args in [
        &[][..],
        &["measure"],
        &["analyze"],
        &["analyze", "a", "--out"],
        &["analyze", "a", "--out", "b", "--threads", "0"],
        &["report", "a", "--out", "b", "--locale", "fr"],
        &["practice", "terms", "p", "--data", "a", "--locale", "fr"],
        &["phantom", "--out", "a", "--size", "9000"],
        &["phantom", "--out", "a", "--tone", "5"],
        &["demo", "--seed", "one"],
        &["serve"],
        &["serve", "--data", "a", "--listen", "here"],
        &["link", "SCAN-0001"],
        &["link", "show", "--data", "a"],
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(output.stdout.is_empty(), "{args:?}");
        assert!(text(&output.stderr).contains("--help") || args.is_empty());
    }
    for (command, options) in [
        (
            &["analyze"][..],
            &["--out", "--threads", "--json", "<BUNDLE>"][..],
        ),
        (&["report"], &["--locale", "--out", "--practice", "<DIR>"]),
        (
            &["phantom"],
            &[
                "--seed",
                "--out",
                "--zip",
                "--size",
                "--tone",
                "--clean",
                "--hard",
                "--no-relief",
                "--no-landmarks",
            ],
        ),
        (
            &["demo"],
            &["--seed", "--no-serve", "--size", "--listen", "--data"],
        ),
        (
            &["serve"],
            &["--data", "--listen", "--public-url", "incoming/", "PUT"],
        ),
        (&["link"], &["issue", "show", "revoke"]),
        (&["link", "issue"], &["--data", "--practice", "<SCAN>"]),
        (&[], &["Exit codes:", "64", "RUST_LOG", "--json"]),
    ] {
        let help = done(&[command, &["--help"]].concat());
        for option in options {
            assert!(help.contains(option), "{command:?} lacks {option}:\n{help}");
        }
    }
    assert!(done(&["--version"]).starts_with("dermalia "));
}
