//! Wrinkles: lines of depth on the relief, or of shadow where there is none.

use std::sync::Arc;

use dermalia_findings::{
    Confidence, Feature, Measure, MeasureName, Parameter, ParameterMap, Region,
};
use dermalia_scan::manifest::Light;
use rayon::prelude::*;

use crate::atlas::is_measured;
use crate::blocks::Blocks;
use crate::drawn_out::correction;
use crate::groove::{Groove, Signal};
use crate::lines::{Laid, apart, grooves, joined, without_doubles};
use crate::mesh_relief;
use crate::places::Places;
use crate::planes::median;
use crate::pores::Pits;
use crate::profile::Shapes;
use crate::removal::take_out;
use crate::structure::{DensityTable, Structure, chromaticity, structure_pictures};
use crate::traces::traced;
use crate::{Context, Outcome, RegisteredPicture};

/// Shorter lines are not counted as wrinkles.
const LEAST_LENGTH_MM: f64 = 4.0;
const LEAST_WIDTH_MM: f64 = 0.25;
const LARGEST_WIDTH_MM: f64 = 2.6;
/// Length over width of what is a line.
const LEAST_SLENDERNESS: f64 = 3.5;
/// A relief shows wrinkles of at least this depth.
const LEAST_DEPTH_MM: f64 = 0.012;
/// And of at least this depth for their width: walls that rise by less than 3.4° are the
/// form of the skin.
const LEAST_STEEPNESS: f64 = 0.03;
/// A picture shows wrinkles of at least this optical density.
const LEAST_DENSITY: f64 = 0.025;
/// A wrinkle of this length is so many times as deep as the skin beside it is rough (standard
/// deviation): in the relief, and as a shadow, to which the slopes of that skin add.
const PROMINENT_MM: f64 = 6.0;
const LEAST_PROMINENCE: f64 = 2.5;
/// What is below so many times the least length or prominence is doubtful.
const DOUBTFUL: f64 = 1.2;
/// By how many lines an end at another line may be off.
const DOUBT_OF_MEETING: f64 = 0.3;
const LEAST_PROMINENCE_OF_SHADOW: f64 = 3.2;
/// A row of pores is not a wrinkle.
const LEAST_EVENNESS: f64 = 0.42;
/// What is less even than this has to be so many times as prominent.
const EVEN: f64 = 0.8;
const MOST_CHROMATIC: f32 = 0.4;
/// Coarser rasters show no wrinkles of the widths that are asked for.
const COARSEST_MM_PER_PX: f64 = 1.0;
/// A relief of coarser samples is drawn out between them by more than is corrected for in
/// full confidence.
const COARSE_RELIEF_MM: f64 = 0.25;

/// A wrinkle with all that is known about it.
#[derive(Debug, Clone)]
pub(crate) struct Wrinkle {
    groove: Groove,
    /// By how many the count may be off because of it.
    doubt: f64,
    region: Region,
    /// Length within each region.
    length_by_region: [f64; 14],
    /// What its depth was multiplied by for the samples of the relief.
    correction: f64,
}

/// All wrinkles, and where they lie.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    wrinkles: Vec<Wrinkle>,
    places: Places,
}

impl Lines {
    fn new(wrinkles: Vec<Wrinkle>) -> Self {
        let places = Places::new(wrinkles.iter().flat_map(|w| {
            let reach = 0.5 * w.groove.width_mm + 0.1;
            w.groove.path_mm.iter().map(move |p| (*p, reach))
        }));
        Self { wrinkles, places }
    }

    /// Whether a point of the surface lies in a wrinkle.
    pub(crate) fn cover(&self, p: [f64; 3]) -> bool {
        self.places.cover(p)
    }
}

/// Values that are copied together.
const COPIED: usize = 1 << 16;

/// Finds the wrinkles on the relief, or on the structure of the pictures.
pub(crate) fn find(
    ctx: &Context<'_>,
    blocks: &Arc<Blocks>,
    structure: Option<&mut Structure>,
    table: &DensityTable,
    pits: &Pits,
    mm_per_px: Option<f64>,
) -> Lines {
    let Some(size) = mm_per_px else {
        return Lines::default();
    };
    if size > COARSEST_MM_PER_PX {
        return Lines::default();
    }
    // Lines are looked for where the pits are taken out, and measured on what is there.
    let size = size as f32;
    let (signal, relief, traced) = match (ctx.relief, structure) {
        (Some(r), _) => {
            let mut smooth = vec![0.0; r.height_mm.len()];
            smooth
                .par_chunks_mut(COPIED)
                .zip(r.height_mm.par_chunks(COPIED))
                .for_each(|(to, from)| to.copy_from_slice(from));
            take_out(ctx, pits, &mut smooth);
            let traced = traced(
                ctx,
                blocks,
                Signal::new(&smooth, -1.0),
                size,
                LEAST_DEPTH_MM,
            );
            (Signal::new(&r.height_mm, -1.0), true, traced)
        }
        (None, Some(s)) => {
            let removed = take_out(ctx, pits, &mut s.density);
            let traced = traced(
                ctx,
                blocks,
                Signal::new(&s.density, 1.0),
                size,
                LEAST_DENSITY,
            );
            removed.put_back(ctx, &mut s.density);
            (Signal::new(&s.density, 1.0), false, traced)
        }
        (None, None) => return Lines::default(),
    };
    let places = pits.places(ctx);
    let shapes = Shapes::new();
    let smoothing_mm = if relief { 0.55 } else { 0.8 };
    let grooves = traced
        .lines
        .par_iter()
        .flat_map_iter(|line| grooves(ctx.atlas, signal, &shapes, line, traced.high, smoothing_mm))
        .filter(|groove| is_line(ctx, table, &shapes, &places, groove, relief))
        .collect();
    let grooves = standing(grooves, relief);
    let doubts = doubts(&grooves, relief);
    let wrinkles = grooves
        .into_iter()
        .zip(doubts)
        .filter_map(|(groove, doubt)| placed(ctx, groove, doubt))
        .collect();
    Lines::new(wrinkles)
}

/// The lines that are no chance of the skin's texture; what others cross is judged, and its
/// depth told, where it is alone.
fn standing(lines: Vec<Groove>, relief: bool) -> Vec<Groove> {
    let stands = |g: &Groove| g.evenness >= LEAST_EVENNESS && prominence(g, relief) >= 1.0;
    let (sure, doubted): (Vec<_>, Vec<_>) = lines.into_iter().partition(stands);
    let mut kept = without_doubles(sure);
    let laid = Laid::new(&kept);
    let crossed: Vec<Groove> = doubted
        .into_iter()
        .filter(|g| apart(g, &laid).is_some_and(|alone| stands(&alone)))
        .collect();
    if !crossed.is_empty() {
        kept.extend(crossed);
        kept = without_doubles(kept);
    }
    let mut kept = joined(kept);
    let laid = Laid::new(&kept);
    let alone: Vec<_> = kept.iter().map(|g| apart(g, &laid)).collect();
    for (groove, alone) in kept.iter_mut().zip(alone) {
        if let Some(alone) = alone {
            (groove.depth, groove.evenness) = (alone.depth, alone.evenness);
        }
    }
    // What is deep only where it runs out in another is none.
    kept.retain(|g| is_deep(g, relief));
    kept
}

/// Whether a groove is deep enough, and for its width.
fn is_deep(groove: &Groove, relief: bool) -> bool {
    let least = if relief {
        LEAST_DEPTH_MM.max(LEAST_STEEPNESS * groove.width_mm)
    } else {
        LEAST_DENSITY
    };
    groove.depth >= least
}

/// Whether a groove has the form of a wrinkle and, without a relief, no colour.
fn is_line(
    ctx: &Context<'_>,
    table: &DensityTable,
    shapes: &Shapes,
    pits: &Places,
    groove: &Groove,
    relief: bool,
) -> bool {
    groove.length_mm >= LEAST_LENGTH_MM
        && is_deep(groove, relief)
        && (LEAST_WIDTH_MM..=LARGEST_WIDTH_MM).contains(&groove.width_mm)
        && groove.length_mm >= LEAST_SLENDERNESS * groove.width_mm
        && !is_row(groove, pits)
        && (relief || !is_coloured(ctx, table, shapes, groove))
}

/// A groove with the regions it lies in; `None` where most of it is in none.
fn placed(ctx: &Context<'_>, mut groove: Groove, doubt: f64) -> Option<Wrinkle> {
    let mut by_region = [0.0; 14];
    let mut total = 0.0;
    for (p, q) in groove.path_mm.windows(2).zip(groove.path_px.windows(2)) {
        let d = [0, 1, 2].map(|k| p[1][k] - p[0][k]);
        let l = (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt();
        total += l;
        let middle = [0, 1].map(|k| 0.5 * (q[0][k] + q[1][k]));
        if let Some(r) = ctx
            .atlas
            .pixel(middle[0], middle[1])
            .and_then(|i| ctx.atlas.measured_region(i))
        {
            by_region[r.index()] += l;
        }
    }
    if by_region.iter().sum::<f64>() < 0.5 * total {
        return None;
    }
    let region = Region::ALL
        .into_iter()
        .rev()
        .max_by(|a, b| by_region[a.index()].total_cmp(&by_region[b.index()]))?;
    if region != Region::Face {
        by_region[Region::Face.index()] = by_region.iter().sum();
    }
    let correction = ctx
        .relief
        .map_or(1.0, |r| correction(ctx.atlas, &groove, r.magnification));
    groove.depth *= correction;
    groove.width_mm /= correction;
    Some(Wrinkle {
        groove,
        doubt,
        region,
        length_by_region: by_region,
        correction,
    })
}

/// How deep a groove is against the texture of the skin beside it, as a share of what is asked
/// of its length and evenness: the longer and the more even a line is, the less chance makes
/// one out of hollows.
fn prominence(groove: &Groove, relief: bool) -> f64 {
    let least = if relief {
        LEAST_PROMINENCE
    } else {
        LEAST_PROMINENCE_OF_SHADOW
    };
    let chance = least * groove.scatter * (PROMINENT_MM / groove.length_mm).sqrt();
    let even = (groove.evenness / EVEN).min(1.0);
    even * groove.depth / chance.max(f64::MIN_POSITIVE)
}

/// Whether another capture of it may be no wrinkle: too short, or too shallow for the skin
/// beside it. As many that are as near to it on the other side are not counted.
fn is_doubtful(groove: &Groove, relief: bool) -> bool {
    groove.length_mm < DOUBTFUL * LEAST_LENGTH_MM || prominence(groove, relief) < DOUBTFUL
}

/// By how many the count may be off because of each groove: one that is doubtful, and a part of
/// one for each end at another, because where lines meet one may be two, or two one.
fn doubts(grooves: &[Groove], relief: bool) -> Vec<f64> {
    let laid = Laid::new(grooves);
    let doubt = |g: &Groove| match is_doubtful(g, relief) {
        true => 1.0,
        false => DOUBT_OF_MEETING * laid.met_by(g) as f64,
    };
    grooves.iter().map(doubt).collect()
}

/// Whether a groove is only as deep as it is because of the pits on it.
fn is_row(groove: &Groove, pits: &Places) -> bool {
    let (mut between, mut n, mut all) = (0.0, 0.0, 0.0);
    for (p, d) in groove.path_mm.iter().zip(&groove.depths) {
        all += d;
        if !pits.cover(*p) {
            between += d;
            n += 1.0;
        }
    }
    let count = groove.depths.len() as f64;
    n > 0.1 * count && between / n < 0.4 * all / count
}

/// Whether a line is coloured in every way of looking at it: a groove has less of the gloss,
/// which on dark skin is as much as what that gives back in blue, so that it has a colour where
/// there is gloss; and the one picture without gloss is noisy.
fn is_coloured(ctx: &Context<'_>, table: &DensityTable, shapes: &Shapes, groove: &Groove) -> bool {
    let pictures: Vec<_> = structure_pictures(ctx)
        .into_iter()
        .map(|(picture, _)| picture)
        .filter(|p| !p.grey)
        .collect();
    let matte: Vec<_> = pictures
        .iter()
        .copied()
        .filter(|p| p.light == Light::CrossPolarised)
        .collect();
    let coloured = |pictures: &[&RegisteredPicture]| {
        colour(ctx, table, shapes, groove, pictures)
            .is_some_and(|rise| chromaticity(rise) > MOST_CHROMATIC)
    };
    coloured(&pictures) && (matte.is_empty() || coloured(&matte))
}

/// The rise of each channel's density in a groove against 1.5 widths beside it.
fn colour(
    ctx: &Context<'_>,
    table: &DensityTable,
    shapes: &Shapes,
    groove: &Groove,
    pictures: &[&RegisteredPicture],
) -> Option<[f32; 3]> {
    if pictures.is_empty() {
        return None;
    }
    let atlas = ctx.atlas;
    let (radius, shape) = groove.profile;
    // Of each place along it.
    let mut rises: [Vec<f32>; 3] = Default::default();
    let n = groove.path_px.len();
    for i in (2..n.saturating_sub(2)).step_by(2) {
        let (a, b, p) = (
            groove.path_px[i - 2],
            groove.path_px[i + 2],
            groove.path_px[i],
        );
        let Some(m) = atlas.pixel(p[0], p[1]).and_then(|q| atlas.metric(q)) else {
            continue;
        };
        let t = [(b[0] - a[0]) as f32, (b[1] - a[1]) as f32];
        let u = [-(m.f * t[0] + m.g * t[1]), m.e * t[0] + m.f * t[1]];
        let l = m.length_mm(u[0], u[1]);
        if l <= 0.0 {
            continue;
        }
        let offsets = [-2.0, -1.6, -0.8, -0.4, 0.0, 0.4, 0.8, 1.6, 2.0].map(|k: f32| k * radius);
        let weights = offsets.map(|o| shapes.at(shape, (o / radius) * (o / radius)).0);
        let mean = weights.iter().sum::<f32>() / 9.0;
        let (mut rise, mut power) = ([0.0_f32; 3], 0.0);
        for (o, w) in offsets.iter().zip(weights) {
            let at = [
                p[0] + f64::from(u[0] / l * o),
                p[1] + f64::from(u[1] / l * o),
            ];
            let Some(q) = atlas.pixel(at[0], at[1]) else {
                continue;
            };
            power += w * (w - mean);
            for picture in pictures {
                let d = table.of(picture, q);
                for c in 0..3 {
                    rise[c] += (w - mean) * d[c];
                }
            }
        }
        if power > 0.0 {
            for (rises, rise) in rises.iter_mut().zip(rise) {
                rises.push(rise / (power * pictures.len() as f32));
            }
        }
    }
    let [r, g, b] = rises.map(middle_mean);
    Some([r?, g?, b?])
}

/// The mean of the middle half: a spot that a line crosses has no part in its colour.
fn middle_mean(mut values: Vec<f32>) -> Option<f32> {
    values.sort_unstable_by(f32::total_cmp);
    let quarter = values.len() / 4;
    let middle = values.get(quarter..values.len() - quarter)?;
    (!middle.is_empty()).then(|| middle.iter().sum::<f32>() / middle.len() as f32)
}

/// The measures, features and map of the wrinkles found.
pub(crate) fn measure(
    ctx: &Context<'_>,
    structure: Option<&Structure>,
    lines: &Lines,
    mm_per_px: Option<f64>,
) -> Outcome {
    let names = [
        MeasureName::WrinkleCount,
        MeasureName::WrinkleLengthDensity,
        MeasureName::WrinkleAreaFraction,
        MeasureName::WrinkleDepthMean,
    ];
    let size = mm_per_px;
    let reason = match (size, structure.is_some() || ctx.relief.is_some()) {
        (None, _) => Some("no skin to measure".to_owned()),
        (_, false) => Some(
            "no white or polarised picture and no relief; wrinkles are not measured in other lights"
                .to_owned(),
        ),
        (Some(s), true) if s > COARSEST_MM_PER_PX => Some(format!(
            "{s:.2} mm/px is too coarse for wrinkles (needs {COARSEST_MM_PER_PX})"
        )),
        _ => None,
    };
    if let Some(reason) = reason {
        return Outcome {
            measures: Region::ALL
                .into_iter()
                .flat_map(|r| names.map(|n| (r, Measure::not_measured(n, reason.as_str()))))
                .collect(),
            ..Outcome::default()
        };
    }
    let size = size.unwrap_or_default();
    let mut out = Outcome {
        map: Some(map(ctx, lines)),
        ..Outcome::default()
    };
    let judged = |m: Measure| {
        let m = match ctx.relief.map(|r| r.sample_mm(size)) {
            None => m.limited(Confidence::Medium, "from shading, without a relief"),
            Some(sample) if sample > COARSE_RELIEF_MM => m.limited(
                Confidence::Medium,
                &format!(
                    "{sample:.2} mm per sample of the relief, for which depth and width are corrected (better {COARSE_RELIEF_MM})"
                ),
            ),
            Some(_) => m,
        };
        if size > 0.25 {
            m.limited(
                Confidence::Low,
                &format!("{size:.2} mm/px shows only wide wrinkles (better 0.15)"),
            )
        } else {
            m
        }
    };
    let no_relief = if ctx.relief.is_none() {
        mesh_relief::missing(ctx)
    } else {
        String::new()
    };
    let areas = ctx.areas.of_regions();
    for region in Region::ALL {
        let mm2 = areas[region.index()][0];
        if mm2 <= 0.0 {
            continue;
        }
        let own = (lines.wrinkles.iter()).filter(|w| region == Region::Face || w.region == region);
        let (count, doubtful) = own.fold((0.0_f64, 0.0), |(count, doubtful), w| {
            (count + 1.0, doubtful + w.doubt)
        });
        out.doubtful.wrinkles[region.index()] = doubtful / count.max(1.0);
        let (mut length, mut area, mut deep, mut drawn) = (0.0, 0.0, 0.0, 0.0);
        for w in &lines.wrinkles {
            let l = w.length_by_region[region.index()];
            length += l;
            area += l * w.groove.width_mm;
            deep += l * w.groove.depth;
            drawn += l * w.groove.depth / w.correction;
        }
        out.doubtful.depth[region.index()] = if deep > 0.0 { 1.0 - drawn / deep } else { 0.0 };
        let depth = if ctx.relief.is_none() {
            Measure::not_measured(names[3], no_relief.as_str())
        } else if length <= 0.0 {
            Measure::not_measured(names[3], "no wrinkle found")
        } else {
            judged(Measure::computed(names[3], deep / length))
        };
        out.measures.extend([
            (region, judged(Measure::computed(names[0], count))),
            (
                region,
                judged(Measure::computed(names[1], length / (mm2 / 100.0))),
            ),
            (region, judged(Measure::computed(names[2], area / mm2))),
            (region, depth),
        ]);
    }
    for w in &lines.wrinkles {
        let g = &w.groove;
        // A point every 0.45 mm describes the line; the ends are kept.
        let last = g.path_px.len() - 1;
        let picked: Vec<[f64; 2]> = g
            .path_px
            .iter()
            .enumerate()
            .filter(|(i, _)| i % 3 == 0 || *i == last)
            .map(|(_, p)| *p)
            .filter(|p| ctx.atlas.position_mm(p[0], p[1]).is_some())
            .collect();
        out.features.push(Feature::Wrinkle {
            region: w.region,
            length_mm: g.length_mm,
            width_mm: g.width_mm,
            depth_mm: ctx.relief.is_some().then_some(g.depth),
            path_mm: picked
                .iter()
                .filter_map(|p| ctx.atlas.position_mm(p[0], p[1]))
                .collect(),
            path_uv: picked.iter().map(|p| ctx.atlas.uv(p[0], p[1])).collect(),
        });
    }
    out
}

/// The lines, as wide as they are and as strong as they are deep.
fn map(ctx: &Context<'_>, lines: &Lines) -> ParameterMap {
    let atlas = ctx.atlas;
    let mut strength: Vec<u8> = atlas
        .labels
        .par_iter()
        .map(|l| u8::from(is_measured(*l)))
        .collect();
    let mut depths: Vec<f32> = lines
        .wrinkles
        .iter()
        .map(|w| w.groove.depth as f32)
        .collect();
    let full = 2.0 * median(&mut depths).max(1e-6);
    for w in &lines.wrinkles {
        let level = (w.groove.depth as f32 / full).clamp(0.2, 1.0);
        let r = (0.9 * w.groove.width_mm) as f32;
        for p in &w.groove.path_px {
            let Some(m) = atlas.pixel(p[0], p[1]).and_then(|i| atlas.metric(i)) else {
                continue;
            };
            let det = m.pixel_area_mm2().max(1e-6);
            let (rx, ry) = (r * m.g.sqrt() / det, r * m.e.sqrt() / det);
            if rx * ry > 1e5 {
                continue;
            }
            let (x0, y0) = (p[0] as f32, p[1] as f32);
            for y in (y0 - ry).max(0.0) as usize..=((y0 + ry) as usize).min(atlas.height - 1) {
                for x in (x0 - rx).max(0.0) as usize..=((x0 + rx) as usize).min(atlas.width - 1) {
                    let j = y * atlas.width + x;
                    let d = m.length_mm(x as f32 + 0.5 - x0, y as f32 + 0.5 - y0) / r;
                    if d < 1.0 && strength[j] > 0 {
                        let v = (255.0 * level * (1.0 - d * d)) as u8;
                        strength[j] = strength[j].max(v);
                    }
                }
            }
        }
    }
    ParameterMap {
        parameter: Parameter::Wrinkles,
        width: atlas.width,
        height: atlas.height,
        strength,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_on_a_line_has_no_part_in_its_colour() {
        let neutral = [0.1_f32; 30];
        let mut crossed = neutral.to_vec();
        crossed[20..26].fill(0.9);
        assert!((middle_mean(crossed).unwrap() - 0.1).abs() < 1e-6);
        assert_eq!(middle_mean(vec![]), None);
    }

    /// A straight groove with these depths.
    fn straight(depths: Vec<f64>, scatter: f64) -> Groove {
        Groove {
            scatter,
            ..Groove::straight([0.0, 0.0], [1.0, 0.0], depths)
        }
    }

    /// Hollows of texture in a row are as deep on the average as a shallow wrinkle.
    #[test]
    fn hollows_in_a_row_are_no_wrinkle_and_a_shallow_one_is() {
        let wavy = |k: usize| 0.025 + 0.02 * (k as f64 * 0.9).sin();
        let [chain, even] = [wavy, |_| 0.025].map(|d| straight((0..54).map(d).collect(), 0.008));
        assert!((chain.depth - even.depth).abs() < 0.001);
        let plain = |g: &Groove| g.depth / (LEAST_PROMINENCE * g.scatter);
        assert!(plain(&chain) > 1.2 && prominence(&chain, true) < 1.0);
        assert!(prominence(&even, true) > 1.2);
    }

    /// Where a deeper wrinkle crosses it, a line has gaps.
    #[test]
    fn what_others_cross_is_judged_and_measured_where_it_is_alone() {
        let gap = |k: usize| {
            let at = 0.15 * k as f64;
            let crossed = (3.0..4.2).contains(&at) || (6.0..7.2).contains(&at);
            if crossed { 0.01 } else { 0.1 }
        };
        let line = straight((0..67).map(gap).collect(), 0.008);
        assert!(line.evenness < LEAST_EVENNESS);
        assert!(standing(vec![line.clone()], true).is_empty());
        let across = |x: f64| Groove {
            width_mm: 0.8,
            scatter: 0.008,
            ..Groove::straight([x, -6.0], [0.0, 1.0], vec![0.2; 80])
        };
        let all = standing(vec![line.clone(), across(3.6), across(6.6)], true);
        assert_eq!(all.len(), 3);
        let kept = all.iter().find(|g| g.depth < 0.15).unwrap();
        assert!((kept.depth - 0.1).abs() < 1e-6 && line.depth < 0.085);
        assert!((kept.length_mm - line.length_mm).abs() < 1e-9);
        // None of the ends meets another; one that ends at another does.
        assert_eq!(doubts(&all, true), [0.0; 3]);
        let short = Groove {
            scatter: 0.008,
            ..Groove::straight([3.9, 2.0], [1.0, 0.0], vec![0.1; 50])
        };
        let some = doubts(&[across(3.6), short], true);
        assert_eq!(some, [0.0, DOUBT_OF_MEETING]);
    }

    /// The slope beside a deep wrinkle's end is as deep as a wrinkle where it runs out in that.
    #[test]
    fn what_is_deep_only_in_another_is_none() {
        let slope = |k: usize| if k < 10 { 0.12 } else { 0.03 };
        let wide = Groove {
            width_mm: 1.5,
            ..straight((0..50).map(slope).collect(), 0.002)
        };
        let deep = Groove {
            width_mm: 0.8,
            ..Groove::straight([0.3, -6.0], [0.0, 1.0], vec![0.25; 80])
        };
        assert!(is_deep(&wide, true));
        let kept = standing(vec![wide.clone(), deep], true);
        assert!(kept.len() == 1 && kept[0].depth > 0.2, "{}", kept.len());
        assert!(!is_deep(
            &Groove {
                depth: 0.03,
                ..wide
            },
            true
        ));
    }

    /// On skin that is rough by 18 um.
    #[test]
    fn what_chance_makes_of_rough_skin_is_short_and_shallow() {
        let smooth = straight(vec![0.2; 60], 0.0);
        let told = |length_mm, depth, relief| {
            let groove = Groove {
                length_mm,
                depth,
                scatter: 0.018,
                ..smooth.clone()
            };
            (
                prominence(&groove, relief) >= 1.0,
                is_doubtful(&groove, relief),
            )
        };
        assert!(!told(5.0, 0.04, true).0);
        assert_eq!(told(5.0, 0.053, true), (true, true));
        assert_eq!(told(5.0, 0.07, true), (true, false));
        assert_eq!(told(15.0, 0.04, true), (true, false));
        // Its slopes have shadows as well.
        assert!(!told(5.0, 0.053, false).0 && told(5.0, 0.07, false).0);
    }
}
