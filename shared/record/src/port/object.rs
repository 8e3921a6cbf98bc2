//! The object store.

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;

use super::PortError;

/// User metadata: lower-case names, ASCII values.
pub type Metadata = BTreeMap<String, String>;

/// What is to be stored.
#[derive(Debug)]
pub enum Body {
    /// Bytes in memory.
    Bytes(Vec<u8>),
    /// A file of our own, which the store may move away.
    File(PathBuf),
}

/// An object to be written.
#[derive(Debug)]
pub struct ObjectWrite {
    /// Its content.
    pub body: Body,
    /// Its media type.
    pub content_type: String,
    /// Its user metadata.
    pub metadata: Metadata,
}

/// What is known of an object without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its key.
    pub key: String,
    /// Its size.
    pub bytes: u64,
    /// Changes with every write of the object, even of the same bytes.
    pub version: String,
    /// When it was written, in epoch milliseconds.
    pub modified_ms: i64,
    /// Its media type; empty in a listing.
    pub content_type: String,
    /// Its user metadata; empty in a listing.
    pub metadata: Metadata,
}

/// An object with its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// All else.
    pub head: Head,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Objects under a prefix, in the order of their keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listing {
    /// The first ones, up to the number asked for.
    pub objects: Vec<Head>,
    /// Whether there are more.
    pub truncated: bool,
}

/// Objects by key. Every write is atomic: readers see the old object or the new one.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Writes an object, over one that may be there; gives its version.
    async fn put(&self, key: &str, object: ObjectWrite) -> Result<String, PortError>;

    /// Reads an object. One above `max_bytes` is a permanent error, before it is read.
    async fn get(&self, key: &str, max_bytes: u64) -> Result<Option<Object>, PortError>;

    /// Reads what is known of an object.
    async fn head(&self, key: &str) -> Result<Option<Head>, PortError>;

    /// Lists up to `max` objects under a prefix that ends in a slash.
    async fn list(&self, prefix: &str, max: usize) -> Result<Listing, PortError>;

    /// Replaces the metadata of an object that still has this version, which it keeps or
    /// changes as the store does; tells whether it had.
    async fn set_metadata(
        &self,
        key: &str,
        version: &str,
        metadata: Metadata,
    ) -> Result<bool, PortError>;

    /// Deletes exactly this version; one that has come since stays. Tells whether it was
    /// there.
    async fn delete_version(&self, key: &str, version: &str) -> Result<bool, PortError>;

    /// Deletes an object with all its versions; tells whether there was any.
    async fn delete(&self, key: &str) -> Result<bool, PortError>;

    /// Deletes all objects under a prefix that ends in a slash, with all their versions;
    /// gives their number.
    async fn delete_prefix(&self, prefix: &str) -> Result<u64, PortError>;
}
