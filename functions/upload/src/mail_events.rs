//! What the mail service tells about a mail after it took it: bounces and complaints.
//!
//! Its requests are signed as Svix signs them: HMAC-SHA-256 over `id.timestamp.body`. The
//! body names the recipient; nothing of it is kept or logged but which mail of which report
//! came back, and why.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use dermalia_record::port::{PortError, RecordStore, Written};
use dermalia_record::{MailReturn, ReportId, ReturnedMail};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

/// The tag of a mail by which its events name it: its idempotency key, `/` written `_`.
pub const MAIL_TAG: &str = "mail";
/// The largest event that is read, in bytes.
pub const MAX_EVENT_BYTES: usize = 256 << 10;
/// How far the sender's clock may be off, and how late a request may come, in seconds.
const TOLERANCE_SECS: i64 = 300;
/// How many signatures of one request are looked at; two are usual while a secret changes.
const MAX_SIGNATURES: usize = 8;
/// How often a change is tried again because another one came first.
const ATTEMPTS: usize = 8;

/// Why a request is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    /// A header is missing or of another form.
    #[error("the request is not signed")]
    Unsigned,
    /// Made too long ago, or in the future: it may be a copy.
    #[error("the request was made {off_secs} s from now (expected at most {TOLERANCE_SECS})")]
    Time {
        /// How far it is off.
        off_secs: i64,
    },
    /// No signature is that of a live secret.
    #[error("no signature is the expected one")]
    Signature,
    /// Signed, but not JSON of the known form.
    #[error("the event is of another form")]
    Form,
    /// More than is read.
    #[error("the event has {got} bytes (expected at most {MAX_EVENT_BYTES})")]
    Size {
        /// Its size.
        got: usize,
    },
}

/// What the service signs with. Its `Debug` form does not show it.
#[derive(Clone)]
pub struct EventSecret(Vec<u8>);

impl fmt::Debug for EventSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventSecret(redacted)")
    }
}

/// A text that is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret of mail events: expected `whsec_` and 16 to 64 bytes in base 64")]
pub struct EventSecretError;

impl FromStr for EventSecret {
    type Err = EventSecretError;

    fn from_str(text: &str) -> Result<Self, EventSecretError> {
        let encoded = text.trim().strip_prefix("whsec_").ok_or(EventSecretError)?;
        let key = BASE64
            .decode(encoded.as_bytes())
            .map_err(|_| EventSecretError)?;
        (16..=64)
            .contains(&key.len())
            .then_some(Self(key))
            .ok_or(EventSecretError)
    }
}

/// A request as it came.
#[derive(Clone, Copy)]
pub struct SignedEvent<'a> {
    /// The header `svix-id`.
    pub id: &'a str,
    /// The header `svix-timestamp`.
    pub timestamp: &'a str,
    /// The header `svix-signature`: several, with a space between.
    pub signatures: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

/// A mail that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MailEvent {
    /// Whose mail.
    pub report: ReportId,
    /// Which one, and why.
    pub mail: ReturnedMail,
}

/// Whether one of the live secrets has signed the request, now.
///
/// # Errors
/// When it has not, or it was long ago.
pub fn verify(
    secrets: &[EventSecret],
    event: &SignedEvent<'_>,
    now_secs: i64,
) -> Result<(), EventError> {
    if event.body.len() > MAX_EVENT_BYTES {
        let got = event.body.len();
        return Err(EventError::Size { got });
    }
    // A full stop in the id could move the border between the signed parts.
    let is_id = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    if event.id.is_empty() || event.id.len() > 256 || !event.id.bytes().all(is_id) {
        return Err(EventError::Unsigned);
    }
    let is_number =
        !event.timestamp.is_empty() && event.timestamp.bytes().all(|b| b.is_ascii_digit());
    let made_secs = event.timestamp.parse::<i64>().ok().filter(|_| is_number);
    let made_secs = made_secs.ok_or(EventError::Unsigned)?;
    let off_secs = now_secs.saturating_sub(made_secs);
    if off_secs.saturating_abs() > TOLERANCE_SECS {
        return Err(EventError::Time { off_secs });
    }
    let signatures: Vec<Vec<u8>> = event
        .signatures
        .split(' ')
        .filter_map(|s| s.strip_prefix("v1,"))
        .take(MAX_SIGNATURES)
        .filter_map(|s| BASE64.decode(s.as_bytes()).ok())
        .collect();
    if signatures.is_empty() {
        return Err(EventError::Unsigned);
    }
    for secret in secrets {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&secret.0).map_err(|_| EventError::Signature)?;
        for part in [
            event.id.as_bytes(),
            b".",
            event.timestamp.as_bytes(),
            b".",
            event.body,
        ] {
            mac.update(part);
        }
        for signature in &signatures {
            // Compares in constant time.
            if mac.clone().verify_slice(signature).is_ok() {
                return Ok(());
            }
        }
    }
    Err(EventError::Signature)
}

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(default)]
    tags: Option<Tags>,
    #[serde(default)]
    bounce: Option<Bounce>,
}

#[derive(Deserialize)]
struct Bounce {
    #[serde(rename = "type", default)]
    kind: Option<String>,
}

/// Both forms in which the service has written them.
#[derive(Deserialize)]
#[serde(untagged)]
enum Tags {
    ByName(std::collections::BTreeMap<String, String>),
    Listed(Vec<Tag>),
}

#[derive(Deserialize)]
struct Tag {
    name: String,
    value: String,
}

impl Tags {
    fn mail(&self) -> Option<&str> {
        match self {
            Self::ByName(all) => all.get(MAIL_TAG).map(String::as_str),
            Self::Listed(all) => all
                .iter()
                .find(|t| t.name == MAIL_TAG)
                .map(|t| t.value.as_str()),
        }
    }
}

/// What a verified body says; `None` for an event of another kind or about another mail.
///
/// # Errors
/// When it is no event.
pub fn mail_event(body: &[u8]) -> Result<Option<MailEvent>, EventError> {
    let event: Event = serde_json::from_slice(body).map_err(|_| EventError::Form)?;
    let why = match event.kind.as_str() {
        "email.complained" => MailReturn::Complained,
        "email.failed" | "email.suppressed" => MailReturn::Bounced,
        // One that the service itself calls passing is tried again there.
        "email.bounced" => {
            let kind = event.data.bounce.and_then(|b| b.kind);
            if kind.as_deref() == Some("Transient") {
                return Ok(None);
            }
            MailReturn::Bounced
        }
        _ => return Ok(None),
    };
    Ok(event
        .data
        .tags
        .as_ref()
        .and_then(Tags::mail)
        .and_then(|tag| {
            let (report, number) = tag.strip_prefix("report-ready_")?.split_once('_')?;
            Some(MailEvent {
                report: report.parse().ok()?,
                mail: ReturnedMail {
                    send_number: number.parse().ok()?,
                    why,
                },
            })
        }))
}

/// Writes it into the scan's record; tells whether there is one to write it into. The same
/// event again changes nothing; a complaint is not undone by a bounce.
///
/// # Errors
/// When the store fails, or the record is written all the time: it has to come again.
pub async fn note(records: &dyn RecordStore, event: &MailEvent) -> Result<bool, PortError> {
    for _ in 0..ATTEMPTS {
        let found = records.by_report(event.report).await?;
        let Some(mut record) = found.filter(|record| record.is_open()) else {
            return Ok(false);
        };
        let known = record.returned_mail;
        let is_newer =
            known.is_none_or(|k| (k.send_number, k.why) < (event.mail.send_number, event.mail.why));
        if event.mail.send_number > record.mailing.send_number || !is_newer {
            return Ok(true);
        }
        record.returned_mail = Some(event.mail);
        if let Written::Done(record) = records.update(record).await? {
            tracing::warn!(scan = %record.key, why = record.mail_state(), "a mail came back");
            return Ok(true);
        }
    }
    Err(PortError::retry(
        "records",
        "note",
        "the record is being worked on",
    ))
}
