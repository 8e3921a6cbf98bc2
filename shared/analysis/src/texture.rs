//! Roughness of the relief: the height parameters of ISO 25178-2, area-weighted.
//!
//! A relief is displacement from the form already, so only a smooth surface of second
//! order in space is removed from each region: less would leave the residual form of the
//! region in the numbers, more would eat into wrinkles.

use dermalia_findings::{Confidence, Measure, MeasureName, Parameter, ParameterMap, Region};
use rayon::prelude::*;

use crate::iso25178::{HeightParameters, Moments, solve};
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

/// Lengths are taken over this, so that the normal equations are well conditioned.
const UNIT_MM: f64 = 50.0;
/// Rows that are summed together; the sums are then added in order.
const STRIP_ROWS: usize = 64;

/// Sums for the least-squares form of a region.
#[derive(Clone, Copy)]
struct Normal {
    rows: [[f64; TERMS + 1]; TERMS],
    points: usize,
}

impl Normal {
    const ZERO: Self = Self {
        rows: [[0.0; TERMS + 1]; TERMS],
        points: 0,
    };

    fn add_point(&mut self, b: &[f64; TERMS], um: f64, mm2: f64) {
        self.points += 1;
        for r in 0..TERMS {
            let w = mm2 * b[r];
            for c in r..TERMS {
                self.rows[r][c] += w * b[c];
            }
            self.rows[r][TERMS] += w * um;
        }
    }

    fn add(&mut self, other: &Self) {
        self.points += other.points;
        for r in 0..TERMS {
            for c in 0..=TERMS {
                self.rows[r][c] += other.rows[r][c];
            }
        }
    }

    fn form(&self) -> Option<[f64; TERMS]> {
        if self.points < LEAST_POINTS {
            return None;
        }
        let mut rows = self.rows;
        for r in 1..TERMS {
            for c in 0..r {
                rows[r][c] = rows[c][r];
            }
        }
        // A touch of ridge: on a flat patch the powers of z carry nothing.
        let trace = rows[0][0];
        for (r, row) in rows.iter_mut().enumerate().skip(1) {
            row[r] += 1e-9 * trace;
        }
        solve(rows)
    }
}

/// The relief's points of some rows of the atlas: region, monomials, height in um, mm2.
fn points<'a>(
    ctx: &'a Context<'_>,
    height_mm: &'a [f32],
    centre: [f64; 3],
    rows: std::ops::Range<usize>,
) -> impl Iterator<Item = (usize, [f64; TERMS], f64, f64)> + 'a {
    let atlas = ctx.atlas;
    let mut walker = atlas.walker();
    rows.flat_map(move |y| (0..atlas.width).map(move |x| (x, y)))
        .filter_map(move |(x, y)| {
            let i = y * atlas.width + x;
            let region = atlas.measured_region(i)?;
            let um = 1000.0 * f64::from(height_mm[i]);
            if !um.is_finite() {
                return None;
            }
            let p = walker.at(x, y)?;
            let b = monomials([0, 1, 2].map(|k| (p[k] - centre[k]) / UNIT_MM));
            Some((region.index(), b, um, f64::from(atlas.area_mm2(i))))
        })
}

fn strips(height: usize) -> Vec<std::ops::Range<usize>> {
    (0..height)
        .step_by(STRIP_ROWS)
        .map(|y| y..(y + STRIP_ROWS).min(height))
        .collect()
}

/// The height parameters of each region without its form, in um; `Region::Face` over all.
fn roughness(ctx: &Context<'_>, height_mm: &[f32]) -> [Option<HeightParameters>; 14] {
    let face = Region::Face.index();
    let middle = ctx.atlas.mesh.positions.len().max(1) as f64;
    let centre = [0, 1, 2].map(|k| {
        let sum: f64 = ctx
            .atlas
            .mesh
            .positions
            .iter()
            .map(|p| f64::from(p[k]))
            .sum();
        sum / middle
    });
    let strips = strips(ctx.atlas.height);
    let sums: Vec<Vec<Normal>> = strips
        .par_iter()
        .map(|rows| {
            let mut normals = vec![Normal::ZERO; 14];
            for (region, b, um, mm2) in points(ctx, height_mm, centre, rows.clone()) {
                normals[region].add_point(&b, um, mm2);
            }
            normals
        })
        .collect();
    let mut normals = [Normal::ZERO; 14];
    for strip in &sums {
        for region in 0..14 {
            normals[region].add(&strip[region]);
        }
    }
    let mut all = Normal::ZERO;
    for n in &normals {
        all.add(n);
    }
    normals[face] = all;
    let forms = normals.map(|n| n.form());
    // Without the form the mean is zero, so that one more pass gives every moment.
    let moments: Vec<Vec<Moments>> = strips
        .par_iter()
        .map(|rows| {
            let mut moments = vec![Moments::default(); 14];
            for (region, b, um, mm2) in points(ctx, height_mm, centre, rows.clone()) {
                let mut one = |r: usize| {
                    if let Some(form) = &forms[r] {
                        let f: f64 = (0..TERMS).map(|k| form[k] * b[k]).sum();
                        moments[r].add_point(um - f, mm2);
                    }
                };
                one(face);
                if region != face {
                    one(region);
                }
            }
            moments
        })
        .collect();
    let mut out = [None; 14];
    for region in 0..14 {
        let mut sum = Moments::default();
        for strip in &moments {
            sum.add(&strip[region]);
        }
        out[region] = sum.parameters();
    }
    out
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
    let per_region = roughness(ctx, &relief.height_mm);
    let mut out = Outcome {
        map: Some(map(ctx, &relief.height_mm)),
        ..Outcome::default()
    };
    for (region, parameters) in Region::ALL.into_iter().zip(per_region) {
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
    use crate::relief::Relief;
    use dermalia_surface::{Mesh, rasterize_uv};

    /// A form far larger than the roughness is removed; the roughness stays.
    #[test]
    fn the_form_goes_and_the_roughness_stays() {
        let mesh = Mesh::sheet(40.0, 40.0);
        let raster = rasterize_uv(&mesh, 400, 400);
        let bits = crate::labels::whole_surface(&raster.triangle);
        let atlas = crate::preparation::crop(&mesh, raster, bits, crate::Scale::Stated).unwrap();
        let height_mm: Vec<f32> = (0..atlas.len())
            .map(|i| {
                let (x, y) = ((i % 400) as f32 * 0.1, (i / 400) as f32 * 0.1);
                let wave = 0.01 * (x * 4.0).sin() * (y * 3.0).cos();
                wave + 0.3 + 0.004 * x + 0.0005 * x * y
            })
            .collect();
        let relief = Relief {
            height_mm,
            magnification: 1.0,
            mm_per_sample: None,
        };
        let ctx = Context {
            atlas: &atlas,
            pictures: &[],
            relief: Some(&relief),
            skin: dermalia_scan::manifest::SkinState::Unknown,
        };
        let p = roughness(&ctx, &relief.height_mm)[Region::Face.index()].unwrap();
        assert!((p.sq / 5.0 - 1.0).abs() < 0.02, "{p:?}");
        assert!((p.sa / (10.0 * 4.0 / 9.869_604) - 1.0).abs() < 0.02);
        assert!(p.ssk.abs() < 0.05 && (p.sz / 20.0 - 1.0).abs() < 0.05);
        let face = measure(&ctx);
        assert_eq!(face.measures.len(), 14 * 5);
    }
}
