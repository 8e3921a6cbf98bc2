//! A bundle, checked and put together.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use dermalia_surface::{Mesh, Vec3};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::manifest::{FileEntry, Space};
use crate::mesh::{self, Frame};
use crate::source::{BundleSource, Folder};
use crate::{Archive, Limits, MANIFEST_NAME, Manifest, Picture, ScanError, name};

/// A checked scan: every file present with its hash, the mesh in the product's frame,
/// the pictures still encoded (decode them with [`Picture::decode`]).
#[derive(Debug, Clone)]
pub struct Scan {
    /// The manifest as read.
    pub manifest: Manifest,
    /// The surface in millimetres, +z front, +y up; `None` for a bundle of flat pictures.
    pub mesh: Option<Mesh>,
    /// In step with `manifest.images`.
    pub pictures: Vec<Picture>,
    /// The height map, not yet decoded, in step with `manifest.relief`.
    pub relief: Option<Picture>,
    /// The landmarks in the frame of `mesh`, in millimetres; 468 of them. `None` where
    /// the manifest has none or no mesh whose axes they could lie in.
    pub landmarks: Option<Vec<Vec3>>,
}

impl Scan {
    /// Reads a folder or a zip archive.
    ///
    /// # Errors
    /// Why the bundle is refused, or that the path cannot be read.
    pub fn read_path(path: &Path, limits: &Limits) -> Result<Self, ScanError> {
        let failed = |e: std::io::Error| ScanError::Source {
            file: "the bundle".into(),
            reason: e.kind().to_string(),
        };
        let kind = fs::metadata(path).map_err(failed)?;
        if kind.is_dir() {
            return Self::read(&mut Folder::new(path), limits);
        }
        if !kind.is_file() {
            return Err(ScanError::NotABundle);
        }
        let mut file = File::open(path).map_err(failed)?;
        let mut magic = [0; 2];
        if file.read_exact(&mut magic).is_err() || &magic != b"PK" {
            return Err(ScanError::NotABundle);
        }
        Self::read(&mut Archive::open(BufReader::new(file), limits)?, limits)
    }

    /// Reads a zip archive that is in memory.
    ///
    /// # Errors
    /// Why the bundle is refused.
    pub fn read_zip(bytes: &[u8], limits: &Limits) -> Result<Self, ScanError> {
        if !bytes.starts_with(b"PK") {
            return Err(ScanError::NotABundle);
        }
        Self::read(&mut Archive::open(Cursor::new(bytes), limits)?, limits)
    }

    /// Reads files that are in memory, each with its name.
    ///
    /// # Errors
    /// Why the bundle is refused.
    pub fn read_files(
        mut files: Vec<(String, Vec<u8>)>,
        limits: &Limits,
    ) -> Result<Self, ScanError> {
        Self::read(&mut files, limits)
    }

    /// Reads a bundle from any source. The manifest is judged before another file is
    /// read.
    ///
    /// # Errors
    /// Why the bundle is refused, or that its source failed.
    pub fn read(source: &mut dyn BundleSource, limits: &Limits) -> Result<Self, ScanError> {
        let entries = source.entries(limits)?;
        check_names(entries.iter().map(|e| e.name.as_str()))?;
        limits.check_listing(entries.iter().map(|e| (e.name.as_str(), e.bytes)))?;
        if !entries.iter().any(|e| e.name == MANIFEST_NAME) {
            return Err(ScanError::ManifestMissing);
        }
        let manifest =
            Manifest::parse(&source.read(MANIFEST_NAME, limits.manifest_bytes)?, limits)?;
        let found: HashMap<&str, u64> =
            entries.iter().map(|e| (e.name.as_str(), e.bytes)).collect();
        check_files(&manifest.files, &found)?;

        let (mut kept, broken) = Kept::read(source, &manifest);
        // The mesh is read while the hashes are reckoned; what they say comes first.
        let (checked, mesh) = rayon::join(
            || kept.check(&manifest),
            || match manifest.mesh.as_ref().filter(|_| broken.is_none()) {
                Some(entry) => {
                    let bytes = kept.get(&entry.file)?;
                    let raw = mesh::read(&entry.file, bytes, limits, &|file| {
                        kept.files.get(file).map(Vec::as_slice)
                    })?;
                    let frame = Frame::of(entry)?;
                    Ok(Some((raw.into_mesh(&entry.file, &frame)?, frame)))
                }
                None => Ok(None),
            },
        );
        checked?;
        if let Some(e) = broken {
            return Err(e);
        }
        let mesh = mesh?;
        if let Some(entry) = &manifest.mesh {
            drop(kept.take(&entry.file)?);
        }
        let mut pictures = Vec::with_capacity(manifest.images.len());
        for (i, image) in manifest.images.iter().enumerate() {
            if image.space == Space::Texture {
                check_atlas(&manifest, mesh.as_ref(), || format!("images[{i}]"))?;
            }
            let bytes = kept.take(&image.file)?;
            let picture = Picture::with_limits(&image.file, bytes, limits)?;
            pictures.push(match image.space {
                Space::Texture => picture.as_stored(),
                Space::Camera | Space::Photo => picture,
            });
        }
        let relief = match &manifest.relief {
            Some(entry) => {
                if entry.space == Space::Texture {
                    check_atlas(&manifest, mesh.as_ref(), || "relief".into())?;
                }
                let bytes = kept.take(&entry.file)?;
                let picture = Picture::with_limits(&entry.file, bytes, limits)?;
                Some(match entry.space {
                    Space::Texture => picture.as_stored(),
                    Space::Camera | Space::Photo => picture,
                })
            }
            None => None,
        };
        let landmarks = match (&manifest.landmarks, &mesh) {
            (Some(entry), Some((_, frame))) => {
                Some(entry.points.iter().map(|&p| frame.to_mesh(p)).collect())
            }
            _ => None,
        };
        Ok(Self {
            manifest,
            mesh: mesh.map(|(mesh, _)| mesh),
            pictures,
            relief,
            landmarks,
        })
    }

    /// Checks that the ids in an object's key are the manifest's.
    ///
    /// # Errors
    /// The first that differs.
    pub fn expect_ids(&self, practice_id: &str, scan_id: &str) -> Result<(), ScanError> {
        self.manifest.expect_ids(practice_id, scan_id)
    }
}

/// Files that are still needed. The manifest names each of them once.
struct Kept<'a> {
    files: HashMap<&'a str, Vec<u8>>,
}

impl<'a> Kept<'a> {
    /// Reads every file, and keeps those that are used for [`Kept::check`]; the others are
    /// checked at once. With the first fault of the source, where reading ended.
    fn read(source: &mut dyn BundleSource, manifest: &'a Manifest) -> (Self, Option<ScanError>) {
        let mesh_file = manifest.mesh.as_ref().map(|m| m.file.as_str());
        let named: HashSet<&str> = manifest.named_files().map(|(_, file)| file).collect();
        // A glTF can have its buffers beside it.
        let companions = mesh_file.is_some_and(mesh::has_companions);
        let mut files = HashMap::new();
        for file in &manifest.files {
            let used = companions || named.contains(file.name.as_str());
            let read = source.read(&file.name, file.bytes).and_then(|bytes| {
                if !used {
                    file.check(&bytes)?;
                }
                Ok(bytes)
            });
            match read {
                Ok(bytes) if used => {
                    files.insert(file.name.as_str(), bytes);
                }
                Ok(_) => {}
                Err(e) => return (Self { files }, Some(e)),
            }
        }
        (Self { files }, None)
    }

    /// Checks sizes and hashes, and tells the first fault in the order of the manifest.
    fn check(&self, manifest: &Manifest) -> Result<(), ScanError> {
        let faults: Vec<ScanError> = manifest
            .files
            .par_iter()
            .filter_map(|file| file.check(self.files.get(file.name.as_str())?).err())
            .collect();
        faults.into_iter().next().map_or(Ok(()), Err)
    }

    fn get(&self, file: &str) -> Result<&[u8], ScanError> {
        self.files
            .get(file)
            .map(Vec::as_slice)
            .ok_or_else(|| ScanError::FileMissing {
                file: name::shown(file),
            })
    }

    fn take(&mut self, file: &str) -> Result<Vec<u8>, ScanError> {
        self.files
            .remove(file)
            .ok_or_else(|| ScanError::FileMissing {
                file: name::shown(file),
            })
    }
}

fn check_atlas(
    manifest: &Manifest,
    mesh: Option<&(Mesh, Frame)>,
    field: impl Fn() -> String,
) -> Result<(), ScanError> {
    match (&manifest.mesh, mesh) {
        (Some(entry), Some((mesh, _))) if !mesh.has_atlas() => Err(ScanError::NoAtlas {
            field: field(),
            file: name::shown(&entry.file),
        }),
        _ => Ok(()),
    }
}

/// Plain names, each once, even on a system that ignores case.
pub(crate) fn check_names<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), ScanError> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    for file in names {
        name::check(file)?;
        match seen.insert(name::folded(file), file) {
            Some(other) if other == file => {
                return Err(ScanError::DuplicateName {
                    file: name::shown(file),
                });
            }
            Some(other) => {
                return Err(ScanError::CaseCollision {
                    file: name::shown(file),
                    other: name::shown(other),
                });
            }
            None => {}
        }
    }
    Ok(())
}

fn check_files(files: &[FileEntry], found: &HashMap<&str, u64>) -> Result<(), ScanError> {
    for file in files {
        match found.get(file.name.as_str()) {
            None => {
                return Err(ScanError::FileMissing {
                    file: name::shown(&file.name),
                });
            }
            Some(&got_bytes) if got_bytes != file.bytes => {
                return Err(ScanError::SizeMismatch {
                    file: name::shown(&file.name),
                    expected_bytes: file.bytes,
                    got_bytes,
                });
            }
            Some(_) => {}
        }
    }
    let listed: HashSet<&str> = files.iter().map(|f| f.name.as_str()).collect();
    // The first by name, so that the error does not depend on the order of a map.
    match found
        .keys()
        .filter(|file| **file != MANIFEST_NAME && !listed.contains(*file))
        .min()
    {
        Some(file) => Err(ScanError::FileExtra {
            file: name::shown(file),
        }),
        None => Ok(()),
    }
}

impl FileEntry {
    /// The entry of a file with these bytes.
    #[must_use]
    pub fn of(name: impl Into<String>, bytes: &[u8]) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.len() as u64,
            sha256: sha256_hex(bytes),
        }
    }

    fn check(&self, bytes: &[u8]) -> Result<(), ScanError> {
        if bytes.len() as u64 != self.bytes {
            return Err(ScanError::SizeMismatch {
                file: name::shown(&self.name),
                expected_bytes: self.bytes,
                got_bytes: bytes.len() as u64,
            });
        }
        let got = sha256_hex(bytes);
        if !got.eq_ignore_ascii_case(&self.sha256) {
            return Err(ScanError::HashMismatch {
                file: name::shown(&self.name),
                expected: self.sha256.to_ascii_lowercase(),
                got,
            });
        }
        Ok(())
    }
}

fn sha256_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}
