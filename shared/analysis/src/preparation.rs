//! From a scan to a working raster: which pictures are used, where they lie, and which
//! face they show.

use std::borrow::Cow;

use dermalia_findings::BaseTexture;
use dermalia_landmarks::FaceMap;
use dermalia_scan::manifest::{Light, Space};
use dermalia_scan::{Levels, Limits, Pixels, Scan};
use dermalia_surface::{Mesh, Metric, UvRaster, Vec3, rasterize_uv};
use rayon::prelude::*;

use crate::atlas::label::NO_SURFACE;
use crate::registration::Window;
use crate::relief::{self, Relief};
use crate::{AnalysisError, Atlas, RegisteredPicture, Scale, labels, thumbnails};

/// All that the measures need of a scan.
pub(crate) struct Prepared {
    pub(crate) atlas: Atlas,
    pub(crate) pictures: Vec<RegisteredPicture>,
    pub(crate) relief: Option<Relief>,
    pub(crate) base: BaseTexture,
    /// Whether the atlas lies on a scanned surface, not on a flat photograph.
    pub(crate) has_surface: bool,
    /// Whether a face was found; else all of the surface is measured as `face`.
    pub(crate) has_face: bool,
    /// The landmarks that the regions were drawn by, on a surface.
    pub(crate) landmarks_mm: Option<Vec<Vec3>>,
    pub(crate) warnings: Vec<String>,
}

/// Pixels around the labelled part that are kept, for filters.
const BORDER_PX: usize = 48;

/// A picture's number in the manifest, its light and its pixels.
pub(crate) type Decoded = (usize, Light, Pixels);

/// Decodes the pictures that lie in one space, in the order of the manifest.
pub(crate) fn decode(
    scan: &Scan,
    space: Space,
    limits: &Limits,
) -> Result<Vec<Decoded>, AnalysisError> {
    let wanted: Vec<usize> = (0..scan.manifest.images.len())
        .filter(|&i| scan.manifest.images[i].space == space)
        .collect();
    wanted
        .into_par_iter()
        .map(|i| {
            let pixels = scan.pictures[i].decode(limits)?;
            Ok((i, scan.manifest.images[i].light, pixels))
        })
        .collect()
}

/// The height map that lies in one of `spaces`, if the bundle has one.
pub(crate) fn decode_relief(
    scan: &Scan,
    spaces: &[Space],
    limits: &Limits,
) -> Result<Option<Levels>, AnalysisError> {
    match (&scan.relief, &scan.manifest.relief) {
        (Some(picture), Some(entry)) if spaces.contains(&entry.space) => {
            Ok(Some(picture.decode_levels(limits)?))
        }
        _ => Ok(None),
    }
}

/// The picture that shows colours best.
pub(crate) fn best_for_display(pictures: &[Decoded]) -> Option<&Decoded> {
    [
        Light::White,
        Light::CrossPolarised,
        Light::ParallelPolarised,
        Light::Uv,
        Light::Wood,
        Light::Nir,
    ]
    .iter()
    .find_map(|light| pictures.iter().find(|p| p.1 == *light))
}

/// Pictures that lie in the atlas of the mesh.
pub(crate) fn on_atlas(
    scan: &Scan,
    mesh: &Mesh,
    pictures: Vec<Decoded>,
    levels: Option<Levels>,
) -> Result<Prepared, AnalysisError> {
    let sizes = pictures
        .iter()
        .map(|p| [p.2.width, p.2.height])
        .chain(levels.iter().map(|l| [l.width, l.height]));
    let full_px = sizes.fold([1, 1], |m, s| [m[0].max(s[0]), m[1].max(s[1])]);
    let mut mesh = Cow::Borrowed(mesh);
    let mut warnings = vec![];
    let landmarks = match &scan.landmarks {
        Some(points) => Some(points.clone()),
        None => crate::face::on_mesh(&mesh, best_for_display(&pictures).map(|p| &p.2))?.map(
            |found| {
                if found.texture_upside_down {
                    turn_atlas(mesh.to_mut());
                    warnings.push(
                        "the mesh counts v against its format: the texture was turned upside down to fit the face"
                            .to_owned(),
                    );
                }
                found.points_mm
            },
        ),
    };
    let mesh = mesh.as_ref();
    let raster = rasterize_uv(mesh, full_px[0], full_px[1]);
    let covered = raster
        .triangle
        .par_iter()
        .filter(|t| **t != dermalia_surface::NO_TRIANGLE)
        .count();
    if covered == 0 {
        return Err(AnalysisError::NothingToMeasure(
            "the atlas of the mesh has no area".to_owned(),
        ));
    }
    if raster.overlapping_px * 50 > covered {
        warnings.push(format!(
            "{:.0} % of the atlas is claimed by more than one triangle",
            100.0 * raster.overlapping_px as f64 / covered as f64
        ));
    }
    let (bits, has_face) = label(mesh, &raster, landmarks.as_deref(), &mut warnings);
    let base = thumbnails::base_of(best_for_display(&pictures).map(|p| &p.2), full_px);
    let atlas = crop(mesh, raster, bits, Scale::Stated)?;
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
        relief,
        base,
        has_surface: true,
        has_face,
        landmarks_mm: landmarks.filter(|_| has_face),
        warnings,
    })
}

/// Turns the atlas the other way up, for a mesh whose v does not run as its format says.
fn turn_atlas(mesh: &mut Mesh) {
    for uv in &mut mesh.uvs {
        uv[1] = 1.0 - uv[1];
    }
}

/// A mesh without any picture: only its own fine relief can be measured.
pub(crate) fn on_mesh_alone(scan: &Scan, mesh: &Mesh) -> Result<Prepared, AnalysisError> {
    let unrolled;
    let mesh = if mesh.has_atlas() {
        mesh
    } else {
        unrolled = crate::projection::unwrapped(mesh);
        &unrolled
    };
    let area: f64 = (0..mesh.triangles.len())
        .map(|t| f64::from(mesh.area_mm2(t)))
        .sum();
    // About two pixels an edge of an even mesh.
    let edge = (2.3 * area / mesh.triangles.len().max(1) as f64).sqrt();
    let side = (area.sqrt() / (0.5 * edge).max(0.01)).clamp(256.0, 4096.0) as usize;
    let raster = rasterize_uv(mesh, side, side);
    let mut warnings = vec!["the scan has a surface but no picture".to_owned()];
    let landmarks = match &scan.landmarks {
        Some(points) => Some(points.clone()),
        None => crate::face::on_mesh(mesh, None)?.map(|found| found.points_mm),
    };
    let (bits, has_face) = label(mesh, &raster, landmarks.as_deref(), &mut warnings);
    Ok(Prepared {
        atlas: crop(mesh, raster, bits, Scale::Stated)?,
        pictures: vec![],
        relief: None,
        base: thumbnails::base_of(None, [side, side]),
        has_surface: true,
        has_face,
        landmarks_mm: landmarks.filter(|_| has_face),
        warnings,
    })
}

/// Labels by the landmarks, or the whole surface with a warning.
pub(crate) fn label(
    mesh: &Mesh,
    raster: &UvRaster,
    landmarks: Option<&[Vec3]>,
    warnings: &mut Vec<String>,
) -> (Vec<u8>, bool) {
    let Some(points) = landmarks else {
        warnings.push(
            "no face was found: the whole surface is measured as one region, nothing is masked by landmarks"
                .to_owned(),
        );
        return (labels::whole_surface(&raster.triangle), false);
    };
    match FaceMap::new(points) {
        Ok(map) => {
            let bits = labels::bits(&map.atlas_labels(mesh, raster));
            if bits.iter().any(|b| *b != 0) {
                return (bits, true);
            }
            warnings.push(
                "the landmarks do not lie on the surface: it is measured as one region".to_owned(),
            );
        }
        Err(e) => warnings.push(format!("the landmarks are unusable ({e})")),
    }
    (labels::whole_surface(&raster.triangle), false)
}

/// Cuts the raster to its labelled part.
pub(crate) fn crop(
    mesh: &Mesh,
    raster: UvRaster,
    bits: Vec<u8>,
    scale: Scale,
) -> Result<Atlas, AnalysisError> {
    let full_px = [raster.width, raster.height];
    let Some([left, top, right, bottom]) = labels::bounds(&bits, raster.width, BORDER_PX) else {
        return Err(AnalysisError::NothingToMeasure(
            "no pixel lies on the surface".to_owned(),
        ));
    };
    let (width, height) = (right - left, bottom - top);
    let mut triangle = vec![0_u32; width * height];
    let mut labels = vec![0_u8; width * height];
    triangle
        .par_chunks_mut(width)
        .zip(labels.par_chunks_mut(width))
        .enumerate()
        .for_each(|(y, (triangle, labels))| {
            let row = (top + y) * full_px[0] + left..(top + y) * full_px[0] + right;
            triangle.copy_from_slice(&raster.triangle[row.clone()]);
            for ((l, b), t) in labels.iter_mut().zip(&bits[row]).zip(triangle) {
                let bare = *t == dermalia_surface::NO_TRIANGLE;
                *l = if bare { *b | NO_SURFACE } else { *b };
            }
        });
    drop((raster, bits));
    let zero = Metric {
        e: 0.0,
        f: 0.0,
        g: 0.0,
        mirrored: false,
    };
    let metrics = (0..mesh.triangles.len())
        .into_par_iter()
        .map(|t| Metric::of(mesh, t, full_px[0], full_px[1]).unwrap_or(zero))
        .collect();
    Ok(Atlas {
        width,
        height,
        origin_px: [left, top],
        full_px,
        mesh: mesh.clone(),
        scale,
        triangle,
        labels,
        metrics,
    })
}
