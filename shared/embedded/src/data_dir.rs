//! The folder in which the embedded cloud keeps everything.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::files::create_private_dir;

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be created or written.
    #[error("data folder: {0}")]
    Io(#[from] std::io::Error),
    /// Another process works on it.
    #[error("data folder {}: another process is working on it; end that one first, or name another folder", folder.display())]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
}

/// A data folder that this process alone works on, until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    /// The operating system gives the lock back even if the process is killed.
    _lock: File,
}

impl DataDir {
    /// Takes this folder, creating it with mode 0700 if need be.
    ///
    /// # Errors
    /// When another process has it, or it cannot be written.
    pub fn take(root: &Path) -> Result<Self, DataDirError> {
        create_private_dir(root)?;
        fs::set_permissions(root, fs::Permissions::from_mode(0o700))?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(root.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                root: root.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse {
                folder: root.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What lies where in it.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout::of(&self.root)
    }
}

/// What lies where in a data folder.
#[derive(Debug, Clone)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Of this data folder, which need not be taken.
    #[must_use]
    pub fn of(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// Where the object store lies.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.root.join("store")
    }

    /// The address under which links are served.
    #[must_use]
    pub fn public_url(&self) -> PathBuf {
        self.root.join("public_url")
    }

    /// The database of records and queues.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root.join("state.sqlite")
    }

    /// The key that signs links.
    #[must_use]
    pub fn signing_key(&self) -> PathBuf {
        self.root.join("signing.key")
    }

    /// The wrapped data keys: a database of its own, to be left out of backups.
    #[must_use]
    pub fn data_keys(&self) -> PathBuf {
        self.root.join("keys.sqlite")
    }

    /// The key that wraps data keys.
    #[must_use]
    pub fn sealing_key(&self) -> PathBuf {
        self.root.join("sealing.key")
    }

    /// The key that signs the audit log and certificates.
    #[must_use]
    pub fn audit_key(&self) -> PathBuf {
        self.root.join("audit.key")
    }

    /// The mails.
    #[must_use]
    pub fn outbox(&self) -> PathBuf {
        self.root.join("outbox")
    }

    /// Where a practice drops bundles.
    #[must_use]
    pub fn drop_folder(&self) -> PathBuf {
        self.root.join("incoming")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("data");
        let first = DataDir::take(&root).unwrap();
        let refusal = DataDir::take(&root).unwrap_err();
        assert!(matches!(&refusal, DataDirError::InUse { folder } if *folder == root));
        assert!(refusal.to_string().contains(&root.display().to_string()));
        assert_eq!(
            fs::metadata(&root).unwrap().permissions().mode() & 0o777,
            0o700
        );
        drop(first);
        assert!(DataDir::take(&root).is_ok());
    }
}
