//! Ridge filters: where a signal has a line of maxima.
//!
//! Multi-scale Hessian ridges (Frangi 1998, doi 10.1007/BFb0056195) with
//! gamma-normalised derivatives, sub-pixel centre points (Steger 1998,
//! doi 10.1109/34.659930), and a mean along the line that tells lines from grain.

use std::ops::Range;

use dermalia_surface::loop_in_vectors;

use crate::Atlas;
use crate::chart::Chart;
use crate::planes::{DIFFERENCE_VARIANCE, Plane, Pool, reach_of, smooth_within, whole_part};
use crate::spans::Spans;

/// A point on the centre of a ridge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RidgePoint {
    /// In pixels of the working raster.
    pub(crate) px: [f32; 2],
    /// On the surface, in the frame of the mesh.
    pub(crate) mm: [f32; 3],
    /// Unit direction along the ridge, on the surface.
    pub(crate) along: [f32; 3],
    /// Mean response along the ridge, in units of the signal.
    pub(crate) strength: f32,
}

/// The response of the best scale at each pixel, and its direction as a doubled angle.
pub(crate) struct Response {
    pub(crate) strength: Plane,
    /// cos and sin of twice the direction along the ridge.
    double: [Plane; 2],
    /// Offset to the centre line across the ridge, in pixels; NaN where none is near.
    offset: Plane,
    /// The columns of each row where all this is known.
    spans: Vec<Range<usize>>,
}

/// Half the length over which a ridge is averaged.
const HALF_RUN_MM: f32 = 1.2;

/// How far beside the measured pixels of a chart the response has to be known.
pub(crate) fn reach_px(step_mm: f32) -> usize {
    // A centre point lies within a pixel of its own.
    (HALF_RUN_MM / step_mm).ceil().min(1e3) as usize + 3
}

/// Filters a plane (positive is deep) at each scale, in pixels, the smallest first, and
/// keeps the strongest: within so many pixels of the spans. Elsewhere anything may stand.
pub(crate) fn respond(
    plane: &Plane,
    sigmas_px: &[f32],
    spans: &Spans,
    near: usize,
    pool: &mut Pool,
) -> Response {
    let (w, h) = (plane.width, plane.height);
    let mut out = Response {
        strength: pool.take(w, h),
        double: [pool.take(w, h), pool.take(w, h)],
        offset: pool.take(w, h),
        spans: spans.grown([near, near]),
    };
    // What each scale smooths beyond the one before, and how far beside the spans it is
    // asked for.
    let mut variance = 0.0;
    let mut steps: Vec<(f32, f32, usize)> = vec![];
    for sigma in sigmas_px {
        let aim = (sigma * sigma - DIFFERENCE_VARIANCE).max(variance + 0.04);
        steps.push((sigma * sigma, aim - variance, near + 1));
        variance = aim;
    }
    for k in (1..steps.len()).rev() {
        let wanted = steps[k].2 + reach_of(steps[k].1);
        steps[k - 1].2 = steps[k - 1].2.max(wanted);
    }
    let mut smooth: Option<Plane> = None;
    let mut rows = pool.take(w, h);
    for (k, (scale, more, near)) in steps.into_iter().enumerate() {
        let mut next = pool.take(w, h);
        let from = smooth.as_ref().unwrap_or(plane);
        smooth_within(from, more, (spans, near), &mut rows, &mut next);
        if k == 0 {
            out.keep::<true>(&next, scale);
        } else {
            out.keep::<false>(&next, scale);
        }
        if let Some(plane) = smooth.replace(next) {
            pool.give(plane);
        }
    }
    pool.give(rows);
    smooth.into_iter().for_each(|plane| pool.give(plane));
    out
}

/// How much of a ridge a place is by its second derivatives: 0 where it is none.
#[inline(always)]
fn ridge(xx: f32, xy: f32, yy: f32) -> f32 {
    let mean = 0.5 * (xx + yy);
    let a = 0.5 * (xx - yy);
    let r = (a * a + xy * xy).sqrt();
    let (across, rest) = (mean - r, mean + r);
    let blob = rest / across.min(-1e-30);
    // exp(-blob^2 / (2 * 0.5^2)) by a rational that needs no library call.
    let q = 2.0 * blob * blob;
    (-across).max(0.0) / (1.0 + q + 0.5 * q * q)
}

/// The unit vector of an angle whose double has this cosine and sine.
#[inline(always)]
fn half_angle(c2: f32, s2: f32) -> [f32; 2] {
    let c = ((1.0 + c2) * 0.5).max(0.0).sqrt();
    let s = ((1.0 - c2) * 0.5).max(0.0).sqrt();
    if s2 < 0.0 { [c, -s] } else { [c, s] }
}

impl Response {
    /// Takes over the response at one scale, squared in `scale`, where it is stronger than
    /// what there is; as the first scale everywhere. On the border there is none.
    fn keep<const FIRST: bool>(&mut self, smooth: &Plane, scale: f32) {
        let (w, h) = (smooth.width, smooth.height);
        let spans = std::mem::take(&mut self.spans);
        loop_in_vectors(
            #[inline(always)]
            || {
                for (y, span) in spans.iter().enumerate() {
                    let inner = span.start.max(1)..span.end.min(w.saturating_sub(1));
                    if y == 0 || y + 1 >= h || inner.is_empty() {
                        if FIRST {
                            self.keep_nothing(y * w + span.start..y * w + span.end);
                        }
                        continue;
                    }
                    if FIRST {
                        self.keep_nothing(y * w + span.start..y * w + inner.start);
                        self.keep_nothing(y * w + inner.end..y * w + span.end);
                    }
                    self.keep_stronger::<FIRST>(smooth, y, inner, scale);
                }
            },
        );
        self.spans = spans;
    }

    /// No response at pixels.
    #[inline(always)]
    fn keep_nothing(&mut self, pixels: Range<usize>) {
        let [cos, sin] = &mut self.double;
        for plane in [&mut self.strength, cos, sin] {
            plane.data[pixels.clone()].fill(0.0);
        }
        self.offset.data[pixels].fill(f32::NAN);
    }

    /// The same for some inner pixels of an inner row.
    #[inline(always)]
    fn keep_stronger<const FIRST: bool>(
        &mut self,
        smooth: &Plane,
        y: usize,
        inner: Range<usize>,
        scale: f32,
    ) {
        let n = inner.len();
        let beside = |y: usize| {
            let row = &smooth.data[y * smooth.width + inner.start - 1..][..n + 2];
            [&row[..n], &row[1..][..n], &row[2..][..n]]
        };
        let (up, here, down) = (beside(y - 1), beside(y), beside(y + 1));
        let inner = y * smooth.width + inner.start..y * smooth.width + inner.end;
        let [cos, sin] = &mut self.double;
        let strengths = &mut self.strength.data[inner.clone()][..n];
        let cos = &mut cos.data[inner.clone()][..n];
        let sin = &mut sin.data[inner.clone()][..n];
        let offsets = &mut self.offset.data[inner][..n];
        for x in 0..n {
            let gx = 0.5 * (here[2][x] - here[0][x]);
            let gy = 0.5 * (down[1][x] - up[1][x]);
            let xx = here[2][x] - 2.0 * here[1][x] + here[0][x];
            let yy = down[1][x] - 2.0 * here[1][x] + up[1][x];
            let xy = 0.25 * ((down[2][x] - down[0][x]) - (up[2][x] - up[0][x]));
            let strength = ridge(xx, xy, yy) * scale;
            let wins = strength > if FIRST { 0.0 } else { strengths[x] };
            let a = 0.5 * (xx - yy);
            let r = (a * a + xy * xy).sqrt();
            let across = 0.5 * (xx + yy) - r;
            // Along the ridge lies the eigenvector of the other eigenvalue.
            let share = 1.0 / r.max(f32::MIN_POSITIVE);
            let c2 = if r > 0.0 { a * share } else { 1.0 };
            let s2 = xy * share;
            let [ux, uy] = half_angle(c2, s2);
            let t = -(gx * -uy + gy * ux) / across;
            let near = ((t * uy).abs() <= 0.6) & ((t * ux).abs() <= 0.6);
            let t = if near { t } else { f32::NAN };
            let [s, c, d, o] = if FIRST {
                [0.0, 0.0, 0.0, f32::NAN]
            } else {
                [strengths[x], cos[x], sin[x], offsets[x]]
            };
            strengths[x] = if wins { strength } else { s };
            cos[x] = if wins { c2 } else { c };
            sin[x] = if wins { s2 } else { d };
            offsets[x] = if wins { t } else { o };
        }
    }

    pub(crate) fn give_back(self, pool: &mut Pool) {
        let [cos, sin] = self.double;
        for plane in [self.strength, cos, sin, self.offset] {
            pool.give(plane);
        }
    }

    /// The response as a vector along the ridge, by the doubled angle.
    fn directed(&self, pool: &mut Pool) -> Directed {
        let [cos, sin] = &self.double;
        let w = self.strength.width;
        let mut pairs = pool.take(2 * w, self.strength.height);
        loop_in_vectors(
            #[inline(always)]
            || {
                for (y, span) in self.spans.iter().enumerate() {
                    let row = y * w + span.start..y * w + span.end;
                    let pairs = pairs.data[2 * row.start..2 * row.end].chunks_exact_mut(2);
                    let directions = cos.data[row.clone()].iter().zip(&sin.data[row.clone()]);
                    let values = self.strength.data[row].iter().zip(directions);
                    for (pair, (s, (c2, s2))) in pairs.zip(values) {
                        pair[0] = s * c2;
                        pair[1] = s * s2;
                    }
                }
            },
        );
        Directed { pairs }
    }

    /// The centre points in the tile of a chart, whose measured pixels the spans hold.
    pub(crate) fn points(
        &self,
        chart: &Chart,
        atlas: &Atlas,
        spans: &Spans,
        pool: &mut Pool,
    ) -> Vec<ChartPoint> {
        let mut points = vec![];
        let half_px = HALF_RUN_MM / chart.step_mm;
        let w = self.strength.width;
        let directed = self.directed(pool);
        for (y, span) in spans.grown([0, 0]).into_iter().enumerate() {
            let row = &self.offset.data[y * w + span.start..y * w + span.end];
            for (x, &t) in row.iter().enumerate().filter(|(_, t)| !t.is_nan()) {
                let x = span.start + x;
                let i = y * w + x;
                let double = [self.double[0].data[i], self.double[1].data[i]];
                let [ux, uy] = half_angle(double[0], double[1]);
                let (cx, cy) = (x as f32 + 0.5 - uy * t, y as f32 + 0.5 + ux * t);
                if chart.owns(chart.to_atlas(cx, cy)) && chart.is_inside(atlas, x, y) {
                    points.push(ChartPoint {
                        at: [cx, cy],
                        along: [ux, uy],
                        strength: loop_in_vectors(
                            #[inline(always)]
                            || directed.run([cx, cy], double, half_px),
                        ),
                    });
                }
            }
        }
        pool.give(directed.pairs);
        points
    }
}

/// A response and its direction as one vector of the doubled angle.
struct Directed {
    pairs: Plane,
}

impl Directed {
    /// Places along a line at most.
    const MOST: usize = 32;

    /// Mean of the response along the straight line through a point, for directions that
    /// agree with its own.
    #[inline(always)]
    fn run(&self, [x, y]: [f32; 2], [c2, s2]: [f32; 2], half_px: f32) -> f32 {
        const MOST: usize = Directed::MOST;
        let [ux, uy] = half_angle(c2, s2);
        let n = (half_px.ceil().max(1.0) as usize).min((MOST - 1) / 2);
        let step = half_px / n as f32;
        let (dx, dy) = (ux * step, uy * step);
        let width = self.pairs.width / 2;
        let (right, bottom) = ((width - 1) as f32, (self.pairs.height - 1) as f32);
        let mut at = [0_u32; MOST];
        for (k, at) in at.iter_mut().enumerate() {
            let k = (k as i32 - n as i32) as f32;
            let (px, _) = whole_part((x + dx * k).max(0.0).min(right));
            let (py, _) = whole_part((y + dy * k).max(0.0).min(bottom));
            *at = py.wrapping_mul(width as u32).wrapping_add(px);
        }
        let count = 2 * n + 1;
        let (pairs, _) = self.pairs.data.as_chunks::<2>();
        let (mut c, mut s) = ([0.0_f32; MOST], [0.0_f32; MOST]);
        for ((c, s), at) in c.iter_mut().zip(&mut s).zip(&at[..count]) {
            if let Some(pair) = pairs.get(*at as usize) {
                [*c, *s] = *pair;
            }
        }
        let mut agree = [0.0_f32; MOST];
        for k in 0..MOST {
            agree[k] = (c[k] * c2 + s[k] * s2).max(0.0);
        }
        let mut sums = [0.0_f32; 8];
        for part in agree.chunks_exact(8) {
            for (sum, v) in sums.iter_mut().zip(part) {
                *sum += v;
            }
        }
        sums.iter().sum::<f32>() / count as f32
    }
}

/// A centre point in its chart: place, direction and mean response along the ridge.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChartPoint {
    at: [f32; 2],
    along: [f32; 2],
    pub(crate) strength: f32,
}

impl ChartPoint {
    /// The point on the surface; `None` beside it.
    pub(crate) fn on_surface(&self, chart: &Chart, atlas: &Atlas) -> Option<RidgePoint> {
        let [cx, cy] = self.at;
        let px = chart.to_atlas(cx, cy);
        let (x64, y64) = (f64::from(px[0]), f64::from(px[1]));
        if !atlas.is_measured(atlas.pixel(x64, y64)?) {
            return None;
        }
        let ahead = chart.to_atlas(cx + self.along[0], cy + self.along[1]);
        let (ax, ay) = (f64::from(ahead[0] - px[0]), f64::from(ahead[1] - px[1]));
        let (mm, [r, d]) = atlas.point_and_steps_mm(x64, y64)?;
        let along = [0, 1, 2].map(|k| (r[k] * ax + d[k] * ay) as f32);
        Some(RidgePoint {
            px,
            mm: mm.map(|v| v as f32),
            along: dermalia_surface::normalize(along),
            strength: self.strength,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A straight line of Gaussian profile at an angle: every centre point lies on it
    /// and the response is the analytic one.
    #[test]
    fn a_line_is_found_where_it_is() {
        let (w, h) = (120_usize, 100_usize);
        let (angle, sigma_line, depth) = (0.4_f32, 3.0_f32, 0.2_f32);
        let (c, s) = (angle.cos(), angle.sin());
        let distance = |x: f32, y: f32| -(x - 60.3) * s + (y - 50.7) * c;
        let mut plane = Plane::new(w, h);
        for i in 0..w * h {
            let q = distance((i % w) as f32 + 0.5, (i / w) as f32 + 0.5) / sigma_line;
            plane.data[i] = depth * (-0.5 * q * q).exp();
        }
        let sigma = sigma_line * 2.0_f32.sqrt();
        let response = respond(
            &plane,
            &[sigma],
            &Spans::whole(w, h),
            0,
            &mut Pool::default(),
        );
        let (mut n, mut worst, mut strongest) = (0, 0.0_f32, 0.0_f32);
        for y in 20..80 {
            for x in 20..100 {
                let i = y * w + x;
                let t = response.offset.data[i];
                if t.is_nan() || response.strength.data[i] < 0.02 {
                    continue;
                }
                let [ux, uy] = half_angle(response.double[0].data[i], response.double[1].data[i]);
                n += 1;
                worst = worst.max(distance(x as f32 + 0.5 - uy * t, y as f32 + 0.5 + ux * t).abs());
                strongest = strongest.max(response.strength.data[i]);
                assert!((ux * c + uy * s).abs() > 0.999);
            }
        }
        assert!(n > 60 && worst < 0.05, "{n} points, {worst} px off");
        // sigma^2 s_l / (s_l^2 + sigma^2)^(3/2) at sigma^2 = 2 s_l^2
        let expected = depth * 2.0 / 27.0_f32.sqrt();
        assert!((strongest / expected - 1.0).abs() < 0.02);
    }

    #[test]
    fn a_round_spot_answers_far_less_than_a_line() {
        let mut plane = Plane::new(80, 80);
        for i in 0..6400 {
            let (x, y) = ((i % 80) as f32 - 39.5, (i / 80) as f32 - 39.5);
            plane.data[i] = 0.2 * (-(x * x + y * y) / 18.0).exp();
        }
        let response = respond(
            &plane,
            &[4.2],
            &Spans::whole(80, 80),
            0,
            &mut Pool::default(),
        );
        let run = response
            .directed(&mut Pool::default())
            .run([40.0, 40.0], [1.0, 0.0], 12.0);
        assert!(run < 0.3 * 0.2 * 0.385, "{run}");
    }
}
