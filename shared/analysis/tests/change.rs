//! Two scans of one face: what is the same, what has changed, and what is not compared.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::OnceLock;

use dermalia_analysis::change::{Change, ChangeError, Kind, Registration, State, Verdict, change};
use dermalia_analysis::{Analysis, Options, analyze};
use dermalia_findings::{Comparison, MeasureName, Region, compared};
use dermalia_phantom::{Earlier, Phantom, PhantomOptions, Tone, Truth};
use dermalia_scan::manifest::Light;
use dermalia_scan::{Limits, Scan};

fn options() -> PhantomOptions {
    PhantomOptions {
        seed: 51,
        size_px: 1792,
        tone: Tone::Light,
        lights: vec![Light::White, Light::CrossPolarised],
        ..PhantomOptions::default()
    }
}

/// A turn about each axis, then a shift.
#[derive(Clone, Copy)]
struct Pose {
    turn_deg: [f64; 3],
    shift_mm: [f64; 3],
}

const POSE: Pose = Pose {
    turn_deg: [3.0, -4.0, 2.0],
    shift_mm: [5.0, -3.0, 7.0],
};

impl Pose {
    fn turn(&self, p: [f64; 3]) -> [f64; 3] {
        let [(sx, cx), (sy, cy), (sz, cz)] = self.turn_deg.map(|d| d.to_radians().sin_cos());
        let [x, y, z] = p;
        let (y, z) = (cx * y - sx * z, sx * y + cx * z);
        let (x, z) = (cy * x + sy * z, cy * z - sy * x);
        [cz * x - sz * y, sz * x + cz * y, z]
    }

    fn apply(&self, p: [f64; 3]) -> [f64; 3] {
        let q = self.turn(p);
        [0, 1, 2].map(|k| q[k] + self.shift_mm[k])
    }

    fn to(&self, p: &mut [f32; 3]) {
        *p = self.apply(p.map(f64::from)).map(|v| v as f32);
    }
}

fn measured(options: &PhantomOptions, pose: Option<Pose>) -> (Analysis, Truth) {
    let phantom = Phantom::generate(options).unwrap();
    let mut scan = Scan::read_files(phantom.files, &Limits::default()).unwrap();
    if let Some(pose) = pose {
        for p in &mut scan.mesh.as_mut().unwrap().positions {
            pose.to(p);
        }
        for p in scan.landmarks.as_mut().unwrap() {
            pose.to(p);
        }
    }
    let analysis = analyze(&scan, &Options::default()).unwrap();
    (analysis, phantom.truth)
}

fn now() -> &'static (Analysis, Truth) {
    static NOW: OnceLock<(Analysis, Truth)> = OnceLock::new();
    NOW.get_or_init(|| measured(&options(), None))
}

/// Another capture of a head that has moved.
fn recaptured() -> &'static Analysis {
    static RECAPTURED: OnceLock<Analysis> = OnceLock::new();
    RECAPTURED.get_or_init(|| {
        let again = PhantomOptions {
            recapture: Some(1),
            ..options()
        };
        measured(&again, Some(POSE)).0
    })
}

fn again() -> &'static Change {
    static AGAIN: OnceLock<Change> = OnceLock::new();
    AGAIN.get_or_init(|| change(&now().0, recaptured()).unwrap())
}

/// What a report says, which has the findings of both and no surface.
#[test]
fn two_captures_show_no_change_by_their_numbers_either() {
    let (then, now) = (&now().0.findings, &recaptured().findings);
    let pairs = Region::ALL.iter().flat_map(|&region| {
        let names = MeasureName::ALL.iter();
        names.filter_map(move |&name| compared(then, now, region, name))
    });
    let all: Vec<_> = pairs
        .filter(|c| c.verdict != Verdict::NotComparable)
        .collect();
    let claims = |c: &&Comparison<'_>| c.verdict != Verdict::WithinScatter;
    let claimed: Vec<_> = all.iter().filter(claims).collect();
    assert!(all.len() >= 180, "{}", all.len());
    assert!(
        claimed.len() * 20 <= all.len(),
        "{}: {claimed:?}",
        all.len()
    );
}

#[test]
fn two_captures_of_the_same_skin_show_no_change() {
    let found = again();
    let (mut all, mut claimed) = (0, vec![]);
    for region in &found.regions {
        for m in region.measures.iter().filter(|m| m.difference.is_some()) {
            all += 1;
            if m.verdict != Verdict::WithinScatter {
                claimed.push((region.region, m));
            }
        }
    }
    assert!(all >= 180, "{all}");
    assert!(claimed.len() * 20 <= all, "{all}: {claimed:?}");
    for kind in [Kind::Spot, Kind::RedArea, Kind::Wrinkle] {
        for state in [State::New, State::Gone] {
            assert!(found.count(kind, state) <= 1, "{kind:?} {state:?}");
        }
        assert!(found.count(kind, State::Unchanged) >= 6, "{kind:?}");
    }
    let same = found.count(Kind::Pore, State::Unchanged);
    assert!(found.count(Kind::Pore, State::New) * 20 < same);
    for map in &found.maps {
        assert!(map.changed_share() < 0.01, "{:?}", map.parameter);
    }
}

/// Within 0.2° and, at three points of the face, 0.2 mm.
fn is_the_pose(found: &Registration) {
    // Of the difference of the two rotations, the angle.
    let mut trace = 0.0;
    for k in 0..3 {
        let mut axis = [0.0; 3];
        axis[k] = 1.0;
        let a = POSE.turn(axis);
        trace += (0..3).map(|r| a[r] * found.rotation[r][k]).sum::<f64>();
    }
    let angle = ((trace - 1.0) / 2.0).min(1.0).acos().to_degrees();
    assert!(angle < 0.2, "{angle}");
    for p in [[0.0, 0.0, 60.0], [60.0, 40.0, 10.0], [-50.0, -60.0, 20.0]] {
        let to = POSE.apply(p);
        for k in 0..3 {
            let q: f64 = (0..3).map(|c| found.rotation[k][c] * p[c]).sum();
            assert!((q + found.shift_mm[k] - to[k]).abs() < 0.2, "{found:?}");
        }
    }
}

#[test]
fn the_motion_of_the_head_comes_back() {
    is_the_pose(&again().registration);
}

/// A surface measured with an error of 0.2 mm and landmarks of 1.5 mm.
#[test]
fn a_noisy_surface_is_registered_as_well() {
    let mut state = 7_u64;
    let mut noise = |size: f64| {
        // The sum of four even numbers is nearly normal.
        let sum: f64 = (0..4)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
            })
            .sum();
        size * sum * 3.0_f64.sqrt()
    };
    let first = &now().0;
    let mut mesh = first.mesh.clone();
    let mut landmarks = first.landmarks_mm.clone().unwrap();
    for p in &mut mesh.positions {
        POSE.to(p);
        *p = p.map(|v| v + noise(0.2) as f32);
    }
    for p in &mut landmarks {
        POSE.to(p);
        *p = p.map(|v| v + noise(1.5) as f32);
    }
    let second = Analysis {
        findings: first.findings.clone(),
        maps: first.maps.clone(),
        base: first.base.clone(),
        mesh,
        has_surface: true,
        landmarks_mm: Some(landmarks),
    };
    let found = change(first, &second).unwrap().registration;
    assert!((0.05..0.35).contains(&found.residual_mm), "{found:?}");
    is_the_pose(&found);
}

/// Of the same size, and half as red.
#[test]
fn areas_that_were_half_as_red_are_told_by_their_contrast() {
    let earlier = PhantomOptions {
        earlier: Some(Earlier {
            redness: 0.5,
            ..Earlier::default()
        }),
        recapture: Some(3),
        ..options()
    };
    let (then, _) = measured(&earlier, Some(POSE));
    let found = change(&then, &now().0).unwrap();
    let red = |state| found.count(Kind::RedArea, state);
    assert!(red(State::Stronger) >= 6, "{}", red(State::Stronger));
    assert!(red(State::Unchanged) <= 1 && red(State::Weaker) == 0);
    for f in (found.features.iter()).filter(|f| f.state == State::Stronger) {
        let (Some(then), Some(now)) = (f.strength_before, f.strength_now) else {
            panic!("{f:?}")
        };
        assert!((then / now - 0.5).abs() < 0.1, "{then} {now}");
    }
    // Nothing of this is seen where nothing changed.
    for kind in [Kind::Wrinkle, Kind::Spot, Kind::RedArea] {
        for state in [State::Stronger, State::Weaker] {
            assert_eq!(again().count(kind, state), 0, "{kind:?} {state:?}");
        }
    }
}

#[test]
fn what_has_really_changed_is_found_with_its_size() {
    let earlier = PhantomOptions {
        earlier: Some(Earlier {
            missing_spots: 8,
            red_diameter: 0.8,
            wrinkle_depth: 0.6,
            ..Earlier::default()
        }),
        recapture: Some(2),
        ..options()
    };
    let (then, then_truth) = measured(&earlier, Some(POSE));
    let (now, now_truth) = now();
    let found = change(&then, now).unwrap();
    for name in [
        MeasureName::SpotDensity,
        MeasureName::SpotAreaFraction,
        MeasureName::RedAreaFraction,
        MeasureName::WrinkleDepthMean,
    ] {
        let truth = |t: &Truth| t.measure(Region::Face, name).unwrap();
        let real = truth(now_truth) - truth(&then_truth);
        let m = found.measure(Region::Face, name).unwrap();
        let [low, high] = m.interval.unwrap();
        assert_eq!(m.verdict, Verdict::More, "{m:?}");
        assert!((low..=high).contains(&real), "{real}: {m:?}");
    }
    for name in [MeasureName::PoreDensity, MeasureName::Sa] {
        let m = found.measure(Region::Face, name).unwrap();
        assert!(m.difference.is_some() && m.unit == name.unit(), "{m:?}");
    }
    let new = found.count(Kind::Spot, State::New);
    assert!((7..=9).contains(&new), "{new}");
    assert!(found.count(Kind::Spot, State::Gone) <= 1);
    let red = found.count(Kind::RedArea, State::Larger);
    assert!(
        2 * red > found.count(Kind::RedArea, State::Unchanged),
        "{red}"
    );
    let changed = |p| {
        found
            .maps
            .iter()
            .find(|m| m.parameter == p)
            .unwrap()
            .changed_share()
    };
    assert!(changed(dermalia_findings::Parameter::Pigmentation) > 0.0005);
    // The same two scans say the same thing twice.
    let twice = change(&then, now).unwrap();
    assert!(
        serde_json::to_vec(&found).unwrap() == serde_json::to_vec(&twice).unwrap()
            && found.maps == twice.maps
    );
}

#[test]
fn what_cannot_be_registered_is_refused_with_the_reason() {
    let small = |seed| {
        let o = PhantomOptions {
            seed,
            size_px: 384,
            ..options()
        };
        measured(&o, None).0
    };
    let mut one = small(41);
    let other = small(46);
    let error = change(&other, &one).unwrap_err();
    assert!(matches!(error, ChangeError::Residual { .. }), "{error}");
    one.landmarks_mm = None;
    assert_eq!(
        change(&other, &one).unwrap_err(),
        ChangeError::NoFace("later")
    );
    one.has_surface = false;
    assert_eq!(
        change(&one, &other).unwrap_err(),
        ChangeError::NoSurface("earlier")
    );
}
