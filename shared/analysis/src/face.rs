//! Landmarks where the bundle brings none.

use dermalia_landmarks::{
    LandmarkError, MeshLandmarks, PictureLandmarks, RgbView, find_on_mesh, find_on_picture,
};
use dermalia_scan::{Pixels, Samples};
use dermalia_surface::Mesh;
use rayon::prelude::*;

use crate::{AnalysisError, cells};

/// Pictures are looked at in at most this many pixels a side.
const LARGEST_SIDE: usize = 2048;

fn own_fault(e: LandmarkError) -> AnalysisError {
    AnalysisError::Landmarks(e.to_string())
}

/// The landmarks of a textured mesh in its frame, if it shows a face.
pub(crate) fn on_mesh(
    mesh: &Mesh,
    picture: Option<&Pixels>,
) -> Result<Option<MeshLandmarks>, AnalysisError> {
    let small = picture.map(|p| reduced(p, LARGEST_SIDE));
    let view = match &small {
        Some((w, h, rgb)) => Some(RgbView::new(*w, *h, rgb).map_err(own_fault)?),
        None => None,
    };
    find_on_mesh(mesh, view.as_ref()).map_err(own_fault)
}

/// The landmarks of a photograph in its pixels, if it shows a face.
pub(crate) fn on_photo(picture: &Pixels) -> Result<Option<PictureLandmarks>, AnalysisError> {
    let (w, h, rgb) = reduced(picture, LARGEST_SIDE);
    let view = RgbView::new(w, h, &rgb).map_err(own_fault)?;
    let found = find_on_picture(&view).map_err(own_fault)?;
    let (sx, sy) = (
        picture.width as f32 / w as f32,
        picture.height as f32 / h as f32,
    );
    Ok(found.map(|f| PictureLandmarks {
        points_px: f
            .points_px
            .iter()
            .map(|p| [p[0] * sx, p[1] * sy, p[2] * sx])
            .collect(),
        presence: f.presence,
    }))
}

/// A picture in 8 bits of at most `side` pixels a side, by means over whole pixels.
pub(crate) fn reduced(picture: &Pixels, side: usize) -> (usize, usize, Vec<u8>) {
    let step = picture.width.max(picture.height).div_ceil(side).max(1);
    let (w, h) = (picture.width / step, picture.height / step);
    if w == 0 || h == 0 {
        // Narrower than a cell: no face.
        return (1, 1, vec![128; 3]);
    }
    if step == 1
        && let Samples::Eight(v) = &picture.samples
    {
        return (w, h, v.clone());
    }
    let mut rgb = vec![0; 3 * w * h];
    let line = 3 * picture.width;
    rgb.par_chunks_mut(3 * w).enumerate().for_each(|(y, out)| {
        let rows = y * step * line..(y + 1) * step * line;
        match &picture.samples {
            Samples::Eight(v) => cells::means(&v[rows], line, step, u32::from, out),
            Samples::Sixteen(v) => cells::means(&v[rows], line, step, |l| u32::from(l) / 257, out),
        }
    });
    (w, h, rgb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reduced_picture_holds_means() {
        let pixels = Pixels {
            width: 4,
            height: 2,
            grey: false,
            chroma_step: None,
            samples: Samples::Eight((0..24).map(|i| (i / 3 * 10) as u8).collect()),
        };
        let (w, h, rgb) = reduced(&pixels, 2);
        assert_eq!((w, h, rgb), (2, 1, vec![25, 25, 25, 45, 45, 45]));
    }
}
