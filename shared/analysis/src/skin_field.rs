//! The colour of a picture in cells of the working raster.

use dermalia_findings::Region;
use dermalia_scan::Samples;
use rayon::prelude::*;

use crate::atlas::{Atlas, label};
use crate::chromophores::cell_noise;
use crate::colour::{density_8, density_16, linear_8, linear_16};
use crate::field::{Extent, Field, Sample, gaussian, quantile};
use crate::registration::RegisteredPicture;

/// How far beyond the regions skin is looked at.
const MARGIN_MM: f32 = 4.0;
/// Two pictures are brought to the same level at this reach.
const EVEN_MM: f32 = 4.0;
/// Noise of a cell from which light is averaged instead of its logarithm: from here on the
/// logarithm's curvature moves a mean by more than 0.1 %, and near black it is clipped.
const NOISY: f64 = 0.05;
/// The reach of the light that the logarithm of noisy cells is taken of.
const LIGHT_MM: f32 = 0.4;
/// So much gloss, in density of blue, that a picture is of no use beside another.
const MUCH_GLOSS: f32 = 0.3;

/// Median size of a measured pixel, across and down, in millimetres.
pub(crate) fn pixel_mm(atlas: &Atlas) -> Option<[f32; 2]> {
    let (mut across, mut down) = (vec![], vec![]);
    for i in (0..atlas.len())
        .step_by(11)
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
    /// Surface of a pixel of each triangle.
    areas_mm2: Vec<f32>,
    /// The measured region of each cell's middle pixel.
    pub(crate) regions: Vec<Option<Region>>,
}

impl<'a> Grid<'a> {
    /// Cells of about `aim_mm`.
    pub(crate) fn new(atlas: &'a Atlas, px_mm: [f32; 2], aim_mm: f32) -> Self {
        let extent = Extent {
            origin: [0, 0],
            size: [atlas.width, atlas.height],
            px_mm,
            aim_mm,
        };
        let [columns, rows] = extent.cells();
        let regions = (0..columns * rows)
            .into_par_iter()
            .map(|c| {
                let [x, y] = extent.pixel((c % columns) as f64, (c / columns) as f64);
                let x = x.min(atlas.width as f64 - 0.5);
                let y = y.min(atlas.height as f64 - 0.5);
                atlas.pixel(x, y).and_then(|i| atlas.measured_region(i))
            })
            .collect();
        Self {
            atlas,
            extent,
            areas_mm2: atlas.metrics.iter().map(|m| m.pixel_area_mm2()).collect(),
            regions,
        }
    }

    /// Cells within a margin of measured skin.
    fn near(&self) -> Vec<bool> {
        let [columns, rows] = self.extent.cells();
        let step = self.extent.step();
        let sigma = [0, 1].map(|k| MARGIN_MM / 3.0 / (self.extent.px_mm[k] * step[k] as f32));
        let measured: Vec<f32> = self
            .regions
            .iter()
            .map(|r| f32::from(u8::from(r.is_some())))
            .collect();
        let near = gaussian(&measured, columns, rows, sigma);
        near.into_iter().map(|n| n >= 2e-3).collect()
    }

    /// The colour of a picture wherever there is surface that nothing excludes.
    pub(crate) fn read(&self, picture: &RegisteredPicture) -> Field {
        self.density(picture, |_| true)
    }

    /// The colour of the measured skin and of a margin around it, so that features on the
    /// edge of a region are seen whole.
    pub(crate) fn read_skin(&self, picture: &RegisteredPicture) -> Field {
        let near = self.near();
        let mut field = self.density(picture, |c| near[c]);
        field.noise = cell_noise(&field);
        if field.noise.iter().any(|n| *n > NOISY) {
            let light = self.averages(picture, [linear_8(), linear_16()], |c| near[c]);
            for k in (0..3).filter(|&k| field.noise[k] > NOISY) {
                field.density[k] = tangent_density(&light, &light.density[k]);
            }
            field.noise = cell_noise(&field);
        }
        field
    }

    fn density<W: Fn(usize) -> bool + Sync>(
        &self,
        picture: &RegisteredPicture,
        wanted: W,
    ) -> Field {
        self.averages(picture, [density_8(), density_16()], wanted)
    }

    /// Means over cells of what tables say of the levels of 8 and of 16 bits.
    fn averages<W: Fn(usize) -> bool + Sync>(
        &self,
        picture: &RegisteredPicture,
        tables: [&[f32]; 2],
        wanted: W,
    ) -> Field {
        let (atlas, extent) = (self.atlas, self.extent);
        let width = atlas.width;
        let pixel = |x: usize, y: usize| {
            let i = y * width + x;
            let area_mm2 = *self.areas_mm2.get(atlas.triangle[i] as usize)?;
            Some((i, area_mm2, atlas.labels[i] & label::EXCLUDED == 0))
        };
        // Where every channel is full there is a highlight and no skin to be seen.
        match &picture.samples {
            Samples::Eight(v) => {
                let table = tables[0];
                Field::reduce_some(extent, wanted, |x, y| {
                    let (i, area_mm2, free) = pixel(x, y)?;
                    let px = [v[3 * i], v[3 * i + 1], v[3 * i + 2]];
                    Some(Sample {
                        density: px.map(|c| table[usize::from(c)]),
                        area_mm2,
                        usable: free && px.iter().any(|&c| c < 250),
                    })
                })
            }
            Samples::Sixteen(v) => {
                let table = tables[1];
                Field::reduce_some(extent, wanted, |x, y| {
                    let (i, area_mm2, free) = pixel(x, y)?;
                    let px = [v[3 * i], v[3 * i + 1], v[3 * i + 2]];
                    Some(Sample {
                        density: px.map(|c| table[usize::from(c)]),
                        area_mm2,
                        usable: free && px.iter().any(|&c| c < 64_250),
                    })
                })
            }
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

/// Takes the mean of the colour with other pictures of the same skin, each by its noise.
/// Light differs between pictures smoothly, which is evened out, chromophores do not; where
/// another has gloss, which hides colour, it counts less. Pits and folds differ as well, but
/// alike in all channels: what red and green have in common stays that of the first picture,
/// which has the least of them.
pub(crate) fn fuse(field: &mut Field, others: &[&Field]) {
    let first = field.clone();
    let inverse = |noise: [f64; 3]| 1.0 / (noise[2] * noise[2]).max(1e-12);
    let own = inverse(first.noise);
    let mut mass = vec![1.0_f32; field.len()];
    for other in others {
        let relative = (inverse(other.noise) / own) as f32;
        let both: Vec<f32> = (first.weight.iter().zip(&other.weight))
            .map(|(a, b)| if *a > 0.0 && *b > 0.0 { *a } else { 0.0 })
            .collect();
        let above: Vec<Vec<f32>> = (0..3)
            .map(|k| {
                let off: Vec<f32> = (first.density[k].iter().zip(&other.density[k]))
                    .map(|(a, b)| a - b)
                    .collect();
                field.smooth(&off, &both, EVEN_MM)
            })
            .collect();
        let mut usual: Vec<f32> = (0..field.len())
            .step_by(7)
            .filter(|&i| both[i] > 0.5)
            .map(|i| above[2][i])
            .collect();
        let usual = quantile(&mut usual, 0.5).unwrap_or(0.0);
        for i in (0..field.len()).filter(|&i| both[i] > 0.0) {
            let gloss = (above[2][i] - usual) / MUCH_GLOSS;
            let share = relative * (1.0 - gloss).clamp(0.0, 1.0);
            if share <= 0.0 {
                continue;
            }
            let off = [0, 1, 2].map(|k| other.density[k][i] + above[k][i] - first.density[k][i]);
            let structure = 0.5 * (off[0] + off[1]);
            mass[i] += share;
            for k in 0..3 {
                field.density[k][i] += share * (off[k] - structure);
            }
        }
    }
    for k in 0..3 {
        let sum = field.density[k].iter_mut().zip(&first.density[k]);
        for ((d, own), mass) in sum.zip(&mass) {
            *d = own + (*d - own) / mass;
        }
    }
    field.noise = cell_noise(field);
}

/// A plane of the field over the raster, as 0 where not measured and 1 to 255.
pub(crate) fn strength(atlas: &Atlas, field: &Field, plane: &[f32], strong: f32) -> Vec<u8> {
    let smooth = field.smooth(plane, &field.weight, 0.2);
    let along = |p: usize, step: usize, count: usize| {
        let c = ((p as f32 + 0.5) / step as f32 - 0.5).clamp(0.0, (count - 1) as f32);
        let first = (c as usize).min(count.saturating_sub(2));
        (first, c - first as f32)
    };
    let columns: Vec<(usize, f32)> = (0..atlas.width)
        .map(|x| along(x, field.step[0], field.width))
        .collect();
    let right = usize::from(field.width > 1);
    let below = if field.height > 1 { field.width } else { 0 };
    let mut out = vec![0_u8; atlas.len()];
    out.par_chunks_mut(atlas.width.max(1))
        .enumerate()
        .for_each_init(
            || vec![0.0_f32; field.width],
            |line, (y, out)| {
                let (cy, fy) = along(y, field.step[1], field.height);
                let at = cy * field.width;
                let top = &smooth[at..at + field.width];
                let low = &smooth[at + below..at + below + field.width];
                for ((o, t), l) in line.iter_mut().zip(top).zip(low) {
                    *o = 254.0 / strong * (t + (l - t) * fy);
                }
                let labels = &atlas.labels[y * atlas.width..(y + 1) * atlas.width];
                for ((o, &(cx, fx)), l) in out.iter_mut().zip(&columns).zip(labels) {
                    if l & label::REGION != 0 && l & label::EXCLUDED == 0 {
                        let v = line[cx] + (line[cx + right] - line[cx]) * fx;
                        *o = 1 + (v.clamp(0.0, 254.0) + 0.5) as u8;
                    }
                }
            },
        );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
