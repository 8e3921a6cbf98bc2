//! The height map in the atlas.

use dermalia_scan::Levels;
use dermalia_scan::manifest::ReliefEntry;
use rayon::prelude::*;

use crate::registration::Window;

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
