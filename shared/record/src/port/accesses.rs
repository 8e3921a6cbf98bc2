//! Access records and usage events of reports.

use async_trait::async_trait;
use dermalia_link::ReportId;
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::id::report_id_text_required;

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessKind {
    /// A report was opened.
    Access,
    /// Something was used on it; off for a report whose patient has objected.
    Usage,
}

/// One access or usage event, as the edge has told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessEntry {
    /// Of which report.
    #[serde(with = "report_id_text_required")]
    pub report: ReportId,
    /// Names the event, so that a message that comes twice is one entry: the message's id.
    pub id: String,
    /// When, in epoch seconds.
    pub at_secs: i64,
    /// What it is about.
    pub kind: AccessKind,
    /// The event as JSON: anonymised address, browser and device class; nothing else.
    pub body: String,
    /// From this second on it is gone for every reader; never later than its scan.
    pub expires_at_secs: i64,
}

/// Access entries by report. An entry whose time is up is gone for every call but
/// [`AccessStore::expire_due`].
#[async_trait]
pub trait AccessStore: Send + Sync {
    /// Stores an entry; the same report, kind and id again changes nothing.
    async fn put(&self, entry: AccessEntry) -> Result<(), PortError>;

    /// Up to `max` entries of a report, by time and id.
    async fn list(&self, report: ReportId, max: usize) -> Result<Vec<AccessEntry>, PortError>;

    /// Removes the entries of a report, of one kind or all; gives their number.
    async fn remove(&self, report: ReportId, kind: Option<AccessKind>) -> Result<u64, PortError>;

    /// Removes up to `max` entries whose time is up; gives their number. On AWS the
    /// database does this by itself.
    async fn expire_due(&self, max: usize) -> Result<u64, PortError>;

    /// Up to `max` reports that have entries, expired ones included, after `after`: by
    /// which the sweep finds what a removal has left behind.
    async fn reports(
        &self,
        after: Option<ReportId>,
        max: usize,
    ) -> Result<Vec<ReportId>, PortError>;
}
