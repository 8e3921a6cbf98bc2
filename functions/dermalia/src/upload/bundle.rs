//! The bundle to be sent: its files with their checksums, held to its own manifest.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use dermalia_scan::manifest::FileEntry;
use dermalia_scan::{Archive, BundleSource, Folder, Limits, MANIFEST_NAME, Manifest, ScanError};
use dermalia_upload::door::{Offer, OfferedFile, PART_BYTES};
use tokio::io::{AsyncReadExt, AsyncSeekExt, SeekFrom};

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
    /// The content between these bytes as it is now. It was measured before: the other end
    /// compares.
    pub(super) async fn content(&self, range: Range<u64>) -> Result<Vec<u8>, Trouble> {
        let read = async {
            let mut file = tokio::fs::File::open(&self.0).await?;
            file.seek(SeekFrom::Start(range.start)).await?;
            let mut content = Vec::new();
            let most = range.end - range.start;
            file.take(most).read_to_end(&mut content).await?;
            std::io::Result::Ok(content)
        };
        let content = read.await;
        let content = content
            .with_context(|| format!("{} cannot be read", self.0.display()))
            .map_err(|error| Trouble::Refused(error.into()))?;
        if u64::try_from(content.len()).ok() != Some(range.end - range.start) {
            let changed = anyhow!("{} was changed while it was being sent", self.0.display());
            return Err(Trouble::Refused(changed.into()));
        }
        Ok(content)
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
        let (mut files, mut offered, mut parts) = (vec![], vec![], vec![]);
        for entry in &entries {
            let content = folder.read(&entry.name, limits.unpacked_bytes)?;
            let file = FileEntry::of(entry.name.clone(), &content);
            offered.push(offer_of(Some(file.name.clone()), &file, &content));
            files.push(file);
            parts.push(Part(path.join(&entry.name)));
        }
        check(&manifest, |name| {
            Ok(files.iter().find(|file| file.name == name).cloned())
        })?;
        Ok(Self {
            practice: manifest.practice_id.clone(),
            scan: manifest.scan_id.clone(),
            files: offered,
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
        let content = std::fs::read(path).with_context(unreadable)?;
        let whole = FileEntry::of("", &content);
        Ok(Self {
            practice: manifest.practice_id.clone(),
            scan: manifest.scan_id.clone(),
            files: vec![offer_of(None, &whole, &content)],
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

/// A file as the door is told of it; a large one with its parts.
fn offer_of(name: Option<String>, file: &FileEntry, content: &[u8]) -> OfferedFile {
    let part_bytes = usize::try_from(PART_BYTES).unwrap_or(usize::MAX);
    let parts = if content.len() > part_bytes {
        let parts = content.chunks(part_bytes);
        parts.map(|part| FileEntry::of("", part).sha256).collect()
    } else {
        vec![]
    };
    OfferedFile {
        name,
        bytes: file.bytes,
        sha256: file.sha256.clone(),
        parts,
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
