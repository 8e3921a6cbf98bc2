//! A groove measured along its centre line on the unfiltered signal.

use crate::Atlas;
use crate::profile::{Columns, Sample, Shapes};

/// A signal in step with the atlas; `sign` makes deep positive.
#[derive(Clone, Copy)]
pub(crate) struct Signal<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) sign: f32,
}

impl<'a> Signal<'a> {
    pub(crate) fn new(data: &'a [f32], sign: f32) -> Self {
        Self { data, sign }
    }

    /// Bilinear value at a point; `None` where a neighbour is missing.
    fn at(&self, atlas: &Atlas, p: [f64; 2]) -> Option<f32> {
        let (fx, fy) = (p[0] - 0.5, p[1] - 0.5);
        if !(fx >= 0.0
            && fy >= 0.0
            && fx < (atlas.width - 1) as f64
            && fy < (atlas.height - 1) as f64)
        {
            return None;
        }
        let (x, y) = (fx as usize, fy as usize);
        let (tx, ty) = ((fx - x as f64) as f32, (fy - y as f64) as f32);
        let i = y * atlas.width + x;
        let corners = [i, i + 1, i + atlas.width, i + atlas.width + 1];
        if corners
            .iter()
            .any(|&c| atlas.triangle[c] == dermalia_surface::NO_TRIANGLE)
        {
            return None;
        }
        let [a, b, c, d] = corners.map(|c| self.data[c]);
        let top = a + tx * (b - a);
        let v = top + ty * (c + tx * (d - c) - top);
        v.is_finite().then_some(v * self.sign)
    }
}

/// A measured groove.
#[derive(Debug, Clone)]
pub(crate) struct Groove {
    /// The centre line between the half-depth points, in pixels, every [`STEP_MM`].
    pub(crate) path_px: Vec<[f64; 2]>,
    /// The same on the surface, in the frame of the mesh.
    pub(crate) path_mm: Vec<[f64; 3]>,
    /// Length between the half-depth points.
    pub(crate) length_mm: f64,
    /// Full width at half depth.
    pub(crate) width_mm: f64,
    /// Mean depth along the length, in the unit of the signal.
    pub(crate) depth: f64,
    /// The depth at each point of the path, hardly smoothed.
    pub(crate) depths: Vec<f64>,
    /// How shallow its shallow places are: the lower sixth of the depths over the upper
    /// tenth. A row of pores comes near 0, a groove stays above half.
    pub(crate) evenness: f64,
    /// Half-width and shape of the fitted cross profile.
    pub(crate) profile: (f32, usize),
    /// Robust standard deviation of the signal beside it, across.
    pub(crate) scatter: f64,
}

impl Groove {
    /// The same the other way round.
    pub(crate) fn turned(&self, turn: bool) -> Self {
        let mut turned = self.clone();
        if turn {
            turned.path_px.reverse();
            turned.path_mm.reverse();
            turned.depths.reverse();
        }
        turned
    }

    /// This groove and another one from a step of its own on.
    pub(crate) fn and(mut self, other: &Self, from: usize) -> Self {
        let share = other.length_mm / (self.length_mm + other.length_mm);
        let mean = |a: f64, b: f64| a + share * (b - a);
        self.width_mm = mean(self.width_mm, other.width_mm);
        self.depth = mean(self.depth, other.depth);
        self.scatter = mean(self.scatter, other.scatter);
        if other.length_mm > self.length_mm {
            self.profile = other.profile;
        }
        self.path_px.extend(&other.path_px[from..]);
        self.path_mm.extend(&other.path_mm[from..]);
        self.depths.extend(&other.depths[from..]);
        self.length_mm = line_mm(&self.path_mm);
        self.evenness = evenness(&mut self.depths.clone());
        self
    }
}

#[cfg(test)]
impl Groove {
    /// A groove on a plane from a point on, with these depths at its steps.
    pub(crate) fn straight(from: [f64; 2], along: [f64; 2], depths: Vec<f64>) -> Self {
        let at = |i: usize| [0, 1].map(|k| from[k] + i as f64 * STEP_MM * along[k]);
        let path_px: Vec<[f64; 2]> = (0..depths.len()).map(at).collect();
        let path_mm: Vec<[f64; 3]> = path_px.iter().map(|p| [p[0], p[1], 0.0]).collect();
        Self {
            path_px,
            length_mm: line_mm(&path_mm),
            path_mm,
            width_mm: 0.6,
            depth: depths.iter().sum::<f64>() / depths.len() as f64,
            evenness: evenness(&mut depths.clone()),
            depths,
            profile: (0.3, 0),
            scatter: 0.0,
        }
    }
}

/// Length of a line of points.
fn line_mm(points: &[[f64; 3]]) -> f64 {
    points
        .windows(2)
        .map(|w| {
            let d = [0, 1, 2].map(|k| w[1][k] - w[0][k]);
            (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt()
        })
        .sum()
}

/// At which ends of a traced line a groove is followed beyond it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beyond {
    pub(crate) back: bool,
    pub(crate) ahead: bool,
}

impl Beyond {
    pub(crate) const BOTH: Self = Self {
        back: true,
        ahead: true,
    };
}

/// Step of the centre line.
pub(crate) const STEP_MM: f64 = 0.15;
/// How far beyond the traced ends the depth is followed.
pub(crate) const BEYOND_MM: f64 = 4.0;
/// Half the width of the cross profiles.
const REACH_MM: f32 = 2.6;
const ACROSS_MM: f32 = 0.065;
/// The skin beside a groove is looked at on one of so many steps.
const SCATTERED: usize = 4;
/// Beyond so many of its half-widths a groove is over.
const BESIDE_RADII: f32 = 3.0;
/// So much of the ends of the cross profiles is beside even the widest.
const LEAST_BESIDE_MM: f32 = 0.6;
/// A place shallower than half is bridged when no longer than this.
pub(crate) const BRIDGE_MM: f64 = 2.5;

/// Samples of a cross profile on either side of its middle.
const HALF: usize = (REACH_MM / ACROSS_MM) as usize;
/// Samples of a cross profile.
const SAMPLES: usize = 2 * HALF + 1;
/// Samples on either side that tell where the bottom lies …
const SEARCH: usize = (0.35 / ACROSS_MM) as usize;
/// … each averaged with so many on either side of it.
const BESIDE: usize = 2;

/// How far to either side a profile of this half-width is fitted.
fn window_mm(radius: f32) -> f32 {
    (2.6 * radius + 0.15).min(REACH_MM)
}

/// The steps of a groove, in order.
struct Course<'a> {
    atlas: &'a Atlas,
    signal: Signal<'a>,
    px: Vec<[f64; 2]>,
    /// One millimetre across, in pixels.
    normal: Vec<[f64; 2]>,
    profiles: Vec<[f32; SAMPLES]>,
}

/// Measures the groove along a traced line of pixel points; `None` where it is none.
/// `smoothing_mm` is how far depths are averaged along the line.
pub(crate) fn measure(
    atlas: &Atlas,
    signal: Signal<'_>,
    shapes: &Shapes,
    traced: &[[f32; 2]],
    beyond: Beyond,
    smoothing_mm: f64,
) -> Option<Groove> {
    let mut course = Course {
        atlas,
        signal,
        px: prepare(atlas, traced, beyond)?,
        normal: vec![],
        profiles: vec![],
    };
    let n = course.px.len();
    for _ in 0..2 {
        course.turn();
        course.cut(SEARCH + BESIDE, 0..n);
        course.centre();
    }
    course.turn();
    let core = core_range(&course, traced)?;
    course.cut(HALF, core.clone());
    let (radius, shape) = course.cross_profile(shapes, core.clone())?;
    let scatter = course.scatter(radius, core.clone());
    // Beyond what was traced no more is asked for than the depth needs.
    let half = ((window_mm(radius) / ACROSS_MM) as usize + 1).min(HALF);
    course.cut(half, 0..core.start);
    course.cut(half, core.end..n);
    let raw = course.depths(shapes, radius, shape);
    let depth = smooth(&raw, smoothing_mm / STEP_MM);
    let (from, to) = half_depth_ends(&depth, core)?;
    let (path_px, path_mm, depths) = course.path(from, to, &smooth(&raw, 1.0))?;
    let length_mm = line_mm(&path_mm);
    let inside = from.ceil() as usize..=(to.floor() as usize).max(from.ceil() as usize);
    // Smoothing takes of the depth at the ends.
    let mean = raw[inside.clone()].iter().sum::<f64>() / inside.clone().count() as f64;
    let mut fine = smooth(&raw, 0.45 * smoothing_mm / STEP_MM)[inside].to_vec();
    Some(Groove {
        path_px,
        path_mm,
        length_mm,
        width_mm: 2.0 * f64::from(radius),
        depth: mean,
        depths,
        evenness: evenness(&mut fine),
        profile: (radius, shape),
        scatter,
    })
}

/// The lower sixth of depths over their upper tenth.
pub(crate) fn evenness(depths: &mut [f64]) -> f64 {
    depths.sort_by(f64::total_cmp);
    let rank = |q: f64| depths[(q * (depths.len() - 1) as f64) as usize];
    rank(0.16) / rank(0.9).max(1e-12)
}

/// Even steps, smoothed, continued straight beyond its ends as far as skin is measured.
fn prepare(atlas: &Atlas, traced: &[[f32; 2]], beyond: Beyond) -> Option<Vec<[f64; 2]>> {
    let points: Vec<[f64; 2]> = traced.iter().map(|p| p.map(f64::from)).collect();
    let line = smooth_line(&even(atlas, &points)?, 0.45 / STEP_MM);
    if line.len() < 8 {
        return None;
    }
    let on = |wanted: bool, backwards| match wanted {
        true => continued(atlas, &line, backwards),
        false => vec![],
    };
    let (back, ahead) = (on(beyond.back, true), on(beyond.ahead, false));
    let mut all: Vec<[f64; 2]> = back.into_iter().rev().collect();
    all.extend(line);
    all.extend(ahead);
    Some(all)
}

/// Length of a pixel step on the surface.
fn length_mm(atlas: &Atlas, at: [f64; 2], step: [f64; 2]) -> Option<f64> {
    let m = atlas.metric(atlas.pixel(at[0], at[1])?)?;
    let l = f64::from(m.length_mm(step[0] as f32, step[1] as f32));
    (l > 0.0).then_some(l)
}

fn even(atlas: &Atlas, points: &[[f64; 2]]) -> Option<Vec<[f64; 2]>> {
    let mut out = vec![*points.first()?];
    let mut carried = 0.0;
    for w in points.windows(2) {
        let step = [w[1][0] - w[0][0], w[1][1] - w[0][1]];
        let Some(l) = length_mm(atlas, w[0], step) else {
            continue;
        };
        let mut at = STEP_MM - carried;
        while at <= l {
            let t = at / l;
            out.push([w[0][0] + step[0] * t, w[0][1] + step[1] * t]);
            at += STEP_MM;
        }
        carried = l - (at - STEP_MM);
    }
    Some(out)
}

/// Gaussian smoothing of a polyline, mirrored through its ends so that they stay.
fn smooth_line(line: &[[f64; 2]], sigma: f64) -> Vec<[f64; 2]> {
    let n = line.len() as i64;
    let r = (3.0 * sigma).ceil() as i64;
    let at = |i: i64| -> [f64; 2] {
        if i < 0 {
            let q = line[(-i).min(n - 1) as usize];
            [0, 1].map(|k| 2.0 * line[0][k] - q[k])
        } else if i >= n {
            let q = line[(2 * (n - 1) - i).max(0) as usize];
            [0, 1].map(|k| 2.0 * line[(n - 1) as usize][k] - q[k])
        } else {
            line[i as usize]
        }
    };
    let weights: Vec<f64> = (-r..=r)
        .map(|k| libm::exp(-0.5 * (k as f64 / sigma) * (k as f64 / sigma)))
        .collect();
    let norm: f64 = weights.iter().sum();
    (0..n)
        .map(|i| {
            let mut p = [0.0; 2];
            for (k, w) in (-r..=r).zip(&weights) {
                let q = at(i + k);
                p[0] += w * q[0];
                p[1] += w * q[1];
            }
            p.map(|v| v / norm)
        })
        .collect()
}

/// The straight continuation of a line over measured skin.
fn continued(atlas: &Atlas, line: &[[f64; 2]], backwards: bool) -> Vec<[f64; 2]> {
    let reach = line.len().min(15) - 1;
    let (end, inner) = if backwards {
        (line[0], line[reach])
    } else {
        (line[line.len() - 1], line[line.len() - 1 - reach])
    };
    let step = [end[0] - inner[0], end[1] - inner[1]];
    let mut out = vec![];
    let mut at = end;
    for _ in 0..(BEYOND_MM / STEP_MM) as usize {
        let Some(l) = length_mm(atlas, at, step) else {
            break;
        };
        at = [at[0] + step[0] * STEP_MM / l, at[1] + step[1] * STEP_MM / l];
        match atlas.pixel(at[0], at[1]) {
            Some(i) if atlas.is_measured(i) => out.push(at),
            _ => break,
        }
    }
    out
}

/// The steps of a course that were traced, not continued.
fn core_range(course: &Course<'_>, traced: &[[f32; 2]]) -> Option<std::ops::Range<usize>> {
    let nearest = |p: [f32; 2]| {
        (0..course.px.len()).min_by(|&a, &b| {
            let d = |i: usize| {
                let q = course.px[i];
                let (x, y) = (q[0] - f64::from(p[0]), q[1] - f64::from(p[1]));
                x * x + y * y
            };
            d(a).total_cmp(&d(b))
        })
    };
    let (a, b) = (nearest(*traced.first()?)?, nearest(*traced.last()?)?);
    (a < b).then_some(a..b + 1)
}

impl Course<'_> {
    /// Finds what lies across each step.
    fn turn(&mut self) {
        let n = self.px.len();
        self.normal = (0..n)
            .map(|i| {
                let (a, b) = (self.px[i.saturating_sub(2)], self.px[(i + 2).min(n - 1)]);
                let t = [b[0] - a[0], b[1] - a[1]];
                let at = self.px[i];
                let m = self
                    .atlas
                    .pixel(at[0], at[1])
                    .and_then(|p| self.atlas.metric(p));
                let Some(m) = m else { return [0.0; 2] };
                let (e, f, g) = (f64::from(m.e), f64::from(m.f), f64::from(m.g));
                // Perpendicular on the surface, not in the atlas.
                let across = [-(f * t[0] + g * t[1]), e * t[0] + f * t[1]];
                match length_mm(self.atlas, at, across) {
                    Some(l) => across.map(|v| v / l),
                    None => [0.0; 2],
                }
            })
            .collect();
    }

    /// Cross profiles of the unfiltered signal at some steps, so many samples to either
    /// side; what no cut has reached is NaN.
    fn cut(&mut self, half: usize, steps: std::ops::Range<usize>) {
        self.profiles.resize(self.px.len(), [f32::NAN; SAMPLES]);
        for i in steps {
            let (p, u, profile) = (self.px[i], self.normal[i], &mut self.profiles[i]);
            for (k, v) in (HALF - half..).zip(&mut profile[HALF - half..=HALF + half]) {
                let o = (k as f64 - HALF as f64) * f64::from(ACROSS_MM);
                *v = self
                    .signal
                    .at(self.atlas, [p[0] + u[0] * o, p[1] + u[1] * o])
                    .unwrap_or(f32::NAN);
            }
        }
    }

    /// Mean of the profiles of a range of steps, so many samples to either side of the
    /// middle; NaN where there are none.
    fn mean(&self, range: std::ops::Range<usize>, half: usize) -> [f32; SAMPLES] {
        let across = HALF - half..HALF + half + 1;
        let (mut sums, mut counts) = ([0.0_f64; SAMPLES], [0.0_f64; SAMPLES]);
        for p in &self.profiles[range] {
            for k in across.clone() {
                let known = p[k].is_finite();
                sums[k] += if known { f64::from(p[k]) } else { 0.0 };
                counts[k] += if known { 1.0 } else { 0.0 };
            }
        }
        let mut mean = [f32::NAN; SAMPLES];
        for k in across {
            if counts[k] > 0.0 {
                mean[k] = (sums[k] / counts[k]) as f32;
            }
        }
        mean
    }

    /// Moves each step to the bottom of the locally averaged profile.
    fn centre(&mut self) {
        let n = self.px.len();
        let (mut shift, mut weight) = (vec![0.0_f64; n], vec![0.0_f64; n]);
        for i in 0..n {
            let p = self.mean(i.saturating_sub(5)..(i + 6).min(n), SEARCH + BESIDE);
            let mut near = [0.0_f64; 2 * SEARCH + 1];
            for (v, k) in near.iter_mut().zip(HALF - SEARCH..) {
                let sum: f64 = p[k - BESIDE..=k + BESIDE]
                    .iter()
                    .map(|v| f64::from(*v))
                    .sum();
                *v = sum / (2 * BESIDE + 1) as f64;
            }
            if near.iter().any(|v| !v.is_finite()) {
                continue;
            }
            let (first, last) = (near[0], near[near.len() - 1]);
            let base = |k: usize| first + (last - first) * k as f64 / (near.len() - 1) as f64;
            let Some(k) = (1..near.len() - 1)
                .max_by(|&a, &b| (near[a] - base(a)).total_cmp(&(near[b] - base(b))))
            else {
                continue;
            };
            let height = near[k] - base(k);
            let bend = near[k - 1] - 2.0 * near[k] + near[k + 1];
            if height <= 0.0 || bend >= 0.0 {
                continue;
            }
            let sub = (0.5 * (near[k - 1] - near[k + 1]) / bend).clamp(-0.5, 0.5);
            shift[i] = (k as f64 + sub - SEARCH as f64) * f64::from(ACROSS_MM);
            weight[i] = height;
        }
        let top: Vec<f64> = shift.iter().zip(&weight).map(|(s, w)| s * w).collect();
        let (top, bottom) = (smooth(&top, 5.0), smooth(&weight, 5.0));
        for i in 0..n {
            if bottom[i] > 0.0 {
                let s = top[i] / bottom[i];
                self.px[i][0] += self.normal[i][0] * s;
                self.px[i][1] += self.normal[i][1] * s;
            }
        }
    }

    /// Half-width and shape of the mean cross profile.
    fn cross_profile(&self, shapes: &Shapes, core: std::ops::Range<usize>) -> Option<(f32, usize)> {
        let p = self.mean(core, HALF);
        let middle = HALF;
        let mut sorted: Vec<f32> = p.iter().copied().filter(|v| v.is_finite()).collect();
        if sorted.len() < p.len() / 2 {
            return None;
        }
        let base = crate::planes::quantile(&mut sorted, 0.25);
        let half = 0.5 * (p[middle] + base);
        let out = |step: i32| {
            (1..middle as i32)
                .find(|k| {
                    let v = p[(middle as i32 + step * k) as usize];
                    v.is_nan() || v < half
                })
                .unwrap_or(middle as i32) as f32
        };
        let guess = (0.5 * (out(1) + out(-1)) * ACROSS_MM).max(0.1);
        let window = window_mm(guess);
        let samples: Vec<Sample> = offsets(&p)
            .filter(|(o, v)| o.abs() <= window && v.is_finite())
            .map(|(o, v)| [o, 0.0, v])
            .collect();
        let fit = shapes.fit_pit(&samples, guess, 0.0, &mut Columns::default())?;
        (fit.depth > 0.0).then_some((fit.radius, fit.shape))
    }

    /// Robust standard deviation of the signal beside the groove, about a sloping base.
    fn scatter(&self, radius: f32, core: std::ops::Range<usize>) -> f64 {
        let mut apart = vec![];
        let from = (BESIDE_RADII * radius).min(REACH_MM - LEAST_BESIDE_MM);
        for profile in self.profiles[core].iter().step_by(SCATTERED) {
            let beside = || {
                offsets(profile)
                    .filter(|(o, v)| o.abs() > from && v.is_finite())
                    .map(|(o, v)| [f64::from(o), f64::from(v)])
            };
            let (mut count, mut o, mut v, mut both, mut square) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for s in beside() {
                count += 1.0;
                o += s[0];
                v += s[1];
                both += s[0] * s[1];
                square += s[0] * s[0];
            }
            let (o, v) = (o / count, v / count);
            let spread = square / count - o * o;
            if spread > 0.0 {
                let slope = (both / count - o * v) / spread;
                apart.extend(beside().map(|s| (s[1] - v - slope * (s[0] - o)).abs() as f32));
            }
        }
        if apart.is_empty() {
            return 0.0;
        }
        f64::from(1.4826 * crate::planes::median(&mut apart))
    }

    /// The depth at every step: the amplitude of the fitted profile on a sloping base.
    fn depths(&self, shapes: &Shapes, radius: f32, shape: usize) -> Vec<f64> {
        let window = window_mm(radius);
        let rows: Vec<(usize, [f64; 3])> = offsets(&[0.0; SAMPLES])
            .enumerate()
            .filter(|(_, (o, _))| o.abs() <= window)
            .map(|(k, (o, _))| {
                let q = (o / radius) * (o / radius);
                (k, [f64::from(shapes.at(shape, q).0), 1.0, f64::from(o)])
            })
            .collect();
        let products = |known: &dyn Fn(usize) -> bool| {
            let mut normal = [[0.0_f64; 4]; 3];
            for (_, row) in rows.iter().filter(|(k, _)| known(*k)) {
                for a in 0..3 {
                    for b in 0..3 {
                        normal[a][b] += row[a] * row[b];
                    }
                }
            }
            normal
        };
        // Nearly every profile is whole.
        let whole = products(&|_| true);
        self.profiles
            .iter()
            .map(|p| {
                let mut normal = if rows.iter().all(|(k, _)| p[*k].is_finite()) {
                    whole
                } else {
                    products(&|k| p[k].is_finite())
                };
                for (k, row) in rows.iter().filter(|(k, _)| p[*k].is_finite()) {
                    for a in 0..3 {
                        normal[a][3] += row[a] * f64::from(p[*k]);
                    }
                }
                crate::iso25178::solve(normal).map_or(0.0, |x| x[0])
            })
            .collect()
    }

    /// The centre line from one fractional step to another, with the depths along it.
    fn path(&self, from: f64, to: f64, depth: &[f64]) -> Option<Path> {
        let at = |t: f64| {
            let i = (t as usize).min(self.px.len() - 2);
            let r = t - i as f64;
            [0, 1].map(|k| self.px[i][k] + r * (self.px[i + 1][k] - self.px[i][k]))
        };
        let inner = from.floor() as usize + 1..=to.ceil() as usize - 1;
        let mut px = vec![at(from)];
        px.extend(inner.clone().map(|i| self.px[i]));
        px.push(at(to));
        let mut along = vec![depth[from as usize]];
        along.extend(inner.map(|i| depth[i]));
        along.push(depth[to as usize]);
        let px = smooth_line(&px, 0.3 / STEP_MM);
        let (mut kept, mut mm, mut depths) = (vec![], vec![], vec![]);
        for (p, d) in px.into_iter().zip(along) {
            if let Some(q) = self.atlas.surface_point(p[0], p[1]) {
                kept.push(p);
                mm.push(q);
                depths.push(d);
            }
        }
        (mm.len() >= 4).then_some((kept, mm, depths))
    }
}

/// Points in pixels, in millimetres, and depths.
type Path = (Vec<[f64; 2]>, Vec<[f64; 3]>, Vec<f64>);

fn offsets(profile: &[f32]) -> impl Iterator<Item = (f32, f32)> + '_ {
    let middle = (profile.len() / 2) as f32;
    profile
        .iter()
        .enumerate()
        .map(move |(k, v)| ((k as f32 - middle) * ACROSS_MM, *v))
}

/// Gaussian smoothing of a series, cut off at its ends.
fn smooth(series: &[f64], sigma: f64) -> Vec<f64> {
    let r = (3.0 * sigma).ceil() as i64;
    let n = series.len() as i64;
    let weights: Vec<f64> = (0..=r)
        .map(|k| libm::exp(-0.5 * (k as f64 / sigma) * (k as f64 / sigma)))
        .collect();
    (0..n)
        .map(|i| {
            let (mut s, mut w) = (0.0, 0.0);
            for j in (i - r).max(0)..=(i + r).min(n - 1) {
                let k = weights[(j - i).unsigned_abs() as usize];
                s += k * series[j as usize];
                w += k;
            }
            s / w
        })
        .collect()
}

/// The fractional steps at which the depth falls to half of its full depth (its upper
/// tenth in the traced part), places shorter than [`BRIDGE_MM`] bridged.
fn half_depth_ends(depth: &[f64], core: std::ops::Range<usize>) -> Option<(f64, f64)> {
    let mut sorted = depth[core.clone()].to_vec();
    sorted.sort_by(f64::total_cmp);
    let full = sorted[(0.9 * (sorted.len() - 1) as f64) as usize];
    let half = 0.5 * full;
    let top = core.max_by(|&a, &b| depth[a].total_cmp(&depth[b]))?;
    if full <= 0.0 || depth[top] < half {
        return None;
    }
    let bridge = (BRIDGE_MM / STEP_MM) as usize;
    let walk = |next: &dyn Fn(usize) -> Option<usize>| {
        let (mut last, mut at, mut low) = (top, top, 0);
        while let Some(i) = next(at) {
            at = i;
            if depth[i] >= half {
                last = i;
                low = 0;
            } else {
                low += 1;
                if low > bridge {
                    break;
                }
            }
        }
        last
    };
    let ahead = walk(&|i| (i + 1 < depth.len()).then_some(i + 1));
    let back = walk(&|i| i.checked_sub(1));
    let cross = |inner: usize, outer: Option<usize>| {
        let Some(o) = outer.filter(|&o| o < depth.len()) else {
            return inner as f64;
        };
        let t = (depth[inner] - half) / (depth[inner] - depth[o]).max(1e-12);
        inner as f64 + t.clamp(0.0, 1.0) * (o as f64 - inner as f64)
    };
    let (from, to) = (
        cross(back, back.checked_sub(1)),
        cross(ahead, Some(ahead + 1)),
    );
    (to - from > 4.0).then_some((from, to))
}
