//! Roughness of the relief: the height parameters of ISO 25178-2, area-weighted.
//!
//! A relief is displacement from the form already, so only a smooth surface of second
//! order in space is removed from the face and, for its own numbers, a plane from each
//! region: more would eat into the wrinkles of a small region.

use dermalia_findings::{Confidence, Measure, MeasureName, Parameter, ParameterMap, Region};
use rayon::prelude::*;

use crate::atlas::{is_measured, label};
use crate::iso25178::{HeightParameters, Moments, solve};
use crate::mesh_relief;
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
/// Those of first order: what levelling takes out.
const PLANE_TERMS: usize = 4;
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

    fn add_run(&mut self, run: &Run) {
        self.points += run.n;
        let (mut mm2, mut um) = (0.0, 0.0);
        for k in 0..run.n {
            mm2 += run.mm2[k];
            um += run.mm2[k] * run.um[k];
        }
        let b: [f64; TERMS] = std::array::from_fn(|k| 0.5 * (run.ends[0][k] + run.ends[1][k]));
        for r in 0..TERMS {
            let w = mm2 * b[r];
            for c in r..TERMS {
                self.rows[r][c] += w * b[c];
            }
            self.rows[r][TERMS] += um * b[r];
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

    /// The form of second order, by least squares.
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

    /// A form levelled to these points: the least-squares plane of what it leaves is added.
    fn levelled(&self, form: &[f64; TERMS]) -> Option<[f64; TERMS]> {
        if self.points < LEAST_POINTS {
            return None;
        }
        let product = |r: usize, c: usize| self.rows[r.min(c)][r.max(c)];
        let mut rows = [[0.0; PLANE_TERMS + 1]; PLANE_TERMS];
        for (r, row) in rows.iter_mut().enumerate() {
            for (c, v) in row.iter_mut().take(PLANE_TERMS).enumerate() {
                *v = product(r, c);
            }
            row[r] += if r > 0 { 1e-9 * self.rows[0][0] } else { 0.0 };
            let taken: f64 = (0..TERMS).map(|c| product(r, c) * form[c]).sum();
            row[PLANE_TERMS] = self.rows[r][TERMS] - taken;
        }
        let plane = solve(rows)?;
        let mut out = *form;
        for (o, p) in out.iter_mut().zip(plane) {
            *o += p;
        }
        Some(out)
    }
}

/// Pixels of a row that are taken together: the form hardly bends over so few.
const RUN: usize = 8;
/// Neighbours in the atlas that lie farther apart than this belong to two islands.
const LEAP_MM: f64 = 3.0;

/// Some pixels side by side in one region.
struct Run {
    region: usize,
    n: usize,
    /// The monomials at the first and at the last pixel.
    ends: [[f64; TERMS]; 2],
    um: [f64; RUN],
    mm2: [f64; RUN],
}

impl Run {
    /// Heights and surfaces with the form between the ends taken out.
    fn without(&self, form: &[f64; TERMS]) -> impl Iterator<Item = (f64, f64)> + '_ {
        let [from, to] = self
            .ends
            .map(|b| (0..TERMS).map(|k| form[k] * b[k]).sum::<f64>());
        let step = (to - from) / f64::max(self.n as f64 - 1.0, 1.0);
        (0..self.n).map(move |k| (self.um[k] - (from + k as f64 * step), self.mm2[k]))
    }
}

/// Calls `f` with the relief's points of some rows of the atlas.
fn runs(
    ctx: &Context<'_>,
    height_mm: &[f32],
    centre: [f64; 3],
    rows: impl Iterator<Item = usize>,
    mut f: impl FnMut(&Run),
) {
    let atlas = ctx.atlas;
    let w = atlas.width;
    let mut walker = atlas.walker();
    let of = |p: [f64; 3]| monomials([0, 1, 2].map(|k| (p[k] - centre[k]) / UNIT_MM));
    for y in rows {
        let labels = &atlas.labels[y * w..(y + 1) * w];
        let heights = &height_mm[y * w..(y + 1) * w];
        let triangles = &atlas.triangle[y * w..(y + 1) * w];
        let mut x = 0;
        while x < w {
            let label = labels[x];
            if !is_measured(label) || !heights[x].is_finite() {
                x += 1;
                continue;
            }
            let end = (x + RUN).min(w);
            let same = (x + 1..end).take_while(|&i| labels[i] == label && heights[i].is_finite());
            let mut n = 1 + same.count();
            let (Some(first), Some(last)) = (walker.at(x, y), walker.at(x + n - 1, y)) else {
                x += 1;
                continue;
            };
            let leap: f64 = (0..3)
                .map(|k| (last[k] - first[k]) * (last[k] - first[k]))
                .sum();
            let first = of(first);
            let last = if leap > LEAP_MM * LEAP_MM {
                n = 1;
                first
            } else {
                of(last)
            };
            let mut run = Run {
                region: usize::from(label & label::REGION) - 1,
                n,
                ends: [first, last],
                um: [0.0; RUN],
                mm2: [0.0; RUN],
            };
            let (mut triangle, mut mm2) = (triangles[x], f64::from(atlas.area_mm2(y * w + x)));
            for k in 0..n {
                if triangles[x + k] != triangle {
                    triangle = triangles[x + k];
                    mm2 = f64::from(atlas.area_mm2(y * w + x + k));
                }
                run.um[k] = 1000.0 * f64::from(heights[x + k]);
                run.mm2[k] = mm2;
            }
            f(&run);
            x += n;
        }
    }
}

fn strips(height: usize) -> Vec<std::ops::Range<usize>> {
    (0..height)
        .step_by(STRIP_ROWS)
        .map(|y| y..(y + STRIP_ROWS).min(height))
        .collect()
}

/// The form is as smooth as a face: of a large raster one row in so many tells it.
fn form_step(height: usize) -> usize {
    (height / 1024).max(1)
}

/// The height parameters of each region in um, without the form of the face, levelled in
/// the region. Those of the face are of all points without its form: that a region with a
/// fold lies deeper than the next is part of them.
fn roughness(ctx: &Context<'_>, height_mm: &[f32]) -> [Option<HeightParameters>; 14] {
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
            let some = rows.clone().step_by(form_step(ctx.atlas.height));
            runs(ctx, height_mm, centre, some, |run| {
                normals[run.region].add_run(run);
            });
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
    let Some(form) = all.form() else {
        return [None; 14];
    };
    let forms = normals.map(|n| n.levelled(&form));
    // Without the form the mean is zero, so that one more pass gives every moment.
    let moments: Vec<([Moments; 14], Moments)> = strips
        .par_iter()
        .map(|rows| {
            let (mut regions, mut face) = ([Moments::default(); 14], Moments::default());
            runs(ctx, height_mm, centre, rows.clone(), |run| {
                if let Some(form) = &forms[run.region] {
                    add_to(&mut regions[run.region], run, form);
                }
                add_to(&mut face, run, &form);
            });
            (regions, face)
        })
        .collect();
    let (mut regions, mut face) = ([Moments::default(); 14], Moments::default());
    for (of_regions, of_face) in &moments {
        for (sums, own) in regions.iter_mut().zip(of_regions) {
            sums.add(own);
        }
        face.add(of_face);
    }
    regions[Region::Face.index()] = face;
    regions.map(|m| m.parameters())
}

fn add_to(sums: &mut Moments, run: &Run, form: &[f64; TERMS]) {
    for (um, mm2) in run.without(form) {
        sums.add_point(um, mm2);
    }
}

/// The roughness of each region and of the face.
pub(crate) fn measure(ctx: &Context<'_>, mm_per_px: Option<f64>) -> Outcome {
    let refuse = |reason: &str| Outcome {
        measures: Region::ALL
            .into_iter()
            .flat_map(|r| NAMES.map(|n| (r, Measure::not_measured(n, reason))))
            .collect(),
        ..Outcome::default()
    };
    let Some(relief) = ctx.relief else {
        return refuse(&mesh_relief::missing(ctx));
    };
    let Some(raster) = mm_per_px else {
        return refuse("no skin to measure");
    };
    let size = relief.sample_mm(raster);
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
    let strip = (STRIP_ROWS * atlas.width).max(1);
    let sums: Vec<[f64; 3]> = height_mm
        .par_chunks(strip)
        .zip(atlas.labels.par_chunks(strip))
        .map(|(heights, labels)| {
            let mut sums = [0.0_f64; 3];
            for (z, l) in heights.iter().zip(labels) {
                if is_measured(*l) && z.is_finite() {
                    let z = f64::from(*z);
                    sums = [sums[0] + 1.0, sums[1] + z, sums[2] + z * z];
                }
            }
            sums
        })
        .collect();
    let [n, sum, square] = sums
        .iter()
        .fold([0.0; 3], |s, p| [0, 1, 2].map(|k| s[k] + p[k]));
    let mean = sum / f64::max(n, 1.0);
    let full = 3.0 * (square / f64::max(n, 1.0) - mean * mean).max(1e-12).sqrt();
    let (mean, share) = (mean as f32, (1.0 / full) as f32);
    let mut strength = vec![0_u8; atlas.len()];
    strength
        .par_chunks_mut(strip)
        .zip(height_mm.par_chunks(strip))
        .zip(atlas.labels.par_chunks(strip))
        .for_each(|((out, heights), labels)| {
            for ((s, z), l) in out.iter_mut().zip(heights).zip(labels) {
                if is_measured(*l) && z.is_finite() {
                    *s = 1 + (254.0 * ((z - mean).abs() * share).min(1.0)) as u8;
                }
            }
        });
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
        let unknown = dermalia_scan::manifest::SkinState::Unknown;
        let ctx = Context::new(&atlas, &[], Some(&relief), unknown);
        let p = roughness(&ctx, &relief.height_mm)[Region::Face.index()].unwrap();
        assert!((p.sq / 5.0 - 1.0).abs() < 0.02, "{p:?}");
        assert!((p.sa / (10.0 * 4.0 / 9.869_604) - 1.0).abs() < 0.02);
        assert!(p.ssk.abs() < 0.05 && (p.sz / 20.0 - 1.0).abs() < 0.05);
        let face = measure(&ctx, atlas.median_mm_per_px());
        assert_eq!(face.measures.len(), 14 * 5);
    }
}
