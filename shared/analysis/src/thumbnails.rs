//! Parameter maps and the base texture at display size.

use dermalia_findings::{BaseTexture, ParameterMap};
use dermalia_scan::{Pixels, Samples};
use rayon::prelude::*;

use crate::{Atlas, cells};

/// Sides of a map are at most this long.
const LARGEST_SIDE: usize = 2048;

/// By what the whole atlas is divided for display.
fn reduction(full_px: [usize; 2]) -> usize {
    full_px[0].max(full_px[1]).div_ceil(LARGEST_SIDE).max(1)
}

/// A map of the working raster as one of the whole atlas at display size. The strongest
/// of the pixels that fall together counts, so that fine lines do not fade.
pub(crate) fn reduce_map(atlas: &Atlas, map: &ParameterMap) -> ParameterMap {
    let step = reduction(atlas.full_px);
    let (width, height) = (
        atlas.full_px[0].div_ceil(step),
        atlas.full_px[1].div_ceil(step),
    );
    let mut strength = vec![0_u8; width * height];
    strength
        .par_chunks_mut(width.max(1))
        .enumerate()
        .for_each(|(y, row)| {
            for sy in y * step..(y + 1) * step {
                let Some(iy) = sy
                    .checked_sub(atlas.origin_px[1])
                    .filter(|i| *i < atlas.height)
                else {
                    continue;
                };
                let line = &map.strength[iy * atlas.width..(iy + 1) * atlas.width];
                let first = atlas.origin_px[0] / step;
                // The first cell can begin before the raster, the last end beyond it.
                let lead = ((first + 1) * step - atlas.origin_px[0]).min(line.len());
                let (head, rest) = line.split_at(lead);
                row[first] = head.iter().fold(row[first], |most, s| most.max(*s));
                let row = &mut row[first + 1..];
                let cells = rest.chunks_exact(step);
                if let (Some(out), tail) = (row.get_mut(rest.len() / step), cells.remainder()) {
                    *out = tail.iter().fold(*out, |most, s| most.max(*s));
                }
                if step == 2 {
                    for (out, cell) in row.iter_mut().zip(rest.as_chunks::<2>().0) {
                        *out = (*out).max(cell[0]).max(cell[1]);
                    }
                } else {
                    for (out, cell) in row.iter_mut().zip(cells) {
                        *out = cell.iter().fold(*out, |most, s| most.max(*s));
                    }
                }
            }
        });
    ParameterMap {
        parameter: map.parameter,
        width,
        height,
        strength,
    }
}

/// The whole picture that the maps lie over, at the display size of the atlas; grey where
/// there is no picture.
pub(crate) fn base_of(picture: Option<&Pixels>, full_px: [usize; 2]) -> BaseTexture {
    let step = reduction(full_px);
    let (width, height) = (full_px[0].div_ceil(step), full_px[1].div_ceil(step));
    let mut rgb = vec![128_u8; 3 * width * height];
    let Some(picture) = picture else {
        return BaseTexture { width, height, rgb };
    };
    let level = |i: usize| match &picture.samples {
        Samples::Eight(v) => f32::from(v[i]),
        Samples::Sixteen(v) => f32::from(v[i]) / 257.0,
    };
    if let Samples::Eight(v) = &picture.samples
        && [width * step, height * step] == [picture.width, picture.height]
    {
        let line = 3 * picture.width;
        rgb.par_chunks_mut((3 * width).max(1))
            .zip(v.par_chunks((line * step).max(1)))
            .for_each(|(out, rows)| cells::means(rows, line, step, u32::from, out));
        return BaseTexture { width, height, rgb };
    }
    // The pixels of the picture under a display pixel.
    let span = |k: usize, of: usize, size: usize| {
        let from = k * size / of;
        from..((k + 1) * size).div_ceil(of).clamp(from + 1, size)
    };
    rgb.par_chunks_mut((3 * width).max(1))
        .enumerate()
        .for_each(|(y, row)| {
            for x in 0..width {
                let (mut sum, mut n) = ([0.0_f32; 3], 0.0);
                for sy in span(y, height, picture.height) {
                    for sx in span(x, width, picture.width) {
                        let i = 3 * (sy * picture.width + sx);
                        for c in 0..3 {
                            sum[c] += level(i + c);
                        }
                        n += 1.0;
                    }
                }
                for c in 0..3 {
                    row[3 * x + c] = (sum[c] / n + 0.5) as u8;
                }
            }
        });
    BaseTexture { width, height, rgb }
}
