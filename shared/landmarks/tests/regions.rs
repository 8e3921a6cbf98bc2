//! Regions and masks on the canonical face, and against the published index lists.

use std::path::PathBuf;

use dermalia_findings::Region;
use dermalia_landmarks::{
    FACE_OVAL, FaceMap, Mask, PictureFaceMap, canonical, mask_polygons, mirrored, region_polygons,
};
use dermalia_surface::{Metric, NO_TRIANGLE, add, rasterize_uv, scale};

/// The folder of the shared test data, or `None` with a loud word.
fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("DERMALIA_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let data = root.join("data");
    if data.is_dir() {
        return Some(data);
    }
    eprintln!("SKIPPED: no test data at {}", data.display());
    None
}

fn middle(indices: &[usize]) -> [f32; 3] {
    let sum = indices
        .iter()
        .fold([0.0; 3], |s, &i| add(s, canonical().positions_mm[i]));
    scale(sum, 1.0 / indices.len() as f32)
}

#[test]
fn polygons_and_mirror_are_the_published_ones() {
    let Some(data) = shared() else { return };
    let read = |name: &str| -> serde_json::Value {
        let text = std::fs::read_to_string(data.join("landmarks").join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let list = |v: &serde_json::Value| -> Vec<usize> { serde_json::from_value(v.clone()).unwrap() };
    assert_eq!(mirrored(), list(&read("mirror.json")));
    let published = read("regions.json");
    let name = |r: Region| r.as_str().replace("_left", "_L").replace("_right", "_R");
    for (region, polygon) in region_polygons() {
        assert_eq!(polygon, list(&published[name(region)]), "{region}");
    }
    for (mask, polygon) in mask_polygons() {
        let stem = format!("mask_{mask:?}").to_lowercase();
        let known: Vec<Vec<usize>> = ["", "_R", "_L"]
            .iter()
            .filter_map(|side| published.get(format!("{stem}{side}")))
            .map(list)
            .collect();
        assert!(known.contains(&polygon), "{mask:?}");
    }
    assert_eq!(FACE_OVAL.to_vec(), list(&published["face_oval"]));
}

#[test]
fn each_region_is_where_its_name_says() {
    let face = canonical();
    let map = FaceMap::new(&face.positions_mm).unwrap();
    let at = |i: usize| map.label(face.uvs[i]);
    for (landmark, region) in [
        (9, Region::Glabella),
        (69, Region::Forehead),
        (299, Region::Forehead),
        (5, Region::Nose),
        (50, Region::CheekRight),
        (280, Region::CheekLeft),
        (230, Region::UnderEyeRight),
        (450, Region::UnderEyeLeft),
        (143, Region::CrowsFeetRight),
        (372, Region::CrowsFeetLeft),
        (206, Region::NasolabialRight),
        (426, Region::NasolabialLeft),
        (18, Region::Perioral),
        (199, Region::Chin),
    ] {
        assert_eq!(at(landmark).measured(), Some(region), "landmark {landmark}");
    }
    for (landmark, mask) in [
        (13, Mask::Lips),
        (159, Mask::Eye),
        (105, Mask::Brow),
        (334, Mask::Brow),
    ] {
        assert_eq!(at(landmark).excluded(), Some(mask), "landmark {landmark}");
    }
    assert_eq!(at(13).region(), Some(Region::Perioral));
    assert!(!map.label([0.01, 0.01]).is_inside());
    assert!(!map.label([f32::NAN, 0.5]).is_inside());
    assert!(!map.label([2.0, -1.0]).is_inside());
}

#[test]
fn the_patients_left_is_towards_plus_x() {
    for (region, polygon) in region_polygons() {
        let x = middle(&polygon)[0];
        let name = region.as_str();
        if name.ends_with("_left") {
            assert!(x > 10.0, "{name} {x}");
        } else if name.ends_with("_right") {
            assert!(x < -10.0, "{name} {x}");
        } else {
            assert!(x.abs() < 0.5, "{name} {x}");
        }
    }
}

#[test]
fn regions_and_masks_cover_most_of_the_oval_symmetrically() {
    let mesh = canonical().mesh();
    let map = FaceMap::new(&mesh.positions).unwrap();
    let (w, h) = (700, 700);
    let raster = rasterize_uv(&mesh, w, h);
    let labels = map.atlas_labels(&mesh, &raster);
    let mut area = [0.0_f64; 14];
    let (mut oval, mut named, mut astray) = (0.0, 0.0, 0);
    for (label, &t) in labels.iter().zip(&raster.triangle) {
        // Only the pixels on the rim itself may differ.
        astray += usize::from(label.is_inside() != (t != NO_TRIANGLE));
        if t == NO_TRIANGLE {
            continue;
        }
        let mm2 = f64::from(
            Metric::of(&mesh, t as usize, w, h)
                .unwrap()
                .pixel_area_mm2(),
        );
        oval += mm2;
        if label.region().is_some() || label.excluded().is_some() {
            named += mm2;
        }
        if let Some(region) = label.measured() {
            area[region.index()] += mm2;
        }
    }
    assert!(astray < 1500, "{astray}");
    assert!((0.82..0.97).contains(&(named / oval)), "{}", named / oval);
    for region in &Region::ALL[..13] {
        let mm2 = area[region.index()];
        assert!(mm2 > 200.0, "{region} {mm2}");
        if let Some(stem) = region.as_str().strip_suffix("_left") {
            let other = Region::from_name(&format!("{stem}_right")).unwrap();
            assert!((mm2 / area[other.index()] - 1.0).abs() < 0.02, "{region}");
        }
    }
}

/// The canonical face moved, turned and 10 % larger: every landmark keeps its label.
#[test]
fn a_moved_face_keeps_its_labels() {
    let face = canonical();
    let (s, c) = (0.3_f32.sin(), 0.3_f32.cos());
    let moved: Vec<[f32; 3]> = face
        .positions_mm
        .iter()
        .map(|p| {
            let p = p.map(|x| x * 1.1);
            [
                p[0] * c + p[2] * s + 40.0,
                p[1] - 7.0,
                p[2] * c - p[0] * s + 300.0,
            ]
        })
        .collect();
    let mut mesh = face.mesh();
    mesh.positions.clone_from(&moved);
    let map = FaceMap::new(&moved).unwrap();
    let inner = (0..468).filter(|i| !FACE_OVAL.contains(i));
    let coordinates = map.coordinates(&mesh);
    for i in inner {
        let uv = coordinates[i].unwrap();
        assert!((uv[0] - face.uvs[i][0]).abs() < 1e-4 && (uv[1] - face.uvs[i][1]).abs() < 1e-4);
    }
    // Behind the face and far from it there is nothing.
    assert_eq!(map.coordinate(moved[4], [0.0, 0.0, -1.0]), None);
    assert_eq!(map.coordinate([0.0, 0.0, 900.0], [0.0, 0.0, 1.0]), None);
}

#[test]
fn beyond_the_oval_the_coordinate_goes_on_outward() {
    let face = canonical();
    let map = FaceMap::new(&face.positions_mm).unwrap();
    for &i in &FACE_OVAL {
        let p = face.positions_mm[i];
        let step = [p[0] * 0.1, p[1] * 0.1, -4.0];
        if let Some(uv) = map.coordinate(add(p, step), [0.0, 0.0, 1.0]) {
            assert!(!map.label(uv).is_inside(), "{i}");
        }
    }
}

#[test]
fn a_photograph_is_divided_like_the_face() {
    let px: Vec<[f32; 3]> = canonical()
        .positions_mm
        .iter()
        .map(|p| [200.0 + 2.0 * p[0], 220.0 - 2.0 * p[1], -2.0 * p[2]])
        .collect();
    let labels = PictureFaceMap::new(&px).unwrap().labels(400, 440);
    let at = |i: usize| labels[px[i][1] as usize * 400 + px[i][0] as usize];
    assert_eq!(at(50).measured(), Some(Region::CheekRight));
    assert_eq!(at(280).measured(), Some(Region::CheekLeft));
    assert_eq!(at(5).measured(), Some(Region::Nose));
    assert_eq!(at(13).excluded(), Some(Mask::Lips));
    assert!(!labels[0].is_inside());
    // The patient's right is at the picture's left.
    assert!(px[50][0] < 200.0);
    let half = PictureFaceMap::new(&px)
        .unwrap()
        .scaled(0.5)
        .labels(200, 220);
    let same = (0..220 * 200)
        .filter(|i| half[*i] == labels[(i / 200 * 2 + 1) * 400 + i % 200 * 2 + 1])
        .count();
    assert!(same > 43_000, "{same}");
}

#[test]
fn landmarks_that_make_no_face_are_refused() {
    let good = &canonical().positions_mm;
    assert!(FaceMap::new(&good[..467]).is_err());
    assert!(FaceMap::new(&vec![[1.0; 3]; 468]).is_err());
    let mut nan = good.clone();
    nan[7][1] = f32::NAN;
    assert!(FaceMap::new(&nan).is_err());
}
