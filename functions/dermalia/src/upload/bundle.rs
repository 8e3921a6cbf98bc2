//! The bundle to be sent: its files with their checksums, held to its own manifest.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context;
use dermalia_scan::manifest::FileEntry;
use dermalia_scan::{Archive, BundleSource, Folder, Limits, MANIFEST_NAME, Manifest, ScanError};
use dermalia_upload::door::{Offer, OfferedFile};

use super::line::Trouble;
use crate::output::Failure;

/// A bundle on this machine.
pub(super) struct Bundle {
    practice: String,
    scan: String,
    files: Vec<OfferedFile>,
    /// Where the content of each file is.
    pub(super) parts: Vec<Part>,
}

/// Where a file's content is.
#[derive(Debug, Clone)]
pub(super) struct Part(PathBuf);

impl Part {
    /// The content as it is now. It was measured before: the other end compares.
    pub(super) async fn content(&self) -> Result<Vec<u8>, Trouble> {
        let read = tokio::fs::read(&self.0).await;
        read.with_context(|| format!("{} cannot be read", self.0.display()))
            .map_err(|error| Trouble::Refused(error.into()))
    }
}

/// Whether this file starts the processing.
pub(super) fn is_last(file: &OfferedFile) -> bool {
    file.name
        .as_deref()
        .is_none_or(|name| name == MANIFEST_NAME)
}

impl Bundle {
    /// Reads a folder or an archive, every byte once.
    pub(super) fn read(path: &Path, limits: &Limits) -> Result<Self, Failure> {
        if path.is_file() {
            return Self::read_archive(path, limits);
        }
        // What `phantom` writes has the bundle in a folder of its own.
        let inner = path.join("bundle");
        let is_inside = !path.join(MANIFEST_NAME).exists() && inner.join(MANIFEST_NAME).exists();
        let path = if is_inside { inner.as_path() } else { path };
        let mut folder = Folder::new(path);
        let entries = folder.entries(limits)?;
        limits.check_listing(entries.iter().map(|e| (e.name.as_str(), e.bytes)))?;
        if !entries.iter().any(|e| e.name == MANIFEST_NAME) {
            return Err(ScanError::ManifestMissing.into());
        }
        let manifest =
            Manifest::parse(&folder.read(MANIFEST_NAME, limits.manifest_bytes)?, limits)?;
        let (mut files, mut parts) = (vec![], vec![]);
        for entry in &entries {
            let content = folder.read(&entry.name, limits.unpacked_bytes)?;
            files.push(FileEntry::of(entry.name.clone(), &content));
            parts.push(Part(path.join(&entry.name)));
        }
        check(&manifest, |name| {
            Ok(files.iter().find(|file| file.name == name).cloned())
        })?;
        let files = files.into_iter().map(|file| OfferedFile {
            name: Some(file.name),
            bytes: file.bytes,
            sha256: file.sha256,
        });
        Ok(Self {
            practice: manifest.practice_id.clone(),
            scan: manifest.scan_id.clone(),
            files: files.collect(),
            parts,
        })
    }

    fn read_archive(path: &Path, limits: &Limits) -> Result<Self, Failure> {
        let unreadable = || format!("{} cannot be read", path.display());
        let file = File::open(path).with_context(unreadable)?;
        let mut archive = Archive::open(file, limits)?;
        let entries = archive.entries(limits)?;
        limits.check_listing(entries.iter().map(|e| (e.name.as_str(), e.bytes)))?;
        let manifest =
            Manifest::parse(&archive.read(MANIFEST_NAME, limits.manifest_bytes)?, limits)?;
        check(&manifest, |name| {
            if !entries.iter().any(|entry| entry.name == name) {
                return Ok(None);
            }
            let content = archive.read(name, limits.unpacked_bytes)?;
            Ok(Some(FileEntry::of(name, &content)))
        })?;
        let whole = FileEntry::of("", &std::fs::read(path).with_context(unreadable)?);
        Ok(Self {
            practice: manifest.practice_id.clone(),
            scan: manifest.scan_id.clone(),
            files: vec![OfferedFile {
                name: None,
                bytes: whole.bytes,
                sha256: whole.sha256,
            }],
            parts: vec![Part(path.to_owned())],
        })
    }

    /// What is offered to the door.
    pub(super) fn offer(&self) -> Offer {
        Offer {
            practice: self.practice.clone(),
            scan: self.scan.clone(),
            files: self.files.clone(),
        }
    }
}

/// A bundle that was damaged on its way to this machine is not sent.
fn check(
    manifest: &Manifest,
    mut found: impl FnMut(&str) -> Result<Option<FileEntry>, ScanError>,
) -> Result<(), ScanError> {
    for stated in &manifest.files {
        let file = stated.name.clone();
        let Some(found) = found(&stated.name)? else {
            return Err(ScanError::FileMissing { file });
        };
        if found.bytes != stated.bytes {
            return Err(ScanError::SizeMismatch {
                file,
                expected_bytes: stated.bytes,
                got_bytes: found.bytes,
            });
        }
        if !found.sha256.eq_ignore_ascii_case(&stated.sha256) {
            return Err(ScanError::HashMismatch {
                file,
                expected: stated.sha256.to_ascii_lowercase(),
                got: found.sha256,
            });
        }
    }
    Ok(())
}
