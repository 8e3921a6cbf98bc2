//! Where a bundle's bytes come from.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::{Limits, ScanError, name};

/// A file of a bundle before it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceEntry {
    /// Its name at the bundle's root.
    pub name: String,
    /// Its size in bytes, unpacked.
    pub bytes: u64,
}

/// A place that a bundle is read from, file by file: a folder, an archive, objects that
/// were fetched before.
pub trait BundleSource {
    /// Every file of the bundle, the manifest among them, each name once.
    ///
    /// # Errors
    /// A listing that breaks the contract or a limit, or a source that failed.
    fn entries(&mut self, limits: &Limits) -> Result<Vec<SourceEntry>, ScanError>;

    /// One file of [`BundleSource::entries`], refused where it holds more than
    /// `max_bytes`.
    ///
    /// # Errors
    /// A file that is longer than that, broken, or gone.
    fn read(&mut self, name: &str, max_bytes: u64) -> Result<Vec<u8>, ScanError>;
}

/// Objects that are in memory already.
impl BundleSource for Vec<(String, Vec<u8>)> {
    fn entries(&mut self, _: &Limits) -> Result<Vec<SourceEntry>, ScanError> {
        Ok(self
            .iter()
            .map(|(name, bytes)| SourceEntry {
                name: name.clone(),
                bytes: bytes.len() as u64,
            })
            .collect())
    }

    fn read(&mut self, name: &str, max_bytes: u64) -> Result<Vec<u8>, ScanError> {
        // Each file is read once, so that it can be handed over instead of copied.
        let bytes = self
            .iter_mut()
            .find(|(n, _)| n == name)
            .map(|(_, bytes)| std::mem::take(bytes))
            .ok_or_else(|| ScanError::FileMissing {
                file: name::shown(name),
            })?;
        if bytes.len() as u64 > max_bytes {
            return Err(ScanError::LongerThanDeclared {
                file: name::shown(name),
                declared_bytes: max_bytes,
            });
        }
        Ok(bytes)
    }
}

/// A folder with the bundle's files at its root.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// The folder at `path`.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }
}

fn failed(file: &str, error: &std::io::Error) -> ScanError {
    ScanError::Source {
        file: name::shown(file),
        reason: error.kind().to_string(),
    }
}

impl BundleSource for Folder {
    fn entries(&mut self, limits: &Limits) -> Result<Vec<SourceEntry>, ScanError> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(|e| failed("the folder", &e))? {
            let entry = entry.map_err(|e| failed("the folder", &e))?;
            let os_name = entry.file_name();
            let shown = name::shown(&os_name.to_string_lossy());
            // Not followed: a link could name any file of the machine.
            let kind = entry.file_type().map_err(|e| failed(&shown, &e))?;
            if kind.is_symlink() {
                return Err(ScanError::Symlink { file: shown });
            }
            if kind.is_dir() {
                return Err(ScanError::Nested { file: shown });
            }
            if !kind.is_file() {
                return Err(ScanError::NotAFile { file: shown });
            }
            let Ok(name) = os_name.into_string() else {
                return Err(ScanError::BadName {
                    file: shown,
                    reason: "is not Unicode",
                });
            };
            let bytes = entry.metadata().map_err(|e| failed(&shown, &e))?.len();
            entries.push(SourceEntry { name, bytes });
            // One more for the manifest; the exact count is checked by the listing.
            if entries.len() > limits.files.saturating_add(1) {
                return Err(ScanError::TooManyFiles {
                    limit: limits.files as u64,
                    got: entries.len() as u64 - 1,
                });
            }
        }
        // The order of a folder is the file system's.
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn read(&mut self, name: &str, max_bytes: u64) -> Result<Vec<u8>, ScanError> {
        name::check(name)?;
        let file = File::open(self.path.join(name)).map_err(|e| failed(name, &e))?;
        let length = file.metadata().map_err(|e| failed(name, &e))?.len();
        read_capped(file, name, length.min(max_bytes), max_bytes)
    }
}

/// Reads to the end, but never more than `max_bytes`.
pub(crate) fn read_capped(
    reader: impl Read,
    name: &str,
    expected_bytes: u64,
    max_bytes: u64,
) -> Result<Vec<u8>, ScanError> {
    let mut bytes = Vec::with_capacity(usize::try_from(expected_bytes).unwrap_or(0));
    reader
        .take(max_bytes)
        .read_to_end(&mut bytes)
        .map_err(|e| failed(name, &e))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_refuses_links_and_folders() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a.txt"), b"abc").unwrap();
        let mut folder = Folder::new(dir.path());
        assert_eq!(
            folder.entries(&Limits::default()).unwrap(),
            [SourceEntry {
                name: "a.txt".into(),
                bytes: 3
            }]
        );
        assert_eq!(folder.read("a.txt", 3).unwrap(), b"abc");
        assert!(matches!(
            folder.read("../a.txt", 3),
            Err(ScanError::BadName { .. })
        ));
        fs::create_dir(dir.path().join("sub")).unwrap();
        assert_eq!(
            folder.entries(&Limits::default()),
            Err(ScanError::Nested { file: "sub".into() })
        );
        fs::remove_dir(dir.path().join("sub")).unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link")).unwrap();
            assert_eq!(
                folder.entries(&Limits::default()),
                Err(ScanError::Symlink {
                    file: "link".into()
                })
            );
        }
    }
}
