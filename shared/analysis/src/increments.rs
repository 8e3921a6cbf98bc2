//! Features that stand out of a plane: found against a baseline that they do not touch.

use crate::baseline::{baseline, noise_below};
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
    /// The least height in standard deviations of the noise.
    pub(crate) sigmas: f32,
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

/// How often the baseline is fitted again without the features found so far.
const ROUNDS: usize = 2;

/// Finds the features of a plane over the cells that are usable. `unit` gives the plane's
/// value of a step of density, `accept` has the last word on each.
pub(crate) fn find<U, A>(
    field: &Field,
    plane: &[f32],
    usable: &[bool],
    search: Search,
    unit: U,
    accept: A,
) -> Found
where
    U: Fn([f32; 3]) -> f32 + Sync,
    A: Fn(&Increment) -> bool,
{
    let weight: Vec<f32> = (0..field.len())
        .map(|i| if usable[i] { field.weight[i] } else { 0.0 })
        .collect();
    let filters = search.smooth_mm.map(|mm| Smoother::new(field, &weight, mm));
    let mut free = weight.clone();
    let mut found = Found {
        increments: vec![],
        residual: vec![],
    };
    for round in 0..ROUNDS {
        let level = baseline(field, plane, &free);
        let residual: Vec<f32> = plane.iter().zip(&level).map(|(p, l)| p - l).collect();
        let mut increments: Vec<Increment> = vec![];
        // The middle smoothing suffices to keep features out of the baseline.
        let filters = if round + 1 < ROUNDS {
            &filters[1..2]
        } else {
            &filters[..]
        };
        for filter in filters {
            let smooth = filter.apply(field, &residual);
            let noise = noise_below(&smooth, &free);
            let peak = search.height.max(search.sigmas * noise);
            let rules = Rules {
                peak,
                floor: 0.3 * peak,
                saddle: (6.0 * noise).max(0.3 * peak),
                saddle_share: 0.2,
            };
            let ground = basins(field, &smooth, usable, rules);
            let core: Vec<bool> = (0..field.len())
                .map(|i| {
                    let b = ground.basin[i];
                    b != NO_BASIN && smooth[i] > 0.2 * smooth[ground.peaks[b as usize]]
                })
                .collect();
            let fresh: Vec<Increment> = (0..ground.peaks.len())
                .into_par_iter()
                .filter_map(|number| {
                    measure(
                        field, &residual, &smooth, &weight, &ground, &core, number, &unit,
                    )
                })
                .collect();
            let fresh = fresh
                .into_iter()
                .filter(|one| one.area_mm2 >= search.area_mm2 && one.height >= 0.5 * search.height)
                .filter(|one| one.area_mm2 <= search.most_mm2 && is_whole(field, one, &weight))
                .filter(|one| stands_out(one, &smooth, search.sigmas))
                .filter(|one| accept(one));
            merge(field, &mut increments, fresh);
        }
        free.copy_from_slice(&weight);
        for one in &increments {
            clear_around(field, one, &mut free);
        }
        found = Found {
            increments,
            residual,
        };
    }
    found
}

/// Whether most of an outline runs over skin. What is cut off by a mask is more often the
/// edge of what is masked, such as a lip or a lash, than a feature, and has no size.
fn is_whole(field: &Field, one: &Increment, weight: &[f32]) -> bool {
    let set: std::collections::BTreeSet<u32> = one.inside.iter().copied().collect();
    let (w, h) = (field.width as isize, field.height as isize);
    let (mut outline, mut cut) = (0_u32, 0_u32);
    for &c in &one.inside {
        let (x, y) = (c as isize % w, c as isize / w);
        for (dx, dy) in [(-1, 0), (1, 0), (0, -1), (0, 1)] {
            let (nx, ny) = (x + dx, y + dy);
            let beyond = nx < 0 || ny < 0 || nx >= w || ny >= h;
            let next = (ny * w + nx) as u32;
            if !beyond && set.contains(&next) {
                continue;
            }
            outline += 1;
            cut += u32::from(beyond || weight[next as usize] <= 0.0);
        }
    }
    f64::from(cut) <= 0.25 * f64::from(outline)
}

/// Whether an increment stands out of the noise of its own surroundings: where there is
/// little light the noise is higher than that of the face.
fn stands_out(one: &Increment, smooth: &[f32], sigmas: f32) -> bool {
    let mut around: Vec<f32> = one.around.iter().map(|&c| smooth[c as usize]).collect();
    let Some(middle) = quantile(&mut around, 0.5) else {
        return false;
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
    peak - middle >= 0.9 * sigmas * noise
}

/// Adds what a coarser smoothing found. What is known already stays, unless it is a piece
/// of something clearly larger and no paler: noise can cut a piece out of a faint
/// increment, and a small dark spot can lie in a large faint one.
fn merge(field: &Field, known: &mut Vec<Increment>, fresh: impl Iterator<Item = Increment>) {
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
            [piece] => {
                let old = &mut known[piece as usize];
                if one.area_mm2 < 1.5 * old.area_mm2 || old.height > 1.5 * one.height {
                    continue;
                }
                *old = one;
                piece as usize
            }
            _ => continue,
        };
        for &c in &known[number].inside {
            owner[c as usize] = number as u32;
        }
    }
}

/// Takes the weight from a feature and its soft edge.
pub(crate) fn clear_around(field: &Field, one: &Increment, weight: &mut [f32]) {
    let radius = (one.area_mm2 as f32).sqrt() * 0.564;
    let margin = 0.3 + 0.9 * radius.min(4.0);
    let reach = field.cell_mm.map(|mm| margin / mm);
    let (rx, ry) = (reach[0].ceil() as isize, reach[1].ceil() as isize);
    // The boundary cells suffice as centres of the discs.
    let set: std::collections::BTreeSet<u32> = one.inside.iter().copied().collect();
    let (w, h) = (field.width as isize, field.height as isize);
    for &c in &one.inside {
        weight[c as usize] = 0.0;
        let (x, y) = (c as isize % w, c as isize / w);
        let inner = [(-1, 0), (1, 0), (0, -1), (0, 1)].iter().all(|(dx, dy)| {
            let (nx, ny) = (x + dx, y + dy);
            nx >= 0 && ny >= 0 && nx < w && ny < h && set.contains(&((ny * w + nx) as u32))
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
