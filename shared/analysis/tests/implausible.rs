//! Scans that are not what they say they are.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dermalia_analysis::{Analysis, Options, analyze};
use dermalia_findings::{Feature, Measure, MeasureName, Region};
use dermalia_phantom::score::Score;
use dermalia_phantom::{Base, Phantom, PhantomOptions};
use dermalia_scan::manifest::{Axis, Light};
use dermalia_scan::{Limits, Picture, Scan};

fn phantom(size_px: usize, base: Base) -> (Scan, Phantom) {
    let phantom = Phantom::generate(&PhantomOptions {
        seed: 5,
        size_px,
        lights: vec![Light::White],
        base,
        ..PhantomOptions::default()
    })
    .unwrap();
    let scan = Scan::read_files(phantom.files.clone(), &Limits::default()).unwrap();
    (scan, phantom)
}

/// Skin 64 mm wide with wrinkles, at 0.1 mm a pixel.
fn patch() -> (Scan, Phantom) {
    let (side_mm, radius_mm) = (64.0, Some(60.0));
    phantom(640, Base::Patch { side_mm, radius_mm })
}

fn measured(scan: &Scan) -> Analysis {
    analyze(scan, &Options::default()).unwrap()
}

fn refusal(scan: &Scan) -> String {
    let fault = analyze(scan, &Options::default()).unwrap_err();
    assert!(fault.is_refusal(), "{fault}");
    fault.to_string()
}

fn measure(analysis: &Analysis, name: MeasureName) -> &Measure {
    let face = analysis.findings.region(Region::Face).unwrap();
    face.measure(name).unwrap()
}

fn warning<'a>(analysis: &'a Analysis, words: &str) -> Option<&'a String> {
    let warnings = &analysis.findings.quality.warnings;
    warnings.iter().find(|w| w.contains(words))
}

/// The same with pixels of the relief that are the means of so many, along a side.
fn coarser(scan: &Scan, step: usize) -> Scan {
    let relief = scan.relief.as_ref().unwrap();
    let fine = relief.decode_levels(&Limits::default()).unwrap();
    let (w, h) = (fine.width / step, fine.height / step);
    let mut grey = vec![];
    for i in 0..w * h {
        let (x, y) = (i % w * step, i / w * step);
        let cell = (y..y + step).flat_map(|y| &fine.levels[y * fine.width + x..][..step]);
        let mean = cell.map(|l| f64::from(*l)).sum::<f64>() / (step * step) as f64;
        grey.extend((mean.round() as u16).to_be_bytes());
    }
    let mut bytes = vec![];
    let mut encoder = png::Encoder::new(&mut bytes, w as u32, h as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Sixteen);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&grey).unwrap();
    writer.finish().unwrap();
    Scan {
        relief: Some(Picture::new(relief.file().to_owned(), bytes).unwrap()),
        ..scan.clone()
    }
}

/// Samples of 0.2 and 0.4 mm draw a wrinkle half a millimetre wide out to 0.54 and 0.68 mm, and
/// take a thirteenth and a quarter of its depth.
#[test]
fn the_depth_of_wrinkles_does_not_hang_on_the_samples_of_the_relief() {
    let (scan, phantom) = patch();
    let score = |scan: &Scan| {
        let findings = measured(scan).findings;
        let score = Score::of(&findings, &phantom.truth);
        let depth = score.measure(Region::Face, MeasureName::WrinkleDepthMean);
        let error = depth.and_then(|m| m.relative()).unwrap();
        (score.wrinkles, error)
    };
    let (_, fine) = score(&scan);
    for step in [2, 4] {
        let (lines, error) = score(&coarser(&scan, step));
        assert!((error - fine).abs() < 0.07, "{step}: {error}, {fine}");
        let width = lines.width_bias.unwrap();
        assert!(lines.f1 >= 0.95 && width.abs() < 0.04, "{step}: {lines:?}");
    }
    let analysis = measured(&coarser(&scan, 4));
    let depth = measure(&analysis, MeasureName::WrinkleDepthMean);
    let reason = depth.reason.as_ref().unwrap();
    assert!(reason.contains("0.40 mm per sample"), "{reason}");
}

#[test]
fn a_relief_too_coarse_for_wrinkles_leaves_them_to_the_pictures() {
    let (scan, _) = patch();
    let mut without = scan.clone();
    (without.relief, without.manifest.relief) = (None, None);
    let without = measured(&without);
    for (step, told) in [(8, "0.80 mm per sample"), (640, "64.00 mm per sample")] {
        let analysis = measured(&coarser(&scan, step));
        let text = warning(&analysis, "the relief is too coarse and was not used").unwrap();
        assert!(text.contains(told) && text.contains("0.50"), "{text}");
        assert_eq!(analysis.findings.features, without.findings.features);
        let depth = measure(&analysis, MeasureName::WrinkleDepthMean);
        assert_eq!((depth.value, depth.reason.as_ref()), (None, Some(text)));
    }
    assert!(matches!(
        without.findings.features[0],
        Feature::Wrinkle { depth_mm: None, .. }
    ));
}

#[test]
fn a_relief_that_skin_cannot_have_is_left_out() {
    let (mut scan, _) = patch();
    let levels = scan.manifest.relief.as_mut().unwrap();
    levels.mm_per_level *= 3.0;
    assert!(warning(&measured(&scan), "the relief").is_none());
    scan.manifest.relief.as_mut().unwrap().mm_per_level *= 300.0;
    let analysis = measured(&scan);
    let text = warning(&analysis, "the relief is not that of skin").unwrap();
    assert!(text.contains("relief.mm_per_level"), "{text}");
    assert_eq!(measure(&analysis, MeasureName::Sq).value, None);
    assert!(measure(&analysis, MeasureName::WrinkleCount).value > Some(0.0));
    scan.manifest.relief.as_mut().unwrap().mm_per_level = 1e-30;
    assert!(warning(&measured(&scan), "level everywhere").is_some());
}

#[test]
fn a_surface_of_another_unit_is_refused() {
    let (scan, _) = patch();
    for (factor, area) in [(1000.0, "cm2"), (1e-3, "0.0000")] {
        let mut scan = scan.clone();
        let mesh = scan.mesh.as_mut().unwrap();
        mesh.positions
            .iter_mut()
            .flatten()
            .for_each(|c| *c *= factor);
        let text = refusal(&scan);
        assert!(text.contains("mesh.unit") && text.contains(area), "{text}");
    }
}

#[test]
fn landmarks_that_contradict_themselves_or_the_axes_are_refused() {
    let (scan, _) = phantom(256, Base::Face { levels: 2 });
    analyze(&scan, &Options::default()).unwrap();
    let changed = |change: fn([f32; 3]) -> [f32; 3]| {
        let mut scan = scan.clone();
        for p in scan.landmarks.as_mut().unwrap() {
            *p = change(*p);
        }
        scan
    };
    let large = refusal(&changed(|p| p.map(|c| 10.0 * c)));
    assert!(
        large.contains("landmarks.points") && large.contains("400 mm"),
        "{large}"
    );
    let mirrored = refusal(&changed(|[x, y, z]| [-x, y, z]));
    assert!(
        mirrored.contains("landmarks.points") && mirrored.contains("mirrored"),
        "{mirrored}"
    );
    let mut behind = changed(|[x, y, z]| [-x, y, -z]);
    behind.manifest.mesh.as_mut().unwrap().front = Axis::MinusZ;
    let behind = refusal(&behind);
    assert!(
        behind.contains("mesh.front") && behind.contains("got -z"),
        "{behind}"
    );
    let rolled = refusal(&changed(|[x, y, z]| [-y, x, z]));
    assert!(rolled.contains("mesh.up"), "{rolled}");
}

#[test]
fn an_atlas_that_is_mirrored_or_leaves_the_pictures_is_told() {
    let (scan, _) = patch();
    assert!(warning(&measured(&scan), "atlas").is_none());
    let changed = |change: fn([f32; 2]) -> [f32; 2]| {
        let mut scan = scan.clone();
        for uv in &mut scan.mesh.as_mut().unwrap().uvs {
            *uv = change(*uv);
        }
        measured(&scan)
    };
    for mirrored in [
        changed(|[u, v]| [1.0 - u, v]),
        changed(|[u, v]| [u, 1.0 - v]),
    ] {
        assert!(warning(&mirrored, "100 % of the surface is mirrored").is_some());
    }
    assert!(warning(&changed(|[u, v]| [1.0 - u, 1.0 - v]), "atlas").is_none());
    let outside = changed(|[u, v]| [1.5 * u, v]);
    assert!(warning(&outside, "3").is_some_and(|w| w.contains("outside of the pictures")));
    // Corners that run clockwise mirror nothing.
    let mut turned = scan.clone();
    let mesh = turned.mesh.as_mut().unwrap();
    let corners = mesh.triangles.iter_mut().chain(&mut mesh.uv_triangles);
    corners.for_each(|t| t.swap(0, 1));
    assert!(warning(&measured(&turned), "mirrored").is_none());
}
