//! The colour of the skin at the resolution that pigment and blood need.
//!
//! Spots and red areas are far larger than a pixel, so colour is averaged, as optical
//! density, into cells of about 0.15 mm before anything else happens. That takes the
//! noise and the cost down by the same factor and leaves sub-cell accuracy.

use rayon::prelude::*;

/// The side of a cell for spots and red areas, in millimetres.
pub(crate) const CELL_MM: f32 = 0.15;

/// What a pixel gives to its cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Optical density in R, G, B.
    pub(crate) density: [f32; 3],
    /// Its surface.
    pub(crate) area_mm2: f32,
    /// Whether the colour counts; the surface does in any case.
    pub(crate) usable: bool,
}

/// Mean optical density in cells of `step` pixels.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    /// Columns of cells.
    pub(crate) width: usize,
    /// Rows of cells.
    pub(crate) height: usize,
    /// Pixels in a cell, across and down.
    pub(crate) step: [usize; 2],
    /// The pixel at the upper left of the first cell.
    pub(crate) origin: [usize; 2],
    /// Typical size of a cell, across and down, in millimetres.
    pub(crate) cell_mm: [f32; 2],
    /// Share of a cell's pixels whose colour counts.
    pub(crate) weight: Vec<f32>,
    /// Surface of a cell in mm2.
    pub(crate) area_mm2: Vec<f32>,
    /// Mean optical density; 0 where `weight` is.
    pub(crate) density: [Vec<f32>; 3],
    /// The noise of a cell's density in each channel, where it was measured.
    pub(crate) noise: [f64; 3],
}

/// Which part of which raster, and the size of its pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    /// First column and row.
    pub(crate) origin: [usize; 2],
    /// Columns and rows.
    pub(crate) size: [usize; 2],
    /// Typical size of a pixel, across and down, in millimetres.
    pub(crate) px_mm: [f32; 2],
    /// The side of a cell that is aimed at, in millimetres.
    pub(crate) aim_mm: f32,
}

impl Extent {
    /// Pixels in a cell, across and down.
    pub(crate) fn step(&self) -> [usize; 2] {
        self.px_mm
            .map(|mm| (self.aim_mm / mm.max(1e-6)).round().clamp(1.0, 64.0) as usize)
    }

    /// Columns and rows of cells.
    pub(crate) fn cells(&self) -> [usize; 2] {
        let step = self.step();
        [0, 1].map(|k| self.size[k].div_ceil(step[k]).max(1))
    }

    /// The place of a point in cells (middles at whole numbers) in the raster, in pixels
    /// with middles at n + 0.5.
    pub(crate) fn pixel(&self, x: f64, y: f64) -> [f64; 2] {
        let step = self.step();
        [
            self.origin[0] as f64 + (x + 0.5) * step[0] as f64,
            self.origin[1] as f64 + (y + 0.5) * step[1] as f64,
        ]
    }
}

impl Field {
    /// Averages the pixels of an extent.
    #[cfg(test)]
    pub(crate) fn reduce<F>(extent: Extent, sample: F) -> Self
    where
        F: Fn(usize, usize) -> Option<Sample> + Sync,
    {
        Self::reduce_some(extent, |_| true, sample)
    }

    /// Averages the pixels of the cells that are wanted; all others have neither weight nor
    /// surface. `sample` gives a pixel of the raster by column and row, or `None` where
    /// there is no surface.
    pub(crate) fn reduce_some<W, F>(extent: Extent, wanted: W, sample: F) -> Self
    where
        W: Fn(usize) -> bool + Sync,
        F: Fn(usize, usize) -> Option<Sample> + Sync,
    {
        let step = extent.step();
        let [width, height] = extent.cells();
        let count = width * height;
        let mut weight = vec![0.0; count];
        let mut area_mm2 = vec![0.0; count];
        let mut density = [vec![0.0; count], vec![0.0; count], vec![0.0; count]];
        let [red, green, blue] = &mut density;
        weight
            .par_chunks_mut(width)
            .zip(area_mm2.par_chunks_mut(width))
            .zip(red.par_chunks_mut(width))
            .zip(green.par_chunks_mut(width))
            .zip(blue.par_chunks_mut(width))
            .enumerate()
            .for_each(|(row, ((((weight, area), red), green), blue))| {
                for column in (0..width).filter(|c| wanted(row * width + c)) {
                    let (mut sum, mut n, mut surface) = ([0.0_f32; 3], 0_u32, 0.0_f32);
                    for y in
                        (row * step[1]..(row + 1) * step[1]).take_while(|&y| y < extent.size[1])
                    {
                        for x in (column * step[0]..(column + 1) * step[0])
                            .take_while(|&x| x < extent.size[0])
                        {
                            let Some(s) = sample(extent.origin[0] + x, extent.origin[1] + y) else {
                                continue;
                            };
                            surface += s.area_mm2;
                            if s.usable {
                                n += 1;
                                for k in 0..3 {
                                    sum[k] += s.density[k];
                                }
                            }
                        }
                    }
                    area[column] = surface;
                    if n > 0 {
                        let scale = 1.0 / n as f32;
                        weight[column] = n as f32 / (step[0] * step[1]) as f32;
                        red[column] = sum[0] * scale;
                        green[column] = sum[1] * scale;
                        blue[column] = sum[2] * scale;
                    }
                }
            });
        Self {
            width,
            height,
            step,
            origin: extent.origin,
            cell_mm: [
                extent.px_mm[0] * step[0] as f32,
                extent.px_mm[1] * step[1] as f32,
            ],
            weight,
            area_mm2,
            density,
            noise: [0.0; 3],
        }
    }

    /// Number of cells.
    pub(crate) fn len(&self) -> usize {
        self.weight.len()
    }

    /// The density of one cell.
    pub(crate) fn at(&self, i: usize) -> [f32; 3] {
        [self.density[0][i], self.density[1][i], self.density[2][i]]
    }

    /// The place of a point of the field (in cells; middles at whole numbers) in the
    /// raster, in pixels with middles at n + 0.5.
    pub(crate) fn pixel(&self, x: f64, y: f64) -> [f64; 2] {
        [
            self.origin[0] as f64 + (x + 0.5) * self.step[0] as f64,
            self.origin[1] as f64 + (y + 0.5) * self.step[1] as f64,
        ]
    }

    /// A Gaussian of `sigma_mm` over the cells that count. Where none is within reach
    /// the result is 0.
    pub(crate) fn smooth(&self, plane: &[f32], weight: &[f32], sigma_mm: f32) -> Vec<f32> {
        let sigma = [sigma_mm / self.cell_mm[0], sigma_mm / self.cell_mm[1]];
        smooth_weighted(plane, weight, self.width, self.height, sigma)
    }
}

/// A Gaussian over fixed weights, for many planes.
#[derive(Debug, Clone)]
pub(crate) struct Smoother<'a> {
    weight: &'a [f32],
    bottom: Vec<f32>,
    sigma: [f32; 2],
}

impl<'a> Smoother<'a> {
    /// A Gaussian of `sigma_mm` over the cells that have weight.
    pub(crate) fn new(field: &Field, weight: &'a [f32], sigma_mm: f32) -> Self {
        let sigma = field.cell_mm.map(|mm| sigma_mm / mm);
        Self {
            weight,
            bottom: gaussian(weight, field.width, field.height, sigma),
            sigma,
        }
    }

    /// The smooth plane; 0 where no cell with weight is within reach.
    pub(crate) fn apply(&self, field: &Field, plane: &[f32]) -> Vec<f32> {
        let w = field.width;
        let product = |y: usize, row: &mut [f32]| {
            let (v, m) = (&plane[y * w..], &self.weight[y * w..]);
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
                for (o, cells) in out.iter_mut().zip(row.chunks(step[0])) {
                    *o += cells.iter().sum::<f32>();
                }
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

/// Brings blocks of cells back to cells, bilinearly.
pub(crate) fn enlarge(
    blocks: &[f32],
    [w, h]: [usize; 2],
    [width, height]: [usize; 2],
    step: [usize; 2],
) -> Vec<f32> {
    let along = |cell: usize, step: usize, count: usize| {
        let p = ((cell as f32 + 0.5) / step as f32 - 0.5).clamp(0.0, (count - 1) as f32);
        let first = (p as usize).min(count.saturating_sub(2));
        (first, p - first as f32)
    };
    let columns: Vec<(usize, f32)> = (0..width).map(|x| along(x, step[0], w)).collect();
    let (right, below) = (usize::from(w > 1), if h > 1 { w } else { 0 });
    let mut out = vec![0.0_f32; width * height];
    out.par_chunks_mut(width)
        .with_min_len(ROWS)
        .enumerate()
        .for_each_init(
            || vec![0.0_f32; w],
            |line, (y, out)| {
                let (by, fy) = along(y, step[1], h);
                let top = &blocks[by * w..(by + 1) * w];
                let low = &blocks[by * w + below..by * w + below + w];
                for ((o, t), l) in line.iter_mut().zip(top).zip(low) {
                    *o = t + (l - t) * fy;
                }
                for (o, &(bx, fx)) in out.iter_mut().zip(&columns) {
                    *o = line[bx] + (line[bx + right] - line[bx]) * fx;
                }
            },
        );
    out
}

/// Rows that one task filters.
const ROWS: usize = 32;
/// Columns that stay in the cache while a band of rows is filtered.
const COLUMNS: usize = 512;

/// The filter itself: along rows, then along columns, leaving out what is zero.
fn narrow_gaussian<F>(width: usize, height: usize, sigma: [f32; 2], fill: &F) -> Vec<f32>
where
    F: Fn(usize, &mut [f32]) + Sync,
{
    let (kx, ky) = (kernel(sigma[0]), kernel(sigma[1]));
    let (rx, ry) = (kx.len() - 1, ky.len() - 1);
    let mut across = vec![0.0_f32; width * height];
    // First and last column of each row that is not zero.
    let mut spans = vec![[0_usize; 2]; height];
    across
        .par_chunks_mut(width)
        .zip(&mut spans)
        .with_min_len(ROWS)
        .enumerate()
        .for_each_init(
            || vec![0.0_f32; width + 2 * rx],
            |padded, (y, (out, span))| {
                let row = &mut padded[rx..rx + width];
                fill(y, row);
                let Some(first) = row.iter().position(|v| *v != 0.0) else {
                    return;
                };
                let last = row.iter().rposition(|v| *v != 0.0).unwrap_or(first);
                *span = [first.saturating_sub(rx), (last + 1 + rx).min(width)];
                let [from, to] = *span;
                convolve(&mut out[from..to], &padded[from..to + 2 * rx], &kx);
            },
        );
    let hull = |y: usize| {
        spans[y.saturating_sub(ry)..(y + ry + 1).min(height)]
            .iter()
            .filter(|s| s[1] > s[0])
            .fold([width, 0], |a, s| [a[0].min(s[0]), a[1].max(s[1])])
    };
    let mut down = vec![0.0_f32; width * height];
    down.par_chunks_mut(width * ROWS)
        .enumerate()
        .for_each(|(band, rows)| {
            let hulls: Vec<[usize; 2]> = (0..rows.len() / width)
                .map(|y| hull(band * ROWS + y))
                .collect();
            for left in (0..width).step_by(COLUMNS) {
                for ((y, out), [from, to]) in rows.chunks_mut(width).enumerate().zip(&hulls) {
                    let y = band * ROWS + y;
                    let (from, to) = ((*from).max(left), (*to).min(left + COLUMNS));
                    if from >= to {
                        continue;
                    }
                    let out = &mut out[from..to];
                    let taps = |k: usize| {
                        let row = |y: usize| &across[y * width + from..y * width + to];
                        [
                            (y >= k).then(|| row(y - k)),
                            (y + k < height).then(|| row(y + k)),
                        ]
                    };
                    down_block(out, &ky, taps);
                }
            }
        });
    down
}

/// A row of a filter along columns: `taps` gives the rows that far above and below, where
/// there are any. Sums stay in registers while the kernel passes.
fn down_block<'a>(out: &mut [f32], kernel: &[f32], taps: impl Fn(usize) -> [Option<&'a [f32]>; 2]) {
    const LANES: usize = 16;
    let rows: Vec<(f32, [Option<&[f32]>; 2])> = kernel
        .iter()
        .enumerate()
        .map(|(k, &c)| (c, taps(k)))
        .collect();
    let Some((&(own, [Some(middle), _]), rest)) = rows.split_first() else {
        return;
    };
    let mut at = 0;
    let mut blocks = out.chunks_exact_mut(LANES);
    for out in &mut blocks {
        let lanes = |row: &'a [f32]| row.get(at..).and_then(<[f32]>::first_chunk::<LANES>);
        let mut sum = [0.0_f32; LANES];
        if let Some(v) = lanes(middle) {
            for j in 0..LANES {
                sum[j] = own * v[j];
            }
        }
        for &(c, pair) in rest {
            match pair.map(|row| row.and_then(lanes)) {
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

/// Correlates a row, given with a border of the kernel's reach on both sides.
fn convolve(out: &mut [f32], padded: &[f32], kernel: &[f32]) {
    const LANES: usize = 16;
    let reach = kernel.len() - 1;
    let mut at = reach;
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

/// Divides a filtered product by the filtered weights.
fn normalise(top: &mut [f32], bottom: &[f32], width: usize) {
    top.par_chunks_mut(width * ROWS)
        .zip(bottom.par_chunks(width * ROWS))
        .for_each(|(top, bottom)| {
            for (t, b) in top.iter_mut().zip(bottom) {
                *t = if *b > 1e-4 { *t / *b } else { 0.0 };
            }
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

/// The `q` quantile (0 to 1) of some numbers, which are reordered; `None` of nothing.
pub(crate) fn quantile(values: &mut [f32], q: f64) -> Option<f32> {
    if values.is_empty() {
        return None;
    }
    let at = ((values.len() - 1) as f64 * q).round() as usize;
    let (_, v, _) = values.select_nth_unstable_by(at, f32::total_cmp);
    Some(*v)
}

/// The quantile of numbers that weigh differently; `None` of nothing.
pub(crate) fn weighted_quantile(values: &mut [(f32, f32)], q: f64) -> Option<f32> {
    const BINS: usize = 4096;
    let (mut low, mut high, mut total) = (f32::INFINITY, f32::NEG_INFINITY, 0.0_f64);
    for (value, weight) in values.iter() {
        low = low.min(*value);
        high = high.max(*value);
        total += f64::from(*weight);
    }
    let mut sum = 0.0_f64;
    let mut end = values.len();
    // Many numbers are sorted only where the quantile lies.
    if values.len() > 2 * BINS && high > low {
        let bin = |v: f32| (((v - low) / (high - low) * BINS as f32) as usize).min(BINS - 1);
        let mut mass = vec![0.0_f64; BINS];
        for (value, weight) in values.iter() {
            mass[bin(*value)] += f64::from(*weight);
        }
        let mut at = 0;
        while at + 1 < BINS && sum + mass[at] < q * total {
            sum += mass[at];
            at += 1;
        }
        let mut kept = 0;
        for i in 0..values.len() {
            if bin(values[i].0) == at {
                values.swap(i, kept);
                kept += 1;
            }
        }
        end = kept;
    }
    let part = &mut values[..end];
    part.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    for (value, weight) in part.iter() {
        sum += f64::from(*weight);
        if sum >= q * total {
            return Some(*value);
        }
    }
    part.last().map(|v| v.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_the_mean_of_their_usable_pixels() {
        let extent = Extent {
            origin: [4, 2],
            size: [40, 20],
            px_mm: [0.0375, 0.075],
            aim_mm: 0.15,
        };
        let field = Field::reduce(extent, |x, y| {
            (x != 5).then_some(Sample {
                density: [x as f32, y as f32, 1.0],
                area_mm2: 0.005,
                usable: x != 4,
            })
        });
        assert_eq!((field.step, field.width, field.height), ([4, 2], 10, 10));
        assert_eq!(field.at(0), [6.5, 2.5, 1.0]);
        assert!((field.weight[0] - 0.5).abs() < 1e-6 && (field.area_mm2[0] - 0.03).abs() < 1e-6);
        assert_eq!(field.at(1), [9.5, 2.5, 1.0]);
        assert_eq!(field.pixel(0.0, 0.0), [6.0, 3.0]);
    }

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

    #[test]
    fn quantiles() {
        let mut v = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(quantile(&mut v, 0.5), Some(3.0));
        assert_eq!(quantile(&mut [], 0.5), None);
        let mut weighted = [(10.0, 1.0), (1.0, 0.1), (2.0, 0.1)];
        assert_eq!(weighted_quantile(&mut weighted, 0.5), Some(10.0));
        let many: Vec<(f32, f32)> = (0..50_000)
            .map(|i| (((i * 7919) % 50_000) as f32, 1.0))
            .collect();
        for q in [0.1, 0.5, 0.77] {
            let found = weighted_quantile(&mut many.clone(), q);
            assert_eq!(found, Some((q * 50_000.0) as f32 - 1.0));
        }
    }
}
