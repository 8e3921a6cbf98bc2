//! Scan records and the ports to the outside.
//!
//! One [`ScanRecord`] per scan carries its state through the pipeline; handlers know
//! nothing of a cloud, only the traits in [`port`]: an object store, a record store,
//! queues and a mailer, each with an implementation on one machine and one on AWS.
//! Time comes from a [`Clock`], never from the system directly.

mod attempt;
pub mod audit;
mod clock;
mod comparison;
pub mod event;
mod id;
mod keys;
mod logo;
mod mail_return;
mod message;
mod personal;
pub mod port;
mod practice;
mod record;
mod retention;
mod sealing;
mod settings;
mod state;

pub use attempt::{Attempt, HandleError};
pub use audit::Audit;
pub use clock::{Clock, ManualClock, SystemClock};
pub use comparison::{COMPARED_MARGIN_SECS, MAX_LATER_SCANS, META_COMPARED, META_RUN};
pub use dermalia_link::{META_RENEWAL, ReportId};
pub use event::{EventError, UploadEvent};
pub use id::{IdError, PracticeId, ScanId, random_report_id};
pub use keys::{
    BundleForm, KeyError, PACKAGES, bundle_prefix, bundles_prefix, findings_prefix,
    incoming_archive, incoming_file, incoming_manifest, incoming_prefix, owner_of, packages_prefix,
    report_asset, report_of, report_prefix, run_artefact, run_prefix,
};
pub use logo::{Logo, LogoFormError, MAX_LOGO_BYTES};
pub use mail_return::{MailReturn, ReturnedMail};
pub use message::{MessageError, ReportMessage};
pub use personal::Personal;
pub use practice::{
    Credential, CredentialHash, Credentials, DEFAULT_BUNDLE_DAYS, MAX_BUNDLE_DAYS, MAX_LINK_DAYS,
    Practice, PracticeError,
};
pub use record::{
    Epoch, Lease, LinkGrant, Mailing, RecordError, RunId, ScanKey, ScanRecord, Source,
};
pub use retention::{MAX_RETENTION_MONTHS, RetentionError, expires_at_secs};
pub use sealing::{DATA_KEY_BYTES, DataKey, Field, Sealed, Vault};
pub use settings::Settings;
pub use state::{ForbiddenTransition, Phase, Stage, State};
