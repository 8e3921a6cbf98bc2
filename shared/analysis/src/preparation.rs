//! From a scan to a working raster: which pictures are used, where they lie, and which
//! face they show.

use std::borrow::Cow;
use std::sync::Mutex;

use dermalia_findings::BaseTexture;
use dermalia_landmarks::FaceMap;
use dermalia_scan::manifest::{Light, Space};
use dermalia_scan::{Levels, Limits, Picture, Pixels, Samples, Scan};
use dermalia_surface::{Mesh, Metric, UvRaster, Vec3, rasterize_uv};
use rayon::prelude::*;

use crate::atlas::label::NO_SURFACE;
use crate::exposure::Exposure;
use crate::labelled::{self, Division, Drawn};
use crate::plausible::Layout;
use crate::registration::Window;
use crate::relief::{self, Relief};
use crate::{AnalysisError, Atlas, RegisteredPicture, Scale, labels, thumbnails};

/// All that the measures need of a scan.
pub(crate) struct Prepared<'a> {
    pub(crate) atlas: Atlas,
    pub(crate) pictures: Vec<RegisteredPicture>,
    /// One of the whole atlas under ultraviolet light beside them, still encoded: it is read
    /// once and is large.
    pub(crate) ultraviolet: Option<&'a Picture>,
    /// Those that only the quality of the capture is told of.
    pub(crate) unmeasured: Vec<Exposure>,
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
    encoded(scan, space)
        .into_par_iter()
        .map(|(i, light, picture)| Ok((i, light, picture.decode(limits)?)))
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
pub(crate) fn best_for_display<T>(pictures: &[(usize, Light, T)]) -> Option<&(usize, Light, T)> {
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

/// The pictures of one space that are still encoded, in the order of the manifest.
pub(crate) fn encoded(scan: &Scan, space: Space) -> Vec<Encoded<'_>> {
    let images = scan.manifest.images.iter().zip(&scan.pictures).enumerate();
    images
        .filter(|(_, (image, _))| image.space == space)
        .map(|(i, (image, picture))| (i, image.light, picture))
        .collect()
}

/// A picture's number in the manifest, its light, and its file.
pub(crate) type Encoded<'a> = (usize, Light, &'a Picture);

/// Pictures that lie in the atlas of the mesh, with the height map if that does. `lap` is
/// told the stages.
pub(crate) fn on_atlas<'a>(
    scan: &Scan,
    mesh: &Mesh,
    pictures: &[Encoded<'a>],
    limits: &Limits,
    lap: &mut dyn FnMut(&'static str),
) -> Result<Prepared<'a>, AnalysisError> {
    let relief_file = scan.relief.as_ref().filter(|_| {
        let entry = scan.manifest.relief.as_ref();
        entry.is_some_and(|r| r.space == Space::Texture)
    });
    let (pictures, ultraviolet) = apart(pictures);
    let full_px = pictures
        .iter()
        .chain(&ultraviolet)
        .map(|p| p.2)
        .chain(relief_file)
        .map(|p| [p.width(), p.height()])
        .fold([1, 1], |m, s| [m[0].max(s[0]), m[1].max(s[1])]);
    let mut warnings = vec![];
    let shown = best_for_display(&pictures).copied();
    let mut decoded = None;
    let mut mesh = Cow::Borrowed(mesh);
    let layout = Layout::of(&mesh);
    // Landmarks of the bundle do not tell which way up the pictures are.
    let in_doubt = layout.is_mirrored() && shown.is_some();
    let found = if scan.landmarks.is_none() || in_doubt {
        decoded = shown.map(|p| p.2.decode(limits)).transpose()?;
        lap("decode");
        crate::face::on_mesh(&mesh, decoded.as_ref())?
    } else {
        None
    };
    if found.as_ref().is_some_and(|f| f.texture_upside_down) {
        turn_atlas(mesh.to_mut());
        warnings.push(
            "the mesh counts v against its format: the texture was turned upside down to fit the face"
                .to_owned(),
        );
    } else {
        warnings.extend(layout.mirrored_warning());
    }
    warnings.extend(layout.outside_warning());
    let landmarks = scan.landmarks.clone();
    let landmarks = landmarks.or_else(|| found.map(|f| f.points_mm));
    let mesh = mesh.as_ref();
    let (atlas, has_face) = draw(mesh, full_px, landmarks.as_deref(), &mut warnings)?;
    let window = Window::of(&atlas);
    lap("register");
    // What is decoded is cut and let go at once: the whole pictures together would be half
    // of the memory that a job takes.
    let (pictures, relief) = rayon::join(
        || register(&pictures, shown.zip(Some(decoded)), &window, limits),
        || {
            let levels = decode_relief(scan, &[Space::Texture], limits)?;
            Ok::<_, AnalysisError>(match (levels, &scan.manifest.relief) {
                (Some(levels), Some(entry)) => Some(relief::from_levels(&levels, entry, &window)),
                _ => None,
            })
        },
    );
    let (pictures, relief) = (pictures?, relief?);
    lap("decode");
    Ok(Prepared {
        atlas,
        pictures: pictures.measured,
        ultraviolet: ultraviolet.map(|p| p.2),
        unmeasured: pictures.unmeasured,
        relief,
        base: pictures
            .base
            .unwrap_or_else(|| thumbnails::base_of(None, full_px)),
        has_surface: true,
        has_face,
        landmarks_mm: landmarks.filter(|_| has_face),
        warnings,
    })
}

/// The lights that show form and colour.
pub(crate) const MEASURED: [Light; 3] = [
    Light::White,
    Light::CrossPolarised,
    Light::ParallelPolarised,
];
/// The lights that show melanin better than these; the first that there is is used.
pub(crate) const ULTRAVIOLET: [Light; 2] = [Light::Uv, Light::Wood];

/// The first picture under ultraviolet light apart from the others, where these show skin
/// under visible light.
fn apart<'a>(pictures: &[Encoded<'a>]) -> (Vec<Encoded<'a>>, Option<Encoded<'a>>) {
    let ultraviolet = ULTRAVIOLET
        .iter()
        .find_map(|light| pictures.iter().find(|p| p.1 == *light))
        .filter(|_| pictures.iter().any(is_visible));
    let others = pictures
        .iter()
        .filter(|p| ultraviolet.is_none_or(|u| u.0 != p.0));
    (others.copied().collect(), ultraviolet.copied())
}

/// The numbers of the pictures that are measured. What others show is told only by how they
/// are exposed, unless there is nothing else.
fn measured(pictures: &[Encoded<'_>]) -> Vec<usize> {
    let alone = !pictures.iter().any(is_visible);
    let measured = pictures.iter().filter(|p| alone || is_visible(p));
    measured.map(|p| p.0).collect()
}

fn is_visible(picture: &Encoded<'_>) -> bool {
    MEASURED.contains(&picture.1)
}

/// Pictures in the working raster.
#[derive(Default)]
struct Registered {
    measured: Vec<RegisteredPicture>,
    unmeasured: Vec<Exposure>,
    base: Option<BaseTexture>,
}

/// Decodes pictures and brings them to the raster. The one that is shown can be decoded
/// already.
fn register(
    pictures: &[Encoded<'_>],
    shown: Option<(Encoded<'_>, Option<Pixels>)>,
    window: &Window,
    limits: &Limits,
) -> Result<Registered, AnalysisError> {
    let (shown, decoded) = shown.map_or((None, None), |(p, pixels)| (Some(p.0), pixels));
    let decoded = Mutex::new(decoded);
    let measured = measured(pictures);
    let rooms = Rooms::default();
    let parts: Vec<Result<Registered, AnalysisError>> = pictures
        .par_iter()
        .map(|&(number, light, picture)| {
            let is_shown = shown == Some(number);
            let known = decoded.lock().ok().filter(|_| is_shown);
            let known = known.and_then(|mut pixels| pixels.take());
            let pixels = match known {
                Some(pixels) => pixels,
                None => picture.decode_into(rooms.take(), limits)?,
            };
            let mut part = Registered {
                base: is_shown.then(|| thumbnails::base_of(Some(&pixels), window.full_px)),
                ..Registered::default()
            };
            if measured.contains(&number) {
                let (registered, room) = window.cut_and_leave(pixels, light);
                part.measured.push(registered);
                rooms.leave(room);
            } else {
                part.unmeasured.push(Exposure::of(&pixels));
                if let Samples::Eight(room) = pixels.samples {
                    rooms.leave(room);
                }
            }
            Ok(part)
        })
        .collect();
    let mut all = Registered::default();
    for part in parts {
        // Of several faults the first in the manifest is told.
        let part = part?;
        all.measured.extend(part.measured);
        all.unmeasured.extend(part.unmeasured);
        all.base = all.base.or(part.base);
    }
    Ok(all)
}

/// Memory of pictures that were let go, for the next.
#[derive(Default)]
struct Rooms(Mutex<Vec<Vec<u8>>>);

impl Rooms {
    fn take(&self) -> Vec<u8> {
        let room = self.0.lock().ok().and_then(|mut rooms| rooms.pop());
        room.unwrap_or_default()
    }

    fn leave(&self, room: Vec<u8>) {
        if room.capacity() > 0
            && let Ok(mut rooms) = self.0.lock()
        {
            rooms.push(room);
        }
    }
}

/// The working raster, and whether a face was found: labels by the landmarks, or the whole
/// surface with a warning.
fn draw(
    mesh: &Mesh,
    full_px: [usize; 2],
    landmarks: Option<&[Vec3]>,
    warnings: &mut Vec<String>,
) -> Result<(Atlas, bool), AnalysisError> {
    let mut told = vec![];
    let map = match landmarks.map(FaceMap::new) {
        Some(Ok(map)) => Some(map),
        Some(Err(e)) => {
            told.push(format!("the landmarks are unusable ({e})"));
            None
        }
        None => {
            told.push(NO_FACE.to_owned());
            None
        }
    };
    let by_regions = map.map(|map| {
        let painter = map.painter(mesh, full_px[0], full_px[1]);
        let division = Division::regions(painter, mesh.triangles.len());
        labelled::draw(mesh, full_px, &division, BORDER_PX)
    });
    let has_map = by_regions.is_some();
    let (claims, drawn, has_face) = match by_regions {
        Some((claims, Some(drawn))) => (claims, Some(drawn), true),
        _ => {
            if has_map {
                told.push(NOT_ON_SURFACE.to_owned());
            }
            let division = Division::whole(mesh.triangles.len());
            let (claims, drawn) = labelled::draw(mesh, full_px, &division, BORDER_PX);
            (claims, drawn, false)
        }
    };
    let Some(drawn) = drawn else {
        return Err(AnalysisError::NothingToMeasure(
            "the atlas of the mesh has no area".to_owned(),
        ));
    };
    if claims.overlapping_px * 50 > claims.covered_px {
        warnings.push(format!(
            "{:.0} % of the atlas is claimed by more than one triangle",
            100.0 * claims.overlapping_px as f64 / claims.covered_px as f64
        ));
    }
    warnings.append(&mut told);
    Ok((atlas_of(mesh, full_px, drawn, Scale::Stated), has_face))
}

const NO_FACE: &str = "no face was found: the whole surface is measured as one region, nothing is masked by landmarks";
const NOT_ON_SURFACE: &str =
    "the landmarks do not lie on the surface: it is measured as one region";

/// Turns the atlas the other way up, for a mesh whose v does not run as its format says.
fn turn_atlas(mesh: &mut Mesh) {
    for uv in &mut mesh.uvs {
        uv[1] = 1.0 - uv[1];
    }
}

/// A mesh without any picture: only its own fine relief can be measured.
pub(crate) fn on_mesh_alone(scan: &Scan, mesh: &Mesh) -> Result<Prepared<'static>, AnalysisError> {
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
    let mut warnings = vec!["the scan has a surface but no picture".to_owned()];
    let landmarks = match &scan.landmarks {
        Some(points) => Some(points.clone()),
        None => crate::face::on_mesh(mesh, None)?.map(|found| found.points_mm),
    };
    let raster = rasterize_uv(mesh, side, side);
    let (bits, has_face) = label(mesh, &raster, landmarks.as_deref(), &mut warnings);
    Ok(Prepared {
        atlas: crop(mesh, raster, bits, Scale::Stated)?,
        pictures: vec![],
        ultraviolet: None,
        unmeasured: vec![],
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
        warnings.push(NO_FACE.to_owned());
        return (labels::whole_surface(&raster.triangle), false);
    };
    match FaceMap::new(points) {
        Ok(map) => {
            let bits = labels::bits(&map.atlas_labels(mesh, raster));
            if bits.iter().any(|b| *b != 0) {
                return (bits, true);
            }
            warnings.push(NOT_ON_SURFACE.to_owned());
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
    let Some(bounds) = labels::bounds(&bits, raster.width, BORDER_PX) else {
        return Err(AnalysisError::NothingToMeasure(
            "no pixel lies on the surface".to_owned(),
        ));
    };
    let (mut triangle, mut labels) = (raster.triangle, bits);
    labelled::keep(&mut triangle, full_px[0], bounds);
    labelled::keep(&mut labels, full_px[0], bounds);
    for (label, t) in labels.iter_mut().zip(&triangle) {
        if *t == dermalia_surface::NO_TRIANGLE {
            *label |= NO_SURFACE;
        }
    }
    let drawn = Drawn {
        bounds,
        triangle,
        labels,
    };
    Ok(atlas_of(mesh, full_px, drawn, scale))
}

fn atlas_of(mesh: &Mesh, full_px: [usize; 2], drawn: Drawn, scale: Scale) -> Atlas {
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
    let [left, top, right, bottom] = drawn.bounds;
    Atlas {
        width: right - left,
        height: bottom - top,
        origin_px: [left, top],
        full_px,
        mesh: mesh.clone(),
        scale,
        triangle: drawn.triangle,
        labels: drawn.labels,
        metrics,
    }
}
