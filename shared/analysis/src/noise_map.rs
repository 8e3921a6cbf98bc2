//! How noise varies over a chart.
//!
//! Light that grazes the skin shows more of its texture than light that falls straight on it,
//! and that changes within a centimetre: what is plain in one place is grain in another.

use crate::Atlas;
use crate::chart::Chart;
use crate::planes::{Plane, median};
use crate::spans::Spans;

/// The place of a pit and its scale, in pixels of a chart.
pub(crate) type Pit = ([f32; 2], f32);

/// A pit has a part in a filter's response within so many times the root of both variances.
const PIT_REACH: f32 = 2.2;
/// Blocks on which noise is told, about so wide.
const BLOCK_MM: f32 = 5.5;
/// Fewer pixels than this tell no noise.
const LEAST_PIXELS: usize = 40;

/// The noise of the blocks of a chart.
pub(crate) struct NoiseMap {
    /// Sides of a block, in pixels.
    block: [f32; 2],
    columns: usize,
    noise: Vec<f32>,
}

impl NoiseMap {
    /// Of some pixels of a chart of so many; `spread` tells the noise of those of a block. Where
    /// they are few it is `usual`.
    pub(crate) fn of(
        size: [usize; 2],
        step_mm: f32,
        pixels: &[[u32; 2]],
        usual: f32,
        spread: impl Fn(&[[u32; 2]]) -> f32,
    ) -> Self {
        let count = size.map(|n| (n as f32 * step_mm / BLOCK_MM).round().max(1.0));
        let block = [0, 1].map(|k| size[k] as f32 / count[k]);
        let [columns, rows] = count.map(|n| n as usize);
        let mut of_block = vec![vec![]; columns * rows];
        for p in pixels {
            let [x, y] = [0, 1].map(|k| (p[k] as f32 / block[k]) as usize);
            of_block[y.min(rows - 1) * columns + x.min(columns - 1)].push(*p);
        }
        let noise = of_block.iter().map(|pixels| {
            if pixels.len() < LEAST_PIXELS {
                usual
            } else {
                spread(pixels)
            }
        });
        Self {
            block,
            columns,
            noise: noise.collect(),
        }
    }

    /// The noise at a pixel, between the middles of blocks.
    pub(crate) fn at(&self, pixel: [f32; 2]) -> f32 {
        let rows = self.noise.len() / self.columns;
        let between = |k: usize, count: usize| {
            let last = count - 1;
            let at = (pixel[k] / self.block[k] - 0.5).clamp(0.0, last as f32);
            (at as usize, (at as usize + 1).min(last), at.fract())
        };
        let (x0, x1, tx) = between(0, self.columns);
        let (y0, y1, ty) = between(1, rows);
        let row = |y: usize| {
            let [a, b] = [x0, x1].map(|x| self.noise[y * self.columns + x]);
            a + tx * (b - a)
        };
        row(y0) + ty * (row(y1) - row(y0))
    }
}

/// One pixel of so many in either direction tells the noise: a multiple of every stride.
const PROBED: usize = 4;

/// Columns and rows of some pixels, those that a chart answers for and that are measured.
pub(crate) fn inside(chart: &Chart, atlas: &Atlas, spans: &Spans) -> Vec<[u32; 2]> {
    let mut inside = vec![];
    for (y, span) in spans.grown([0, 0]).into_iter().enumerate().step_by(PROBED) {
        for x in (span.start.next_multiple_of(PROBED)..span.end).step_by(PROBED) {
            if chart.is_inside(atlas, x, y) {
                inside.push([x as u32, y as u32]);
            }
        }
    }
    inside
}

/// How far a pit has a part in the response of a filter, given the scales of both.
fn reach(own: f32, sigma: f32) -> f32 {
    PIT_REACH * (own * own + sigma * sigma).sqrt()
}

/// Whether a pit has a part in the response of a filter of that scale in a place.
pub(crate) fn has_part(([x, y], own): &Pit, place: [f32; 2], sigma: f32) -> bool {
    let [dx, dy] = [place[0] - x, place[1] - y];
    dx * dx + dy * dy <= reach(*own, sigma).powi(2)
}

/// The pixels on which no pit has a part in the response of a filter of that scale: given
/// those of the chart, where pits lie and the scale of each, in pixels.
pub(crate) fn beside(pixels: &[[u32; 2]], pits: &[Pit], sigma: f32) -> Vec<[u32; 2]> {
    let cell = |v: f32| (v / PROBED as f32).max(0.0) as usize;
    let size = [0, 1].map(|k| {
        let most = pixels.iter().map(|p| p[k]).max();
        most.map_or(0, |most| cell(most as f32) + 1)
    });
    let mut within = vec![false; size[0] * size[1]];
    for ([x, y], own) in pits {
        let reach = reach(*own, sigma);
        let [columns, rows] = [(*x, size[0]), (*y, size[1])]
            .map(|(v, size)| cell(v - reach)..size.min(cell(v + reach) + 1));
        for row in rows {
            for column in columns.clone() {
                let [dx, dy] = [(column, x), (row, y)].map(|(c, v)| (c * PROBED) as f32 - v);
                within[row * size[0] + column] |= dx * dx + dy * dy <= reach * reach;
            }
        }
    }
    let free = |p: &&[u32; 2]| !within[cell(p[1] as f32) * size[0] + cell(p[0] as f32)];
    pixels.iter().filter(free).copied().collect()
}

/// Robust standard deviation of a response over some pixels of the chart.
pub(crate) fn spread(pixels: &[[u32; 2]], r: &Plane, stride: usize) -> f32 {
    let mut values: Vec<f32> = pixels
        .iter()
        .map(|p| r.data[p[1] as usize / stride * r.width + p[0] as usize / stride])
        .collect();
    let middle = median(&mut values);
    for v in &mut values {
        *v = (*v - middle).abs();
    }
    1.4826 * median(&mut values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_is_told_of_each_block_and_between_them() {
        // Two blocks side by side, and one below each of which little is known.
        let pixels: Vec<[u32; 2]> = (0..110)
            .flat_map(|x| (0..60).step_by(4).map(move |y| [x, y]))
            .collect();
        let told = |pixels: &[[u32; 2]]| if pixels[0][0] < 55 { 1.0 } else { 3.0 };
        let map = NoiseMap::of([110, 110], 0.1, &pixels, 10.0, told);
        for (place, noise) in [
            ([0.0, 0.0], 1.0),
            ([27.5, 27.5], 1.0),
            ([55.0, 20.0], 2.0),
            ([109.0, 20.0], 3.0),
            ([109.0, 109.0], 3.0),
        ] {
            assert!((map.at(place) - noise).abs() < 1e-4, "{place:?}");
        }
        let above: Vec<[u32; 2]> = pixels.iter().filter(|p| p[1] < 55).copied().collect();
        let map = NoiseMap::of([110, 110], 0.1, &above, 10.0, told);
        assert!((map.at([20.0, 109.0]) - 10.0).abs() < 1e-4);
    }
}
