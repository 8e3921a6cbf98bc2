//! Phantoms as bundles: repeatable, accepted by the reader, true to their truth.
#![expect(
    clippy::unwrap_used,
    reason = "a test stops where something is missing"
)]

use dermalia_findings::{
    Confidence, Feature, Findings, Measure, MeasureName, Quality, Region, RegionFindings, Source,
};
use dermalia_landmarks::FaceMap;
use dermalia_phantom::optics::{decoded, ita_deg, lab};
use dermalia_phantom::score::Score;
use dermalia_phantom::{
    Base, Distractor, ImageFormat, Lighting, Phantom, PhantomError, PhantomOptions, Tone,
    TrueFeature, Truth,
};
use dermalia_scan::manifest::Light;
use dermalia_scan::{Limits, Samples, Scan};
use dermalia_surface::{Metric, rasterize_uv};

fn small() -> PhantomOptions {
    PhantomOptions {
        size_px: 512,
        ..PhantomOptions::default()
    }
}

fn read(phantom: &Phantom) -> Scan {
    Scan::read_files(phantom.files.clone(), &Limits::default()).unwrap()
}

#[test]
fn the_same_options_give_the_same_bytes_on_any_number_of_threads() {
    let options = PhantomOptions {
        hard: true,
        lighting: Lighting::Uneven,
        ..small()
    };
    let many = Phantom::generate(&options).unwrap();
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap()
        .install(|| Phantom::generate(&options))
        .unwrap();
    assert!(many.files == one.files);
    assert!(many.truth == one.truth);
    assert!(many.zip_bytes().unwrap() == one.zip_bytes().unwrap());
    let other = Phantom::generate(&PhantomOptions { seed: 2, ..options }).unwrap();
    assert!(many.files[0] != other.files[0] && many.files[1] != other.files[1]);
}

#[test]
fn the_reader_accepts_it_and_gets_the_very_same_mesh() {
    let options = PhantomOptions {
        first_name: Some("Erika".to_owned()),
        email: Some("erika@example.org".to_owned()),
        locale: Some("de".to_owned()),
        ..small()
    };
    let phantom = Phantom::generate(&options).unwrap();
    assert_eq!(phantom.files.last().unwrap().0, "manifest.json");
    let scan = read(&phantom);
    let zipped = Scan::read_zip(&phantom.zip_bytes().unwrap(), &Limits::default()).unwrap();
    let mesh = scan.mesh.as_ref().unwrap();
    assert_eq!(mesh.triangles.len(), 898 * 64);
    assert_eq!(zipped.mesh.as_ref(), Some(mesh));
    assert_eq!(scan.landmarks.as_ref().unwrap().len(), 468);
    assert_eq!(scan.landmarks.as_ref().unwrap()[..], mesh.positions[..468]);
    assert_eq!(scan.pictures.len(), 3);
    assert_eq!(
        scan.manifest.patient.as_ref().unwrap().locale.as_deref(),
        Some("de")
    );
    assert!(
        scan.manifest
            .device_values
            .iter()
            .all(|v| v.parameter == "hydration")
    );
    // Nothing about the person may get into the truth.
    let truth = serde_json::to_string(&phantom.truth).unwrap();
    assert!(!truth.contains("Erika") && !truth.contains("erika@"));
    let bare = Phantom::generate(&PhantomOptions {
        relief: false,
        landmarks: false,
        image_format: ImageFormat::Jpeg,
        lights: vec![Light::White, Light::Uv],
        ..small()
    })
    .unwrap();
    let scan = read(&bare);
    assert!(scan.relief.is_none() && scan.landmarks.is_none());
    assert!(
        scan.manifest
            .images
            .iter()
            .all(|i| i.file.ends_with(".jpg"))
    );
}

#[test]
fn files_are_written_beside_the_truth() {
    let dir = tempfile::tempdir().unwrap();
    let phantom = Phantom::generate(&PhantomOptions {
        size_px: 128,
        ..PhantomOptions::default()
    })
    .unwrap();
    phantom.write(dir.path(), false).unwrap();
    phantom.write(dir.path(), true).unwrap();
    for bundle in ["bundle", "bundle.zip"] {
        Scan::read_path(&dir.path().join(bundle), &Limits::default()).unwrap();
    }
    let truth = std::fs::read(dir.path().join("truth.json")).unwrap();
    let truth: Truth = serde_json::from_slice(&truth).unwrap();
    assert!(truth.options == phantom.truth.options);
    // The reader of numbers may be off by the last digit.
    let score = Score::of(&perfect(&truth), &phantom.truth);
    assert_eq!(
        (score.pores.f1, score.spots.f1, score.red_areas.f1),
        (1.0, 1.0, 1.0)
    );
    assert!(score.wrinkles.f1 > 0.999_999);
}

/// Mean density of each region's skin against the truth of the region, for the darkest
/// and the lightest skin.
#[test]
fn clean_skin_has_its_stated_colour_and_relief() {
    for tone in [Tone::VeryLight, Tone::Dark] {
        let phantom = Phantom::generate(&PhantomOptions {
            clean: true,
            noise_scale: 0.0,
            tone,
            size_px: 700,
            lights: vec![Light::CrossPolarised],
            ..PhantomOptions::default()
        })
        .unwrap();
        let truth = &phantom.truth;
        assert!(truth.features.is_empty() && truth.distractors.is_empty());
        let scan = read(&phantom);
        let mesh = scan.mesh.as_ref().unwrap();
        let raster = rasterize_uv(mesh, 700, 700);
        let labels = FaceMap::new(scan.landmarks.as_ref().unwrap())
            .unwrap()
            .atlas_labels(mesh, &raster);
        let Samples::Eight(rgb) = scan.pictures[0].decode(&Limits::default()).unwrap().samples
        else {
            panic!("an 8-bit picture was written");
        };
        let levels = scan
            .relief
            .as_ref()
            .unwrap()
            .decode_levels(&Limits::default())
            .unwrap()
            .levels;
        for region in &truth.regions[..13] {
            let (mut w, mut density, mut z) = (0.0, [0.0; 3], vec![]);
            for (i, label) in labels.iter().enumerate() {
                if label.measured() == Some(region.region) {
                    let t = raster.triangle[i] as usize;
                    let metric = Metric::of(mesh, t, 700, 700).unwrap();
                    let area = f64::from(metric.pixel_area_mm2());
                    w += area;
                    for k in 0..3 {
                        let v = decoded(f64::from(rgb[3 * i + k]) / 255.0);
                        density[k] -= area * v.ln();
                    }
                    z.push((area, (f64::from(levels[i]) - 32768.0) * 0.1));
                }
            }
            let colour = lab(density.map(|d| (-d / w).exp()));
            let truth_of = |name| region.measures[&name];
            let ita = ita_deg(colour);
            assert!(
                (ita - truth_of(MeasureName::Ita)).abs() < 0.3,
                "{tone:?} {ita} {region:?}"
            );
            assert!((colour[1] - truth_of(MeasureName::AStar)).abs() < 0.15);
            let mean = z.iter().map(|(a, z)| a * z).sum::<f64>() / w;
            let sq = (z.iter().map(|(a, z)| a * (z - mean).powi(2)).sum::<f64>() / w).sqrt();
            let sa = z.iter().map(|(a, z)| a * (z - mean).abs()).sum::<f64>() / w;
            // The labels at this size are not quite those of the truth.
            assert!((sq / truth_of(MeasureName::Sq) - 1.0).abs() < 0.02);
            assert!((sa / truth_of(MeasureName::Sa) - 1.0).abs() < 0.02);
            assert!((w / 100.0 / region.area_cm2 - 1.0).abs() < 0.02);
            assert_eq!(truth_of(MeasureName::PoreDensity), 0.0);
        }
        assert!((truth.skin.ita_deg - if tone == Tone::Dark { -42.0 } else { 60.0 }).abs() < 1e-6);
    }
}

#[test]
fn features_lie_on_measured_skin_of_their_region() {
    let phantom = Phantom::generate(&PhantomOptions {
        seed: 3,
        hard: true,
        ..small()
    })
    .unwrap();
    let scan = read(&phantom);
    let mesh = scan.mesh.as_ref().unwrap();
    let map = FaceMap::new(scan.landmarks.as_ref().unwrap()).unwrap();
    let raster = rasterize_uv(mesh, 1024, 1024);
    let labels = map.atlas_labels(mesh, &raster);
    let at = |uv: [f64; 2]| {
        let (x, y) = ((uv[0] * 1024.0) as usize, ((1.0 - uv[1]) * 1024.0) as usize);
        labels[y * 1024 + x].measured()
    };
    let mut kinds = [0; 4];
    let mut off = 0;
    for f in &phantom.truth.features {
        let (kind, centres) = match f {
            TrueFeature::Wrinkle { path_uv, .. } => (0, path_uv.clone()),
            TrueFeature::Pore { centre_uv, .. } => (1, vec![*centre_uv]),
            TrueFeature::Spot { centre_uv, .. } => (2, vec![*centre_uv]),
            TrueFeature::RedArea { centre_uv, .. } => (3, vec![*centre_uv]),
        };
        kinds[kind] += 1;
        for uv in centres {
            let region = at(uv);
            assert!(region.is_some());
            off += usize::from(kind > 0 && region != Some(f.region()));
        }
    }
    assert!(
        kinds[0] >= 10 && kinds[1] > 3000 && kinds[2] >= 20 && kinds[3] >= 5,
        "{kinds:?}"
    );
    // A centre within a pixel of a border may be on either side.
    assert!(off < kinds[1] / 50, "{off}");
    assert!(
        phantom
            .truth
            .distractors
            .iter()
            .any(|d| matches!(d, Distractor::Hair { .. }))
    );
    let small = |d: &&Distractor| matches!(d, Distractor::SmallPit { diameter_mm, .. } if *diameter_mm < 0.25);
    assert!(phantom.truth.distractors.iter().filter(small).count() > 500);
}

#[test]
fn a_recapture_shows_the_same_skin_in_other_bytes() {
    let first = Phantom::generate(&small()).unwrap();
    let again = Phantom::generate(&PhantomOptions {
        recapture: Some(1),
        ..small()
    })
    .unwrap();
    assert!(first.files[1].1 != again.files[1].1);
    let (a, b) = (&first.truth.features, &again.truth.features);
    assert_eq!(a.len(), b.len());
    let mut moved = 0.0_f64;
    for (a, b) in a.iter().zip(b) {
        if let (
            TrueFeature::Pore {
                centre_mm: p,
                centre_uv: u,
                ..
            },
            TrueFeature::Pore {
                centre_mm: q,
                centre_uv: v,
                ..
            },
        ) = (a, b)
        {
            assert_eq!(p, q);
            moved = moved.max((u[0] - v[0]).abs().max((u[1] - v[1]).abs()));
        }
    }
    assert!(moved > 0.0 && moved <= 0.5 / 512.0);
    let ids = [&first, &again].map(|p| read(p).manifest.scan_id);
    assert_ne!(ids[0], ids[1]);
}

/// The truth in the words of findings.
fn perfect(truth: &Truth) -> Findings {
    let features = truth
        .features
        .iter()
        .map(|f| match f.clone() {
            TrueFeature::Wrinkle {
                region,
                length_mm,
                width_mm,
                depth_mm,
                path_mm,
                path_uv,
            } => Feature::Wrinkle {
                region,
                length_mm,
                width_mm,
                depth_mm: Some(depth_mm),
                path_mm,
                path_uv,
            },
            TrueFeature::Pore {
                region,
                diameter_mm,
                centre_mm,
                centre_uv,
                ..
            } => Feature::Pore {
                region,
                diameter_mm,
                centre_mm,
                centre_uv,
            },
            TrueFeature::Spot {
                region,
                area_mm2,
                contrast_de00,
                centre_mm,
                centre_uv,
                ..
            } => Feature::Spot {
                region,
                area_mm2,
                contrast_de00,
                deep: false,
                centre_mm,
                centre_uv,
            },
            TrueFeature::RedArea {
                region,
                area_mm2,
                contrast_a,
                centre_mm,
                centre_uv,
                ..
            } => Feature::RedArea {
                region,
                area_mm2,
                contrast_a,
                centre_mm,
                centre_uv,
            },
        })
        .collect();
    let regions = truth
        .regions
        .iter()
        .map(|r| RegionFindings {
            region: r.region,
            area_cm2: Some(r.area_cm2),
            excluded_cm2: Some(r.excluded_cm2),
            measures: r
                .measures
                .iter()
                .map(|(&name, &value)| Measure {
                    name,
                    value: Some(value),
                    unit: name.unit().to_owned(),
                    source: Source::Computed,
                    confidence: Confidence::High,
                    reason: None,
                    interval: None,
                })
                .collect(),
        })
        .collect();
    Findings {
        schema: dermalia_findings::SCHEMA.to_owned(),
        scan_id: truth.scan_id.clone(),
        practice_id: truth.options.practice_id.clone(),
        captured_at: truth.options.captured_at.clone(),
        algorithm: "truth".to_owned(),
        quality: Quality {
            mm_per_px: Some(truth.mm_per_px),
            focus: 1.0,
            clipped_fraction: 0.0,
            warnings: vec![],
        },
        regions,
        features,
    }
}

#[test]
fn the_truth_scores_full_marks_and_half_of_it_half() {
    let truth = Phantom::generate(&PhantomOptions {
        size_px: 128,
        ..PhantomOptions::default()
    })
    .unwrap()
    .truth;
    let mut findings = perfect(&truth);
    let score = Score::of(&findings, &truth);
    for p in [&score.pores, &score.spots, &score.red_areas] {
        assert_eq!((p.f1, p.size_error, p.matched), (1.0, Some(0.0), p.truth));
    }
    assert!((score.wrinkles.f1 - 1.0).abs() < 1e-9 && score.wrinkles.false_lines == 0);
    assert!(score.wrinkles.length_bias.unwrap().abs() < 1e-9);
    assert!(score.wrinkles.depth_error.unwrap().abs() < 1e-9);
    assert!(score.measures.iter().all(|m| m.difference() == Some(0.0)));
    assert!(
        score
            .measure(Region::Nose, MeasureName::PoreDensity)
            .unwrap()
            .truth
            > 10.0
    );

    let mut odd = false;
    findings.features.retain(|f| {
        odd = !odd;
        odd || !matches!(f, Feature::Pore { .. })
    });
    findings.regions.clear();
    let score = Score::of(&findings, &truth);
    assert_eq!(score.pores.precision, Some(1.0));
    assert!((score.pores.recall.unwrap() - 0.5).abs() < 0.01);
    assert!(score.measures.iter().all(|m| m.found.is_none()));
}

#[test]
fn impossible_options_are_refused() {
    let refused = |options: PhantomOptions| Phantom::generate(&options).err().unwrap();
    assert!(matches!(
        refused(PhantomOptions {
            size_px: 20_000,
            ..small()
        }),
        PhantomError::Size { size_px: 20_000 }
    ));
    assert!(matches!(
        refused(PhantomOptions {
            base: Base::Face { levels: 9 },
            ..small()
        }),
        PhantomError::Levels { levels: 9 }
    ));
    let patch = Base::Patch {
        side_mm: f64::NAN,
        radius_mm: None,
    };
    assert!(matches!(
        refused(PhantomOptions {
            base: patch,
            ..small()
        }),
        PhantomError::Patch { .. }
    ));
    assert!(matches!(
        refused(PhantomOptions {
            lights: vec![Light::White; 2],
            ..small()
        }),
        PhantomError::RepeatedLight
    ));
}
