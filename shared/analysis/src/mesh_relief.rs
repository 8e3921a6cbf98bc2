//! The micro-relief that a fine mesh carries itself: its displacement from its own form.
//!
//! The form is the mesh smoothed by a Gaussian of 3 mm on the surface. Smoothing pulls a
//! curved surface inward; that offset is as smooth as the form, so it is taken out by
//! smoothing the displacement once more.

use dermalia_surface::{Vec3, cross, dot, norm, normalize, sub};
use rayon::prelude::*;

use crate::Atlas;
use crate::blocks::Blocks;
use crate::chart::{Chart, charts};
use crate::planes::{Plane, Pool, gaussian, median};
use crate::relief::Relief;

/// A mesh of longer edges does not carry the depth of wrinkles.
const LONGEST_EDGE_MM: f64 = 0.2;
const FORM_MM: f32 = 3.0;
const STEP_MM: f32 = 0.4;
const MARGIN_MM: f32 = 9.0;
const TILE_MM: f32 = 40.0;
/// Where more of the surroundings is missing, the form is not known.
const LEAST_KNOWN: f32 = 0.9;

/// The relief of a mesh, or `None` for one too coarse.
pub(crate) fn relief(atlas: &Atlas) -> Option<Relief> {
    let edge = median_edge_mm(atlas)?;
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
    let offsets: Vec<Vec<(usize, f32)>> = charts
        .par_iter()
        .map(|chart| {
            let smooth = gaussian(
                &chart.sample(atlas, &height, &mut Pool::default()),
                FORM_MM / STEP_MM,
            );
            chart
                .pixels(atlas)
                .map(|(i, [x, y])| (i, smooth.sample(x, y)))
                .collect()
        })
        .collect();
    for (i, z) in offsets.into_iter().flatten() {
        height[i] -= z;
    }
    Some(Relief {
        height_mm: height,
        magnification: 1.0,
        mm_per_sample: Some(edge),
    })
}

fn median_edge_mm(atlas: &Atlas) -> Option<f64> {
    let mut edges = vec![];
    let mut last = dermalia_surface::NO_TRIANGLE;
    for i in (0..atlas.len()).step_by(11) {
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
