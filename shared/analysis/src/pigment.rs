//! Pigment spots: places of more melanin than the skin around them.

use crate::chromophores::{Directions, chroma};
use crate::colour::{Lab, ciede2000, lab_from_density};
use crate::extent::Increment;
use crate::field::{Field, quantile};
use crate::increments::{Reading, Search, find};
use crate::likeness::Likeness;
use crate::rounding::Rounding;
use crate::wide::Wide;

/// A pigment spot, in cells of the field.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    /// Where and how large.
    pub(crate) increment: Increment,
    /// Mean colour inside against the local skin, in visible light.
    pub(crate) contrast_de00: f64,
    /// Whether only ultraviolet light shows it.
    pub(crate) deep: bool,
}

/// How a place differs from the local skin in visible light.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contrast {
    /// Mean colour inside against that of the skin around, CIEDE2000.
    pub(crate) de00: f64,
    /// The same of density, the mean of the three channels.
    density: f64,
}

/// From this CIEDE2000 on a place is seen in visible light, on skin of any tone …
const LEAST_VISIBLE_DE00: f64 = 1.0;
/// … and from this density on: as much melanin is seen on light skin (1.1 to 1.3), and on the
/// darkest it changes colour by less than half of that. The unevenness of the skin's own
/// melanin makes 0.04 at its peaks on phantoms …
const LEAST_DENSITY: f64 = 0.05;
/// … unless nobody could tell the two colours from each other.
const LEAST_DENSE_DE00: f64 = 0.6;

impl Contrast {
    /// Of a place in a field of visible light.
    pub(crate) fn of(field: &Field, one: &Increment) -> Option<Self> {
        let (inside, around) = colours(field, one)?;
        let mean = |cells: &[u32]| {
            let cells = cells.iter().map(|&c| c as usize);
            let (sum, count) =
                cells
                    .filter(|&c| field.weight[c] > 0.0)
                    .fold((0.0, 0.0), |(sum, count), c| {
                        let [r, g, b] = field.at(c).map(f64::from);
                        (sum + (r + g + b) / 3.0, count + 1.0)
                    });
            sum / f64::max(count, 1.0)
        };
        Some(Self {
            de00: ciede2000(inside, around),
            density: mean(&one.inside) - mean(&one.around),
        })
    }

    /// Whether visible light shows it. The floor is one of melanin, alike on every tone.
    pub(crate) fn is_seen(self) -> bool {
        self.de00 >= LEAST_VISIBLE_DE00
            || (self.density >= LEAST_DENSITY && self.de00 >= LEAST_DENSE_DE00)
    }
}

/// What counts as a spot: an increment that is visible (about 1.5 in CIEDE2000), stands
/// out of the noise, and is no smaller than a freckle.
const SEARCH: Search = Search {
    smooth_mm: [0.22, 0.5, 1.1],
    height: 0.018,
    area_mm2: 0.3,
    most_mm2: 320.0,
};
/// The least height in standard deviations of the noise …
const SIGMAS: f32 = 5.5;
/// … and where colour is noisy and is asked for closely afterwards.
const FAINT_SIGMAS: f32 = 4.0;
/// What hardly stands out of its surroundings has to be so visible: unevenness of the skin's
/// own blood and melanin reaches 1.18 on phantoms …
const FAINT_DE00: f64 = 1.2;
/// … or so visible where the relief has excluded all but melanin.
const FAINT_PROVEN_DE00: f64 = 0.7;
/// Less melanin than this share of the blood that rises with it is a fold or a red area.
const MELANIN_SHARE: f32 = 0.8;
/// Noise of blue, smoothed as for the detection, from which its colour says too little.
const NOISY: f64 = 0.006;
/// Where colour hardly tells, no pit or pair of pits is larger than this.
const PIT_MM2: f64 = 0.65;
/// A step is so many deviations of the noise off the colour of a pit or a fold.
const SURE: f32 = 1.3;
/// Light can vary by so much between a place and its surroundings, for each millimetre of its
/// width: by a tenth over half a cheek.
const LIGHT_PER_MM: f32 = 0.004;
/// A line thinner than this is a hair or a wrinkle.
const LINE_MM: f64 = 0.6;
/// A line thinner than this can be a wrinkle.
const FOLD_MM: f64 = 2.6;

/// The spots of a field, which `wide` is of where it is given, and the plane of melanin above the baseline.
pub(crate) fn spots(
    field: &Field,
    wide: Option<&Wide>,
    directions: Directions,
    rounding: Rounding,
) -> (Vec<Spot>, Vec<f32>) {
    let least_de00 = rounding.least_de00();
    let noise = smoothed_noise(field);
    let noisy = noise[2] > NOISY;
    let sigmas = if noisy { FAINT_SIGMAS } else { SIGMAS };
    let mut readings = vec![Reading {
        form: directions.forms(noise)[0],
        close: false,
        narrow: false,
        sigmas,
    }];
    // Where blue is nearly lost, what darkens red and green is looked at as well; each is
    // asked for its colour in any case.
    if noisy {
        let dark = Reading {
            form: directions.dark_form(noise),
            close: true,
            narrow: false,
            sigmas,
        };
        readings.push(dark);
        // What is narrow and dark is mostly a pit; only a relief tells.
        if field.height_mm.is_some() {
            readings.push(Reading {
                narrow: true,
                ..dark
            });
        }
    }
    let contrast = |field: &Field, one: &Increment, reading: &Reading| {
        let [short, long] = one.axes_mm;
        if short < LINE_MM && long > 3.0 * short {
            return None;
        }
        // Its direction in density is had for less than its colour.
        let proof = if noisy {
            Step::of(field, one)?.proof(one, directions, reading.narrow)
        } else {
            let step = density_step(field, one)?;
            let noise = step_noise(field, one);
            // Colour without the darkness that comes with it is what compression makes of the
            // skin beside a pit.
            let neutral = (step[0] + step[1] + step[2]) / 3.0 + LIGHT_PER_MM * one.width_mm();
            let doubt = OFF[0] * (noise.map(|n| n * n).iter().sum::<f32>() / 3.0).sqrt();
            let sure = (field.chroma_step.is_none()
                || chroma(step)[1] <= MOST_CHROMA * neutral + doubt)
                && is_pigment(step, noise, directions);
            sure.then_some(Proof::Colour)
        }?;
        let contrast = Contrast::of(field, one)?;
        let faint = noisy && one.sigmas < SIGMAS;
        let least = least_de00.max(match proof {
            Proof::Colour | Proof::Uneven if faint => FAINT_DE00,
            Proof::Uneven => LEAST_VISIBLE_DE00,
            Proof::Relief if faint => FAINT_PROVEN_DE00,
            _ => 0.0,
        });
        (contrast.is_seen() && contrast.de00 >= least).then_some(contrast.de00)
    };
    let wider = wide.filter(|_| !noisy);
    let found = find(field, wider, &readings, SEARCH, contrast);
    let spots = found
        .increments
        .into_iter()
        .map(|increment| Spot {
            contrast_de00: increment.contrast,
            deep: false,
            increment,
        })
        .collect();
    (spots, found.residual)
}

/// The noise of each channel after the smoothing of a typical detection.
pub(crate) fn smoothed_noise(field: &Field) -> [f64; 3] {
    let cell = f64::from(field.cell_mm[0] * field.cell_mm[1]).sqrt();
    field.noise.map(|n| n * (cell / (3.545 * 0.4)).min(1.0))
}

/// Whether a step of density is melanin's: darker, coloured by more than a pit, a fold or
/// a shadow is, and nearer to melanin's colour than to blood's as far as its noise tells.
fn is_pigment(step: [f32; 3], noise: [f32; 3], directions: Directions) -> bool {
    let c = chroma(step);
    let neutral = (step[0] + step[1] + step[2]) / 3.0;
    let [melanin, blood] = directions.unmix(step);
    let [doubt, blood_doubt] = directions.unmix_noise(noise);
    // Melanin has 0.65 to 0.7 of chroma for each unit of mean density, a pit up to 0.2.
    // Across the plane red and green count, up it blue, which is the noisy one.
    let squares = noise.map(|n| n * n);
    let noise = [
        (squares[0] + squares[1]) / 2.0,
        (squares[0] + squares[1] + 4.0 * squares[2]) / 6.0,
    ];
    let pit = 0.04 * neutral * neutral;
    let off: f32 = (0..2)
        .map(|k| c[k] * c[k] / (pit + SURE * SURE * noise[k] + 1e-12))
        .sum();
    step[2] > 0.0
        && neutral > 0.0
        && melanin > -doubt
        && off > 1.0
        && melanin + doubt > MELANIN_SHARE * (blood - blood_doubt)
}

/// A step of density where blue is noisy, read as means, which are quieter than medians,
/// in the chroma plane. A step of melanin goes up the plane (more blue) by 0.6 to 0.7 of its
/// mean density, with Tsumura's melanin also across it (more red than green) by 0.08.
struct Step {
    /// Mean density.
    neutral: f32,
    /// Across and up the chroma plane.
    chroma: [f32; 2],
    /// The noise of the two.
    noise: [f32; 2],
    /// Density of each channel.
    density: [f32; 3],
    /// The noise of each.
    density_noise: [f32; 3],
    /// What a lamp made of it, and is taken off.
    lamp: f32,
    /// How far the relief lies off its level around on average, where it is known.
    off_mm: Option<f32>,
}

/// How far up the plane a pit or a fold goes for each unit of density, and across it.
const PIT_CHROMA: [f32; 2] = [0.04, 0.2];
/// Deviations of the noise beyond that: across, up, and both together.
const OFF: [f32; 3] = [2.5, 1.5, 2.2];
/// Faint or long, nothing is as large as this.
const LARGE_MM2: f64 = 30.0;
/// Colour that is sure enough to say more than shape does.
const CLEAR: f32 = 3.5;
/// Melanin goes no further up for each unit of density.
const MOST_CHROMA: f32 = 0.8;
/// Of what hardly stands out of its surroundings the share of blood is at most this.
const FAINT_BLOOD: f32 = 0.5;
/// A relief that lies no further off the skin around is flat: a pit or a fold of the width of
/// a spot is deeper, and fine relief and what the capture adds are not.
const FLAT_MM: f32 = 0.025;
/// Density that light makes on flat relief (one deviation) …
const FLAT_SHADE: f32 = 0.008;
/// … and what lies off the skin around for each millimetre: a pit half as deep as wide, or the
/// shaded side of a fold.
const SHADE_PER_MM: f32 = 1.4;
/// What a lamp makes is known to this share.
const LAMP_ERROR: f32 = 0.2;
/// So large is what a relief proves: larger than the noise of some cells, and no larger than
/// what height above a smooth form tells of.
const PROVEN_MM2: std::ops::Range<f64> = 0.5..LARGE_MM2;
/// Light that falls off a curve of the face darkens more than this.
const CURVE_MM2: f64 = 2.0;
/// It is so many times as long as wide at most: the rims of red areas and folds are longer …
const PROVEN_LENGTH: f64 = 2.2;
/// … and stands so far out of the noise.
const PROVEN_SIGMAS: f32 = 4.5;

/// What shows that a place is melanin's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// Its colour.
    Colour,
    /// Its colour, but its relief is that of a pit or a fold.
    Uneven,
    /// A flat relief, with which nothing but melanin explains its density.
    Relief,
}

impl Step {
    fn of(field: &Field, one: &Increment) -> Option<Self> {
        let cells = |list: &[u32]| -> Vec<usize> {
            list.iter()
                .map(|&c| c as usize)
                .filter(|&c| field.weight[c] > 0.0)
                .collect()
        };
        let (inside, around) = (cells(&one.inside), cells(&one.around));
        if inside.is_empty() || around.is_empty() {
            return None;
        }
        let mean = |cells: &[usize], k: usize| {
            let sum: f64 = cells.iter().map(|&c| f64::from(field.density[k][c])).sum();
            sum / cells.len() as f64
        };
        let (mut step, mut noise) = ([0.0_f32; 3], [0.0_f64; 3]);
        for k in 0..3 {
            let level = mean(&around, k);
            step[k] = (mean(&inside, k) - level) as f32;
            let scatter: f64 = around
                .iter()
                .map(|&c| (f64::from(field.density[k][c]) - level).powi(2))
                .sum::<f64>()
                / around.len() as f64;
            // In the shade the noise is more than that of the face.
            noise[k] = scatter.max(field.noise[k] * field.noise[k]) / inside.len() as f64;
        }
        let off_mm = field.height_mm.as_ref().and_then(|heights| {
            let known = |cells: &[usize]| -> Vec<f64> {
                let heights = cells.iter().map(|&c| f64::from(heights[c]));
                heights.filter(|h| h.is_finite()).collect()
            };
            let (own, beside) = (known(&inside), known(&around));
            if 2 * own.len() < inside.len() || 2 * beside.len() < around.len() {
                return None;
            }
            let level = beside.iter().sum::<f64>() / beside.len() as f64;
            let off: f64 = own.iter().map(|h| (h - level).abs()).sum();
            Some((off / own.len() as f64) as f32)
        });
        let lamp = field.shade.as_ref().map_or(0.0, |shade| {
            let mean = |cells: &[usize]| {
                cells.iter().map(|&c| f64::from(shade[c])).sum::<f64>() / cells.len() as f64
            };
            (mean(&inside) - mean(&around)) as f32
        });
        Some(Self {
            lamp,
            density: step,
            density_noise: noise.map(|n| n.sqrt() as f32),
            off_mm,
            neutral: (step[0] + step[1] + step[2]) / 3.0,
            chroma: chroma(step),
            noise: [
                ((noise[0] + noise[1]) / 2.0).sqrt() as f32,
                ((noise[0] + noise[1] + 4.0 * noise[2]) / 6.0).sqrt() as f32,
            ],
        })
    }

    /// What shows that it is melanin's, as far as its noise, its size, its shape and the relief
    /// tell; where `proven`, only what the relief does.
    fn proof(&self, one: &Increment, directions: Directions, proven: bool) -> Option<Proof> {
        let [short, long] = one.axes_mm;
        let line = (short < FOLD_MM && long > 3.5 * short)
            || (short < 0.5 * FOLD_MM && long > 2.1 * short);
        let lamp = LAMP_ERROR * self.lamp;
        let shade = self.off_mm.map(|off| {
            let relief = FLAT_SHADE + SHADE_PER_MM * off;
            (relief * relief + lamp * lamp).sqrt()
        });
        let uneven = self.off_mm.is_some_and(|off| off >= FLAT_MM);
        let flat = !uneven
            && !line
            && long <= PROVEN_LENGTH * short
            && PROVEN_MM2.contains(&one.area_mm2)
            && one.sigmas >= PROVEN_SIGMAS;
        // Light that falls off a curve of the face is no redder than the skin around.
        let light = one.area_mm2 > CURVE_MM2
            && self.chroma[0].abs() <= PIT_CHROMA[0] * self.neutral
            && self.chroma[1] - PIT_CHROMA[1] * self.neutral <= OFF[0] * self.noise[1];
        if flat
            && !light
            && let Some(shade) = shade
            && self.neutral > 0.0
            && Likeness::of(self.density, self.density_noise, shade).is_melanin()
        {
            return Some(Proof::Relief);
        }
        let coloured = !proven && self.is_coloured(one, directions, line, shade);
        coloured.then_some(if uneven { Proof::Uneven } else { Proof::Colour })
    }

    /// Whether its colour is melanin's; `shade` is what light and relief can have made of it.
    fn is_coloured(
        &self,
        one: &Increment,
        directions: Directions,
        line: bool,
        shade: Option<f32>,
    ) -> bool {
        let Self {
            neutral,
            chroma: c,
            noise: n,
            ..
        } = *self;
        if neutral <= 0.0 {
            return false;
        }
        let [short, long] = one.axes_mm;
        let off = [0, 1].map(|k| (c[k] - PIT_CHROMA[k] * neutral) / n[k].max(1e-9));
        let coloured = off[0] > OFF[0]
            || off[1] > OFF[1]
            || (off[0] > 0.0 && off[1] > 0.0 && off[0] + off[1] > OFF[2]);
        let quiet =
            shade.map(|shade| directions.of_red_and_green(self.density, self.density_noise, shade));
        // Blue that red and green say nothing of is noise, or a fold.
        let alone = quiet.is_some_and(|[melanin, error]| melanin < error);
        let faint = one.sigmas < SIGMAS;
        if faint && alone {
            return false;
        }
        let slack = if faint { OFF[1] } else { OFF[0] };
        if !coloured || c[1] - MOST_CHROMA * neutral > slack * n[1] {
            return false;
        }
        let [[melanin, blood], [doubt, blood_doubt]] = directions.unmix_chroma(c, n);
        let share = if faint { FAINT_BLOOD } else { MELANIN_SHARE };
        if melanin < -doubt || blood - blood_doubt > share * (melanin + doubt) {
            return false;
        }
        // Where colour hardly tells, shape must: a wrinkle is longer than a spot, and what is
        // larger than the search looks closely at and long is the shade beside a nose.
        if one.area_mm2 > LARGE_MM2 && (faint || long > 2.0 * short) {
            return false;
        }
        let clear = !faint && !alone && off[0].max(off[1]) > CLEAR;
        clear || !(line || one.area_mm2 < PIT_MM2)
    }
}

/// The noise of the step of each channel from around an increment to its inside.
fn step_noise(field: &Field, one: &Increment) -> [f32; 3] {
    let cell = field.cell_mm[0] * field.cell_mm[1];
    // A median is a quarter noisier than a mean.
    let share = 1.25 * (cell / one.area_mm2.max(1e-3) as f32).sqrt().min(1.0);
    field.noise.map(|n| share * n as f32)
}

/// The step of density from the local skin to the middle of an increment.
pub(crate) fn density_step(field: &Field, one: &Increment) -> Option<[f32; 3]> {
    let mut step = [0.0; 3];
    for (s, plane) in step.iter_mut().zip(&field.density) {
        *s = median_step(plane, one)?;
    }
    Some(step)
}

/// The step of one plane from the local skin to the middle of an increment.
pub(crate) fn median_step(plane: &[f32], one: &Increment) -> Option<f32> {
    let median = |cells: &[u32]| {
        let mut v: Vec<f32> = cells.iter().map(|&c| plane[c as usize]).collect();
        quantile(&mut v, 0.5)
    };
    Some(median(&one.inside)? - median(&one.around)?)
}

/// Mean colour inside an increment and the colour of the skin around it.
pub(crate) fn colours(field: &Field, one: &Increment) -> Option<(Lab, Lab)> {
    colours_lit(field, one, 0.0, usize::MAX)
}

/// The same under light that is brighter by the density `shade`, of about so many cells.
pub(crate) fn colours_lit(
    field: &Field,
    one: &Increment,
    shade: f32,
    enough: usize,
) -> Option<(Lab, Lab)> {
    let lab = |c: u32| lab_from_density(field.at(c as usize).map(|d| f64::from(d - shade)));
    let (mut sum, mut mass) = ([0.0; 3], 0.0);
    for &c in one
        .inside
        .iter()
        .step_by(one.inside.len() / enough + 1)
        .filter(|&&c| field.weight[c as usize] > 0.0)
    {
        let (v, a) = (lab(c), f64::from(field.area_mm2[c as usize]));
        sum[0] += a * v.l;
        sum[1] += a * v.a;
        sum[2] += a * v.b;
        mass += a;
    }
    if mass <= 0.0 || one.around.is_empty() {
        return None;
    }
    let some = one.around.iter().step_by(one.around.len() / enough + 1);
    let around: Vec<Lab> = some.map(|&c| lab(c)).collect();
    let median = |of: fn(&Lab) -> f64| {
        let mut v: Vec<f64> = around.iter().map(of).collect();
        let middle = v.len() / 2;
        let (_, m, _) = v.select_nth_unstable_by(middle, f64::total_cmp);
        *m
    };
    Some((
        Lab {
            l: sum[0] / mass,
            a: sum[1] / mass,
            b: sum[2] / mass,
        },
        Lab {
            l: median(|v| v.l),
            a: median(|v| v.a),
            b: median(|v| v.b),
        },
    ))
}

/// The directions of increments in the chroma plane with their strengths, for the
/// estimate of what melanin looks like on this scan.
pub(crate) fn evidence(field: &Field, spots: &[Spot]) -> Vec<[f32; 3]> {
    spots
        .iter()
        .filter(|s| s.contrast_de00 > 3.0)
        .filter_map(|s| {
            let c = chroma(density_step(field, &s.increment)?);
            let length = (c[0] * c[0] + c[1] * c[1]).sqrt();
            let size = (s.increment.area_mm2 as f32).min(20.0);
            Some([c[0], c[1], length * size.sqrt()])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small spot in the shade, whose blue is lost in noise.
    fn step([r, g, b]: [f32; 3], off_mm: Option<f32>) -> Step {
        Step {
            lamp: 0.0,
            neutral: (r + g + b) / 3.0,
            chroma: chroma([r, g, b]),
            noise: [0.007, 0.045],
            density: [r, g, b],
            density_noise: [0.006, 0.008, 0.055],
            off_mm,
        }
    }

    #[test]
    fn the_same_melanin_is_seen_on_every_tone() {
        let seen = |de00, density| Contrast { de00, density }.is_seen();
        // 0.12 of melanin on light and on the darkest skin, half of it, and neither.
        assert!(seen(1.4, 0.065) && seen(0.6, 0.065));
        assert!(!seen(0.7, 0.033) && !seen(0.3, 0.033));
        // What is seen in any case, and what nobody sees.
        assert!(seen(1.0, 0.0) && !seen(0.45, 0.1));
    }

    #[test]
    fn a_flat_relief_lets_all_channels_tell_melanin() {
        let directions = Directions {
            melanin_deg: 107.0,
            ..Directions::default()
        };
        let spot = |axes_mm: [f64; 2]| Increment {
            area_mm2: 0.9,
            height: 0.1,
            centre: [0.0; 2],
            axes_mm,
            inside: vec![],
            around: vec![],
            sigmas: 8.0,
            contrast: 0.0,
        };
        let is = |density, off_mm| {
            let proof = step(density, off_mm).proof(&spot([1.0, 1.1]), directions, false);
            proof == Some(Proof::Relief)
        };
        let melanin = [0.121, 0.171, 0.14];
        assert!(is(melanin, Some(0.003)));
        // Without a relief, in a pit, on a line, of blood, or of light there is no telling.
        assert!(!is(melanin, None) && !is(melanin, Some(0.1)));
        // Where its colour is sure, it is what the relief asks for more contrast of.
        let coloured = [0.121, 0.171, 0.42];
        for (off_mm, proof) in [(None, Proof::Colour), (Some(0.03), Proof::Uneven)] {
            let step = step(coloured, off_mm);
            assert_eq!(
                step.proof(&spot([1.0, 1.1]), directions, false),
                Some(proof)
            );
        }
        let faint = Increment {
            sigmas: 4.0,
            ..spot([1.0, 1.1])
        };
        assert_eq!(
            step(melanin, Some(0.003)).proof(&faint, directions, true),
            None
        );
        let line = spot([0.6, 1.5]);
        assert_eq!(
            step(melanin, Some(0.003)).proof(&line, directions, false),
            None
        );
        assert!(!is([0.09, 0.205, 0.2], Some(0.003)));
        assert!(!is([0.17, 0.17, 0.17], Some(0.003)));
    }
}
