//! A photograph without a surface, measured flat.

use dermalia_landmarks::PictureFaceMap;
use dermalia_scan::Scan;
use dermalia_scan::manifest::Light;
use dermalia_surface::{Mesh, rasterize_uv};

use crate::preparation::{Decoded, Prepared, crop};
use crate::registration::Window;
use crate::{AnalysisError, Scale, face, labels, thumbnails};

/// Width of a face between the ears' landmarks, to size the filters where nothing else
/// tells the scale; no length is reported from it.
const ASSUMED_FACE_MM: f64 = 140.0;
/// The same without a face.
const ASSUMED_MM_PER_PX: f64 = 0.2;

/// Measures the best photograph; others are not registered to it and are left out.
pub(crate) fn flat(scan: &Scan, mut photos: Vec<Decoded>) -> Result<Prepared, AnalysisError> {
    let mut warnings = vec![];
    let order = [
        Light::White,
        Light::CrossPolarised,
        Light::ParallelPolarised,
        Light::Uv,
        Light::Wood,
        Light::Nir,
    ];
    let rank = |light: Light| order.iter().position(|l| *l == light);
    // The first photograph with a face, in the order of the lights; else the first.
    photos.sort_by_key(|p| (rank(p.1), p.0));
    let mut chosen = None;
    for (k, photo) in photos.iter().enumerate() {
        if let Some(found) = face::on_photo(&photo.2)? {
            chosen = Some((k, found));
            break;
        }
    }
    let (k, found) = match chosen {
        Some((k, found)) => (k, Some(found)),
        None => (0, None),
    };
    let others = photos.len() - 1;
    let (index, light, pixels) = photos.swap_remove(k);
    drop(photos);
    if others > 0 {
        warnings.push(format!(
            "{others} more photographs are not registered to the first with a face and were not measured"
        ));
    }
    let entry = &scan.manifest.images[index];
    let full_px = [pixels.width, pixels.height];
    let (scale, mm_per_px) = match (
        entry.mm_per_px,
        found.as_ref().and_then(|f| f.mm_per_px_from_iris()),
    ) {
        (Some(stated), _) => (Scale::Stated, stated),
        (None, Some(iris)) => {
            warnings.push(format!(
                "the scale of {iris:.3} mm/px was taken from the width of the iris (11.7 mm, within 0.5 mm)"
            ));
            (Scale::Iris, iris)
        }
        (None, None) => {
            warnings.push("the photograph has no scale: no length or area is stated".to_owned());
            let width = found.as_ref().map(|f| {
                let (a, b) = (f.points_px[234], f.points_px[454]);
                f64::from(((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt())
            });
            (
                Scale::Unknown,
                width.map_or(ASSUMED_MM_PER_PX, |w| ASSUMED_FACE_MM / w.max(1.0)),
            )
        }
    };
    warnings.push(
        "a photograph is measured flat: skin turned away from the camera counts smaller than it is"
            .to_owned(),
    );
    let mesh = Mesh::sheet(
        (full_px[0] as f64 * mm_per_px) as f32,
        (full_px[1] as f64 * mm_per_px) as f32,
    );
    let raster = rasterize_uv(&mesh, full_px[0], full_px[1]);
    let map = found.and_then(|f| PictureFaceMap::new(&f.points_px).ok());
    let has_face = map.is_some();
    let bits = match map {
        Some(map) => labels::bits(&map.labels(full_px[0], full_px[1])),
        None => {
            warnings.push(
                "no face was found: the whole picture is measured as one region, nothing is masked by landmarks"
                    .to_owned(),
            );
            labels::whole_surface(&raster.triangle)
        }
    };
    let base = thumbnails::base_of(Some(&pixels), full_px);
    let atlas = crop(&mesh, raster, bits, scale)?;
    let picture = Window::of(&atlas).cut(pixels, light);
    Ok(Prepared {
        atlas,
        pictures: vec![picture],
        relief: None,
        base,
        has_surface: false,
        has_face,
        warnings,
    })
}
