//! The analysis of phantoms against their exactly known truth, and against itself.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dermalia_analysis::{Analysis, Options, analyze};
use dermalia_findings::{MeasureName, Region};
use dermalia_phantom::score::Score;
use dermalia_phantom::{Base, Lighting, Phantom, PhantomOptions, Tone};
use dermalia_scan::{Limits, Scan};

fn measured(options: &PhantomOptions) -> (Analysis, Score) {
    let phantom = Phantom::generate(options).unwrap();
    let scan = Scan::read_files(phantom.files, &Limits::default()).unwrap();
    let analysis = analyze(&scan, &Options::default()).unwrap();
    let score = Score::of(&analysis.findings, &phantom.truth);
    (analysis, score)
}

fn patch(seed: u64) -> PhantomOptions {
    PhantomOptions {
        seed,
        size_px: 640,
        tone: Tone::ALL[2],
        base: Base::Patch {
            side_mm: 64.0,
            radius_mm: Some(60.0),
        },
        ..PhantomOptions::default()
    }
}

/// A measure of the face within a relative tolerance of the truth.
fn close(score: &Score, name: MeasureName, tolerance: f64) {
    let m = score.measure(Region::Face, name).unwrap();
    let error = m.relative().unwrap();
    assert!(error.abs() <= tolerance, "{}: {m:?}", name.as_str());
}

#[test]
fn a_face_is_measured_as_it_is() {
    let (_, score) = measured(&PhantomOptions {
        seed: 11,
        ..PhantomOptions::default()
    });
    assert!(score.pores.f1 >= 0.97, "{:?}", score.pores);
    assert!(score.wrinkles.f1 >= 0.97, "{:?}", score.wrinkles);
    close(&score, MeasureName::PoreDensity, 0.07);
    close(&score, MeasureName::PoreDiameterMean, 0.10);
    close(&score, MeasureName::PoreAreaFraction, 0.15);
    close(&score, MeasureName::WrinkleLengthDensity, 0.10);
    close(&score, MeasureName::WrinkleAreaFraction, 0.15);
    close(&score, MeasureName::WrinkleDepthMean, 0.15);
    close(&score, MeasureName::Sa, 0.03);
    close(&score, MeasureName::Sq, 0.03);
}

/// Its texture is as deep as the shallowest pores and wrinkles, and lit from the side as dark.
#[test]
fn rough_skin_hides_neither_pores_nor_wrinkles_in_a_relief() {
    let rough = PhantomOptions {
        seed: 12,
        lighting: Lighting::Directional,
        rough: true,
        ..PhantomOptions::default()
    };
    let (analysis, score) = measured(&rough);
    let face = analysis.findings.region(Region::Face).unwrap();
    let sq = face.measure(MeasureName::Sq).unwrap().value.unwrap();
    assert!(sq > 15.0, "{sq}");
    assert!(score.pores.f1 >= 0.97, "{:?}", score.pores);
    assert!(score.wrinkles.f1 >= 0.97, "{:?}", score.wrinkles);
    let (_, flat) = measured(&PhantomOptions {
        relief: false,
        ..rough
    });
    assert!(score.pores.f1 > flat.pores.f1, "{:?}", flat.pores);
}

#[test]
fn shading_alone_shows_wrinkles_on_bent_skin_in_uneven_light() {
    let (analysis, score) = measured(&PhantomOptions {
        relief: false,
        lighting: Lighting::Uneven,
        tone: Tone::ALL[3],
        ..patch(5)
    });
    assert!(score.wrinkles.f1 >= 0.9, "{:?}", score.wrinkles);
    assert!(score.pores.f1 >= 0.95, "{:?}", score.pores);
    let face = analysis.findings.region(Region::Face).unwrap();
    for name in [MeasureName::WrinkleDepthMean, MeasureName::Sa] {
        let m = face.measure(name).unwrap();
        assert!(m.value.is_none() && m.reason.is_some(), "{m:?}");
    }
}

#[test]
fn the_hard_set_is_still_read() {
    let (_, score) = measured(&PhantomOptions {
        hard: true,
        lighting: Lighting::Directional,
        ..patch(6)
    });
    assert!(score.pores.f1 >= 0.88, "{:?}", score.pores);
    assert!(score.wrinkles.f1 >= 0.9, "{:?}", score.wrinkles);
}

#[test]
fn clean_skin_has_almost_nothing() {
    for relief in [true, false] {
        let (analysis, score) = measured(&PhantomOptions {
            clean: true,
            relief,
            ..patch(7)
        });
        let cm2 = analysis
            .findings
            .region(Region::Face)
            .and_then(|r| r.area_cm2)
            .unwrap();
        assert!((score.pores.found as f64) < 0.3 * cm2, "{:?}", score.pores);
        assert!(score.wrinkles.found <= 1, "{:?}", score.wrinkles);
    }
}

/// Half the resolution that pores need: refused with both numbers, the rest goes on.
#[test]
fn a_coarse_picture_claims_no_pores() {
    let (analysis, _) = measured(&PhantomOptions {
        size_px: 200,
        ..patch(8)
    });
    let face = analysis.findings.region(Region::Face).unwrap();
    let m = face.measure(MeasureName::PoreDensity).unwrap();
    assert_eq!(m.value, None);
    assert_eq!(
        m.reason.as_deref(),
        Some("0.32 mm/px is too coarse for pores (needs 0.15)")
    );
    assert!(face.measure(MeasureName::Ita).unwrap().value.is_some());
    assert_eq!(face.measures.len(), MeasureName::ALL.len());
}

#[test]
fn threads_do_not_change_a_byte() {
    let phantom = Phantom::generate(&PhantomOptions {
        size_px: 512,
        ..patch(9)
    })
    .unwrap();
    let scan = Scan::read_files(phantom.files, &Limits::default()).unwrap();
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let a = pool.install(|| analyze(&scan, &Options::default()).unwrap());
        (serde_json::to_vec(&a.findings).unwrap(), a.maps, a.base)
    };
    let (one, two) = (run(1), run(2));
    assert!(one == two);
}
