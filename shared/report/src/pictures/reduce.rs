//! Whole-number reduction of pictures and maps before they are drawn small.

use std::borrow::Cow;

use dermalia_findings::{BaseTexture, ParameterMap};
use dermalia_surface::{Work, in_vectors};
use rayon::prelude::*;

/// The side of a block that brings `size` to at most `most`.
pub(super) fn block_for(size: usize, most: usize) -> usize {
    size.div_ceil(most.max(1)).max(1)
}

/// How many pixels each block of a row of blocks has, of so many rows.
fn areas(width: usize, block: usize, rows: usize) -> impl Iterator<Item = u32> {
    (0..width.div_ceil(block)).map(move |x| (rows * block.min(width - x * block)) as u32)
}

/// The making of a row of half the width out of two rows of three bytes a pixel; a last odd
/// pixel is left.
struct Halved<'a> {
    rows: [&'a [u8]; 2],
    /// Room for the sums of the two.
    both: &'a mut Vec<u16>,
    out: &'a mut [u8],
}

impl Work for Halved<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let [upper, lower] = self.rows;
        self.both.clear();
        let pairs = upper.iter().zip(lower);
        self.both
            .extend(pairs.map(|(&u, &l)| u16::from(u) + u16::from(l)));
        let (out, _) = self.out.as_chunks_mut::<3>();
        let (both, _) = self.both.as_chunks::<6>();
        for (px, sums) in out.iter_mut().zip(both) {
            for c in 0..3 {
                px[c] = ((sums[c] + sums[c + 3] + 2) / 4) as u8;
            }
        }
    }
}

/// A row of half the width out of two rows of three bytes a pixel, each the mean of four; a
/// last odd pixel is left. `room` is for the sums.
pub(super) fn halve(rows: [&[u8]; 2], room: &mut Vec<u16>, out: &mut [u8]) {
    in_vectors(Halved {
        rows,
        both: room,
        out,
    });
}

/// The mean colour of each block.
pub(super) fn texture(base: &BaseTexture, block: usize) -> Cow<'_, BaseTexture> {
    if block <= 1 {
        return Cow::Borrowed(base);
    }
    let (width, height) = (base.width.div_ceil(block), base.height.div_ceil(block));
    let mut rgb = vec![0_u8; 3 * width * height];
    let line = 3 * base.width;
    rgb.par_chunks_mut((3 * width).max(1))
        .zip(base.rgb.par_chunks((line * block).max(1)))
        .for_each_init(
            Default::default,
            |(sums, room): &mut (Vec<[u32; 3]>, Vec<u16>), (out, rows)| {
                if block == 2 && rows.len() == 2 * line && base.width.is_multiple_of(2) {
                    let (upper, lower) = rows.split_at(line);
                    return halve([upper, lower], room, out);
                }
                sums.clear();
                sums.resize(width, [0; 3]);
                let rows = rows.chunks_exact(line);
                let count = rows.len();
                for row in rows {
                    let (pixels, _) = row.as_chunks::<3>();
                    for (sum, part) in sums.iter_mut().zip(pixels.chunks(block)) {
                        for px in part {
                            for c in 0..3 {
                                sum[c] += u32::from(px[c]);
                            }
                        }
                    }
                }
                let sums = sums.iter().zip(areas(base.width, block, count));
                for (px, (sum, n)) in out.chunks_exact_mut(3).zip(sums) {
                    for c in 0..3 {
                        px[c] = ((sum[c] + n / 2) / n) as u8;
                    }
                }
            },
        );
    Cow::Owned(BaseTexture { width, height, rgb })
}

const ROUNDING: f32 = (1 << 23) as f32;

/// The level whose cube is nearest to the mean of `n` cubes with this sum; without a branch,
/// so that many are found side by side. All products are whole and below 2^53: exact.
#[inline(always)]
fn level_of(sum: f64, n: f64) -> i32 {
    // The cube root of eight times the mean: about a third of the exponent, and one step
    // (Halley), which leaves a hundredth of a level.
    let eight = (8.0 * sum) as f32 / n as f32;
    let root = f32::from_bits(eight.to_bits() / 3 + 0x2a51_4067);
    let cube = root * root * root;
    let root = root * (cube + 2.0 * eight) / (2.0 * cube + eight);
    // Rounded by what a number of 24 bits cannot hold: a cast would ask what no level is.
    let near = (0.5 * root + ROUNDING)
        .to_bits()
        .wrapping_sub(ROUNDING.to_bits()) as i32;
    // A level begins half a level below its cube.
    let begins = |level: i32| {
        let edge = f64::from(2 * level - 1);
        edge * edge * edge * n
    };
    near - i32::from(begins(near) > 8.0 * sum) + i32::from(begins(near + 1) <= 8.0 * sum)
}

/// Of each block of a row of blocks the sum of the cubes, and how many were measured.
#[derive(Default)]
struct Cubes {
    sums: Vec<f64>,
    counts: Vec<u32>,
}

/// Adds the blocks of a row, and what is left of it to the next one.
#[inline(always)]
fn add_cubes<const B: usize>(
    (blocks, rest): (&[[u8; B]], &[u8]),
    sums: &mut [f64],
    counts: &mut [u32],
) {
    let cube = |level: u8| i32::from(level) * i32::from(level) * i32::from(level);
    let (of_blocks, of_rest) = (sums.iter_mut().zip(counts.iter_mut()), blocks.len());
    for ((sum, count), block) in of_blocks.zip(blocks) {
        *sum += f64::from(block.iter().map(|&l| cube(l)).sum::<i32>());
        *count += block.iter().map(|&l| u32::from(l > 0)).sum::<u32>();
    }
    for &level in rest {
        sums[of_rest] += f64::from(cube(level));
        counts[of_rest] += u32::from(level > 0);
    }
}

/// The making of a row of a smaller map.
struct MapRow<'a> {
    rows: &'a [u8],
    columns: usize,
    block: usize,
    cubes: &'a mut Cubes,
    out: &'a mut [u8],
}

impl Work for MapRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Cubes { sums, counts } = self.cubes;
        let columns = self.out.len();
        sums.clear();
        sums.resize(columns, 0.0);
        counts.clear();
        counts.resize(columns, 0);
        let rows = self.rows.chunks_exact(self.columns);
        let height = rows.len();
        for row in rows {
            // The usual ones by themselves, so that the processor's vectors fill.
            match self.block {
                2 => add_cubes(row.as_chunks::<2>(), sums, counts),
                3 => add_cubes(row.as_chunks::<3>(), sums, counts),
                4 => add_cubes(row.as_chunks::<4>(), sums, counts),
                block => {
                    for (x, part) in row.chunks(block).enumerate() {
                        let part: (&[[u8; 1]], _) = (&[], part);
                        add_cubes(part, &mut sums[x..=x], &mut counts[x..=x]);
                    }
                }
            }
        }
        // Only the last block can be narrower.
        let full = height * self.block;
        let last = height * (self.columns - (columns - 1) * self.block);
        let (out_last, out) = match self.out.split_last_mut() {
            Some(split) => split,
            None => return,
        };
        let level = |sum: f64, n: u32, area: usize| {
            let is_measured = (n > 0) & (2 * n as usize >= area);
            if is_measured {
                level_of(sum, f64::from(n as i32)) as u8
            } else {
                0
            }
        };
        for ((out, &sum), &n) in out.iter_mut().zip(&*sums).zip(&*counts) {
            *out = level(sum, n, full);
        }
        *out_last = level(sums[columns - 1], counts[columns - 1], last);
    }
}

/// The cubic mean of the measured levels of each block, so that a line of one pixel does
/// not fade away; not measured where less than half of the block was.
pub(super) fn map(map: &ParameterMap, block: usize) -> Cow<'_, ParameterMap> {
    if block <= 1 {
        return Cow::Borrowed(map);
    }
    let (width, height) = (map.width.div_ceil(block), map.height.div_ceil(block));
    let mut strength = vec![0_u8; width * height];
    strength
        .par_chunks_mut(width.max(1))
        .zip(map.strength.par_chunks((map.width * block).max(1)))
        .for_each_init(Cubes::default, |cubes, (out, rows)| {
            in_vectors(MapRow {
                rows,
                columns: map.width,
                block,
                cubes,
                out,
            });
        });
    Cow::Owned(ParameterMap {
        parameter: map.parameter,
        width,
        height,
        strength,
    })
}

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
        let level_of = |sum: u64, n: u32| level_of(sum as f64, f64::from(n)) as u8;
        for n in [1_u32, 2, 3, 4, 25, 256] {
            for step in 0..4000_u64 {
                let sum = step * step * step % (255_u64.pow(3) * u64::from(n));
                let sum = sum.max(u64::from(n));
                let mean = sum as f64 / f64::from(n);
                let near = |l: u8| (f64::from(l) + 0.5).powi(3) > mean;
                let nearest = (1..=255).find(|&l| near(l)).unwrap();
                assert_eq!(level_of(sum, n), nearest, "{sum} of {n}");
            }
            assert_eq!(level_of(255_u64.pow(3) * u64::from(n), n), 255);
            assert_eq!(level_of(u64::from(n), n), 1);
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
