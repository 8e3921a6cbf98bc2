//! The colour differences of a JPEG in fractions of a level.
//!
//! A decoder rounds them to whole levels. Where compression has taken the grain out of them,
//! and that it mostly has on skin, all of a cheek is off by up to half a level (0.8 in a*,
//! more than a degree of ITA), and where they pass from one level to the next there is an
//! edge that no skin has. Their coefficients say more: they are transformed here without
//! rounding, and a pixel's own level is chosen by a fixed pattern so that the mean of some
//! pixels is what the coefficients say.

use dermalia_surface::{Work, in_vectors};

use super::entropy::{self, BLOCK, Block, Sink};

/// Samples of a block, along a side.
const SIDE: usize = 8;
/// What a level counts in the planes.
const LEVEL: f32 = 128.0;

/// Half of the cosine of so many sixteenths of a half turn, the first by the root of a half.
const COSINES: [f32; SIDE] = [
    0.353_553_4,
    0.490_392_64,
    0.461_939_77,
    0.415_734_8,
    0.353_553_4,
    0.277_785_12,
    0.191_341_72,
    0.097_545_16,
];

/// What a coefficient adds to each of the samples of a row or column.
const fn basis() -> [[f32; SIDE]; SIDE] {
    let mut out = [[COSINES[0]; SIDE]; SIDE];
    let mut u = 1;
    while u < SIDE {
        let mut x = 0;
        while x < SIDE {
            // The angle is u (2 x + 1) sixteenths of a half turn.
            let turn = u * (2 * x + 1) % 32;
            let (turn, sign) = match turn {
                0..=8 => (turn, 1.0),
                9..=16 => (16 - turn, -1.0),
                17..=24 => (turn - 16, -1.0),
                _ => (32 - turn, 1.0),
            };
            out[u][x] = sign
                * match turn {
                    0 => 0.5,
                    8 => 0.0,
                    _ => COSINES[turn],
                };
            x += 1;
        }
        u += 1;
    }
    out
}

const BASIS: [[f32; SIDE]; SIDE] = basis();

/// The samples of a block, less the middle of their range.
fn transformed(block: &[i16; BLOCK], steps: &[f32; BLOCK]) -> [[f32; SIDE]; SIDE] {
    let mut out = [[0.0; SIDE]; SIDE];
    let (rows, steps) = (block.as_chunks::<SIDE>().0, steps.as_chunks::<SIDE>().0);
    for (v, (row, steps)) in rows.iter().zip(steps).enumerate() {
        if row == &[0; SIDE] {
            continue;
        }
        let mut line = [0.0; SIDE];
        for (u, (value, step)) in row.iter().zip(steps).enumerate() {
            if *value != 0 {
                let value = f32::from(*value) * step;
                for (o, b) in line.iter_mut().zip(&BASIS[u]) {
                    *o += value * b;
                }
            }
        }
        for (out, b) in out.iter_mut().zip(&BASIS[v]) {
            for (o, l) in out.iter_mut().zip(&line) {
                *o += l * b;
            }
        }
    }
    out
}

/// Blue and red above the middle of their range.
struct Differences {
    /// So many pixels share a sample, across and down.
    share: [usize; 2],
    /// Samples that the picture has, across and down.
    size: [usize; 2],
    /// Samples of a row, in whole blocks, and the rows that are kept, the last ones.
    stride: usize,
    rows: usize,
    samples: [Vec<i16>; 2],
}

impl Differences {
    fn new(
        [width, height]: [usize; 2],
        blocks: [usize; 2],
        share: [usize; 2],
        most: usize,
    ) -> Self {
        let stride = SIDE * blocks[0];
        let rows = most.min(SIDE * blocks[1]);
        Self {
            share,
            size: [width.div_ceil(share[0]), height.div_ceil(share[1])],
            stride,
            rows,
            samples: [(); 2].map(|()| vec![0; stride * rows]),
        }
    }

    fn block(&mut self, block: Block<'_>) {
        let Block {
            which,
            place: [x, y],
            coefficients,
            steps,
        } = block;
        let from = SIDE * y % self.rows * self.stride + SIDE * x;
        let Some(rows) = self.samples[which].get_mut(from..) else {
            return;
        };
        let rows = rows.chunks_mut(self.stride).take(SIDE);
        // Mostly there is no more than the mean.
        if coefficients[1..].iter().fold(0, |any, c| any | c) == 0 {
            let mean = stored(f32::from(coefficients[0]) * steps[0] / SIDE as f32);
            for row in rows {
                row[..SIDE].fill(mean);
            }
            return;
        }
        let block = transformed(coefficients, steps);
        for (out, row) in rows.zip(&block) {
            for (o, v) in out[..SIDE].iter_mut().zip(row) {
                *o = stored(*v);
            }
        }
    }

    /// The last row of samples that a row of pixels is made of.
    fn last_of(&self, y: usize) -> usize {
        let own = y / self.share[1];
        let below = usize::from(self.share[1] == 2 && y % 2 == 1);
        (own + below).min(self.size[1] - 1)
    }
}

/// A difference as the planes have it. No decoder goes beyond its range either.
#[inline(always)]
fn stored(difference: f32) -> i16 {
    // From here on the last bit of a number is worth 1: unlike a conversion, that is done in
    // vectors.
    const WHOLE: f32 = 12_582_912.0;
    (LEVEL * difference.clamp(-128.0, 127.0) + WHOLE).to_bits() as i16
}

/// Makes colours of a picture's brightness, which fills the last third of `samples`, and of the
/// differences in its file; returns the coarser of the steps of their means, in levels. `None`
/// where the file is to be left to the decoder: `samples` may then hold anything.
pub(super) fn colour(bytes: &[u8], samples: &mut [u8], [width, height]: [usize; 2]) -> Option<f32> {
    let mut painter = Painter {
        size: [width, height],
        out: samples,
        next: 0,
        parts: None,
    };
    let steps = entropy::read(bytes, &mut painter)?;
    let coarsest = steps.iter().fold(0.0, |most, s| s[0].max(most));
    (painter.next == height).then_some(coarsest / SIDE as f32)
}

/// Rows of differences that are kept: those of two rows of blocks, since a row of pixels can
/// lie between them.
const KEPT: usize = 2 * SIDE;

/// Colours the rows of pixels as soon as their differences are there: a row of colours ends
/// before the brightness of the next one begins.
struct Painter<'a> {
    size: [usize; 2],
    out: &'a mut [u8],
    /// The first row of pixels without colours.
    next: usize,
    parts: Option<(Differences, Lines)>,
}

impl Sink for Painter<'_> {
    fn begin(&mut self, blocks: [usize; 2], share: [usize; 2]) {
        let covering = [0, 1].map(|k| self.size[k].div_ceil(SIDE * share[k]));
        if blocks == covering {
            let differences = Differences::new(self.size, blocks, share, KEPT);
            let lines = Lines::new(differences.size[0], self.size[0]);
            self.parts = Some((differences, lines));
        }
    }

    fn block(&mut self, block: Block<'_>) {
        if let Some((differences, _)) = &mut self.parts {
            differences.block(block);
        }
    }

    fn row(&mut self, y: usize) {
        let Some((differences, lines)) = &mut self.parts else {
            return;
        };
        let [width, height] = self.size;
        let known = (SIDE * (y + 1)).min(differences.size[1]);
        while self.next < height && differences.last_of(self.next) < known {
            let own = (2 * height + self.next) * width;
            lines
                .brightness
                .copy_from_slice(&self.out[own..own + width]);
            in_vectors(Row {
                differences,
                y: self.next,
                lines,
                out: &mut self.out[3 * self.next * width..3 * (self.next + 1) * width],
            });
            self.next += 1;
        }
    }
}

/// Memory for one row of pixels.
struct Lines {
    brightness: Vec<u8>,
    colours: [Vec<u8>; 3],
    /// The two differences at their samples, with one more at either end, and at the pixels.
    samples: Vec<f32>,
    differences: [Vec<f32>; 2],
}

impl Lines {
    fn new(samples: usize, width: usize) -> Self {
        Self {
            brightness: vec![0; width],
            colours: [(); 3].map(|()| vec![0; width]),
            samples: vec![0.0; samples + 2],
            differences: [vec![0.0; width + 1], vec![0.0; width + 1]],
        }
    }
}

/// One row of pixels to be coloured.
struct Row<'a> {
    differences: &'a Differences,
    y: usize,
    lines: &'a mut Lines,
    out: &'a mut [u8],
}

impl Work for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Lines {
            brightness,
            colours,
            samples,
            differences,
        } = self.lines;
        for (which, line) in differences.iter_mut().enumerate() {
            self.differences.row(which, self.y, samples, line);
        }
        let [blue, red] = differences;
        let start = (self.y as u32).wrapping_mul(DOWN);
        let shares = [[0.0, 1.402], [-0.344_136, -0.714_136], [1.772, 0.0]];
        for (c, (out, [of_blue, of_red])) in colours.iter_mut().zip(shares).enumerate() {
            let start = start.wrapping_add((c as u32).wrapping_mul(THIRD));
            let differences = blue.iter().zip(&*red);
            let pixels = out.iter_mut().zip(&*brightness).zip(differences);
            for (x, ((out, light), (cb, cr))) in pixels.enumerate() {
                let place = start.wrapping_add((x as u32).wrapping_mul(ACROSS));
                *out = chosen(f32::from(*light) + (of_blue * cb + of_red * cr), place);
            }
        }
        let [r, g, b] = colours;
        let pixels = self.out.as_chunks_mut::<3>().0.iter_mut();
        for (((out, r), g), b) in pixels.zip(&*r).zip(&*g).zip(&*b) {
            *out = [*r, *g, *b];
        }
    }
}

/// The steps of a sequence that fills a square evenly from any of its places on (Roberts'
/// R2: the inverse of the plastic number and its square), of all that 32 bits count; and a
/// third, by which the channels are apart, so that brightness has little of the pattern.
const ACROSS: u32 = 3_242_174_889;
const DOWN: u32 = 2_447_445_414;
const THIRD: u32 = u32::MAX / 3;

/// One of the two levels beside a value, each as often as the value is near to it.
#[inline(always)]
fn chosen(value: f32, place: u32) -> u8 {
    // From here on the last bit of a number is worth 1, and half of it is rounded away: unlike
    // a conversion, that is done in vectors.
    const WHOLE: f32 = 8_388_608.0;
    const ALMOST_HALF: f32 = 0.499_99;
    let threshold = (place >> 8) as f32 * (1.0 / 16_777_216.0);
    let value = (value + threshold).clamp(0.0, 255.0) - ALMOST_HALF;
    (value.max(0.0) + WHOLE).to_bits() as u8
}

impl Differences {
    /// One of the differences, of a row of pixels: linear between the middles of its samples.
    #[inline(always)]
    fn row(&self, which: usize, y: usize, samples: &mut [f32], out: &mut [f32]) {
        let line = |y: usize| {
            let from = y.min(self.size[1] - 1) % self.rows * self.stride;
            &self.samples[which][from..from + self.size[0]]
        };
        let own = y / self.share[1];
        let (near, far) = match (self.share[1], y % 2) {
            (2, 0) => (line(own), line(own.saturating_sub(1))),
            (2, _) => (line(own), line(own + 1)),
            _ => (line(own), line(own)),
        };
        let last = samples.len() - 2;
        for ((o, a), b) in samples[1..].iter_mut().zip(near).zip(far) {
            *o = (0.25 / LEVEL) * (3.0 * f32::from(*a) + f32::from(*b));
        }
        samples[0] = samples[1];
        samples[last + 1] = samples[last];
        if self.share[0] == 1 {
            out[..last].copy_from_slice(&samples[1..=last]);
            return;
        }
        let sides = samples[1..].iter().zip(&samples[2..]);
        for ((pair, before), (own, after)) in out
            .as_chunks_mut::<2>()
            .0
            .iter_mut()
            .zip(&*samples)
            .zip(sides)
        {
            pair[0] = 0.75 * own + 0.25 * before;
            pair[1] = 0.75 * own + 0.25 * after;
        }
    }
}

#[cfg(test)]
mod tests {
    use zune_jpeg::JpegDecoder;
    use zune_jpeg::zune_core::bytestream::ZCursor;
    use zune_jpeg::zune_core::colorspace::ColorSpace;
    use zune_jpeg::zune_core::options::DecoderOptions;

    use super::*;

    const WHOLE: [&[u8]; 4] = [
        include_bytes!("../../tests/fixtures/baseline.jpg"),
        include_bytes!("../../tests/fixtures/baseline_restart3.jpg"),
        include_bytes!("../../tests/fixtures/progressive.jpg"),
        include_bytes!("../../tests/fixtures/progressive_restart1.jpg"),
    ];
    const SHARED: [&[u8]; 4] = [
        include_bytes!("../../tests/fixtures/baseline_420.jpg"),
        include_bytes!("../../tests/fixtures/progressive_420.jpg"),
        include_bytes!("../../tests/fixtures/progressive_420_restart1.jpg"),
        include_bytes!("../../tests/fixtures/progressive_420_restart3.jpg"),
    ];
    const SIZE: [usize; 2] = [67, 45];

    /// All rows of the differences.
    struct Whole(Option<Differences>);

    impl Sink for Whole {
        fn begin(&mut self, blocks: [usize; 2], share: [usize; 2]) {
            self.0 = Some(Differences::new(SIZE, blocks, share, usize::MAX));
        }

        fn block(&mut self, block: Block<'_>) {
            self.0.as_mut().unwrap().block(block);
        }

        fn row(&mut self, _: usize) {}
    }

    fn read(bytes: &[u8]) -> Differences {
        let mut whole = Whole(None);
        entropy::read(bytes, &mut whole).unwrap();
        whole.0.unwrap()
    }

    /// Colours of a picture of the same brightness all over.
    fn coloured(bytes: &[u8]) -> Option<Vec<u8>> {
        let mut samples = vec![90; 3 * SIZE[0] * SIZE[1]];
        colour(bytes, &mut samples, SIZE).map(|_| samples)
    }

    /// The decoder's own differences, in whole levels.
    fn decoded(bytes: &[u8]) -> Vec<[f32; 3]> {
        let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::YCbCr);
        let samples = JpegDecoder::new_with_options(ZCursor::new(bytes), options)
            .decode()
            .unwrap();
        let pixels = samples.as_chunks::<3>().0.iter();
        pixels.map(|px| px.map(f32::from)).collect()
    }

    /// Sequential and progressive, with restarts and without: the decoder's whole levels are
    /// the nearest to these.
    #[test]
    fn what_the_decoder_rounds_is_what_is_read() {
        for bytes in WHOLE {
            let (differences, decoded) = (read(bytes), decoded(bytes));
            let mut inexact = 0;
            for y in 0..SIZE[1] {
                for which in 0..2 {
                    let mut line = vec![0.0; SIZE[0] + 1];
                    differences.row(which, y, &mut vec![0.0; SIZE[0] + 2], &mut line);
                    for (x, own) in line[..SIZE[0]].iter().enumerate() {
                        let whole = decoded[y * SIZE[0] + x][1 + which];
                        // Its transform is one of whole numbers, and not exact either.
                        assert!((own + 128.0 - whole).abs() < 0.6, "{x} {y}: {own} {whole}");
                        inexact += usize::from((own - own.round()).abs() > 0.1);
                    }
                }
            }
            assert!(inexact > SIZE[0] * SIZE[1], "{inexact}");
        }
    }

    /// Samples that four pixels share, in every way of storing them.
    #[test]
    fn all_ways_of_storing_a_picture_read_alike() {
        let same = |list: [&[u8]; 4]| {
            let first = read(list[0]);
            let any = |samples: &Vec<i16>| samples.iter().any(|v| *v != 0);
            assert!(first.samples.iter().all(any));
            for bytes in &list[1..] {
                assert!(read(bytes).samples == first.samples);
                assert!(coloured(bytes).is_some() && coloured(bytes) == coloured(list[0]));
            }
        };
        same(WHOLE);
        same(SHARED);
    }

    /// Rows that pass by are coloured as if all were there.
    #[test]
    fn a_row_needs_no_more_than_what_is_kept() {
        for bytes in WHOLE.into_iter().chain(SHARED) {
            let (all, found) = (read(bytes), coloured(bytes).unwrap());
            let mut lines = Lines::new(all.size[0], SIZE[0]);
            for (y, found) in found.chunks(3 * SIZE[0]).enumerate() {
                lines.brightness.fill(90);
                let mut row = vec![0; found.len()];
                in_vectors(Row {
                    differences: &all,
                    y,
                    lines: &mut lines,
                    out: &mut row,
                });
                assert!(row == found, "row {y}");
            }
        }
    }

    /// The differences of a colour are seldom whole. Compression takes their grain away, and
    /// whole levels are off by up to a half; the mean of the pixels is not.
    #[test]
    fn skin_keeps_its_colour() {
        let side = 64_u16;
        let count = usize::from(side).pow(2);
        let mut worst = [0.0_f64; 2];
        for colour in [
            [198, 134, 66],
            [255 - 20, 200, 170],
            [113, 84, 68],
            [80, 52, 41],
        ] {
            // Of each channel its own grain of up to two levels, without structure.
            let grain = |i: usize| (i * 7919 + i * i % 1013 * 104_729) % 5;
            let samples: Vec<u8> = (0..3 * count)
                .map(|i| (colour[i % 3] + grain(i) - 2) as u8)
                .collect();
            let mut bytes = vec![];
            let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 92);
            encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
            encoder
                .encode(&samples, side, side, jpeg_encoder::ColorType::Rgb)
                .unwrap();
            let picture = crate::Picture::new("skin.jpg", bytes.clone()).unwrap();
            let decoded = picture.decode(&crate::Limits::default()).unwrap();
            // A step of 3 in the coefficient of the mean, which counts eight times.
            assert_eq!(decoded.chroma_step, Some(3.0 / 8.0));
            let crate::Samples::Eight(levels) = decoded.samples else {
                panic!("other samples")
            };
            let options = DecoderOptions::default().jpeg_set_out_colorspace(ColorSpace::RGB);
            let whole = JpegDecoder::new_with_options(ZCursor::new(&bytes), options)
                .decode()
                .unwrap();
            for c in 0..3 {
                let mean = |levels: &[u8]| {
                    let own = levels.iter().skip(c).step_by(3).map(|v| f64::from(*v));
                    own.sum::<f64>() / count as f64
                };
                for (worst, found) in worst.iter_mut().zip([&levels, &whole]) {
                    *worst = worst.max((mean(found) - mean(&samples)).abs());
                }
            }
        }
        assert!(worst[0] < 0.2 && worst[1] > 2.0 * worst[0], "{worst:?}");
    }

    /// Whatever is cut off or changed is left to the decoder or read without a panic.
    #[test]
    fn broken_files_are_left_to_the_decoder() {
        for bytes in WHOLE.into_iter().chain(SHARED) {
            for at in (2..bytes.len()).step_by(7) {
                assert!(coloured(&bytes[..at]).is_none());
                let mut changed = bytes.to_vec();
                changed[at] ^= 0x5a;
                let _read_or_not = coloured(&changed);
            }
        }
    }
}
