//! Red areas: places of more haemoglobin than the skin around them.

use std::collections::BTreeSet;

use crate::chromophores::{Directions, chroma};
use crate::colour::ciede2000;
use crate::extent::Increment;
use crate::field::Field;
use crate::increments::{Reading, Search, find};
use crate::pigment::{Contrast, Spot, colours, density_step, evidence, smoothed_noise, spots};
use crate::rounding::Rounding;
use crate::ultraviolet::{Ultraviolet, fused};
use crate::wide::Wide;

/// A red area, in cells of the field.
#[derive(Debug, Clone)]
pub(crate) struct RedArea {
    /// Where and how large.
    pub(crate) increment: Increment,
    /// Mean a* inside less the local skin's.
    pub(crate) contrast_a: f64,
}

/// Spots and red areas with the planes they stand out of.
#[derive(Debug, Clone)]
pub(crate) struct ColourFeatures {
    /// What the two chromophores look like on this scan.
    pub(crate) directions: Directions,
    /// Pigment spots.
    pub(crate) spots: Vec<Spot>,
    /// Red areas.
    pub(crate) red_areas: Vec<RedArea>,
    /// Melanin above the baseline, one a cell, as a length in the chroma plane.
    pub(crate) melanin: Vec<f32>,
    /// The field in the cells that red areas are found in.
    pub(crate) wide: Field,
    /// Haemoglobin above the baseline, one such cell.
    pub(crate) haemoglobin: Vec<f32>,
}

const SEARCH: Search = Search {
    smooth_mm: [0.45, 1.0, 2.0],
    height: 0.010,
    area_mm2: 1.5,
    most_mm2: 1600.0,
};
const SIGMAS: f32 = 6.0;
const LEAST_A: f64 = 0.5;

/// Cells for red areas, which are twice as wide as spots at least.
const WIDE_MM: f32 = 0.3;

/// Spots and red areas, found by each other.
pub(crate) struct Look {
    /// What the two chromophores look like.
    pub(crate) directions: Directions,
    /// In the cells that were searched.
    pub(crate) spots: Vec<Spot>,
    melanin: Vec<f32>,
    /// In wide cells.
    pub(crate) red_areas: Vec<RedArea>,
    haemoglobin: Vec<f32>,
}

impl Look {
    /// `search` finds the spots in cells of `field`, with the plane they stand out of and
    /// the means of that over wide cells.
    fn of(
        field: &Field,
        wide: &Wide,
        rounding: Rounding,
        search: impl Fn(Directions) -> (Vec<Spot>, Vec<f32>, Vec<f32>),
    ) -> Self {
        // The form that reads melanin is orthogonal to haemoglobin, so spots are found
        // before the direction of melanin is known.
        let expected = Directions::default();
        let (mut spots, mut melanin, mut below) = search(expected);
        let mut directions = expected.refined(&evidence(field, &spots), &[]);
        let (mut red, mut haemoglobin) = red_areas(wide, directions, &below, rounding);
        // Some red areas must agree before haemoglobin is taken to look otherwise here.
        let blood = blood_evidence(&wide.field, &red, &below);
        if blood.len() >= 4 {
            let again = directions.refined(&evidence(field, &spots), &blood);
            if (again.haemoglobin_deg - directions.haemoglobin_deg).abs() > 5.0 {
                directions = again;
                (spots, melanin, below) = search(directions);
                (red, haemoglobin) = red_areas(wide, directions, &below, rounding);
            }
        }
        Self {
            directions,
            spots,
            melanin,
            red_areas: red,
            haemoglobin,
        }
    }

    /// The same skin in all that ultraviolet light shows of it, where that is more.
    fn deeper(
        field: &Field,
        wide: &Wide,
        rounding: Rounding,
        ultraviolet: Ultraviolet,
    ) -> Option<Self> {
        // What a picture's response is read off need not be known to the last freckle.
        let rough = Self::of(&wide.field, wide, rounding, |directions| {
            let (found, melanin) = spots(&wide.field, None, directions, rounding);
            let below = melanin.clone();
            (found, melanin, below)
        });
        let all = fused(field, wide, &rough, &ultraviolet)?;
        drop(ultraviolet);
        let wider = Wide::of(&all, WIDE_MM);
        let (mut found, melanin) = spots(&all, Some(&wider), rough.directions, rounding);
        // Their contrast is what the eye sees.
        for spot in &mut found {
            if let Some(contrast) = Contrast::of(field, &spot.increment) {
                spot.contrast_de00 = contrast.de00;
                spot.deep = !contrast.is_seen();
            }
        }
        Some(Self {
            spots: found,
            melanin,
            ..rough
        })
    }
}

/// Finds spots and red areas, and with them what melanin and haemoglobin look like.
/// `ultraviolet` is the same skin under a light that shows melanin better.
pub(crate) fn colour_features(field: &Field, ultraviolet: Option<Ultraviolet>) -> ColourFeatures {
    let (rounding, wide) = rayon::join(|| Rounding::of(field), || Wide::of(field, WIDE_MM));
    let deeper = ultraviolet.and_then(|uv| Look::deeper(field, &wide, rounding, uv));
    let mut look = deeper.unwrap_or_else(|| {
        Look::of(field, &wide, rounding, |directions| {
            let (found, melanin) = spots(field, Some(&wide), directions, rounding);
            let below = wide.means(&melanin, &field.weight, field.width);
            (found, melanin, below)
        })
    });
    let red_areas = moles_apart(field, &wide, look.red_areas, &mut look.spots);
    ColourFeatures {
        directions: look.directions,
        spots: look.spots,
        red_areas,
        melanin: look.melanin,
        wide: wide.field,
        haemoglobin: look.haemoglobin,
    }
}

/// A mole is no larger than this and darker in green (natural logarithm) than blood makes
/// a place of that size.
const MOLE_MM2: f64 = 9.0;
const MOLE_DENSITY: f32 = 0.45;

/// Moves moles from the red areas to the spots, and brings all to the cells of the field.
/// Where a place is that dark, its colour on a camera's channels no longer tells melanin from
/// blood: moles of a scanned head lie at 133 to 150 degrees of the chroma plane, thin melanin
/// at 84 to 107, blood at 152.
fn moles_apart(
    field: &Field,
    wide: &Wide,
    red: Vec<RedArea>,
    spots: &mut Vec<Spot>,
) -> Vec<RedArea> {
    let known: BTreeSet<u32> = spots
        .iter()
        .flat_map(|s| s.increment.inside.iter().copied())
        .collect();
    let mut kept = vec![];
    for area in red {
        let one = &area.increment;
        let increment = one.finer(wide, field);
        let dark = one.area_mm2 <= MOLE_MM2
            && density_step(&wide.field, one).is_some_and(|step| step[1] >= MOLE_DENSITY)
            && !increment.inside.iter().any(|c| known.contains(c));
        match dark.then(|| colours(field, &increment)).flatten() {
            Some((inside, around)) => spots.push(Spot {
                contrast_de00: ciede2000(inside, around),
                deep: false,
                increment,
            }),
            None => kept.push(RedArea { increment, ..area }),
        }
    }
    kept
}

fn red_areas(
    wide: &Wide,
    directions: Directions,
    melanin: &[f32],
    rounding: Rounding,
) -> (Vec<RedArea>, Vec<f32>) {
    let form = directions.forms(smoothed_noise(&wide.field))[1];
    let contrast = |field: &Field, one: &Increment, _: &Reading| {
        // What melanin's estimated direction leaves over is no blood, nor is a spot that is
        // redder than most: a red area has less than half as much melanin as blood.
        let leak = 0.6 * mean(melanin, &one.inside);
        if one.height <= leak {
            return None;
        }
        let step = density_step(field, one)?;
        let least = rounding.least_redness(field, &one.around);
        if f64::from(step[1] - step[0]) <= least {
            return None;
        }
        let (inside, around) = colours(field, one)?;
        let contrast_a = inside.a - around.a;
        (contrast_a >= LEAST_A).then_some(contrast_a)
    };
    let reading = Reading {
        form,
        close: false,
        narrow: false,
        sigmas: SIGMAS,
    };
    let found = find(&wide.field, None, &[reading], SEARCH, contrast);
    let red = found
        .increments
        .into_iter()
        .map(|increment| RedArea {
            contrast_a: increment.contrast,
            increment,
        })
        .collect();
    (red, found.residual)
}

/// Directions of the increments of red areas that no pigment shares.
fn blood_evidence(field: &Field, red: &[RedArea], melanin: &[f32]) -> Vec<[f32; 3]> {
    red.iter()
        .filter(|r| r.contrast_a > 2.5)
        .filter(|r| mean(melanin, &r.increment.inside).abs() < 0.25 * r.increment.height)
        .filter_map(|r| {
            let c = chroma(density_step(field, &r.increment)?);
            let size = (r.increment.area_mm2 as f32).min(100.0);
            Some([c[0], c[1], r.increment.height * size.sqrt()])
        })
        .collect()
}

fn mean(plane: &[f32], cells: &[u32]) -> f32 {
    if cells.is_empty() {
        return 0.0;
    }
    let sum: f64 = cells.iter().map(|&c| f64::from(plane[c as usize])).sum();
    (sum / cells.len() as f64) as f32
}
