//! The deletion certificate: what was deleted and when, with its place in the audit log,
//! signed.

use dermalia_link::PublicKey;
use dermalia_record::audit::{Action, AuditEntry, AuditHead, Hash, Inventory, NotedHead};
use dermalia_record::port::PortError;
use dermalia_record::{PracticeId, ScanId, ScanKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Rights, RightsError};

/// The form of the certificate.
const SCHEMA: &str = "dermalia.deletion-certificate/1";

/// A deletion certificate. It can be checked for itself ([`Certificate::is_signed_by`]), and
/// the head in it shows later whether the audit log is still the one that it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Form and version.
    pub schema: String,
    /// The practice.
    pub practice: PracticeId,
    /// The scan.
    pub scan: ScanId,
    /// Why it was deleted: asked for (`erased`), or its time was up (`expired`).
    pub cause: String,
    /// When the deletion began, RFC 3339 in UTC.
    pub begun_at: String,
    /// When nothing was left.
    pub completed_at: String,
    /// What there was.
    pub deleted: Inventory,
    /// Place of the last entry about it in the practice's audit log.
    pub sequence: u64,
    /// Hash of that entry.
    pub entry: Hash,
    /// The signed end of the log when the certificate was written.
    pub head: AuditHead,
    /// Over all of the above: `key id:base64url` (Ed25519).
    pub signature: String,
}

impl Certificate {
    fn statement(&self) -> Vec<u8> {
        let unsigned = Self {
            signature: String::new(),
            ..self.clone()
        };
        let json = serde_json::to_vec(&unsigned).unwrap_or_default();
        [b"deletion certificate\n".as_slice(), &json].concat()
    }

    /// Whether one of these keys has signed it.
    #[must_use]
    pub fn is_signed_by(&self, keys: &[PublicKey]) -> bool {
        let statement = self.statement();
        self.schema == SCHEMA
            && keys
                .iter()
                .any(|key| key.verifies_statement(&statement, &self.signature))
    }

    /// The entry that the log must still contain.
    #[must_use]
    pub fn noted_head(&self) -> NotedHead {
        NotedHead {
            sequence: self.head.sequence,
            hash: self.head.hash.clone(),
        }
    }

    /// As a file.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

fn time(entry: &AuditEntry) -> String {
    Timestamp::from_second(entry.at_secs)
        .map(|t| t.to_string())
        .unwrap_or_default()
}

impl Rights {
    /// The certificate of the last deletion of this scan.
    ///
    /// # Errors
    /// When none of that scan was deleted, or a port fails.
    pub async fn certificate(&self, scan: &ScanKey) -> Result<Certificate, RightsError> {
        let log = self.audit.about(&scan.practice, &scan.scan).await?;
        let done = log
            .iter()
            .rposition(|e| matches!(e.action, Action::Erased | Action::Expired))
            .ok_or(RightsError::NoScan)?;
        let entry = &log[done];
        let begun = log[..done]
            .iter()
            .rfind(|e| e.action == Action::ErasureBegun)
            .unwrap_or(entry);
        let head = self.audit.store.head(&scan.practice).await?;
        let damaged = |what| PortError::permanent("audit", "certificate", what);
        let mut certificate = Certificate {
            schema: SCHEMA.to_owned(),
            practice: scan.practice.clone(),
            scan: scan.scan.clone(),
            cause: entry.action.name().to_owned(),
            begun_at: time(begun),
            completed_at: time(entry),
            deleted: entry
                .inventory
                .clone()
                .ok_or_else(|| damaged("an entry without its inventory"))?,
            sequence: entry.sequence,
            entry: entry.hash(),
            head: head.ok_or_else(|| damaged("a log without a head"))?,
            signature: String::new(),
        };
        certificate.signature = self.audit.key.sign_statement(&certificate.statement());
        Ok(certificate)
    }
}
