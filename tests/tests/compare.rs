//! `dermalia compare` as a user runs it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::program::{done, lines, run, text};

#[test]
fn two_scans_are_compared_and_two_people_are_not() {
    let at = tempfile::tempdir().unwrap();
    let path = |name: &str| at.path().join(name).to_str().unwrap().to_owned();
    let (one, two, out) = (path("one"), path("two"), path("out"));
    for (seed, to) in [("41", &one), ("46", &two)] {
        done(&["phantom", "--seed", seed, "--size", "512", "--out", to]);
    }

    let told = lines(&done(&["--json", "compare", &one, &one, "--out", &out]));
    let result = told.last().unwrap();
    assert_eq!(result["changed"], 0, "{result}");
    let raw: Value =
        serde_json::from_slice(&fs::read(Path::new(&out).join("change.json")).unwrap()).unwrap();
    assert_eq!(raw["schema"], "dermalia.change/1");
    assert!(raw["registration"]["residual_mm"].as_f64().unwrap() < 0.01);
    let regions = raw["regions"].as_array().unwrap();
    assert_eq!(regions.len(), 14);
    // Too coarse for pores: said, not left out.
    let face = regions.last().unwrap()["measures"].as_array().unwrap();
    let of = |name: &str| face.iter().find(|m| m["name"] == name).unwrap();
    assert_eq!(of("pore_density")["verdict"], "not_comparable");
    assert!(
        of("pore_density")["reason"]
            .as_str()
            .unwrap()
            .contains("coarse")
    );
    assert_eq!(of("ita")["verdict"], "within_scatter");
    assert_eq!(of("ita")["difference"], 0.0);
    for name in ["wrinkles", "pigmentation", "redness"] {
        let png = fs::read(Path::new(&out).join(format!("change_{name}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG"), "{name}");
    }
    assert!(!Path::new(&out).join("change_pores.png").exists());

    let none = path("none");
    let refused = run(&["compare", &two, &one, "--out", &none]);
    assert_eq!(refused.status.code(), Some(2));
    let objects = lines(text(&refused.stderr));
    assert_eq!(objects[0]["code"], json!("not_comparable"), "{objects:?}");
    assert!(
        objects[0]["message"]
            .as_str()
            .unwrap()
            .contains("mm from each other")
    );
    assert!(!Path::new(&none).exists());
}
