//! A field in wider cells: what is large is found there as well, at a fraction of the cost.

use std::sync::Arc;

use rayon::prelude::*;

use crate::field::Field;
use crate::gaussian::add_chunks;

/// A field whose cells are means over those of a finer one.
#[derive(Debug, Clone)]
pub(crate) struct Wide {
    /// The means, with the noise that means have.
    pub(crate) field: Field,
    /// So many cells of the finer one, across and down, are one.
    pub(crate) times: [usize; 2],
}

impl Wide {
    /// Means over cells of about `aim_mm`.
    pub(crate) fn of(fine: &Field, aim_mm: f32) -> Self {
        let times = fine
            .cell_mm
            .map(|mm| (aim_mm / mm).round().clamp(1.0, 16.0) as usize);
        if times == [1, 1] {
            return Self {
                field: fine.clone(),
                times,
            };
        }
        let size = [fine.width, fine.height];
        let [width, height] = [0, 1].map(|k| size[k].div_ceil(times[k]));
        let count = width * height;
        let (mut weight, mut area_mm2) = (vec![0.0; count], vec![0.0; count]);
        let mut density = [vec![0.0; count], vec![0.0; count], vec![0.0; count]];
        let [red, green, blue] = &mut density;
        let full = (times[0] * times[1]) as f32;
        weight
            .par_chunks_mut(width)
            .zip(area_mm2.par_chunks_mut(width))
            .zip(red.par_chunks_mut(width))
            .zip(green.par_chunks_mut(width))
            .zip(blue.par_chunks_mut(width))
            .enumerate()
            .for_each_init(
                || vec![0.0_f32; fine.width],
                |line, (row, ((((weight, area), red), green), blue))| {
                    let rows = row * times[1]..((row + 1) * times[1]).min(fine.height);
                    let line_of = |y: usize| y * fine.width..(y + 1) * fine.width;
                    for y in rows {
                        let own = &fine.weight[line_of(y)];
                        add_chunks(weight, own, times[0]);
                        add_chunks(area, &fine.area_mm2[line_of(y)], times[0]);
                        for (plane, sums) in
                            fine.density
                                .iter()
                                .zip([&mut *red, &mut *green, &mut *blue])
                        {
                            for ((o, d), w) in line.iter_mut().zip(&plane[line_of(y)]).zip(own) {
                                *o = d * w;
                            }
                            add_chunks(sums, line, times[0]);
                        }
                    }
                    for (cell, w) in weight.iter_mut().enumerate().filter(|(_, w)| **w > 0.0) {
                        for sums in [&mut *red, &mut *green, &mut *blue] {
                            sums[cell] /= *w;
                        }
                        *w /= full;
                    }
                },
            );
        let field = Field {
            width,
            height,
            step: [0, 1].map(|k| fine.step[k] * times[k]),
            origin: fine.origin,
            cell_mm: [0, 1].map(|k| fine.cell_mm[k] * times[k] as f32),
            weight: Arc::new(weight),
            area_mm2: Arc::new(area_mm2),
            density,
            chroma_step: fine.chroma_step,
            noise: fine.noise.map(|n| n / f64::from(full).sqrt()),
            height_mm: None,
            shade: None,
        };
        Self { field, times }
    }

    /// The means of a plane in the cells of the field that this is of, by a weight of these;
    /// 0 where there is none.
    pub(crate) fn means(&self, plane: &[f32], weight: &[f32], width: usize) -> Vec<f32> {
        let times = self.times;
        let mut out = vec![0.0_f32; self.field.len()];
        out.par_chunks_mut(self.field.width.max(1))
            .enumerate()
            .for_each_init(
                || (vec![0.0_f32; width], vec![0.0_f32; self.field.width]),
                |(line, sums), (row, out)| {
                    sums.fill(0.0);
                    let rows = plane.chunks(width).zip(weight.chunks(width));
                    for (plane, weight) in rows.skip(row * times[1]).take(times[1]) {
                        for ((o, p), w) in line.iter_mut().zip(plane).zip(weight) {
                            *o = p * w;
                        }
                        add_chunks(out, line, times[0]);
                        add_chunks(sums, weight, times[0]);
                    }
                    for (o, sum) in out.iter_mut().zip(sums) {
                        *o = if *sum > 0.0 { *o / *sum } else { 0.0 };
                    }
                },
            );
        out
    }

    /// The cell over one of the finer field.
    pub(crate) fn over(&self, fine: &Field, cell: usize) -> usize {
        let (x, y) = (cell % fine.width, cell / fine.width);
        (y / self.times[1]) * self.field.width + x / self.times[0]
    }

    /// The cells of the finer field that some of these hold, in ascending order.
    pub(crate) fn finer(&self, cells: &[u32], fine: &Field) -> Vec<u32> {
        let times = self.times;
        let mut out = Vec::with_capacity(cells.len() * times[0] * times[1]);
        for &c in cells {
            let (x, y) = (c as usize % self.field.width, c as usize / self.field.width);
            for y in y * times[1]..((y + 1) * times[1]).min(fine.height) {
                let end = ((x + 1) * times[0]).min(fine.width);
                out.extend((x * times[0]..end).map(|x| (y * fine.width + x) as u32));
            }
        }
        out.sort_unstable();
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::{Extent, Sample};

    #[test]
    fn wide_cells_hold_the_mean_of_what_counts() {
        let extent = Extent {
            origin: [0, 0],
            size: [5, 4],
            px_mm: [0.15, 0.15],
            aim_mm: 0.15,
        };
        let fine = Field::reduce(extent, |x, y| {
            Some(Sample {
                density: [x as f32, y as f32, 1.0],
                area_mm2: 0.02,
                usable: x != 1,
            })
        });
        let wide = Wide::of(&fine, 0.3);
        assert_eq!(
            (wide.times, wide.field.width, wide.field.height),
            ([2, 2], 3, 2)
        );
        assert_eq!(wide.field.at(0), [0.0, 0.5, 1.0]);
        assert_eq!(wide.field.at(4), [2.5, 2.5, 1.0]);
        // Half of the cell at the edge lies beyond the raster.
        assert_eq!(wide.field.weight[..], [0.5, 1.0, 0.5, 0.5, 1.0, 0.5]);
        assert!((wide.field.area_mm2[0] - 0.08).abs() < 1e-6);
        assert_eq!(wide.field.step, [2, 2]);
        assert_eq!(wide.finer(&[2, 3], &fine), [4, 9, 10, 11, 15, 16]);
        assert!([4, 9, 10, 11].map(|c| wide.over(&fine, c)) == [2, 2, 3, 3]);
        let plane: Vec<f32> = (0..20).map(|i| (i % 5) as f32).collect();
        let means = wide.means(&plane, &fine.weight, fine.width);
        assert_eq!(means, [0.0, 2.5, 4.0, 0.0, 2.5, 4.0]);
    }
}
