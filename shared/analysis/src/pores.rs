//! Pores: dark round pits of at least 0.25 mm (Flament 2015, doi 10.2147/CCID.S74401).
//!
//! Candidates are maxima of the scale-normalised Laplacian in isometric charts; each is
//! then measured on the unfiltered pixels in the local metric, and kept only when it is
//! round, neutral in colour, deep against its own noise, and not part of a wrinkle.

use std::borrow::Cow;
use std::sync::Arc;

use dermalia_findings::{
    Confidence, Feature, Measure, MeasureName, Parameter, ParameterMap, Region,
};
use rayon::prelude::*;

use crate::atlas::is_measured;
use crate::blobs::Candidate;
use crate::blocks::Blocks;
use crate::chart::charts;
use crate::pit_signal::{Peaks, pit_signal};
use crate::places::Places;
use crate::planes::median;
use crate::profile::{Columns, PitFit, Sample, Shapes};
use crate::structure::{DensityTable, Structure, excess_of_blue, structure_pictures};
use crate::wrinkles::Lines;
use crate::{Context, Outcome, RegisteredPicture};

/// A pore is at least this wide.
const LEAST_DIAMETER_MM: f32 = 0.25;
/// Smaller pits are no pores, but rows of them are no wrinkles either.
const SMALLEST_PIT_MM: f32 = 0.1;
/// And no wider than this; a wider dark round place is something else.
const LARGEST_DIAMETER_MM: f32 = 1.3;
/// Coarser pictures show no pores.
pub(crate) const COARSEST_MM_PER_PX: f64 = 0.15;
/// The steps of the charts: no finer than the smallest scale needs, no coarser than the
/// pictures may be for it.
const STEPS_MM: [f32; 2] = [0.08, 0.12];
/// Filter scales: a Gaussian pit of 0.2 to 1.2 mm.
const SIGMAS_MM: [f32; 6] = [0.09, 0.125, 0.175, 0.25, 0.35, 0.5];
/// Pores below this many times the least response are doubtful: noise may have made some of
/// them, and hidden as many that lie as little below it.
const DOUBTFUL: f32 = 1.5;
/// The depth must be this many times its own standard error.
const LEAST_SIGNIFICANCE: f32 = 4.5;
/// Where noise blurs the fit, the scale that answered tells the width as well: within this
/// share of it …
const SCALE_ERROR: f32 = 0.2;
/// … and the fit within this share over its significance.
const WIDTH_ERROR: f32 = 1.3;
/// And at least this optical density.
const LEAST_DEPTH: f32 = 0.012;
/// The fitted centre may lie so many radii and pixels from the candidate …
const MOST_MOVED: f32 = 0.3;
/// … and its standard error: that of a Gaussian's centre is this many radii at half depth
/// over its significance.
const CENTRE_ERROR: f32 = 1.2;
const MOST_CHROMATIC: f32 = 0.55;
/// Standard errors of a pit's colour beyond that.
const SURE: f64 = 2.0;
/// Below this width the colour of a pit is that of the picture's coding.
const COLOUR_FROM_MM: f32 = 0.5;

/// A pore with all that is known about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pore {
    pub(crate) px: [f64; 2],
    pub(crate) region: Region,
    pub(crate) diameter_mm: f64,
    pub(crate) depth: f32,
    pub(crate) shape: usize,
    /// Response over the noise of its scale.
    pub(crate) score: f32,
}

/// All round dark pits, pores or smaller.
#[derive(Debug, Default)]
pub(crate) struct Pits {
    pub(crate) pits: Vec<Pore>,
    /// The least score that counts on this scan.
    pub(crate) least: f32,
}

impl Pits {
    /// Where they lie.
    pub(crate) fn places(&self, ctx: &Context<'_>) -> Places {
        Places::new(self.pits.iter().filter_map(|p| {
            let at = ctx.atlas.surface_point(p.px[0], p.px[1])?;
            Some((at, 0.9 * p.diameter_mm))
        }))
    }
}

/// Size of a pixel of the pictures on the skin.
fn picture_mm_per_px(raster_mm: f64, structure: &Structure) -> f64 {
    raster_mm * f64::from(structure.magnification.max(1.0))
}

/// Finds the pits, where the pictures are fine enough to show any. `mm_per_px` is the size
/// of the atlas's pixels.
pub(crate) fn find(
    ctx: &Context<'_>,
    blocks: &Arc<Blocks>,
    structure: Option<&Structure>,
    table: &DensityTable,
    mm_per_px: Option<f64>,
) -> Pits {
    let (Some(structure), Some(raster)) = (structure, mm_per_px) else {
        return Pits::default();
    };
    let size = picture_mm_per_px(raster, structure);
    if size > COARSEST_MM_PER_PX {
        return Pits::default();
    }
    pits(ctx, blocks, structure, table, raster, size as f32)
}

/// The pits that are pores, and their measures.
pub(crate) fn measure(
    ctx: &Context<'_>,
    structure: Option<&Structure>,
    pits: Pits,
    lines: &Lines,
    mm_per_px: Option<f64>,
) -> Outcome {
    let names = [
        MeasureName::PoreDensity,
        MeasureName::PoreDiameterMean,
        MeasureName::PoreAreaFraction,
    ];
    let refuse = |reason: &str| Outcome {
        measures: Region::ALL
            .into_iter()
            .flat_map(|r| names.map(|n| (r, Measure::not_measured(n, reason))))
            .collect(),
        ..Outcome::default()
    };
    let Some(structure) = structure else {
        return refuse("no white or polarised picture; pores are not measured in other lights");
    };
    let Some(raster) = mm_per_px else {
        return refuse("no skin to measure");
    };
    let size = picture_mm_per_px(raster, structure);
    if size > COARSEST_MM_PER_PX {
        return refuse(&format!(
            "{size:.2} mm/px is too coarse for pores (needs {COARSEST_MM_PER_PX})"
        ));
    }
    let Pits { pits, least } = pits;
    let pores: Vec<Pore> = pits
        .into_iter()
        .filter(|p| p.diameter_mm >= f64::from(LEAST_DIAMETER_MM))
        .filter(|p| {
            let at = ctx.atlas.surface_point(p.px[0], p.px[1]);
            at.is_none_or(|mm| !lines.cover(mm))
        })
        .collect();
    let mut out = Outcome {
        map: Some(map(ctx, &pores)),
        ..Outcome::default()
    };
    let areas = ctx.areas.of_regions();
    for region in Region::ALL {
        let cm2 = areas[region.index()][0] / 100.0;
        if cm2 <= 0.0 {
            continue;
        }
        let own = pores
            .iter()
            .filter(|p| region == Region::Face || p.region == region);
        let (mut n, mut sum, mut area, mut doubtful) = (0.0, 0.0, 0.0, 0.0);
        for p in own {
            n += 1.0;
            doubtful += f64::from(u8::from(p.score < DOUBTFUL * least));
            sum += p.diameter_mm;
            area += core::f64::consts::FRAC_PI_4 * p.diameter_mm * p.diameter_mm;
        }
        if n > 0.0 {
            out.doubtful.pores[region.index()] = doubtful / n;
        }
        let fine = |m: Measure| {
            if size > 0.1 {
                m.limited(
                    Confidence::Medium,
                    &format!("{size:.3} mm/px blurs pores near 0.25 mm (better 0.100)"),
                )
            } else {
                m
            }
        };
        out.measures.extend([
            (region, fine(Measure::computed(names[0], n / cm2))),
            (
                region,
                if n > 0.0 {
                    fine(Measure::computed(names[1], sum / n))
                } else {
                    Measure::not_measured(names[1], "no pore found")
                },
            ),
            (
                region,
                fine(Measure::computed(names[2], area / (cm2 * 100.0))),
            ),
        ]);
    }
    for p in &pores {
        let [x, y] = p.px;
        if let Some(centre_mm) = ctx.atlas.position_mm(x, y) {
            out.features.push(Feature::Pore {
                region: p.region,
                diameter_mm: p.diameter_mm,
                centre_mm,
                centre_uv: ctx.atlas.uv(x, y),
            });
        }
    }
    out
}

fn pits(
    ctx: &Context<'_>,
    blocks: &Arc<Blocks>,
    structure: &Structure,
    table: &DensityTable,
    raster_mm: f64,
    size: f32,
) -> Pits {
    let atlas = ctx.atlas;
    let step = size.clamp(STEPS_MM[0], STEPS_MM[1]);
    let sigmas: Vec<f32> = SIGMAS_MM.iter().copied().filter(|s| *s >= step).collect();
    let charts = charts(atlas, blocks, raster_mm, step, 22.0, 1.8);
    let signal = pit_signal(ctx, &structure.density, &charts, &sigmas, raster_mm);
    let Peaks {
        mut found, least, ..
    } = Peaks::of(atlas, &signal, &charts, &sigmas);
    found.retain(|c| c.score >= least);
    found.sort_by(|a, b| {
        (a.px[1], a.px[0])
            .partial_cmp(&(b.px[1], b.px[0]))
            .unwrap_or(core::cmp::Ordering::Equal)
    });
    let shapes = Shapes::new();
    let pictures = structure_pictures(ctx);
    let mut pores: Vec<Pore> = found
        .par_iter()
        .enumerate()
        .map_init(Room::default, |room, (k, c)| {
            if !c.is_round() {
                return None;
            }
            neighbours(&found, k, 12.0 * c.sigma_mm / size, &mut room.others);
            accept(ctx, &signal, table, &pictures, &shapes, c, room)
        })
        .flatten_iter()
        .collect();
    // Two candidates of one pit end in the same place: the deeper one stays.
    pores.sort_by(|a, b| {
        (a.px[1], a.px[0])
            .partial_cmp(&(b.px[1], b.px[0]))
            .unwrap_or(core::cmp::Ordering::Equal)
    });
    Pits {
        pits: without_doubles(ctx, pores),
        least,
    }
}

/// What a fit needs memory for, used for one candidate after the other.
#[derive(Default)]
struct Room {
    /// Pixels to the other candidates.
    others: Vec<[f32; 2]>,
    /// Millimetres to those that have a part of the window.
    rivals: Vec<[f32; 2]>,
    samples: Vec<Sample>,
    pixels: Vec<usize>,
    columns: Columns,
}

/// The other candidates within `reach` pixels, from a list sorted by row.
fn neighbours(found: &[Candidate], k: usize, reach: f32, out: &mut Vec<[f32; 2]>) {
    let c = found[k];
    let near = |o: &&Candidate| {
        (o.px[0] - c.px[0]).abs() <= reach && o.px != c.px && o.score > 0.5 * c.score
    };
    let before = found[..k]
        .iter()
        .rev()
        .take_while(|o| o.px[1] >= c.px[1] - reach);
    let after = found[k..].iter().take_while(|o| o.px[1] <= c.px[1] + reach);
    out.clear();
    out.extend(
        before
            .filter(near)
            .chain(after.filter(near))
            .map(|o| [o.px[0] - c.px[0], o.px[1] - c.px[1]]),
    );
}

/// Fits a candidate on the unfiltered pixels and judges it.
fn accept(
    ctx: &Context<'_>,
    signal: &[f32],
    table: &DensityTable,
    pictures: &[(&RegisteredPicture, f32)],
    shapes: &Shapes,
    c: &Candidate,
    room: &mut Room,
) -> Option<Pore> {
    let Room {
        others,
        rivals,
        samples,
        pixels,
        columns,
    } = room;
    let atlas = ctx.atlas;
    let m = c.metric;
    // The symmetric root of the metric: pixels to millimetres, locally.
    let det = m.pixel_area_mm2();
    let t = (m.e + m.g + 2.0 * det).max(0.0).sqrt();
    if !(det > 0.0 && t > 0.0) {
        return None;
    }
    let root = [[(m.e + det) / t, m.f / t], [m.f / t, (m.g + det) / t]];
    let to_mm = |dx: f32, dy: f32| {
        [
            root[0][0] * dx + root[0][1] * dy,
            root[1][0] * dx + root[1][1] * dy,
        ]
    };
    let guess = 1.1774 * c.sigma_mm;
    let smallest = (det.sqrt()).max(0.01);
    let window = (2.4 * guess).max(guess + 2.0 * smallest);
    let reach = [
        (window * (m.g / (det * det)).sqrt()).ceil(),
        (window * (m.e / (det * det)).sqrt()).ceil(),
    ];
    if reach[0] * reach[1] > 1e4 {
        return None;
    }
    rivals.clear();
    rivals.extend(others.iter().map(|o| to_mm(o[0], o[1])).filter(|d| {
        let far = (d[0] * d[0] + d[1] * d[1]).sqrt();
        // Beyond two windows another is nearer to nothing in this one.
        far > 0.9 * guess && far <= 2.01 * window
    }));
    samples.clear();
    pixels.clear();
    let span = |from: f32, to: f32, size: usize| {
        let hi = (to as usize).min(size - 1);
        from.max(0.0) as usize..hi + 1
    };
    let within = window * window;
    for y in span(c.px[1] - reach[1], c.px[1] + reach[1], atlas.height) {
        let dy = y as f32 + 0.5 - c.px[1];
        // Where the row may lie in the round window, and a pixel more.
        let middle = c.px[0] - 0.5 - m.f / m.e * dy;
        let rest = (within - (det / m.e) * det * dy * dy).max(0.0);
        let half = (rest / m.e).sqrt() + 1.5;
        let columns = span(
            (middle - half).max(c.px[0] - reach[0]),
            (middle + half).min(c.px[0] + reach[0]),
            atlas.width,
        );
        let row = y * atlas.width;
        let labels = &atlas.labels[row..row + atlas.width];
        let signal = &signal[row..row + atlas.width];
        for x in columns {
            let [u, v] = to_mm(x as f32 + 0.5 - c.px[0], dy);
            let r2 = u * u + v * v;
            if r2 > within || !is_measured(labels[x]) || !signal[x].is_finite() {
                continue;
            }
            let nearer = |d: &[f32; 2]| (u - d[0]) * (u - d[0]) + (v - d[1]) * (v - d[1]) < r2;
            if rivals.iter().any(nearer) {
                continue;
            }
            samples.push([u, v, signal[x]]);
            pixels.push(row + x);
        }
    }
    let fit = shapes.fit_pit(
        &thinned(samples, window),
        guess,
        LEAST_SIGNIFICANCE,
        columns,
    )?;
    let significance = fit.depth / fit.depth_error.max(f32::MIN_POSITIVE);
    let moved = (fit.centre[0] * fit.centre[0] + fit.centre[1] * fit.centre[1]).sqrt();
    let centre_error = CENTRE_ERROR * fit.radius / significance;
    if !(SMALLEST_PIT_MM..=LARGEST_DIAMETER_MM).contains(&(2.0 * fit.radius))
        || fit.depth < LEAST_DEPTH
        || significance < LEAST_SIGNIFICANCE
        || moved > MOST_MOVED * (fit.radius + smallest) + centre_error
    {
        return None;
    }
    let diameter = 2.0 * mean_width(fit.radius, significance, guess);
    if diameter >= COLOUR_FROM_MM && is_coloured(table, pictures, shapes, &fit, samples, pixels) {
        return None;
    }
    let inverse = [
        (root[1][1] * fit.centre[0] - root[0][1] * fit.centre[1]) / det,
        (-root[1][0] * fit.centre[0] + root[0][0] * fit.centre[1]) / det,
    ];
    let px = [
        f64::from(c.px[0] + inverse[0]),
        f64::from(c.px[1] + inverse[1]),
    ];
    let region = atlas.measured_region(atlas.pixel(px[0], px[1])?)?;
    Some(Pore {
        px,
        region,
        diameter_mm: f64::from(diameter),
        depth: fit.depth,
        shape: fit.shape,
        score: c.score,
    })
}

/// The mean of a fitted width and of that of the scale, each by its precision; of their
/// logarithms, because both err by shares.
fn mean_width(fitted: f32, significance: f32, of_scale: f32) -> f32 {
    let error = WIDTH_ERROR / (SCALE_ERROR * significance);
    let share = error * error / (1.0 + error * error);
    fitted * libm::powf(of_scale / fitted, share)
}

/// More samples than this are averaged in cells of the window before a fit.
const MOST_SAMPLES: usize = 320;
/// Cells along the side of a window.
const CELLS: usize = 18;

/// The samples, or their means in cells that are small against a wide pit.
fn thinned(samples: &[Sample], window: f32) -> Cow<'_, [Sample]> {
    if samples.len() <= MOST_SAMPLES {
        return Cow::Borrowed(samples);
    }
    let mut cells = [([0.0_f32; 3], 0.0_f32); CELLS * CELLS];
    let scale = 0.5 * CELLS as f32 / window;
    let cell = |v: f32| (((v + window) * scale) as usize).min(CELLS - 1);
    for s in samples {
        let (x, y) = (cell(s[0]), cell(s[1]));
        let (sum, n) = &mut cells[y * CELLS + x];
        for k in 0..3 {
            sum[k] += s[k];
        }
        *n += 1.0;
    }
    cells
        .into_iter()
        .filter(|(_, n)| *n > 0.0)
        .map(|(sum, n)| sum.map(|v| v / n))
        .collect()
}

/// Whether a fitted pit is darker in blue than a pit can be, beyond what the noise of its own
/// pixels leaves open: where blue is nearly black it is most of the colour.
fn is_coloured(
    table: &DensityTable,
    pictures: &[(&RegisteredPicture, f32)],
    shapes: &Shapes,
    fit: &PitFit,
    samples: &[Sample],
    pixels: &[usize],
) -> bool {
    let coloured: Vec<&RegisteredPicture> = (pictures.iter().map(|p| p.0))
        .filter(|picture| !picture.grey)
        .collect();
    let share = 1.0 / coloured.len() as f32;
    let inverse = 1.0 / (fit.radius * fit.radius);
    // Sums of the pit's shape and of the colour, for a straight line through both.
    let (mut n, mut shape, mut shapes2, mut colour, mut colours2, mut both) =
        (0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64, 0.0_f64);
    for (s, &i) in samples.iter().zip(pixels) {
        let (dx, dy) = (s[0] - fit.centre[0], s[1] - fit.centre[1]);
        let t = f64::from(shapes.at(fit.shape, (dx * dx + dy * dy) * inverse).0);
        let sum = coloured.iter().fold(0.0, |sum, picture| {
            sum + excess_of_blue(table.of(picture, i), MOST_CHROMATIC)
        });
        let v = f64::from(share * sum);
        n += 1.0;
        shape += t;
        shapes2 += t * t;
        colour += v;
        colours2 += v * v;
        both += t * v;
    }
    let power = shapes2 - shape * shape / n;
    if coloured.is_empty() || n < 5.0 || power <= 0.0 {
        return false;
    }
    let rise = (both - shape * colour / n) / power;
    let scatter = (colours2 - colour * colour / n - rise * rise * power) / (n - 2.0);
    rise > SURE * (scatter.max(0.0) / power).sqrt()
}

fn without_doubles(ctx: &Context<'_>, pores: Vec<Pore>) -> Vec<Pore> {
    let mut keep = vec![true; pores.len()];
    for i in 0..pores.len() {
        if !keep[i] {
            continue;
        }
        let p = pores[i];
        let Some(m) = (ctx.atlas.pixel(p.px[0], p.px[1])).and_then(|q| ctx.atlas.metric(q)) else {
            continue;
        };
        // Rows that a pit's radius reaches over.
        let reach = 0.5 * p.diameter_mm as f32 * m.e.sqrt() / m.pixel_area_mm2().max(1e-6);
        for j in i + 1..pores.len() {
            let o = pores[j];
            let [dx, dy] = [0, 1].map(|k| (o.px[k] - p.px[k]) as f32);
            if dy > reach {
                break;
            }
            let near = 0.5 * p.diameter_mm.min(o.diameter_mm) as f32;
            if m.length_mm(dx, dy) < near {
                if o.depth > p.depth {
                    keep[i] = false;
                    break;
                }
                keep[j] = false;
            }
        }
    }
    pores
        .into_iter()
        .zip(keep)
        .filter_map(|(p, k)| k.then_some(p))
        .collect()
}

/// Pores per area around each place, and the pores themselves.
fn map(ctx: &Context<'_>, pores: &[Pore]) -> ParameterMap {
    let atlas = ctx.atlas;
    let mut strength: Vec<u8> = atlas
        .labels
        .par_iter()
        .map(|l| u8::from(is_measured(*l)))
        .collect();
    let mut depths: Vec<f32> = pores.iter().map(|p| p.depth).collect();
    let full = 2.0 * median(&mut depths).max(LEAST_DEPTH);
    for p in pores {
        let Some(i) = atlas.pixel(p.px[0], p.px[1]) else {
            continue;
        };
        let Some(m) = atlas.metric(i) else { continue };
        let det = m.pixel_area_mm2().max(1e-6);
        let r = 0.75 * p.diameter_mm as f32;
        let (rx, ry) = (r * m.g.sqrt() / det, r * m.e.sqrt() / det);
        if rx * ry > 1e4 {
            continue;
        }
        let level = (255.0 * (p.depth / full).clamp(0.25, 1.0)) as u8;
        let (x0, y0) = (p.px[0] as f32, p.px[1] as f32);
        for y in (y0 - ry).max(0.0) as usize..=((y0 + ry) as usize).min(atlas.height - 1) {
            for x in (x0 - rx).max(0.0) as usize..=((x0 + rx) as usize).min(atlas.width - 1) {
                let j = y * atlas.width + x;
                let d = m.length_mm(x as f32 + 0.5 - x0, y as f32 + 0.5 - y0);
                if d <= r && strength[j] > 0 {
                    strength[j] = strength[j].max(level);
                }
            }
        }
    }
    ParameterMap {
        parameter: Parameter::Pores,
        width: atlas.width,
        height: atlas.height,
        strength,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sharp_pit_is_as_wide_as_its_fit_and_noise_gives_the_scale_its_share() {
        assert!((mean_width(0.2, 60.0, 0.3) / 0.2 - 1.0).abs() < 0.006);
        // Both are as sure where the fit errs by a fifth.
        let middle = mean_width(0.2, WIDTH_ERROR / SCALE_ERROR, 0.3);
        assert!((middle * middle - 0.06).abs() < 1e-4, "{middle}");
        let faint = mean_width(0.2, LEAST_SIGNIFICANCE, 0.3);
        assert!(middle < faint && faint < 0.3, "{faint}");
    }
}
