//! The record of a scan: one item, changed only by conditional writes.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use dermalia_link::{Claims, Flags, ReportId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{PracticeId, ScanId, report_id_text};
use crate::mail_return::ReturnedMail;
use crate::sealing::Sealed;
use crate::state::{ForbiddenTransition, Phase, State};

/// The longest reason that a record keeps, in characters.
const MAX_REASON_CHARS: usize = 500;

/// Why a record cannot be changed as asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The state machine forbids it.
    #[error(transparent)]
    Forbidden(#[from] ForbiddenTransition),
    /// A run id of another form.
    #[error("run id: expected 20 characters of lower-case hex, got {chars} characters")]
    Run {
        /// Its length.
        chars: usize,
    },
}

/// Which scan: identifiers are unique within a practice only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScanKey {
    /// The practice that made it.
    pub practice: PracticeId,
    /// Its identifier there.
    pub scan: ScanId,
}

impl fmt::Display for ScanKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.practice, self.scan)
    }
}

/// Counts how often the links of a report were revoked: a link of another epoch is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(u32);

impl Epoch {
    /// The epoch of a report's first links.
    pub const FIRST: Self = Self(1);

    /// The number that the token and the objects carry.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Default for Epoch {
    fn default() -> Self {
        Self::FIRST
    }
}

/// What findings were made from: the idempotency key of an analysis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Key of the object that triggered.
    pub key: String,
    /// Its version in the object store.
    pub version: String,
    /// When that version was written, in epoch milliseconds: of a folder and an archive of
    /// the same scan, the later one counts.
    pub uploaded_at_ms: i64,
    /// Name and version of the algorithm.
    pub algorithm: String,
}

impl Source {
    /// The folder name of the artefacts made from this source.
    #[must_use]
    pub fn run_id(&self) -> RunId {
        let mut hash = Sha256::new();
        for part in [&self.key, &self.version, &self.algorithm] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        RunId(HEXLOWER.encode(&hash.finalize()[..10]))
    }
}

/// Names one run of the analysis: 80 bits of the hash of its [`Source`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RunId {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        if text.len() == 20 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            Ok(Self(text.to_owned()))
        } else {
            Err(RecordError::Run {
                chars: text.chars().count(),
            })
        }
    }
}

/// Who works on the scan, and until when nobody else may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// A name that no two attempts share.
    pub owner: String,
    /// Epoch milliseconds from which the owner is taken for dead.
    pub until_ms: i64,
}

/// What the current link grants. The token follows from it and the key; it is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkGrant {
    /// When it was decided, in epoch seconds.
    pub issued_at_secs: i64,
    /// First second at which the link is dead.
    pub expires_at_secs: i64,
}

/// How far the e-mail about the report is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mailing {
    /// Number of the current mail: each resend counts one up, and with it the idempotency key.
    pub send_number: u32,
    /// Whether the mail of this number was accepted by the mailer.
    pub accepted: bool,
}

/// All that is held about a scan outside the object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScanRecord {
    /// Which scan.
    #[serde(flatten)]
    pub key: ScanKey,
    /// Counts the changes; a conditional write names the one that it has seen.
    pub version: u64,
    /// Where it stands.
    pub state: State,
    /// When the first upload came, in epoch seconds.
    pub received_at_secs: i64,
    /// As in the manifest; unknown until the bundle was read.
    pub captured_at: Option<String>,
    /// From this second on the scan is gone for every reader.
    pub expires_at_secs: i64,
    /// What is, or was last, worked on.
    pub source: Option<Source>,
    /// The run whose findings count.
    pub run: Option<RunId>,
    /// Who works on it.
    pub lease: Option<Lease>,
    /// What the link points at, once there is a report.
    #[serde(with = "report_id_text")]
    pub report_id: Option<ReportId>,
    /// Generation of the links.
    pub epoch: Epoch,
    /// What the current link grants.
    pub link: Option<LinkGrant>,
    /// How far the e-mail is.
    pub mailing: Mailing,
    /// The patient's first name.
    pub first_name: Option<Sealed>,
    /// Where the link goes.
    pub email: Option<Sealed>,
    /// BCP 47.
    pub locale: Option<String>,
    /// When the report of the current run was made, in epoch seconds: the raw bundle's life
    /// counts from it.
    pub reported_at_secs: Option<i64>,
    /// Whether the patient has objected to usage events (Art. 21 GDPR).
    #[serde(default)]
    pub has_objected: bool,
    /// How often that was changed.
    #[serde(default)]
    pub objections: u32,
    /// The slow hash of the code that opens the report, if it needs one.
    #[serde(default)]
    pub code_hash: Option<String>,
    /// The scan before this one, as the bundle names it.
    #[serde(default)]
    pub previous_scan: Option<ScanId>,
    /// The later scans whose reports may tell of this one.
    #[serde(default)]
    pub next_scans: BTreeSet<ScanId>,
    /// When the patient asked last for erasure through the report, in epoch seconds.
    pub erasure_asked_at_secs: Option<i64>,
    /// The last mail that came back.
    #[serde(default)]
    pub returned_mail: Option<ReturnedMail>,
    /// How many e-mails have asked to confirm an erasure.
    #[serde(default)]
    pub confirm_number: u32,
}

impl ScanRecord {
    /// The record of a scan whose upload has just come.
    ///
    /// `expires_at_secs` is provisional, counted from now, until the manifest tells when
    /// the scan was made; that is never later.
    #[must_use]
    pub fn received(key: ScanKey, now_secs: i64, expires_at_secs: i64) -> Self {
        Self {
            key,
            version: 0,
            state: State::Received,
            received_at_secs: now_secs,
            captured_at: None,
            expires_at_secs,
            source: None,
            run: None,
            lease: None,
            report_id: None,
            epoch: Epoch::FIRST,
            link: None,
            mailing: Mailing::default(),
            first_name: None,
            email: None,
            locale: None,
            reported_at_secs: None,
            has_objected: false,
            code_hash: None,
            objections: 0,
            previous_scan: None,
            next_scans: BTreeSet::new(),
            erasure_asked_at_secs: None,
            returned_mail: None,
            confirm_number: 0,
        }
    }

    /// Where it stands, by name.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.state.phase()
    }

    /// Whether its time is up.
    #[must_use]
    pub const fn is_expired(&self, now_secs: i64) -> bool {
        now_secs >= self.expires_at_secs
    }

    /// Moves it to another state.
    ///
    /// # Errors
    /// When the state machine forbids it.
    pub fn become_state(&mut self, mut next: State) -> Result<(), ForbiddenTransition> {
        let (from, to) = (self.phase(), next.phase());
        if !from.may_become(to) {
            return Err(ForbiddenTransition { from, to });
        }
        if let State::Refused { reason } | State::Failed { reason, .. } = &mut next
            && let Some((end, _)) = reason.char_indices().nth(MAX_REASON_CHARS)
        {
            reason.truncate(end);
        }
        self.state = next;
        Ok(())
    }

    /// Until when somebody else works on it, if anybody does.
    #[must_use]
    pub fn leased_until_ms(&self, now_ms: i64) -> Option<i64> {
        self.lease
            .as_ref()
            .map(|l| l.until_ms)
            .filter(|until| *until > now_ms)
    }

    /// What the current link claims, if there is a link.
    #[must_use]
    pub fn claims(&self) -> Option<Claims> {
        Some(Claims {
            report_id: self.report_id?,
            expires_at_secs: u64::try_from(self.link?.expires_at_secs).ok()?,
            epoch: self.epoch.number(),
            flags: Flags::NONE,
        })
    }

    /// The key under which a mailer recognises a mail that it has sent already.
    #[must_use]
    pub fn mail_idempotency_key(&self) -> Option<String> {
        Some(format!(
            "report-ready/{}/{}",
            self.report_id?, self.mailing.send_number
        ))
    }

    /// The same for the mail of that number that asks to confirm an erasure.
    #[must_use]
    pub fn confirm_idempotency_key(&self, number: u32) -> Option<String> {
        Some(format!("confirm-erasure/{}/{number}", self.report_id?))
    }

    /// The keys of every mail that may have gone out about it.
    #[must_use]
    pub fn mail_keys(&self) -> Vec<String> {
        let numbered = |send_number| {
            let mailing = Mailing {
                send_number,
                ..self.mailing
            };
            let record = Self {
                mailing,
                ..self.clone()
            };
            record.mail_idempotency_key()
        };
        let reports = (0..=self.mailing.send_number).filter_map(numbered);
        let confirms = (1..=self.confirm_number).filter_map(|n| self.confirm_idempotency_key(n));
        reports.chain(confirms).collect()
    }

    /// Whether it may be read, served or processed: neither restricted nor erased.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        !matches!(self.phase(), Phase::Restricted | Phase::Erased)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> ScanRecord {
        let key = ScanKey {
            practice: "praxis-nord".parse().unwrap(),
            scan: "scan-0001".parse().unwrap(),
        };
        ScanRecord::received(key, 1_000, 2_000)
    }

    #[test]
    fn debug_and_json() {
        let mut record = record();
        record.first_name = serde_json::from_str("\"s1.kanarie\"").ok();
        record.report_id = Some(ReportId::from_bytes([3; 16]));
        assert!(record.first_name.is_some());
        assert!(!format!("{record:?}").to_lowercase().contains("kanarie"));
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<ScanRecord>(&text).unwrap(), record);
    }

    #[test]
    fn expiry_is_inclusive() {
        assert!(!record().is_expired(1_999));
        assert!(record().is_expired(2_000));
    }

    #[test]
    fn transitions_are_checked_and_reasons_cut() {
        let mut record = record();
        let error = record.become_state(State::Delivered).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a scan that is received cannot become delivered"
        );
        assert_eq!(record.phase(), Phase::Received);
        record
            .become_state(State::Refused {
                reason: "ä".repeat(900),
            })
            .unwrap();
        assert_eq!(
            record.state.reason().unwrap().chars().count(),
            MAX_REASON_CHARS
        );
    }

    #[test]
    fn runs_differ_by_each_part_of_the_source() {
        let source = |a: &str, b: &str, c: &str| {
            Source {
                key: a.to_owned(),
                version: b.to_owned(),
                algorithm: c.to_owned(),
                uploaded_at_ms: 0,
            }
            .run_id()
        };
        let ids = [
            source("a", "b", "c"),
            source("ab", "", "c"),
            source("a", "b", "d"),
            source("a", "c", "c"),
        ];
        for (i, a) in ids.iter().enumerate() {
            assert_eq!(a.to_string().parse::<RunId>().as_ref(), Ok(a));
            assert!(ids[i + 1..].iter().all(|b| a != b));
        }
        assert!("../escape-0000000000".parse::<RunId>().is_err());
    }

    #[test]
    fn leases_run_out() {
        let mut record = record();
        record.lease = Some(Lease {
            owner: "w".to_owned(),
            until_ms: 10,
        });
        assert_eq!(record.leased_until_ms(9), Some(10));
        assert_eq!(record.leased_until_ms(10), None);
    }
}
