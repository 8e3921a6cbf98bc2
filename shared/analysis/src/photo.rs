//! A photograph without a surface, measured flat.

use dermalia_landmarks::{PictureFaceMap, PictureLandmarks};
use dermalia_scan::manifest::Light;
use dermalia_scan::{Levels, Scan};
use dermalia_surface::{Mesh, rasterize_uv};

use crate::preparation::{Decoded, Prepared, crop};
use crate::registration::Window;
use crate::{AnalysisError, Scale, face, labels, relief, thumbnails};

/// Width of a face between the ears' landmarks, to size the filters where nothing else
/// tells the scale; no length is reported from it.
const ASSUMED_FACE_MM: f64 = 140.0;
/// The same without a face.
const ASSUMED_MM_PER_PX: f64 = 0.2;

/// The lights from the one that shows a face best.
const ORDER: [Light; 6] = [
    Light::White,
    Light::CrossPolarised,
    Light::ParallelPolarised,
    Light::Uv,
    Light::Wood,
    Light::Nir,
];

/// Measures pictures flat. Those that are `registered` share one raster; of others the best
/// one is measured and the rest left out.
pub(crate) fn flat(
    scan: &Scan,
    mut pictures: Vec<Decoded>,
    levels: Option<Levels>,
    registered: bool,
) -> Result<Prepared<'static>, AnalysisError> {
    let mut warnings = vec![];
    let rank = |light: Light| ORDER.iter().position(|l| *l == light);
    // The first picture with a face, in the order of the lights; else the first.
    pictures.sort_by_key(|p| (rank(p.1), p.0));
    let mut chosen = None;
    for (k, picture) in pictures.iter().enumerate() {
        if let Some(found) = face::on_photo(&picture.2)? {
            chosen = Some((k, found));
            break;
        }
    }
    let (k, found) = match chosen {
        Some((k, found)) => (k, Some(found)),
        None => (0, None),
    };
    pictures.swap(0, k);
    if !registered && pictures.len() > 1 {
        warnings.push(format!(
            "{} more photographs are not registered to the first with a face and were not measured",
            pictures.len() - 1
        ));
        pictures.truncate(1);
    }
    let (index, _, first) = &pictures[0];
    let full_px = pictures
        .iter()
        .map(|p| [p.2.width, p.2.height])
        .chain(levels.iter().map(|l| [l.width, l.height]))
        .fold([1, 1], |m, s| [m[0].max(s[0]), m[1].max(s[1])]);
    // Points in the pixels of the raster.
    let enlarged = full_px[0] as f32 / first.width as f32;
    let points_px: Option<Vec<[f32; 3]>> = found.as_ref().map(|f| {
        let tall = full_px[1] as f32 / first.height as f32;
        f.points_px
            .iter()
            .map(|p| [p[0] * enlarged, p[1] * tall, p[2] * enlarged])
            .collect()
    });
    let (scale, mm_per_px) = scale(
        scan.manifest.images[*index].mm_per_px,
        found.as_ref(),
        &mut warnings,
    );
    let mm_per_px = mm_per_px / f64::from(enlarged);
    warnings.push(
        "a photograph is measured flat: skin turned away from the camera counts smaller than it is"
            .to_owned(),
    );
    let mesh = Mesh::sheet(
        (full_px[0] as f64 * mm_per_px) as f32,
        (full_px[1] as f64 * mm_per_px) as f32,
    );
    let raster = rasterize_uv(&mesh, full_px[0], full_px[1]);
    let map = points_px.and_then(|p| PictureFaceMap::new(&p).ok());
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
    let base = thumbnails::base_of(Some(first), full_px);
    let atlas = crop(&mesh, raster, bits, scale)?;
    let window = Window::of(&atlas);
    let relief = match (levels, &scan.manifest.relief) {
        (Some(levels), Some(entry)) => Some(relief::from_levels(&levels, entry, &window)),
        _ => None,
    };
    let pictures = pictures
        .into_iter()
        .map(|(_, light, pixels)| window.cut(pixels, light))
        .collect();
    Ok(Prepared {
        atlas,
        pictures,
        ultraviolet: None,
        unmeasured: vec![],
        relief,
        base,
        has_surface: false,
        has_face,
        landmarks_mm: None,
        warnings,
    })
}

/// Millimetres a pixel of the picture, and what they are worth.
fn scale(
    stated: Option<f64>,
    found: Option<&PictureLandmarks>,
    warnings: &mut Vec<String>,
) -> (Scale, f64) {
    if let Some(stated) = stated {
        return (Scale::Stated, stated);
    }
    if let Some(iris) = found.and_then(PictureLandmarks::mm_per_px_from_iris) {
        warnings.push(format!(
            "the scale of {iris:.3} mm/px was taken from the width of the iris (11.7 mm, within 0.5 mm)"
        ));
        return (Scale::Iris, iris);
    }
    warnings.push("the photograph has no scale: no length or area is stated".to_owned());
    let width = found.map(|f| {
        let (a, b) = (f.points_px[234], f.points_px[454]);
        f64::from(((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt())
    });
    (
        Scale::Unknown,
        width.map_or(ASSUMED_MM_PER_PX, |w| ASSUMED_FACE_MM / w.max(1.0)),
    )
}
