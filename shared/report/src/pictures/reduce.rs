//! Whole-number reduction of pictures and maps before they are drawn small.

use std::borrow::Cow;

use dermalia_findings::{BaseTexture, ParameterMap};
use rayon::prelude::*;

/// The side of a block that brings `size` to at most `most`.
pub(super) fn block_for(size: usize, most: usize) -> usize {
    size.div_ceil(most.max(1)).max(1)
}

fn blocks<T: Send + Default + Clone>(
    width: usize,
    height: usize,
    block: usize,
    pixel: impl Fn(std::ops::Range<usize>, std::ops::Range<usize>) -> T + Sync,
) -> (usize, usize, Vec<T>) {
    let (w, h) = (width.div_ceil(block), height.div_ceil(block));
    let mut out = vec![T::default(); w * h];
    out.par_chunks_mut(w.max(1))
        .enumerate()
        .for_each(|(y, row)| {
            let rows = y * block..((y + 1) * block).min(height);
            for (x, px) in row.iter_mut().enumerate() {
                *px = pixel(x * block..((x + 1) * block).min(width), rows.clone());
            }
        });
    (w, h, out)
}

/// The mean colour of each block.
pub(super) fn texture(base: &BaseTexture, block: usize) -> Cow<'_, BaseTexture> {
    if block <= 1 {
        return Cow::Borrowed(base);
    }
    let (width, height, px) = blocks(base.width, base.height, block, |xs, ys| {
        let n = (xs.len() * ys.len()) as u32;
        let mut sum = [0_u32; 3];
        for y in ys {
            for rgb in base.rgb[3 * (y * base.width + xs.start)..3 * (y * base.width + xs.end)]
                .chunks_exact(3)
            {
                for c in 0..3 {
                    sum[c] += u32::from(rgb[c]);
                }
            }
        }
        sum.map(|s| ((s + n / 2) / n) as u8)
    });
    Cow::Owned(BaseTexture {
        width,
        height,
        rgb: px.into_flattened(),
    })
}

/// The cubic mean of the measured levels of each block, so that a line of one pixel does
/// not fade away; not measured where less than half of the block was.
pub(super) fn map(map: &ParameterMap, block: usize) -> Cow<'_, ParameterMap> {
    if block <= 1 {
        return Cow::Borrowed(map);
    }
    let cubes: [u32; 256] = std::array::from_fn(|l| (l * l * l) as u32);
    // The level whose cube is nearest begins half a level below it; in eighths.
    let begins: [u64; 257] = std::array::from_fn(|l| match l {
        0 | 1 => 0,
        256 => u64::MAX >> 32,
        _ => (2 * l as u64 - 1).pow(3),
    });
    // For every 4096 the level that begins last before, to be looked for from there.
    let nearly: Vec<u8> = (0..=255_u64.pow(3) >> 12)
        .map(|part| (begins[..256].partition_point(|b| *b <= part << 15) - 1) as u8)
        .collect();
    let (width, height, strength) = blocks(map.width, map.height, block, |xs, ys| {
        let area = xs.len() * ys.len();
        let (mut n, mut sum) = (0_u32, 0_u64);
        for y in ys {
            for &level in &map.strength[y * map.width + xs.start..y * map.width + xs.end] {
                n += u32::from(level > 0);
                sum += u64::from(cubes[usize::from(level)]);
            }
        }
        if 2 * (n as usize) < area || n == 0 {
            return 0;
        }
        let n = u64::from(n);
        let mut level = usize::from(nearly[((sum / n) >> 12) as usize]);
        while begins[level + 1] * n <= 8 * sum {
            level += 1;
        }
        level.max(1) as u8
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
