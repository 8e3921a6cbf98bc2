//! The grooves along traced lines, and what of them meet or run over one another.

use crate::Atlas;
use crate::groove::{self, Beyond, Groove, Signal};
use crate::profile::Shapes;
use crate::ridges::RidgePoint;
use crate::traces::{LEAST_TRACE_MM, trace_mm};

/// A groove that falls to less than this from its near half to its far half is the shallow end
/// of the one beside it.
const LEAST_OF_NEAR_HALF: f64 = 0.8;
/// An end that is no further than this beside another groove is at it.
const MEETING_MM: f64 = 1.0;
/// Steps that tell the direction of a groove's end.
const DIRECTION_STEPS: usize = 12;
/// Cosine of the angle that a line may turn by where it is cut.
const LEAST_AGREEMENT: f64 = 0.93;

/// A part of a trace, and where it may go on beyond its ends: not where another groove is.
#[derive(Clone, Copy)]
struct Part<'a> {
    line: &'a [RidgePoint],
    beyond: Beyond,
}

/// The grooves along a line. A trace goes on from one to the next over grain between them or at
/// a junction; what is left beside a groove is measured on its own, if a line may start there
/// and it is not that groove's own shallow end.
pub(crate) fn grooves(
    atlas: &Atlas,
    signal: Signal<'_>,
    shapes: &Shapes,
    line: &[RidgePoint],
    high: f32,
    smoothing_mm: f64,
) -> Vec<Groove> {
    let mut found: Vec<Groove> = vec![];
    let mut parts = vec![Part {
        line,
        beyond: Beyond::BOTH,
    }];
    while let Some(part) = parts.pop() {
        let px: Vec<[f32; 2]> = part.line.iter().map(|p| p.px).collect();
        let Some(groove) = groove::measure(atlas, signal, shapes, &px, part.beyond, smoothing_mm)
        else {
            continue;
        };
        if fades(&groove.depths, part.beyond) {
            continue;
        }
        parts.extend(part.beside(&groove, high));
        found.push(groove);
    }
    found
}

/// Whether depths, in the order of the part they are of, fall away from a groove beside them.
fn fades(depths: &[f64], beyond: Beyond) -> bool {
    let (first, second) = depths.split_at(depths.len() / 2);
    let mean = |d: &[f64]| d.iter().sum::<f64>() / d.len().max(1) as f64;
    let [near, far] = match beyond {
        Beyond {
            back: false,
            ahead: true,
        } => [first, second],
        Beyond {
            back: true,
            ahead: false,
        } => [second, first],
        _ => return false,
    };
    mean(far) < LEAST_OF_NEAR_HALF * mean(near)
}

impl<'a> Part<'a> {
    /// What is left on both sides of a groove and may be one of its own.
    fn beside(self, groove: &Groove, high: f32) -> impl Iterator<Item = Part<'a>> {
        let line = self.line;
        let nearest = |end: Option<&[f64; 3]>| {
            let mm = end?.map(|v| v as f32);
            let far = |i: &usize| dermalia_surface::norm(dermalia_surface::sub(line[*i].mm, mm));
            (0..line.len()).min_by(|a, b| far(a).total_cmp(&far(b)))
        };
        let ends = [groove.path_mm.first(), groove.path_mm.last()].map(nearest);
        let sides = match ends {
            [Some(a), Some(b)] => [&line[..a.min(b)], &line[a.max(b) + 1..]],
            _ => [&line[..0]; 2],
        };
        let [before, after] = sides.map(|side| strong(side, high));
        let before = Part {
            line: before,
            beyond: Beyond {
                ahead: false,
                ..self.beyond
            },
        };
        let after = Part {
            line: after,
            beyond: Beyond {
                back: false,
                ..self.beyond
            },
        };
        [before, after]
            .into_iter()
            .filter(|part| trace_mm(part.line) >= LEAST_TRACE_MM)
    }
}

/// A line from its first to its last point that one may start at.
fn strong(line: &[RidgePoint], high: f32) -> &[RidgePoint] {
    let strong = |p: &RidgePoint| p.strength >= high;
    match (line.iter().position(strong), line.iter().rposition(strong)) {
        (Some(first), Some(last)) => &line[first..=last],
        _ => &line[..0],
    }
}

/// How near to a groove's line another one runs over it.
fn reach_mm(a: &Groove, b: &Groove) -> f64 {
    0.5 * a.width_mm.max(b.width_mm) + 0.15
}

/// A groove as it is where none of others crosses it, which makes gaps in it or adds to its
/// depth; `None` where none does, or where they leave less than a third of it. Its path stays
/// whole.
pub(crate) fn apart(groove: &Groove, others: &Laid<'_>) -> Option<Groove> {
    let own = bounds(&groove.path_mm);
    let crossing: Vec<(&Groove, f64)> = others
        .grooves
        .iter()
        .filter(|(other, _)| !core::ptr::eq(*other, groove))
        .map(|(other, bounds)| (*other, bounds, other.width_mm + 0.5 * groove.width_mm))
        .filter(|(_, bounds, reach)| meet(own, **bounds, *reach))
        .map(|(other, _, reach)| (other, reach))
        .collect();
    let is_crossed = |p: &[f64; 3]| {
        crossing
            .iter()
            .any(|(other, reach)| passes(other, *p, *reach))
    };
    let mut depths: Vec<f64> = groove
        .path_mm
        .iter()
        .zip(&groove.depths)
        .filter(|(p, _)| !is_crossed(p))
        .map(|(_, depth)| *depth)
        .collect();
    let share = depths.len() as f64 / groove.depths.len() as f64;
    ((1.0 / 3.0..1.0).contains(&share)).then(|| Groove {
        length_mm: share * groove.length_mm,
        depth: depths.iter().sum::<f64>() / depths.len() as f64,
        evenness: groove::evenness(&mut depths),
        ..groove.clone()
    })
}

/// Grooves, and the boxes they lie in.
pub(crate) struct Laid<'a> {
    grooves: Vec<(&'a Groove, [[f64; 2]; 3])>,
}

impl<'a> Laid<'a> {
    pub(crate) fn new(grooves: &'a [Groove]) -> Self {
        Self {
            grooves: grooves.iter().map(|g| (g, bounds(&g.path_mm))).collect(),
        }
    }

    /// How many of a groove's ends lie at another one.
    pub(crate) fn met_by(&self, groove: &Groove) -> usize {
        let ends = [groove.path_mm.first(), groove.path_mm.last()];
        let met = |end: &&[f64; 3]| {
            self.grooves.iter().any(|(other, bounds)| {
                let reach = 0.5 * (groove.width_mm + other.width_mm) + MEETING_MM;
                !core::ptr::eq(*other, groove)
                    && meet(end.map(|c| [c, c]), *bounds, reach)
                    && passes(other, **end, reach)
            })
        };
        ends.into_iter().flatten().filter(met).count()
    }
}

/// Joins grooves that go on in each other, over a gap that is bridged within one or over each
/// other's ends: a wrinkle that crosses a line cuts its trace.
pub(crate) fn joined(mut grooves: Vec<Groove>) -> Vec<Groove> {
    let mut i = 0;
    while i < grooves.len() {
        let next = (0..grooves.len())
            .filter(|j| *j != i)
            .find_map(|j| Some((j, join(&grooves[i], &grooves[j])?)));
        match next {
            Some((j, whole)) => {
                grooves[i] = whole;
                grooves.remove(j);
                i -= usize::from(j < i);
            }
            None => i += 1,
        }
    }
    grooves
}

/// Two grooves as one, where one goes on in the other.
fn join(a: &Groove, b: &Groove) -> Option<Groove> {
    let [ends, starts] = [a, b].map(|g| [g.path_mm.first(), g.path_mm.last()]);
    let near = |p: &[f64; 3], q: &[f64; 3]| {
        let d = [0, 1, 2].map(|k| p[k] - q[k]);
        dot(d, d) <= groove::BEYOND_MM * groove::BEYOND_MM
    };
    for (at_end, end) in [false, true].into_iter().zip(ends) {
        for (at_last, start) in [false, true].into_iter().zip(starts) {
            if near(end?, start?) {
                let (first, second) = (a.turned(!at_end), b.turned(at_last));
                if let Some(from) = goes_on(&first, &second) {
                    return Some(first.and(&second, from));
                }
            }
        }
    }
    None
}

/// From which step of its own on the second groove goes on the first.
fn goes_on(first: &Groove, second: &Groove) -> Option<usize> {
    let (&end, &start) = (first.path_mm.last()?, second.path_mm.first()?);
    let back = first.path_mm.len().checked_sub(DIRECTION_STEPS + 1)?;
    let [ahead, along] = [
        (first.path_mm[back], end),
        (start, *second.path_mm.get(DIRECTION_STEPS)?),
    ]
    .map(|(p, q)| unit([0, 1, 2].map(|k| q[k] - p[k])));
    let v = [0, 1, 2].map(|k| start[k] - end[k]);
    let gap = dot(v, ahead);
    let aside = (dot(v, v) - gap * gap).max(0.0).sqrt();
    let alike = first.depth.min(second.depth) >= 0.5 * first.depth.max(second.depth);
    if !alike
        || dot(ahead, along) < LEAST_AGREEMENT
        || gap > groove::BRIDGE_MM
        || aside > 0.5 * reach_mm(first, second)
    {
        return None;
    }
    second
        .path_mm
        .iter()
        .position(|p| dot([0, 1, 2].map(|k| p[k] - end[k]), ahead) > 0.0)
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn unit(v: [f64; 3]) -> [f64; 3] {
    let l = dot(v, v).sqrt().max(f64::MIN_POSITIVE);
    v.map(|c| c / l)
}

/// Whether a groove's line passes a point within a reach.
fn passes(groove: &Groove, p: [f64; 3], reach: f64) -> bool {
    groove.path_mm.iter().step_by(2).any(|q| {
        let d = [0, 1, 2].map(|c| p[c] - q[c]);
        d[0] * d[0] + d[1] * d[1] + d[2] * d[2] < reach * reach
    })
}

/// Of two lines that run over each other, the longer stays.
pub(crate) fn without_doubles(mut grooves: Vec<Groove>) -> Vec<Groove> {
    grooves.sort_by(|a, b| {
        (b.length_mm * b.depth)
            .total_cmp(&(a.length_mm * a.depth))
            .then_with(|| {
                a.path_px[0]
                    .partial_cmp(&b.path_px[0])
                    .unwrap_or(core::cmp::Ordering::Equal)
            })
    });
    let mut kept: Vec<Groove> = vec![];
    let mut boxes: Vec<[[f64; 2]; 3]> = vec![];
    for g in grooves {
        let own = bounds(&g.path_mm);
        // Those that lie near enough.
        let near: Vec<(&Groove, f64)> = kept
            .iter()
            .zip(&boxes)
            .map(|(k, b)| (k, b, reach_mm(k, &g)))
            .filter(|(_, b, reach)| meet(own, **b, *reach))
            .map(|(k, _, reach)| (k, reach))
            .collect();
        let covered = g
            .path_mm
            .iter()
            .filter(|p| near.iter().any(|(k, reach)| passes(k, **p, *reach)))
            .count();
        if covered * 2 < g.path_mm.len() {
            boxes.push(own);
            kept.push(g);
        }
    }
    kept
}

/// The least and the largest coordinates of points.
fn bounds(points: &[[f64; 3]]) -> [[f64; 2]; 3] {
    [0, 1, 2].map(|c| {
        points
            .iter()
            .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], p| {
                [low.min(p[c]), high.max(p[c])]
            })
    })
}

/// Whether boxes lie within a reach of each other.
fn meet(a: [[f64; 2]; 3], b: [[f64; 2]; 3], reach: f64) -> bool {
    (0..3).all(|c| a[c][0] - reach <= b[c][1] && a[c][1] + reach >= b[c][0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grooves along x of this half-width, as deep as a function of x says, on skin with ripples of
    /// this height across; all traced as one line from 4 to 36 mm.
    fn found(sigma: f32, ripple: f32, depth_at: impl Fn(f32) -> f32) -> Vec<Groove> {
        let mesh = dermalia_surface::Mesh::sheet(40.0, 20.0);
        let raster = dermalia_surface::rasterize_uv(&mesh, 400, 200);
        let bits = crate::labels::whole_surface(&raster.triangle);
        let atlas = crate::preparation::crop(&mesh, raster, bits, crate::Scale::Stated).unwrap();
        let data: Vec<f32> = (0..atlas.len())
            .map(|i| {
                let mm = 0.1 * ((i / 400) as f32 - 100.0);
                let y = mm / sigma;
                depth_at(0.1 * ((i % 400) as f32 + 0.5)) * (-0.5 * y * y).exp()
                    + ripple * (12.0 * mm).sin()
            })
            .collect();
        let line: Vec<RidgePoint> = (40..360)
            .map(|k| {
                let px = [k as f32, 100.5];
                let mm = atlas.surface_point(f64::from(px[0]), f64::from(px[1]));
                RidgePoint {
                    px,
                    mm: mm.unwrap().map(|v| v as f32),
                    along: [1.0, 0.0, 0.0],
                    strength: 0.2 * depth_at(0.1 * px[0]) + 0.002,
                }
            })
            .collect();
        let signal = Signal::new(&data, 1.0);
        grooves(&atlas, signal, &Shapes::new(), &line, 0.004, 0.55)
    }

    /// From, to and depth of grooves.
    fn lengths(drawn: &[[f32; 3]]) -> Vec<f64> {
        let grooves = found(0.25, 0.0, |x| {
            let inside = |d: &&[f32; 3]| (d[0]..d[1]).contains(&x);
            drawn.iter().find(inside).map_or(0.0, |d| d[2])
        });
        let mut lengths: Vec<f64> = grooves.iter().map(|g| g.length_mm).collect();
        lengths.sort_by(f64::total_cmp);
        lengths
    }

    #[test]
    fn two_grooves_of_one_trace_are_both_found() {
        let near = |found: &[f64], drawn: [f64; 2], within: f64| {
            found.len() == 2 && (0..2).all(|k| (found[k] - drawn[k]).abs() < within)
        };
        let apart = lengths(&[[5.0, 15.0, 0.2], [20.0, 32.0, 0.14]]);
        assert!(near(&apart, [10.0, 12.0], 0.3), "{apart:?}");
        // Also where a shallow one starts at a deep one, as at a junction.
        let meeting = lengths(&[[5.0, 15.0, 0.2], [15.0, 32.0, 0.07]]);
        assert!(near(&meeting, [10.0, 17.0], 0.8), "{meeting:?}");
    }

    #[test]
    fn the_shallow_end_of_a_groove_is_none_of_its_own() {
        let fading = found(0.25, 0.0, |x| {
            0.2 * (1.0 - (x - 15.0).max(0.0) / 20.0).clamp(0.0, 1.0)
        });
        assert_eq!(fading.len(), 1);
    }

    #[test]
    fn the_skin_beside_grooves_is_as_rough_as_it_is() {
        let scatter = |sigma, ripple| {
            let depth = |x: f32| if (5.0..30.0).contains(&x) { 0.2 } else { 0.0 };
            found(sigma, ripple, depth)[0].scatter
        };
        assert!(scatter(0.25, 0.0) < 0.002);
        // Also beside one of 2.1 mm, which fills most of the profiles.
        for sigma in [0.25, 0.9] {
            let rough = scatter(sigma, 0.01);
            assert!((0.006..0.014).contains(&rough), "{sigma}: {rough}");
        }
    }

    fn along_x(from: f64, mm: f64, depth: f64) -> Groove {
        let steps = (mm / groove::STEP_MM) as usize;
        Groove::straight([from, 0.0], [1.0, 0.0], vec![depth; steps])
    }

    #[test]
    fn a_line_that_is_cut_is_joined_whichever_way_its_parts_run() {
        let parts = |from: f64, depth: f64| {
            [[false, false], [false, true], [true, false], [true, true]].map(|[a, b]| {
                joined(vec![
                    along_x(0.0, 12.0, 0.1).turned(a),
                    along_x(from, 12.0, depth).turned(b),
                ])
            })
        };
        // Over a gap, and over each other.
        for from in [14.0, 9.0] {
            for whole in parts(from, 0.08) {
                assert_eq!(whole.len(), 1);
                assert!(
                    (whole[0].length_mm - from - 12.0).abs() < 0.4,
                    "{}",
                    whole[0].length_mm
                );
                assert_eq!(whole[0].depths.len(), whole[0].path_mm.len());
            }
        }
        // Too wide a gap, too unlike.
        for two in parts(16.0, 0.08).into_iter().chain(parts(13.0, 0.04)) {
            assert_eq!(two.len(), 2);
        }
        // Another direction.
        let up = Groove::straight([13.0, 0.0], [0.6, 0.8], vec![0.1; 80]);
        assert_eq!(joined(vec![along_x(0.0, 12.0, 0.1), up]).len(), 2);
    }
}
