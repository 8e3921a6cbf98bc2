//! The colour of a picture in cells of the working raster.

use std::ops::Range;
use std::sync::Arc;

use dermalia_findings::Region;
use dermalia_scan::Pixels;
use dermalia_surface::in_vectors;
use rayon::prelude::*;

use crate::atlas::{Atlas, is_measured, label};
use crate::chromophores::cell_noise;
use crate::colour::{density_8, density_16, linear_8, linear_16};
use crate::field::{Extent, Field, Sums, quantile};
use crate::gaussian::gaussian;
use crate::registration::{Channels, Level, RegisteredPicture, Strip, Window};
use crate::relief::Relief;

/// What is no skin to be seen.
const HIDDEN: u8 = label::EXCLUDED | label::NO_SURFACE;
/// Two pictures are brought to the same level at this reach.
const EVEN_MM: f32 = 4.0;
/// Noise of a cell from which light is averaged instead of its logarithm: from here on the
/// logarithm's curvature moves a mean by more than 0.1 %, and near black it is clipped.
const NOISY: f64 = 0.05;
/// The reach of the light that the logarithm of noisy cells is taken of.
const LIGHT_MM: f32 = 0.4;
/// So much gloss, in density of blue beyond that of red, that a picture is of no use beside
/// another: a tenth of what the skin gives back in blue.
const MUCH_GLOSS: f32 = 0.1;

/// The share of the cells that a level is read off.
pub(crate) const LEVEL_SHARE: f64 = 0.6;

/// Median size of a measured pixel, across and down, in millimetres.
pub(crate) fn pixel_mm(atlas: &Atlas) -> Option<[f32; 2]> {
    let (mut across, mut down) = (vec![], vec![]);
    // Some hundred thousand pixels tell it as well as all of a large raster.
    for i in (0..atlas.len())
        .step_by((atlas.len() / 400_000).max(11))
        .filter(|&i| atlas.is_measured(i))
    {
        if let Some(m) = atlas.metric(i) {
            across.push(m.e.sqrt());
            down.push(m.g.sqrt());
        }
    }
    let size = [quantile(&mut across, 0.5)?, quantile(&mut down, 0.5)?];
    (size[0] > 0.0 && size[1] > 0.0).then_some(size)
}

/// Cells over the working raster.
pub(crate) struct Grid<'a> {
    atlas: &'a Atlas,
    extent: Extent,
    /// The measured region of each cell's middle pixel.
    pub(crate) regions: Vec<Option<Region>>,
    /// The cells that are looked at.
    near: Vec<bool>,
    /// Their surface, for every picture.
    area_mm2: Arc<Vec<f32>>,
}

impl<'a> Grid<'a> {
    /// Cells of about `aim_mm`, of which those are looked at that have measured skin within
    /// `margin_mm`, so that features on the edge of a region are seen whole.
    pub(crate) fn new(atlas: &'a Atlas, px_mm: [f32; 2], aim_mm: f32, margin_mm: f32) -> Self {
        let extent = Extent {
            origin: [0, 0],
            size: [atlas.width, atlas.height],
            px_mm,
            aim_mm,
        };
        let [columns, rows] = extent.cells();
        let step = extent.step();
        let regions: Vec<Option<Region>> = (0..rows)
            .into_par_iter()
            .flat_map_iter(|row| {
                let y = (row * step[1] + step[1] / 2).min(atlas.height - 1);
                (0..columns).map(move |column| {
                    let x = (column * step[0] + step[0] / 2).min(atlas.width - 1);
                    atlas.measured_region(y * atlas.width + x)
                })
            })
            .collect();
        let measured: Vec<f32> = regions
            .iter()
            .map(|r| f32::from(u8::from(r.is_some())))
            .collect();
        let sigma = [0, 1].map(|k| margin_mm / 3.0 / (px_mm[k] * step[k] as f32));
        let near: Vec<bool> = gaussian(&measured, columns, rows, sigma)
            .into_iter()
            .map(|n| n >= 2e-3)
            .collect();
        let areas_mm2: Vec<f32> = atlas.metrics.iter().map(|m| m.pixel_area_mm2()).collect();
        let areas_mm2 = &areas_mm2[..];
        let area_mm2 = extent.sums(&near, |y, columns, line| {
            let triangles = &atlas.triangle[y * atlas.width..][columns];
            for (o, t) in line.iter_mut().zip(triangles) {
                *o = areas_mm2.get(*t as usize).copied().unwrap_or(0.0);
            }
        });
        Self {
            atlas,
            extent,
            regions,
            near,
            area_mm2: Arc::new(area_mm2),
        }
    }

    /// The colour of a picture.
    pub(crate) fn read(&self, picture: &RegisteredPicture) -> Field {
        let lines = picture.lines(self.atlas.width);
        self.averages(&lines, [density_8(), density_16()], &self.near)
    }

    /// The colour of a picture with its noise, read as light where that is much.
    pub(crate) fn read_skin(&self, picture: &RegisteredPicture) -> Field {
        let lines = picture.lines(self.atlas.width);
        self.skin(&lines, picture.chroma_step, &self.near)
    }

    /// The same of a whole picture of the atlas, which is not brought to the raster for it.
    pub(crate) fn read_whole(&self, pixels: &Pixels) -> Field {
        let window = Window::of(self.atlas);
        self.skin(&window.lines(pixels), pixels.chroma_step, &self.near)
    }

    /// The mean height of the relief in each cell; NaN where it is not known.
    pub(crate) fn heights(&self, relief: &Relief) -> Vec<f32> {
        let (width, height) = (self.atlas.width, self.atlas.height);
        let [across, down] = self.extent.step();
        let cells = self.extent.cells()[0];
        let mut heights = self.extent.sums(&self.near, |y, columns, line| {
            line.copy_from_slice(&relief.height_mm[y * width..][columns]);
        });
        for (i, sum) in heights.iter_mut().enumerate() {
            // The last cells of a row or column may have fewer pixels.
            let (x, y) = (i % cells * across, i / cells * down);
            *sum /= (across.min(width - x) * down.min(height - y)) as f32;
        }
        heights
    }

    /// The same of [`LEVEL_SHARE`] of the cells, which tell a level as well.
    pub(crate) fn read_level(&self, picture: &RegisteredPicture) -> Field {
        let mut some = self.near.clone();
        let columns = self.extent.cells()[0];
        // Three rows of five are those that tell the noise of cells, too.
        for rows in some.chunks_mut(5 * columns) {
            let read = (3 * columns).min(rows.len());
            rows[read..].fill(false);
        }
        let lines = picture.lines(self.atlas.width);
        self.skin(&lines, picture.chroma_step, &some)
    }

    fn skin(&self, picture: &Channels<'_>, step: Option<f32>, wanted: &[bool]) -> Field {
        let mut field = self.averages(picture, [density_8(), density_16()], wanted);
        field.noise = cell_noise(&field);
        if field.noise.iter().any(|n| *n > NOISY) {
            let light = self.averages(picture, [linear_8(), linear_16()], wanted);
            // Red and green are compared with each other, and so are read alike: a thin dark
            // thing would else have a colour.
            let [r, g, b] = field.noise;
            let noise = [r.max(g), r.max(g), b];
            for k in (0..3).filter(|&k| noise[k] > NOISY) {
                field.density[k] = tangent_density(&light, &light.density[k]);
            }
            field.noise = cell_noise(&field);
        }
        field.chroma_step = step;
        field
    }

    /// Means over cells of what tables say of the levels of 8 and of 16 bits.
    fn averages(
        &self,
        picture: &Channels<'_>,
        [eight, sixteen]: [&[f32]; 2],
        wanted: &[bool],
    ) -> Field {
        let (extent, area_mm2) = (self.extent, Arc::clone(&self.area_mm2));
        // Where every channel is full there is a highlight and no skin to be seen.
        match picture {
            Channels::Eight(lines) => {
                let table: [f32; 256] = std::array::from_fn(|level| eight[level]);
                let table = |level: u8| table[usize::from(level)];
                Field::reduce_some(extent, wanted, area_mm2, |rows| {
                    self.adding(lines.strip(rows), 250, &table)
                })
            }
            Channels::Sixteen(lines) => {
                let table = |level: u16| sixteen[usize::from(level)];
                Field::reduce_some(extent, wanted, area_mm2, |rows| {
                    self.adding(lines.strip(rows), 64_250, &table)
                })
            }
        }
    }

    /// What adds some columns of a row to the sums of their cells.
    fn adding<T: Level>(
        &self,
        strip: Strip<'_, T>,
        full: T,
        table: &impl Fn(T) -> f32,
    ) -> impl Fn(usize, Range<usize>, &mut Sums<'_>) {
        let (atlas, step) = (self.atlas, self.extent.step()[0]);
        move |y, columns, sums| {
            let from = y * atlas.width;
            let run = Run {
                labels: &atlas.labels[from + columns.start..from + columns.end],
                pixels: strip.pixels(y, columns),
                full,
                table,
            };
            match step {
                1 => run.add_each::<1>(sums),
                2 => run.add_each::<2>(sums),
                3 => run.add_each::<3>(sums),
                4 => run.add_each::<4>(sums),
                5 => run.add_each::<5>(sums),
                _ => run.add_chunks(step, sums),
            }
        }
    }
}

/// Pixels side by side, with what a table says of their levels.
#[derive(Clone, Copy)]
struct Run<'a, T, F> {
    labels: &'a [u8],
    pixels: &'a [[T; 3]],
    /// Pixels that are no less than this in every channel do not count.
    full: T,
    table: &'a F,
}

impl<T: Copy + Ord, F: Fn(T) -> f32> Run<'_, T, F> {
    /// The sums of skin: what the table says of each channel, and how many pixels there are.
    #[inline(always)]
    fn sums(&self) -> [f32; 4] {
        let mut sums = [0.0_f32; 4];
        for (l, &[r, g, b]) in self.labels.iter().zip(self.pixels) {
            let skin = (l & HIDDEN == 0) & (r.min(g).min(b) < self.full);
            let counts = f32::from(u8::from(skin));
            sums[0] += counts * (self.table)(r);
            sums[1] += counts * (self.table)(g);
            sums[2] += counts * (self.table)(b);
            sums[3] += counts;
        }
        sums
    }

    /// Adds to the sums of cells of `step` pixels each.
    fn add_chunks(self, step: usize, sums: &mut Sums<'_>) {
        let cells = self.labels.chunks(step).zip(self.pixels.chunks(step));
        for (cell, (labels, pixels)) in cells.enumerate() {
            let own = Self {
                labels,
                pixels,
                ..self
            };
            add(cell, own.sums(), sums);
        }
    }

    /// The same, compiled for a length that is known.
    fn add_each<const STEP: usize>(self, sums: &mut Sums<'_>) {
        let (labels, last_labels) = self.labels.as_chunks::<STEP>();
        let (pixels, last_pixels) = self.pixels.as_chunks::<STEP>();
        let parts = labels.chunks(PART_CELLS).zip(pixels.chunks(PART_CELLS));
        for (part, (labels, pixels)) in parts.enumerate() {
            let first = part * PART_CELLS;
            let [red, green, blue, counts] =
                (sums.each_mut()).map(|sums| &mut sums[first..first + labels.len()]);
            let planes = red.iter_mut().zip(green).zip(blue).zip(counts);
            let cells = labels.iter().zip(pixels).zip(planes);
            if self.all_count(labels.as_flattened(), pixels.as_flattened()) {
                for ((_, pixels), (((r, g), b), n)) in cells {
                    let mut own = [0.0_f32; 3];
                    for px in pixels {
                        for (sum, level) in own.iter_mut().zip(px) {
                            *sum += (self.table)(*level);
                        }
                    }
                    *r += own[0];
                    *g += own[1];
                    *b += own[2];
                    *n += STEP as f32;
                }
                continue;
            }
            for ((labels, pixels), (((r, g), b), n)) in cells {
                let own = Self {
                    labels,
                    pixels,
                    ..self
                };
                let own = own.sums();
                *r += own[0];
                *g += own[1];
                *b += own[2];
                *n += own[3];
            }
        }
        if !last_labels.is_empty() {
            let own = Self {
                labels: last_labels,
                pixels: last_pixels,
                ..self
            };
            add(labels.len(), own.sums(), sums);
        }
    }

    /// Whether every pixel counts for sure.
    fn all_count(&self, labels: &[u8], pixels: &[[T; 3]]) -> bool {
        let hidden = labels.iter().fold(0, |any, l| any | l) & HIDDEN != 0;
        let levels = pixels.as_flattened();
        !hidden && (levels.iter()).fold(levels[0], |most, level| most.max(*level)) < self.full
    }
}

/// Cells that are looked at together: mostly all of them are skin.
const PART_CELLS: usize = 32;

fn add(cell: usize, own: [f32; 4], sums: &mut Sums<'_>) {
    for (sums, own) in sums.iter_mut().zip(own) {
        if let Some(sum) = sums.get_mut(cell) {
            *sum += own;
        }
    }
}

/// The density of noisy cells, by the tangent of the logarithm at the light around each:
/// it is linear in the cell's own light, so that means of it are free of bias, and it does
/// not fall apart where single cells are black.
fn tangent_density(field: &Field, light: &[f32]) -> Vec<f32> {
    let around = field.smooth(light, &field.weight, LIGHT_MM);
    (light.par_iter().zip(&around))
        .map(|(own, around)| {
            if *around > 0.0 {
                (1.0 - own / around) - libm::logf(*around)
            } else {
                0.0
            }
        })
        .collect()
}

/// Takes the mean of the colour with another picture of the same skin, each by its noise.
/// Light differs between pictures smoothly, which is evened out, chromophores do not; where
/// the other has gloss, which hides colour, it counts less: gloss is white, so that blue, of
/// which skin gives back the least, gets lighter by more than red, whatever the exposures.
/// Pits have less of it and would look like melanin. They and folds differ as well, but alike
/// in all channels: what red and green have in common stays that of the first picture, which
/// has the least of them.
pub(crate) fn fuse(field: &mut Field, other: &Field) {
    let inverse = |noise: [f64; 3]| 1.0 / (noise[2] * noise[2]).max(1e-12);
    let relative = (inverse(other.noise) / inverse(field.noise)) as f32;
    let both: Vec<f32> = (field.weight.iter().zip(&*other.weight))
        .map(|(a, b)| if *a > 0.0 && *b > 0.0 { *a } else { 0.0 })
        .collect();
    let above: Vec<Vec<f32>> = (0..3)
        .map(|k| {
            let off: Vec<f32> = (field.density[k].iter().zip(&other.density[k]))
                .map(|(a, b)| a - b)
                .collect();
            field.smooth(&off, &both, EVEN_MM)
        })
        .collect();
    for i in (0..field.len()).filter(|&i| both[i] > 0.0) {
        let gloss = (above[2][i] - above[0][i]) / MUCH_GLOSS;
        let share = relative * (1.0 - gloss).clamp(0.0, 1.0);
        let off = [0, 1, 2].map(|k| other.density[k][i] + above[k][i] - field.density[k][i]);
        let structure = 0.5 * (off[0] + off[1]);
        for k in 0..3 {
            field.density[k][i] += share / (1.0 + share) * (off[k] - structure);
        }
    }
    field.noise = cell_noise(field);
}

/// From here on the last bit of a number is worth 1.
const WHOLE: f32 = 8_388_608.0;

/// A plane of the field over the raster, as 0 where not measured and 1 to 255.
pub(crate) fn strength(atlas: &Atlas, field: &Field, plane: &[f32], strong: f32) -> Vec<u8> {
    let smooth = field.smooth(plane, &field.weight, 0.2);
    let step = field.step[1];
    let mut out = vec![0_u8; atlas.len()];
    out.par_chunks_mut(atlas.width.max(1))
        .enumerate()
        .for_each_init(
            || (vec![0.0_f32; field.width], vec![0.0_f32; atlas.width]),
            |(line, wide), (y, out)| {
                let labels = &atlas.labels[y * atlas.width..(y + 1) * atlas.width];
                if !labels.iter().any(|l| is_measured(*l)) {
                    return;
                }
                let cell =
                    ((y as f32 + 0.5) / step as f32 - 0.5).clamp(0.0, (field.height - 1) as f32);
                let at = cell as usize;
                let row = |y: usize| {
                    let y = y.min(field.height - 1);
                    &smooth[y * field.width..(y + 1) * field.width]
                };
                let (top, low, share) = (row(at), row(at + 1), cell - at as f32);
                in_vectors(|| {
                    for ((o, t), l) in line.iter_mut().zip(top).zip(low) {
                        *o = 254.0 / strong * (t + (l - t) * share);
                    }
                });
                stretch(line, field.step[0], wide);
                in_vectors(|| {
                    for ((o, l), v) in out.iter_mut().zip(labels).zip(&*wide) {
                        let v = v.clamp(0.0, 254.0) + 0.5;
                        // The last bit of a number from here on is worth 1: unlike a
                        // conversion, adding it is done in vectors.
                        let even = v + WHOLE;
                        let above = u32::from(even - WHOLE > v);
                        let whole = ((even.to_bits() & 0x00FF) - above) as u8;
                        *o = if is_measured(*l) { 1 + whole } else { 0 };
                    }
                });
            },
        );
    out
}

/// Brings a row of cells to pixels, `step` a cell, linear between the middles of cells.
fn stretch(cells: &[f32], step: usize, out: &mut [f32]) {
    let lead = (step / 2).min(out.len());
    let (before, out) = out.split_at_mut(lead);
    before.fill(cells[0]);
    let between = (cells.len() - 1).min(out.len() / step);
    let (inner, after) = out.split_at_mut(between * step);
    match step {
        2 => in_vectors(|| between_middles::<2>(cells, inner)),
        3 => in_vectors(|| between_middles::<3>(cells, inner)),
        4 => in_vectors(|| between_middles::<4>(cells, inner)),
        _ => {
            for (out, pair) in inner.chunks_exact_mut(step).zip(cells.windows(2)) {
                for (j, o) in out.iter_mut().enumerate() {
                    *o = pair[0] + (pair[1] - pair[0]) * share(j, step);
                }
            }
        }
    }
    let last = cells[between];
    let next = cells[(between + 1).min(cells.len() - 1)];
    for (j, o) in after.iter_mut().enumerate() {
        *o = last + (next - last) * share(j, step).min(1.0);
    }
}

/// How far the pixel that many after the first beyond a middle lies towards the next one.
fn share(pixel: usize, step: usize) -> f32 {
    ((step / 2 + pixel) as f32 + 0.5) / step as f32 - 0.5
}

#[inline(always)]
fn between_middles<const STEP: usize>(cells: &[f32], out: &mut [f32]) {
    let shares: [f32; STEP] = std::array::from_fn(|j| share(j, STEP));
    let out = out.as_chunks_mut::<STEP>().0;
    for ((out, a), b) in out.iter_mut().zip(cells).zip(&cells[1..]) {
        for (o, share) in out.iter_mut().zip(&shares) {
            *o = a + (b - a) * share;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::field::Sample;

    /// Half of the light of black cells with noise as high as the light: the step is that
    /// of the light, where the mean of the logarithms would be off by a fifth of it.
    #[test]
    fn noise_does_not_move_the_density_of_dark_cells() {
        let side = 200;
        let extent = Extent {
            origin: [0, 0],
            size: [side, side],
            px_mm: [0.15, 0.15],
            aim_mm: 0.15,
        };
        let noisy = |x: usize, y: usize| {
            // Fixed and without structure, between -1 and 1.
            let n = ((x * 7919 + y * 104_729 + x * y * 31) % 1009) as f32 / 504.0 - 1.0;
            let light = if x < side / 2 { 0.0016 } else { 0.0008 };
            light + 0.0008 * n
        };
        let field = Field::reduce(extent, |x, y| {
            Some(Sample {
                density: [noisy(x, y); 3],
                area_mm2: 0.0225,
                usable: true,
            })
        });
        let density = tangent_density(&field, &field.density[2]);
        let mean = |columns: std::ops::Range<usize>| {
            let n = (columns.len() * side) as f64;
            let cells = (0..side).flat_map(|y| columns.clone().map(move |x| y * side + x));
            cells.map(|i| f64::from(density[i])).sum::<f64>() / n
        };
        let step = mean(120..190) - mean(10..80);
        assert!((step - std::f64::consts::LN_2).abs() < 0.02, "{step}");
    }

    /// Dark skin with a pit of 0.75 mm every 4.5 mm, lit so that it lies under white gloss of
    /// so much, of which the pits have a fifth.
    fn pitted(gloss: f64, grain: usize) -> Field {
        let extent = Extent {
            origin: [0, 0],
            size: [240, 240],
            px_mm: [0.15, 0.15],
            aim_mm: 0.15,
        };
        let mut field = Field::reduce(extent, |x, y| {
            let pit = is_pit(x, y);
            let (shade, gloss) = if pit {
                (0.1, 0.2 * gloss)
            } else {
                (0.0, gloss)
            };
            // Fixed and without structure, between -1 and 1.
            let noise = |c: usize| {
                let n = (x * 7919 + y * 104_729 + x * y * 31 + c * 613 + grain) % 1009;
                n as f64 / 504.0 - 1.0
            };
            let density = [0, 1, 2].map(|c| {
                let skin = libm::exp(-([1.5, 2.2, 2.9][c] + shade));
                -libm::log(skin + gloss + 0.004 * noise(c)) as f32
            });
            Some(Sample {
                density,
                area_mm2: 0.0225,
                usable: true,
            })
        });
        field.noise = cell_noise(&field);
        field
    }

    fn is_pit(x: usize, y: usize) -> bool {
        x % 30 < 5 && y % 30 < 5
    }

    /// The mean of blue above red, in the pits or beside them.
    fn blue(field: &Field, pits: bool) -> f64 {
        let cells = (0..field.len()).filter(|i| is_pit(i % 240, i / 240) == pits);
        let above: Vec<f64> = cells
            .map(|i| f64::from(field.density[2][i] - field.density[0][i]))
            .collect();
        above.iter().sum::<f64>() / above.len() as f64
    }

    #[test]
    fn gloss_that_pits_lack_does_not_colour_them() {
        let cross = pitted(0.0, 0);
        let step = |field: &Field| blue(field, true) - blue(field, false);
        for gloss in [0.004, 0.01, 0.03] {
            let mut both = cross.clone();
            fuse(&mut both, &pitted(gloss, 500));
            let off = step(&both) - step(&cross);
            // A spot has 0.018 at least.
            assert!(off.abs() < 0.018, "{gloss}: {off}");
        }
        // Without gloss the other picture takes noise away.
        let mut both = cross.clone();
        fuse(&mut both, &pitted(0.0, 500));
        assert!(
            both.noise[2] < 0.8 * cross.noise[2],
            "{:?} {:?}",
            both.noise,
            cross.noise
        );
    }

    #[test]
    fn a_row_of_cells_is_linear_between_their_middles() {
        for (step, width) in [(1, 3), (2, 6), (2, 5), (3, 8), (4, 12), (7, 20)] {
            let mut out = vec![9.0; width];
            stretch(&[1.0, 3.0, 2.0], step, &mut out);
            for (x, v) in out.into_iter().enumerate() {
                let at = ((x as f32 + 0.5) / step as f32 - 0.5).clamp(0.0, 2.0);
                let want = if at < 1.0 { 1.0 + 2.0 * at } else { 4.0 - at };
                assert!((v - want).abs() < 1e-6, "{step} {x}: {v} {want}");
            }
        }
    }
}
