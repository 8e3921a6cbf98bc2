//! The audit log: who asked for what when, and what was done. No personal data.
//!
//! Entries of a practice form a chain: each carries the hash of the one before it, and the
//! head, which is signed, carries number and hash of the last one. A change, a gap and a
//! missing end are therefore seen by [`verify`]. Whoever holds the signing key could still
//! put an older log with its own head in place; heads that have left the house (in deletion
//! certificates, or noted by the operator) show that too: see [`VerifyError::Older`].

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use dermalia_link::{PublicKey, SigningKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Clock;
use crate::id::{PracticeId, ScanId};
use crate::port::{Appended, AuditStore, PortError};

const PORT: &str = "audit";
/// How often an append is tried again because another entry came first.
const ATTEMPTS: usize = 64;
/// Entries read in one go.
const BATCH: usize = 500;

/// SHA-256 in lower-case hex.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash(String);

impl Hash {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(HEXLOWER.encode(&Sha256::digest(bytes)))
    }

    /// What the first entry of a chain carries as the hash before it.
    #[must_use]
    pub fn zero() -> Self {
        Self("0".repeat(64))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// The patient, through the report, confirmed by e-mail where that is needed.
    Patient,
    /// Whoever runs the command line.
    Operator,
    /// Nobody: a time was up, or something lost was found.
    System,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Action {
    AccessGiven,
    Rectified,
    ErasureAsked,
    ErasureBegun,
    Erased,
    Expired,
    BundleDeleted,
    Restricted,
    RestrictionLifted,
    PortabilityGiven,
    Objected,
    ObjectionWithdrawn,
    LinkRenewed,
    OrphansDeleted,
    LostEventsFound,
    TermsChanged,
    CredentialRotated,
}

impl Action {
    /// As written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AccessGiven => "access_given",
            Self::Rectified => "rectified",
            Self::ErasureAsked => "erasure_asked",
            Self::ErasureBegun => "erasure_begun",
            Self::Erased => "erased",
            Self::Expired => "expired",
            Self::BundleDeleted => "bundle_deleted",
            Self::Restricted => "restricted",
            Self::RestrictionLifted => "restriction_lifted",
            Self::PortabilityGiven => "portability_given",
            Self::Objected => "objected",
            Self::ObjectionWithdrawn => "objection_withdrawn",
            Self::LinkRenewed => "link_renewed",
            Self::OrphansDeleted => "orphans_deleted",
            Self::LostEventsFound => "lost_events_found",
            Self::TermsChanged => "terms_changed",
            Self::CredentialRotated => "credential_rotated",
        }
    }
}

/// What an action was about, in numbers: how many objects, how many bytes, and the hash of
/// the list of their keys, versions and sizes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// Objects in the object store.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Access records and usage events.
    pub accesses: u64,
    /// SHA-256 over one line `key version bytes` for each object, in the order of the keys.
    pub sha256: Hash,
}

/// An entry that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Whose log.
    pub practice: PracticeId,
    /// About which scan, if about one.
    pub scan: Option<ScanId>,
    /// Names the operation: the same one again writes no second entry.
    pub operation: String,
    /// Who asked.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// How much it was.
    pub inventory: Option<Inventory>,
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditEntry {
    /// Whose log.
    pub practice: PracticeId,
    /// Its number in the chain, from 1 without a gap.
    pub sequence: u64,
    /// When, in epoch seconds.
    pub at_secs: i64,
    /// About which scan, if about one.
    pub scan: Option<ScanId>,
    /// Names the operation; once in a chain.
    pub operation: String,
    /// Who asked.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// How much it was.
    pub inventory: Option<Inventory>,
    /// Hash of the entry before, of zeros for the first.
    pub previous: Hash,
}

/// The end of a chain, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditHead {
    /// Whose log.
    pub practice: PracticeId,
    /// Number of the last entry.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
    /// Over the three above: `key id:base64url`.
    pub signature: String,
}

/// A head that somebody has noted: `sequence:hash`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedHead {
    /// Number of the last entry then.
    pub sequence: u64,
    /// Its hash.
    pub hash: Hash,
}

impl FromStr for NotedHead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "expected sequence:hash, the hash in 64 hexadecimal digits".to_owned();
        let (sequence, hash) = text.trim().split_once(':').ok_or_else(wrong)?;
        let digits = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if hash.len() != 64 || !hash.bytes().all(digits) {
            return Err(wrong());
        }
        Ok(Self {
            sequence: sequence.parse().map_err(|_| wrong())?,
            hash: Hash(hash.to_owned()),
        })
    }
}

impl AuditEntry {
    /// Its hash: over its JSON, whose form the types fix.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let text = serde_json::to_vec(self).unwrap_or_default();
        Hash::of(&[b"dermalia-audit/1\0".as_slice(), &text].concat())
    }
}

impl AuditHead {
    fn of(entry: &AuditEntry, key: &SigningKey) -> Self {
        let hash = entry.hash();
        let signature = key.sign_statement(&statement(&entry.practice, entry.sequence, &hash));
        Self {
            practice: entry.practice.clone(),
            sequence: entry.sequence,
            hash,
            signature,
        }
    }

    /// Whether one of these keys has signed it.
    #[must_use]
    pub fn is_signed_by(&self, keys: &[PublicKey]) -> bool {
        let statement = statement(&self.practice, self.sequence, &self.hash);
        keys.iter()
            .any(|key| key.verifies_statement(&statement, &self.signature))
    }
}

fn statement(practice: &PracticeId, sequence: u64, hash: &Hash) -> Vec<u8> {
    format!("audit head\n{practice}\n{sequence}\n{hash}\n").into_bytes()
}

/// What is wrong with a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// There are entries, but no head.
    #[error("{practice}: the head is missing: expected one over {entries} entries")]
    NoHead {
        /// Whose log.
        practice: PracticeId,
        /// How many entries there are.
        entries: u64,
    },
    /// The head was not signed by a known key.
    #[error("{practice}: the head's signature does not fit")]
    HeadSignature {
        /// Whose log.
        practice: PracticeId,
    },
    /// A number is missing or out of order.
    #[error("{practice}: a gap: expected entry {expected}, got {got}")]
    Gap {
        /// Whose log.
        practice: PracticeId,
        /// The number that should come.
        expected: u64,
        /// The number that came.
        got: u64,
    },
    /// An entry does not carry the hash of the one before it: one of the two was changed.
    #[error(
        "{practice}: entry {sequence} does not follow the one before it: one of the two was changed"
    )]
    Changed {
        /// Whose log.
        practice: PracticeId,
        /// Number of the entry.
        sequence: u64,
    },
    /// The last entry is not the one that the head was signed over.
    #[error(
        "{practice}: truncated or changed at its end: the head names entry {expected}, the log ends with {got}"
    )]
    End {
        /// Whose log.
        practice: PracticeId,
        /// What the head says.
        expected: u64,
        /// What there is.
        got: u64,
    },
    /// The log does not contain a head that was noted: an older or another log was put in
    /// its place.
    #[error(
        "{practice}: entry {sequence} is not the one whose hash was noted: the log was replaced"
    )]
    Older {
        /// Whose log.
        practice: PracticeId,
        /// Number that was noted.
        sequence: u64,
    },
    /// The store fails, or an entry cannot be read.
    #[error(transparent)]
    Port(#[from] PortError),
}

/// Checks the whole log of a practice; gives its head.
///
/// # Errors
/// The first thing that is wrong with it.
pub async fn verify(
    store: &dyn AuditStore,
    practice: &PracticeId,
    keys: &[PublicKey],
    noted: Option<&NotedHead>,
) -> Result<Option<AuditHead>, VerifyError> {
    // The head first: entries that come meanwhile are above it and are not looked at.
    let head = store.head(practice).await?;
    let practice = practice.clone();
    let last = head.as_ref().map_or(0, |head| head.sequence);
    if let Some(head) = &head
        && (head.practice != practice || !head.is_signed_by(keys))
    {
        return Err(VerifyError::HeadSignature { practice });
    }
    let (mut sequence, mut previous) = (0, Hash::zero());
    let mut noted_found = noted.is_none_or(|n| n.sequence == 0);
    'all: loop {
        let batch = store.entries(&practice, sequence, BATCH).await?;
        if batch.is_empty() {
            break;
        }
        for entry in batch {
            if head.is_some() && entry.sequence > last {
                break 'all;
            }
            let expected = sequence + 1;
            if entry.sequence != expected || entry.practice != practice {
                let got = entry.sequence;
                return Err(VerifyError::Gap {
                    practice,
                    expected,
                    got,
                });
            }
            if entry.previous != previous {
                return Err(VerifyError::Changed {
                    practice,
                    sequence: expected,
                });
            }
            (sequence, previous) = (expected, entry.hash());
            if noted.is_some_and(|n| n.sequence == sequence && n.hash == previous) {
                noted_found = true;
            }
        }
    }
    match &head {
        None if sequence > 0 => {
            return Err(VerifyError::NoHead {
                practice,
                entries: sequence,
            });
        }
        Some(head) if head.sequence != sequence || head.hash != previous => {
            return Err(VerifyError::End {
                practice,
                expected: head.sequence,
                got: sequence,
            });
        }
        _ => {}
    }
    if !noted_found {
        let sequence = noted.map_or(0, |n| n.sequence);
        return Err(VerifyError::Older { practice, sequence });
    }
    Ok(head)
}

/// Writes the log.
#[derive(Clone)]
pub struct Audit {
    /// Where it lies.
    pub store: Arc<dyn AuditStore>,
    /// Signs its heads and the certificates.
    pub key: Arc<SigningKey>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Audit {
    /// Writes an entry; gives the one that is in the log, which is the first one of this
    /// operation.
    ///
    /// # Errors
    /// When the store fails; repeat it then.
    pub async fn record(&self, draft: &Draft) -> Result<AuditEntry, PortError> {
        for _ in 0..ATTEMPTS {
            let head = self.store.head(&draft.practice).await?;
            let entry = AuditEntry {
                practice: draft.practice.clone(),
                sequence: head.as_ref().map_or(1, |head| head.sequence + 1),
                at_secs: self.clock.now_secs(),
                scan: draft.scan.clone(),
                operation: draft.operation.clone(),
                actor: draft.actor,
                action: draft.action,
                inventory: draft.inventory.clone(),
                previous: head.map_or_else(Hash::zero, |head| head.hash),
            };
            let head = AuditHead::of(&entry, &self.key);
            match self.store.append(&entry, &head).await? {
                Appended::Done => return Ok(entry),
                Appended::Conflict => {}
                Appended::Duplicate => {
                    let operation = &draft.operation;
                    let found = self.store.by_operation(&draft.practice, operation).await?;
                    if let Some(found) = found {
                        return Ok(found);
                    }
                }
            }
        }
        Err(PortError::retry(
            PORT,
            "record",
            "the log is being written all the time",
        ))
    }

    /// Every entry about a scan, in order.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn about(
        &self,
        practice: &PracticeId,
        scan: &ScanId,
    ) -> Result<Vec<AuditEntry>, PortError> {
        let (mut found, mut after) = (Vec::new(), 0);
        loop {
            let batch = self.store.entries(practice, after, BATCH).await?;
            let Some(last) = batch.last() else {
                return Ok(found);
            };
            after = last.sequence;
            found.extend(batch.into_iter().filter(|e| e.scan.as_ref() == Some(scan)));
        }
    }
}
