//! Features that stand out of a plane: found against a baseline that they do not touch.

use std::ops::Range;

use crate::baseline::{flatten, low_pass, noise_below};
use crate::chromophores::{apply, plane};
use crate::extent::{Ground, Increment, measure, outline};
use crate::field::{Field, quantile};
use crate::gaussian::Smoother;
use crate::ledges::ledges;
use crate::segments::{Basins, NO_BASIN, Rules, basins};
use crate::wide::Wide;
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
/// From this surface on an increment is measured in the wider cells as well: it has many times
/// as many of them as the smallest increments have of the finer ones.
const SMALL_MM2: f32 = 6.0;
/// The unevenness of light beyond this reach is no noise to a close reading.
const HOLLOW_MM: f32 = 2.5;
/// What a narrow reading finds stands out of a mean of this reach, and is no wider than it.
const NARROW_MM: f32 = 1.2;
const NARROW_MM2: f64 = 12.0;

/// A linear form of density to find features in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// The form.
    pub(crate) form: [f64; 3],
    /// Whether it sees light and blood as well, so that a closer baseline is needed.
    pub(crate) close: bool,
    /// Whether it sees only what is narrow, and that on a steep slope of light, too.
    pub(crate) narrow: bool,
    /// The least height in standard deviations of the noise.
    pub(crate) sigmas: f32,
}

/// Finds the features of some readings; the residual is the first one's. `accept` has the
/// last word on each, in the field that it was measured in, and gives its contrast.
///
/// A first search only tells what the baseline of the second must not touch. Where wider
/// cells are given all but the finest smoothing is searched in these, which lose nothing by
/// it, and what is large is measured there. That is for quiet colour; noise asks for all cells.
pub(crate) fn find<A>(
    field: &Field,
    wider: Option<&Wide>,
    readings: &[Reading],
    search: Search,
    accept: A,
) -> Found
where
    A: Fn(&Field, &Increment, &Reading) -> Option<f64> + Sync,
{
    let all = search.smooth_mm;
    let (found_by, residual) = match wider {
        Some(wide) => {
            let (finest, coarser) = all.split_at(1);
            let (own, hunt) = rayon::join(
                || Hunt::new(field, readings, search, finest),
                || Hunt::new(&wide.field, readings, search, coarser),
            );
            // The middle smoothing suffices to keep features out of the baseline.
            let (known, _) = hunt.found(&hunt.weight, 0..1, &accept);
            let (mut free, mut wide_free) = (own.weight.clone(), hunt.weight.clone());
            for one in known.iter().flatten() {
                clear_around(field, &one.finer(wide, field), &mut free);
                clear_around(&wide.field, one, &mut wide_free);
            }
            let hunt = Hunt {
                fine: Some((&own, wide)),
                ..hunt
            };
            let ((mut found_by, residual), (rest, _)) = rayon::join(
                || own.found(&free, 0..1, &accept),
                || hunt.found(&wide_free, 0..2, &accept),
            );
            found_by.extend(rest);
            (found_by, residual)
        }
        None => {
            let own = Hunt::new(field, readings, search, &all);
            let (known, _) = own.found(&own.weight, 1..2, &accept);
            let mut free = own.weight.clone();
            for one in known.iter().flatten() {
                clear_around(field, one, &mut free);
            }
            own.found(&free, 0..3, &accept)
        }
    };
    let larger = if readings.len() > 1 {
        LARGER[1]
    } else {
        LARGER[0]
    };
    let mut increments = vec![];
    let mut owner = vec![NOBODY; field.len()];
    for fresh in found_by {
        merge(&mut owner, &mut increments, fresh, larger);
    }
    Found {
        increments,
        residual,
    }
}

/// One search through a field.
struct Hunt<'a> {
    field: &'a Field,
    /// Of the cells that are usable.
    weight: Vec<f32>,
    usable: Vec<bool>,
    /// The smoothings, the finest first.
    filters: Vec<Smoother>,
    readings: &'a [Reading],
    search: Search,
    /// What small increments are measured in, where these cells are too wide for them.
    fine: Option<(&'a Hunt<'a>, &'a Wide)>,
}

impl<'a> Hunt<'a> {
    fn new(field: &'a Field, readings: &'a [Reading], search: Search, smooth_mm: &[f32]) -> Self {
        let usable = field.usable();
        let weight = field.weight_of(&usable);
        let filters = smooth_mm
            .par_iter()
            .map(|mm| Smoother::new(field, &weight, *mm))
            .collect();
        Self {
            field,
            weight,
            usable,
            filters,
            readings,
            search,
            fine: None,
        }
    }

    /// What each reading and some of the smoothings find above the baseline of the cells that
    /// are free, in cells of the finest field; and the residual of the first reading.
    fn found<A>(
        &self,
        free: &[f32],
        filters: Range<usize>,
        accept: &A,
    ) -> (Vec<Vec<Increment>>, Vec<f32>)
    where
        A: Fn(&Field, &Increment, &Reading) -> Option<f64> + Sync,
    {
        let field = self.field;
        let filters = &self.filters[filters];
        let residuals: Vec<Vec<f32>> = self
            .readings
            .par_iter()
            .map(|reading| {
                let mut residual = plane(field, reading.form);
                flatten(field, &mut residual, free, reading.close);
                residual
            })
            .collect();
        let runs: Vec<(&Smoother, usize)> = (0..self.readings.len())
            .flat_map(|number| {
                let Reading { close, narrow, .. } = self.readings[number];
                let some = if narrow {
                    &filters[..filters.len().min(2)]
                } else {
                    // What sees pits as well is not looked at as finely as a pit.
                    &filters[usize::from(close && filters.len() > 1)..]
                };
                some.iter().map(move |f| (f, number))
            })
            .collect();
        let found_by = runs
            .into_par_iter()
            .map(|(filter, number)| {
                let smooth = filter.apply(field, &self.weight, &residuals[number]);
                self.stand_out_of(
                    &smooth,
                    filter.blur_mm(field),
                    free,
                    &self.readings[number],
                    accept,
                )
            })
            .collect();
        (found_by, residuals.into_iter().next().unwrap_or_default())
    }

    /// The features of a reading that stand out of its smooth residual.
    fn stand_out_of<A>(
        &self,
        smooth: &[f32],
        blur_mm: f32,
        free: &[f32],
        reading: &Reading,
        accept: &A,
    ) -> Vec<Increment>
    where
        A: Fn(&Field, &Increment, &Reading) -> Option<f64> + Sync,
    {
        let (field, search) = (self.field, self.search);
        let flat: Vec<f32>;
        let smooth = if reading.narrow {
            let wide = field.smooth(smooth, &self.weight, NARROW_MM);
            flat = smooth.iter().zip(&wide).map(|(s, w)| s - w).collect();
            &flat
        } else {
            smooth
        };
        // What is as dark as a spot and as wide as a hollow is judged by its own
        // surroundings later on.
        let noise = if reading.close && !reading.narrow {
            let wide = low_pass(field, smooth, free, HOLLOW_MM);
            let fine: Vec<f32> = smooth.iter().zip(&wide).map(|(s, w)| s - w).collect();
            noise_below(&fine, free)
        } else {
            noise_below(smooth, free)
        };
        let most_mm2 = match reading {
            Reading { narrow: true, .. } => search.most_mm2.min(NARROW_MM2),
            Reading { close: true, .. } => search.most_mm2.min(CLOSE_MM2),
            _ => search.most_mm2,
        };
        let peak = search.height.max(reading.sigmas * noise);
        let rules = Rules {
            peak,
            floor: 0.3 * peak,
            saddle: (6.0 * noise).max(0.3 * peak),
            saddle_share: 0.2,
        };
        let basins = basins(field, smooth, &self.usable, rules);
        let core: Vec<bool> = smooth
            .iter()
            .zip(&basins.basin)
            .map(|(s, &b)| b != NO_BASIN && *s > 0.2 * smooth[basins.peaks[b as usize]])
            .collect();
        let judged = |basins: &Basins, number: usize| {
            let unit = |step: [f32; 3]| apply(reading.form, step);
            let rough = outline(field, smooth, basins, number);
            let mut ground = Ground {
                basins,
                core: &core,
                wide: None,
            };
            let (mut hunt, mut finer) = (self, self.fine);
            let mut one = None;
            if finer.is_none() || field.surface(&rough) >= SMALL_MM2 {
                one = measure(field, &self.weight, &rough, &ground, number, unit);
            }
            if let Some((fine, wide)) = finer
                && one
                    .as_ref()
                    .is_none_or(|one| one.area_mm2 < f64::from(SMALL_MM2))
            {
                let rough = wide.finer(&rough, fine.field);
                ground.wide = Some(wide);
                one = measure(fine.field, &fine.weight, &rough, &ground, number, unit);
                (hunt, finer) = (fine, None);
            }
            let mut one = one?;
            let (field, weight) = (hunt.field, &hunt.weight[..]);
            let sized = (search.area_mm2..=most_mm2).contains(&one.area_mm2)
                && one.height >= 0.5 * search.height;
            if !sized || !is_whole(field, &one, weight) {
                return None;
            }
            one.sigmas = stands_out(&one, |c| smooth[ground.place(field, c)]);
            if one.sigmas < 0.9 * reading.sigmas {
                return None;
            }
            one.contrast = accept(field, &one, reading)?;
            Some(match finer {
                Some((fine, wide)) => one.finer(wide, fine.field),
                None => one,
            })
        };
        let found: Vec<(usize, Increment)> = (0..basins.peaks.len())
            .into_par_iter()
            .filter_map(|number| Some((number, judged(&basins, number)?)))
            .collect();
        let (peaks, mut found): (Vec<usize>, Vec<Increment>) = found.into_iter().unzip();
        let ledges = ledges(field, smooth, &basins, peaks.into_iter(), peak, blur_mm);
        if let Some(ledges) = ledges {
            let own = basins.peaks.len()..ledges.peaks.len();
            found.extend(own.filter_map(|number| judged(&ledges, number)));
        }
        found
    }
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
fn stands_out(one: &Increment, smooth: impl Fn(usize) -> f32) -> f32 {
    let mut around: Vec<f32> = one.around.iter().map(|&c| smooth(c as usize)).collect();
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
        .map(|&c| smooth(c as usize))
        .fold(f32::MIN, f32::max);
    (peak - middle) / noise.max(1e-9)
}

/// The mark of a cell that lies in no increment.
const NOBODY: u32 = u32::MAX;

/// Adds what a coarser smoothing found. What is known already stays, unless it is pieces
/// of something `larger` by that factor and no paler: noise can cut a piece out of a faint
/// increment, and a small dark spot can lie in a large faint one.
///
/// `owner` has room for every cell, all of them nobody's, and is left so.
fn merge(owner: &mut [u32], known: &mut Vec<Increment>, fresh: Vec<Increment>, larger: f64) {
    let mut taken = vec![];
    for (number, one) in known.iter().enumerate() {
        for &c in &one.inside {
            owner[c as usize] = number as u32;
        }
        taken.extend_from_slice(&one.inside);
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
        taken.extend_from_slice(&known[number].inside);
    }
    for c in taken {
        owner[c as usize] = NOBODY;
    }
    known.retain(|one| !one.inside.is_empty());
}

/// Takes the weight from a feature and its soft edge.
pub(crate) fn clear_around(field: &Field, one: &Increment, weight: &mut [f32]) {
    let radius = (one.area_mm2 as f32).sqrt() * 0.564;
    let margin = 0.3 + 0.9 * radius.min(4.0);
    let reach = field.cell_mm.map(|mm| margin / mm);
    let (rx, ry) = (reach[0].ceil() as isize, reach[1].ceil() as isize);
    // Half the width of the disc in each of its rows.
    let disc: Vec<(isize, isize)> = (-ry..=ry)
        .filter_map(|dy| {
            let fy = dy as f32 / reach[1];
            let inside = |dx: &isize| {
                let fx = *dx as f32 / reach[0];
                fx * fx + fy * fy <= 1.0
            };
            Some((dy, (0..=rx).rev().find(inside)?))
        })
        .collect();
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
        for &(dy, half) in disc.iter().filter(|(dy, _)| (0..h).contains(&(y + dy))) {
            let row = (y + dy) * w;
            let (from, to) = ((x - half).max(0), (x + half).min(w - 1));
            weight[(row + from) as usize..=(row + to) as usize].fill(0.0);
        }
    }
}
