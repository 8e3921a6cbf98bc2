//! The colours of a still.

use rayon::prelude::*;

use super::palette;
use super::plate::{Pixel, Strengths};

/// Paints the pictures of one view, all of them pixel by pixel.
pub(super) struct Painter<'a> {
    /// Columns and rows.
    pub(super) width: usize,
    pub(super) height: usize,
    /// Whether there is empty space around the subject.
    pub(super) has_background: bool,
    /// Of each picture the number of its map, or `None` for the skin as it is.
    pub(super) wanted: &'a [Option<usize>],
    pub(super) encoder: &'a Encoder,
}

impl Painter<'_> {
    /// The pictures, made of strips of so many rows: `draw` is given the number of each and
    /// its part of each picture.
    pub(super) fn strips(
        &self,
        rows: usize,
        draw: impl Fn(usize, &mut [&mut [u8]]) + Sync,
    ) -> Vec<Vec<u8>> {
        let mut pictures = vec![vec![0_u8; self.width * self.height * 3]; self.wanted.len()];
        let mut strips: Vec<Vec<&mut [u8]>> = vec![];
        strips.resize_with(self.height.div_ceil(rows), Vec::new);
        for picture in &mut pictures {
            let parts = picture.chunks_mut((rows * self.width * 3).max(1));
            for (strip, part) in strips.iter_mut().zip(parts) {
                strip.push(part);
            }
        }
        strips
            .into_par_iter()
            .enumerate()
            .for_each(|(number, mut strip)| draw(number, &mut strip));
        pictures
    }

    /// Paints the pixel at a column and row of the picture, which is in this row of its
    /// strip.
    #[inline(always)]
    pub(super) fn pixel(
        &self,
        (x, y): (usize, usize),
        strip_row: usize,
        pixel: &Pixel,
        strengths: &Strengths,
        pictures: &mut [&mut [u8]],
    ) {
        let v = (y as f32 + 0.5) / self.height as f32;
        let back = backdrop((x as f32 + 0.5) / self.width as f32, v);
        let cover = if self.has_background {
            // The neck fades out instead of being cut off by the frame.
            pixel.cover * ((1.0 - v) / 0.14).clamp(0.0, 1.0)
        } else {
            1.0
        };
        let at = 3 * (strip_row * self.width + x);
        let mut put = |picture: usize, rgb: [f32; 3]| {
            pictures[picture][at..at + 3].copy_from_slice(&rgb.map(|c| (c + 0.5) as u8));
        };
        if cover <= 0.0 {
            (0..self.wanted.len()).for_each(|picture| put(picture, back));
            return;
        }
        let form = Form::of(pixel.tone, pixel.light, self.encoder);
        for (picture, map) in self.wanted.iter().enumerate() {
            let subject = match map {
                None => pixel.natural.map(|c| self.encoder.srgb(c)),
                Some(map) => form.painted(strengths.get(*map).copied().unwrap_or_default()),
            };
            put(
                picture,
                [0, 1, 2].map(|c| back[c] + (subject[c] - back[c]) * cover),
            );
        }
    }
}

/// A soft neutral backdrop, lighter behind the head, as sRGB from 0 to 255.
fn backdrop(x: f32, y: f32) -> [f32; 3] {
    let (dx, dy) = (x - 0.5, y - 0.42);
    let fall = ((dx * dx + dy * dy) * 2.2).min(1.0);
    [
        243.0 - 19.0 * fall,
        241.0 - 19.0 * fall,
        237.0 - 20.0 * fall,
    ]
}

/// Linear light to sRGB from 0 to 255, by a table over the square root of the light,
/// which spends its steps where the curve is steep.
pub(super) struct Encoder(Vec<f32>);

impl Encoder {
    const STEPS: usize = 4096;

    pub(super) fn new() -> Self {
        Self(
            (0..=Self::STEPS)
                .map(|i| {
                    let root = i as f64 / Self::STEPS as f64;
                    let c = root * root;
                    (255.0
                        * if c <= 0.003_130_8 {
                            12.92 * c
                        } else {
                            1.055 * libm::pow(c, 1.0 / 2.4) - 0.055
                        }) as f32
                })
                .collect(),
        )
    }

    #[inline(always)]
    fn srgb(&self, light: f32) -> f32 {
        let at = light.clamp(0.0, 1.0).sqrt() * Self::STEPS as f32;
        self.0[(at + 0.5) as usize]
    }
}

/// The skin as a neutral grey form. The grey carries the relief and the detail, but no
/// colour of its own that could be taken for a finding.
struct Form {
    grey: [f32; 3],
    /// Where nothing was measured.
    off: [f32; 3],
    shade: f32,
}

impl Form {
    #[inline(always)]
    fn of(tone: f32, light: f32, encoder: &Encoder) -> Self {
        let detail = tone.max(0.0).sqrt().clamp(0.15, 1.3);
        let grey = encoder.srgb(0.58 * detail * light);
        let grey = [grey, grey * 0.995, grey * 0.985];
        let away = [226.0, 223.0, 218.0];
        Self {
            grey,
            off: [0, 1, 2].map(|c| grey[c] + (away[c] - grey[c]) * 0.42),
            shade: 0.52 + 0.48 * (detail * light).min(1.15),
        }
    }

    /// The palette over it.
    #[inline(always)]
    fn painted(&self, [strength, measured]: [f32; 2]) -> [f32; 3] {
        if measured <= 0.0 {
            return self.off;
        }
        let cover = palette::opacity(strength);
        let film = palette::colour(strength);
        [0, 1, 2].map(|c| {
            let on = self.grey[c] + (film[c] * self.shade - self.grey[c]) * cover;
            self.off[c] + (on - self.off[c]) * measured.min(1.0)
        })
    }
}
