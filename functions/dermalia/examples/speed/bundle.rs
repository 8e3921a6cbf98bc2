//! The bundle that is timed.

use std::error::Error;
use std::fmt;
use std::path::Path;

use dermalia_phantom::{Base, ImageFormat, Phantom, PhantomOptions};
use dermalia_scan::manifest::Light;
use serde_json::Value;

/// What is asked for.
pub(crate) struct Wish {
    seed: u64,
    size_px: usize,
    picture_px: usize,
    levels: u32,
    relief: bool,
    png: bool,
}

/// What there is to do.
pub(crate) struct Made {
    /// Bytes of all files.
    pub(crate) file_bytes: f64,
    /// Pixels of all pictures and of the relief.
    pub(crate) picture_px: f64,
    /// Pixels of the working raster's whole atlas.
    pub(crate) atlas_px: f64,
    /// Pictures.
    pub(crate) pictures: f64,
    /// Triangles of the mesh.
    pub(crate) triangles: f64,
    /// Pixels of four heat maps, thirteen stills and the model's skin.
    pub(crate) drawn_px: f64,
}

impl Wish {
    pub(crate) fn from_arguments(
        arguments: impl Iterator<Item = String>,
    ) -> Result<Self, Box<dyn Error>> {
        let mut wish = Self {
            seed: 1,
            size_px: 4096,
            picture_px: 3464,
            levels: 4,
            relief: false,
            png: false,
        };
        for argument in arguments {
            match argument.split_once('=') {
                Some(("seed", v)) => wish.seed = v.parse()?,
                Some(("size_px", v)) => wish.size_px = v.parse()?,
                Some(("picture_px", v)) => wish.picture_px = v.parse()?,
                Some(("levels", v)) => wish.levels = v.parse()?,
                None if argument == "relief" => wish.relief = true,
                None if argument == "png" => wish.png = true,
                _ => {
                    return Err(format!(
                        "{argument} is no argument; there are seed=, size_px=, picture_px=, levels=, relief and png"
                    )
                    .into());
                }
            }
        }
        Ok(wish)
    }
}

impl Wish {
    /// The same with other pictures.
    pub(crate) fn with_pictures(&self, picture_px: usize) -> Self {
        Self {
            picture_px,
            ..*self
        }
    }

    fn triangles(&self) -> usize {
        898 * 4_usize.pow(self.levels)
    }
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a face of {} triangles, a texture of {1} x {1} px, {2} lights of {3} x {3} px{4}, as {5}",
            self.triangles(),
            self.size_px,
            OTHERS.len(),
            self.picture_px,
            if self.relief { " and relief" } else { "" },
            if self.png { "PNG" } else { "JPEG" },
        )
    }
}

/// The lights beside the white one.
const OTHERS: [Light; 4] = [
    Light::CrossPolarised,
    Light::ParallelPolarised,
    Light::Uv,
    Light::Wood,
];

/// Writes the bundle: the lights of two phantoms of one face, under one manifest.
pub(crate) fn make(wish: &Wish, folder: &Path) -> Result<Made, Box<dyn Error>> {
    let options = |size_px: usize, lights: &[Light]| PhantomOptions {
        seed: wish.seed,
        size_px,
        lights: lights.to_vec(),
        relief: wish.relief,
        base: Base::Face {
            levels: wish.levels,
        },
        image_format: if wish.png {
            ImageFormat::Png
        } else {
            ImageFormat::Jpeg
        },
        ..PhantomOptions::default()
    };
    let mut whole = Phantom::generate(&options(wish.size_px, &[Light::White]))?.files;
    let others = Phantom::generate(&options(wish.picture_px, &OTHERS))?.files;
    let (_, bytes) = whole.pop().ok_or("a phantom without a manifest")?;
    let mut manifest: Value = serde_json::from_slice(&bytes)?;
    let (_, bytes) = others.last().ok_or("a phantom without a manifest")?;
    let more: Value = serde_json::from_slice(bytes)?;
    let named: Vec<String> = more["images"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|i| Some(i["file"].as_str()?.to_owned()))
        .collect();
    for list in ["images", "files"] {
        let key = if list == "images" { "file" } else { "name" };
        let extra: Vec<Value> = more[list]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|e| {
                e[key]
                    .as_str()
                    .is_some_and(|f| named.iter().any(|n| n == f))
            })
            .cloned()
            .collect();
        manifest[list]
            .as_array_mut()
            .ok_or("a manifest without lists")?
            .extend(extra);
    }
    whole.extend(
        others
            .into_iter()
            .filter(|(name, _)| named.iter().any(|n| n == name)),
    );
    whole.push(("manifest.json".to_owned(), serde_json::to_vec(&manifest)?));
    std::fs::create_dir_all(folder)?;
    for (name, bytes) in &whole {
        std::fs::write(folder.join(name), bytes)?;
    }
    let square = |side: usize| (side * side) as f64;
    let textures = 1.0 + f64::from(u8::from(wish.relief));
    Ok(Made {
        file_bytes: whole.iter().map(|(_, b)| b.len() as f64).sum(),
        picture_px: textures * square(wish.size_px) + OTHERS.len() as f64 * square(wish.picture_px),
        atlas_px: square(wish.size_px.max(wish.picture_px)),
        pictures: 1.0 + OTHERS.len() as f64,
        triangles: wish.triangles() as f64,
        drawn_px: 4.0 * square(1024)
            + 5.0 * (720 * 864) as f64
            + 8.0 * (500 * 600) as f64
            + square(2048),
    })
}
