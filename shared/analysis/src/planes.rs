//! Planes of numbers and their filters.

use std::ops::Range;

use dermalia_surface::loop_in_vectors;

use crate::spans::Spans;

/// A raster of numbers, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) data: Vec<f32>,
}

impl Plane {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            data: vec![0.0; width * height],
        }
    }

    /// A row, the first or the last instead of one beyond them.
    #[inline(always)]
    fn nearest_row(&self, y: isize) -> &[f32] {
        let y = y.clamp(0, self.height as isize - 1) as usize;
        &self.data[y * self.width..(y + 1) * self.width]
    }

    /// What lies to the left of the inner pixels of a row, they themselves, and what lies
    /// to their right: each two shorter than the row, which has three pixels at least.
    #[inline(always)]
    pub(crate) fn beside(&self, y: usize) -> [&[f32]; 3] {
        let row = &self.data[y * self.width..(y + 1) * self.width];
        let n = self.width - 2;
        [&row[..n], &row[1..][..n], &row[2..][..n]]
    }

    /// The value at a point (pixel middles at n + 0.5), bilinear, clamped at the border.
    pub(crate) fn sample(&self, x: f32, y: f32) -> f32 {
        bilinear(&self.data, self.width, self.height, x, y)
    }
}

/// Planes that are used again: a plane whose memory is at hand costs far less than one
/// whose pages the system has to give first.
#[derive(Default)]
pub(crate) struct Pool(Vec<Vec<f32>>);

impl Pool {
    /// A plane of any content.
    pub(crate) fn take(&mut self, width: usize, height: usize) -> Plane {
        let n = width * height;
        // The smallest that is large enough, else the largest: what is added is cleared.
        let fit = (0..self.0.len()).min_by_key(|&i| {
            let len = self.0[i].len();
            if len >= n {
                (0, len)
            } else {
                (1, usize::MAX - len)
            }
        });
        let mut data = fit.map(|i| self.0.swap_remove(i)).unwrap_or_default();
        data.resize(n, 0.0);
        Plane {
            width,
            height,
            data,
        }
    }

    pub(crate) fn give(&mut self, plane: Plane) {
        self.0.push(plane.data);
    }
}

/// Bilinear value of a raster at a point (pixel middles at n + 0.5), clamped.
pub(crate) fn bilinear(data: &[f32], width: usize, height: usize, x: f32, y: f32) -> f32 {
    let fx = (x - 0.5).clamp(0.0, (width - 1) as f32);
    let fy = (y - 0.5).clamp(0.0, (height - 1) as f32);
    let (x0, y0) = (fx as usize, fy as usize);
    let (x1, y1) = ((x0 + 1).min(width - 1), (y0 + 1).min(height - 1));
    let (tx, ty) = (fx - x0 as f32, fy - y0 as f32);
    let at = |x: usize, y: usize| data[y * width + x];
    let top = at(x0, y0) + tx * (at(x1, y0) - at(x0, y0));
    let bottom = at(x0, y1) + tx * (at(x1, y1) - at(x0, y1));
    top + ty * (bottom - top)
}

/// The whole part of a number of at least 0 and below 2^22, also as a number: without a
/// cast, which is done for one at a time.
#[inline(always)]
pub(crate) fn whole_part(v: f32) -> (u32, f32) {
    // Adding this rounds to the nearest whole number, which stands in the last bits.
    const ROUNDING: f32 = 8_388_608.0;
    let sum = v + ROUNDING;
    let nearest = sum - ROUNDING;
    let above = nearest > v;
    let whole = sum.to_bits().wrapping_sub(ROUNDING.to_bits());
    (
        whole.wrapping_sub(u32::from(above)),
        nearest - if above { 1.0 } else { 0.0 },
    )
}

/// Half of a sampled Gaussian, from its middle outwards, of sum 1.
pub(crate) fn half_gaussian(sigma_px: f32) -> Vec<f32> {
    let sigma = f64::from(sigma_px);
    let radius = (3.5 * sigma).ceil().max(1.0) as i32;
    let g: Vec<f64> = (0..=radius)
        .map(|i| libm::exp(-f64::from(i * i) / (2.0 * sigma * sigma)))
        .collect();
    let norm = 2.0 * g.iter().sum::<f64>() - g[0];
    g.into_iter().map(|v| (v / norm) as f32).collect()
}

/// Sums that are held in registers while a kernel passes.
const BLOCK: usize = 32;

/// The sums of a symmetric kernel over a block; `tap` gives the values beside the middle.
#[inline(always)]
fn block<'a>(half: &[f32], tap: impl Fn(isize) -> &'a [f32; BLOCK]) -> [f32; BLOCK] {
    let middle = tap(0);
    let mut sums = [0.0; BLOCK];
    for l in 0..BLOCK {
        sums[l] = half[0] * middle[l];
    }
    for (k, &c) in half.iter().enumerate().skip(1) {
        let (a, b) = (tap(-(k as isize)), tap(k as isize));
        for l in 0..BLOCK {
            sums[l] += c * (a[l] + b[l]);
        }
    }
    sums
}

/// The first columns of the blocks that cover some columns of a row; the last one of a row
/// overlaps.
#[inline(always)]
fn block_starts(width: usize, columns: &Range<usize>) -> impl Iterator<Item = usize> {
    let from = columns.start;
    (0..columns.len().div_ceil(BLOCK))
        .map(move |k| (from + k * BLOCK).min(width.saturating_sub(BLOCK)))
}

#[inline(always)]
fn at(values: &[f32], from: usize) -> &[f32; BLOCK] {
    values
        .get(from..)
        .and_then(<[f32]>::first_chunk)
        .unwrap_or(&[0.0; BLOCK])
}

/// Filters each row with a symmetric kernel, borders repeated: some columns of each, and
/// some beside them.
pub(crate) fn along_rows(src: &Plane, half: &[f32], spans: &[Range<usize>], out: &mut Plane) {
    let (w, r) = (src.width, half.len() - 1);
    // Room for a block on a border and what the kernel reaches beside it.
    let mut padded = vec![0.0_f32; BLOCK + 2 * r];
    loop_in_vectors(
        #[inline(always)]
        || {
            let rows = src.data.chunks_exact(w).zip(out.data.chunks_exact_mut(w));
            for ((row, dst), span) in rows.zip(spans) {
                for x in block_starts(w, span) {
                    let beside = x
                        .checked_sub(r)
                        .and_then(|from| row.get(from..x + BLOCK + r));
                    let beside = match beside {
                        Some(beside) => beside,
                        None => {
                            pad(row, x, r, &mut padded);
                            &padded
                        }
                    };
                    let sums = block(
                        half,
                        #[inline(always)]
                        |k| at(beside, r.wrapping_add_signed(k)),
                    );
                    match dst.get_mut(x..x + BLOCK) {
                        Some(whole) => whole.copy_from_slice(&sums),
                        None => dst.copy_from_slice(&sums[..w]),
                    }
                }
            }
        },
    );
}

/// A part of a row from `r` before `x` on, its first or last value beyond its ends.
fn pad(row: &[f32], x: usize, r: usize, out: &mut [f32]) {
    let before = r.saturating_sub(x);
    let known = &row[(x + before - r).min(row.len())..row.len().min(x + out.len() - r)];
    out[..before].fill(row[0]);
    out[before..][..known.len()].copy_from_slice(known);
    out[before + known.len()..].fill(row[row.len() - 1]);
}

/// Filters each column with a symmetric kernel, borders repeated: where the spans of the
/// rows are, and some beside them.
pub(crate) fn along_columns(src: &Plane, half: &[f32], spans: &[Range<usize>], out: &mut Plane) {
    let w = src.width;
    loop_in_vectors(
        #[inline(always)]
        || {
            for (y, (dst, span)) in out.data.chunks_exact_mut(w).zip(spans).enumerate() {
                if w < BLOCK {
                    for (x, d) in dst.iter_mut().enumerate() {
                        *d = half[0] * src.nearest_row(y as isize)[x];
                        for (k, &c) in half.iter().enumerate().skip(1) {
                            let (a, b) = (y as isize - k as isize, y as isize + k as isize);
                            *d += c * (src.nearest_row(a)[x] + src.nearest_row(b)[x]);
                        }
                    }
                    continue;
                }
                for x in block_starts(w, span) {
                    let sums = block(
                        half,
                        #[inline(always)]
                        |k| at(src.nearest_row(y as isize + k), x),
                    );
                    dst[x..x + BLOCK].copy_from_slice(&sums);
                }
            }
        },
    );
}

/// How far the kernel of a variance reaches.
pub(crate) fn reach_of(variance_px: f32) -> usize {
    half_gaussian(variance_px.max(0.04).sqrt()).len() - 1
}

/// Gaussian low pass, of a standard deviation given by its square, with room for the
/// half-way result: within so many pixels of the spans. Elsewhere anything may stand.
pub(crate) fn smooth_within(
    src: &Plane,
    variance_px: f32,
    (spans, near): (&Spans, usize),
    rows: &mut Plane,
    out: &mut Plane,
) {
    let half = half_gaussian(variance_px.max(0.04).sqrt());
    let reach = half.len() - 1;
    along_rows(src, &half, &spans.grown([near, near + reach]), rows);
    along_columns(rows, &half, &spans.grown([near, near]), out);
}

/// The same everywhere.
pub(crate) fn smooth_into(src: &Plane, variance_px: f32, rows: &mut Plane, out: &mut Plane) {
    let whole = Spans::whole(src.width, src.height);
    smooth_within(src, variance_px, (&whole, 0), rows, out);
}

/// Gaussian low pass.
pub(crate) fn gaussian(src: &Plane, sigma_px: f32) -> Plane {
    let (mut a, mut b) = (
        Plane::new(src.width, src.height),
        Plane::new(src.width, src.height),
    );
    smooth_into(src, sigma_px * sigma_px, &mut a, &mut b);
    b
}

/// What a difference of neighbours smooths beyond the plane that it is taken of: the
/// variance, in pixels, by which a Gaussian before it has to be narrower.
pub(crate) const DIFFERENCE_VARIANCE: f32 = 1.0 / 6.0;

/// Gradient and second derivatives by differences of neighbours: x, y, xx, xy, yy. Exact
/// for polynomials of second order. The pixel must not lie on the border.
#[inline(always)]
pub(crate) fn derivatives(data: &[f32], i: usize, w: usize) -> [f32; 5] {
    let (up, here, down) = (
        [data[i - w - 1], data[i - w], data[i - w + 1]],
        [data[i - 1], data[i], data[i + 1]],
        [data[i + w - 1], data[i + w], data[i + w + 1]],
    );
    [
        0.5 * (here[2] - here[0]),
        0.5 * (down[1] - up[1]),
        here[2] - 2.0 * here[1] + here[0],
        0.25 * ((down[2] - down[0]) - (up[2] - up[0])),
        down[1] - 2.0 * here[1] + up[1],
    ]
}

/// The median of numbers; 0 without any. Reorders them.
pub(crate) fn median(values: &mut [f32]) -> f32 {
    quantile(values, 0.5)
}

/// The `q` quantile (0 to 1), nearest rank; 0 without any. Reorders them.
pub(crate) fn quantile(values: &mut [f32], q: f64) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let at = (q * (values.len() - 1) as f64 + 0.5) as usize;
    let at = at.min(values.len() - 1);
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paraboloid() -> Plane {
        let mut p = Plane::new(64, 48);
        for y in 0..48 {
            for x in 0..64 {
                let (u, v) = (x as f32 - 30.0, y as f32 - 20.0);
                p.data[y * 64 + x] =
                    2.0 + 0.5 * u - 0.25 * v + 0.1 * u * u - 0.2 * u * v + 0.3 * v * v;
            }
        }
        p
    }

    #[test]
    fn derivatives_of_a_paraboloid_are_exact() {
        let smooth = gaussian(&paraboloid(), 1.7);
        let got = derivatives(&smooth.data, 20 * 64 + 30, 64);
        for (got, want) in got.into_iter().zip([0.5, -0.25, 0.2, -0.2, 0.6]) {
            assert!((got - want).abs() < 1e-3, "{got} {want}");
        }
    }

    #[test]
    fn a_gaussian_keeps_the_mean_and_widens_by_its_variance() {
        let mut p = Plane::new(81, 81);
        p.data[40 * 81 + 40] = 1.0;
        let g = gaussian(&gaussian(&p, 3.0), 4.0);
        let (mut sum, mut var) = (0.0, 0.0);
        for (i, v) in g.data.iter().enumerate() {
            let x = (i % 81) as f32 - 40.0;
            sum += v;
            var += v * x * x;
        }
        assert!(
            (sum - 1.0).abs() < 1e-4 && (var - 25.0).abs() < 0.1,
            "{sum} {var}"
        );
    }

    #[test]
    fn narrow_planes_are_filtered_like_wide_ones() {
        let wide = paraboloid();
        for (w, h) in [(5, 40), (33, 3), (16, 16), (1, 1)] {
            let mut part = Plane::new(w, h);
            for i in 0..w * h {
                part.data[i] = wide.data[i / w * 64 + i % w];
            }
            let g = gaussian(&part, 1.3);
            let half = half_gaussian(1.3);
            for i in 0..w * h {
                let value = |x: i32, y: i32| {
                    let (x, y) = (x.clamp(0, w as i32 - 1), y.clamp(0, h as i32 - 1));
                    part.data[y as usize * w + x as usize]
                };
                let r = half.len() as i32 - 1;
                let mut sum = 0.0;
                for dy in -r..=r {
                    for dx in -r..=r {
                        let weight =
                            half[dx.unsigned_abs() as usize] * half[dy.unsigned_abs() as usize];
                        sum += weight * value((i % w) as i32 + dx, (i / w) as i32 + dy);
                    }
                }
                assert!((g.data[i] - sum).abs() < 1e-3 * sum.abs().max(1.0));
            }
        }
    }

    /// Also over blocks on the border, and from a plane that holds something else before.
    #[test]
    fn parts_are_filtered_like_whole_planes() {
        let source = paraboloid();
        let whole = gaussian(&source, 1.9);
        let [mut rows, mut part] = [(); 2].map(|()| Plane {
            data: vec![f32::NAN; 64 * 48],
            ..source.clone()
        });
        let bands = vec![0..0, 0..5, 40..64, 30..33, 0..0, 2..64];
        let spans = Spans::of(64, 48, bands.clone());
        smooth_within(&source, 1.9 * 1.9, (&spans, 1), &mut rows, &mut part);
        for i in 0..64 * 48 {
            if bands[i / 64 / 8].contains(&(i % 64)) {
                assert_eq!(part.data[i].to_bits(), whole.data[i].to_bits(), "{i}");
            }
        }
    }

    #[test]
    fn bilinear_is_exact_on_a_plane() {
        let mut p = Plane::new(5, 4);
        for i in 0..20 {
            p.data[i] = (i % 5) as f32 + 10.0 * (i / 5) as f32;
        }
        assert!((p.sample(2.25, 1.75) - (1.75 + 12.5)).abs() < 1e-5);
        assert_eq!(p.sample(-3.0, 9.0), 30.0);
    }

    #[test]
    fn whole_parts_are_those_of_casts() {
        let numbers = (0..40_000).map(|i| i as f32 * 0.37 + 1e-3);
        for v in numbers.chain([0.0, 0.5, 0.999_999_94, 1.0, 1.5, 2.5, 4_194_303.5]) {
            let v = std::hint::black_box(v);
            assert_eq!(whole_part(v), (v as u32, v.floor()));
        }
    }

    #[test]
    fn quantiles_are_ranks() {
        let mut v: Vec<f32> = (0..101).rev().map(|i| i as f32).collect();
        assert_eq!(median(&mut v), 50.0);
        assert_eq!(quantile(&mut v, 0.9), 90.0);
        assert_eq!(median(&mut []), 0.0);
    }
}
