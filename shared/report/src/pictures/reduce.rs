//! Whole-number reduction of pictures and maps before they are drawn small.

use std::borrow::Cow;

use dermalia_findings::{BaseTexture, ParameterMap};
use dermalia_surface::{Work, in_vectors};
use rayon::prelude::*;

use super::heat;

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

/// The level whose cube is nearest to a mean of cubes, from eight times that mean in single
/// precision: exactly, where `is_less` and `is_more` say on which side of a level's edges the
/// mean lies. A level begins half a level below its cube; they are given twice that edge.
/// Without a branch, so that many are found side by side.
#[inline(always)]
fn level_of(eight: f32, is_less: impl Fn(i32) -> bool) -> i32 {
    const WHOLE: f32 = (1 << 23) as f32;
    // The cube root: about a third of the exponent, and one step (Halley), which leaves a
    // hundredth of a level. The cube of the root of nothing would be too small for a fast
    // product.
    let eight = eight.max(1.0);
    let root = f32::from_bits(eight.to_bits() / 3 + 0x2a51_4067);
    let cube = root * root * root;
    let root = root * (cube + 2.0 * eight) / (2.0 * cube + eight);
    // Rounded; a cast would ask for numbers that cannot be, one by one.
    let near = (0.5 * root + WHOLE).to_bits().wrapping_sub(WHOLE.to_bits()) as i32;
    near - i32::from(is_less(2 * near - 1)) + i32::from(!is_less(2 * near + 1))
}

/// The making of a row of a smaller map.
struct MapRow<'a> {
    rows: &'a [u8],
    columns: usize,
    block: usize,
    /// Room for sums.
    room: &'a mut Vec<u32>,
    out: &'a mut [u8],
}

/// In one number the sum of at most nine cubes, and above it how many were measured.
const COUNT_BIT: u32 = 28;

impl MapRow<'_> {
    /// Whole blocks of two or three a side; those at the right edge that are narrower stay.
    #[inline(always)]
    fn small<const B: usize>(self) {
        self.room.clear();
        self.room.resize(self.columns, 0);
        for row in self.rows.chunks_exact(self.columns) {
            for (sum, &level) in self.room.iter_mut().zip(row) {
                let l = u32::from(level);
                *sum += l * l * l + (u32::from(level > 0) << COUNT_BIT);
            }
        }
        let (blocks, _) = self.room.as_chunks::<B>();
        for (out, block) in self.out.iter_mut().zip(blocks) {
            let sum: u32 = block.iter().sum();
            let n = (sum >> COUNT_BIT) as i32;
            let sum = (sum & ((1 << COUNT_BIT) - 1)) as i32;
            let is_less = |edge: i32| 8 * sum < edge * edge * edge * n;
            let level = level_of(8.0 * sum as f32 / n.max(1) as f32, is_less);
            *out = if 2 * n >= (B * B) as i32 {
                level as u8
            } else {
                0
            };
        }
    }

    /// Blocks of any size from a column of the blocks on.
    fn any(&mut self, from: usize) {
        let rows = self.rows.chunks_exact(self.columns);
        for (x, out) in self.out.iter_mut().enumerate().skip(from) {
            let columns = x * self.block..self.columns.min((x + 1) * self.block);
            let area = rows.len() * columns.len();
            let (mut sum, mut n) = (0_u64, 0_u64);
            for &level in rows.clone().flat_map(|row| &row[columns.clone()]) {
                sum += u64::from(level).pow(3);
                n += u64::from(level > 0);
            }
            let is_less = |edge: i32| 8 * sum < (edge.max(0) as u64).pow(3) * n;
            let level = level_of(8.0 * sum as f32 / n.max(1) as f32, is_less);
            *out = if n > 0 && 2 * n >= area as u64 {
                level as u8
            } else {
                0
            };
        }
    }
}

impl Work for MapRow<'_> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        let is_whole = self.rows.len() == self.block * self.columns;
        match self.block {
            2 | 3 if is_whole => {
                self.any(self.columns / self.block);
                if self.block == 2 {
                    self.small::<2>();
                } else {
                    self.small::<3>();
                }
            }
            _ => self.any(0),
        }
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
        .for_each_init(Vec::new, |room, (out, rows)| {
            in_vectors(MapRow {
                rows,
                columns: map.width,
                block,
                room,
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

/// Maps in texels of about `block` pixels of a picture of so many columns; `heats` holds them
/// in the size of their heat maps where that is known.
pub(super) fn maps<'a>(
    maps: &'a [ParameterMap],
    heats: &[Cow<'_, ParameterMap>],
    block: usize,
    picture_columns: usize,
) -> Cow<'a, [ParameterMap]> {
    let of = |m: &ParameterMap| (block * m.width / picture_columns).max(1);
    if maps.iter().all(|m| of(m) == 1) {
        return Cow::Borrowed(maps);
    }
    let small = maps.iter().enumerate().map(|(i, m)| {
        let known = heats.get(i).filter(|_| heat::block(m) == of(m));
        known.map_or_else(|| map(m, of(m)).into_owned(), |s| (**s).clone())
    });
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
        // Blocks of two, three and more a side, of levels of every kind.
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        for block in [2, 3, 4, 7] {
            let (width, height) = (block * 500 + 1, block * 20 + 1);
            let strength: Vec<u8> = (0..width * height)
                .map(|i| match (i / 300) % 4 {
                    0 => random() as u8,
                    1 => (random() % 3) as u8,
                    2 => 255 - (random() % 3) as u8,
                    _ => (i / 1200 + (random() % 2) as usize) as u8,
                })
                .collect();
            let whole = ParameterMap {
                parameter: Parameter::Pores,
                width,
                height,
                strength,
            };
            let small = map(&whole, block);
            for (i, level) in small.strength.iter().enumerate() {
                let (x, y) = (i % small.width * block, i / small.width * block);
                let (right, bottom) = ((x + block).min(width), (y + block).min(height));
                let (mut sum, mut n) = (0.0, 0.0);
                for at in (y..bottom).flat_map(|y| (x..right).map(move |x| y * width + x)) {
                    let level = f64::from(whole.strength[at]);
                    sum += level.powi(3);
                    n += f64::from(u8::from(level > 0.0));
                }
                let area = ((right - x) * (bottom - y)) as f64;
                let near = |l: &i32| (f64::from(*l) + 0.5).powi(3) * n > sum;
                let nearest = (1..=255).find(near).filter(|_| 2.0 * n >= area);
                assert_eq!(i32::from(*level), nearest.unwrap_or(0), "{sum} of {n}");
            }
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
