//! The brightness and colour differences of a JPEG in fractions of a level.
//!
//! A decoder rounds them to whole levels. Where compression has taken the grain out of them,
//! and that it mostly has on skin, all of a cheek is off by up to half a level of the
//! differences (0.8 in a*, more than a degree of ITA), and where they pass from one level to
//! the next there is an edge that no skin has. Their coefficients say more: they are
//! transformed here without rounding, and a pixel's own level is chosen by a fixed pattern so
//! that the mean of some pixels is what the coefficients say.

use std::ops::Range;

use dermalia_surface::{Work, in_vectors};

use super::entropy::{self, BLOCK, Blocks, COMPONENTS, Sink};

/// Samples of a block, along a side.
const SIDE: usize = 8;
/// What a level counts in the planes.
const LEVEL: f32 = 128.0;
/// The middle of the range of brightness, in levels.
const MIDDLE: f32 = 128.0;

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

/// The samples of a block, less the middle of their range: rows first, of which many are empty,
/// then columns.
#[inline(always)]
fn transformed(block: &[i16; BLOCK], steps: &[f32; BLOCK]) -> [[f32; SIDE]; SIDE] {
    let mut lines = [[0.0; SIDE]; SIDE];
    let (rows, steps) = (block.as_chunks::<SIDE>().0, steps.as_chunks::<SIDE>().0);
    for ((line, row), steps) in lines.iter_mut().zip(rows).zip(steps) {
        if row == &[0; SIDE] {
            continue;
        }
        for ((value, step), across) in row.iter().zip(steps).zip(&BASIS) {
            let value = f32::from(*value) * step;
            for (o, b) in line.iter_mut().zip(across) {
                *o += value * b;
            }
        }
    }
    // Of two rows as far from the middle, even functions are the same and odd ones opposite.
    let mut out = [[0.0; SIDE]; SIDE];
    for y in 0..SIDE / 2 {
        let (mut even, mut odd) = ([0.0; SIDE], [0.0; SIDE]);
        for v in (0..SIDE).step_by(2) {
            let [b, c] = [BASIS[v][y], BASIS[v + 1][y]];
            for x in 0..SIDE {
                even[x] += b * lines[v][x];
                odd[x] += c * lines[v + 1][x];
            }
        }
        for x in 0..SIDE {
            out[y][x] = even[x] + odd[x];
            out[SIDE - 1 - y][x] = even[x] - odd[x];
        }
    }
    out
}

/// One component above the middle of its range.
struct Plane {
    /// Samples that the picture has, across and down.
    size: [usize; 2],
    /// Samples of a row, in whole blocks.
    stride: usize,
    /// Rows of samples in a row of units.
    unit: usize,
    /// The rows that are kept, the last ones: two of units, since a row of pixels can lie
    /// between them.
    samples: Vec<i16>,
    /// Rows that came.
    known: usize,
}

impl Plane {
    fn new(size: [usize; 2], across: usize, unit: usize) -> Self {
        let stride = SIDE * across;
        Self {
            size,
            stride,
            unit,
            samples: vec![0; 2 * unit * stride],
            known: 0,
        }
    }

    /// A row that is kept; the last one beyond it.
    #[inline(always)]
    fn row(&self, y: usize) -> &[i16] {
        let from = y.min(self.size[1] - 1) % (2 * self.unit) * self.stride;
        &self.samples[from..from + self.size[0]]
    }

    /// Takes the next row of units.
    fn take(&mut self, blocks: Blocks<'_>) {
        let from = self.known % (2 * self.unit) * self.stride;
        let samples = &mut self.samples[from..from + self.unit * self.stride];
        in_vectors(Transform {
            blocks,
            samples,
            stride: self.stride,
        });
        self.known += self.unit;
    }
}

/// Rows of blocks to be transformed.
struct Transform<'a> {
    blocks: Blocks<'a>,
    samples: &'a mut [i16],
    stride: usize,
}

impl Work for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Blocks {
            coefficients,
            steps,
        } = self.blocks;
        let across = self.stride / SIDE;
        let bands = self.samples.chunks_exact_mut(SIDE * self.stride);
        for (band, coefficients) in bands.zip(coefficients.chunks_exact(across)) {
            for (x, block) in coefficients.iter().enumerate() {
                let rows = band.chunks_exact_mut(self.stride);
                let rows = rows.map(|row| &mut row[SIDE * x..][..SIDE]);
                // Often there is no more than the mean.
                if block[1..].iter().fold(0, |any, c| any | c) == 0 {
                    let mean = stored(f32::from(block[0]) * steps[0] / SIDE as f32);
                    rows.for_each(|row| row.fill(mean));
                    continue;
                }
                for (out, row) in rows.zip(&transformed(block, steps)) {
                    for (o, v) in out.iter_mut().zip(row) {
                        *o = stored(*v);
                    }
                }
            }
        }
    }
}

/// A sample as the planes have it. No decoder goes beyond its range either.
#[inline(always)]
fn stored(sample: f32) -> i16 {
    // From here on the last bit of a number is worth 1: unlike a conversion, that is done in
    // vectors.
    const WHOLE: f32 = 12_582_912.0;
    (LEVEL * sample.clamp(-128.0, 127.0) + WHOLE).to_bits() as i16
}

/// Fills `samples` with a picture's colours; returns the coarser of the steps of the means of
/// its colour differences, in levels. `None` where the file is to be left to the decoder:
/// `samples` may then hold anything.
pub(super) fn colours(
    bytes: &[u8],
    samples: &mut [u8],
    [width, height]: [usize; 2],
) -> Option<f32> {
    let mut painter = Painter {
        size: [width, height],
        out: samples,
        next: 0,
        parts: None,
    };
    let [_, blue, red] = entropy::read(bytes, &mut painter)?;
    (painter.next == height).then_some(blue[0].max(red[0]) / SIDE as f32)
}

/// Colours the rows of pixels as soon as all of them is there.
struct Painter<'a> {
    size: [usize; 2],
    out: &'a mut [u8],
    /// The first row of pixels without colours.
    next: usize,
    parts: Option<(Planes, Lines)>,
}

impl Sink for Painter<'_> {
    fn begin(&mut self, units: [usize; 2], share: [usize; 2]) -> Option<()> {
        let planes = Planes::new(self.size, units, share)?;
        let lines = Lines::new(planes.components[1].size[0], self.size[0]);
        self.parts = Some((planes, lines));
        Some(())
    }

    fn row(&mut self, components: [Blocks<'_>; COMPONENTS]) {
        let Some((planes, lines)) = &mut self.parts else {
            return;
        };
        planes.take(components);
        let rows = planes.ready(self.next);
        let width = 3 * self.size[0];
        for (y, out) in rows
            .clone()
            .zip(self.out[rows.start * width..].chunks_exact_mut(width))
        {
            in_vectors(Row {
                planes,
                y,
                lines,
                out,
            });
        }
        self.next = rows.end;
    }
}

/// Brightness and the two differences.
struct Planes {
    /// So many pixels share a sample of the differences, across and down.
    share: [usize; 2],
    components: [Plane; COMPONENTS],
}

impl Planes {
    /// `None` if units of that number are not what covers a picture of that size.
    fn new(size: [usize; 2], units: [usize; 2], share: [usize; 2]) -> Option<Self> {
        let covering = [0, 1].map(|k| size[k].div_ceil(SIDE * share[k]));
        let fewer = [0, 1].map(|k| size[k].div_ceil(share[k]));
        (units == covering).then(|| Self {
            share,
            components: [
                Plane::new(size, units[0] * share[0], SIDE * share[1]),
                Plane::new(fewer, units[0], SIDE),
                Plane::new(fewer, units[0], SIDE),
            ],
        })
    }

    fn take(&mut self, components: [Blocks<'_>; COMPONENTS]) {
        for (plane, blocks) in self.components.iter_mut().zip(components) {
            plane.take(blocks);
        }
    }

    /// The rows of pixels from `next` on that have all samples they are made of.
    fn ready(&self, next: usize) -> Range<usize> {
        let [brightness, blue, _] = &self.components;
        let [all, fewer] = [brightness.size[1], blue.size[1]];
        let mut end = brightness.known.min(all);
        // Between the last of these samples and the next one lies a row of pixels.
        if self.share[1] == 2 && blue.known < fewer {
            end = end.saturating_sub(1);
        }
        next..end.max(next)
    }
}

/// Memory for one row of pixels.
struct Lines {
    colours: [Vec<u8>; 3],
    /// The two differences at their samples, with one more at either end, and at the pixels.
    samples: Vec<f32>,
    differences: [Vec<f32>; 2],
}

impl Lines {
    fn new(samples: usize, width: usize) -> Self {
        Self {
            colours: [(); 3].map(|()| vec![0; width]),
            samples: vec![0.0; samples + 2],
            differences: [vec![0.0; width + 1], vec![0.0; width + 1]],
        }
    }
}

/// One row of pixels to be coloured.
struct Row<'a> {
    planes: &'a Planes,
    y: usize,
    lines: &'a mut Lines,
    out: &'a mut [u8],
}

impl Work for Row<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Lines {
            colours,
            samples,
            differences,
        } = self.lines;
        for (which, line) in differences.iter_mut().enumerate() {
            self.planes.differences(which, self.y, samples, line);
        }
        let brightness = self.planes.components[0].row(self.y);
        let [blue, red] = differences;
        let start = (self.y as u32).wrapping_mul(DOWN);
        let shares = [[0.0, 1.402], [-0.344_136, -0.714_136], [1.772, 0.0]];
        for (c, (out, [of_blue, of_red])) in colours.iter_mut().zip(shares).enumerate() {
            let start = start.wrapping_add((c as u32).wrapping_mul(THIRD));
            let differences = blue.iter().zip(&*red);
            let pixels = out.iter_mut().zip(brightness).zip(differences);
            for (x, ((out, light), (cb, cr))) in pixels.enumerate() {
                let place = start.wrapping_add((x as u32).wrapping_mul(ACROSS));
                let light = MIDDLE + f32::from(*light) / LEVEL;
                *out = chosen(light + (of_blue * cb + of_red * cr), place);
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

impl Planes {
    /// One of the differences, of a row of pixels: linear between the middles of its samples.
    #[inline(always)]
    fn differences(&self, which: usize, y: usize, samples: &mut [f32], out: &mut [f32]) {
        let plane = &self.components[1 + which];
        let own = y / self.share[1];
        let near = plane.row(own);
        let far = match (self.share[1], y % 2) {
            (2, 0) => plane.row(own.saturating_sub(1)),
            (2, _) => plane.row(own + 1),
            _ => near,
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

    /// Brightness and the two differences of every pixel.
    struct Whole {
        planes: Option<Planes>,
        pixels: Vec<[f32; 3]>,
    }

    impl Sink for Whole {
        fn begin(&mut self, units: [usize; 2], share: [usize; 2]) -> Option<()> {
            self.planes = Some(Planes::new(SIZE, units, share)?);
            Some(())
        }

        fn row(&mut self, components: [Blocks<'_>; COMPONENTS]) {
            let planes = self.planes.as_mut().unwrap();
            planes.take(components);
            for y in planes.ready(self.pixels.len() / SIZE[0]) {
                let lines = [0, 1].map(|which| {
                    let mut line = vec![0.0; SIZE[0] + 1];
                    let mut samples = vec![0.0; planes.components[1].size[0] + 2];
                    planes.differences(which, y, &mut samples, &mut line);
                    line
                });
                let brightness = planes.components[0].row(y).iter();
                let pixels = brightness.zip(&lines[0]).zip(&lines[1]);
                self.pixels.extend(
                    pixels.map(|((light, blue), red)| [f32::from(*light) / LEVEL, *blue, *red]),
                );
            }
        }
    }

    fn read(bytes: &[u8]) -> Vec<[f32; 3]> {
        let mut whole = Whole {
            planes: None,
            pixels: vec![],
        };
        entropy::read(bytes, &mut whole).unwrap();
        assert_eq!(whole.pixels.len(), SIZE[0] * SIZE[1]);
        whole.pixels
    }

    fn coloured(bytes: &[u8]) -> Option<Vec<u8>> {
        let mut samples = vec![0; 3 * SIZE[0] * SIZE[1]];
        colours(bytes, &mut samples, SIZE).map(|_| samples)
    }

    /// The decoder's own samples, in whole levels.
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
            let mut inexact = [0; 3];
            for (i, (own, whole)) in read(bytes).iter().zip(decoded(bytes)).enumerate() {
                for c in 0..3 {
                    // Its transform is one of whole numbers, and not exact either.
                    let apart = own[c] + 128.0 - whole[c];
                    assert!(apart.abs() < 0.6, "{i} {c}: {} {}", own[c], whole[c]);
                    inexact[c] += usize::from((own[c] - own[c].round()).abs() > 0.1);
                }
            }
            let half = SIZE[0] * SIZE[1] / 2;
            assert!(inexact.iter().all(|n| *n > half), "{inexact:?}");
        }
    }

    /// Where four pixels share a sample of the differences, brightness is each pixel's own, and
    /// the differences are what the decoder makes of their samples, rows between two units
    /// among them: both enlarge linearly, the decoder rounding once more either way.
    #[test]
    fn shared_differences_are_enlarged_as_the_decoder_does() {
        for bytes in SHARED {
            for (i, (own, whole)) in read(bytes).iter().zip(decoded(bytes)).enumerate() {
                for (c, most) in [0.6, 1.6, 1.6].into_iter().enumerate() {
                    let apart = own[c] + 128.0 - whole[c];
                    assert!(apart.abs() < most, "{i} {c}: {} {}", own[c], whole[c]);
                }
            }
        }
    }

    /// Samples of one to a pixel and of one to four, in every way of storing them.
    #[test]
    fn all_ways_of_storing_a_picture_read_alike() {
        let same = |list: [&[u8]; 4]| {
            let first = read(list[0]);
            for c in 0..3 {
                assert!(first.iter().any(|px| px[c] != first[0][c]));
            }
            for bytes in &list[1..] {
                assert!(read(bytes) == first);
                assert!(coloured(bytes).is_some() && coloured(bytes) == coloured(list[0]));
            }
        };
        same(WHOLE);
        same(SHARED);
    }

    /// Of either of the levels beside a value, and on average that value.
    #[test]
    fn colours_are_what_brightness_and_differences_make() {
        for bytes in WHOLE.into_iter().chain(SHARED) {
            let (pixels, colours) = (read(bytes), coloured(bytes).unwrap());
            let mut off = [0.0; 3];
            for (px, out) in pixels.iter().zip(colours.as_chunks::<3>().0) {
                let [light, blue, red] = [px[0] + 128.0, px[1], px[2]];
                let exact = [
                    light + 1.402 * red,
                    light - 0.344_136 * blue - 0.714_136 * red,
                    light + 1.772 * blue,
                ];
                for ((off, exact), out) in off.iter_mut().zip(exact).zip(*out) {
                    let apart = f32::from(out) - exact.clamp(0.0, 255.0);
                    assert!(apart.abs() < 1.001, "{exact} {out}");
                    *off += apart / pixels.len() as f32;
                }
            }
            assert!(off.iter().all(|o| o.abs() < 0.02), "{off:?}");
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
