//! The door for scanners in the cloud: who proves to be a practice gets signed requests
//! for the objects of its own scan, each for one size and one checksum, and nothing else.
//!
//! The same offer, made again, gives what is still missing: so a cut line is taken up
//! again, within a large file too, which comes in parts. The manifest, or the archive, which starts the processing, is signed only when
//! all else is there.

use std::sync::Arc;

use async_trait::async_trait;
use dermalia_record::port::{ObjectStore, PortError, PracticeStore};
use dermalia_record::{PracticeId, ScanId, ScanKey};
use dermalia_scan::{Limits, MANIFEST_NAME};
use serde::{Deserialize, Serialize};

use crate::{Target, max_bytes, object_key};

/// The metadata that carries an object's SHA-256 in hex.
pub const META_SHA256: &str = "sha256";
/// The largest offer that is read, in bytes.
pub const MAX_OFFER_BYTES: usize = 256 << 10;

/// The size of each part of a file that comes in parts, but the last.
pub const PART_BYTES: u64 = 16 << 20;

/// What a scanner wants to upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Whose it is.
    pub practice: String,
    /// Which scan.
    pub scan: String,
    /// Its files; one without a name is the archive, and then the only one.
    pub files: Vec<OfferedFile>,
}

/// One file of an offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfferedFile {
    /// Its name; none for an archive.
    #[serde(default)]
    pub name: Option<String>,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in lower-case hex.
    pub sha256: String,
    /// The same of each of its parts, for a file of more than [`PART_BYTES`] that is to
    /// come in parts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
}

impl OfferedFile {
    /// Size and checksum of each part.
    pub fn parts(&self) -> impl Iterator<Item = (u64, &str)> {
        let mut rest = self.bytes;
        self.parts.iter().map(move |sha256| {
            let bytes = rest.min(PART_BYTES);
            rest -= bytes;
            (bytes, sha256.as_str())
        })
    }
}

/// A request that only whoever holds it can make, once or again, for a short time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedRequest {
    /// Where to `PUT` the file: a whole address, or one that begins at the door's host.
    pub url: String,
    /// What must be sent with it.
    pub headers: Vec<(String, String)>,
}

/// Where one file of the offer stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Place {
    /// It is there, with this size and checksum.
    Done,
    /// It is to be sent so.
    Send(SignedRequest),
    /// Its parts are to be sent so, those that are there left out.
    Parts {
        /// A request for each part, in their order.
        parts: Vec<Option<SignedRequest>>,
    },
    /// It comes after the others.
    Later,
}

/// Where the parts of a file stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parts {
    /// The store takes no parts: the file comes in one.
    None,
    /// A request for each that is not there.
    Missing(Vec<Option<SignedRequest>>),
    /// All were there, and the object is put together.
    Whole,
}

/// Signs requests for the object store.
#[async_trait]
pub trait Signer: Send + Sync {
    /// A request that writes this object with this size and this SHA-256 (in hex), which
    /// the object then carries as [`META_SHA256`].
    async fn sign(&self, key: &str, bytes: u64, sha256: &str) -> Result<SignedRequest, PortError>;

    /// Requests that write the parts of this file, each with its size and its SHA-256, or
    /// the object put together out of them.
    async fn sign_parts(&self, _key: &str, _file: &OfferedFile) -> Result<Parts, PortError> {
        Ok(Parts::None)
    }
}

/// Why an offer is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// No such practice, or not its credential: the two are told alike.
    #[error("the credential is not accepted")]
    Credential,
    /// Something that no bundle can have.
    #[error("{reason}")]
    Offer {
        /// What it is.
        reason: String,
    },
    /// A store failed.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// The door and what it works with.
#[derive(Clone)]
pub struct Door {
    /// Knows the credentials.
    pub practices: Arc<dyn PracticeStore>,
    /// Where bundles lie.
    pub objects: Arc<dyn ObjectStore>,
    /// Signs requests for it.
    pub signer: Arc<dyn Signer>,
    /// What a bundle may cost.
    pub limits: Limits,
}

fn refused(reason: impl ToString) -> DoorError {
    DoorError::Offer {
        reason: reason.to_string(),
    }
}

impl Door {
    /// Answers an offer, file by file in its order.
    ///
    /// # Errors
    /// When the credential is not the practice's, the offer breaks a limit, or a store
    /// fails.
    pub async fn answer(&self, credential: &str, offer: &Offer) -> Result<Vec<Place>, DoorError> {
        let practice: PracticeId = offer.practice.parse().map_err(|_| DoorError::Credential)?;
        let known = self.practices.get(&practice).await?;
        if !known.is_some_and(|p| p.credentials.accept(credential)) {
            return Err(DoorError::Credential);
        }
        let scan: ScanId = offer.scan.parse().map_err(refused)?;
        let scan = ScanKey { practice, scan };
        let keys = self.check(&scan, offer)?;
        let mut places = Vec::with_capacity(keys.len());
        for (file, key) in offer.files.iter().zip(&keys) {
            let head = self.objects.head(key).await?;
            let is_there = head.is_some_and(|head| {
                head.bytes == file.bytes && head.metadata.get(META_SHA256) == Some(&file.sha256)
            });
            places.push(if is_there { Place::Done } else { Place::Later });
        }
        for the_last in [false, true] {
            let files = || offer.files.iter().zip(&keys);
            let are_done =
                |(file, place): (&OfferedFile, &Place)| is_trigger(file) || *place == Place::Done;
            if the_last && !offer.files.iter().zip(&places).all(are_done) {
                break;
            }
            for ((file, key), place) in files().zip(&mut places) {
                if *place == Place::Later && is_trigger(file) == the_last {
                    *place = self.place(key, file).await?;
                }
            }
        }
        Ok(places)
    }

    /// How a file that is not there comes.
    async fn place(&self, key: &str, file: &OfferedFile) -> Result<Place, PortError> {
        if !file.parts.is_empty() {
            match self.signer.sign_parts(key, file).await? {
                Parts::None => {}
                Parts::Missing(parts) => return Ok(Place::Parts { parts }),
                Parts::Whole => return Ok(Place::Done),
            }
        }
        let signed = self.signer.sign(key, file.bytes, &file.sha256).await?;
        Ok(Place::Send(signed))
    }

    /// The keys of the files, if all of it is within the limits of a bundle.
    fn check(&self, scan: &ScanKey, offer: &Offer) -> Result<Vec<String>, DoorError> {
        let limits = &self.limits;
        let others = offer.files.iter().filter(|file| !is_trigger(file)).count();
        let triggers = offer.files.len() - others;
        let has_archive = offer.files.iter().any(|file| file.name.is_none());
        if triggers != 1 || (has_archive && others > 0) {
            return Err(refused(format!(
                "files: expected {MANIFEST_NAME} and others, or one archive, got another list"
            )));
        }
        if others > limits.files {
            let expected = limits.files;
            return Err(refused(format!(
                "files: expected at most {expected}, got {others}"
            )));
        }
        let mut total: u64 = 0;
        let mut keys: Vec<String> = Vec::with_capacity(offer.files.len());
        for file in &offer.files {
            let target = file.name.clone().map_or(Target::Archive, Target::File);
            let limit = max_bytes(&target, limits);
            if file.bytes > limit {
                let got = file.bytes;
                return Err(refused(format!(
                    "file: expected at most {limit} bytes, got {got}"
                )));
            }
            if !std::iter::once(&file.sha256)
                .chain(&file.parts)
                .all(|sum| is_sha256(sum))
            {
                return Err(refused("sha256: expected 64 digits of lower-case hex"));
            }
            let parts = file.bytes.div_ceil(PART_BYTES);
            let are_parts = parts > 1 && u64::try_from(file.parts.len()).is_ok_and(|n| n == parts);
            if !file.parts.is_empty() && !are_parts {
                return Err(refused(format!(
                    "parts: expected one for each {PART_BYTES} bytes of a file of more, got {}",
                    file.parts.len()
                )));
            }
            total = total.saturating_add(file.bytes);
            let key = object_key(scan, &target).map_err(refused)?;
            if keys.contains(&key) {
                return Err(refused("files: expected each name once"));
            }
            keys.push(key);
        }
        if total > limits.unpacked_bytes {
            let expected = limits.unpacked_bytes;
            return Err(refused(format!(
                "bundle: expected at most {expected} bytes, got {total}"
            )));
        }
        Ok(keys)
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether this file starts the processing.
fn is_trigger(file: &OfferedFile) -> bool {
    file.name
        .as_deref()
        .is_none_or(|name| name == MANIFEST_NAME)
}
