//! What the capture is worth.

use dermalia_findings::{Confidence, Measure, MeasureName, Quality, Source};
use dermalia_scan::Samples;
use dermalia_scan::manifest::{Light, SkinState};
use dermalia_surface::{Work, in_vectors};
use rayon::prelude::*;

use crate::atlas::{Atlas, Scale, is_measured, label};
use crate::colour::density_8;
use crate::exposure::{at_end_8, at_end_16};
use crate::registration::{Context, RegisteredPicture};

/// Detail that a sharp picture of skin shows; finer pixels need not resolve more.
const DETAIL_MM: f64 = 0.15;
/// Limits beyond which a sentence warns: from there on the truth of phantoms leaves the
/// stated intervals (`examples/quality.rs`).
const LEAST_FOCUS: f64 = 0.5;
/// Blur below this focus makes pores wider by more than their diameter is known to.
const PORE_FOCUS: f64 = 0.58;
const MOST_CLIPPED: f64 = 0.01;
const MOST_GLOSS: f64 = 0.02;
const MOST_UNEVEN: f64 = 0.35;
const LEAST_COVERAGE: f64 = 0.9;
const MOST_HIDDEN: f64 = 0.1;
const PORE_MM_PER_PX: f64 = 0.15;

/// Quality in numbers, with a sentence for each that is beyond its limit.
/// `unevenness` is that of the light, where colour told it; `clipped_elsewhere` the greatest
/// fraction over- or under-exposed in pictures that are not measured.
pub(crate) fn measure(
    context: &Context<'_>,
    unevenness: Option<f64>,
    clipped_elsewhere: f64,
) -> Quality {
    let atlas = context.atlas;
    let mm_per_px = atlas.median_mm_per_px();
    let mut warnings = vec![];
    let sharp = context.best(&[
        Light::ParallelPolarised,
        Light::White,
        Light::CrossPolarised,
        Light::Uv,
        Light::Wood,
        Light::Nir,
    ]);
    let focus = sharp.map_or(0.0, |p| focus(atlas, p, mm_per_px));
    if sharp.is_some() && focus < LEAST_FOCUS {
        warnings.push(format!(
            "The picture is blurred: focus {focus:.2} (sharp pictures have {LEAST_FOCUS} or more)."
        ));
    }
    let clipped_fraction = context
        .pictures
        .iter()
        .map(|p| clipped(atlas, p))
        .fold(clipped_elsewhere, f64::max);
    if clipped_fraction > MOST_CLIPPED {
        warnings.push(format!(
            "{:.1} % of the skin is over- or under-exposed (up to {:.0} % is well).",
            100.0 * clipped_fraction,
            100.0 * MOST_CLIPPED
        ));
    }
    let colour = context.best(&[
        Light::CrossPolarised,
        Light::White,
        Light::ParallelPolarised,
    ]);
    if let Some(picture) = colour.filter(|p| !p.grey) {
        let gloss = gloss(atlas, picture);
        if gloss > MOST_GLOSS {
            warnings.push(format!(
                "{:.0} % of the skin is glossy (up to {:.0} % is well); pigment and redness are not seen there.",
                100.0 * gloss,
                100.0 * MOST_GLOSS
            ));
        }
    }
    if let Some(uneven) = unevenness.filter(|u| *u > MOST_UNEVEN) {
        warnings.push(format!(
            "The light is uneven by {:.0} % (up to {:.0} % is flattened well).",
            100.0 * uneven,
            100.0 * MOST_UNEVEN
        ));
    }
    let (coverage, hidden) = shares(context);
    if coverage < LEAST_COVERAGE {
        warnings.push(format!(
            "The pictures cover {:.0} % of the face ({:.0} % or more is well).",
            100.0 * coverage,
            100.0 * LEAST_COVERAGE
        ));
    }
    if hidden > MOST_HIDDEN {
        warnings.push(format!(
            "{:.0} % of the face is hidden by hair, beard or glasses and is not measured (up to {:.0} % is usual).",
            100.0 * hidden,
            100.0 * MOST_HIDDEN
        ));
    }
    // The picture's own pixels, where the raster is finer; an assumed scale is not stated.
    let own = sharp.map_or(1.0, |p| f64::from(p.magnification.max(1.0)));
    let mm_per_px = mm_per_px
        .filter(|_| atlas.scale != Scale::Unknown)
        .map(|mm| mm * own);
    if let Some(mm) = mm_per_px.filter(|mm| *mm > PORE_MM_PER_PX) {
        warnings.push(format!(
            "A pixel is {mm:.2} mm wide on the skin; pores need {PORE_MM_PER_PX} mm or less."
        ));
    }
    if context.skin == SkinState::MakeUp {
        warnings.push("The skin wears make-up; colour is that of the make-up.".to_owned());
    }
    Quality {
        mm_per_px,
        focus,
        clipped_fraction,
        warnings,
    }
}

/// What a capture beyond its limits leaves of a measure's confidence.
pub(crate) fn by_capture(m: Measure, quality: &Quality) -> Measure {
    use MeasureName as N;
    if m.source != Source::Computed || quality.focus <= 0.0 {
        return m;
    }
    let least = match m.name {
        N::PoreDiameterMean | N::PoreAreaFraction => PORE_FOCUS,
        N::PoreDensity | N::SpotDensity | N::SpotAreaFraction | N::SpotContrastMean => LEAST_FOCUS,
        _ => return m,
    };
    if quality.focus >= least {
        return m;
    }
    let reason = format!("focus {:.2} is below {least}", quality.focus);
    m.limited(Confidence::Low, &reason)
}

/// Pixels that are looked at together for a level at an end of its range: most have none.
const CHUNK: usize = 32;

/// Fraction of the measured skin with a channel at either end of its range.
fn clipped(atlas: &Atlas, picture: &RegisteredPicture) -> f64 {
    match &picture.samples {
        Samples::Eight(v) => share_at_ends(atlas, v, at_end_8),
        Samples::Sixteen(v) => share_at_ends(atlas, v, at_end_16),
    }
}

fn share_at_ends<T>(atlas: &Atlas, samples: &[T], end: impl Fn(T) -> bool + Sync) -> f64
where
    T: Copy + Sync,
{
    let row = atlas.width.max(1);
    let (all, bad) = atlas
        .labels
        .par_chunks(row)
        .zip(samples.par_chunks(3 * row))
        .map(|(labels, levels)| {
            in_vectors(AtEnds {
                labels,
                levels,
                end: &end,
            })
        })
        .reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    bad as f64 / all.max(1) as f64
}

/// The pixels of a row that are measured, and those of them with a channel at an end.
struct AtEnds<'a, T, F> {
    labels: &'a [u8],
    levels: &'a [T],
    end: &'a F,
}

impl<T: Copy, F: Fn(T) -> bool> Work for AtEnds<'_, T, F> {
    type Output = (u64, u64);

    #[inline(always)]
    fn call(self) -> (u64, u64) {
        let (mut all, mut bad) = (0_u64, 0_u64);
        let chunks = self.labels.chunks(CHUNK).zip(self.levels.chunks(3 * CHUNK));
        for (labels, levels) in chunks {
            let mut measured = 0_u8;
            for l in labels {
                measured += u8::from(is_measured(*l));
            }
            let mut ends = 0_u8;
            for level in levels {
                ends |= u8::from((self.end)(*level));
            }
            all += u64::from(measured);
            if measured == 0 || ends == 0 {
                continue;
            }
            for (l, px) in labels.iter().zip(levels.as_chunks::<3>().0) {
                let [r, g, b] = px.map(self.end);
                bad += u64::from(is_measured(*l) & (r | g | b));
            }
        }
        (all, bad)
    }
}

/// A channel of a pixel in optical density, to 8 bits.
fn density(picture: &RegisteredPicture, i: usize, channel: usize) -> f32 {
    let level = match &picture.samples {
        Samples::Eight(v) => usize::from(v[3 * i + channel]),
        Samples::Sixteen(v) => usize::from(v[3 * i + channel] >> 8),
    };
    density_8()[level]
}

/// Fraction of the skin that is brighter and greyer than skin can be: highlights.
fn gloss(atlas: &Atlas, picture: &RegisteredPicture) -> f64 {
    let step = (atlas.len() / 400_000).max(1);
    let skin: Vec<[f32; 2]> = (0..atlas.len())
        .step_by(step)
        .filter(|&i| atlas.is_measured(i))
        .map(|i| {
            let d = [0, 1, 2].map(|k| density(picture, i, k));
            [d[2] - d[0], (d[0] + d[1] + d[2]) / 3.0]
        })
        .collect();
    if skin.is_empty() {
        return 0.0;
    }
    let median = |k: usize| {
        let mut values: Vec<f32> = skin.iter().map(|s| s[k]).collect();
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f32::total_cmp).1
    };
    let (colour, shade) = rayon::join(|| median(0), || median(1));
    let shiny = skin
        .iter()
        .filter(|s| s[0] < 0.5 * colour && s[1] < shade - 0.2)
        .count();
    shiny as f64 / skin.len() as f64
}

/// Sharpness from 0 to 1: the detail that a sharp picture shows, over the finest that
/// this one does.
///
/// Detail is what red and green share, since their noise is not common to them. The
/// energy of second differences grows with the fourth power of their distance where a
/// picture is smooth and levels off where it resolves: in between lies its resolution.
fn focus(atlas: &Atlas, picture: &RegisteredPicture, mm_per_px: Option<f64>) -> f64 {
    const DISTANCES: [usize; 6] = [1, 2, 4, 8, 16, 32];
    let energy = detail(atlas, picture, DISTANCES);
    // Without detail at any distance there is nothing in focus.
    if energy.iter().all(|e| *e < 1e-6) {
        return 0.0;
    }
    let mut resolved = DISTANCES[DISTANCES.len() - 1] as f64;
    for k in 0..DISTANCES.len() - 1 {
        let growth = libm::log2(energy[k + 1].max(1e-12) / energy[k].max(1e-12));
        if energy[k] > 1e-6 && growth < 2.0 {
            resolved = DISTANCES[k] as f64;
            // Between two distances, where the growth passes 2.
            if k > 0 {
                let before = libm::log2(energy[k].max(1e-12) / energy[k - 1].max(1e-12));
                let t = ((before - 2.0) / (before - growth).max(1e-6)).clamp(0.0, 1.0);
                resolved = libm::exp2(k as f64 - 1.0 + t);
            }
            break;
        }
    }
    // Enlarged pictures resolve no more than their own pixels.
    let own = f64::from(picture.magnification).max(1.0);
    let needed = mm_per_px.map_or(1.0, |mm| DETAIL_MM / mm).max(own);
    (needed / resolved).min(1.0)
}

/// Mean products of the second differences of red and green at some distances, both ways.
fn detail<const N: usize>(
    atlas: &Atlas,
    picture: &RegisteredPicture,
    distances: [usize; N],
) -> [f64; N] {
    match &picture.samples {
        Samples::Eight(v) => detail_of(atlas, distances, v.as_chunks::<3>().0, usize::from),
        Samples::Sixteen(v) => {
            let high = |c: u16| usize::from(c >> 8);
            detail_of(atlas, distances, v.as_chunks::<3>().0, high)
        }
    }
}

/// The same, of pixels with levels that are brought to 8 bits.
fn detail_of<T: Copy + Sync, const N: usize>(
    atlas: &Atlas,
    distances: [usize; N],
    pixels: &[[T; 3]],
    level: impl Fn(T) -> usize + Sync,
) -> [f64; N] {
    let table = density_8();
    let (w, h) = (atlas.width, atlas.height);
    let stride = (atlas.len() / 600_000).max(1);
    // Sums of rows, added in their order.
    let row = |d: usize, y: usize| {
        let line = |y: usize| {
            (
                &atlas.labels[y * w..(y + 1) * w],
                &pixels[y * w..(y + 1) * w],
            )
        };
        let (here, above, below) = (line(y), line(y - d), line(y + d));
        let (mut sum, mut n) = (0.0_f64, 0_u64);
        for x in (d..w.saturating_sub(d)).step_by(1 + stride / 8) {
            let labels = [
                here.0[x],
                here.0[x - d],
                here.0[x + d],
                above.0[x],
                below.0[x],
            ];
            if !labels.iter().fold(true, |all, l| all & is_measured(*l)) {
                continue;
            }
            let density = |[r, g, _]: [T; 3]| [table[level(r)], table[level(g)]];
            let own = density(here.1[x]);
            let second = |a: [T; 3], b: [T; 3]| {
                let (a, b) = (density(a), density(b));
                [0, 1].map(|c| f64::from(own[c] - 0.5 * (a[c] + b[c])))
            };
            let along = second(here.1[x - d], here.1[x + d]);
            let down = second(above.1[x], below.1[x]);
            sum += along[0] * along[1] + down[0] * down[1];
            n += 2;
        }
        (sum, n)
    };
    distances.map(|d| {
        let rows: Vec<(f64, u64)> = (d..h.saturating_sub(d))
            .into_par_iter()
            .step_by(stride.min(8))
            .map(|y| row(d, y))
            .collect();
        let (sum, n) = (rows.iter()).fold((0.0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        if n == 0 { 0.0 } else { sum / n as f64 }
    })
}

/// Shares of the face that pictures cover, and that hair and the like hide.
fn shares(context: &Context<'_>) -> (f64, f64) {
    let [mut all, mut seen, mut hidden] = [0.0; 3];
    for (l, area) in context.areas.each() {
        if l & label::REGION == 0 || l & label::LANDMARK_MASK != 0 {
            continue;
        }
        all += area;
        if l & label::NOT_COVERED == 0 {
            seen += area;
        }
        if l & label::COLOUR_MASK != 0 {
            hidden += area;
        }
    }
    if all > 0.0 {
        (seen / all, hidden / all)
    } else {
        (1.0, 0.0)
    }
}
