//! All pictures of a scan in one raster.

use std::borrow::Cow;
use std::ops::Range;

use dermalia_findings::{Feature, Measure, ParameterMap, Region};
use dermalia_scan::manifest::{Light, SkinState};
use dermalia_scan::{Pixels, Samples};
use dermalia_surface::{Work, in_vectors};
use rayon::prelude::*;

use crate::Atlas;
use crate::atlas::LabelAreas;
use crate::labelled;
use crate::relief::Relief;

/// Rows that one task brings to the raster.
const BAND_ROWS: usize = 64;

/// A level, 0 to 65535, to the nearest whole number, halves upwards; unlike a conversion it
/// asks for no branch, and so is done in vectors.
#[inline(always)]
fn rounded(level: f32) -> u32 {
    // From here on the last bit of a number is worth 1.
    const WHOLE: f32 = 8_388_608.0;
    let up = level + 0.5;
    let even = up + WHOLE;
    let above = u32::from(even - WHOLE > up);
    (even.to_bits() & 0x007F_FFFF) - above
}

/// A sample of a picture.
pub(crate) trait Level: Copy + Default + Ord + Send + Sync + Into<f32> {
    /// The nearest to a number of its range.
    fn nearest(level: f32) -> Self;
}

impl Level for u8 {
    #[inline(always)]
    fn nearest(level: f32) -> Self {
        rounded(level) as Self
    }
}

impl Level for u16 {
    #[inline(always)]
    fn nearest(level: f32) -> Self {
        rounded(level) as Self
    }
}

/// The part of the whole atlas that is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) origin_px: [usize; 2],
    pub(crate) full_px: [usize; 2],
}

impl Window {
    /// The window of an atlas.
    pub(crate) fn of(atlas: &Atlas) -> Self {
        Self {
            width: atlas.width,
            height: atlas.height,
            origin_px: atlas.origin_px,
            full_px: atlas.full_px,
        }
    }

    /// The point of a whole picture of another size under the middle of a pixel.
    pub(crate) fn to_picture(self, x: usize, y: usize, width: usize, height: usize) -> [f32; 2] {
        [
            ((x + self.origin_px[0]) as f64 + 0.5) * width as f64 / self.full_px[0] as f64,
            ((y + self.origin_px[1]) as f64 + 0.5) * height as f64 / self.full_px[1] as f64,
        ]
        .map(|v| v as f32)
    }

    /// How many pixels of the raster one of a whole picture covers, along a side.
    pub(crate) fn magnification(&self, width: usize, height: usize) -> f32 {
        let (x, y) = (
            self.full_px[0] as f64 / width as f64,
            self.full_px[1] as f64 / height as f64,
        );
        (x * y).sqrt() as f32
    }

    /// A whole picture of the atlas cut and brought to the raster.
    pub(crate) fn cut(&self, pixels: Pixels, light: Light) -> RegisteredPicture {
        self.cut_and_leave(pixels, light).0
    }

    /// The same, with the memory of the whole picture where it is no longer needed.
    pub(crate) fn cut_and_leave(
        &self,
        pixels: Pixels,
        light: Light,
    ) -> (RegisteredPicture, Vec<u8>) {
        let magnification = self.magnification(pixels.width, pixels.height);
        let (grey, chroma_step) = (pixels.grey, pixels.chroma_step);
        let size = [pixels.width, pixels.height];
        let (samples, room) = match pixels.samples {
            Samples::Eight(v) => {
                let (cut, room) = self.cut_channels(v, size);
                (Samples::Eight(cut), room)
            }
            Samples::Sixteen(v) => (Samples::Sixteen(self.cut_channels(v, size).0), vec![]),
        };
        let picture = RegisteredPicture {
            light,
            grey,
            chroma_step,
            magnification,
            samples,
        };
        (picture, room)
    }

    /// Three channels a pixel cut out, and the memory that is left.
    fn cut_channels<T: Level>(
        &self,
        mut source: Vec<T>,
        [width, height]: [usize; 2],
    ) -> (Vec<T>, Vec<T>) {
        if [width, height] == self.full_px {
            let [left, top] = self.origin_px;
            let part = [3 * left, top, 3 * (left + self.width), top + self.height];
            labelled::keep(&mut source, 3 * width, part);
            return (source, vec![]);
        }
        let row = 3 * self.width;
        let mut out = vec![T::default(); row * self.height];
        let enlarged = Enlarged::new(self, &source, width, height);
        out.par_chunks_mut((BAND_ROWS * row).max(1))
            .enumerate()
            .for_each(|(band, lines)| {
                in_vectors(Band {
                    picture: &enlarged,
                    first: band * BAND_ROWS,
                    lines,
                });
            });
        (out, source)
    }

    /// The samples of a whole picture of the atlas in the raster.
    pub(crate) fn lines<'a>(&'a self, pixels: &'a Pixels) -> Channels<'a> {
        let size = [pixels.width, pixels.height];
        match &pixels.samples {
            Samples::Eight(v) => Channels::Eight(self.lines_of(v, size)),
            Samples::Sixteen(v) => Channels::Sixteen(self.lines_of(v, size)),
        }
    }

    fn lines_of<'a, T: Level>(
        &'a self,
        source: &'a [T],
        [width, height]: [usize; 2],
    ) -> Lines<'a, T> {
        if [width, height] == self.full_px {
            let [left, top] = self.origin_px;
            return Lines::There {
                samples: &source[3 * (top * width + left)..],
                stride: 3 * width,
            };
        }
        Lines::Enlarged(Enlarged::new(self, source, width, height))
    }
}

/// The samples of a picture in the raster, three a pixel.
pub(crate) enum Channels<'a> {
    Eight(Lines<'a, u8>),
    Sixteen(Lines<'a, u16>),
}

/// Rows of the raster that are there already or are brought to it where they are read.
pub(crate) enum Lines<'a, T> {
    There { samples: &'a [T], stride: usize },
    Enlarged(Enlarged<'a, T>),
}

impl<T: Level> Lines<'_, T> {
    /// Some rows.
    pub(crate) fn strip(&self, rows: Range<usize>) -> Strip<'_, T> {
        match self {
            Self::There { samples, stride } => Strip {
                lines: Cow::Borrowed(&samples[rows.start * stride..]),
                first: rows.start,
                stride: *stride,
            },
            Self::Enlarged(picture) => {
                let stride = 3 * picture.window.width;
                let mut lines = vec![T::default(); stride * rows.len()];
                in_vectors(Band {
                    picture,
                    first: rows.start,
                    lines: &mut lines,
                });
                Strip {
                    lines: Cow::Owned(lines),
                    first: rows.start,
                    stride,
                }
            }
        }
    }
}

/// Rows of a picture.
pub(crate) struct Strip<'a, T: Level> {
    lines: Cow<'a, [T]>,
    first: usize,
    stride: usize,
}

impl<T: Level> Strip<'_, T> {
    /// Pixels side by side.
    #[inline(always)]
    pub(crate) fn pixels(&self, y: usize, columns: Range<usize>) -> &[[T; 3]] {
        let row = &self.lines[(y - self.first) * self.stride..];
        row[3 * columns.start..3 * columns.end].as_chunks::<3>().0
    }
}

/// A picture of another size than the raster's, between its pixels.
pub(crate) struct Enlarged<'a, T> {
    window: &'a Window,
    source: &'a [T],
    width: usize,
    height: usize,
    /// Where the left one of two neighbours begins in a row, and the share of the right one.
    columns: Vec<(usize, f32)>,
}

/// Rows of the raster from `first` on, to be filled.
struct Band<'a, 'p, T> {
    picture: &'a Enlarged<'p, T>,
    first: usize,
    lines: &'a mut [T],
}

impl<T: Level> Work for Band<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.picture.band(self.first, self.lines);
    }
}

/// Two neighbours and the share of the second, of a place along one side.
#[inline(always)]
fn taps(place: f32, size: usize) -> (usize, usize, f32) {
    let at = (place - 0.5).clamp(0.0, (size - 1) as f32);
    let first = at as usize;
    (first, (first + 1).min(size - 1), at - first as f32)
}

impl<'a, T: Level> Enlarged<'a, T> {
    fn new(window: &'a Window, source: &'a [T], width: usize, height: usize) -> Self {
        let columns = (0..window.width)
            .map(|x| taps(window.to_picture(x, 0, width, height)[0], width))
            .map(|(first, _, t)| (3 * first, t))
            .collect();
        Self {
            window,
            source,
            width,
            height,
            columns,
        }
    }

    #[inline(always)]
    fn band(&self, first: usize, lines: &mut [T]) {
        let row = 3 * self.columns.len();
        let mut wide = vec![0.0_f32; 3 * self.width + 4];
        let mut rows = [vec![0.0_f32; row + 1], vec![0.0_f32; row + 1]];
        let mut held = [usize::MAX; 2];
        for (y, line) in lines.chunks_exact_mut(row.max(1)).enumerate() {
            let [_, place] = self
                .window
                .to_picture(0, first + y, self.width, self.height);
            let (y0, y1, ty) = taps(place, self.height);
            if held[1] == y0 && held[0] != y0 {
                rows.swap(0, 1);
                held.swap(0, 1);
            }
            for (k, wanted) in [y0, y1].into_iter().enumerate() {
                if held[k] != wanted {
                    self.across(wanted, &mut wide, &mut rows[k]);
                    held[k] = wanted;
                }
            }
            let [top, bottom] = &rows;
            for ((o, top), bottom) in line.iter_mut().zip(top).zip(bottom) {
                *o = T::nearest(top + ty * (bottom - top));
            }
        }
    }

    /// A row of the picture brought to the columns of the raster. Enlarged, each is needed
    /// by more than one row of the raster.
    #[inline(always)]
    fn across(&self, y: usize, wide: &mut [f32], line: &mut [f32]) {
        let source = &self.source[3 * y * self.width..3 * (y + 1) * self.width];
        let (own, beside) = wide.split_at_mut(source.len());
        for (wide, v) in own.iter_mut().zip(source) {
            *wide = (*v).into();
        }
        // The last pixel has itself beside it.
        beside[..3].copy_from_slice(&own[own.len() - 3..]);
        for (x, &(at, t)) in self.columns.iter().enumerate() {
            // Four at once, of which the next pixel overwrites the last.
            if let Some(pair) = wide.get(at..).and_then(<[f32]>::first_chunk::<7>)
                && let Some(out) = line
                    .get_mut(3 * x..)
                    .and_then(<[f32]>::first_chunk_mut::<4>)
            {
                for c in 0..4 {
                    out[c] = pair[c] + t * (pair[c + 3] - pair[c]);
                }
            }
        }
    }
}

/// A picture in the working raster: exactly `atlas.width` x `atlas.height` pixels.
#[derive(Debug, Clone)]
pub struct RegisteredPicture {
    /// Under which light.
    pub light: Light,
    /// Whether it carries no colour.
    pub grey: bool,
    /// See [`Pixels::chroma_step`].
    pub chroma_step: Option<f32>,
    /// Pixels of the working raster that one of the picture's own covers, along a side;
    /// above 1 where the picture was enlarged.
    pub magnification: f32,
    /// Three channels a pixel, gamma-encoded sRGB.
    pub samples: Samples,
}

impl RegisteredPicture {
    /// The samples, given the width of the raster.
    pub(crate) fn lines(&self, width: usize) -> Channels<'_> {
        let stride = 3 * width;
        match &self.samples {
            Samples::Eight(samples) => Channels::Eight(Lines::There { samples, stride }),
            Samples::Sixteen(samples) => Channels::Sixteen(Lines::There { samples, stride }),
        }
    }

    /// The gamma-encoded channels of a pixel, 0 to 1.
    #[must_use]
    pub fn srgb(&self, i: usize) -> [f32; 3] {
        match &self.samples {
            Samples::Eight(v) => [0, 1, 2].map(|c| f32::from(v[3 * i + c]) / 255.0),
            Samples::Sixteen(v) => [0, 1, 2].map(|c| f32::from(v[3 * i + c]) / 65535.0),
        }
    }
}

/// What every parameter is measured on.
#[derive(Debug)]
pub struct Context<'a> {
    /// The working raster.
    pub atlas: &'a Atlas,
    /// The pictures in it, in the order of the manifest; several can share a light.
    pub pictures: &'a [RegisteredPicture],
    /// The height map in it.
    pub relief: Option<&'a Relief>,
    /// Why the scan's height map is not that.
    pub(crate) relief_fault: Option<String>,
    /// What lies on the skin.
    pub skin: SkinState,
    /// The surface of its labels.
    pub(crate) areas: LabelAreas,
}

impl<'a> Context<'a> {
    /// Of a raster whose labels stay what they are.
    #[must_use]
    pub fn new(
        atlas: &'a Atlas,
        pictures: &'a [RegisteredPicture],
        relief: Option<&'a Relief>,
        skin: SkinState,
    ) -> Self {
        Self {
            atlas,
            pictures,
            relief,
            relief_fault: None,
            skin,
            areas: atlas.label_areas(),
        }
    }

    /// The first picture under the first of `lights` that there is.
    #[must_use]
    pub fn best(&self, lights: &[Light]) -> Option<&RegisteredPicture> {
        lights
            .iter()
            .find_map(|l| self.pictures.iter().find(|p| p.light == *l))
    }
}

/// Shares of features, by region.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Doubtful {
    pub(crate) pores: [f64; 14],
    pub(crate) wrinkles: [f64; 14],
    /// Of wrinkles' depth, that a coarse relief does not show.
    pub(crate) depth: [f64; 14],
}

/// What one parameter gives to the findings.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What was found, in any order.
    pub features: Vec<Feature>,
    /// Its measures, in any order; one that is missing is reported as not measured.
    pub measures: Vec<(Region, Measure)>,
    /// Strength over the working raster (not yet reduced).
    pub map: Option<ParameterMap>,
    /// The share of its pores or wrinkles in each region that hardly stand out of the noise,
    /// and of their depth that is reckoned.
    pub(crate) doubtful: Doubtful,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_rounded_as_a_conversion_does() {
        for k in 0..=4 * 65_535_u32 {
            let level = k as f32 / 4.0;
            assert_eq!(rounded(level), (level + 0.5) as u32, "{level}");
        }
        for level in [0.499_999_97_f32, 0.500_000_06, 254.499_98, 127.500_01] {
            assert_eq!(rounded(level), (level + 0.5) as u32, "{level}");
        }
    }

    /// Pixel by pixel, as bilinear interpolation is written down.
    #[test]
    fn a_picture_of_another_size_lies_where_its_pixels_do() {
        let (width, height) = (37, 53);
        let samples: Vec<u8> = (0..3 * width * height)
            .map(|i| (i * 7919 % 251) as u8)
            .collect();
        for (full_px, origin_px) in [([90, 80], [20, 5]), ([30, 41], [0, 11]), ([37, 90], [7, 0])] {
            let window = Window {
                width: full_px[0] - origin_px[0],
                height: full_px[1] - origin_px[1] - 2,
                origin_px,
                full_px,
            };
            let pixels = Pixels {
                width,
                height,
                grey: false,
                chroma_step: None,
                samples: Samples::Eight(samples.clone()),
            };
            let (cut, room) = window.cut_and_leave(pixels, Light::White);
            assert_eq!(room, samples);
            let Samples::Eight(cut) = cut.samples else {
                panic!("other samples")
            };
            for (i, level) in cut.iter().enumerate() {
                let (x, y, c) = (i / 3 % window.width, i / 3 / window.width, i % 3);
                let [px, py] = window.to_picture(x, y, width, height);
                let ((x0, x1, tx), (y0, y1, ty)) = (taps(px, width), taps(py, height));
                let at = |x: usize, y: usize| f32::from(samples[3 * (y * width + x) + c]);
                let top = at(x0, y0) + tx * (at(x1, y0) - at(x0, y0));
                let bottom = at(x0, y1) + tx * (at(x1, y1) - at(x0, y1));
                assert_eq!(f32::from(*level), (top + ty * (bottom - top) + 0.5).floor());
            }
        }
    }

    #[test]
    fn a_picture_of_the_rasters_size_is_cut_as_it_is() {
        let window = Window {
            width: 2,
            height: 2,
            origin_px: [1, 2],
            full_px: [4, 5],
        };
        let pixels = Pixels {
            width: 4,
            height: 5,
            grey: false,
            chroma_step: None,
            samples: Samples::Sixteen((0..60).map(|i| 100 * i).collect()),
        };
        let Samples::Sixteen(cut) = window.cut(pixels, Light::White).samples else {
            panic!("other samples")
        };
        assert_eq!(cut[..6], [2700, 2800, 2900, 3000, 3100, 3200]);
        assert_eq!(cut[6..], [3900, 4000, 4100, 4200, 4300, 4400]);
    }

    /// What is read without being brought to the raster reads as if it had been.
    #[test]
    fn rows_that_pass_are_those_of_the_cut_picture() {
        let window = Window {
            width: 31,
            height: 45,
            origin_px: [5, 3],
            full_px: [40, 50],
        };
        for [width, height] in [[40, 50], [29, 77]] {
            let levels = (0..3 * width * height).map(|i| i * 7919 % 251);
            for samples in [
                Samples::Eight(levels.clone().map(|v| v as u8).collect()),
                Samples::Sixteen(levels.clone().map(|v| 257 * v as u16).collect()),
            ] {
                let pixels = Pixels {
                    width,
                    height,
                    grey: false,
                    chroma_step: None,
                    samples,
                };
                let cut = window.cut(pixels.clone(), Light::Uv);
                for rows in [0..16, 16..32, 40..45] {
                    match (&window.lines(&pixels), &cut.lines(window.width)) {
                        (Channels::Eight(a), Channels::Eight(b)) => same(a, b, rows),
                        (Channels::Sixteen(a), Channels::Sixteen(b)) => same(a, b, rows),
                        _ => panic!("other samples"),
                    }
                }
            }
        }
    }

    fn same<T: Level + std::fmt::Debug>(a: &Lines<'_, T>, b: &Lines<'_, T>, rows: Range<usize>) {
        let (a, b) = (a.strip(rows.clone()), b.strip(rows.clone()));
        for y in rows {
            assert_eq!(a.pixels(y, 2..29), b.pixels(y, 2..29), "row {y}");
        }
    }
}
