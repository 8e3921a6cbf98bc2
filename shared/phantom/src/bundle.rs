//! A phantom as the files that a scanner uploads.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;

use dermalia_scan::manifest::{self, Axis, Manifest, SkinState, Space, Unit};
use dermalia_surface::Mesh;
use sha2::{Digest, Sha256};

use crate::drawing::{MM_PER_LEVEL, ZERO_LEVEL};
use crate::options::{ImageFormat, PhantomOptions};
use crate::random::Rng;
use crate::{Phantom, PhantomError};

/// The mesh as OBJ; numbers are printed so that reading gives the very same ones.
pub(crate) fn obj(mesh: &Mesh, shift: [f64; 2]) -> Vec<u8> {
    let mut text = String::with_capacity(mesh.triangles.len() * 80);
    text.push_str("# synthetic face, millimetres, +z front, +y up\no face\n");
    for [x, y, z] in &mesh.positions {
        let _ = writeln!(text, "v {x} {y} {z}");
    }
    for uv in &mesh.uvs {
        let [u, v] = [0, 1].map(|k| (f64::from(uv[k]) + shift[k]) as f32);
        let _ = writeln!(text, "vt {u} {v}");
    }
    for (p, q) in mesh.triangles.iter().zip(&mesh.uv_triangles) {
        let [a, b, c] = p.map(|i| i + 1);
        let [d, e, f] = q.map(|i| i + 1);
        let _ = writeln!(text, "f {a}/{d} {b}/{e} {c}/{f}");
    }
    text.into_bytes()
}

pub(crate) fn picture(
    rgb: &[u8],
    size: usize,
    format: ImageFormat,
) -> Result<Vec<u8>, PhantomError> {
    match format {
        ImageFormat::Png => png(rgb, size, png::ColorType::Rgb, png::BitDepth::Eight),
        ImageFormat::Jpeg => {
            let mut bytes = vec![];
            let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, 92);
            encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_1_1);
            let side = u16::try_from(size).map_err(|_| PhantomError::Size { size_px: size })?;
            encoder.encode(rgb, side, side, jpeg_encoder::ColorType::Rgb)?;
            Ok(bytes)
        }
    }
}

pub(crate) fn height_map(levels: &[u16], size: usize) -> Result<Vec<u8>, PhantomError> {
    let bytes: Vec<u8> = levels.iter().flat_map(|v| v.to_be_bytes()).collect();
    png(
        &bytes,
        size,
        png::ColorType::Grayscale,
        png::BitDepth::Sixteen,
    )
}

fn png(
    data: &[u8],
    size: usize,
    colour: png::ColorType,
    depth: png::BitDepth,
) -> Result<Vec<u8>, PhantomError> {
    let side = u32::try_from(size).map_err(|_| PhantomError::Size { size_px: size })?;
    let mut bytes = vec![];
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(data)?;
    writer.finish()?;
    Ok(bytes)
}

/// What the device's own probe read, in arbitrary units; dry to sufficient skin.
fn hydration(seed: u64) -> Vec<manifest::DeviceValue> {
    let mut rng = Rng::stream(seed, "hydration");
    let level = rng.range(36.0, 52.0);
    [
        ("forehead", 4.0),
        ("cheek_left", 0.0),
        ("cheek_right", 0.0),
        ("nose", 2.0),
        ("chin", -3.0),
    ]
    .map(|(region, offset)| {
        let value = level + offset + rng.range(-3.0, 3.0);
        manifest::DeviceValue {
            parameter: "hydration".to_owned(),
            region: region.to_owned(),
            value: libm::round(value * 10.0) / 10.0,
            unit: "AU".to_owned(),
            instrument: "Corneometer CM 825".to_owned(),
        }
    })
    .into()
}

/// The parts that the manifest names.
pub(crate) struct Parts {
    pub(crate) images: Vec<manifest::ImageEntry>,
    pub(crate) mesh_file: String,
    pub(crate) relief_file: Option<String>,
    pub(crate) landmarks: Option<Vec<[f64; 3]>>,
}

/// Adds `manifest.json` as the last file.
pub(crate) fn seal(
    mut files: Vec<(String, Vec<u8>)>,
    parts: Parts,
    options: &PhantomOptions,
) -> Result<Vec<(String, Vec<u8>)>, PhantomError> {
    let named = options.first_name.is_some() || options.email.is_some() || options.locale.is_some();
    let on_face = parts.landmarks.is_some();
    let manifest = Manifest {
        schema: manifest::SCHEMA.to_owned(),
        scan_id: options.effective_scan_id(),
        practice_id: options.practice_id.clone(),
        captured_at: options.captured_at.clone(),
        device: manifest::Device {
            maker: "Dermalia".to_owned(),
            model: "phantom".to_owned(),
            firmware: Some(env!("CARGO_PKG_VERSION").to_owned()),
        },
        patient: named.then(|| manifest::Patient {
            first_name: options.first_name.clone(),
            email: options.email.clone(),
            locale: options.locale.clone(),
        }),
        previous_scan_id: options.previous_scan_id.clone(),
        capture: manifest::Capture {
            skin: SkinState::Clean,
        },
        mesh: Some(manifest::MeshEntry {
            file: parts.mesh_file,
            unit: Unit::Mm,
            front: Axis::PlusZ,
            up: Axis::PlusY,
        }),
        images: parts.images,
        relief: parts.relief_file.map(|file| manifest::ReliefEntry {
            file,
            space: Space::Texture,
            mm_per_level: MM_PER_LEVEL,
            zero_level: ZERO_LEVEL,
        }),
        landmarks: parts.landmarks.filter(|_| options.landmarks).map(|points| {
            manifest::LandmarksEntry {
                scheme: "mediapipe-468".to_owned(),
                points,
            }
        }),
        device_values: if on_face {
            hydration(options.seed)
        } else {
            vec![]
        },
        files: files
            .iter()
            .map(|(name, bytes)| manifest::FileEntry {
                name: name.clone(),
                bytes: bytes.len() as u64,
                sha256: data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)),
            })
            .collect(),
    };
    files.push((
        "manifest.json".to_owned(),
        serde_json::to_vec_pretty(&manifest)?,
    ));
    Ok(files)
}

impl Phantom {
    /// Writes the bundle's files into `dir`, the manifest last.
    ///
    /// # Errors
    /// The file system's.
    pub fn write_folder(&self, dir: &Path) -> Result<(), PhantomError> {
        std::fs::create_dir_all(dir)?;
        for (name, bytes) in &self.files {
            std::fs::write(dir.join(name), bytes)?;
        }
        Ok(())
    }

    /// The bundle as one archive.
    ///
    /// # Errors
    /// None for a phantom of a size that can be held; the archive's writer has some.
    pub fn zip_bytes(&self) -> Result<Vec<u8>, PhantomError> {
        let mut zip = zip::ZipWriter::new(Cursor::new(vec![]));
        // PNG and JPEG do not get smaller, and the time of day must not get in.
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .last_modified_time(zip::DateTime::default());
        let deflated = stored.compression_method(zip::CompressionMethod::Deflated);
        for (name, bytes) in &self.files {
            let packed = name.ends_with(".obj") || name.ends_with(".json");
            zip.start_file(name.as_str(), if packed { deflated } else { stored })?;
            zip.write_all(bytes)?;
        }
        Ok(zip.finish()?.into_inner())
    }

    /// Writes the bundle as one archive.
    ///
    /// # Errors
    /// The file system's.
    pub fn write_zip(&self, path: &Path) -> Result<(), PhantomError> {
        Ok(std::fs::write(path, self.zip_bytes()?)?)
    }

    /// Writes `truth.json`; it must lie beside a bundle, never in it.
    ///
    /// # Errors
    /// The file system's.
    pub fn write_truth(&self, path: &Path) -> Result<(), PhantomError> {
        Ok(std::fs::write(path, serde_json::to_vec(&self.truth)?)?)
    }

    /// Writes `bundle/` (or `bundle.zip`) and `truth.json` into `dir`.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, dir: &Path, zip: bool) -> Result<(), PhantomError> {
        std::fs::create_dir_all(dir)?;
        self.write_truth(&dir.join("truth.json"))?;
        if zip {
            self.write_zip(&dir.join("bundle.zip"))
        } else {
            self.write_folder(&dir.join("bundle"))
        }
    }
}
