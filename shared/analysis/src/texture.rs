//! Roughness of the relief: the height parameters of ISO 25178-2, area-weighted.
//!
//! A relief is displacement from the form already, so only a smooth surface of second
//! order in space is removed from each region: less would leave the residual form of the
//! region in the numbers, more would eat into wrinkles.

use dermalia_findings::{Confidence, Measure, MeasureName, Parameter, ParameterMap, Region};
use rayon::prelude::*;

use crate::iso25178::{HeightParameters, height_parameters, solve};
use crate::{Context, Outcome};

const NAMES: [MeasureName; 5] = [
    MeasureName::Sa,
    MeasureName::Sq,
    MeasureName::Sz,
    MeasureName::Ssk,
    MeasureName::Sku,
];
/// Monomials of up to second order in three coordinates.
const TERMS: usize = 10;
/// Fewer points say nothing about a region's roughness.
const LEAST_POINTS: usize = 200;
/// A coarser relief does not carry the micro-relief of the skin.
const COARSEST_MM_PER_PX: f64 = 0.25;

fn monomials(p: [f64; 3]) -> [f64; TERMS] {
    let [x, y, z] = p;
    [1.0, x, y, z, x * x, x * y, y * y, x * z, y * z, z * z]
}

/// A point of the relief: place, height in um, surface in mm2.
#[derive(Clone, Copy)]
struct Point {
    mm: [f32; 3],
    um: f32,
    mm2: f32,
}

/// Removes the form from points of a region and gives their height parameters.
fn roughness(mut points: Vec<Point>) -> Option<HeightParameters> {
    if points.len() < LEAST_POINTS {
        return None;
    }
    let (mut weight, mut centre) = (0.0_f64, [0.0_f64; 3]);
    for p in &points {
        weight += f64::from(p.mm2);
        for k in 0..3 {
            centre[k] += f64::from(p.mm2) * f64::from(p.mm[k]);
        }
    }
    if weight <= 0.0 {
        return None;
    }
    let centre = centre.map(|c| c / weight);
    // Coordinates of about one keep the normal equations well conditioned.
    let unit = weight.sqrt();
    let place = |p: &Point| monomials([0, 1, 2].map(|k| (f64::from(p.mm[k]) - centre[k]) / unit));
    let stride = (points.len() / 60_000).max(1);
    let mut normal = [[0.0_f64; TERMS + 1]; TERMS];
    for p in points.iter().step_by(stride) {
        let (b, w) = (place(p), f64::from(p.mm2));
        for r in 0..TERMS {
            for c in 0..TERMS {
                normal[r][c] += w * b[r] * b[c];
            }
            normal[r][TERMS] += w * b[r] * f64::from(p.um);
        }
    }
    // A touch of ridge: on a flat patch the powers of z carry nothing.
    let trace = normal[0][0];
    for (r, row) in normal.iter_mut().enumerate() {
        row[r] += 1e-9 * trace;
    }
    let form = solve(normal)?;
    for p in &mut points {
        let b = place(p);
        let f: f64 = (0..TERMS).map(|k| form[k] * b[k]).sum();
        p.um -= f as f32;
    }
    height_parameters(points.iter().map(|p| (f64::from(p.um), f64::from(p.mm2))))
}

/// The roughness of each region and of the face.
pub(crate) fn measure(ctx: &Context<'_>) -> Outcome {
    let refuse = |reason: &str| Outcome {
        measures: Region::ALL
            .into_iter()
            .flat_map(|r| NAMES.map(|n| (r, Measure::not_measured(n, reason))))
            .collect(),
        ..Outcome::default()
    };
    let Some(relief) = ctx.relief else {
        return refuse("no relief, and no mesh fine enough to carry the micro-relief");
    };
    let atlas = ctx.atlas;
    let Some(raster) = atlas.median_mm_per_px() else {
        return refuse("no skin to measure");
    };
    let size = relief
        .mm_per_sample
        .unwrap_or(raster * f64::from(relief.magnification.max(1.0)));
    if size > COARSEST_MM_PER_PX {
        return refuse(&format!(
            "{size:.2} mm per sample is too coarse for roughness (needs {COARSEST_MM_PER_PX})"
        ));
    }
    let per_region: Vec<(Region, Option<HeightParameters>)> = Region::ALL
        .par_iter()
        .map(|&region| {
            let wanted = |i: usize| {
                atlas
                    .measured_region(i)
                    .is_some_and(|r| region == Region::Face || r == region)
                    && relief.height_mm[i].is_finite()
            };
            let mut points = vec![];
            for y in 0..atlas.height {
                for x in 0..atlas.width {
                    let i = y * atlas.width + x;
                    if !wanted(i) {
                        continue;
                    }
                    let Some(mm) = atlas.surface_point(x as f64 + 0.5, y as f64 + 0.5) else {
                        continue;
                    };
                    points.push(Point {
                        mm: mm.map(|v| v as f32),
                        um: 1000.0 * relief.height_mm[i],
                        mm2: atlas.area_mm2(i),
                    });
                }
            }
            (region, roughness(points))
        })
        .collect();
    let mut out = Outcome {
        map: Some(map(ctx, &relief.height_mm)),
        ..Outcome::default()
    };
    for (region, parameters) in per_region {
        let Some(p) = parameters else {
            out.measures.extend(
                NAMES.map(|n| (region, Measure::not_measured(n, "too little relief here"))),
            );
            continue;
        };
        for (name, value) in NAMES.into_iter().zip([p.sa, p.sq, p.sz, p.ssk, p.sku]) {
            let mut m = Measure::computed(name, value);
            if relief.mm_per_sample.is_some() {
                m = m.limited(
                    Confidence::Medium,
                    &format!("from the mesh itself, {size:.2} mm between its points"),
                );
            }
            out.measures.push((region, m));
        }
    }
    out
}

/// Height or depth against the skin around, over three times its rms.
fn map(ctx: &Context<'_>, height_mm: &[f32]) -> ParameterMap {
    let atlas = ctx.atlas;
    let (mut n, mut sum, mut square) = (0.0_f64, 0.0_f64, 0.0_f64);
    for (i, z) in height_mm.iter().enumerate() {
        if atlas.is_measured(i) && z.is_finite() {
            n += 1.0;
            sum += f64::from(*z);
            square += f64::from(*z) * f64::from(*z);
        }
    }
    let mean = sum / f64::max(n, 1.0);
    let full = 3.0 * (square / f64::max(n, 1.0) - mean * mean).max(1e-12).sqrt();
    let strength = height_mm
        .iter()
        .enumerate()
        .map(|(i, z)| {
            if !atlas.is_measured(i) || !z.is_finite() {
                return 0;
            }
            let t = ((f64::from(*z) - mean).abs() / full).min(1.0);
            1 + (254.0 * t) as u8
        })
        .collect();
    ParameterMap {
        parameter: Parameter::Texture,
        width: atlas.width,
        height: atlas.height,
        strength,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A curved form far larger than the roughness is removed; the roughness stays.
    #[test]
    fn the_form_goes_and_the_roughness_stays() {
        let mut points = vec![];
        for j in 0..400 {
            for i in 0..400 {
                let (x, y) = (i as f32 * 0.1, j as f32 * 0.1);
                let z = 0.01 * x * x;
                let wave = 10.0 * (x * 4.0).sin() * (y * 3.0).cos();
                points.push(Point {
                    mm: [x, y, z],
                    um: wave + 300.0 + 4.0 * x + 2.0 * z,
                    mm2: 0.01,
                });
            }
        }
        let p = roughness(points).unwrap();
        assert!((p.sq / 5.0 - 1.0).abs() < 0.02, "{p:?}");
        assert!(p.ssk.abs() < 0.05);
    }
}
