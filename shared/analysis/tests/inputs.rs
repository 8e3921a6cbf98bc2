//! Scans of every shape that the contract allows: a mesh alone, pictures without a mesh,
//! camera photographs.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod photographs;

use dermalia_analysis::{Analysis, Options, analyze};
use dermalia_findings::{Feature, MeasureName, Region};
use dermalia_phantom::score::Score;
use dermalia_phantom::{Base, Lighting, Phantom, PhantomOptions, Tone};
use dermalia_scan::manifest::{Camera, Light, Space};
use dermalia_scan::{Limits, Picture, Scan};
use dermalia_surface::Mesh;
use photographs::photographed;

fn patch(size_px: usize, lights: Vec<Light>) -> Scan {
    let phantom = Phantom::generate(&PhantomOptions {
        seed: 3,
        size_px,
        lights,
        base: Base::Patch {
            side_mm: 40.0,
            radius_mm: None,
        },
        ..PhantomOptions::default()
    })
    .unwrap();
    Scan::read_files(phantom.files, &Limits::default()).unwrap()
}

fn measured(scan: &Scan) -> Analysis {
    analyze(scan, &Options::default()).unwrap()
}

fn value(analysis: &Analysis, name: MeasureName) -> Option<f64> {
    let face = analysis.findings.region(Region::Face).unwrap();
    face.measure(name).unwrap().value
}

/// A sheet of 30 mm with a groove 18 mm long, 0.15 mm deep, 0.8 mm wide at half depth, on
/// a bend of 60 mm radius; points every 0.12 mm.
fn grooved() -> Mesh {
    let n = 250_u32;
    let step = 0.12_f32;
    let (mut p, mut t) = (vec![], vec![]);
    for j in 0..=n {
        for i in 0..=n {
            let (x, y) = (i as f32 * step, j as f32 * step);
            let across = (y - 15.0) / (0.8 / 2.355);
            // Half as deep at 6 and 24 mm.
            let along = 1.0 / (1.0 + (((x - 15.0).abs() - 9.0) / 0.4).exp());
            let groove = 0.15 * along * (-0.5 * across * across).exp();
            let form = -((x - 15.0) * (x - 15.0) + (y - 15.0) * (y - 15.0)) / 120.0;
            p.push([x, y, form - groove]);
            if i < n && j < n {
                let a = j * (n + 1) + i;
                t.extend([[a, a + 1, a + n + 2], [a, a + n + 2, a + n + 1]]);
            }
        }
    }
    Mesh::new(p, vec![], t, vec![]).unwrap()
}

/// Whichever it is: those under ultraviolet light are read later than the others.
#[test]
fn a_broken_picture_is_refused_by_its_name() {
    let lights = [
        Light::White,
        Light::CrossPolarised,
        Light::Uv,
        Light::Wood,
        Light::Nir,
    ];
    let scan = patch(128, lights.to_vec());
    for number in 0..lights.len() {
        let mut scan = scan.clone();
        let (file, bytes) = (
            scan.pictures[number].file().to_owned(),
            scan.pictures[number].bytes().to_vec(),
        );
        let half = bytes[..bytes.len() / 2].to_vec();
        scan.pictures[number] = Picture::new(file.clone(), half).unwrap();
        let fault = analyze(&scan, &Options::default()).unwrap_err();
        assert!(
            fault.is_refusal() && fault.to_string().contains(&file),
            "{fault}"
        );
    }
}

#[test]
fn a_fine_mesh_alone_carries_the_depth_of_a_wrinkle() {
    let mut scan = patch(128, vec![Light::White]);
    scan.manifest.images.clear();
    scan.pictures.clear();
    scan.relief = None;
    scan.manifest.relief = None;
    scan.landmarks = None;
    scan.mesh = Some(grooved());
    let analysis = measured(&scan);
    let [
        Feature::Wrinkle {
            length_mm,
            width_mm,
            depth_mm: Some(depth_mm),
            ..
        },
    ] = analysis.findings.features.as_slice()
    else {
        unreachable!("{:?}", analysis.findings.features)
    };
    assert!((length_mm / 18.0 - 1.0).abs() < 0.1, "{length_mm}");
    assert!((width_mm / 0.8 - 1.0).abs() < 0.15, "{width_mm}");
    assert!((depth_mm / 0.15 - 1.0).abs() < 0.15, "{depth_mm}");
    assert!(value(&analysis, MeasureName::Sq).is_some());
    assert_eq!(value(&analysis, MeasureName::Ita), None);
}

#[test]
fn pictures_without_a_mesh_carry_colour_and_no_length() {
    let with = patch(400, vec![Light::White, Light::CrossPolarised]);
    let ita = value(&measured(&with), MeasureName::Ita).unwrap();
    let mut without = with;
    without.mesh = None;
    without.landmarks = None;
    let analysis = measured(&without);
    assert!(!analysis.has_surface);
    assert!((value(&analysis, MeasureName::Ita).unwrap() - ita).abs() < 0.5);
    assert_eq!(value(&analysis, MeasureName::PoreDensity), None);
    assert!(analysis.findings.features.is_empty());
    let face = analysis.findings.region(Region::Face).unwrap();
    assert_eq!(face.area_cm2, None);
}

/// The same picture as a texture and as photographed straight from the front.
#[test]
fn a_camera_sees_what_the_atlas_holds() {
    let texture = patch(400, vec![Light::White]);
    let mut camera = patch(400, vec![Light::White]);
    camera.relief = None;
    camera.manifest.relief = None;
    let mesh = camera.mesh.clone().unwrap();
    let (mut lo, mut hi) = ([f64::MAX; 3], [f64::MIN; 3]);
    for p in &mesh.positions {
        for k in 0..3 {
            lo[k] = lo[k].min(f64::from(p[k]));
            hi[k] = hi[k].max(f64::from(p[k]));
        }
    }
    // Ten pixels a millimetre from 400 mm away, the patch just filling the picture.
    let (cx, cy) = (0.5 * (lo[0] + hi[0]), 0.5 * (lo[1] + hi[1]));
    let entry = &mut camera.manifest.images[0];
    entry.space = Space::Camera;
    entry.camera = Some(Camera {
        fx: 4000.0,
        fy: 4000.0,
        cx: 200.0,
        cy: 200.0,
        camera_from_mesh: [
            1.0, 0.0, 0.0, -cx, 0.0, -1.0, 0.0, cy, 0.0, 0.0, -1.0, 400.0, 0.0, 0.0, 0.0, 1.0,
        ],
        distortion: [0.0; 5],
    });
    let (a, b) = (measured(&texture), measured(&camera));
    assert!(b.has_surface);
    let close = |name: MeasureName, tolerance: f64| {
        let (x, y) = (value(&a, name).unwrap(), value(&b, name).unwrap());
        assert!(
            (y / x - 1.0).abs() < tolerance,
            "{}: {x} {y}",
            name.as_str()
        );
    };
    close(MeasureName::PoreDensity, 0.08);
    close(MeasureName::PoreDiameterMean, 0.08);
    close(MeasureName::Ita, 0.05);
    assert_eq!(value(&b, MeasureName::WrinkleDepthMean), None);
}

/// Bent skin 64 mm wide with wrinkles, pores and spots.
fn bent(size_px: usize) -> (Scan, Phantom) {
    let phantom = Phantom::generate(&PhantomOptions {
        seed: 5,
        size_px,
        lights: vec![Light::White],
        base: Base::Patch {
            side_mm: 64.0,
            radius_mm: Some(60.0),
        },
        ..PhantomOptions::default()
    })
    .unwrap();
    let scan = Scan::read_files(phantom.files.clone(), &Limits::default()).unwrap();
    (scan, phantom)
}

fn has_warning(analysis: &Analysis, words: &str) -> bool {
    let warnings = &analysis.findings.quality.warnings;
    warnings.iter().any(|w| w.contains(words))
}

#[test]
fn camera_photographs_with_a_relief_carry_both() {
    let (texture, phantom) = bent(640);
    let scan = photographed(&texture, 0.08, &[-25.0, 0.0, 25.0]);
    let analysis = measured(&scan);
    let score = Score::of(&analysis.findings, &phantom.truth);
    // The photographs'.
    assert!(score.pores.f1 >= 0.95, "{:?}", score.pores);
    assert!(score.spots.f1 >= 0.95, "{:?}", score.spots);
    let within = |name: MeasureName, tolerance: f64| {
        let m = score.measure(Region::Face, name).unwrap();
        let error = m.relative().unwrap();
        assert!(error.abs() <= tolerance, "{}: {m:?}", name.as_str());
    };
    within(MeasureName::PoreDensity, 0.07);
    within(MeasureName::PoreDiameterMean, 0.10);
    let ita = score.measure(Region::Face, MeasureName::Ita).unwrap();
    assert!(ita.difference().unwrap().abs() < 1.5, "{ita:?}");
    // The relief's.
    assert!(score.wrinkles.f1 >= 0.95, "{:?}", score.wrinkles);
    within(MeasureName::WrinkleDepthMean, 0.15);
    within(MeasureName::Sa, 0.05);
    within(MeasureName::Sq, 0.05);
    assert!(!has_warning(&analysis, "not used") && !has_warning(&analysis, "not measured"));
}

/// A fine relief does not make photographs finer.
#[test]
fn photographs_beside_a_finer_relief_keep_their_own_resolution() {
    let (texture, _) = bent(960);
    let analysis = measured(&photographed(&texture, 0.2, &[0.0]));
    let face = analysis.findings.region(Region::Face).unwrap();
    let pores = face.measure(MeasureName::PoreDensity).unwrap();
    assert_eq!(pores.value, None);
    assert_eq!(
        pores.reason.as_deref(),
        Some("0.20 mm/px is too coarse for pores (needs 0.15)")
    );
    let mm_per_px = analysis.findings.quality.mm_per_px.unwrap();
    assert!((mm_per_px / 0.2 - 1.0).abs() < 0.05, "{mm_per_px}");
    // The raster is the relief's.
    let truth = value(&measured(&texture), MeasureName::Sq).unwrap();
    let sq = value(&analysis, MeasureName::Sq).unwrap();
    assert!((sq / truth - 1.0).abs() < 0.02, "{sq} {truth}");
}

#[test]
fn a_relief_without_an_atlas_to_lie_in_is_told() {
    let (texture, _) = bent(400);
    let mut scan = photographed(&texture, 0.16, &[0.0]);
    let mesh = scan.mesh.as_mut().unwrap();
    mesh.uvs.clear();
    mesh.uv_triangles.clear();
    let analysis = measured(&scan);
    assert!(has_warning(&analysis, "the relief was not used"));
    assert!(value(&analysis, MeasureName::Ita).is_some());
    assert_eq!(value(&analysis, MeasureName::Sq), None);
}

#[test]
fn photographs_that_are_left_out_are_told() {
    let (texture, _) = bent(400);
    let alone = measured(&texture);
    assert!(!has_warning(&alone, "not measured"));
    let cameras = photographed(&texture, 0.16, &[-20.0, 20.0]);
    let mut mixed = texture.clone();
    let mut loose = cameras.manifest.images[0].clone();
    (loose.space, loose.camera) = (Space::Photo, None);
    mixed.manifest.images.extend(cameras.manifest.images);
    mixed.pictures.extend(cameras.pictures.clone());
    mixed.manifest.images.push(loose.clone());
    mixed.pictures.push(cameras.pictures[0].clone());
    let mixed = measured(&mixed);
    assert!(has_warning(
        &mixed,
        "2 camera photographs were not measured"
    ));
    assert!(has_warning(
        &mixed,
        "1 unregistered photograph was not measured"
    ));
    // What is measured stays what it was.
    assert_eq!(mixed.findings.features, alone.findings.features);
    // Beside nothing but a relief, too.
    let mut relief = texture;
    relief.manifest.images = vec![loose];
    relief.pictures.truncate(1);
    relief.pictures[0] = cameras.pictures[0].clone();
    let relief = measured(&relief);
    assert!(has_warning(
        &relief,
        "1 unregistered photograph was not measured"
    ));
    assert!(value(&relief, MeasureName::Sq).is_some());
}

/// Without the relief such a scan is refused.
#[test]
fn photographs_that_miss_the_surface_leave_a_relief_measured() {
    let (texture, _) = bent(400);
    let mut scan = photographed(&texture, 0.16, &[0.0]);
    let camera = scan.manifest.images[0].camera.as_mut().unwrap();
    // One metre to the side.
    camera.camera_from_mesh[3] += 1000.0;
    let analysis = measured(&scan);
    assert!(has_warning(
        &analysis,
        "1 camera photograph was not measured: none shows the surface"
    ));
    assert!(value(&analysis, MeasureName::Sq).is_some());
    assert_eq!(value(&analysis, MeasureName::Ita), None);
    scan.relief = None;
    scan.manifest.relief = None;
    let fault = analyze(&scan, &Options::default()).unwrap_err();
    assert!(fault.is_refusal(), "{fault}");
}

/// What a lamp that shows no colour sees from everywhere is no reason to leave colour out.
#[test]
fn visible_light_from_one_side_is_kept_beside_ultraviolet_light_from_the_front() {
    let (texture, _) = bent(400);
    let mut scan = photographed(&texture, 0.16, &[80.0, 0.0]);
    scan.manifest.images[1].light = Light::Uv;
    let analysis = measured(&scan);
    assert!(value(&analysis, MeasureName::Ita).is_some());
    assert!(!has_warning(&analysis, "lights show less"));
}

/// What a camera does not show of the head beside the face is no black skin: that would move
/// the level of light by 1.2 degrees. In even light nothing else does.
#[test]
fn skin_beside_the_face_that_no_photograph_shows_has_no_part_in_colour() {
    let phantom = Phantom::generate(&PhantomOptions {
        seed: 35,
        size_px: 768,
        lights: vec![Light::White],
        relief: false,
        ..PhantomOptions::default()
    })
    .unwrap();
    let texture = Scan::read_files(phantom.files.clone(), &Limits::default()).unwrap();
    for degrees in [0.0, 15.0, 30.0] {
        let analysis = measured(&photographed(&texture, 0.25, &[degrees]));
        let score = Score::of(&analysis.findings, &phantom.truth);
        let ita = score.measure(Region::Face, MeasureName::Ita).unwrap();
        assert!(ita.difference().unwrap().abs() < 0.5, "{degrees}: {ita:?}");
    }
}

/// The phantoms and limits of `colour_phantoms`, which has these pictures in the atlas: taken
/// by cameras of finer pixels, they lose nothing that a wider limit would have to allow for.
#[test]
fn photographs_under_ultraviolet_light_show_deep_spots() {
    for (tone, lighting, seed) in [
        (Tone::Light, Lighting::Directional, 31),
        (Tone::Brown, Lighting::Uneven, 32),
    ] {
        let phantom = Phantom::generate(&PhantomOptions {
            seed,
            size_px: 1536,
            tone,
            lighting,
            lights: vec![Light::White, Light::CrossPolarised, Light::Uv],
            relief: false,
            deep_spots: true,
            ..PhantomOptions::default()
        })
        .unwrap();
        let texture = Scan::read_files(phantom.files.clone(), &Limits::default()).unwrap();
        let lit = photographed(&texture, 0.12, &[-38.0, 0.0, 38.0]);
        let mut unlit = lit.clone();
        let mut visible = lit.manifest.images.iter().map(|i| i.light != Light::Uv);
        unlit.pictures.retain(|_| visible.next().unwrap());
        unlit.manifest.images.retain(|i| i.light != Light::Uv);
        let spots = |scan: &Scan| Score::of(&measured(scan).findings, &phantom.truth).spots;
        let (without, with) = (spots(&unlit), spots(&lit));
        let what = format!("{tone:?}: {without:?} without, {with:?} with");
        assert!(without.f1 < 0.75 && with.f1 >= 0.97, "{what}");
        let bias = with.size_bias.unwrap();
        assert!(bias.abs() < 0.03, "{tone:?}: area {bias}");
    }
}
