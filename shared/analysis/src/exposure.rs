//! Pictures that are not measured: only how they are exposed is told, from their own pixels.

use dermalia_scan::{Pixels, Samples};
use dermalia_surface::{Work, in_vectors};
use rayon::prelude::*;

use crate::Atlas;
use crate::atlas::is_measured;

/// The pixels of a picture with a channel at either end of its range, as bits of rows.
pub(crate) struct Exposure {
    width: usize,
    height: usize,
    beyond: Vec<u64>,
}

/// Whether a level of 8 bits is at either end: one more than it is 0 or 1.
#[inline(always)]
pub(crate) fn at_end_8(level: u8) -> bool {
    level.wrapping_add(1) < 2
}

/// The same of 16 bits, to the nearest of 8.
#[inline(always)]
pub(crate) fn at_end_16(level: u16) -> bool {
    !(128..=65_407).contains(&level)
}

/// Pixels of a word.
const WORD: usize = u64::BITS as usize;

/// The bits of one row.
struct Row<'a, T, F> {
    levels: &'a [T],
    out: &'a mut [u64],
    is_beyond: F,
}

impl<T: Copy, F: Fn(T) -> bool> Work for Row<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        for (word, px) in self.out.iter_mut().zip(self.levels.chunks(3 * WORD)) {
            *word = 0;
            // Seldom there is any.
            if px.iter().fold(false, |any, l| any | (self.is_beyond)(*l)) {
                for (k, px) in px.as_chunks::<3>().0.iter().enumerate() {
                    let [r, g, b] = px.map(&self.is_beyond);
                    *word |= u64::from(r | g | b) << k;
                }
            }
        }
    }
}

impl Exposure {
    /// Of a whole picture of the atlas.
    pub(crate) fn of(pixels: &Pixels) -> Self {
        let (width, height) = (pixels.width, pixels.height);
        let stride = width.div_ceil(WORD);
        let mut beyond = vec![0; stride * height];
        beyond
            .par_chunks_mut(stride.max(1))
            .enumerate()
            .for_each(|(y, out)| {
                let row = 3 * y * width..3 * (y + 1) * width;
                match &pixels.samples {
                    Samples::Eight(v) => in_vectors(Row {
                        levels: &v[row],
                        out,
                        is_beyond: at_end_8,
                    }),
                    Samples::Sixteen(v) => in_vectors(Row {
                        levels: &v[row],
                        out,
                        is_beyond: at_end_16,
                    }),
                }
            });
        Self {
            width,
            height,
            beyond,
        }
    }

    /// The row of the working raster under the middles of a row's pixels.
    fn row_of(&self, y: usize, atlas: &Atlas) -> Option<usize> {
        let full = ((2 * y + 1) * atlas.full_px[1]) / (2 * self.height);
        full.checked_sub(atlas.origin_px[1])
            .filter(|y| *y < atlas.height)
    }

    /// The first column that lies in the working raster, and its column there, and those of
    /// the others.
    fn columns_of(&self, atlas: &Atlas) -> (usize, Vec<u32>) {
        let column = |x: usize| {
            let full = ((2 * x + 1) * atlas.full_px[0]) / (2 * self.width);
            full.checked_sub(atlas.origin_px[0])
                .filter(|x| *x < atlas.width)
                .map(|x| x as u32)
        };
        let first = (0..self.width).find(|x| column(*x).is_some()).unwrap_or(0);
        (first, (first..self.width).map_while(column).collect())
    }

    /// Pixels of the measured skin.
    fn measured_px(&self, atlas: &Atlas) -> u64 {
        let (_, columns) = self.columns_of(atlas);
        (0..self.height)
            .into_par_iter()
            .filter_map(|y| self.row_of(y, atlas))
            .map(|row| {
                let labels = &atlas.labels[row * atlas.width..(row + 1) * atlas.width];
                let measured = columns.iter().filter(|x| is_measured(labels[**x as usize]));
                measured.count() as u64
            })
            .sum()
    }

    /// Those of them that are over- or under-exposed.
    fn clipped_px(&self, atlas: &Atlas) -> u64 {
        let (first, columns) = self.columns_of(atlas);
        let stride = self.width.div_ceil(WORD);
        (0..self.height)
            .into_par_iter()
            .filter_map(|y| Some((y, self.row_of(y, atlas)?)))
            .map(|(y, row)| {
                let labels = &atlas.labels[row * atlas.width..(row + 1) * atlas.width];
                let mut count = 0;
                for (k, word) in self.beyond[y * stride..(y + 1) * stride].iter().enumerate() {
                    let mut rest = *word;
                    while rest != 0 {
                        let x = k * WORD + rest.trailing_zeros() as usize;
                        rest &= rest - 1;
                        let column = x.checked_sub(first).and_then(|x| columns.get(x));
                        count +=
                            u64::from(column.is_some_and(|x| is_measured(labels[*x as usize])));
                    }
                }
                count
            })
            .sum()
    }
}

/// The greatest fraction of the measured skin with a channel at either end of its range, of
/// any of the pictures.
pub(crate) fn most_clipped(pictures: &[Exposure], atlas: &Atlas) -> f64 {
    // Pictures mostly have one size.
    let mut sizes: Vec<([usize; 2], u64)> = vec![];
    let mut most = 0.0_f64;
    for picture in pictures {
        let size = [picture.width, picture.height];
        let known = sizes.iter().find(|s| s.0 == size).map(|s| s.1);
        let measured = known.unwrap_or_else(|| picture.measured_px(atlas));
        if known.is_none() {
            sizes.push((size, measured));
        }
        most = most.max(picture.clipped_px(atlas) as f64 / measured.max(1) as f64);
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::atlas::label::{LANDMARK_MASK, NO_SURFACE};
    use crate::{Scale, preparation};
    use dermalia_surface::{Mesh, rasterize_uv};

    fn atlas(side: usize) -> Atlas {
        let mesh = Mesh::sheet(50.0, 50.0);
        let raster = rasterize_uv(&mesh, side, side);
        let bits = crate::labels::whole_surface(&raster.triangle);
        preparation::crop(&mesh, raster, bits, Scale::Stated).unwrap()
    }

    #[test]
    fn clipped_pixels_are_counted_on_measured_skin_only() {
        let mut atlas = atlas(200);
        // Measured: the middle columns.
        for (i, label) in atlas.labels.iter_mut().enumerate() {
            match i % 200 {
                0..50 => *label |= LANDMARK_MASK,
                150.. => *label = NO_SURFACE,
                _ => {}
            }
        }
        let (w, h) = (100, 80);
        let picture = |level: fn(usize, usize) -> u8| {
            let samples = (0..w * h)
                .flat_map(|i| [90, level(i % w, i / w), 100])
                .collect();
            Exposure::of(&Pixels {
                width: w,
                height: h,
                grey: false,
                chroma_step: None,
                samples: Samples::Eight(samples),
            })
        };
        // A tenth of the rows is white, a column of the measured half black.
        let one = picture(|x, y| if y < 8 { 255 } else { u8::from(x != 60) });
        let expected = 0.1 + 0.9 / 50.0;
        let other = picture(|x, _| if x < 25 { 0 } else { 254 });
        assert_eq!(most_clipped(&[other], &atlas), 0.0);
        let found = most_clipped(&[picture(|_, _| 7), one], &atlas);
        assert!((found - expected).abs() < 1e-12, "{found}");
    }

    #[test]
    fn sixteen_bits_end_half_a_level_of_eight_before() {
        let levels = [127_u16, 128, 65_407, 65_408];
        let samples = levels.iter().flat_map(|l| [9000, 9000, *l]).collect();
        let exposure = Exposure::of(&Pixels {
            width: 4,
            height: 1,
            grey: false,
            chroma_step: None,
            samples: Samples::Sixteen(samples),
        });
        assert_eq!(exposure.beyond, [0b1001]);
    }
}
