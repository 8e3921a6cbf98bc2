//! What picture and maps show at places of the atlas, between their texels.

use dermalia_findings::{BaseTexture, ParameterMap};

use super::paint::{LANES, Lane, Strengths, whole};

/// Where a raster of `width` x `height` is read for a place in the atlas, with the weights.
#[inline(always)]
fn taps([u, v]: [f32; 2], (width, height): (usize, usize)) -> [(u32, f32); 4] {
    let (right, bottom) = (width as u32 - 1, height as u32 - 1);
    let (x, y) = (u * width as f32, (1.0 - v) * height as f32);
    let x = (x - 0.5).clamp(0.0, width as f32 - 1.0);
    let y = (y - 0.5).clamp(0.0, height as f32 - 1.0);
    let (x0, y0) = (whole(x).min(right), whole(y).min(bottom));
    let (x1, y1) = ((x0 + 1).min(right), (y0 + 1).min(bottom));
    let (fx, fy) = (x - x0 as i32 as f32, y - y0 as i32 as f32);
    let (upper, lower) = (y0 * width as u32, y1 * width as u32);
    [
        (upper + x0, (1.0 - fx) * (1.0 - fy)),
        (upper + x1, fx * (1.0 - fy)),
        (lower + x0, (1.0 - fx) * fy),
        (lower + x1, fx * fy),
    ]
}

/// The same for places side by side.
struct Taps {
    at: [[u32; LANES]; 4],
    weights: [Lane; 4],
}

impl Taps {
    #[inline(always)]
    fn of(uv: &[Lane; 2], size: (usize, usize)) -> Self {
        let mut out = Self {
            at: [[0; LANES]; 4],
            weights: [[0.0; LANES]; 4],
        };
        for l in 0..LANES {
            let taps = taps([uv[0][l], uv[1][l]], size);
            for k in 0..4 {
                (out.at[k][l], out.weights[k][l]) = taps[k];
            }
        }
        out
    }
}

/// Whether more than half of a place was measured in one of the maps.
pub(super) fn is_measured(maps: &[ParameterMap], uv: [f32; 2]) -> bool {
    let (mut size, mut places) = ((0, 0), [(0, 0.0); 4]);
    maps.iter().any(|map| {
        if (map.width, map.height) != size {
            size = (map.width, map.height);
            places = taps(uv, size);
        }
        let of = |(at, weight): (u32, f32)| match map.strength[at as usize] {
            0 => 0.0,
            _ => weight,
        };
        places.into_iter().map(of).fold(0.0, |a, b| a + b) > 0.5
    })
}

/// The colours at the first `count` places, in linear light.
#[inline(always)]
pub(super) fn colours_at(
    base: &BaseTexture,
    linear: &[f32; 256],
    uv: &[Lane; 2],
    count: usize,
) -> [Lane; 3] {
    let (texels, _) = base.rgb.as_chunks::<3>();
    let taps = Taps::of(uv, (base.width, base.height));
    let mut read = [[[0.0; LANES]; 3]; 4];
    for (read, at) in read.iter_mut().zip(&taps.at) {
        for l in 0..count.min(LANES) {
            let texel = texels[at[l] as usize];
            for c in 0..3 {
                read[c][l] = linear[usize::from(texel[c])];
            }
        }
    }
    let mut out = [[0.0; LANES]; 3];
    for (read, weights) in read.iter().zip(&taps.weights) {
        for c in 0..3 {
            for l in 0..LANES {
                out[c][l] += weights[l] * read[c][l];
            }
        }
    }
    out
}

/// At the first `count` places, of each map its strength times its measured share, and that
/// share.
#[inline(always)]
pub(super) fn strengths_at(maps: &[ParameterMap], uv: &[Lane; 2], count: usize) -> Strengths {
    let mut out = Strengths::default();
    let (mut size, mut taps) = ((0, 0), None);
    for (map, [strength, measured]) in maps.iter().zip(&mut out) {
        // All maps are of one size as a rule.
        if (map.width, map.height) != size {
            size = (map.width, map.height);
            taps = Some(Taps::of(uv, size));
        }
        let Some(taps) = &taps else {
            continue;
        };
        let mut read = [[0_u8; LANES]; 4];
        for (read, at) in read.iter_mut().zip(&taps.at) {
            for l in 0..count.min(LANES) {
                read[l] = map.strength[at[l] as usize];
            }
        }
        for (read, weights) in read.iter().zip(&taps.weights) {
            for l in 0..LANES {
                let level = i32::from(read[l]);
                strength[l] += weights[l] * ((level - 1).max(0) as f32 / 254.0);
                measured[l] += if level > 0 { weights[l] } else { 0.0 };
            }
        }
    }
    out
}
