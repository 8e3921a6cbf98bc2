//! Accepts the files of a scan bundle, one by one, `manifest.json` (or the archive) last.

pub mod door;
pub mod mail_events;

use dermalia_record::event::{object_created, trigger_of};
use dermalia_record::port::{Body, Metadata, ObjectWrite, PortError, Ports};
use dermalia_record::{
    KeyError, ScanKey, incoming_archive, incoming_file, incoming_manifest, incoming_prefix,
};
use dermalia_scan::{Limits, MANIFEST_NAME};

/// Why a file is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// A name that no file of a bundle can have.
    #[error(transparent)]
    Name(#[from] KeyError),
    /// Over a limit.
    #[error("{what}: expected at most {limit} bytes, got {got}")]
    TooLarge {
        /// Which file or sum.
        what: &'static str,
        /// What is accepted.
        limit: u64,
        /// What came.
        got: u64,
    },
    /// Too many files for one scan.
    #[error("bundle: expected at most {limit} files")]
    TooManyFiles {
        /// What is accepted.
        limit: usize,
    },
    /// Not what the sender says it sent.
    #[error("checksum: expected {expected}, got {got}")]
    Checksum {
        /// As stated.
        expected: String,
        /// As received.
        got: String,
    },
    /// The store failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Which object a file becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A file of a folder bundle.
    File(String),
    /// The whole bundle as a zip archive.
    Archive,
}

/// A file that has come completely.
#[derive(Debug)]
pub struct Received {
    /// Which scan it belongs to.
    pub scan: ScanKey,
    /// What it is there.
    pub target: Target,
    /// Its content.
    pub body: Body,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hex.
    pub sha256: String,
    /// What the sender says its SHA-256 is, in hex.
    pub expected_sha256: Option<String>,
}

/// What was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Its key.
    pub object_key: String,
    /// Its version.
    pub version: String,
    /// Whether it completes a bundle, so that processing starts.
    pub completes: bool,
}

/// How many bytes a file may have, so that a sender is stopped early.
#[must_use]
pub fn max_bytes(target: &Target, limits: &Limits) -> u64 {
    match target {
        Target::Archive => limits.packed_bytes,
        Target::File(name) if name == MANIFEST_NAME => limits.manifest_bytes,
        Target::File(_) => limits.unpacked_bytes,
    }
}

/// The key that a file gets.
///
/// # Errors
/// A name that no file of a bundle can have.
pub fn object_key(scan: &ScanKey, target: &Target) -> Result<String, KeyError> {
    match target {
        Target::Archive => Ok(incoming_archive(scan)),
        Target::File(name) => incoming_file(scan, name),
    }
}

/// Stores a file. The content is checked for no more than size and checksum: what it means
/// is the analysis's business.
///
/// # Errors
/// When the file is not acceptable, or the store fails.
pub async fn accept(
    ports: &Ports,
    received: Received,
    limits: &Limits,
) -> Result<Accepted, UploadError> {
    let object_key = object_key(&received.scan, &received.target)?;
    let limit = max_bytes(&received.target, limits);
    if received.bytes > limit {
        return Err(UploadError::TooLarge {
            what: "file",
            limit,
            got: received.bytes,
        });
    }
    if let Some(expected) = &received.expected_sha256
        && !expected.eq_ignore_ascii_case(&received.sha256)
    {
        return Err(UploadError::Checksum {
            expected: expected.clone(),
            got: received.sha256,
        });
    }
    if received.target != Target::Archive {
        check_bundle(ports, &received, &object_key, limits).await?;
    }
    let object = ObjectWrite {
        body: received.body,
        content_type: "application/octet-stream".to_owned(),
        metadata: Metadata::from([("sha256".to_owned(), received.sha256)]),
    };
    let version = ports.objects.put(&object_key, object).await?;
    let completes = trigger_of(&object_key).is_some();
    Ok(Accepted {
        object_key,
        version,
        completes,
    })
}

/// The bundle with this file must stay within its limits.
async fn check_bundle(
    ports: &Ports,
    received: &Received,
    object_key: &str,
    limits: &Limits,
) -> Result<(), UploadError> {
    // The manifest is not counted among the files.
    let listing = ports
        .objects
        .list(&incoming_prefix(&received.scan), limits.files + 2)
        .await?;
    let manifest = incoming_manifest(&received.scan);
    let others = listing
        .objects
        .iter()
        .filter(|o| o.key != object_key && o.key != manifest);
    let (mut files, mut bytes) = (usize::from(object_key != manifest), received.bytes);
    for object in others {
        files += 1;
        bytes = bytes.saturating_add(object.bytes);
    }
    if files > limits.files || listing.truncated {
        return Err(UploadError::TooManyFiles {
            limit: limits.files,
        });
    }
    if bytes > limits.unpacked_bytes {
        let limit = limits.unpacked_bytes;
        return Err(UploadError::TooLarge {
            what: "bundle",
            limit,
            got: bytes,
        });
    }
    Ok(())
}

/// Says that a bundle is complete, where the object store does not do so by itself.
///
/// # Errors
/// When the queue fails.
pub async fn announce(ports: &Ports, accepted: &Accepted, bytes: u64) -> Result<(), PortError> {
    let event = object_created(&accepted.object_key, &accepted.version, bytes);
    ports.uploads.send(&event, 0).await
}
