//! The colours of a still.

use dermalia_findings::Parameter;
use rayon::prelude::*;

use super::palette;

/// Pixels that are worked on side by side.
pub(super) const LANES: usize = 8;
/// One number of each of them.
pub(super) type Lane = [f32; LANES];

/// For each map the mean strength (0 to 1) over the measured part of a pixel and the share
/// of the pixel that was measured.
pub(super) type Strengths = [[Lane; 2]; Parameter::ALL.len()];

/// Pixels of a row before they are painted: linear light, and how strongly each map shows.
#[derive(Clone, Copy, Default)]
pub(super) struct Pixels {
    /// How many there are, and the column of each.
    pub(super) count: usize,
    pub(super) columns: [usize; LANES],
    /// Share of the pixel that the head covers.
    pub(super) cover: Lane,
    /// Skin in linear sRGB, already lit.
    pub(super) natural: [Lane; 3],
    /// The relative lightness of the skin against its own median, not lit.
    pub(super) tone: Lane,
    /// The light that falls here, about 1 in the middle of the face.
    pub(super) light: Lane,
    pub(super) strengths: Strengths,
}

/// A number from 0 on rounded down, if it is below 2^22; any other is something below 2^32.
/// A cast would ask for numbers that cannot be, one by one.
#[inline(always)]
pub(super) fn whole(number: f32) -> u32 {
    const WHOLE: f32 = (1 << 23) as f32;
    let near = number + WHOLE;
    let bits = near.to_bits().wrapping_sub(WHOLE.to_bits());
    bits.wrapping_sub(u32::from(near - WHOLE > number))
}

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

    /// Paints what is behind the subject in a row of the pictures, which is in this row of
    /// the strip; `room` is for one row.
    #[inline(always)]
    pub(super) fn behind(
        &self,
        y: usize,
        strip_row: usize,
        room: &mut Vec<u8>,
        pictures: &mut [&mut [u8]],
    ) {
        let v = (y as f32 + 0.5) / self.height as f32;
        room.resize(3 * self.width, 0);
        for (x, px) in room.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let back = backdrop((x as f32 + 0.5) / self.width as f32, v);
            for c in 0..3 {
                px[c] = level(back[c]);
            }
        }
        let at = strip_row * room.len();
        for picture in pictures {
            picture[at..at + room.len()].copy_from_slice(room);
        }
    }

    /// Paints pixels of a row.
    #[inline(always)]
    pub(super) fn pixels(
        &self,
        y: usize,
        strip_row: usize,
        pixels: &Pixels,
        pictures: &mut [&mut [u8]],
    ) {
        let v = (y as f32 + 0.5) / self.height as f32;
        // The neck fades out instead of being cut off by the frame.
        let fade = ((1.0 - v) / 0.14).clamp(0.0, 1.0);
        let (mut back, mut cover) = ([[0.0; LANES]; 3], [1.0; LANES]);
        for l in 0..LANES {
            let here = backdrop((pixels.columns[l] as f32 + 0.5) / self.width as f32, v);
            for c in 0..3 {
                back[c][l] = here[c];
            }
            if self.has_background {
                cover[l] = pixels.cover[l] * fade;
            }
        }
        let form = Form::of(&pixels.tone, &pixels.light, self.encoder);
        for (picture, map) in pictures.iter_mut().zip(self.wanted) {
            let subject = match map {
                None => {
                    let [r, g, b] = &pixels.natural;
                    [r, g, b].map(|of| self.encoder.srgb(of))
                }
                Some(map) => match pixels.strengths.get(*map) {
                    Some(strengths) => form.painted(strengths),
                    None => form.off,
                },
            };
            let mut levels = [[0_u8; LANES]; 3];
            for c in 0..3 {
                for l in 0..LANES {
                    levels[c][l] = level(back[c][l] + (subject[c][l] - back[c][l]) * cover[l]);
                }
            }
            let [r, g, b] = levels;
            for (l, x) in pixels.columns.iter().enumerate().take(pixels.count) {
                let at = 3 * (strip_row * self.width + x);
                picture[at..at + 3].copy_from_slice(&[r[l], g[l], b[l]]);
            }
        }
    }
}

/// The nearest level of a colour.
#[inline(always)]
fn level(colour: f32) -> u8 {
    whole(colour.clamp(0.0, 255.0) + 0.5) as u8
}

/// A soft neutral backdrop, lighter behind the head, as sRGB from 0 to 255.
#[inline(always)]
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
    fn srgb(&self, light: &Lane) -> Lane {
        let mut at = [0; LANES];
        for l in 0..LANES {
            let step = light[l].clamp(0.0, 1.0).sqrt() * Self::STEPS as f32;
            at[l] = whole(step + 0.5).min(Self::STEPS as u32);
        }
        let mut out = [0.0; LANES];
        for l in 0..LANES {
            out[l] = self.0[at[l] as usize];
        }
        out
    }
}

/// The skin as a neutral grey form. The grey carries the relief and the detail, but no
/// colour of its own that could be taken for a finding.
struct Form {
    grey: [Lane; 3],
    /// Where nothing was measured.
    off: [Lane; 3],
    shade: Lane,
}

impl Form {
    #[inline(always)]
    fn of(tone: &Lane, light: &Lane, encoder: &Encoder) -> Self {
        let (mut lit, mut shade) = ([0.0; LANES], [0.0; LANES]);
        for l in 0..LANES {
            let detail = tone[l].max(0.0).sqrt().clamp(0.15, 1.3);
            lit[l] = 0.58 * detail * light[l];
            shade[l] = 0.52 + 0.48 * (detail * light[l]).min(1.15);
        }
        let level = encoder.srgb(&lit);
        let (mut grey, mut off) = ([[0.0; LANES]; 3], [[0.0; LANES]; 3]);
        for c in 0..3 {
            let (tint, away) = ([1.0, 0.995, 0.985][c], [226.0, 223.0, 218.0][c]);
            for l in 0..LANES {
                grey[c][l] = level[l] * tint;
                off[c][l] = grey[c][l] + (away - grey[c][l]) * 0.42;
            }
        }
        Self { grey, off, shade }
    }

    /// The palette over it.
    #[inline(always)]
    fn painted(&self, [strength, measured]: &[Lane; 2]) -> [Lane; 3] {
        let mut out = [[0.0; LANES]; 3];
        for l in 0..LANES {
            let cover = palette::opacity(strength[l]);
            let film = palette::colour(strength[l]);
            for c in 0..3 {
                let (grey, off) = (self.grey[c][l], self.off[c][l]);
                let on = grey + (film[c] * self.shade[l] - grey) * cover;
                let mixed = off + (on - off) * measured[l].min(1.0);
                out[c][l] = if measured[l] > 0.0 { mixed } else { off };
            }
        }
        out
    }
}
