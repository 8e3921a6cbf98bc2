//! What a relief coarser than the raster draws out of a groove.

use crate::Atlas;
use crate::groove::Groove;

/// Width² that its samples add to a groove, in pixels² for magnification² beyond the
/// raster's own: 8 ln 2 of the variances of a pixel's mean (1/12) and of the line to the next
/// one (1/6).
const DRAWN_OUT: f64 = 1.386;
/// A groove narrower than a sample is not known better.
const MOST_CORRECTION: f64 = 1.6;

/// How much deeper and narrower a groove is than a relief of larger pixels than the raster's
/// shows it: what draws a line out keeps its width times its depth.
pub(crate) fn correction(atlas: &Atlas, groove: &Groove, magnification: f32) -> f64 {
    let coarser = f64::from(magnification * magnification) - 1.0;
    if coarser <= 0.0 {
        return 1.0;
    }
    // The square of what a pixel is long across.
    let (mut sum, mut n) = (0.0, 0.0);
    for w in groove.path_px.windows(2) {
        let Some(m) = atlas.pixel(w[0][0], w[0][1]).and_then(|i| atlas.metric(i)) else {
            continue;
        };
        let along = [w[1][0] - w[0][0], w[1][1] - w[0][1]].map(|v| v as f32);
        let lower = |v: [f32; 2]| [m.e * v[0] + m.f * v[1], m.f * v[0] + m.g * v[1]];
        let [x, y] = lower(along);
        let across = [-y, x];
        let length = m.length_mm(across[0], across[1]);
        let [x, y] = lower(across);
        if length > 0.0 {
            sum += f64::from((x * x + y * y) / (length * length));
            n += 1.0;
        }
    }
    let drawn = groove.width_mm * groove.width_mm;
    let own = drawn - DRAWN_OUT * coarser * sum / f64::max(n, 1.0);
    let least = drawn / (MOST_CORRECTION * MOST_CORRECTION);
    (drawn / own.max(least)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels of 0.1 by 0.2 mm, a relief of four of them a sample, a groove along the short side.
    #[test]
    fn a_drawn_out_groove_is_as_deep_as_it_was() {
        let mesh = dermalia_surface::Mesh::sheet(40.0, 40.0);
        let raster = dermalia_surface::rasterize_uv(&mesh, 400, 200);
        let bits = crate::labels::whole_surface(&raster.triangle);
        let atlas = crate::preparation::crop(&mesh, raster, bits, crate::Scale::Stated).unwrap();
        let mut groove = Groove::straight([0.0, 0.0], [1.0, 0.0], vec![0.2; 67]);
        let own = 1.2_f64;
        let added = DRAWN_OUT * 15.0 * 0.04;
        groove.width_mm = (own * own + added).sqrt();
        let exact = groove.width_mm / own;
        assert!((correction(&atlas, &groove, 4.0) - exact).abs() < 1e-3);
        groove.width_mm = added.sqrt();
        assert!((correction(&atlas, &groove, 4.0) - MOST_CORRECTION).abs() < 1e-9);
        assert!((correction(&atlas, &groove, 1.0) - 1.0).abs() < 1e-9);
    }
}
