//! The height map in the atlas.

use dermalia_scan::Levels;
use dermalia_scan::manifest::ReliefEntry;
use rayon::prelude::*;

use crate::planes::median;
use crate::registration::Window;
use crate::{Atlas, Scale};

/// A relief of coarser samples has no part in any measure: of a wrinkle as wide as one of
/// them it keeps two thirds of the depth.
const COARSEST_MM_PER_SAMPLE: f64 = 0.5;
/// Half of the places of skin that lie this far apart differ in height by less.
const APART_MM: f64 = 1.0;
const MOST_STEP_MM: f32 = 0.2;
/// Some differ by more: a nanometre is no relief.
const LEAST_STEP_MM: f32 = 1e-6;
/// So many places tell it.
const PLACES: usize = 100_000;

/// Signed displacement along the normal, in the working raster.
#[derive(Debug, Clone)]
pub struct Relief {
    /// Millimetres, outward positive; NaN where there is none.
    pub height_mm: Vec<f32>,
    /// Pixels of the working raster a pixel of the height map covers, along a side.
    pub magnification: f32,
    /// Distance of the points it comes from, where it comes from the mesh.
    pub mm_per_sample: Option<f64>,
}

impl Relief {
    /// Distance of its samples on the skin in a raster of such pixels.
    pub(crate) fn sample_mm(&self, mm_per_px: f64) -> f64 {
        let own = mm_per_px * f64::from(self.magnification.max(1.0));
        self.mm_per_sample.unwrap_or(own)
    }

    /// Why it cannot be that of the skin in the atlas, or shows nothing of it.
    pub(crate) fn fault(&self, atlas: &Atlas) -> Option<String> {
        let mm_per_px = atlas
            .median_mm_per_px()
            .filter(|_| atlas.scale != Scale::Unknown)?;
        let size = self.sample_mm(mm_per_px);
        if size > COARSEST_MM_PER_SAMPLE {
            return Some(format!(
                "the relief is too coarse and was not used: {size:.2} mm per sample (wrinkles need {COARSEST_MM_PER_SAMPLE:.2} or less)"
            ));
        }
        let apart = ((APART_MM / mm_per_px).round() as usize).max(1);
        let mut steps: Vec<f32> = (0..atlas.len().saturating_sub(apart))
            .step_by((atlas.len() / PLACES).max(1) | 1)
            .filter(|&i| atlas.is_measured(i) && atlas.labels[i] == atlas.labels[i + apart])
            .map(|i| (self.height_mm[i + apart] - self.height_mm[i]).abs())
            .filter(|step| step.is_finite())
            .collect();
        if steps.is_empty() {
            return None;
        }
        let why = if steps.iter().all(|step| *step < LEAST_STEP_MM) {
            "it is level everywhere".to_owned()
        } else {
            let step = median(&mut steps);
            if step <= MOST_STEP_MM {
                return None;
            }
            format!(
                "half of its points {APART_MM} mm apart differ by {step:.1} mm or more (skin by less than {MOST_STEP_MM}), so that relief.mm_per_level may be wrong"
            )
        };
        Some(format!(
            "the relief is not that of skin and was not used: {why}"
        ))
    }
}

/// A height map in texture space in the working raster.
pub(crate) fn from_levels(levels: &Levels, entry: &ReliefEntry, window: &Window) -> Relief {
    let scale = entry.mm_per_level as f32;
    let zero = entry.zero_level as f32;
    let mut height_mm = vec![0.0_f32; window.width * window.height];
    let same = (levels.width, levels.height) == (window.full_px[0], window.full_px[1]);
    height_mm
        .par_chunks_mut(window.width.max(1))
        .enumerate()
        .for_each(|(y, row)| {
            if same {
                let from = (y + window.origin_px[1]) * levels.width + window.origin_px[0];
                for (out, level) in row.iter_mut().zip(&levels.levels[from..]) {
                    *out = (f32::from(*level) - zero) * scale;
                }
                return;
            }
            for (x, out) in row.iter_mut().enumerate() {
                let [fx, fy] = window.to_picture(x, y, levels.width, levels.height);
                *out = (bilinear_levels(levels, fx, fy) - zero) * scale;
            }
        });
    Relief {
        height_mm,
        magnification: window.magnification(levels.width, levels.height),
        mm_per_sample: None,
    }
}

fn bilinear_levels(levels: &Levels, x: f32, y: f32) -> f32 {
    let fx = (x - 0.5).clamp(0.0, (levels.width - 1) as f32);
    let fy = (y - 0.5).clamp(0.0, (levels.height - 1) as f32);
    let (x0, y0) = (fx as usize, fy as usize);
    let (x1, y1) = (
        (x0 + 1).min(levels.width - 1),
        (y0 + 1).min(levels.height - 1),
    );
    let (tx, ty) = (fx - x0 as f32, fy - y0 as f32);
    let at = |x: usize, y: usize| f32::from(levels.levels[y * levels.width + x]);
    let top = at(x0, y0) + tx * (at(x1, y0) - at(x0, y0));
    top + ty * (at(x0, y1) + tx * (at(x1, y1) - at(x0, y1)) - top)
}
