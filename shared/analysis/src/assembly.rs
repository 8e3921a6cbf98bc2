//! Outcomes of the parameters to the findings contract.

use dermalia_findings::{
    Confidence, Feature, Findings, Measure, MeasureName, Quality, Region, RegionFindings, SCHEMA,
    Source,
};
use dermalia_scan::Manifest;
use dermalia_scan::manifest::DeviceValue;

use crate::flatten::Unevenness;
use crate::interval::{self, Capture};
use crate::quality::by_capture;
use crate::{Context, Outcome, Scale};

/// The algorithm and all that moves its numbers.
pub(crate) fn algorithm() -> String {
    format!(
        "dermalia {} ({})",
        env!("CARGO_PKG_VERSION"),
        dermalia_scan::DECODERS
    )
}

/// Puts the outcomes in contract order: every region, every measure.
pub(crate) fn findings(
    manifest: &Manifest,
    context: &Context<'_>,
    has_face: bool,
    quality: Quality,
    unevenness: Option<Unevenness>,
    outcomes: &[Outcome],
) -> Findings {
    let atlas = context.atlas;
    let areas = context.areas.of_regions();
    let known = atlas.scale != Scale::Unknown;
    let capture = Capture {
        unevenness,
        scale: atlas.scale,
        focus: (quality.focus > 0.0).then_some(quality.focus),
        doubtful_pores: 0.0,
        doubtful_wrinkles: 0.0,
        reckoned_depth: 0.0,
        relief_of_mesh: context.relief.is_some_and(|r| r.mm_per_sample.is_some()),
    };
    let regions = Region::ALL
        .into_iter()
        .map(|region| {
            let [net, excluded] = areas[region.index()];
            let measures = MeasureName::ALL
                .iter()
                .map(|&name| measure(manifest, outcomes, region, name, net))
                .map(|m| by_scale(m, atlas.scale))
                .map(|m| by_capture(m, &quality))
                .map(|m| {
                    if has_face || m.source == Source::Device {
                        m
                    } else {
                        m.limited(
                            Confidence::Low,
                            "no face was found, so nothing that is not skin is masked by landmarks",
                        )
                    }
                })
                .collect();
            let mut findings = RegionFindings {
                region,
                area_cm2: known.then_some(net / 100.0),
                excluded_cm2: known.then_some(excluded / 100.0),
                measures,
            };
            let most = |of: fn(&Outcome) -> &[f64; 14]| {
                let shares = outcomes.iter().map(|o| of(o)[region.index()]);
                shares.fold(0.0, f64::max)
            };
            let capture = Capture {
                doubtful_pores: most(|o| &o.doubtful.pores),
                doubtful_wrinkles: most(|o| &o.doubtful.wrinkles),
                reckoned_depth: most(|o| &o.doubtful.depth),
                ..capture
            };
            interval::fill(&mut findings, capture);
            findings
        })
        .collect();
    let mut features: Vec<Feature> = if known {
        outcomes.iter().flat_map(|o| o.features.clone()).collect()
    } else {
        vec![]
    };
    sort(&mut features);
    Findings {
        schema: SCHEMA.to_owned(),
        scan_id: manifest.scan_id.clone(),
        practice_id: manifest.practice_id.clone(),
        captured_at: manifest.captured_at.clone(),
        algorithm: algorithm(),
        quality,
        regions,
        features,
    }
}

fn measure(
    manifest: &Manifest,
    outcomes: &[Outcome],
    region: Region,
    name: MeasureName,
    net_mm2: f64,
) -> Measure {
    if name == MeasureName::Hydration {
        return hydration(&manifest.device_values, region);
    }
    if net_mm2 <= 0.0 {
        return Measure::not_measured(name, "no unmasked skin of this region is on the scan");
    }
    outcomes
        .iter()
        .flat_map(|o| &o.measures)
        .find(|(r, m)| *r == region && m.name == name)
        .map_or_else(
            || Measure::not_measured(name, "no picture of this scan carries it"),
            |(_, m)| match m.value {
                // JSON has no number for these; they come from no input that is measured.
                Some(v) if !v.is_finite() => Measure::not_measured(name, "not a finite number"),
                _ => m.clone(),
            },
        )
}

/// The device's own probe, passed through.
fn hydration(values: &[DeviceValue], region: Region) -> Measure {
    let own: Vec<&DeviceValue> = values
        .iter()
        .filter(|v| v.parameter == "hydration" && v.region == region.as_str())
        .collect();
    let Some(first) = own.first() else {
        return Measure::not_measured(
            MeasureName::Hydration,
            "no probe measured it here; a photograph cannot",
        );
    };
    // Readings of one instrument at one place are averaged; others are not comparable.
    let same: Vec<f64> = own
        .iter()
        .filter(|v| v.unit == first.unit && v.instrument == first.instrument)
        .map(|v| v.value)
        .collect();
    Measure {
        value: Some(same.iter().sum::<f64>() / same.len() as f64),
        unit: first.unit.clone(),
        source: Source::Device,
        reason: Some(format!("measured by {}", first.instrument)),
        ..Measure::computed(MeasureName::Hydration, 0.0)
    }
}

/// What an unknown or estimated scale leaves of a measure.
fn by_scale(m: Measure, scale: Scale) -> Measure {
    use MeasureName as N;
    let free = matches!(
        m.name,
        N::Ita | N::MelaninIndex | N::ErythemaIndex | N::AStar | N::Hydration
    );
    // A reason that quotes a length quotes an assumed one where the scale is unknown.
    let in_mm = |m: &Measure| m.reason.as_deref().is_some_and(|r| r.contains(" mm"));
    if free || (m.value.is_none() && !(scale == Scale::Unknown && in_mm(&m))) {
        return m;
    }
    match scale {
        Scale::Stated => m,
        Scale::Iris => m.limited(
            Confidence::Low,
            "scale from the width of the iris (11.7 mm, within 0.5 mm)",
        ),
        Scale::Unknown => Measure::not_measured(
            m.name,
            "the photograph has no scale: neither mm_per_px nor an iris to take it from",
        ),
    }
}

/// By kind, region and position.
fn sort(features: &mut [Feature]) {
    let key = |f: &Feature| {
        let (kind, at) = match f {
            Feature::Wrinkle { path_mm, .. } => (0, path_mm.first().copied().unwrap_or_default()),
            Feature::Pore { centre_mm, .. } => (1, *centre_mm),
            Feature::Spot { centre_mm, .. } => (2, *centre_mm),
            Feature::RedArea { centre_mm, .. } => (3, *centre_mm),
        };
        (kind, f.region().index(), at)
    };
    features.sort_by(|a, b| {
        let (a, b) = (key(a), key(b));
        (a.0, a.1).cmp(&(b.0, b.1)).then_with(|| {
            b.2[1]
                .total_cmp(&a.2[1])
                .then(a.2[0].total_cmp(&b.2[0]))
                .then(a.2[2].total_cmp(&b.2[2]))
        })
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(region: &str, value: f64, unit: &str) -> DeviceValue {
        DeviceValue {
            parameter: "hydration".to_owned(),
            region: region.to_owned(),
            value,
            unit: unit.to_owned(),
            instrument: "Corneometer CM 825".to_owned(),
        }
    }

    #[test]
    fn hydration_comes_from_the_probe_only() {
        let values = [
            reading("nose", 40.0, "AU"),
            reading("nose", 44.0, "AU"),
            reading("nose", 1.0, "%"),
        ];
        let m = hydration(&values, Region::Nose);
        assert_eq!((m.value, m.unit.as_str()), (Some(42.0), "AU"));
        assert_eq!((m.source, m.confidence), (Source::Device, Confidence::High));
        assert_eq!(hydration(&values, Region::Chin).value, None);
    }

    #[test]
    fn without_scale_only_colours_remain() {
        let pores = Measure::computed(MeasureName::PoreDensity, 80.0);
        assert_eq!(by_scale(pores.clone(), Scale::Unknown).value, None);
        let refused = |reason| Measure::not_measured(MeasureName::PoreDensity, reason);
        let coarse = refused("1.20 mm/px is too coarse for pores (needs 0.15)");
        assert_eq!(by_scale(coarse.clone(), Scale::Stated), coarse);
        assert!(
            by_scale(coarse, Scale::Unknown)
                .reason
                .unwrap()
                .contains("no scale")
        );
        let hidden = refused("no skin to measure");
        assert_eq!(by_scale(hidden.clone(), Scale::Unknown), hidden);
        assert_eq!(by_scale(pores, Scale::Iris).confidence, Confidence::Low);
        let ita = Measure::computed(MeasureName::Ita, 40.0);
        assert_eq!(by_scale(ita, Scale::Unknown).value, Some(40.0));
    }
}
