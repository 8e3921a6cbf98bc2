//! The store of practices.

use async_trait::async_trait;

use super::PortError;
use crate::id::PracticeId;
use crate::practice::Practice;

/// One item per practice. Practices are few and are not removed by time.
#[async_trait]
pub trait PracticeStore: Send + Sync {
    /// Reads a practice.
    async fn get(&self, id: &PracticeId) -> Result<Option<Practice>, PortError>;

    /// Writes a practice if the stored one still has its version (0: if there is none);
    /// gives what is stored now, one version further, or `None` if it had not.
    async fn put(&self, practice: Practice) -> Result<Option<Practice>, PortError>;

    /// Up to `max` practices in the order of their ids, after `after`.
    async fn list(
        &self,
        after: Option<&PracticeId>,
        max: usize,
    ) -> Result<Vec<Practice>, PortError>;
}
