//! The 95 % interval of each computed measure.
//!
//! Half its width is a share of the value (scatter of the method), a share that falls with
//! the root of the number of features (those that are missed, invented, or cut by the edge
//! of a region, which the whole face hardly has), and what the capture adds: the exposure
//! and the balance of the light for levels of colour, the scale for lengths. The shares
//! were read off phantoms of five skin tones under three lights, of the hard set and with
//! JPEG pictures, whose pores are drawn 6 % too wide; others check them
//! (`tests/intervals.rs`). They are those of the definitions in the contract: how far a
//! definition is from what a dermatologist would say is another question.

use dermalia_findings::{
    Confidence, Measure, MeasureName, Parameter, Region, RegionFindings, Source,
};

use crate::atlas::Scale;
use crate::flatten::Unevenness;

/// Two-sided 95 % of a normal distribution, in standard deviations.
const WIDTH: f64 = 1.96;
/// The exposure of a device from scan to scan, as a standard deviation of the logarithm of
/// the light: within 15 % in 95 of 100.
const EXPOSURE: f64 = 0.075;
/// The same for each unit of unevenness of the light, which decides where it is full.
const EXPOSURE_UNEVEN: f64 = 0.09;
/// The same for each unit of the logarithm of full light over the mean light: where a lamp
/// lights the skin from one side, some mean by the skin's colour that under its full light,
/// others that under the mean light. 95 % reach a sixth beyond, because ITA is no straight
/// line of the light.
const EXPOSURE_FULL: f64 = 0.6;
/// Unevenness where none was measured.
const USUAL_UNEVEN: Unevenness = Unevenness {
    range: 0.35,
    full: 0.0,
};
/// Degrees of ITA for a logarithm of light of 1, where L* is 50: (50 + 16) / 3 over a b*
/// of 18. It falls with the squared cosine of the angle.
const ITA_BY_LIGHT_DEG: f64 = 70.0;
/// What a balance within 1 % in each channel moves a*, ITA and the indices by, in 95 of 100; on
/// light skin the most.
const BALANCE_A: f64 = 0.63;
const BALANCE_ITA_DEG: f64 = 0.7;
const BALANCE_MELANIN: f64 = 0.41;
const BALANCE_ERYTHEMA: f64 = 0.67;
/// The erythema index of a phantom whose light is balanced is off by no more.
const ERYTHEMA: f64 = 0.5;
/// The width of irises, 11.7 mm within 0.5 mm, as a share.
const IRIS: f64 = 0.043;
/// Blur below this focus makes pores wider, by up to so great a share for each unit of focus.
const SHARP: f64 = 0.7;
const WIDER_BY_BLUR: f64 = 1.2;
/// What doubtful pores, by their share, leave open of the diameter: those that are missed
/// are narrower than those found.
const NARROWER: f64 = 0.25;
/// Pores on each cm2 of skin, and their area as a share of it, that are none or missed even
/// where few were found.
const STRAY_PORES: f64 = 0.2;
const STRAY_AREA: f64 = 0.0005;
/// The length of lines that cross, fork and run out in texture is known within this share.
const LINES: f64 = 0.08;
/// Texture of the mesh itself is known so many times less well, and the depth and the number and
/// length of wrinkles, among which are folds of its form, within these shares.
const MESH_TEXTURE: f64 = 4.0;
const MESH_DEPTH: f64 = 0.1;
const MESH_LINES: f64 = 0.2;
/// A coarse relief's pixels may be means over their area or points of it, and grooves are not
/// all shaped alike.
const RECKONED: f64 = 0.5;
/// What is stated with low confidence for another reason than its light is so much wider.
const LOW: f64 = 2.0;

/// What of a capture widens intervals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capture {
    /// That of the light over the skin.
    pub(crate) unevenness: Option<Unevenness>,
    /// Where the scale comes from.
    pub(crate) scale: Scale,
    /// Sharpness from 0 to 1, where a picture told it.
    pub(crate) focus: Option<f64>,
    /// The share of a region's pores that hardly stand out of the noise.
    pub(crate) doubtful_pores: f64,
    /// The same of its wrinkles.
    pub(crate) doubtful_wrinkles: f64,
    /// The share of their depth that was added for the samples of a coarse relief.
    pub(crate) reckoned_depth: f64,
    /// Whether the mesh itself is the relief: its form, where a nose is bent as tightly as the
    /// skin is rough, is known less well.
    pub(crate) relief_of_mesh: bool,
}

/// Gives every computed value of a region its interval.
pub(crate) fn fill(findings: &mut RegionFindings, capture: Capture) {
    let area_cm2 = findings.area_cm2.unwrap_or(0.0);
    let count = |name: MeasureName, scale: f64| {
        findings
            .measure(name)
            .and_then(|m| m.value)
            .map_or(0.0, |v| v * scale)
    };
    let counts = Counts {
        wrinkles: count(MeasureName::WrinkleCount, 1.0),
        pores: count(MeasureName::PoreDensity, area_cm2),
        spots: count(MeasureName::SpotDensity, area_cm2),
    };
    let face = findings.region == Region::Face;
    for measure in &mut findings.measures {
        measure.interval = of(measure, face, area_cm2, &counts, capture);
    }
}

/// Features of a region.
struct Counts {
    wrinkles: f64,
    pores: f64,
    spots: f64,
}

fn of(
    measure: &Measure,
    face: bool,
    area_cm2: f64,
    counts: &Counts,
    capture: Capture,
) -> Option<[f64; 2]> {
    use MeasureName as N;
    let value = measure
        .value
        .filter(|_| measure.source == Source::Computed)?;
    let root = |a: f64, b: f64| (a * a + b * b).sqrt();
    // Shares of the value: of the method, and of each feature, on the face and in a region.
    let share = |method: f64, each: [f64; 2], n: f64| {
        let each = if face { each[0] } else { each[1] };
        value.abs() * root(method, each / n.max(1.0).sqrt())
    };
    let uneven = capture.unevenness.unwrap_or(USUAL_UNEVEN);
    let light = WIDTH
        * root(
            root(EXPOSURE, EXPOSURE_UNEVEN * uneven.range),
            EXPOSURE_FULL * uneven.full,
        );
    let blur = capture
        .focus
        .map_or(0.0, |f| WIDER_BY_BLUR * (SHARP - f).max(0.0));
    let doubtful = capture.doubtful_pores;
    let of_mesh = |share: f64| if capture.relief_of_mesh { share } else { 0.0 };
    let half = match measure.name {
        N::WrinkleCount => root(
            (if face { 0.3 } else { 0.4 }) * value.max(1.0).sqrt(),
            root(capture.doubtful_wrinkles, of_mesh(MESH_LINES)) * value,
        ),
        N::WrinkleLengthDensity | N::WrinkleAreaFraction => share(
            root(LINES, of_mesh(MESH_LINES)),
            [0.1, 0.8],
            counts.wrinkles,
        ),
        N::WrinkleDepthMean => share(
            root(
                root(0.05, of_mesh(MESH_DEPTH)),
                RECKONED * capture.reckoned_depth,
            ),
            [0.05, 0.15],
            counts.wrinkles,
        ),
        N::PoreDensity => root(
            share(root(0.11, doubtful), [0.3, 0.3], counts.pores),
            STRAY_PORES,
        ),
        N::PoreDiameterMean => share(
            root(root(0.07, NARROWER * doubtful), blur),
            [0.1, 0.1],
            counts.pores,
        ),
        // The area goes with the square.
        N::PoreAreaFraction => root(
            share(
                root(root(0.09, doubtful), 2.0 * blur),
                [0.35, 0.35],
                counts.pores,
            ),
            STRAY_AREA,
        ),
        N::Ita => {
            let cos = libm::cos(value.to_radians());
            root(ITA_BY_LIGHT_DEG * cos * cos * light, BALANCE_ITA_DEG)
        }
        N::MelaninIndex => root(100.0 / std::f64::consts::LN_10 * light, BALANCE_MELANIN),
        N::ErythemaIndex => root(ERYTHEMA, BALANCE_ERYTHEMA),
        // a* goes with the cube root of the light.
        N::AStar => root(BALANCE_A, value / 3.0 * light),
        N::SpotDensity => share(0.04, [0.5, 0.5], counts.spots),
        N::SpotAreaFraction => share(0.03, [0.15, 0.8], counts.spots),
        N::SpotContrastMean => share(0.08, [0.25, 0.25], counts.spots),
        N::RedAreaFraction if face => 0.04 * value,
        // A red area that the edge of a region cuts.
        N::RedAreaFraction => root(0.04 * value, 0.035 / area_cm2.max(0.1).sqrt()),
        N::Sa | N::Sq => 0.035 * value,
        N::Sz => (if face { 0.12 } else { 0.08 }) * value,
        N::Ssk => root(0.12, (if face { 0.14 } else { 0.1 }) * value),
        N::Sku => (if face { 0.22 } else { 0.12 }) * value,
        N::Hydration => return None,
    };
    let half = if capture.relief_of_mesh && measure.name.parameter() == Parameter::Texture {
        MESH_TEXTURE * half
    } else {
        half
    };
    let level = matches!(
        measure.name,
        N::Ita | N::MelaninIndex | N::ErythemaIndex | N::AStar
    );
    let wider = if measure.confidence == Confidence::Low && !level {
        LOW
    } else {
        1.0
    };
    let lengths = match (capture.scale, measure.name) {
        (Scale::Iris, N::WrinkleLengthDensity | N::PoreDiameterMean) => 1.0,
        (Scale::Iris, N::PoreDensity | N::SpotDensity) => 2.0,
        _ => 0.0,
    };
    let half = root(wider * half, lengths * IRIS * value);
    let least = if level || measure.name == N::Ssk {
        f64::NEG_INFINITY
    } else {
        0.0
    };
    Some([(value - half).max(least), value + half])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(measures: Vec<Measure>) -> RegionFindings {
        RegionFindings {
            region: Region::CheekLeft,
            area_cm2: Some(20.0),
            excluded_cm2: Some(0.0),
            measures,
        }
    }

    const EVEN: Capture = Capture {
        unevenness: Some(Unevenness {
            range: 0.05,
            full: 0.0,
        }),
        scale: Scale::Stated,
        focus: Some(0.9),
        doubtful_pores: 0.0,
        doubtful_wrinkles: 0.0,
        reckoned_depth: 0.0,
        relief_of_mesh: false,
    };

    fn half(m: &Measure) -> f64 {
        let [low, high] = m.interval.unwrap();
        0.5 * (high - low)
    }

    #[test]
    fn what_is_not_computed_has_none_and_nothing_is_less_than_nothing() {
        let device = Measure {
            source: Source::Device,
            ..Measure::computed(MeasureName::Hydration, 41.0)
        };
        let mut r = region(vec![
            Measure::not_measured(MeasureName::Sa, "no relief"),
            device,
            Measure::computed(MeasureName::WrinkleCount, 0.0),
            Measure::computed(MeasureName::RedAreaFraction, 0.0),
        ]);
        fill(&mut r, EVEN);
        assert_eq!(r.measures[0].interval, None);
        assert_eq!(r.measures[1].interval, None);
        for m in &r.measures[2..] {
            let [low, high] = m.interval.unwrap();
            assert!(low == 0.0 && high > 0.0, "{m:?}");
        }
    }

    #[test]
    fn many_features_uneven_light_and_an_estimated_scale_tell() {
        let density = |v: f64, capture: Capture| {
            let mut r = region(vec![
                Measure::computed(MeasureName::PoreDensity, v),
                Measure::computed(MeasureName::Ita, 40.0),
            ]);
            fill(&mut r, capture);
            [half(&r.measures[0]) / v, half(&r.measures[1])]
        };
        let few = density(0.5, EVEN);
        let many = density(50.0, EVEN);
        assert!(few[0] > many[0] && many[0] > 0.11, "{few:?} {many:?}");
        let uneven = |full| Capture {
            unevenness: Some(Unevenness { range: 0.6, full }),
            ..EVEN
        };
        // 15 % of light are 6.1 degrees at an ITA of 40, 1 % of balance 0.7.
        assert!((many[1] - 6.13).abs() < 0.1, "{many:?}");
        assert!(density(50.0, uneven(0.0))[1] > 1.2 * many[1]);
        // A lamp whose mean light is 30 % below its full light: 12.3 degrees.
        assert!(density(50.0, uneven(0.3))[1] > 12.3);
        let iris = Capture {
            scale: Scale::Iris,
            ..EVEN
        };
        assert!(density(50.0, iris)[0] > many[0]);
    }

    #[test]
    fn blur_widens_what_pores_measure_and_nothing_else() {
        let halves = |focus| {
            let mut r = region(vec![
                Measure::computed(MeasureName::PoreDiameterMean, 0.4),
                Measure::computed(MeasureName::SpotAreaFraction, 0.01),
            ]);
            fill(&mut r, Capture { focus, ..EVEN });
            [half(&r.measures[0]), half(&r.measures[1])]
        };
        let (sharp, none, soft) = (halves(Some(0.75)), halves(None), halves(Some(0.5)));
        assert_eq!(sharp, none);
        assert_eq!(sharp[1], soft[1]);
        assert!(soft[0] > 1.5 * sharp[0], "{sharp:?} {soft:?}");
    }

    /// Where all pores found may be noise, none may be the truth; where none was found, a
    /// few may.
    #[test]
    fn doubtful_pores_widen_what_pores_measure_and_nothing_else() {
        let intervals = |v: f64, doubtful_pores| {
            let mut r = region(vec![
                Measure::computed(MeasureName::PoreDensity, v),
                Measure::computed(MeasureName::PoreAreaFraction, 0.002 * v),
                Measure::computed(MeasureName::PoreDiameterMean, 0.4),
                Measure::computed(MeasureName::SpotAreaFraction, 0.01),
            ]);
            let capture = Capture {
                doubtful_pores,
                ..EVEN
            };
            fill(&mut r, capture);
            [0, 1, 2, 3].map(|k| r.measures[k].interval.unwrap())
        };
        let (sure, doubtful) = (intervals(4.0, 0.0), intervals(4.0, 1.0));
        for k in 0..2 {
            assert!(
                sure[k][0] > 0.0 && doubtful[k][0] == 0.0,
                "{sure:?} {doubtful:?}"
            );
        }
        assert!(doubtful[2][0] < sure[2][0] && doubtful[3] == sure[3]);
        assert!(intervals(0.0, 0.0)[0][1] > 0.1);
    }

    /// Folds of the form of a mesh pass for wrinkles.
    #[test]
    fn wrinkles_of_a_mesh_are_known_less_well() {
        let halves = |relief_of_mesh, doubtful_wrinkles| {
            let mut r = region(vec![
                Measure::computed(MeasureName::WrinkleCount, 20.0),
                Measure::computed(MeasureName::WrinkleLengthDensity, 1.0),
                Measure::computed(MeasureName::WrinkleDepthMean, 0.1),
            ]);
            let capture = Capture {
                relief_of_mesh,
                doubtful_wrinkles,
                ..EVEN
            };
            fill(&mut r, capture);
            [0, 1, 2].map(|k| half(&r.measures[k]))
        };
        let (map, mesh) = (halves(false, 0.0), halves(true, 0.0));
        assert!((0..3).all(|k| mesh[k] > 1.3 * map[k]), "{map:?} {mesh:?}");
        // 8 % beside what 20 wrinkles of a region leave open, 17.9 %.
        assert!((map[1] - 0.196).abs() < 0.002, "{map:?}");
        // Lines that meet leave open how many they are.
        let meeting = halves(false, 0.15);
        assert!(meeting[0] > 3.0 && meeting[1..] == map[1..], "{meeting:?}");
    }

    #[test]
    fn reckoned_depth_is_known_less_well_and_nothing_else_is() {
        let halves = |reckoned_depth| {
            let mut r = region(vec![
                Measure::computed(MeasureName::WrinkleCount, 16.0),
                Measure::computed(MeasureName::WrinkleDepthMean, 0.1),
                Measure::computed(MeasureName::Sq, 12.0),
            ]);
            let capture = Capture {
                reckoned_depth,
                ..EVEN
            };
            fill(&mut r, capture);
            [0, 1, 2].map(|k| half(&r.measures[k]))
        };
        let (shown, reckoned) = (halves(0.0), halves(0.2));
        assert!(reckoned[1] > 1.5 * shown[1], "{shown:?} {reckoned:?}");
        assert_eq!([shown[0], shown[2]], [reckoned[0], reckoned[2]]);
    }

    #[test]
    fn low_confidence_is_wider() {
        let one = Measure::computed(MeasureName::RedAreaFraction, 0.02);
        let mut r = region(vec![
            one.clone(),
            one.limited(Confidence::Low, "redness on dark skin"),
        ]);
        fill(&mut r, EVEN);
        let [plain, low] = [0, 1].map(|k| r.measures[k].interval.unwrap()[1] - 0.02);
        assert!((low - 2.0 * plain).abs() < 1e-12);
    }
}
