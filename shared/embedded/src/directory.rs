//! Objects in a directory.
//!
//! ```text
//! objects/incoming/praxis-nord/scan-0001/white.jpg@0000019a…   the content, one version
//! objects/incoming/praxis-nord/scan-0001/white.jpg@meta        what counts: names the version
//! staging/…                                                    being written
//! ```
//! The content is written, waited for, and moved into place before the `@meta` file is
//! replaced; that one rename is the moment from which the new version is read. Contents
//! that no `@meta` names are left-overs of a crash and go at the next start.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use dermalia_record::Clock;
use dermalia_record::port::{
    Body, Head, Listing, Metadata, Object, ObjectStore, ObjectWrite, PortError,
};
use serde::{Deserialize, Serialize};

use crate::files::{
    create_private_dir, create_private_file, random_name, remove_if_present, sync_dir,
};

const PORT: &str = "objects";
/// No encoded file name has an `@` of its own.
const META_SUFFIX: &str = "@meta";
/// File systems take 255 bytes; the version and its `@` need 34.
const MAX_ENCODED_NAME_BYTES: usize = 200;
/// How often a read starts again because the object was replaced meanwhile.
const READ_ATTEMPTS: usize = 16;

/// Objects in a directory; clones share it.
#[derive(Clone)]
pub struct DirectoryObjects {
    inner: Arc<Inner>,
}

struct Inner {
    objects: PathBuf,
    staging: PathBuf,
    clock: Arc<dyn Clock>,
    /// Held while the tree changes; contents are written before it is taken.
    changing: Mutex<()>,
}

#[derive(Serialize, Deserialize)]
struct Meta {
    version: String,
    bytes: u64,
    modified_ms: i64,
    content_type: String,
    metadata: Metadata,
}

enum Failure {
    Io(io::Error),
    Permanent(String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A failure of the file system may pass; its text names no path.
fn into_port(failure: Failure, operation: &'static str) -> PortError {
    match failure {
        Failure::Io(error) => PortError::retry(PORT, operation, error.kind()),
        Failure::Permanent(text) => PortError::permanent(PORT, operation, text),
    }
}

impl DirectoryObjects {
    /// The objects under this folder, which is created if need be. What a crash left over
    /// is removed: no other process may have the folder open.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn open(root: &Path, clock: Arc<dyn Clock>) -> Result<Self, PortError> {
        let (objects, staging) = (root.join("objects"), root.join("staging"));
        let prepare = || -> Result<(), Failure> {
            create_private_dir(&objects)?;
            match fs::remove_dir_all(&staging) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(e.into()),
                _ => create_private_dir(&staging)?,
            }
            remove_leftovers(&objects)
        };
        prepare().map_err(|e| into_port(e, "open"))?;
        let inner = Inner {
            objects,
            staging,
            clock,
            changing: Mutex::new(()),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The objects under a folder that another process has open: nothing is removed.
    #[must_use]
    pub fn attach(root: &Path, clock: Arc<dyn Clock>) -> Self {
        let (objects, staging) = (root.join("objects"), root.join("staging"));
        Self {
            inner: Arc::new(Inner {
                objects,
                staging,
                clock,
                changing: Mutex::new(()),
            }),
        }
    }

    /// A name for a new file that can be given as [`Body::File`] without being copied.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn staging_file(&self) -> Result<PathBuf, PortError> {
        let name = random_name().map_err(|e| into_port(e.into(), "staging_file"))?;
        Ok(self.inner.staging.join(name))
    }

    /// Where the content of an object lies, to be streamed; the caller opens it at once,
    /// and reads what it opened even if the object is replaced meanwhile.
    ///
    /// # Errors
    /// When the file system fails.
    pub async fn open_content(&self, key: &str) -> Result<Option<(Head, fs::File)>, PortError> {
        let key = key.to_owned();
        self.blocking("open_content", move |inner| inner.open_content(&key))
            .await
    }

    async fn blocking<T, F>(&self, operation: &'static str, work: F) -> Result<T, PortError>
    where
        T: Send + 'static,
        F: FnOnce(&Inner) -> Result<T, Failure> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || work(&inner)).await {
            Ok(result) => result.map_err(|e| into_port(e, operation)),
            Err(error) => Err(PortError::retry(PORT, operation, error)),
        }
    }
}

/// A part of a key as a file name: readable, unambiguous, without `@`, never hidden.
fn encode(part: &str) -> Result<String, Failure> {
    let mut encoded = String::with_capacity(part.len());
    for (i, c) in part.chars().enumerate() {
        if c.is_control() || matches!(c, '@' | '%' | '\\') || (i == 0 && c == '.') {
            let mut buffer = [0; 4];
            for byte in c.encode_utf8(&mut buffer).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        } else {
            encoded.push(c);
        }
    }
    if encoded.is_empty() || encoded.len() > MAX_ENCODED_NAME_BYTES {
        return Err(Failure::Permanent(format!(
            "a part of a key: expected 1 to {MAX_ENCODED_NAME_BYTES} bytes, got {}",
            encoded.len()
        )));
    }
    Ok(encoded)
}

/// The inverse of [`encode`]; `None` for a name that it does not make.
fn decode(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn remove_leftovers(folder: &Path) -> Result<(), Failure> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_leftovers(&entry.path())?;
            continue;
        }
        let name = entry.file_name();
        let Some((stem, version)) = name.to_str().and_then(|n| n.rsplit_once('@')) else {
            continue;
        };
        if version == "meta" {
            continue;
        }
        let current = read_meta(&folder.join(format!("{stem}{META_SUFFIX}")))?;
        if current.is_none_or(|meta| meta.version != version) {
            remove_if_present(&entry.path())?;
        }
    }
    Ok(())
}

fn read_meta(path: &Path) -> Result<Option<Meta>, Failure> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|_| Failure::Permanent("the metadata of an object are damaged".to_owned())),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn head_of(key: &str, meta: Meta) -> Head {
    Head {
        key: key.to_owned(),
        bytes: meta.bytes,
        version: meta.version,
        modified_ms: meta.modified_ms,
        content_type: meta.content_type,
        metadata: meta.metadata,
    }
}

impl Inner {
    /// Folder and encoded name of a key.
    fn place(&self, key: &str) -> Result<(PathBuf, String), Failure> {
        let (folders, name) = key.rsplit_once('/').unwrap_or(("", key));
        let mut folder = self.objects.clone();
        for part in folders.split('/').filter(|_| !folders.is_empty()) {
            folder.push(encode(part)?);
        }
        Ok((folder, encode(name)?))
    }

    /// Folder of a prefix, which ends in a slash.
    fn folder(&self, prefix: &str) -> Result<PathBuf, Failure> {
        let folders = prefix.strip_suffix('/').ok_or_else(|| {
            Failure::Permanent("a prefix: expected a slash at the end, got none".to_owned())
        })?;
        let mut folder = self.objects.clone();
        for part in folders.split('/') {
            folder.push(encode(part)?);
        }
        Ok(folder)
    }

    fn meta(&self, key: &str) -> Result<Option<Meta>, Failure> {
        let (folder, name) = self.place(key)?;
        read_meta(&folder.join(format!("{name}{META_SUFFIX}")))
    }

    /// Writes a file in the staging folder and waits for the disk.
    fn stage(&self, body: Body) -> Result<(PathBuf, u64), Failure> {
        let staged = self.staging.join(random_name()?);
        match body {
            Body::Bytes(bytes) => create_private_file(&staged, &bytes)?,
            Body::File(path) => {
                if path.parent() == Some(self.staging.as_path()) {
                    fs::rename(&path, &staged)?;
                } else {
                    fs::copy(&path, &staged)?;
                    fs::remove_file(&path)?;
                }
                fs::File::open(&staged)?.sync_all()?;
            }
        }
        let bytes = fs::metadata(&staged)?.len();
        Ok((staged, bytes))
    }

    fn write_meta(&self, folder: &Path, name: &str, meta: &Meta) -> Result<(), Failure> {
        let text = serde_json::to_vec(meta).map_err(|e| Failure::Permanent(e.to_string()))?;
        let staged = self.staging.join(random_name()?);
        create_private_file(&staged, &text)?;
        fs::rename(&staged, folder.join(format!("{name}{META_SUFFIX}")))?;
        Ok(sync_dir(folder)?)
    }

    /// Creates the folders of a key and waits for each new one.
    fn create_folders(&self, folder: &Path) -> Result<(), Failure> {
        let missing: Vec<&Path> = folder
            .ancestors()
            .take_while(|f| *f != self.objects && !f.is_dir())
            .collect();
        create_private_dir(folder)?;
        for created in missing {
            if let Some(parent) = created.parent() {
                sync_dir(parent)?;
            }
        }
        Ok(())
    }

    fn put(&self, key: &str, object: ObjectWrite) -> Result<String, Failure> {
        let (folder, name) = self.place(key)?;
        let (staged, bytes) = self.stage(object.body)?;
        let guard = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let modified_ms = self.clock.now_ms();
        let version = format!("{modified_ms:016x}{}", random_name()?);
        let meta = Meta {
            version: version.clone(),
            bytes,
            modified_ms,
            content_type: object.content_type,
            metadata: object.metadata,
        };
        let old = read_meta(&folder.join(format!("{name}{META_SUFFIX}")))?;
        self.create_folders(&folder)?;
        fs::rename(&staged, folder.join(format!("{name}@{version}")))?;
        sync_dir(&folder)?;
        self.write_meta(&folder, &name, &meta)?;
        if let Some(old) = old {
            remove_if_present(&folder.join(format!("{name}@{}", old.version)))?;
        }
        drop(guard);
        Ok(version)
    }

    fn open_content(&self, key: &str) -> Result<Option<(Head, fs::File)>, Failure> {
        let (folder, name) = self.place(key)?;
        for _ in 0..READ_ATTEMPTS {
            let Some(meta) = self.meta(key)? else {
                return Ok(None);
            };
            match fs::File::open(folder.join(format!("{name}@{}", meta.version))) {
                Ok(file) => {
                    let found = file.metadata()?.len();
                    if found != meta.bytes {
                        return Err(Failure::Permanent(format!(
                            "an object is damaged: expected {} bytes, got {found}",
                            meta.bytes
                        )));
                    }
                    return Ok(Some((head_of(key, meta), file)));
                }
                // Replaced or deleted between the two reads: look again.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::Io(io::Error::from(ErrorKind::ResourceBusy)))
    }

    fn get(&self, key: &str, max_bytes: u64) -> Result<Option<Object>, Failure> {
        let Some((head, mut file)) = self.open_content(key)? else {
            return Ok(None);
        };
        if head.bytes > max_bytes {
            return Err(Failure::Permanent(format!(
                "object too large: expected at most {max_bytes} bytes, got {}",
                head.bytes
            )));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(head.bytes).unwrap_or(0));
        io::Read::read_to_end(&mut file, &mut bytes)?;
        Ok(Some(Object { head, bytes }))
    }

    fn list(&self, prefix: &str, max: usize) -> Result<Listing, Failure> {
        let mut objects = Vec::new();
        collect(&self.folder(prefix)?, prefix, &mut objects)?;
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        let truncated = objects.len() > max;
        objects.truncate(max);
        Ok(Listing { objects, truncated })
    }

    fn set_metadata(&self, key: &str, version: &str, to: Metadata) -> Result<bool, Failure> {
        let (folder, name) = self.place(key)?;
        let _guard = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut meta) = self.meta(key)? else {
            return Ok(false);
        };
        if meta.version != version {
            return Ok(false);
        }
        meta.metadata = to;
        self.write_meta(&folder, &name, &meta)?;
        Ok(true)
    }

    /// Deletes every file of a key, the left-overs of crashes included.
    fn delete(&self, key: &str, only_version: Option<&str>) -> Result<bool, Failure> {
        let (folder, name) = self.place(key)?;
        let _guard = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let meta = self.meta(key)?;
        if let Some(only) = only_version
            && meta.as_ref().is_none_or(|m| m.version != only)
        {
            return Ok(false);
        }
        remove_if_present(&folder.join(format!("{name}{META_SUFFIX}")))?;
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        let versions = format!("{name}@");
        for entry in entries {
            let entry = entry?;
            if entry
                .file_name()
                .to_str()
                .is_some_and(|n| n.starts_with(&versions))
            {
                remove_if_present(&entry.path())?;
            }
        }
        sync_dir(&folder)?;
        self.prune(&folder);
        Ok(meta.is_some())
    }

    fn delete_prefix(&self, prefix: &str) -> Result<u64, Failure> {
        let folder = self.folder(prefix)?;
        let _guard = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut objects = Vec::new();
        collect(&folder, prefix, &mut objects)?;
        match fs::remove_dir_all(&folder) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(error.into()),
        }
        if let Some(parent) = folder.parent() {
            sync_dir(parent)?;
            self.prune(parent);
        }
        Ok(u64::try_from(objects.len()).unwrap_or(u64::MAX))
    }

    /// Removes folders that have become empty; one that is not says so by the error.
    fn prune(&self, folder: &Path) {
        for folder in folder.ancestors().take_while(|f| *f != self.objects) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

fn collect(folder: &Path, prefix: &str, into: &mut Vec<Head>) -> Result<(), Failure> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if entry.file_type()?.is_dir() {
            if let Some(part) = decode(name) {
                collect(&entry.path(), &format!("{prefix}{part}/"), into)?;
            }
        } else if let Some(part) = name.strip_suffix(META_SUFFIX).and_then(decode)
            && let Some(meta) = read_meta(&entry.path())?
        {
            let head = head_of(&format!("{prefix}{part}"), meta);
            into.push(Head {
                content_type: String::new(),
                metadata: Metadata::new(),
                ..head
            });
        }
    }
    Ok(())
}

#[async_trait]
impl ObjectStore for DirectoryObjects {
    async fn put(&self, key: &str, object: ObjectWrite) -> Result<String, PortError> {
        let key = key.to_owned();
        self.blocking("put", move |inner| inner.put(&key, object))
            .await
    }

    async fn get(&self, key: &str, max_bytes: u64) -> Result<Option<Object>, PortError> {
        let key = key.to_owned();
        self.blocking("get", move |inner| inner.get(&key, max_bytes))
            .await
    }

    async fn head(&self, key: &str) -> Result<Option<Head>, PortError> {
        let key = key.to_owned();
        let head = move |inner: &Inner| Ok(inner.meta(&key)?.map(|meta| head_of(&key, meta)));
        self.blocking("head", head).await
    }

    async fn list(&self, prefix: &str, max: usize) -> Result<Listing, PortError> {
        let prefix = prefix.to_owned();
        self.blocking("list", move |inner| inner.list(&prefix, max))
            .await
    }

    async fn set_metadata(
        &self,
        key: &str,
        version: &str,
        metadata: Metadata,
    ) -> Result<bool, PortError> {
        let (key, version) = (key.to_owned(), version.to_owned());
        self.blocking("set_metadata", move |inner| {
            inner.set_metadata(&key, &version, metadata)
        })
        .await
    }

    async fn delete_version(&self, key: &str, version: &str) -> Result<bool, PortError> {
        let (key, version) = (key.to_owned(), version.to_owned());
        self.blocking("delete_version", move |inner| {
            inner.delete(&key, Some(&version))
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<bool, PortError> {
        let key = key.to_owned();
        self.blocking("delete", move |inner| inner.delete(&key, None))
            .await
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<u64, PortError> {
        let prefix = prefix.to_owned();
        self.blocking("delete_prefix", move |inner| inner.delete_prefix(&prefix))
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_and_decoded() {
        for part in ["white.jpg", "weiß 1.jpg", "a@b%40", "..", ".hidden", "x\\y"] {
            let encoded = encode(part).unwrap_or_else(|_| panic!("{part}"));
            assert!(
                !encoded.contains('@') && !encoded.starts_with('.'),
                "{encoded}"
            );
            assert_eq!(decode(&encoded).as_deref(), Some(part));
        }
        assert!(encode("").is_err());
        assert!(encode(&"@".repeat(100)).is_err());
    }
}
