//! Features that stand out of a plane: found against a baseline that they do not touch.

use crate::baseline::{baseline, low_pass, noise_below};
use crate::chromophores::{apply, plane};
use crate::extent::{Increment, measure};
use crate::field::{Field, Smoother, quantile};
use crate::segments::{NO_BASIN, Rules, basins};
use rayon::prelude::*;

/// What counts as a feature of a plane.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Search {
    /// Smoothings of the detection, the finest first, in mm.
    pub(crate) smooth_mm: [f32; 3],
    /// The least height, in the units of the plane.
    pub(crate) height: f32,
    /// The least surface.
    pub(crate) area_mm2: f64,
    /// The largest surface: beyond it, a part of the face is another colour.
    pub(crate) most_mm2: f64,
}

/// The features of a plane.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// In the order of their peaks.
    pub(crate) increments: Vec<Increment>,
    /// The plane less its baseline.
    pub(crate) residual: Vec<f32>,
}

/// How much larger than its pieces a whole is at least; less where noise tears pieces off.
const LARGER: [f64; 2] = [1.5, 1.2];

/// What a close reading finds is no wider than its baseline, which would rise into it.
const CLOSE_MM2: f64 = 60.0;
/// The unevenness of light beyond this reach is no noise to a close reading.
const HOLLOW_MM: f32 = 2.5;

/// How often the baseline is fitted again without the features found so far.
const ROUNDS: usize = 2;

/// A linear form of density to find features in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// The form.
    pub(crate) form: [f64; 3],
    /// Whether it sees light and blood as well, so that a closer baseline is needed.
    pub(crate) close: bool,
    /// The least height in standard deviations of the noise.
    pub(crate) sigmas: f32,
}

/// Finds the features of some readings over the cells that are usable; the residual is the
/// first one's. `accept` has the last word on each and gives its contrast.
pub(crate) fn find<A>(
    field: &Field,
    readings: &[Reading],
    usable: &[bool],
    search: Search,
    accept: A,
) -> Found
where
    A: Fn(&Increment) -> Option<f64> + Sync,
{
    let weight: Vec<f32> = field
        .weight
        .iter()
        .zip(usable)
        .map(|(w, u)| if *u { *w } else { 0.0 })
        .collect();
    let planes: Vec<Vec<f32>> = readings.iter().map(|r| plane(field, r.form)).collect();
    let filters = search.smooth_mm.map(|mm| Smoother::new(field, &weight, mm));
    let larger = if readings.len() > 1 {
        LARGER[1]
    } else {
        LARGER[0]
    };
    let mut free = weight.clone();
    let mut found = Found {
        increments: vec![],
        residual: vec![],
    };
    for round in 0..ROUNDS {
        let residuals: Vec<Vec<f32>> = planes
            .iter()
            .zip(readings)
            .map(|(plane, reading)| {
                let mut level = baseline(field, plane, &free, reading.close);
                level
                    .par_iter_mut()
                    .zip(plane)
                    .for_each(|(level, p)| *level = p - *level);
                level
            })
            .collect();
        let mut increments: Vec<Increment> = vec![];
        // The middle smoothing suffices to keep features out of the baseline.
        let filters = if round + 1 < ROUNDS {
            &filters[1..2]
        } else {
            &filters[..]
        };
        let detect = |(filter, number): (&Smoother<'_>, usize)| -> Vec<Increment> {
            let unit = |step: [f32; 3]| apply(readings[number].form, step);
            let smooth = filter.apply(field, &residuals[number]);
            // What is as dark as a spot and as wide as a hollow is judged by its own
            // surroundings later on.
            let noise = if readings[number].close {
                let wide = low_pass(field, &smooth, &free, HOLLOW_MM);
                let fine: Vec<f32> = smooth.iter().zip(&wide).map(|(s, w)| s - w).collect();
                noise_below(&fine, &free)
            } else {
                noise_below(&smooth, &free)
            };
            let most_mm2 = if readings[number].close {
                search.most_mm2.min(CLOSE_MM2)
            } else {
                search.most_mm2
            };
            let peak = search.height.max(readings[number].sigmas * noise);
            let rules = Rules {
                peak,
                floor: 0.3 * peak,
                saddle: (6.0 * noise).max(0.3 * peak),
                saddle_share: 0.2,
            };
            let ground = basins(field, &smooth, usable, rules);
            let core: Vec<bool> = smooth
                .iter()
                .zip(&ground.basin)
                .map(|(s, &b)| b != NO_BASIN && *s > 0.2 * smooth[ground.peaks[b as usize]])
                .collect();
            (0..ground.peaks.len())
                .into_par_iter()
                .filter_map(|basin| {
                    let mut one = measure(field, &smooth, &weight, &ground, &core, basin, unit)?;
                    let sized = (search.area_mm2..=most_mm2).contains(&one.area_mm2)
                        && one.height >= 0.5 * search.height;
                    one.sigmas = stands_out(&one, &smooth);
                    if !sized
                        || !is_whole(field, &one, &weight)
                        || one.sigmas < 0.9 * readings[number].sigmas
                    {
                        return None;
                    }
                    one.contrast = accept(&one)?;
                    Some(one)
                })
                .collect()
        };
        let runs: Vec<(&Smoother<'_>, usize)> = (0..readings.len())
            .flat_map(|number| {
                // What sees pits as well is not looked at as finely as a pit.
                let finest = usize::from(readings[number].close && filters.len() > 1);
                filters[finest..].iter().map(move |f| (f, number))
            })
            .collect();
        let found_by: Vec<Vec<Increment>> = runs.into_par_iter().map(detect).collect();
        for fresh in found_by {
            merge(field, &mut increments, fresh, larger);
        }
        free.copy_from_slice(&weight);
        for one in &increments {
            clear_around(field, one, &mut free);
        }
        found = Found {
            increments,
            residual: residuals.into_iter().next().unwrap_or_default(),
        };
    }
    found
}

/// Whether most of an outline runs over skin. What is cut off by a mask is more often the
/// edge of what is masked, such as a lip or a lash, than a feature, and has no size.
fn is_whole(field: &Field, one: &Increment, weight: &[f32]) -> bool {
    let (w, h) = (field.width as isize, field.height as isize);
    let (mut outline, mut cut) = (0_u32, 0_u32);
    for &c in &one.inside {
        let (x, y) = (c as isize % w, c as isize / w);
        for (dx, dy) in [(-1, 0), (1, 0), (0, -1), (0, 1)] {
            let (nx, ny) = (x + dx, y + dy);
            let beyond = nx < 0 || ny < 0 || nx >= w || ny >= h;
            let next = (ny * w + nx) as u32;
            if !beyond && one.holds(next) {
                continue;
            }
            outline += 1;
            cut += u32::from(beyond || weight[next as usize] <= 0.0);
        }
    }
    f64::from(cut) <= 0.25 * f64::from(outline)
}

/// How far an increment stands out of the noise of its own surroundings: where there is
/// little light the noise is higher than that of the face.
fn stands_out(one: &Increment, smooth: &[f32]) -> f32 {
    let mut around: Vec<f32> = one.around.iter().map(|&c| smooth[c as usize]).collect();
    let Some(middle) = quantile(&mut around, 0.5) else {
        return 0.0;
    };
    let mut below: Vec<f32> = around
        .iter()
        .map(|v| middle - v)
        .filter(|d| *d >= 0.0)
        .collect();
    let noise = quantile(&mut below, 0.5).map_or(0.0, |d| 1.4826 * d);
    let peak = one
        .inside
        .iter()
        .map(|&c| smooth[c as usize])
        .fold(f32::MIN, f32::max);
    (peak - middle) / noise.max(1e-9)
}

/// Adds what a coarser smoothing found. What is known already stays, unless it is pieces
/// of something `larger` by that factor and no paler: noise can cut a piece out of a faint
/// increment, and a small dark spot can lie in a large faint one.
fn merge(field: &Field, known: &mut Vec<Increment>, fresh: Vec<Increment>, larger: f64) {
    const NOBODY: u32 = u32::MAX;
    let mut owner = vec![NOBODY; field.len()];
    for (number, one) in known.iter().enumerate() {
        for &c in &one.inside {
            owner[c as usize] = number as u32;
        }
    }
    for one in fresh {
        let mut owners: Vec<u32> = one
            .inside
            .iter()
            .map(|&c| owner[c as usize])
            .filter(|&o| o != NOBODY)
            .collect();
        owners.sort_unstable();
        owners.dedup();
        let number = match owners[..] {
            [] => {
                known.push(one);
                known.len() - 1
            }
            [first, ..] => {
                let pieces = owners.iter().map(|&o| &known[o as usize]);
                let area: f64 = pieces.clone().map(|p| p.area_mm2).sum();
                let tallest = pieces.map(|p| p.height).fold(0.0, f32::max);
                if one.area_mm2 < larger * area || tallest > 1.5 * one.height {
                    continue;
                }
                for &o in &owners[1..] {
                    known[o as usize].inside.clear();
                }
                known[first as usize] = one;
                first as usize
            }
        };
        for &c in &known[number].inside {
            owner[c as usize] = number as u32;
        }
    }
    known.retain(|one| !one.inside.is_empty());
}

/// Takes the weight from a feature and its soft edge.
pub(crate) fn clear_around(field: &Field, one: &Increment, weight: &mut [f32]) {
    let radius = (one.area_mm2 as f32).sqrt() * 0.564;
    let margin = 0.3 + 0.9 * radius.min(4.0);
    let reach = field.cell_mm.map(|mm| margin / mm);
    let (rx, ry) = (reach[0].ceil() as isize, reach[1].ceil() as isize);
    // The boundary cells suffice as centres of the discs.
    let (w, h) = (field.width as isize, field.height as isize);
    for &c in &one.inside {
        weight[c as usize] = 0.0;
        let (x, y) = (c as isize % w, c as isize / w);
        let inner = [(-1, 0), (1, 0), (0, -1), (0, 1)].iter().all(|(dx, dy)| {
            let (nx, ny) = (x + dx, y + dy);
            nx >= 0 && ny >= 0 && nx < w && ny < h && one.holds((ny * w + nx) as u32)
        });
        if inner {
            continue;
        }
        for dy in -ry..=ry {
            for dx in -rx..=rx {
                let (nx, ny) = (x + dx, y + dy);
                let (fx, fy) = (dx as f32 / reach[0], dy as f32 / reach[1]);
                if nx >= 0 && ny >= 0 && nx < w && ny < h && fx * fx + fy * fy <= 1.0 {
                    weight[(ny * w + nx) as usize] = 0.0;
                }
            }
        }
    }
}
