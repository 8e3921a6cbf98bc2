//! Each measure of each region then and now, on the skin that both scans measured.

use dermalia_findings::scatter::{
    Basis, FeatureKind, LEAST_CM2, LEAST_COMMON, Verdict, of_features, of_levels,
};
use dermalia_findings::{Feature, Findings, Measure, MeasureName, Parameter, Region, Source};
use serde::Serialize;

use super::features::{Kind, Partners, Placed};
use super::ground::{Ground, Layer};
use super::root;

/// One measure then and now.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeasureChange {
    /// Which measure.
    pub name: MeasureName,
    /// The unit of every number here.
    pub unit: String,
    /// On the earlier scan, where both scans measured.
    pub before: Option<f64>,
    /// On the later scan, where both scans measured.
    pub now: Option<f64>,
    /// Now less before.
    pub difference: Option<f64>,
    /// The 95 % interval of the difference.
    pub interval: Option<[f64; 2]>,
    /// What two captures of the same skin differ by at most, in 95 of 100.
    pub smallest_detectable: Option<f64>,
    /// What can be said.
    pub verdict: Verdict,
    /// Why nothing can be said.
    pub reason: Option<String>,
}

/// What changed in one region.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegionChange {
    /// Which region.
    pub region: Region,
    /// Its measured surface on the later scan in cm2.
    pub area_cm2: f64,
    /// The measures, in contract order.
    pub measures: Vec<MeasureChange>,
}

/// What the features of a region come to.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: f64,
    /// Length of wrinkles, of which `tall` have a depth.
    length_mm: f64,
    tall_mm: f64,
    area_mm2: f64,
    /// Sum of what is averaged: diameter, contrast; depth times length.
    size: f64,
}

fn add(sums: &mut [[Sums; 14]; 4], placed: &Placed<'_>, region: Region, share: f64) {
    let kind = placed.kind as usize;
    let piece = match placed.feature {
        Feature::Wrinkle {
            length_mm,
            width_mm,
            depth_mm,
            ..
        } => {
            let length_mm = length_mm * share;
            Sums {
                count: 0.0,
                length_mm,
                tall_mm: depth_mm.map_or(0.0, |_| length_mm),
                area_mm2: length_mm * width_mm,
                size: depth_mm.map_or(0.0, |d| d * length_mm),
            }
        }
        Feature::Pore { diameter_mm, .. } => Sums {
            count: 1.0,
            area_mm2: std::f64::consts::FRAC_PI_4 * diameter_mm * diameter_mm,
            size: *diameter_mm,
            ..Sums::default()
        },
        Feature::Spot {
            area_mm2,
            contrast_de00,
            ..
        } => Sums {
            count: 1.0,
            area_mm2: *area_mm2,
            size: *contrast_de00,
            ..Sums::default()
        },
        Feature::RedArea { area_mm2, .. } => Sums {
            count: 1.0,
            area_mm2: *area_mm2,
            ..Sums::default()
        },
    };
    for r in [
        Some(region),
        (region != Region::Face).then_some(Region::Face),
    ]
    .into_iter()
    .flatten()
    {
        let s = &mut sums[kind][r.index()];
        s.count += piece.count;
        s.length_mm += piece.length_mm;
        s.tall_mm += piece.tall_mm;
        s.area_mm2 += piece.area_mm2;
        s.size += piece.size;
    }
}

/// The sums of one scan. A feature with a partner counts where the later one lies, so that
/// none changes region by a hair's breadth.
fn sums(
    list: &[Placed<'_>],
    partner: impl Fn(usize) -> Option<usize>,
    later: &[Placed<'_>],
    ground: &Ground,
    layers: &[Layer],
) -> [[Sums; 14]; 4] {
    let mut sums = [[Sums::default(); 14]; 4];
    for (i, placed) in list.iter().enumerate() {
        let Some(layer) = layers
            .iter()
            .find(|l| l.parameter == placed.kind.parameter())
        else {
            continue;
        };
        let there = partner(i).map_or(placed, |j| &later[j]);
        let Some(region) = there.region(ground, layer) else {
            continue;
        };
        if placed.kind != Kind::Wrinkle {
            add(&mut sums, placed, region, 1.0);
            continue;
        }
        for r in [region, Region::Face] {
            sums[Kind::Wrinkle as usize][r.index()].count += 1.0;
        }
        let share = 1.0 / placed.pixels.len().max(1) as f64;
        for &p in placed.pixels.iter().flatten() {
            if let (Some(_), Some(r)) = (layer.levels[p], ground.atlas.measured_region(p)) {
                add(&mut sums, placed, r, share);
            }
        }
    }
    sums
}

/// Which features a measure is made of; `None` for levels, roughness and the probe.
fn kind_of(name: MeasureName) -> Option<Kind> {
    Some(match FeatureKind::of(name)? {
        FeatureKind::Wrinkle => Kind::Wrinkle,
        FeatureKind::Pore => Kind::Pore,
        FeatureKind::Spot => Kind::Spot,
        FeatureKind::RedArea => Kind::RedArea,
    })
}

/// A measure from the features of a region.
fn value(name: MeasureName, s: &Sums, common_mm2: f64) -> Option<f64> {
    use MeasureName as N;
    let over = |a: f64, b: f64| (b > 0.0).then(|| a / b);
    match name {
        N::WrinkleCount => Some(s.count),
        N::WrinkleLengthDensity => over(s.length_mm, common_mm2 / 100.0),
        N::WrinkleDepthMean => over(s.size, s.tall_mm),
        N::PoreDensity | N::SpotDensity => over(s.count, common_mm2 / 100.0),
        N::PoreDiameterMean | N::SpotContrastMean => over(s.size, s.count),
        N::WrinkleAreaFraction | N::PoreAreaFraction | N::SpotAreaFraction | N::RedAreaFraction => {
            over(s.area_mm2, common_mm2)
        }
        _ => None,
    }
}

/// The method's own error, which both scans share: it scales a difference. Depths of faint
/// wrinkles come out up to a sixth too shallow.
const fn method_share(name: MeasureName) -> f64 {
    if matches!(name, MeasureName::WrinkleDepthMean) {
        0.17
    } else {
        0.1
    }
}

/// What two scans of one region come to.
struct Both<'a> {
    region: Region,
    sums: [&'a Sums; 2],
    common_mm2: f64,
    /// The share of each scan's measured region that both measured.
    covered: [f64; 2],
}

fn compared(
    name: MeasureName,
    then: &Measure,
    now: &Measure,
    both: &Both<'_>,
) -> Result<(f64, f64, f64), String> {
    for (m, which) in [(then, "earlier"), (now, "later")] {
        if m.source == Source::Device {
            return Err("the probe's repeatability is not known".to_owned());
        }
        // A mean over features may be missing where a region has none on the whole scan.
        if m.value.is_none() {
            let why = m.reason.as_deref().unwrap_or("not measured");
            return Err(format!("not measured on the {which} scan: {why}"));
        }
    }
    if both.common_mm2 < 100.0 * LEAST_CM2 {
        return Err(format!(
            "{:.2} cm2 of skin were measured on both scans (needs {LEAST_CM2})",
            both.common_mm2 / 100.0
        ));
    }
    let Some(_) = kind_of(name) else {
        let least = both.covered[0].min(both.covered[1]);
        if least < LEAST_COMMON {
            return Err(format!(
                "{:.0} % of the region was measured on both scans (needs {:.0} %)",
                100.0 * least,
                100.0 * LEAST_COMMON
            ));
        }
        let (Some(least), Some(x), Some(y)) = (of_levels(then, now), then.value, now.value) else {
            return Err("no interval is known".to_owned());
        };
        return Ok((x, y, least));
    };
    let [a, b] = both.sums;
    let (Some(x), Some(y)) = (
        value(name, a, both.common_mm2),
        value(name, b, both.common_mm2),
    ) else {
        return Err("no feature to average lies where both scans measured".to_owned());
    };
    let basis = Basis {
        region: both.region,
        features: 0.5 * (a.count + b.count),
        confidence: then.confidence.min(now.confidence),
    };
    // It is of features: `value` has told one.
    let least = of_features(name, 0.5 * (x + y), &basis).unwrap_or_default();
    Ok((x, y, least))
}

fn change(name: MeasureName, then: &Measure, now: &Measure, both: &Both<'_>) -> MeasureChange {
    let unit = now.unit.clone();
    let none = |reason: String| MeasureChange {
        name,
        unit: unit.clone(),
        before: None,
        now: None,
        difference: None,
        interval: None,
        smallest_detectable: None,
        verdict: Verdict::NotComparable,
        reason: Some(reason),
    };
    let (x, y, detectable) = match compared(name, then, now, both) {
        Ok(found) => found,
        Err(reason) => return none(reason),
    };
    let difference = y - x;
    let half = root(detectable, method_share(name) * difference);
    MeasureChange {
        before: Some(x),
        now: Some(y),
        difference: Some(difference),
        interval: Some([difference - half, difference + half]),
        smallest_detectable: Some(detectable),
        verdict: Verdict::of(difference, detectable),
        reason: None,
        ..none(String::new())
    }
}

/// Every region that the later scan has, `face` last.
pub(super) fn regions(
    findings: [&Findings; 2],
    placed: [&[Placed<'_>]; 2],
    partners: &Partners,
    ground: &Ground,
    layers: &[Layer],
) -> Vec<RegionChange> {
    let later = placed[1];
    let then = sums(placed[0], |i| partners.later_of[i], later, ground, layers);
    let now = sums(later, |_| None, later, ground, layers);
    Region::ALL
        .into_iter()
        .filter_map(|region| {
            let [a, b] = findings.map(|f| f.region(region));
            let (a, b, r) = (a?, b?, region.index());
            let net_mm2 = ground.areas_mm2[r];
            if net_mm2 <= 0.0 {
                return None;
            }
            let measures = MeasureName::ALL
                .iter()
                .filter_map(|&name| {
                    let parameter = name.parameter();
                    let layer = layers.iter().find(|l| l.parameter == parameter);
                    let common_mm2 = layer.map_or(0.0, |l| l.common_mm2[r]);
                    let earlier_mm2 = a.area_cm2.map_or(net_mm2, |c| 100.0 * c);
                    // The probe has no map: nothing of it lies in the atlas.
                    let kind = kind_of(name).unwrap_or(Kind::Wrinkle) as usize;
                    let both = Both {
                        region,
                        sums: [&then[kind][r], &now[kind][r]],
                        common_mm2,
                        covered: [common_mm2 / earlier_mm2.max(1e-9), common_mm2 / net_mm2],
                    };
                    Some(change(name, a.measure(name)?, b.measure(name)?, &both))
                })
                .collect();
            Some(RegionChange {
                region,
                area_cm2: net_mm2 / 100.0,
                measures,
            })
        })
        .collect()
}

/// The parameters that a map of change can be drawn for.
pub(super) const DRAWN: [Parameter; 5] = [
    Parameter::Wrinkles,
    Parameter::Pores,
    Parameter::Pigmentation,
    Parameter::Redness,
    Parameter::Texture,
];
