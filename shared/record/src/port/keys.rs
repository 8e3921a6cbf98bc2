//! The keys under which personal fields are sealed.

use async_trait::async_trait;

use super::PortError;
use crate::record::ScanKey;
use crate::sealing::DataKey;

/// Wraps data keys under a key that never leaves its place: a file of mode 0600 on one
/// machine, KMS in the cloud (encryption context: the scan).
#[async_trait]
pub trait KeyWrap: Send + Sync {
    /// Wraps the data key of a scan.
    async fn wrap(&self, scan: &ScanKey, key: &DataKey) -> Result<Vec<u8>, PortError>;

    /// Opens what [`KeyWrap::wrap`] made for this scan; a permanent error for anything else.
    async fn unwrap(&self, scan: &ScanKey, wrapped: &[u8]) -> Result<DataKey, PortError>;
}

/// Wrapped data keys by scan. They lie apart from the records and are in no backup: with
/// the key that is destroyed here, every copy of what it sealed is unreadable.
#[async_trait]
pub trait DataKeys: Send + Sync {
    /// The wrapped key of a scan.
    async fn get(&self, scan: &ScanKey) -> Result<Option<Vec<u8>>, PortError>;

    /// Stores a wrapped key if there is none; gives the one that is stored then.
    async fn put_if_absent(&self, scan: &ScanKey, wrapped: &[u8]) -> Result<Vec<u8>, PortError>;

    /// Destroys the key of a scan; tells whether there was one.
    async fn destroy(&self, scan: &ScanKey) -> Result<bool, PortError>;

    /// Up to `max` scans that have a key, in order, after `after`: by which the sweep finds
    /// keys that a lost event has left behind.
    async fn scans(&self, after: Option<&ScanKey>, max: usize) -> Result<Vec<ScanKey>, PortError>;
}
