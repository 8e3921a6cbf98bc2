//! The ports: what the handlers need of the outside, and nothing more.
//!
//! Every implementation passes the same conformance suite (in `dermalia-embedded`).

mod accesses;
mod audit;
mod keys;
mod mailer;
mod object;
mod practices;
mod queue;
mod records;

pub use accesses::{AccessEntry, AccessKind, AccessStore};
pub use audit::{Appended, AuditStore};
pub use keys::{DataKeys, KeyWrap};
pub use mailer::{Email, Mailer};
pub use object::{Body, Head, Listing, Metadata, Object, ObjectStore, ObjectWrite};
pub use practices::PracticeStore;
pub use queue::{DeadLetter, Delivery, Depth, Queue};
pub use records::{Cause, RecordStore, Removal, Written};

use std::fmt;
use std::sync::Arc;

use crate::clock::Clock;
use crate::id::PracticeId;
use crate::sealing::Vault;
use crate::settings::Settings;

/// Whether it is worth trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The same call can succeed later: throttling, a cut line, a full disk.
    Retry,
    /// It never will: a damaged item, a missing permission, a wrong key.
    Permanent,
}

/// A port's failure. A refused condition is no failure: see [`Written`].
///
/// A call that failed may have had its effect all the same: callers repeat it, and every
/// call is such that repeating it does no harm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{port}: {operation}: {detail}")]
pub struct PortError {
    /// Whether to try again.
    pub kind: Kind,
    /// Which port.
    pub port: &'static str,
    /// Which call.
    pub operation: &'static str,
    /// What happened; no personal data, no content.
    pub detail: String,
}

impl PortError {
    /// A failure that may pass.
    pub fn retry(port: &'static str, operation: &'static str, detail: impl fmt::Display) -> Self {
        Self {
            kind: Kind::Retry,
            port,
            operation,
            detail: detail.to_string(),
        }
    }

    /// A failure that stays.
    pub fn permanent(
        port: &'static str,
        operation: &'static str,
        detail: impl fmt::Display,
    ) -> Self {
        Self {
            kind: Kind::Permanent,
            port,
            operation,
            detail: detail.to_string(),
        }
    }
}

/// Everything a handler works with. Those that also write the audit log are given an
/// [`Audit`](crate::Audit): its key is nobody else's.
#[derive(Clone)]
pub struct Ports {
    /// Bundles, findings, reports.
    pub objects: Arc<dyn ObjectStore>,
    /// One item per scan.
    pub records: Arc<dyn RecordStore>,
    /// Upload events, for the analysis.
    pub uploads: Arc<dyn Queue>,
    /// Findings that wait for their report.
    pub reports: Arc<dyn Queue>,
    /// The way to the patient.
    pub mailer: Arc<dyn Mailer>,
    /// What practices have agreed.
    pub practices: Arc<dyn PracticeStore>,
    /// Access records and usage events.
    pub accesses: Arc<dyn AccessStore>,
    /// Seals and opens personal fields.
    pub vault: Vault,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// What a practice has agreed; the usual terms for one that has agreed nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn terms(
        &self,
        usual: &Settings,
        practice: &PracticeId,
    ) -> Result<Settings, PortError> {
        Ok(usual.of_practice(self.practices.get(practice).await?.as_ref()))
    }
}
