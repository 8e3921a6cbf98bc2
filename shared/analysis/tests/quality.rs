//! The limits of quality on either side: what is not flagged is inside its interval, and
//! what is blurred is flagged, its interval wide enough to hold the truth all the same.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dermalia_analysis::{Options, analyze};
use dermalia_findings::{Confidence, Findings, MeasureName, Region};
use dermalia_phantom::{Base, Phantom, PhantomOptions, Tone, Truth};
use dermalia_scan::{Limits, Picture, Samples, Scan};

/// A Gaussian blur of the levels; the encoding's curve is straight over a pore.
fn blurred(picture: &Picture, sigma_px: f64) -> Picture {
    let pixels = picture.decode(&Limits::default()).unwrap();
    let Samples::Eight(levels) = pixels.samples else {
        unreachable!("phantoms have 8 bits")
    };
    let (w, h) = (pixels.width, pixels.height);
    let radius = (3.0 * sigma_px).ceil() as isize;
    let weight = |k: isize| libm::exp(-0.5 * (k as f64 / sigma_px) * (k as f64 / sigma_px));
    let total: f64 = (-radius..=radius).map(weight).sum();
    let pass = |source: &[f64], step: usize, along: usize| -> Vec<f64> {
        (0..source.len())
            .map(|i| {
                let at = (i / step % along) as isize;
                let sum: f64 = (-radius..=radius)
                    .map(|k| {
                        let to = (at + k).clamp(0, along as isize - 1) - at;
                        weight(k) * source[(i as isize + to * step as isize) as usize]
                    })
                    .sum();
                sum / total
            })
            .collect()
    };
    let source: Vec<f64> = levels.iter().map(|&v| f64::from(v)).collect();
    let smooth = pass(&pass(&source, 3, w), 3 * w, h);
    // A little grain, as every sensor has.
    let out: Vec<u8> = smooth
        .iter()
        .enumerate()
        .map(|(i, v)| (v + (i * 7919 % 211) as f64 / 211.0) as u8)
        .collect();
    let mut bytes = vec![];
    let mut encoder = png::Encoder::new(&mut bytes, w as u32, h as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&out).unwrap();
    writer.finish().unwrap();
    Picture::new(picture.file(), bytes).unwrap().as_stored()
}

fn holds(findings: &Findings, truth: &Truth, name: MeasureName) -> bool {
    let real = truth.regions.iter().find(|r| r.region == Region::Face);
    let real = real.unwrap().measures[&name];
    let measure = findings
        .region(Region::Face)
        .unwrap()
        .measure(name)
        .unwrap();
    let [low, high] = measure.interval.unwrap();
    (low..=high).contains(&real)
}

#[test]
fn blur_is_flagged_before_it_leaves_the_interval() {
    let Phantom { files, truth } = Phantom::generate(&PhantomOptions {
        seed: 12,
        size_px: 640,
        tone: Tone::Light,
        relief: false,
        base: Base::Patch {
            side_mm: 64.0,
            radius_mm: Some(60.0),
        },
        ..PhantomOptions::default()
    })
    .unwrap();
    let sharp = Scan::read_files(files, &Limits::default()).unwrap();
    let mut focus = f64::INFINITY;
    for sigma_px in [0.0, 0.6, 1.2, 1.8] {
        let mut scan = sharp.clone();
        if sigma_px > 0.0 {
            for picture in &mut scan.pictures {
                *picture = blurred(picture, sigma_px);
            }
        }
        let findings = analyze(&scan, &Options::default()).unwrap().findings;
        let here = findings.quality.focus;
        assert!(here < focus, "{sigma_px} px: focus {here}, before {focus}");
        focus = here;
        let face = findings.region(Region::Face).unwrap();
        // What is sharp is not flagged, what is a pixel and a half out of focus is.
        let flagged = here < 0.58;
        assert!(sigma_px > 0.0 || !flagged, "{here}");
        assert!(sigma_px < 1.5 || flagged, "{here}");
        for name in [MeasureName::PoreDiameterMean, MeasureName::PoreAreaFraction] {
            let measure = face.measure(name).unwrap();
            let why = measure.reason.as_deref().unwrap_or_default();
            assert_eq!(why.contains("is below 0.58"), flagged, "{measure:?}");
            assert!(!flagged || measure.confidence == Confidence::Low);
            assert!(holds(&findings, &truth, name), "{sigma_px} px: {measure:?}");
        }
        let mut warnings = findings.quality.warnings.iter();
        let warned = warnings.any(|w| w.contains("blurred"));
        assert_eq!(warned, here < 0.5, "{here}");
    }
}
