//! Wrapped data keys in a database of their own, and the key file that wraps them.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use dermalia_record::port::{DataKeys, KeyWrap, PortError};
use dermalia_record::{DATA_KEY_BYTES, DataKey, ScanKey};
use rusqlite::{OptionalExtension, params};

use crate::database::{Database, Failure};
use crate::files::{create_private_file, random_name, sync_dir};
use crate::signing_key::KeyFileError;

const PORT: &str = "data keys";

/// Wrapped data keys in an embedded database. It should be one of its own, kept out of
/// backups: see [`DataKeys`].
#[derive(Clone)]
pub struct SqliteDataKeys {
    database: Database,
}

impl SqliteDataKeys {
    /// The keys of this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl DataKeys for SqliteDataKeys {
    async fn get(&self, scan: &ScanKey) -> Result<Option<Vec<u8>>, PortError> {
        let scan = scan.clone();
        self.database
            .transact(PORT, "get", move |t| {
                Ok(t.prepare_cached(
                    "SELECT wrapped FROM data_keys WHERE practice = ?1 AND scan = ?2",
                )?
                .query_row(params![scan.practice.as_str(), scan.scan.as_str()], |r| {
                    r.get(0)
                })
                .optional()?)
            })
            .await
    }

    async fn put_if_absent(&self, scan: &ScanKey, wrapped: &[u8]) -> Result<Vec<u8>, PortError> {
        let (scan, wrapped) = (scan.clone(), wrapped.to_vec());
        self.database
            .transact(PORT, "put_if_absent", move |t| {
                t.prepare_cached(
                    "INSERT INTO data_keys (practice, scan, wrapped) VALUES (?1, ?2, ?3)
                     ON CONFLICT (practice, scan) DO NOTHING",
                )?
                .execute(params![
                    scan.practice.as_str(),
                    scan.scan.as_str(),
                    wrapped
                ])?;
                Ok(t.prepare_cached(
                    "SELECT wrapped FROM data_keys WHERE practice = ?1 AND scan = ?2",
                )?
                .query_row(params![scan.practice.as_str(), scan.scan.as_str()], |r| {
                    r.get(0)
                })?)
            })
            .await
    }

    async fn destroy(&self, scan: &ScanKey) -> Result<bool, PortError> {
        let scan = scan.clone();
        let destroyed = self
            .database
            .transact(PORT, "destroy", move |t| {
                let removed = t
                    .prepare_cached("DELETE FROM data_keys WHERE practice = ?1 AND scan = ?2")?
                    .execute(params![scan.practice.as_str(), scan.scan.as_str()])?;
                Ok(removed > 0)
            })
            .await?;
        if destroyed {
            // The log must not keep what the table has overwritten.
            self.database.checkpoint().await?;
        }
        Ok(destroyed)
    }

    async fn scans(&self, after: Option<&ScanKey>, max: usize) -> Result<Vec<ScanKey>, PortError> {
        let (practice, scan) = after.map_or_else(Default::default, |key| {
            (
                key.practice.as_str().to_owned(),
                key.scan.as_str().to_owned(),
            )
        });
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.database
            .transact(PORT, "scans", move |t| {
                let mut statement = t.prepare_cached(
                    "SELECT practice, scan FROM data_keys WHERE (practice, scan) > (?1, ?2)
                     ORDER BY practice, scan LIMIT ?3",
                )?;
                let rows = statement.query_map(params![practice, scan, max], |r| {
                    Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?))
                })?;
                let mut scans = Vec::new();
                for row in rows {
                    let (practice, scan) = row?;
                    let damaged = |_| Failure::Damaged("a stored key's scan is damaged".to_owned());
                    scans.push(ScanKey {
                        practice: practice.parse().map_err(damaged)?,
                        scan: scan.parse().map_err(damaged)?,
                    });
                }
                Ok(scans)
            })
            .await
    }
}

/// Wraps data keys under one key in memory, which comes from a file of mode 0600.
#[derive(Debug, Clone)]
pub struct FileKeyWrap {
    key: DataKey,
}

impl FileKeyWrap {
    /// With this key.
    #[must_use]
    pub fn new(key: DataKey) -> Self {
        Self { key }
    }

    /// With the key in this file; a new one is written if there is no file.
    ///
    /// # Errors
    /// When the file is unreadable, readable for others, or no key.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyFileError> {
        match fs::metadata(path) {
            Ok(metadata) => {
                let mode = metadata.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(KeyFileError::Mode { mode });
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => create(path)?,
            Err(error) => return Err(error.into()),
        }
        let text = fs::read_to_string(path)?;
        let key: Option<[u8; DATA_KEY_BYTES]> = HEXLOWER
            .decode(text.trim().as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok());
        let key = key.ok_or(KeyFileError::SealingForm)?;
        Ok(Self::new(DataKey::from_bytes(key)))
    }
}

fn create(path: &Path) -> Result<(), KeyFileError> {
    let mut key = [0; DATA_KEY_BYTES];
    getrandom::fill(&mut key).map_err(std::io::Error::other)?;
    // Whole or not at all, and never over a key that another process has just written.
    let part = path.with_file_name(format!("{}.part", random_name()?));
    create_private_file(&part, format!("{}\n", HEXLOWER.encode(&key)).as_bytes())?;
    let linked = fs::hard_link(&part, path);
    fs::remove_file(&part)?;
    match linked {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
        _ => {}
    }
    if let Some(folder) = path.parent() {
        sync_dir(folder)?;
    }
    Ok(())
}

fn context(scan: &ScanKey) -> Vec<u8> {
    format!("dermalia-data-key/1\0{scan}").into_bytes()
}

#[async_trait]
impl KeyWrap for FileKeyWrap {
    async fn wrap(&self, scan: &ScanKey, key: &DataKey) -> Result<Vec<u8>, PortError> {
        self.key.encrypt(&context(scan), key.expose())
    }

    async fn unwrap(&self, scan: &ScanKey, wrapped: &[u8]) -> Result<DataKey, PortError> {
        let key: Option<[u8; DATA_KEY_BYTES]> = self
            .key
            .decrypt(&context(scan), wrapped)
            .and_then(|plain| plain.as_slice().try_into().ok());
        key.map(DataKey::from_bytes).ok_or_else(|| {
            let detail = "a data key was wrapped for another scan or under another key";
            PortError::permanent("key wrap", "unwrap", detail)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_file_is_private_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sealing.key");
        let first = FileKeyWrap::load_or_create(&path).unwrap();
        let second = FileKeyWrap::load_or_create(&path).unwrap();
        assert_eq!(first.key.expose(), second.key.expose());
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            FileKeyWrap::load_or_create(&path),
            Err(KeyFileError::Mode { mode: 0o644 })
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "abc").unwrap();
        assert!(matches!(
            FileKeyWrap::load_or_create(&path),
            Err(KeyFileError::SealingForm)
        ));
    }
}
