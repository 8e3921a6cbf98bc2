//! Gaussians over planes of cells, and means over blocks of them.

use dermalia_surface::{Work, in_vectors};
use rayon::prelude::*;

use crate::field::Field;

/// A Gaussian over fixed weights, for many planes.
#[derive(Debug, Clone)]
pub(crate) struct Smoother {
    bottom: Vec<f32>,
    sigma: [f32; 2],
}

impl Smoother {
    /// A Gaussian of `sigma_mm` over the cells that have weight.
    pub(crate) fn new(field: &Field, weight: &[f32], sigma_mm: f32) -> Self {
        let sigma = field.cell_mm.map(|mm| sigma_mm / mm);
        Self {
            bottom: gaussian(weight, field.width, field.height, sigma),
            sigma,
        }
    }

    /// How far it smooths, across the atlas.
    pub(crate) fn blur_mm(&self, field: &Field) -> f32 {
        self.sigma[0] * field.cell_mm[0]
    }

    /// The smooth plane, with the weight that this is of; 0 where no cell with weight is
    /// within reach.
    pub(crate) fn apply(&self, field: &Field, weight: &[f32], plane: &[f32]) -> Vec<f32> {
        let w = field.width;
        let product = |y: usize, row: &mut [f32]| {
            let (v, m) = (&plane[y * w..], &weight[y * w..]);
            for ((o, v), m) in row.iter_mut().zip(v).zip(m) {
                *o = v * m;
            }
        };
        let mut top = gaussian_of(w, field.height, self.sigma, product);
        normalise(&mut top, &self.bottom, w);
        top
    }
}

/// Half of a normalised Gaussian kernel, from its middle outwards.
fn kernel(sigma: f32) -> Vec<f32> {
    if sigma < 0.05 {
        return vec![1.0];
    }
    let radius = (3.2 * sigma).ceil() as usize;
    let value = |k: usize| {
        let t = k as f64 / f64::from(sigma);
        libm::exp(-0.5 * t * t)
    };
    let total = 1.0 + 2.0 * (1..=radius).map(value).sum::<f64>();
    (0..=radius).map(|k| (value(k) / total) as f32).collect()
}

/// Gaussian filter of a plane, zero beyond its edge.
pub(crate) fn gaussian(plane: &[f32], width: usize, height: usize, sigma: [f32; 2]) -> Vec<f32> {
    gaussian_of(width, height, sigma, |y, row| {
        row.copy_from_slice(&plane[y * width..(y + 1) * width]);
    })
}

/// From this many cells on a Gaussian is filtered on blocks of cells.
const WIDE: f32 = 3.0;

/// Gaussian filter of the plane whose rows `fill` writes.
pub(crate) fn gaussian_of<F>(width: usize, height: usize, sigma: [f32; 2], fill: F) -> Vec<f32>
where
    F: Fn(usize, &mut [f32]) + Sync,
{
    if width == 0 || height == 0 {
        return vec![];
    }
    let step = sigma.map(|s| ((s / WIDE) as usize).clamp(1, 16));
    if step == [1, 1] {
        return narrow_gaussian(width, height, sigma, &fill);
    }
    let (w, h) = (width.div_ceil(step[0]), height.div_ceil(step[1]));
    let share = 1.0 / (step[0] * step[1]) as f32;
    let mut blocks = vec![0.0_f32; w * h];
    blocks.par_chunks_mut(w).enumerate().for_each_init(
        || vec![0.0_f32; width],
        |row, (by, out)| {
            for y in by * step[1]..((by + 1) * step[1]).min(height) {
                fill(y, row);
                add_chunks(out, row, step[0]);
            }
            for o in out {
                *o *= share;
            }
        },
    );
    // The mean over blocks and the interpolation between them are a part of the blur.
    let left = [0, 1].map(|k| {
        let n = step[k] as f32;
        (sigma[k] * sigma[k] - 0.25 * (n * n - 1.0)).max(0.0).sqrt() / n
    });
    let smooth = gaussian(&blocks, w, h, left);
    enlarge(&smooth, [w, h], [width, height], step)
}

/// Adds the sums of a row's neighbours that fall together, `step` at a time.
pub(crate) fn add_chunks(out: &mut [f32], row: &[f32], step: usize) {
    match step {
        1 => in_vectors(|| add_each::<1>(out, row)),
        2 => in_vectors(|| add_each::<2>(out, row)),
        3 => in_vectors(|| add_each::<3>(out, row)),
        4 => in_vectors(|| add_each::<4>(out, row)),
        5 => in_vectors(|| add_each::<5>(out, row)),
        _ => {
            for (o, cells) in out.iter_mut().zip(row.chunks(step)) {
                *o += sum(cells);
            }
        }
    }
}

/// The same, compiled for a length that is known.
#[inline(always)]
fn add_each<const STEP: usize>(out: &mut [f32], row: &[f32]) {
    let (cells, rest) = row.as_chunks::<STEP>();
    if let Some(last) = out.get_mut(cells.len()) {
        *last += sum(rest);
    }
    for (o, cells) in out.iter_mut().zip(cells) {
        *o += sum(cells);
    }
}

#[inline(always)]
fn sum(values: &[f32]) -> f32 {
    let mut sum = 0.0;
    for v in values {
        sum += v;
    }
    sum
}

/// Brings blocks of cells back to cells, bilinearly.
pub(crate) fn enlarge(
    blocks: &[f32],
    [w, h]: [usize; 2],
    [width, height]: [usize; 2],
    step: [usize; 2],
) -> Vec<f32> {
    let mut out = vec![0.0_f32; width * height];
    enlarge_onto(blocks, [w, h], &mut out, width, step, |out, row| {
        out.copy_from_slice(row);
    });
    out
}

/// The same row by row, each given to `put` with that row of `out`.
pub(crate) fn enlarge_onto(
    blocks: &[f32],
    [w, h]: [usize; 2],
    out: &mut [f32],
    width: usize,
    step: [usize; 2],
    put: impl Fn(&mut [f32], &[f32]) + Sync,
) {
    let along = |cell: usize, step: usize, count: usize| {
        let p = ((cell as f32 + 0.5) / step as f32 - 0.5).clamp(0.0, (count - 1) as f32);
        let first = (p as usize).min(count.saturating_sub(2));
        (first, p - first as f32)
    };
    let (firsts, shares): (Vec<usize>, Vec<f32>) = (0..width).map(|x| along(x, step[0], w)).unzip();
    let (right, below) = (usize::from(w > 1), if h > 1 { w } else { 0 });
    let runs: Vec<(usize, usize)> = firsts
        .chunk_by(|a, b| a == b)
        .map(|run| (run[0], run.len()))
        .collect();
    out.par_chunks_mut(width)
        .with_min_len(ROWS)
        .enumerate()
        .for_each_init(
            || (vec![0.0_f32; w], vec![0.0_f32; width]),
            |(line, row), (y, out)| {
                let (by, fy) = along(y, step[1], h);
                let top = &blocks[by * w..(by + 1) * w];
                let low = &blocks[by * w + below..by * w + below + w];
                in_vectors(|| {
                    for ((o, t), l) in line.iter_mut().zip(top).zip(low) {
                        *o = t + (l - t) * fy;
                    }
                });
                in_vectors(Between {
                    line,
                    right,
                    runs: &runs,
                    shares: &shares,
                    out: row,
                });
                put(out, row);
            },
        );
}

/// A row of cells between the middles of a row of blocks.
struct Between<'a> {
    /// The blocks.
    line: &'a [f32],
    /// How far the block to the right lies, 1 or 0.
    right: usize,
    /// Cells between the same two blocks lie side by side: the left one, and how many.
    runs: &'a [(usize, usize)],
    /// The share of the right block in each cell.
    shares: &'a [f32],
    out: &'a mut [f32],
}

impl Work for Between<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        const LANES: usize = 16;
        let mut at = 0;
        for &(block, count) in self.runs {
            let (a, b) = (self.line[block], self.line[block + self.right]);
            let end = at + count;
            while at < end {
                // What is written beyond a run the next one overwrites.
                let shares = lanes::<LANES>(self.shares, at);
                let out = (self.out.get_mut(at..)).and_then(<[f32]>::first_chunk_mut::<LANES>);
                if let (Some(shares), Some(out)) = (shares, out) {
                    for (o, share) in out.iter_mut().zip(shares) {
                        *o = a + (b - a) * share;
                    }
                    at += LANES;
                } else {
                    self.out[at] = a + (b - a) * self.shares[at];
                    at += 1;
                }
            }
            at = end;
        }
    }
}

/// Rows that one task works on.
const ROWS: usize = 32;
/// Rows that one task filters: the more, the less is filtered twice along rows, where bands
/// meet; the fewer, the nearer they stay.
const BAND_ROWS: usize = 64;
/// Columns that stay in the nearest cache while a band of rows is filtered.
const COLUMNS: usize = 512;

/// What one task needs to filter bands.
struct Band {
    padded: Vec<f32>,
    across: Vec<f32>,
    spans: Vec<[usize; 2]>,
}

/// The filter itself, band by band: along rows, then along columns, leaving out what is
/// zero. The plane in between is never whole, so that it stays in the cache.
fn narrow_gaussian<F>(width: usize, height: usize, sigma: [f32; 2], fill: &F) -> Vec<f32>
where
    F: Fn(usize, &mut [f32]) + Sync,
{
    let (kx, ky) = (kernel(sigma[0]), kernel(sigma[1]));
    let (rx, ry) = (kx.len() - 1, ky.len() - 1);
    let mut down = vec![0.0_f32; width * height];
    down.par_chunks_mut(width * BAND_ROWS)
        .enumerate()
        .for_each_init(
            || Band {
                padded: vec![0.0; width + 2 * rx],
                across: vec![0.0; width * height.min(BAND_ROWS + 2 * ry)],
                spans: vec![],
            },
            |band, (number, rows)| {
                let top = number * BAND_ROWS;
                let count = rows.len() / width;
                let first = top.saturating_sub(ry);
                let last = (top + count + ry).min(height);
                let across = &mut band.across[..(last - first) * width];
                band.spans.clear();
                for (y, out) in (first..last).zip(across.chunks_exact_mut(width)) {
                    let row = &mut band.padded[rx..rx + width];
                    fill(y, row);
                    let span = reach(row, rx);
                    band.spans.push(span);
                    let [from, to] = span;
                    out[..from].fill(0.0);
                    out[to..].fill(0.0);
                    let padded = &band.padded[from..to + 2 * rx];
                    in_vectors(Along {
                        out: &mut out[from..to],
                        padded,
                        kernel: &kx,
                    });
                }
                let hulls: Vec<[usize; 2]> = (top..top + count)
                    .map(|y| {
                        band.spans[y.saturating_sub(ry).max(first) - first
                            ..(y + ry + 1).min(last) - first]
                            .iter()
                            .filter(|s| s[1] > s[0])
                            .fold([width, 0], |a, s| [a[0].min(s[0]), a[1].max(s[1])])
                    })
                    .collect();
                let across = &*across;
                for left in (0..width).step_by(COLUMNS) {
                    for ((y, out), [from, to]) in rows.chunks_mut(width).enumerate().zip(&hulls) {
                        let y = top + y;
                        let (from, to) = ((*from).max(left), (*to).min(left + COLUMNS));
                        if from >= to {
                            continue;
                        }
                        let out = &mut out[from..to];
                        let taps = |k: usize| {
                            let row = |y: usize| {
                                let at = (y - first) * width;
                                &across[at + from..at + to]
                            };
                            [
                                (y >= k).then(|| row(y - k)),
                                (y + k < height).then(|| row(y + k)),
                            ]
                        };
                        let rows: Vec<(f32, [Option<&[f32]>; 2])> =
                            ky.iter().enumerate().map(|(k, &c)| (c, taps(k))).collect();
                        in_vectors(Down { out, rows: &rows });
                    }
                }
            },
        );
    down
}

/// First column and the one after the last that a filter of that reach makes of a row.
fn reach(row: &[f32], reach: usize) -> [usize; 2] {
    let Some(first) = row.iter().position(|v| *v != 0.0) else {
        return [0, 0];
    };
    let last = row.iter().rposition(|v| *v != 0.0).unwrap_or(first);
    [
        first.saturating_sub(reach),
        (last + 1 + reach).min(row.len()),
    ]
}

/// A row of a filter along columns: the kernel with the rows that far above and below, where
/// there are any. Sums stay in registers while the kernel passes.
struct Down<'a, 'b> {
    out: &'a mut [f32],
    rows: &'a [(f32, [Option<&'b [f32]>; 2])],
}

impl Work for Down<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        const LANES: usize = 16;
        let Self { out, rows } = self;
        let Some((&(own, [Some(middle), _]), rest)) = rows.split_first() else {
            return;
        };
        let mut at = 0;
        let mut blocks = out.chunks_exact_mut(LANES);
        for out in &mut blocks {
            let mut sum = [0.0_f32; LANES];
            if let Some(v) = lanes::<LANES>(middle, at) {
                for j in 0..LANES {
                    sum[j] = own * v[j];
                }
            }
            for &(c, pair) in rest {
                match pair.map(|row| row.and_then(|row| lanes::<LANES>(row, at))) {
                    [Some(a), Some(b)] => {
                        for j in 0..LANES {
                            sum[j] += c * (a[j] + b[j]);
                        }
                    }
                    [Some(v), None] | [None, Some(v)] => {
                        for j in 0..LANES {
                            sum[j] += c * v[j];
                        }
                    }
                    [None, None] => {}
                }
            }
            out.copy_from_slice(&sum);
            at += LANES;
        }
        for o in blocks.into_remainder() {
            *o = own * middle[at];
            for &(c, pair) in rest {
                match pair {
                    [Some(a), Some(b)] => *o += c * (a[at] + b[at]),
                    [Some(v), None] | [None, Some(v)] => *o += c * v[at],
                    [None, None] => {}
                }
            }
            at += 1;
        }
    }
}

#[inline(always)]
fn lanes<const LANES: usize>(row: &[f32], at: usize) -> Option<&[f32; LANES]> {
    row.get(at..).and_then(<[f32]>::first_chunk::<LANES>)
}

/// The correlation of a row, given with a border of the kernel's reach on both sides.
struct Along<'a> {
    out: &'a mut [f32],
    padded: &'a [f32],
    kernel: &'a [f32],
}

impl Work for Along<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        const LANES: usize = 16;
        let Self {
            out,
            padded,
            kernel,
        } = self;
        let mut at = kernel.len() - 1;
        let mut blocks = out.chunks_exact_mut(LANES);
        for out in &mut blocks {
            let mut sum = [0.0_f32; LANES];
            for (s, v) in sum.iter_mut().zip(&padded[at..at + LANES]) {
                *s = kernel[0] * v;
            }
            for (k, &c) in kernel.iter().enumerate().skip(1) {
                let (a, b) = (
                    &padded[at - k..at - k + LANES],
                    &padded[at + k..at + k + LANES],
                );
                for j in 0..LANES {
                    sum[j] += c * (a[j] + b[j]);
                }
            }
            out.copy_from_slice(&sum);
            at += LANES;
        }
        for o in blocks.into_remainder() {
            *o = kernel[0] * padded[at];
            for (k, &c) in kernel.iter().enumerate().skip(1) {
                *o += c * (padded[at - k] + padded[at + k]);
            }
            at += 1;
        }
    }
}

/// Divides a filtered product by the filtered weights.
fn normalise(top: &mut [f32], bottom: &[f32], width: usize) {
    top.par_chunks_mut(width * ROWS)
        .zip(bottom.par_chunks(width * ROWS))
        .for_each(|(top, bottom)| {
            in_vectors(|| {
                for (t, b) in top.iter_mut().zip(bottom) {
                    *t = if *b > 1e-4 { *t / *b } else { 0.0 };
                }
            });
        });
}

/// Normalised convolution: a Gaussian mean over the cells that have weight.
pub(crate) fn smooth_weighted(
    plane: &[f32],
    weight: &[f32],
    width: usize,
    height: usize,
    sigma: [f32; 2],
) -> Vec<f32> {
    let mut top = gaussian_of(width, height, sigma, |y, row| {
        let (v, m) = (&plane[y * width..], &weight[y * width..]);
        for ((o, v), m) in row.iter_mut().zip(v).zip(m) {
            *o = v * m;
        }
    });
    normalise(
        &mut top,
        &gaussian(weight, width, height, sigma),
        width.max(1),
    );
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_constants_and_ignores_what_has_no_weight() {
        let (w, h) = (31, 17);
        let mut plane = vec![2.0; w * h];
        let mut weight = vec![1.0; w * h];
        plane[8 * w + 15] = 1e6;
        weight[8 * w + 15] = 0.0;
        let out = smooth_weighted(&plane, &weight, w, h, [2.0, 4.0]);
        assert!(out.iter().all(|v| (v - 2.0).abs() < 1e-4));
    }

    /// Bands meet where a filter reaches over both, and rows without anything lie between.
    #[test]
    fn bands_do_not_show() {
        let (w, h) = (90, 4 * BAND_ROWS + 7);
        let mut plane = vec![0.0; w * h];
        for (i, v) in plane.iter_mut().enumerate() {
            if (i / w) % 50 < 30 {
                *v = ((i * 7919) % 101) as f32;
            }
        }
        let sigma = [1.3, 2.6];
        let (kx, ky) = (kernel(sigma[0]), kernel(sigma[1]));
        let got = gaussian(&plane, w, h, sigma);
        let tap = |k: &[f32], d: isize| k.get(d.unsigned_abs()).copied().unwrap_or(0.0);
        for (x, y) in [(0, 0), (45, 63), (45, 64), (89, 128), (30, 191), (7, h - 1)] {
            let mut want = 0.0;
            for i in 0..w * h {
                let (dx, dy) = ((i % w) as isize - x as isize, (i / w) as isize - y as isize);
                want += tap(&kx, dx) * tap(&ky, dy) * plane[i];
            }
            let off = got[y * w + x] - want;
            assert!(off.abs() < 1e-3, "{x} {y}: {off}");
        }
    }
}
