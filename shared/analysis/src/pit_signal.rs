//! What pits are found in, and where they may be.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::blobs::{Blobs, Candidate, candidates};
use crate::chart::Chart;
use crate::planes::{Pool, median};
use crate::pores::COARSEST_MM_PER_PX;
use crate::{Atlas, Context};

/// Responses below this many times the noise are not looked at. It is the spread of the
/// skin beside pits at the filter's own scale, so that its texture and the grain of a picture's
/// coding count as noise, too.
const LEAST_SCORE: f32 = 4.0;
/// No part of a face has more noise than this many times the usual.
const MOST_NOISE: f32 = 3.0;

/// Maxima of the Laplacian, and the usual noise of each scale.
pub(crate) struct Peaks {
    pub(crate) found: Vec<Candidate>,
    /// The least score from which most are no grain.
    pub(crate) least: f32,
    noise: Vec<f32>,
}

impl Peaks {
    /// Doubtful ones, too.
    pub(crate) fn of(atlas: &Atlas, signal: &[f32], charts: &[Chart], sigmas: &[f32]) -> Self {
        let parts: Vec<Blobs> = charts
            .par_iter()
            .map_init(Pool::default, |pool, chart| {
                let sampled = chart.sample(atlas, signal, pool);
                let found = candidates(chart, &sampled, atlas, sigmas, LEAST_SCORE, pool);
                pool.give(sampled);
                found
            })
            .collect();
        let noise: Vec<f32> = (0..sigmas.len())
            .map(|k| median(&mut parts.iter().map(|b| b.noise[k]).collect::<Vec<f32>>()))
            .collect();
        let [all, free] = [0, 1].map(|k| parts.iter().map(|b| b.probes[k]).sum::<usize>());
        let mut bright: Vec<f32> = parts
            .iter()
            .flat_map(|b| b.bright.iter().copied())
            .collect();
        let found: Vec<Candidate> = (parts.into_iter().flat_map(|b| b.found))
            .map(|c| Candidate {
                // Where pores stand close, they themselves are most of the spread.
                score: c.score.max(c.response / (MOST_NOISE * noise[c.scale])),
                ..c
            })
            .collect();
        let mut dark: Vec<f32> = (found.iter())
            .filter(|c| c.score >= LEAST_SCORE && c.is_round())
            .map(|c| c.score)
            .collect();
        let least = least_score(&mut dark, &mut bright, all as f32 / free.max(1) as f32);
        Self {
            found,
            least,
            noise,
        }
    }
}

/// Scores within this factor are counted together …
const BAND: f32 = 1.2;
/// … from one step to the next.
const NEXT: f32 = 1.05;
/// Grain that is brighter than darker asks for no more than this.
const MOST_LEAST: f32 = 10.0;

/// The score from which on more than half of the dark maxima are no grain: that makes as many
/// bright ones, of which `share` times as many as are known.
fn least_score(dark: &mut [f32], bright: &mut [f32], share: f32) -> f32 {
    dark.sort_unstable_by(f32::total_cmp);
    bright.sort_unstable_by(f32::total_cmp);
    let mut least = LEAST_SCORE;
    while least < MOST_LEAST {
        let [dark, bright] = [&*dark, &*bright].map(|scores| {
            let below = |score: f32| scores.partition_point(|s| *s < score);
            (below(BAND * least) - below(least)) as f32
        });
        if share * bright <= 0.5 * dark {
            break;
        }
        least *= NEXT;
    }
    least
}

/// What pits are found in: the density, and with it how deep the relief is where dark pits are
/// deep, so that light on the slopes of the skin and its texture, of which the two see
/// different things, are no pits. It is a density, that of a pit of the usual depth.
pub(crate) fn pit_signal<'a>(
    ctx: &Context<'_>,
    density: &'a [f32],
    charts: &[Chart],
    sigmas: &[f32],
    raster_mm: f64,
) -> Cow<'a, [f32]> {
    let relief = ctx.relief.filter(|relief| {
        let own = raster_mm * f64::from(relief.magnification.max(1.0));
        relief.mm_per_sample.unwrap_or(own) <= COARSEST_MM_PER_PX
    });
    let Some(relief) = relief else {
        return Cow::Borrowed(density);
    };
    let downwards = downwards(&relief.height_mm, ctx.atlas.width);
    let Some(Depth { share, usual }) = Depth::of(ctx.atlas, density, &downwards, charts, sigmas)
    else {
        return Cow::Borrowed(density);
    };
    let whole = 1.0 / (1.0 + share * usual);
    let mut signal = downwards;
    (signal.par_iter_mut().zip(density)).for_each(|(s, d)| *s = whole * (d + share * *s));
    Cow::Owned(signal)
}

/// Depth; where there is none, what is beside it in its row, so that the signal goes on.
fn downwards(height_mm: &[f32], width: usize) -> Vec<f32> {
    let mut out: Vec<f32> = height_mm.par_iter().map(|h| -h).collect();
    out.par_chunks_mut(width.max(1)).for_each(|row| {
        let mut last = row.iter().copied().find(|v| v.is_finite()).unwrap_or(0.0);
        for v in row {
            if v.is_finite() {
                last = *v;
            } else {
                *v = last;
            }
        }
    });
    out
}

/// Charts that tell how deep dark pits are.
const SOME_CHARTS: usize = 16;
/// Pits that tell it are this many times above the least score, and at least so many.
const PLAIN: f32 = 1.5;
const LEAST_PLAIN: usize = 30;
/// More of them, evenly from all, tell nothing new.
const MOST_PLAIN: usize = 4000;
/// A pit lies in the same place in both, within this share of the filter's scale.
const SAME_PLACE: f32 = 0.7;

/// How deep dark pits are.
struct Depth {
    /// What a millimetre counts as a density.
    share: f32,
    /// Millimetres of depth for a density of one, as the filters see both.
    usual: f32,
}

impl Depth {
    /// `None` where dark pits are few, or no pits of the relief.
    fn of(
        atlas: &Atlas,
        density: &[f32],
        downwards: &[f32],
        charts: &[Chart],
        sigmas: &[f32],
    ) -> Option<Self> {
        let some: Vec<Chart> = (charts.iter())
            .step_by(charts.len().div_ceil(SOME_CHARTS).max(1))
            .cloned()
            .collect();
        let [dark, mut deep] =
            [density, downwards].map(|signal| Peaks::of(atlas, signal, &some, sigmas));
        deep.found.sort_by(|a, b| a.px[1].total_cmp(&b.px[1]));
        let plain: Vec<&Candidate> = (dark.found.iter())
            .filter(|c| c.score >= PLAIN * dark.least && c.is_round())
            .collect();
        let (mut depths, mut scales): (Vec<f32>, Vec<f32>) = plain
            .iter()
            .step_by(plain.len() / MOST_PLAIN + 1)
            .map(|c| (deepest(c, &deep.found) / c.response, c.scale as f32))
            .unzip();
        if depths.len() < LEAST_PLAIN {
            return None;
        }
        let usual = median(&mut depths);
        let scale = median(&mut scales) as usize;
        if usual <= 0.0 {
            return None;
        }
        // Each weighs by what it tells, and depth no more than darkness: what is dark only
        // may be a pit as well.
        let ratio = dark.noise[scale] / deep.noise[scale];
        Some(Self {
            share: ratio * (usual * ratio).min(1.0),
            usual,
        })
    }
}

/// The largest response in the place of a maximum, of those in the order of their rows; 0
/// without any.
fn deepest(c: &Candidate, ordered: &[Candidate]) -> f32 {
    let m = c.metric;
    let near = SAME_PLACE * c.sigma_mm;
    // Rows that so many millimetres reach over.
    let rows = near * m.e.sqrt() / m.pixel_area_mm2().max(1e-6);
    let first = ordered.partition_point(|d| d.px[1] < c.px[1] - rows);
    ordered[first..]
        .iter()
        .take_while(|d| d.px[1] <= c.px[1] + rows)
        .filter(|d| m.length_mm(d.px[0] - c.px[0], d.px[1] - c.px[1]) <= near)
        .map(|d| d.response)
        .fold(0.0, f32::max)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::blocks::Blocks;
    use crate::chart::charts;
    use crate::relief::Relief;

    const SIDE: usize = 400;
    const DARK: f32 = 0.2;
    const DEEP_MM: f32 = 0.06;

    /// A number of zero mean for each pixel.
    fn grain(i: usize) -> f32 {
        (i.wrapping_mul(2_654_435_761) >> 7) as f32 % 1000.0 / 1000.0 - 0.5
    }

    /// Pits of 0.4 mm every 4 mm on a sheet of 40 mm, so deep and dark, each with some grain.
    fn pits(depth: f32, grain_of: f32, from: usize) -> Vec<f32> {
        let off = |p: usize| (p % 40) as f32 - 19.5;
        (0..SIDE * SIDE)
            .map(|i| {
                let r2 = off(i % SIDE).powi(2) + off(i / SIDE).powi(2);
                depth * (-core::f32::consts::LN_2 * r2 / 4.0).exp() + grain_of * grain(i + from)
            })
            .collect()
    }

    fn sheet() -> dermalia_surface::Mesh {
        dermalia_surface::Mesh::sheet(40.0, 40.0)
    }

    /// The sheet of 40 mm in pixels of 0.1 mm, and its charts.
    fn charted(mesh: &dermalia_surface::Mesh) -> (Atlas, Vec<Chart>) {
        let raster = dermalia_surface::rasterize_uv(mesh, SIDE, SIDE);
        let bits = crate::labels::whole_surface(&raster.triangle);
        let atlas = crate::preparation::crop(mesh, raster, bits, crate::Scale::Stated).unwrap();
        let blocks = std::sync::Arc::new(Blocks::of(&atlas));
        let charts = charts(&atlas, &blocks, 0.1, 0.1, 22.0, 1.8);
        (atlas, charts)
    }

    fn signal(density: &[f32], height_mm: Vec<f32>) -> Option<Vec<f32>> {
        let mesh = sheet();
        let (atlas, charts) = charted(&mesh);
        let relief = Relief {
            height_mm,
            magnification: 1.0,
            mm_per_sample: None,
        };
        let unknown = dermalia_scan::manifest::SkinState::Unknown;
        let ctx = Context::new(&atlas, &[], Some(&relief), unknown);
        match pit_signal(&ctx, density, &charts, &[0.125, 0.175, 0.25], 0.1) {
            Cow::Borrowed(_) => None,
            Cow::Owned(signal) => Some(signal),
        }
    }

    #[test]
    fn a_relief_with_pits_takes_the_grain_off_dark_ones_and_keeps_their_density() {
        let density = pits(DARK, 0.05, 0);
        let mut height: Vec<f32> = pits(-DEEP_MM, 0.004, 7).iter().map(|z| z + 0.3).collect();
        height[5 * SIDE + 3..5 * SIDE + 9].fill(f32::NAN);
        let found = signal(&density, height).unwrap();
        assert!(found.iter().all(|v| v.is_finite()));
        let middle = |s: &[f32]| {
            let pits = (0..100).map(|k| (40 * (k / 10) + 19) * SIDE + 40 * (k % 10) + 19);
            pits.map(|i| s[i] - s[i + 15]).sum::<f32>() / 100.0
        };
        assert!((middle(&found) / middle(&density) - 1.0).abs() < 0.05);
        // Beside the pits; the mean is that of the depth.
        let rough = |s: &[f32]| {
            let flat: Vec<f32> = (0..SIDE).map(|x| s[80 * SIDE + x]).collect();
            let mean = flat.iter().sum::<f32>() / SIDE as f32;
            (flat.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / SIDE as f32).sqrt()
        };
        assert!(rough(&found) < 0.8 * rough(&density), "{}", rough(&found));
    }

    #[test]
    fn a_relief_without_pits_says_nothing_of_dark_ones() {
        assert!(signal(&pits(DARK, 0.05, 0), pits(0.0, 0.004, 7)).is_none());
        // Nor does one with pits where nothing is dark.
        assert!(signal(&pits(0.0, 0.05, 0), pits(-DEEP_MM, 0.004, 7)).is_none());
    }
    /// Of texture that grazing light shows five times as much on one side no more is a pit
    /// there, and pits that hardly stand out of it are found.
    #[test]
    fn texture_that_grazing_light_shows_is_no_pit() {
        let mesh = sheet();
        let (atlas, charts) = charted(&mesh);
        let peaks = |depth: f32| {
            let texture = pits(0.0, 1.0, 0);
            let pits = pits(depth, 0.0, 0);
            let density: Vec<f32> = (0..SIDE * SIDE)
                .map(|i| {
                    let grazing = 1.0 + ((i % SIDE) as f32 / 20.0 - 14.0).clamp(0.0, 4.0);
                    grazing * (0.02 * texture[i] + pits[i])
                })
                .collect();
            let peaks = Peaks::of(&atlas, &density, &charts, &[0.125, 0.175, 0.25]);
            let counts = |c: &&Candidate| c.score >= peaks.least && c.is_round();
            let found: Vec<&Candidate> = peaks.found.iter().filter(counts).collect();
            let off = |v: f32| (v % 40.0 - 20.0).abs();
            let (pits, grain): (Vec<&Candidate>, Vec<&Candidate>) =
                (found.iter()).partition(|c| c.px.iter().all(|v| off(*v) < 2.0));
            // Both charts beside the edge of a tile may see one.
            let places = pits.iter().map(|c| c.px.map(|v| (v / 40.0) as usize));
            [places.collect::<BTreeSet<_>>().len(), grain.len()]
        };
        let [_, grain] = peaks(0.0);
        assert!(grain <= 4, "{grain}");
        let [pits, grain] = peaks(0.035);
        assert!(pits >= 90 && grain <= 4, "{pits} of 100, {grain}");
    }

    #[test]
    fn what_is_as_often_bright_as_dark_is_grain() {
        let mut grain: Vec<f32> = (0..200).map(|k| 4.0 + 0.01 * k as f32).collect();
        let pits: Vec<f32> = (0..200).map(|k| 4.0 + 0.1 * k as f32).collect();
        let mut dark = [&grain[..], &pits[..]].concat();
        let least = least_score(&mut dark, &mut grain, 1.0);
        assert!((5.0..6.1).contains(&least), "{least}");
        // Half of the skin is pits, so that there is as much grain again that nothing tells.
        assert!(least_score(&mut dark, &mut grain[..100].to_vec(), 2.0) > 4.5);
        assert!((least_score(&mut dark, &mut [4.5, 4.6, 7.0], 1.0) - LEAST_SCORE).abs() < 1e-6);
        // Nothing but grain asks for the most.
        assert!(least_score(&mut grain.clone(), &mut grain, 1.0) > 5.5);
    }
}
