//! What the edge tells the cloud, in the two queues between them.
//!
//! A message names a report by its id, never by a link: whoever reads a queue
//! can open no report. Both ends share these types; a field that the reader
//! does not know refuses the message.
//!
//! - [`AccessMessage`]: that a page was served, and how it was used. Losing
//!   one does no harm.
//! - [`RequestMessage`]: what a reader asked for. The edge answers the reader
//!   only after the queue has taken it.

use dermalia_locale::Locale;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::claims::ReportId;
use crate::visitor::{Browser, Device, Network};

/// A message of the queue of accesses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AccessMessage {
    /// A report's page was served.
    Access(AccessRecord),
    /// Something on the page was used.
    Usage(UsageEvent),
}

/// A message of the queue of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RequestMessage {
    /// Send a new link to the address on file.
    Renew(ReaderRequest),
    /// Erase the report and its scan (Art. 17 GDPR); to be confirmed by e-mail
    /// first, with a link of [`Flags::CONFIRM_ERASURE`](crate::Flags).
    Erase(ReaderRequest),
    /// The same, confirmed by that link: do it.
    EraseConfirmed(ReaderRequest),
    /// Objection to the use of usage events (Art. 21 GDPR): from now on the
    /// report's objects carry the metadata [`META_USAGE`](crate::META_USAGE).
    Object(ReaderRequest),
}

/// That a report's page was served. A record of privacy, not a counter: mail
/// scanners open links too, and nothing follows from a number of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRecord {
    /// When, in seconds since 1970.
    pub at_secs: u64,
    /// Which report.
    pub report_id: ReportId,
    /// From where: a network, never an address. None where it is not known.
    pub network: Option<Network>,
    /// With which browser.
    pub browser: Browser,
    /// On what kind of device.
    pub device: Device,
}

/// One use of the page. Nothing says who: no address, no browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsageEvent {
    /// When, in seconds since 1970.
    pub at_secs: u64,
    /// Which report; so that erasure reaches its events too.
    pub report_id: ReportId,
    /// What was done.
    pub action: Action,
    /// With what: the name of a measure, a view or a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
}

/// What a reader asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReaderRequest {
    /// When, in seconds since 1970.
    pub at_secs: u64,
    /// Which report.
    pub report_id: ReportId,
    /// The epoch of the link that was used. The record has a newer one if
    /// links were revoked since: the request is then void.
    pub epoch: u32,
    /// The language in which the reader was answered.
    pub language: Locale,
}

/// What can be done with a report's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The page was looked at.
    PageView,
    /// A section was opened or scrolled to.
    SectionView,
    /// A map was laid over the head.
    MapView,
    /// The model was turned or moved.
    ModelMove,
    /// A feature was tapped for its numbers.
    FeatureTap,
    /// A file was downloaded.
    Download,
    /// The page was printed.
    Print,
    /// Another language was chosen.
    LanguageChange,
}

/// A short plain name: lower-case letters, digits and `_`, a letter first.
///
/// There is no room in it for what a person typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subject(String);

/// A text that is not a [`Subject`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a subject is 1 to 32 lower-case letters, digits or `_`, a letter first")]
pub struct InvalidSubject;

impl Subject {
    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Subject {
    type Error = InvalidSubject;

    fn try_from(text: String) -> Result<Self, InvalidSubject> {
        let fits = text.len() <= 32
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        fits.then_some(Self(text)).ok_or(InvalidSubject)
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.0
    }
}

/// A text that is no message of the queue it lay in.
#[derive(Debug, Error)]
#[error("edge message: {0}")]
pub struct InvalidMessage(#[from] serde_json::Error);

/// The longest message that is read.
const MAX_MESSAGE_BYTES: usize = 1024;

impl AccessMessage {
    /// As it is sent.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(self)
    }

    /// As it was received.
    ///
    /// # Errors
    /// When it is not exactly one of ours.
    pub fn parse(body: &str) -> Result<Self, InvalidMessage> {
        parse(body)
    }
}

impl RequestMessage {
    /// As it is sent.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(self)
    }

    /// As it was received.
    ///
    /// # Errors
    /// When it is not exactly one of ours.
    pub fn parse(body: &str) -> Result<Self, InvalidMessage> {
        parse(body)
    }

    /// The request itself, whatever it is for.
    #[must_use]
    pub fn request(&self) -> &ReaderRequest {
        let (Self::Renew(request)
        | Self::Erase(request)
        | Self::EraseConfirmed(request)
        | Self::Object(request)) = self;
        request
    }
}

fn json(message: &impl Serialize) -> String {
    // Fields of plain types alone: there is nothing that serde_json could refuse.
    serde_json::to_string(message).unwrap_or_default()
}

fn parse<T: for<'de> Deserialize<'de>>(body: &str) -> Result<T, InvalidMessage> {
    if body.len() > MAX_MESSAGE_BYTES {
        let error = <serde_json::Error as serde::de::Error>::custom(format_args!(
            "expected at most {MAX_MESSAGE_BYTES} bytes, got {}",
            body.len()
        ));
        return Err(InvalidMessage(error));
    }
    Ok(serde_json::from_str(body)?)
}
