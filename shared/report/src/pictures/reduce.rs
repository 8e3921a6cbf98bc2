//! Whole-number reduction of pictures and maps before they are drawn small.

use std::borrow::Cow;
use std::ops::AddAssign;

use dermalia_findings::{BaseTexture, ParameterMap};
use rayon::prelude::*;

/// The side of a block that brings `size` to at most `most`.
pub(super) fn block_for(size: usize, most: usize) -> usize {
    size.div_ceil(most.max(1)).max(1)
}

/// Adds to each sum the values of its part of a row: `of` makes a value of `N` bytes, and
/// `block` of them, or what the row has left, go into a sum.
#[inline(always)]
fn add_row<const N: usize, T: Copy + AddAssign>(
    row: &[u8],
    block: usize,
    sums: &mut [T],
    of: impl Fn([u8; N]) -> T + Copy,
) {
    let (values, _) = row.as_chunks::<N>();
    // The usual ones by themselves, so that the processor's vectors fill.
    match block {
        2 => {
            let (pairs, rest) = values.as_chunks::<2>();
            for (sum, &[a, b]) in sums.iter_mut().zip(pairs) {
                *sum += of(a);
                *sum += of(b);
            }
            for (sum, &a) in sums.iter_mut().skip(pairs.len()).zip(rest) {
                *sum += of(a);
            }
        }
        _ => {
            for (sum, part) in sums.iter_mut().zip(values.chunks(block)) {
                part.iter().for_each(|&v| *sum += of(v));
            }
        }
    }
}

/// How many pixels each block of a row of blocks has, of so many rows.
fn areas(width: usize, block: usize, rows: usize) -> impl Iterator<Item = u32> {
    (0..width.div_ceil(block)).map(move |x| (rows * block.min(width - x * block)) as u32)
}

#[derive(Clone, Copy, Default)]
struct Rgb([u32; 3]);

impl AddAssign for Rgb {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        for c in 0..3 {
            self.0[c] += other.0[c];
        }
    }
}

/// The mean colour of each block.
pub(super) fn texture(base: &BaseTexture, block: usize) -> Cow<'_, BaseTexture> {
    if block <= 1 {
        return Cow::Borrowed(base);
    }
    let (width, height) = (base.width.div_ceil(block), base.height.div_ceil(block));
    let mut rgb = vec![0_u8; 3 * width * height];
    rgb.par_chunks_mut((3 * width).max(1))
        .zip(base.rgb.par_chunks((3 * base.width * block).max(1)))
        .for_each_init(Vec::new, |sums: &mut Vec<Rgb>, (out, rows)| {
            sums.clear();
            sums.resize(width, Rgb::default());
            let rows = rows.chunks_exact(3 * base.width);
            let count = rows.len();
            for row in rows {
                add_row(row, block, sums, |px: [u8; 3]| Rgb(px.map(u32::from)));
            }
            let sums = sums.iter().zip(areas(base.width, block, count));
            for (px, (Rgb(sum), n)) in out.chunks_exact_mut(3).zip(sums) {
                // Nearly all are of four pixels.
                let mean = |s: u32| if n == 4 { (s + 2) / 4 } else { (s + n / 2) / n };
                for c in 0..3 {
                    px[c] = mean(sum[c]) as u8;
                }
            }
        });
    Cow::Owned(BaseTexture { width, height, rgb })
}

/// Finds the level whose cube is nearest to a mean of cubes.
struct Levels {
    /// A level begins half a level below its cube; in eighths.
    begins: [u64; 257],
    /// For every 4096 the level that begins last before, to be looked for from there.
    nearly: Vec<u8>,
}

impl Levels {
    fn new() -> Self {
        let begins: [u64; 257] = std::array::from_fn(|l| match l {
            0 | 1 => 0,
            256 => u64::MAX >> 32,
            _ => (2 * l as u64 - 1).pow(3),
        });
        let nearly = (0..=255_u64.pow(3) >> 12)
            .map(|part| (begins[..256].partition_point(|b| *b <= part << 15) - 1) as u8)
            .collect();
        Self { begins, nearly }
    }

    /// Of `n` cubes with this sum.
    #[inline(always)]
    fn of(&self, sum: u64, n: u32) -> u8 {
        // From the step before: in single precision it may be one too many.
        let part = (sum as f32 / (4096.0 * n as f32)) as usize;
        let mut level = usize::from(self.nearly[part.saturating_sub(1)]);
        while self.begins[level + 1] * u64::from(n) <= 8 * sum {
            level += 1;
        }
        level as u8
    }
}

/// The cubic mean of the measured levels of each block, so that a line of one pixel does
/// not fade away; not measured where less than half of the block was.
pub(super) fn map(map: &ParameterMap, block: usize) -> Cow<'_, ParameterMap> {
    if block <= 1 {
        return Cow::Borrowed(map);
    }
    let levels = Levels::new();
    let (width, height) = (map.width.div_ceil(block), map.height.div_ceil(block));
    let mut strength = vec![0_u8; width * height];
    strength
        .par_chunks_mut(width.max(1))
        .zip(map.strength.par_chunks((map.width * block).max(1)))
        .for_each_init(Vec::new, |sums: &mut Vec<u64>, (out, rows)| {
            sums.clear();
            sums.resize(width, 0);
            let rows = rows.chunks_exact(map.width);
            let count = rows.len();
            for row in rows {
                // The sum of the cubes, and above it how many were measured.
                add_row(row, block, sums, |[level]: [u8; 1]| {
                    let l = u32::from(level);
                    u64::from(l * l * l) | (u64::from(level > 0) << COUNT_BIT)
                });
            }
            let sums = sums.iter().zip(areas(map.width, block, count));
            for (level, (&sum, area)) in out.iter_mut().zip(sums) {
                let n = (sum >> COUNT_BIT) as u32;
                if n > 0 && 2 * n >= area {
                    *level = levels.of(sum & ((1 << COUNT_BIT) - 1), n);
                }
            }
        });
    Cow::Owned(ParameterMap {
        parameter: map.parameter,
        width,
        height,
        strength,
    })
}

/// Cubes of a byte take 24 bits: room for 65,536 of them below.
const COUNT_BIT: u32 = 40;

/// Maps in texels of about `block` pixels of a picture of so many columns.
pub(super) fn maps(
    maps: &[ParameterMap],
    block: usize,
    picture_columns: usize,
) -> Cow<'_, [ParameterMap]> {
    let of = |m: &ParameterMap| (block * m.width / picture_columns).max(1);
    if maps.iter().all(|m| of(m) == 1) {
        return Cow::Borrowed(maps);
    }
    let small = maps.iter().map(|m| map(m, of(m)).into_owned());
    Cow::Owned(small.collect())
}

#[cfg(test)]
mod tests {
    use dermalia_findings::Parameter;

    use super::*;

    #[test]
    fn a_thin_line_survives_and_gaps_stay_gaps() {
        let mut strength = vec![1_u8; 64];
        for y in 0..8 {
            strength[y * 8 + 2] = 255;
            strength[y * 8 + 6] = 0;
            strength[y * 8 + 7] = 0;
            strength[y * 8 + 5] = 0;
        }
        let m = ParameterMap {
            parameter: Parameter::Wrinkles,
            width: 8,
            height: 8,
            strength,
        };
        let r = map(&m, 4);
        assert_eq!((r.width, r.height), (2, 2));
        assert!(r.strength[0] > 150, "{}", r.strength[0]);
        assert_eq!(r.strength[1], 0);
    }

    #[test]
    fn the_level_is_that_of_the_nearest_cube() {
        let levels = Levels::new();
        for n in [1_u32, 2, 3, 4, 25, 256] {
            for step in 0..4000_u64 {
                let sum = step * step * step % (255_u64.pow(3) * u64::from(n));
                let sum = sum.max(u64::from(n));
                let mean = sum as f64 / f64::from(n);
                let near = |l: u8| (f64::from(l) + 0.5).powi(3) > mean;
                let nearest = (1..=255).find(|&l| near(l)).unwrap();
                assert_eq!(levels.of(sum, n), nearest, "{sum} of {n}");
            }
            assert_eq!(levels.of(255_u64.pow(3) * u64::from(n), n), 255);
        }
    }

    #[test]
    fn odd_sizes_keep_their_edges() {
        let base = BaseTexture {
            width: 5,
            height: 3,
            rgb: vec![200; 45],
        };
        let r = texture(&base, 2);
        assert_eq!((r.width, r.height), (3, 2));
        assert!(r.rgb.iter().all(|&c| c == 200));
        assert_eq!(block_for(2049, 1024), 3);
        assert_eq!(block_for(0, 1024), 1);
    }
}
