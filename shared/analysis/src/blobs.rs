//! Round dark spots in scale space, and their profiles.

use std::ops::Range;

use dermalia_surface::{Metric, loop_in_vectors};

use crate::Atlas;
use crate::chart::Chart;
use crate::noise_map::{NoiseMap, Pit, beside, has_part, inside, spread};
use crate::planes::{DIFFERENCE_VARIANCE, Plane, Pool, derivatives, reach_of, smooth_within};
use crate::spans::Spans;

/// A maximum of the scale-normalised Laplacian.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate {
    /// In pixels of the working raster.
    pub(crate) px: [f32; 2],
    /// The metric of the surface under it.
    pub(crate) metric: Metric,
    /// Scale of the filter, on the surface under it.
    pub(crate) sigma_mm: f32,
    /// Response of the filter.
    pub(crate) response: f32,
    /// Response over the noise of its scale, in its chart.
    pub(crate) score: f32,
    /// Which scale.
    pub(crate) scale: usize,
    /// Small over large curvature: 1 is round, 0 a line.
    pub(crate) roundness: f32,
}

/// Of a pit without noise; that makes a round one look narrower by about its share.
const LEAST_ROUNDNESS: f32 = 0.5;

impl Candidate {
    /// Whether it is as round as a pit.
    pub(crate) fn is_round(&self) -> bool {
        self.roundness >= LEAST_ROUNDNESS * (1.0 - 1.0 / self.score)
    }
}

/// The share of the least response from which a maximum is told: others may be judged by it.
const DOUBTFUL: f32 = 0.5;
/// The noise is told by the skin beside pits unless that is less than one part of so many.
const MOST_BESIDE: usize = 4;
/// What pits there are is told by the noise at one of so many of its pixels.
const SOME_PROBES: usize = 4;
/// A pit is plain from so many times the least response on.
const PLAIN: f32 = 2.0;
/// No noise at all.
const LEAST_NOISE: f32 = 1e-7;

/// How far apart the charts on either side of a tile's edge may see one peak.
const BORDER_PX: f32 = 0.5;

/// The response at one scale, on every `stride`th pixel of the chart.
struct Level {
    response: Plane,
    smooth: Plane,
    stride: usize,
    noise: f32,
}

/// Scales of at least this many pixels need no finer ones …
const COARSE_PX: f32 = 2.1;
/// … once the plane is as smooth as this: a variance in square pixels.
const COARSE_VARIANCE: f32 = 2.2;

/// What a chart shows.
pub(crate) struct Blobs {
    /// Dark maxima.
    pub(crate) found: Vec<Candidate>,
    /// The scores of bright ones that are as round, beside the pits: grain and texture are
    /// dark in as many places as bright, so that as many of the dark ones are theirs.
    pub(crate) bright: Vec<f32>,
    /// Pixels that tell noise, and how many of them lie beside pits.
    pub(crate) probes: [usize; 2],
    /// The noise of each scale.
    pub(crate) noise: Vec<f32>,
}

/// Maxima over space and scale of the scale-normalised Laplacian of Gaussian
/// (Lindeberg 1998, doi 10.1023/A:1008045108935) of a plane where positive is deep: those of
/// at least [`DOUBTFUL`] of `least` as a response over the noise of its scale. That is the
/// noise beside what reaches `least`.
pub(crate) fn candidates(
    chart: &Chart,
    sampled: &Plane,
    atlas: &Atlas,
    sigmas_mm: &[f32],
    least: f32,
    pool: &mut Pool,
) -> Blobs {
    let spans = chart.spans();
    let probes = inside(chart, atlas, &spans);
    let some: Vec<[u32; 2]> = probes.iter().step_by(SOME_PROBES).copied().collect();
    let levels = levels(chart, sampled, sigmas_mm, (&spans, &some), pool);
    let search = Search {
        chart,
        atlas,
        sigmas_mm,
        spans: &spans,
        levels: &levels,
        least: DOUBTFUL * least,
    };
    let sigma_px = |scale: usize| sigmas_mm[scale] / chart.step_mm;
    let dark = search.peaks::<1>();
    let sure: Vec<Pit> = (dark.iter())
        .filter(|(_, c)| c.response >= least * levels[c.scale].noise)
        .map(|(place, c)| (*place, sigma_px(c.scale)))
        .collect();
    let (noise, maps): (Vec<f32>, Vec<NoiseMap>) = (levels.iter().enumerate())
        .map(|(scale, level)| {
            let told = |pixels: &[[u32; 2]]| {
                spread(pixels, &level.response, level.stride).max(LEAST_NOISE)
            };
            let beside = beside(&probes, &sure, sigma_px(scale));
            let noise = if MOST_BESIDE * beside.len() < probes.len() {
                level.noise
            } else {
                told(&beside)
            };
            let size = [sampled.width, sampled.height];
            (
                noise,
                NoiseMap::of(size, chart.step_mm, &beside, noise, told),
            )
        })
        .unzip();
    let scored = |(place, one): ([f32; 2], Candidate)| {
        let score = one.response / maps[one.scale].at(place);
        (place, Candidate { score, ..one })
    };
    let dark: Vec<([f32; 2], Candidate)> = dark.into_iter().map(scored).collect();
    // What a plain pit has around it is no grain.
    let plain: Vec<Pit> = (dark.iter())
        .filter(|(_, c)| c.score >= PLAIN * least)
        .map(|(place, c)| (*place, sigma_px(c.scale)))
        .collect();
    let bright = (search.peaks::<-1>().into_iter().map(scored))
        .filter(|(place, c)| {
            let beside = || !(plain.iter()).any(|pit| has_part(pit, *place, sigma_px(c.scale)));
            c.score >= least && c.is_round() && beside()
        })
        .map(|(_, c)| c.score)
        .collect();
    let usual_scale = sigma_px(sigmas_mm.len() / 2);
    let probes = [probes.len(), beside(&probes, &plain, usual_scale).len()];
    for level in levels {
        pool.give(level.response);
        pool.give(level.smooth);
    }
    Blobs {
        found: dark.into_iter().map(|(_, c)| c).collect(),
        bright,
        probes,
        noise,
    }
}

/// Where maxima are looked for.
struct Search<'a> {
    chart: &'a Chart,
    atlas: &'a Atlas,
    sigmas_mm: &'a [f32],
    spans: &'a Spans,
    levels: &'a [Level],
    /// The least response over the noise.
    least: f32,
}

impl Search<'_> {
    /// The maxima of the response times `SIGN`, with their places in the chart.
    fn peaks<const SIGN: i8>(&self) -> Vec<([f32; 2], Candidate)> {
        let Self {
            chart,
            atlas,
            levels,
            ..
        } = *self;
        let sign = f32::from(SIGN);
        let mut found = vec![];
        let mut marks = vec![];
        for (k, level) in levels.iter().enumerate() {
            let (w, h, stride) = (level.response.width, level.response.height, level.stride);
            let floor = self.least * level.noise;
            // The top of a peak may lie in the tile while its pixel does not.
            let own = self.spans.grown([stride; 2]);
            for y in 1..h.saturating_sub(1) {
                marks.clear();
                let columns = &own[y * stride];
                let span = columns.start / stride..columns.end.div_ceil(stride);
                mark_peaks::<SIGN>(&level.response, y, span, floor, &mut marks);
                for &x in &marks {
                    let x = x as usize;
                    if !is_largest_scale(levels, k, x, y, sign) {
                        continue;
                    }
                    let i = y * w + x;
                    let [dx, dy] = vertex(&level.response.data, i, w, sign);
                    let on_chart = |n: usize, d: f32| (n as f32 + d) * stride as f32 + 0.5;
                    let px = chart.to_atlas(on_chart(x, dx), on_chart(y, dy));
                    if !chart.owns_within(px, BORDER_PX) {
                        continue;
                    }
                    let Some(p) = atlas.pixel(f64::from(px[0]), f64::from(px[1])) else {
                        continue;
                    };
                    if !atlas.is_measured(p) {
                        continue;
                    }
                    let sigma = self.sigmas_mm[k];
                    let Some(around) = chart.metric_around(atlas, px, sigma) else {
                        continue;
                    };
                    let local = chart.seen(around);
                    let area = (local[0] * local[2] - local[1] * local[1]).max(0.0).sqrt();
                    let one = Candidate {
                        px,
                        metric: around,
                        sigma_mm: sigma * area.sqrt(),
                        response: sign * level.response.data[i],
                        score: 0.0,
                        scale: k,
                        roundness: roundness(&level.smooth, i, local, sign),
                    };
                    found.push(([x, y].map(|n| (n * stride) as f32), one));
                }
            }
        }
        found
    }
}

/// How a level comes from the one before.
struct Step {
    stride: usize,
    /// Whether it lies on every second pixel of the one before.
    thins: bool,
    /// Of the filter, in pixels of the level.
    sigma: f32,
    /// What is smoothed more, in square pixels of the level.
    more: f32,
    /// How far beside the measured pixels the response is asked for, in pixels of the level.
    beside: usize,
    /// And the smooth plane.
    near: usize,
}

/// The steps to the scales, the smallest first: each smoothing goes on from the one before,
/// on every second pixel once that is enough.
fn steps(step_mm: f32, sigmas_mm: &[f32]) -> Vec<Step> {
    let mut steps: Vec<Step> = vec![];
    let mut stride = 1_usize;
    // What is smoothed already, in pixels of the level.
    let mut variance = 0.0_f32;
    for s in sigmas_mm {
        let thins = stride as f32 * COARSE_PX * step_mm < *s && variance > COARSE_VARIANCE;
        if thins {
            stride *= 2;
            variance *= 0.25;
        }
        let sigma = s / (step_mm * stride as f32);
        let aim = (sigma * sigma - DIFFERENCE_VARIANCE).max(variance + 0.04);
        steps.push(Step {
            stride,
            thins,
            sigma,
            more: aim - variance,
            beside: 0,
            near: 0,
        });
        variance = aim;
    }
    // A peak is compared with what lies beside it at its own and at the neighbouring
    // scales, in pixels of the coarser.
    for step in &mut steps {
        step.beside = 2 * stride / step.stride;
        step.near = step.beside + 1;
    }
    for k in (1..steps.len()).rev() {
        let scale = steps[k].stride / steps[k - 1].stride;
        let wanted = scale * (steps[k].near + reach_of(steps[k].more));
        steps[k - 1].near = steps[k - 1].near.max(wanted);
    }
    steps
}

/// Minus the scale-normalised Laplacian at each scale, the smallest first, where the spans
/// lie and beside them; elsewhere anything may stand.
fn levels(
    chart: &Chart,
    sampled: &Plane,
    sigmas_mm: &[f32],
    (spans, probes): (&Spans, &[[u32; 2]]),
    pool: &mut Pool,
) -> Vec<Level> {
    let mut levels: Vec<Level> = vec![];
    for step in steps(chart.step_mm, sigmas_mm) {
        let stride = step.stride;
        let mut from = levels.last().map_or(sampled, |l| &l.smooth);
        let mut thin = None;
        if step.thins {
            from = thin.insert(every_second(from, pool));
        }
        let mut rows = pool.take(from.width, from.height);
        let mut smooth = pool.take(from.width, from.height);
        let spans = spans.thinned(stride, from.width, from.height);
        smooth_within(from, step.more, (&spans, step.near), &mut rows, &mut smooth);
        if let Some(plane) = thin {
            pool.give(plane);
        }
        let mut response = rows;
        let asked = spans.grown([step.beside; 2]);
        laplacian_within(&smooth, step.sigma * step.sigma, &asked, &mut response);
        let noise = spread(probes, &response, stride).max(LEAST_NOISE);
        levels.push(Level {
            response,
            smooth,
            stride,
            noise,
        });
    }
    levels
}

fn every_second(plane: &Plane, pool: &mut Pool) -> Plane {
    let (w, h) = (plane.width.div_ceil(2), plane.height.div_ceil(2));
    let mut out = pool.take(w, h);
    for (y, row) in out.data.chunks_exact_mut(w).enumerate() {
        let from = &plane.data[2 * y * plane.width..(2 * y + 1) * plane.width];
        for (o, v) in row.iter_mut().zip(from.iter().step_by(2)) {
            *o = *v;
        }
    }
    out
}

/// Minus the Laplacian times `scale`, by the nine-point formula whose error has no
/// direction: some columns of each row; 0 on the border.
fn laplacian_within(smooth: &Plane, scale: f32, spans: &[Range<usize>], out: &mut Plane) {
    let (w, h) = (smooth.width, smooth.height);
    if w < 3 || h < 3 {
        out.data.fill(0.0);
        return;
    }
    out.data[..w].fill(0.0);
    out.data[(h - 1) * w..].fill(0.0);
    let (near, far, own) = (-4.0 * scale / 6.0, -scale / 6.0, 20.0 * scale / 6.0);
    loop_in_vectors(
        #[inline(always)]
        || {
            for (y, span) in spans.iter().enumerate().take(h - 1).skip(1) {
                let line = &mut out.data[y * w..(y + 1) * w];
                (line[0], line[w - 1]) = (0.0, 0.0);
                let inner = span.start.max(1)..span.end.min(w - 1);
                let n = inner.len();
                let beside = |y: usize| {
                    let row = &smooth.data[y * w + inner.start - 1..][..n + 2];
                    [&row[..n], &row[1..][..n], &row[2..][..n]]
                };
                let (up, here, down) = (beside(y - 1), beside(y), beside(y + 1));
                for (x, out) in line[inner.start..][..n].iter_mut().enumerate() {
                    let beside = here[0][x] + here[2][x] + (up[1][x] + down[1][x]);
                    let corners = (up[0][x] + up[2][x]) + (down[0][x] + down[2][x]);
                    *out = own * here[1][x] + near * beside + far * corners;
                }
            }
        },
    );
}

/// The same everywhere.
#[cfg(test)]
pub(crate) fn laplacian(smooth: &Plane, scale: f32, out: &mut Plane) {
    let spans = Spans::whole(smooth.width, smooth.height).grown([0, 0]);
    laplacian_within(smooth, scale, &spans, out);
}

/// Columns that are looked at together.
const PART: usize = 32;

/// Some columns, with those to their left and to their right.
#[inline(always)]
fn part([left, own, right]: [&[f32]; 3], from: usize) -> Option<[&[f32; PART]; 3]> {
    match (
        left[from..].first_chunk(),
        own[from..].first_chunk(),
        right[from..].first_chunk(),
    ) {
        (Some(left), Some(own), Some(right)) => Some([left, own, right]),
        _ => None,
    }
}

/// The columns among some of a row where a response of at least `floor` is larger than all
/// around it; of equal neighbours the first in reading order wins.
fn mark_peaks<const SIGN: i8>(
    response: &Plane,
    y: usize,
    columns: Range<usize>,
    floor: f32,
    marks: &mut Vec<u32>,
) {
    let w = response.width;
    if w < 3 {
        return;
    }
    // As the inner columns count.
    let (first, end) = (columns.start.max(1) - 1, columns.end.clamp(1, w - 1) - 1);
    loop_in_vectors(
        #[inline(always)]
        || {
            let (up, here, down) = (
                response.beside(y - 1),
                response.beside(y),
                response.beside(y + 1),
            );
            for from in (first..end).step_by(PART) {
                // Few parts of a row have a peak.
                if let (Some([a, b, c]), Some([d, e, f]), Some([g, h, i])) =
                    (part(up, from), part(here, from), part(down, from))
                {
                    let mut any = 0_u32;
                    for x in 0..PART {
                        let around = [a[x], b[x], c[x], d[x], f[x], g[x], h[x], i[x]];
                        any |= u32::from(is_peak::<SIGN>(e[x], around, floor));
                    }
                    if any == 0 {
                        continue;
                    }
                }
                let ([a, b, c], [d, e, f], [g, h, i]) = (up, here, down);
                for x in from..(from + PART).min(end) {
                    let around = [a[x], b[x], c[x], d[x], f[x], g[x], h[x], i[x]];
                    if is_peak::<SIGN>(e[x], around, floor) {
                        marks.push((x + 1) as u32);
                    }
                }
            }
        },
    );
}

/// Whether a value is larger than its neighbours, in reading order, and no less than
/// `floor`.
#[inline(always)]
fn is_peak<const SIGN: i8>(v: f32, around: [f32; 8], floor: f32) -> bool {
    let v = f32::from(SIGN) * v;
    let [a, b, c, d, e, f, g, h] = around.map(|v| f32::from(SIGN) * v);
    let before = (v > a) & (v > b) & (v > c) & (v > d);
    let after = (v >= e) & (v >= f) & (v >= g) & (v >= h);
    (v >= floor) & before & after
}

/// Whether a peak of a level is one over the neighbouring scales, too.
fn is_largest_scale(levels: &[Level], k: usize, x: usize, y: usize, sign: f32) -> bool {
    let Level {
        response, stride, ..
    } = &levels[k];
    let v = sign * response.data[y * response.width + x];
    // The largest of another level's pixels that lie no farther than one pixel away.
    let most = |other: &Level| {
        let range = |n: usize, size: usize| {
            let (from, to) = ((n - 1) * stride, (n + 1) * stride);
            from.div_ceil(other.stride)..=(to / other.stride).min(size - 1)
        };
        let r = &other.response;
        let step = (stride / other.stride).max(1);
        let mut most = f32::NEG_INFINITY;
        for oy in range(y, r.height).step_by(step) {
            for ox in range(x, r.width).step_by(step) {
                most = most.max(sign * r.data[oy * r.width + ox]);
            }
        }
        most
    };
    k.checked_sub(1).is_none_or(|j| v > most(&levels[j]))
        && levels.get(k + 1).is_none_or(|l| v >= most(l))
}

/// Offset of the top of a parabola through a maximum and its neighbours, per axis.
fn vertex(data: &[f32], i: usize, w: usize, sign: f32) -> [f32; 2] {
    [1, w].map(|step| {
        let [a, b, c] = [i - step, i, i + step].map(|i| sign * data[i]);
        let bend = a - 2.0 * b + c;
        if bend < 0.0 {
            (0.5 * (a - c) / bend).clamp(-0.5, 0.5)
        } else {
            0.0
        }
    })
}

/// Ratio of the principal curvatures of a smooth plane at a pixel, on the surface whose
/// metric in steps of the plane is given. A pit that is round there and as wide as the
/// filter is an ellipse of the inverse metric here, which the filter, round here, has made
/// rounder by as much again: curvatures are compared with those of that.
fn roundness(smooth: &Plane, i: usize, [e, f, g]: [f32; 3], sign: f32) -> f32 {
    let [_, _, xx, xy, yy] = derivatives(&smooth.data, i, smooth.width).map(|v| sign * v);
    let area = (e * g - f * f).max(0.0).sqrt();
    let [e, f, g] = if area > 0.0 {
        [e / area, f / area, g / area]
    } else {
        [1.0, 0.0, 1.0]
    };
    // The inverse of a metric of area 1, and the filter.
    let (p, q, r) = (g + 1.0, -f, e + 1.0);
    let mean = 0.5 * (p * xx + r * yy) + q * xy;
    let product = (p * r - q * q) * (xx * yy - xy * xy);
    let radius = (mean * mean - product).max(0.0).sqrt();
    let (a, b) = (mean - radius, mean + radius);
    if a >= 0.0 || b >= 0.0 { 0.0 } else { b / a }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Gaussian pit answers at its own scale with half its depth.
    #[test]
    fn a_pit_answers_at_its_scale() {
        let mesh = dermalia_surface::Mesh::sheet(12.0, 12.0);
        let raster = dermalia_surface::rasterize_uv(&mesh, 200, 200);
        let bits = crate::labels::whole_surface(&raster.triangle);
        let atlas = crate::preparation::crop(&mesh, raster, bits, crate::Scale::Stated).unwrap();
        let source: Vec<f32> = (0..atlas.len())
            .map(|i| {
                let (x, y) = ((i % 200) as f32 - 99.5, (i / 200) as f32 - 99.5);
                let r2 = (x * x + y * y) * 0.06 * 0.06;
                0.2 * (-r2 / (2.0 * 0.175 * 0.175)).exp()
            })
            .collect();
        let chart = &crate::chart::charts(
            &atlas,
            &crate::blocks::Blocks::of(&atlas),
            0.06,
            0.06,
            12.0,
            1.0,
        )[0];
        let found = candidates(
            chart,
            &chart.sample(&atlas, &source, &mut Pool::default()),
            &atlas,
            &[0.09, 0.125, 0.175, 0.25, 0.35],
            3.0,
            &mut Pool::default(),
        )
        .found;
        let best = found
            .iter()
            .max_by(|a, b| a.response.total_cmp(&b.response))
            .unwrap();
        assert_eq!(best.scale, 2);
        assert!((best.response - 0.1).abs() < 0.005, "{best:?}");
        assert!((best.px[0] - 100.0).abs() < 0.1 && (best.px[1] - 100.0).abs() < 0.1);
        assert!(best.roundness > 0.97);
    }

    /// A sheet of 20 x 20 mm whose left half in the atlas is a quarter of it: what is round
    /// there is an ellipse in the one chart of both halves, and the other way round.
    #[test]
    fn what_is_round_is_told_on_the_surface() {
        let columns = [(0.0, 0.0), (5.0, 0.5), (20.0, 1.0)];
        let positions = columns
            .map(|(x, _)| [[x, 0.0, 0.0], [x, 20.0, 0.0]])
            .concat();
        let uvs = columns.map(|(_, u)| [[u, 0.0], [u, 1.0]]).concat();
        let triangles = vec![[0, 2, 1], [1, 2, 3], [2, 4, 3], [3, 4, 5]];
        let mesh =
            dermalia_surface::Mesh::new(positions, uvs, triangles.clone(), triangles).unwrap();
        let raster = dermalia_surface::rasterize_uv(&mesh, 200, 200);
        let bits = crate::labels::whole_surface(&raster.triangle);
        let atlas = crate::preparation::crop(&mesh, raster, bits, crate::Scale::Stated).unwrap();
        // Of these widths on the surface, at a pixel of the left half.
        let found = |across: f32, down: f32| {
            let source: Vec<f32> = (0..atlas.len())
                .map(|i| {
                    let x = 0.05 * ((i % 200) as f32 - 60.5) / across;
                    let y = 0.1 * ((i / 200) as f32 - 100.5) / down;
                    0.2 * (-0.5 * (x * x + y * y)).exp()
                })
                .collect();
            let blocks = &crate::blocks::Blocks::of(&atlas);
            let chart = &crate::chart::charts(&atlas, blocks, 0.1, 0.08, 30.0, 1.0)[0];
            let sampled = chart.sample(&atlas, &source, &mut Pool::default());
            let sigmas = [0.125, 0.175, 0.25, 0.35, 0.5];
            let found =
                candidates(chart, &sampled, &atlas, &sigmas, 3.0, &mut Pool::default()).found;
            let best = found
                .into_iter()
                .max_by(|a, b| a.response.total_cmp(&b.response));
            best.unwrap()
        };
        let round = found(0.25, 0.25);
        assert!(round.roundness > 0.85, "{round:?}");
        assert!((round.sigma_mm / 0.25 - 1.0).abs() < 0.25, "{round:?}");
        // In the chart this one is round.
        let long = found(0.17, 0.38);
        assert!(long.roundness < 0.5, "{long:?}");
    }

    /// Whichever side of the edge of a tile a pit lies on, and its largest pixel.
    #[test]
    fn a_pit_on_the_edge_of_a_tile_is_found() {
        let mesh = dermalia_surface::Mesh::sheet(12.0, 12.0);
        let raster = dermalia_surface::rasterize_uv(&mesh, 200, 200);
        let bits = crate::labels::whole_surface(&raster.triangle);
        let atlas = crate::preparation::crop(&mesh, raster, bits, crate::Scale::Stated).unwrap();
        let blocks = &crate::blocks::Blocks::of(&atlas);
        // Of these tiles each has its pixels elsewhere about the edge.
        for edge in [90, 95, 100, 105, 110] {
            let tile_mm = 0.06 * (edge as f32 + 0.5);
            let charts = crate::chart::charts(&atlas, blocks, 0.06, 0.08, tile_mm, 1.8);
            for k in -10..=10 {
                let at = edge as f32 + 0.2 * k as f32;
                let source: Vec<f32> = (0..atlas.len())
                    .map(|i| {
                        let (x, y) = ((i % 200) as f32 + 0.5 - at, (i / 200) as f32 - 60.0);
                        0.2 * (-0.5 * (x * x + y * y) * (0.06 / 0.35) * (0.06 / 0.35)).exp()
                    })
                    .collect();
                let found = charts.iter().any(|chart| {
                    let mut pool = Pool::default();
                    let sampled = chart.sample(&atlas, &source, &mut pool);
                    let sigmas = [0.09, 0.125, 0.175, 0.25, 0.35, 0.5];
                    let found = candidates(chart, &sampled, &atlas, &sigmas, 3.0, &mut pool).found;
                    found.iter().any(|c| {
                        let off = [c.px[0] - at, c.px[1] - 60.5];
                        c.response > 0.09 && off.iter().all(|d| d.abs() < 0.5)
                    })
                });
                assert!(found, "{edge} {at}");
            }
        }
    }

    #[test]
    fn a_disc_is_round_and_an_ellipse_has_its_ratio() {
        for (a, b) in [(3.0_f32, 3.0_f32), (6.0, 3.0)] {
            let mut p = Plane::new(81, 81);
            for i in 0..81 * 81 {
                let (x, y) = ((i % 81) as f32 - 40.0, (i / 81) as f32 - 40.0);
                p.data[i] = (-0.5 * (x * x / (a * a) + y * y / (b * b))).exp();
            }
            // Widths after smoothing: a^2 + 9 and b^2 + 9.
            let expected = (b * b + 9.0) / (a * a + 9.0);
            let got = roundness(
                &crate::planes::gaussian(&p, 3.0),
                40 * 81 + 40,
                [1.0, 0.0, 1.0],
                1.0,
            );
            assert!((got - expected).abs() < 0.01, "{got} {expected}");
        }
    }
}
