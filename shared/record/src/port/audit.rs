//! The store of the audit log.

use async_trait::async_trait;

use super::PortError;
use crate::audit::{AuditEntry, AuditHead};
use crate::id::PracticeId;

/// How an append ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is in.
    Done,
    /// Another entry came first: read the head again.
    Conflict,
    /// The operation that it tells of is in the log already.
    Duplicate,
}

/// One chain of entries for each practice. Entries are never changed nor removed.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// The signed head of a practice's chain; `None` for an empty one.
    async fn head(&self, practice: &PracticeId) -> Result<Option<AuditHead>, PortError>;

    /// Adds an entry and replaces the head, both or neither, if the stored head is still
    /// the one before it (`entry.sequence` is one more than the head's, 1 for the first)
    /// and no entry of the chain has its operation.
    async fn append(&self, entry: &AuditEntry, head: &AuditHead) -> Result<Appended, PortError>;

    /// Up to `max` entries of a chain with a sequence above `after`, in order.
    async fn entries(
        &self,
        practice: &PracticeId,
        after: u64,
        max: usize,
    ) -> Result<Vec<AuditEntry>, PortError>;

    /// The entry of an operation.
    async fn by_operation(
        &self,
        practice: &PracticeId,
        operation: &str,
    ) -> Result<Option<AuditEntry>, PortError>;

    /// The practices that have a chain, in order.
    async fn practices(&self) -> Result<Vec<PracticeId>, PortError>;
}
