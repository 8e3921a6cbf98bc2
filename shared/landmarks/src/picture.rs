use crate::LandmarkError;

/// A picture in memory: three bytes a pixel, gamma-encoded sRGB, the first row at the top.
#[derive(Debug, Clone, Copy)]
pub struct RgbView<'a> {
    width: usize,
    height: usize,
    rgb: &'a [u8],
}

impl<'a> RgbView<'a> {
    /// Checks that there are three bytes for each pixel.
    ///
    /// # Errors
    /// A size that the bytes do not have, or no pixel.
    pub fn new(width: usize, height: usize, rgb: &'a [u8]) -> Result<Self, LandmarkError> {
        let expected = width.checked_mul(height).and_then(|n| n.checked_mul(3));
        if expected != Some(rgb.len()) || rgb.is_empty() {
            return Err(LandmarkError::PictureSize {
                width,
                height,
                bytes: rgb.len(),
            });
        }
        Ok(Self { width, height, rgb })
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    fn at(&self, x: usize, y: usize) -> [f32; 3] {
        let i = (y * self.width + x) * 3;
        [0, 1, 2].map(|k| f32::from(self.rgb[i + k]))
    }

    /// The colour at a place, bilinear; the border goes on outward. Middles are at n + 0.5.
    fn bilinear(&self, x: f32, y: f32) -> [f32; 3] {
        let (x, y) = (
            (x - 0.5).clamp(0.0, (self.width - 1) as f32),
            (y - 0.5).clamp(0.0, (self.height - 1) as f32),
        );
        let (x0, y0) = (x as usize, y as usize);
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let (x1, y1) = ((x0 + 1).min(self.width - 1), (y0 + 1).min(self.height - 1));
        let (p, q, r, s) = (
            self.at(x0, y0),
            self.at(x1, y0),
            self.at(x0, y1),
            self.at(x1, y1),
        );
        [0, 1, 2].map(|k| {
            let upper = p[k] + fx * (q[k] - p[k]);
            let lower = r[k] + fx * (s[k] - r[k]);
            upper + fy * (lower - upper)
        })
    }

    /// Each pixel the mean of four; an odd last row or column is dropped.
    fn halved(&self) -> Owned {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            let rows = [2 * y, 2 * y + 1].map(|r| &self.rgb[r * self.width * 3..]);
            for x in 0..width {
                for k in 0..3 {
                    let sum: u16 = rows
                        .iter()
                        .map(|row| u16::from(row[6 * x + k]) + u16::from(row[6 * x + 3 + k]))
                        .sum();
                    rgb.push(((sum + 2) / 4) as u8);
                }
            }
        }
        Owned { width, height, rgb }
    }
}

struct Owned {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Owned {
    fn view(&self) -> RgbView<'_> {
        RgbView {
            width: self.width,
            height: self.height,
            rgb: &self.rgb,
        }
    }
}

/// A picture at full size and halved again and again, so that it can be sampled coarsely
/// without aliasing.
pub(crate) struct Pyramid<'a> {
    full: RgbView<'a>,
    halves: Vec<Owned>,
}

/// Below this the picture is not halved any more.
const SMALLEST_PX: usize = 64;

impl<'a> Pyramid<'a> {
    pub(crate) fn new(full: RgbView<'a>) -> Self {
        let mut halves: Vec<Owned> = vec![];
        loop {
            let last = halves.last().map_or(full, Owned::view);
            if last.width.min(last.height) < 2 * SMALLEST_PX {
                return Self { full, halves };
            }
            let next = last.halved();
            halves.push(next);
        }
    }

    pub(crate) fn full(&self) -> RgbView<'a> {
        self.full
    }

    /// The colour at a place given in pixels of the full picture, for samples that lie
    /// `step` such pixels apart. Beyond the border the border's colour.
    pub(crate) fn sample(&self, x: f32, y: f32, step: f32) -> [f32; 3] {
        let mut level = 0;
        let mut scale = 1.0;
        while level < self.halves.len() && step * scale >= 2.0 {
            level += 1;
            scale *= 0.5;
        }
        let view = match level.checked_sub(1) {
            None => self.full,
            Some(i) => self.halves[i].view(),
        };
        view.bilinear(x * scale, y * scale)
    }

    /// Whether a place lies in the picture.
    pub(crate) fn contains(&self, x: f32, y: f32) -> bool {
        x >= 0.0 && y >= 0.0 && x < self.full.width as f32 && y < self.full.height as f32
    }
}

/// A turned square of a picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Square {
    /// Middle in pixels.
    pub(crate) centre: [f32; 2],
    /// Side in pixels.
    pub(crate) side: f32,
    /// Cosine and sine of the turn from the picture's x axis to the square's (y down).
    pub(crate) turn: [f32; 2],
}

impl Square {
    /// A place of the square (0 to 1) in the picture.
    pub(crate) fn place(&self, u: f32, v: f32) -> [f32; 2] {
        let (x, y) = ((u - 0.5) * self.side, (v - 0.5) * self.side);
        let [cos, sin] = self.turn;
        [
            self.centre[0] + cos * x - sin * y,
            self.centre[1] + sin * x + cos * y,
        ]
    }

    /// The greatest of turn (its sine), shift and change of size, in sides of this square.
    pub(crate) fn differs(&self, other: &Self) -> f32 {
        let [cos, sin] = [
            self.turn[0] * other.turn[0] + self.turn[1] * other.turn[1],
            self.turn[0] * other.turn[1] - self.turn[1] * other.turn[0],
        ];
        let turn = if cos > 0.0 { sin.abs() } else { 1.0 };
        let shift = (self.centre[0] - other.centre[0])
            .abs()
            .max((self.centre[1] - other.centre[1]).abs());
        let size = (self.side - other.side).abs();
        turn.max(shift.max(size) / self.side.max(f32::MIN_POSITIVE))
    }

    /// The square as `side_px` x `side_px` colours; `map` makes a model's input of a level
    /// of 0 to 255. Beyond the picture black, or the border's colour.
    pub(crate) fn cut(
        &self,
        pyramid: &Pyramid<'_>,
        side_px: usize,
        black: bool,
        map: impl Fn(f32) -> f32,
    ) -> Vec<f32> {
        let mut out = Vec::with_capacity(side_px * side_px * 3);
        let n = side_px as f32;
        // Two by two samples a pixel.
        let step = self.side / n / 2.0;
        for y in 0..side_px {
            for x in 0..side_px {
                let mut sum = [0.0; 3];
                for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let [px, py] = self.place((x as f32 + dx) / n, (y as f32 + dy) / n);
                    if !black || pyramid.contains(px, py) {
                        let colour = pyramid.sample(px, py, step);
                        for k in 0..3 {
                            sum[k] += colour[k];
                        }
                    }
                }
                out.extend(sum.map(|s| map(s / 4.0)));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_must_match_the_size() {
        assert!(RgbView::new(2, 2, &[0; 12]).is_ok());
        assert!(RgbView::new(2, 2, &[0; 11]).is_err());
        assert!(RgbView::new(0, 5, &[]).is_err());
        assert!(RgbView::new(usize::MAX, 2, &[0; 12]).is_err());
    }

    #[test]
    fn a_ramp_is_sampled_in_place_at_every_scale() {
        let (w, h) = (1024, 512);
        let rgb: Vec<u8> = (0..w * h).flat_map(|i| [(i % w / 4) as u8; 3]).collect();
        let pyramid = Pyramid::new(RgbView::new(w, h, &rgb).unwrap());
        for step in [1.0, 2.0, 4.0, 7.0] {
            for x in [100.0_f32, 333.3, 900.0] {
                let level = pyramid.sample(x, 250.0, step)[0];
                assert!((level - (x / 4.0 - 0.5)).abs() < 1.0, "{x} {step} {level}");
            }
        }
    }

    #[test]
    fn a_turned_square_is_cut_turned() {
        let (w, h) = (200, 200);
        let rgb: Vec<u8> = (0..w * h)
            .flat_map(|i| [(i % w) as u8, (i / w) as u8, 0])
            .collect();
        let pyramid = Pyramid::new(RgbView::new(w, h, &rgb).unwrap());
        let square = Square {
            centre: [100.0, 100.0],
            side: 80.0,
            turn: [0.0, 1.0],
        };
        let cut = square.cut(&pyramid, 8, true, |v| v);
        // A quarter turn: the square's x axis runs down the picture.
        assert!(cut[0] > 130.0 && cut[1] < 70.0, "{:?}", &cut[..3]);
        assert!(cut[7 * 3] > 130.0 && cut[7 * 3 + 1] > 130.0);
    }
}
