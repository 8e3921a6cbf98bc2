//! Keeps what the edge tells of accesses and of the use of a page, for a short time.
//!
//! An entry lives for [`LIFE_DAYS`], and never longer than its scan. One about a report
//! that is gone is dropped; so is a usage event of a report whose patient has objected.
//! The same message again changes nothing.

use std::sync::Arc;

use dermalia_link::AccessMessage;
use dermalia_record::port::{AccessEntry, AccessKind, AccessStore, RecordStore};
use dermalia_record::{Clock, HandleError};

/// How long an entry is kept, in days.
pub const LIFE_DAYS: i64 = 30;

/// The handler and what it works with.
#[derive(Clone)]
pub struct Access {
    /// Tells whether the report still is, and until when.
    pub records: Arc<dyn RecordStore>,
    /// Where entries are kept.
    pub accesses: Arc<dyn AccessStore>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is kept.
    Kept,
    /// There is no such report, or no longer.
    NoReport,
    /// The patient has objected to usage events.
    Objected,
}

impl Access {
    /// Deals with one message from the queue of accesses, which `id` names.
    ///
    /// # Errors
    /// When a store fails, or the message is none of the edge's.
    pub async fn handle(&self, id: &str, body: &str) -> Result<Outcome, HandleError> {
        // The text of the error is not passed on: it may quote the message.
        let message: AccessMessage = serde_json::from_str(body)
            .map_err(|_| HandleError::give_up("expected a message of the edge, got another"))?;
        let (report, at_secs, kind) = match &message {
            AccessMessage::Access(access) => (access.report_id, access.at_secs, AccessKind::Access),
            AccessMessage::Usage(usage) => (usage.report_id, usage.at_secs, AccessKind::Usage),
        };
        let Some(record) = self.records.by_report(report).await? else {
            return Ok(Outcome::NoReport);
        };
        if kind == AccessKind::Usage && record.has_objected {
            return Ok(Outcome::Objected);
        }
        let now_secs = self.clock.now_secs();
        let body = serde_json::to_string(&message)
            .map_err(|_| HandleError::give_up("the message cannot be written"))?;
        let entry = AccessEntry {
            report,
            id: id.to_owned(),
            at_secs: i64::try_from(at_secs).unwrap_or(now_secs),
            kind,
            body,
            expires_at_secs: record
                .expires_at_secs
                .min(now_secs.saturating_add(LIFE_DAYS * 86_400)),
        };
        self.accesses.put(entry).await?;
        Ok(Outcome::Kept)
    }
}
