//! The ports of `dermalia-record` on one machine.
//!
//! Objects lie in a directory ([`DirectoryObjects`]), records and queues in an embedded
//! database ([`Database`]), mails in an outbox folder ([`Outbox`]). Nothing is answered
//! before it is on the disk: a process that is killed at any moment loses nothing that it
//! has confirmed. [`conformance`] is the suite that these and every other implementation
//! of the ports pass; [`fault`] makes each call of a chain fail in turn.

mod accesses;
mod audit_log;
pub mod conformance;
mod data_dir;
mod database;
mod directory;
pub mod fault;
mod files;
mod memory;
mod outbox;
mod practices;
mod queue;
mod records;
mod sealing_keys;
mod signing_key;
mod tallies;
pub mod worker;

pub use accesses::SqliteAccesses;
pub use audit_log::SqliteAudit;
pub use data_dir::{DataDir, DataDirError, Layout};
pub use database::Database;
pub use directory::DirectoryObjects;
pub use memory::{MemoryMailer, MemoryObjects};
pub use outbox::Outbox;
pub use practices::SqlitePractices;
pub use queue::{QueuePolicy, SqliteQueue};
pub use records::SqliteRecords;
pub use sealing_keys::{FileKeyWrap, SqliteDataKeys};
pub use signing_key::{KeyFileError, load_or_create_key};
pub use tallies::SqliteTallies;
