//! The micro-relief that a fine mesh carries itself: its displacement from its own form.
//!
//! The form is the mesh smoothed by a Gaussian on the surface. Smoothing pulls a curved surface
//! inward and lifts the skin beside a groove; both are as smooth as the form, and are taken out
//! by smoothing the displacement again, with weights that leave out what lies far from
//! its surroundings (robust Gaussian regression, ISO 16610-31): grooves and pits have no part
//! in the form.

use dermalia_surface::{Vec3, cross, dot, norm, normalize, sub};
use rayon::prelude::*;

use crate::blocks::Blocks;
use crate::chart::{Chart, charts};
use crate::planes::{Plane, Pool, gaussian, median};
use crate::relief::Relief;
use crate::{Atlas, Context};

/// A mesh of longer edges does not carry the depth of wrinkles.
const LONGEST_EDGE_MM: f64 = 0.2;
/// A mesh of longer edges is the sheet that a photograph lies on.
const SHEET_MM: f64 = 20.0;
/// Of the Gaussian: a nose is bent over some ten millimetres, a groove is two wide at most.
const FORM_MM: f32 = 1.5;
/// Passes over the displacement.
const PASSES: usize = 3;
/// Beyond so many times the median of all distances from its surroundings a point has no
/// weight: the standard's constant.
const FARTHEST: f32 = 4.4478;
/// But not nearer than this: smoothing lifts the skin beside a groove by as much.
const LEAST_FAR_MM: f32 = 0.04;
/// Weights are reckoned so many times.
const WEIGHED: usize = 3;
const STEP_MM: f32 = 0.4;
const MARGIN_MM: f32 = 9.0;
const TILE_MM: f32 = 40.0;
/// With less weight around it a point keeps the form it had.
const LEAST_MASS: f32 = 0.02;
/// Where more of the surroundings is missing, the form is not known.
const LEAST_KNOWN: f32 = 0.9;

/// The relief of a mesh, or `None` for one too coarse.
pub(crate) fn relief(atlas: &Atlas) -> Option<Relief> {
    let edge = median_edge_mm(atlas, SEEN)?;
    if edge > LONGEST_EDGE_MM {
        return None;
    }
    let size = atlas.median_mm_per_px()?;
    let charts = charts(atlas, &Blocks::of(atlas), size, STEP_MM, TILE_MM, MARGIN_MM);
    let mut height = vec![f32::NAN; atlas.len()];
    let parts: Vec<Vec<(usize, f32)>> = charts
        .par_iter()
        .map(|chart| from_form(atlas, chart))
        .collect();
    for (i, z) in parts.into_iter().flatten() {
        height[i] = z;
    }
    for _ in 0..PASSES {
        let offsets: Vec<Vec<(usize, f32)>> = charts
            .par_iter()
            .map(|chart| {
                let smooth = form(&chart.sample(atlas, &height, &mut Pool::default()));
                chart
                    .pixels(atlas)
                    .map(|(i, [x, y])| (i, smooth.sample(x, y)))
                    .collect()
            })
            .collect();
        for (i, z) in offsets.into_iter().flatten() {
            height[i] -= z;
        }
    }
    Some(Relief {
        height_mm: height,
        magnification: 1.0,
        mm_per_sample: Some(edge),
    })
}

/// What is smooth of a displacement, whatever stands out of it.
fn form(displacement: &Plane) -> Plane {
    let sigma = FORM_MM / STEP_MM;
    let mut smooth = gaussian(displacement, sigma);
    for _ in 0..WEIGHED {
        let far = |(z, form): (&f32, &f32)| (z - form).abs();
        let mut distances: Vec<f32> = (displacement.data.iter().zip(&smooth.data))
            .map(far)
            .collect();
        let farthest = (FARTHEST * median(&mut distances.clone())).max(LEAST_FAR_MM);
        for distance in &mut distances {
            let share = 1.0 - (*distance / farthest).min(1.0).powi(2);
            *distance = share * share;
        }
        let mut weights = Plane::new(displacement.width, displacement.height);
        let mut weighed = weights.clone();
        for (out, (w, z)) in (weighed.data.iter_mut()).zip(distances.iter().zip(&displacement.data))
        {
            *out = w * z;
        }
        weights.data = distances;
        let (sum, mass) = (gaussian(&weighed, sigma), gaussian(&weights, sigma));
        for (out, (sum, mass)) in smooth.data.iter_mut().zip(sum.data.iter().zip(&mass.data)) {
            if *mass > LEAST_MASS {
                *out = sum / mass;
            }
        }
    }
    smooth
}

/// Why there is no relief.
pub(crate) fn missing(ctx: &Context<'_>) -> String {
    if let Some(fault) = &ctx.relief_fault {
        return fault.clone();
    }
    match median_edge_mm(ctx.atlas, SEEN).filter(|edge| *edge < SHEET_MM) {
        Some(edge) => {
            format!("no relief and mesh edges of {edge:.2} mm (needs {LONGEST_EDGE_MM:.2})")
        }
        None => "no relief".to_owned(),
    }
}

/// The triangles at one of so many pixels tell how long edges are.
const SEEN: usize = 101;

fn median_edge_mm(atlas: &Atlas, pixels: usize) -> Option<f64> {
    let mut edges = vec![];
    let mut last = dermalia_surface::NO_TRIANGLE;
    for i in (0..atlas.len()).step_by(pixels) {
        if !atlas.is_measured(i) {
            continue;
        }
        let t = atlas.triangle[i];
        if t == last {
            continue;
        }
        last = t;
        let p = atlas.mesh.corners(t as usize);
        for k in 0..3 {
            edges.push(norm(sub(p[(k + 1) % 3], p[k])));
        }
    }
    (!edges.is_empty()).then(|| f64::from(median(&mut edges)))
}

/// The signed distance of the measured pixels of a chart's tile from the form.
fn from_form(atlas: &Atlas, chart: &Chart) -> Vec<(usize, f32)> {
    let blank = || Plane::new(chart.width, chart.height);
    let mut places = [blank(), blank(), blank()];
    let mut known = blank();
    for y in 0..chart.height {
        for x in 0..chart.width {
            let [px, py] = chart.to_atlas(x as f32 + 0.5, y as f32 + 0.5);
            if let Some(p) = atlas.surface_point(f64::from(px), f64::from(py)) {
                let i = y * chart.width + x;
                for k in 0..3 {
                    places[k].data[i] = p[k] as f32;
                }
                known.data[i] = 1.0;
            }
        }
    }
    let sigma = FORM_MM / STEP_MM;
    let weight = gaussian(&known, sigma);
    let form = places.map(|p| gaussian(&p, sigma));
    let at = |x: f32, y: f32| -> (Vec3, f32) {
        let w = weight.sample(x, y);
        ([0, 1, 2].map(|k| form[k].sample(x, y) / w.max(1e-6)), w)
    };
    chart
        .pixels(atlas)
        .filter_map(|(i, [x, y])| {
            let (p, w) = at(x, y);
            if w < LEAST_KNOWN {
                return None;
            }
            let right = sub(at(x + 1.0, y).0, at(x - 1.0, y).0);
            let down = sub(at(x, y + 1.0).0, at(x, y - 1.0).0);
            let mut normal = normalize(cross(down, right));
            let t = atlas.triangle[i] as usize;
            if dot(normal, atlas.mesh.area_normal(t)) < 0.0 {
                normal = normal.map(|c| -c);
            }
            let (px, py) = (
                (i % atlas.width) as f64 + 0.5,
                (i / atlas.width) as f64 + 0.5,
            );
            let q = atlas.surface_point(px, py)?;
            let d: f64 = (0..3)
                .map(|k| (q[k] - f64::from(p[k])) * f64::from(normal[k]))
                .sum();
            Some((i, d as f32))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bump as tight as a nose's tip, rough by 0.01 mm, with a groove over it.
    #[test]
    fn the_form_goes_and_a_groove_keeps_its_depth() {
        let side = 100;
        let mut plane = Plane::new(side, side);
        let grain = |i: usize| (i.wrapping_mul(2_654_435_761) >> 7) as f32 % 1000.0 / 1000.0 - 0.5;
        for (i, z) in plane.data.iter_mut().enumerate() {
            let [x, y] = [i % side, i / side].map(|n| (n as f32 - 49.5) * STEP_MM);
            let bump = 0.3 * (-(x * x + y * y) / (2.0 * 4.0 * 4.0)).exp();
            let groove = 0.15 * (-x * x / (2.0 * 0.45 * 0.45)).exp();
            *z = bump - groove + 0.035 * grain(i);
        }
        for _ in 0..PASSES {
            let smooth = form(&plane);
            for (z, s) in plane.data.iter_mut().zip(&smooth.data) {
                *z -= s;
            }
        }
        let data = &plane.data;
        let mean = |columns: std::ops::Range<usize>| {
            let count = (40 * columns.len()) as f32;
            let values = (30..70).flat_map(|y| columns.clone().map(move |x| data[y * side + x]));
            values.sum::<f32>() / count
        };
        // A twentieth of the bump is left beside the groove.
        let rest = mean(54..58);
        assert!(rest.abs() < 0.015, "{rest}");
        // The mean of the two columns next to the middle is 0.906 of the depth.
        let depth = (mean(52..58) - mean(49..51)) / (0.906 * 0.15);
        assert!((0.9..1.1).contains(&depth), "{depth}");
    }
}
