//! The ports of `dermalia-record` on AWS and Resend: the only crate that names their
//! clients.
//!
//! [`S3Objects`], [`DynamoRecords`], [`SqsQueue`] and [`ResendMailer`] pass the same
//! conformance suite as the ports on one machine. [`batch`] and [`stream`] read what
//! Lambda is handed, [`lambda`] runs a function, [`telemetry`] writes what it has to say,
//! and [`Deployment`] is the one place that reads the environment.

mod accesses;
mod audit;
pub mod batch;
mod data_keys;
mod deployment;
mod failure;
mod item;
mod key_wrap;
pub mod lambda;
mod mailer;
mod multipart;
mod objects;
mod practices;
mod presign;
mod queue;
mod records;
pub mod stream;
mod table;
pub mod telemetry;

pub use accesses::DynamoAccesses;
pub use audit::DynamoAudit;
pub use data_keys::DynamoDataKeys;
pub use deployment::{Deployment, SetUpError};
pub use key_wrap::KmsKeyWrap;
pub use mailer::{MailerError, RESEND_URL, ResendMailer};
pub use multipart::ObjectPart;
pub use objects::{Buckets, S3Objects};
pub use practices::DynamoPractices;
pub use presign::{Presigned, SIGNED_FOR};
pub use queue::{QueuePlace, SqsQueue};
pub use records::DynamoRecords;
