//! Synthetic scans with exactly known truth.
//!
//! A [`Phantom`] is a scan bundle as a scanner would upload it, made from
//! [`PhantomOptions`], together with its [`Truth`]: features lie in surface millimetres
//! on a face (or a plain patch of skin), colours come from a model in optical density.
//! The same options give the same bytes on every machine.

mod areas;
mod base;
mod bundle;
mod drawing;
mod features;
mod light;
mod look;
mod noise;
pub mod optics;
mod options;
mod place;
mod random;
mod reckon;
mod render;
pub mod score;
mod skin;
mod strokes;
mod subdivide;
pub mod truth;

pub use optics::{Melanin, Tone};
pub use options::{Base, Earlier, ImageFormat, Lighting, PhantomOptions};
pub use truth::{Distractor, RegionTruth, SkinTruth, TrueFeature, Truth};

use dermalia_landmarks::FaceMapError;
use dermalia_scan::manifest::{ImageEntry, Space};
use dermalia_surface::MeshError;
use rayon::prelude::*;

/// Why a phantom cannot be made or written.
#[derive(Debug, thiserror::Error)]
pub enum PhantomError {
    /// A picture would be too small or too large.
    #[error("size_px is {size_px}, expected 64 to 8000")]
    Size {
        /// What was asked for.
        size_px: usize,
    },
    /// Too many steps of subdivision.
    #[error("{levels} steps of subdivision, expected at most 5")]
    Levels {
        /// What was asked for.
        levels: u32,
    },
    /// The patch has no possible shape.
    #[error(
        "a patch of side {side_mm} mm and radius {radius_mm:?} mm: expected a side of 1 to \
         1000 mm and a radius of at least half the side"
    )]
    Patch {
        /// What was asked for.
        side_mm: f64,
        /// What was asked for.
        radius_mm: Option<f64>,
    },
    /// Two pictures of one light would have one name.
    #[error("a light is named twice in lights")]
    RepeatedLight,
    /// The mesh is not one.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// The landmarks are none.
    #[error(transparent)]
    FaceMap(#[from] FaceMapError),
    /// A PNG cannot be written.
    #[error(transparent)]
    Png(#[from] png::EncodingError),
    /// A JPEG cannot be written.
    #[error(transparent)]
    Jpeg(#[from] jpeg_encoder::EncodingError),
    /// A JSON text cannot be written.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// An archive cannot be written.
    #[error(transparent)]
    Zip(#[from] zip::result::ZipError),
    /// A file cannot be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// A synthetic scan.
#[derive(Clone)]
pub struct Phantom {
    /// The files of the bundle by name; `manifest.json` is the last.
    pub files: Vec<(String, Vec<u8>)>,
    /// What is really there.
    pub truth: Truth,
}

impl Phantom {
    /// Makes a phantom.
    ///
    /// # Errors
    /// Options out of range.
    pub fn generate(options: &PhantomOptions) -> Result<Self, PhantomError> {
        let size = options.size_px;
        if !(64..=8000).contains(&size) {
            return Err(PhantomError::Size { size_px: size });
        }
        let surface = base::surface(options.base, options.seed)?;
        let areas = areas::Areas::new(&surface)?;
        let skin = skin::Skin::new(surface.mesh);
        let uvs = &surface.landmark_uvs;
        let mut features = place::features(&skin, &areas, uvs, options);
        if let Some(earlier) = options.earlier {
            features.earlier(earlier);
        }
        if options.deep_spots {
            features.deepen();
        }
        let bare = optics::Skin::of(options.tone, options.melanin).density(0.0, 0.0);
        let look =
            (!uvs.is_empty()).then(|| look::Look::face(uvs, skin.mm_per_uv(), options.seed, bare));
        let capture = light::Capture::of(options).levelled(&skin, &areas);
        let filters: Vec<light::Filter> = options
            .lights
            .iter()
            .map(|&l| light::Filter::of(l))
            .collect();
        if (1..filters.len()).any(|i| filters[..i].iter().any(|f| f.light == filters[i].light)) {
            return Err(PhantomError::RepeatedLight);
        }
        let mut drawing = render::draw(
            &skin,
            &areas,
            look.as_ref(),
            &features,
            options,
            &capture,
            &filters,
        );
        let shift = render::shift_uv(&capture, size);
        let truth = reckon::truth(&skin, &areas, &features, &drawing, options, shift);

        let ending = match options.image_format {
            ImageFormat::Png => "png",
            ImageFormat::Jpeg => "jpg",
        };
        let names: Vec<String> = filters
            .iter()
            .map(|f| format!("{}.{ending}", f.name()))
            .collect();
        let pictures = std::mem::take(&mut drawing.pictures);
        let mut encoded: Vec<Vec<u8>> = pictures
            .into_par_iter()
            .map(|rgb| bundle::picture(&rgb, size, options.image_format))
            .collect::<Result<_, _>>()?;
        let mut files = vec![("face.obj".to_owned(), bundle::obj(&skin.mesh, shift))];
        files.extend(names.iter().cloned().zip(encoded.drain(..)));
        let relief_file = options.relief.then(|| "relief.png".to_owned());
        if let Some(name) = &relief_file {
            let levels = drawing.levels();
            files.push((name.clone(), bundle::height_map(&levels, size)?));
        }
        let parts = bundle::Parts {
            images: filters
                .iter()
                .zip(names)
                .map(|(filter, file)| ImageEntry {
                    file,
                    light: filter.light,
                    space: Space::Texture,
                    view: None,
                    camera: None,
                    mm_per_px: None,
                })
                .collect(),
            mesh_file: "face.obj".to_owned(),
            relief_file,
            landmarks: surface
                .landmarks
                .map(|points| points.into_iter().map(|p| p.map(f64::from)).collect()),
        };
        let files = bundle::seal(files, parts, options)?;
        Ok(Self { files, truth })
    }
}
