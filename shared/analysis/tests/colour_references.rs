//! Colour numbers against published references, read from the test data by path.
#![allow(missing_docs)]

use std::path::PathBuf;

use dermalia_analysis::colour::{Lab, ciede2000, ita_deg, lab_from_srgb8, lab_from_xyz};

/// A file of the test data, or `None` (said aloud) where the data is not there.
fn data(name: &str) -> Option<String> {
    let root = std::env::var_os("DERMALIA_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")),
        PathBuf::from,
    );
    let path = root.join(name);
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        eprintln!("SKIPPED: {} is not there", path.display());
    }
    text
}

#[test]
fn the_values_of_the_methods_page() {
    let lab = lab_from_srgb8([198, 134, 66]);
    for (got, want) in [(lab.l, 61.1786), (lab.a, 18.0418), (lab.b, 45.5899)] {
        assert!((got - want).abs() < 5e-5, "{got} {want}");
    }
    assert!((ita_deg(lab).unwrap() - 13.777).abs() < 5e-4);
    let light = lab_from_srgb8([255, 224, 189]);
    assert!((ita_deg(light).unwrap() - 62.726).abs() < 5e-4);
}

/// Sharma's table: all 34 pairs to four decimals, both ways round.
#[test]
fn ciede2000_of_all_34_pairs() {
    let Some(text) = data("colour/ciede2000_test_data.txt") else {
        return;
    };
    let mut pairs = 0;
    for line in text.lines().filter(|l| !l.starts_with('#')) {
        let v: Vec<f64> = line
            .split_whitespace()
            .filter_map(|f| f.parse().ok())
            .collect();
        if v.len() < 20 {
            continue;
        }
        let lab = |k: usize| Lab {
            l: v[k],
            a: v[k + 1],
            b: v[k + 2],
        };
        let (p, q, want) = (lab(2), lab(17), v[15]);
        assert!((ciede2000(p, q) - want).abs() < 1e-4, "pair {}", v[0]);
        assert!((ciede2000(q, p) - want).abs() < 1e-4, "pair {}", v[0]);
        pairs += 1;
    }
    assert_eq!(pairs, 34);
}

/// The ColorChecker under D65 from two independent sets of spectra: the greys are grey,
/// the lightness falls from patch to patch as printed on the chart, and the two light
/// skin patches have a colour of skin.
#[test]
fn spectra_of_the_chart_make_its_colours() {
    for name in [
        "colour/babelcolor_average.csv",
        "colour/colorchecker_n_ohta.csv",
    ] {
        let Some(text) = data(name) else {
            return;
        };
        let labs = chart(&text);
        assert_eq!(labs.len(), 24);
        // Published L* of the grey row, D65 within the difference of chart editions.
        for (patch, want) in [
            (18, 96.5),
            (19, 81.0),
            (20, 66.7),
            (21, 50.8),
            (22, 35.7),
            (23, 20.5),
        ] {
            let lab = labs[patch];
            assert!((lab.l - want).abs() < 1.5, "{name} {patch} {lab:?}");
            assert!(
                lab.a.abs() < 2.0 && lab.b.abs() < 4.0,
                "{name} {patch} {lab:?}"
            );
        }
        let dark = ita_deg(labs[0]).unwrap();
        let light = ita_deg(labs[1]).unwrap();
        assert!((-60.0..-25.0).contains(&dark), "{dark}");
        assert!((35.0..60.0).contains(&light), "{light}");
    }
}

/// CIELAB of 24 spectra, with the CIE 1931 observer and D65 as Gaussian fits (Wyman,
/// Sloan, Shirley 2013) and tabulated daylight at 10 nm.
fn chart(text: &str) -> Vec<Lab> {
    const D65: [(f64, f64); 36] = [
        (380.0, 49.98),
        (390.0, 54.65),
        (400.0, 82.75),
        (410.0, 91.49),
        (420.0, 93.43),
        (430.0, 86.68),
        (440.0, 104.86),
        (450.0, 117.01),
        (460.0, 117.81),
        (470.0, 114.86),
        (480.0, 115.92),
        (490.0, 108.81),
        (500.0, 109.35),
        (510.0, 107.80),
        (520.0, 104.79),
        (530.0, 107.69),
        (540.0, 104.41),
        (550.0, 104.05),
        (560.0, 100.00),
        (570.0, 96.33),
        (580.0, 95.79),
        (590.0, 88.69),
        (600.0, 90.01),
        (610.0, 89.60),
        (620.0, 87.70),
        (630.0, 83.29),
        (640.0, 83.70),
        (650.0, 80.03),
        (660.0, 80.21),
        (670.0, 82.28),
        (680.0, 78.28),
        (690.0, 69.72),
        (700.0, 71.61),
        (710.0, 74.35),
        (720.0, 61.60),
        (730.0, 69.89),
    ];
    let lobe = |w: f64, mean: f64, low: f64, high: f64| {
        let t = (w - mean) / if w < mean { low } else { high };
        (-0.5 * t * t).exp()
    };
    let observer = |w: f64| {
        [
            1.056 * lobe(w, 599.8, 37.9, 31.0) + 0.362 * lobe(w, 442.0, 16.0, 26.7)
                - 0.065 * lobe(w, 501.1, 20.4, 26.2),
            0.821 * lobe(w, 568.8, 46.9, 40.5) + 0.286 * lobe(w, 530.9, 16.3, 31.1),
            1.217 * lobe(w, 437.0, 11.8, 36.0) + 0.681 * lobe(w, 459.0, 26.0, 13.8),
        ]
    };
    let mut sums = vec![[0.0_f64; 3]; 24];
    let mut white = [0.0_f64; 3];
    for line in text.lines().skip(1) {
        let v: Vec<f64> = line.split(',').filter_map(|f| f.parse().ok()).collect();
        let Some((w, power)) = D65.into_iter().find(|(w, _)| *w == v[0]) else {
            continue;
        };
        for (k, o) in observer(w).into_iter().enumerate() {
            white[k] += power * o;
            for (patch, sum) in sums.iter_mut().enumerate() {
                sum[k] += power * o * v[patch + 1];
            }
        }
    }
    let d65 = [0.950_47, 1.0, 1.088_83];
    sums.into_iter()
        .map(|s| lab_from_xyz([0, 1, 2].map(|k| s[k] / white[k] * d65[k])))
        .collect()
}
