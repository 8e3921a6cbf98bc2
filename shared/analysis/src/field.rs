//! The colour of the skin at the resolution that pigment and blood need.
//!
//! Spots and red areas are far larger than a pixel, so colour is averaged, as optical
//! density, into cells of about 0.15 mm before anything else happens. That takes the
//! noise and the cost down by the same factor and leaves sub-cell accuracy.

use std::ops::Range;
use std::sync::Arc;

use dermalia_surface::{Work, in_vectors};
use rayon::prelude::*;

use crate::gaussian::{add_chunks, smooth_weighted};

/// The side of a cell for spots and red areas, in millimetres.
pub(crate) const CELL_MM: f32 = 0.15;

/// The share of a cell that has to be seen.
const LEAST_WEIGHT: f32 = 0.2;

/// What a drawn pixel gives to its cell.
#[cfg(test)]
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
    pub(crate) weight: Arc<Vec<f32>>,
    /// Surface of a cell in mm2.
    pub(crate) area_mm2: Arc<Vec<f32>>,
    /// Mean optical density; 0 where `weight` is.
    pub(crate) density: [Vec<f32>; 3],
    /// The noise of a cell's density in each channel, where it was measured.
    pub(crate) noise: [f64; 3],
    /// Of the picture, see [`dermalia_scan::Pixels::chroma_step`].
    pub(crate) chroma_step: Option<f32>,
    /// Mean height of the relief in mm, where one is asked for; NaN where it is not known.
    pub(crate) height_mm: Option<Arc<Vec<f32>>>,
    /// What of each density a lamp made and has been taken off, one a cell.
    pub(crate) shade: Option<Arc<Vec<f32>>>,
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

    /// The rows of the raster in a row of cells.
    fn rows(&self, row: usize) -> Range<usize> {
        let step = self.step()[1];
        let end = ((row + 1) * step).min(self.size[1]);
        self.origin[1] + row * step..self.origin[1] + end
    }

    /// The columns of the raster under some cells.
    fn columns(&self, cells: &Range<usize>) -> Range<usize> {
        let step = self.step()[0];
        let end = (cells.end * step).min(self.size[0]);
        self.origin[0] + cells.start * step..self.origin[0] + end
    }

    /// Sums over the cells that are wanted; 0 for all others. `read` writes the values of
    /// some columns of a row of the raster.
    pub(crate) fn sums<F>(&self, wanted: &[bool], read: F) -> Vec<f32>
    where
        F: Fn(usize, Range<usize>, &mut [f32]) + Sync,
    {
        let [width, height] = self.cells();
        let mut out = vec![0.0_f32; width * height];
        out.par_chunks_mut(width)
            .zip(wanted.par_chunks(width))
            .enumerate()
            .for_each_init(
                || vec![0.0_f32; self.size[0]],
                |line, (row, (out, wanted))| {
                    let Some(cells) = hull(wanted) else {
                        return;
                    };
                    let columns = self.columns(&cells);
                    let line = &mut line[..columns.len()];
                    for y in self.rows(row) {
                        read(y, columns.clone(), line);
                        add_chunks(&mut out[cells.clone()], line, self.step()[0]);
                    }
                    for (sum, _) in out.iter_mut().zip(wanted).filter(|(_, w)| !**w) {
                        *sum = 0.0;
                    }
                },
            );
        out
    }
}

/// From the first to the last cell of a row that is wanted.
fn hull(wanted: &[bool]) -> Option<Range<usize>> {
    let first = wanted.iter().position(|w| *w)?;
    let last = wanted.iter().rposition(|w| *w)?;
    Some(first..last + 1)
}

/// Rows of cells that are averaged together.
const STRIP_CELLS: usize = 16;

/// Sums of the pixels of cells side by side: density in R, G, B, and how many count.
pub(crate) type Sums<'a> = [&'a mut [f32]; 4];

/// Makes means and weights of the sums of cells that are wanted, and nothing of others.
struct Means<'a> {
    sums: Sums<'a>,
    wanted: &'a [bool],
    /// Pixels of a whole cell.
    full: f32,
}

impl Work for Means<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let [red, green, blue, weight] = self.sums;
        let planes = red.iter_mut().zip(green).zip(blue);
        for ((w, wanted), ((r, g), b)) in weight.iter_mut().zip(self.wanted).zip(planes) {
            let counts = *wanted & (*w > 0.0);
            let scale = if counts { 1.0 / *w } else { 0.0 };
            *r *= scale;
            *g *= scale;
            *b *= scale;
            *w = if counts { *w / self.full } else { 0.0 };
        }
    }
}

impl Field {
    /// Averages the pixels of an extent.
    #[cfg(test)]
    pub(crate) fn reduce<F>(extent: Extent, sample: F) -> Self
    where
        F: Fn(usize, usize) -> Option<Sample> + Sync,
    {
        let [width, height] = extent.cells();
        let wanted = vec![true; width * height];
        let area_mm2 = extent.sums(&wanted, |y, columns, line| {
            for (o, x) in line.iter_mut().zip(columns) {
                *o = sample(x, y).map_or(0.0, |s| s.area_mm2);
            }
        });
        let step = extent.step()[0];
        let add = |y: usize, columns: Range<usize>, sums: &mut Sums<'_>| {
            for (i, x) in columns.enumerate() {
                let Some([r, g, b]) = sample(x, y).filter(|s| s.usable).map(|s| s.density) else {
                    continue;
                };
                for (sums, v) in sums.iter_mut().zip([r, g, b, 1.0]) {
                    sums[i / step] += v;
                }
            }
        };
        Self::reduce_some(extent, &wanted, Arc::new(area_mm2), |_| &add)
    }

    /// Averages the pixels of the cells that are wanted; all others have no weight. `strip`
    /// gives what adds the pixels of some columns of a row, of a few rows of the raster, to
    /// the sums of their cells. `area_mm2` is the surface of each cell.
    pub(crate) fn reduce_some<F, A>(
        extent: Extent,
        wanted: &[bool],
        area_mm2: Arc<Vec<f32>>,
        strip: F,
    ) -> Self
    where
        F: Fn(Range<usize>) -> A + Sync,
        A: Fn(usize, Range<usize>, &mut Sums<'_>),
    {
        let step = extent.step();
        let [width, height] = extent.cells();
        let count = width * height;
        let mut weight = vec![0.0; count];
        let mut density = [vec![0.0; count], vec![0.0; count], vec![0.0; count]];
        let [red, green, blue] = &mut density;
        let full = (step[0] * step[1]) as f32;
        let part = STRIP_CELLS * width;
        weight
            .par_chunks_mut(part)
            .zip(red.par_chunks_mut(part))
            .zip(green.par_chunks_mut(part))
            .zip(blue.par_chunks_mut(part))
            .zip(wanted.par_chunks(part))
            .enumerate()
            .for_each(|(number, ((((weight, red), green), blue), wanted))| {
                let hulls = wanted.chunks(width).map(hull);
                let rows: Vec<(usize, Range<usize>)> = hulls
                    .enumerate()
                    .filter_map(|(row, cells)| Some((row, cells?)))
                    .collect();
                let ([(first, _), ..], [.., (last, _)]) = (&rows[..], &rows[..]) else {
                    return;
                };
                let rows_of = |row: usize| extent.rows(number * STRIP_CELLS + row);
                let add = strip(rows_of(*first).start..rows_of(*last).end);
                for (row, cells) in &rows {
                    let columns = extent.columns(cells);
                    let cells = row * width + cells.start..row * width + cells.end;
                    let mut sums = [&mut *red, &mut *green, &mut *blue, &mut *weight]
                        .map(|s| &mut s[cells.clone()]);
                    for y in rows_of(*row) {
                        add(y, columns.clone(), &mut sums);
                    }
                    in_vectors(Means {
                        sums,
                        wanted: &wanted[cells],
                        full,
                    });
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
            weight: Arc::new(weight),
            area_mm2,
            density,
            noise: [0.0; 3],
            chroma_step: None,
            height_mm: None,
            shade: None,
        }
    }

    /// The same cells with another density, whose noise is not known.
    pub(crate) fn with_density(&self, density: [Vec<f32>; 3]) -> Self {
        Self {
            weight: Arc::clone(&self.weight),
            area_mm2: Arc::clone(&self.area_mm2),
            density,
            noise: [0.0; 3],
            height_mm: self.height_mm.clone(),
            shade: None,
            ..*self
        }
    }

    /// Takes the density off that a lamp makes.
    pub(crate) fn take_off(&mut self, shade: Vec<f32>) {
        for plane in &mut self.density {
            plane.iter_mut().zip(&shade).for_each(|(d, s)| *d -= s);
        }
        self.shade = Some(Arc::new(shade));
    }

    /// The cells whose colour counts for most.
    pub(crate) fn usable(&self) -> Vec<bool> {
        self.weight.iter().map(|w| *w > LEAST_WEIGHT).collect()
    }

    /// The weight of the cells that are usable.
    pub(crate) fn weight_of(&self, usable: &[bool]) -> Vec<f32> {
        let cells = self.weight.iter().zip(usable);
        cells.map(|(w, u)| if *u { *w } else { 0.0 }).collect()
    }

    /// Number of cells.
    pub(crate) fn len(&self) -> usize {
        self.weight.len()
    }

    /// The surface of some cells in mm2.
    pub(crate) fn surface(&self, cells: &[u32]) -> f32 {
        cells.iter().map(|&c| self.area_mm2[c as usize]).sum()
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
