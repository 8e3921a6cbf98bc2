//! The record store.

use async_trait::async_trait;
use dermalia_link::ReportId;

use super::PortError;
use crate::id::PracticeId;
use crate::record::{ScanKey, ScanRecord};

/// How a conditional write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is in; this is the record as stored.
    Done(Box<ScanRecord>),
    /// The condition did not hold: another write came first, or the record is gone.
    Conflict,
}

/// Why a record was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Its time was up.
    Expired,
    /// Somebody with the right to ask asked.
    Erased,
}

impl Cause {
    /// As written.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Erased => "erased",
        }
    }
}

/// A record that was removed, from the stream of removals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// Its place in the stream.
    pub sequence: u64,
    /// The record as it was.
    pub record: ScanRecord,
    /// Why it went.
    pub cause: Cause,
}

/// One item per scan. A record whose time is up is gone for every call but
/// [`RecordStore::expire_due`], long before it is removed.
#[async_trait]
pub trait RecordStore: Send + Sync {
    /// Reads a record.
    async fn get(&self, key: &ScanKey) -> Result<Option<ScanRecord>, PortError>;

    /// Reads the record of a report.
    async fn by_report(&self, report: ReportId) -> Result<Option<ScanRecord>, PortError>;

    /// Writes the first version of a record. In conflict with any record of that key, one
    /// that is expired but not yet removed included.
    async fn insert(&self, record: ScanRecord) -> Result<Written, PortError>;

    /// Writes the next version of a record, if the stored one still has its version.
    async fn update(&self, record: ScanRecord) -> Result<Written, PortError>;

    /// Up to `max` records of a practice in the order of their scan ids, after `after`.
    async fn list(
        &self,
        practice: &PracticeId,
        after: Option<&ScanKey>,
        max: usize,
    ) -> Result<Vec<ScanRecord>, PortError>;

    /// Removes a record, if the stored one still has this version; tells whether it had.
    async fn remove(&self, record: &ScanRecord, cause: Cause) -> Result<bool, PortError>;

    /// Removes up to `max` records whose time is up; gives their number. On AWS the
    /// database does this by itself.
    async fn expire_due(&self, max: usize) -> Result<u64, PortError>;

    /// Up to `max` removals that were not acknowledged, the oldest first.
    async fn removals(&self, max: usize) -> Result<Vec<Removal>, PortError>;

    /// The removal is dealt with.
    async fn ack_removal(&self, sequence: u64) -> Result<(), PortError>;
}
