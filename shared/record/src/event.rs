//! What an object store says when a bundle has come.
//!
//! The shape is that of S3 event notifications, read from an SQS message's body: only
//! what is needed is named, unknown fields are no error, and `s3:TestEvent` (which has no
//! `Records`) is an empty notification. Keys arrive URL-encoded.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::keys::{BundleForm, Incoming, parse_incoming};
use crate::record::ScanKey;

/// The largest message that is read; SQS itself carries at most 1 MiB.
const MAX_BODY_BYTES: usize = 1 << 20;

/// Why a message is no notification.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// Over the size that SQS can carry.
    #[error("event: expected at most {MAX_BODY_BYTES} bytes, got {bytes}")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not JSON, or a needed field is missing.
    #[error("event: {0}")]
    Json(#[from] serde_json::Error),
    /// Neither records nor a test event.
    #[error("event: expected Records or s3:TestEvent, got neither")]
    NoRecords,
    /// A percent sign that encodes nothing, or bytes that are no UTF-8.
    #[error("event: record {record}: the object key is not URL-encoded UTF-8")]
    KeyEncoding {
        /// Which record, from 0.
        record: usize,
    },
}

/// A complete bundle has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadEvent {
    /// Which scan.
    pub scan: ScanKey,
    /// Folder or archive.
    pub form: BundleForm,
    /// Key of the object that triggered, decoded.
    pub object_key: String,
    /// Its version where the bucket keeps versions.
    pub version: Option<String>,
}

/// One message from the object store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Notification {
    /// The bundles that have come.
    pub uploads: Vec<UploadEvent>,
    /// Records about anything else: other files, deletions, keys that are not ours.
    pub ignored: usize,
}

/// One message of a batch that SQS hands to a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchMessage {
    /// By which a partial batch response names it.
    pub message_id: String,
    /// What was sent.
    pub body: String,
    /// How often it has been received, this time included.
    pub receive_count: u32,
}

#[derive(Deserialize)]
struct RawNotification {
    #[serde(rename = "Event")]
    event: Option<String>,
    #[serde(rename = "Records")]
    records: Option<Vec<RawRecord>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRecord {
    event_name: String,
    s3: RawEntity,
}

#[derive(Deserialize)]
struct RawEntity {
    object: RawObject,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawObject {
    key: String,
    version_id: Option<String>,
}

#[derive(Deserialize)]
struct RawBatch {
    #[serde(rename = "Records")]
    records: Vec<RawMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMessage {
    message_id: String,
    body: String,
    #[serde(default)]
    attributes: RawAttributes,
}

#[derive(Default, Deserialize)]
struct RawAttributes {
    #[serde(rename = "ApproximateReceiveCount")]
    receive_count: Option<String>,
}

impl Notification {
    /// Reads a message's body.
    ///
    /// # Errors
    /// When it is no notification of an object store.
    pub fn parse(body: &str) -> Result<Self, EventError> {
        if body.len() > MAX_BODY_BYTES {
            return Err(EventError::TooLarge { bytes: body.len() });
        }
        let raw: RawNotification = serde_json::from_str(body)?;
        let Some(records) = raw.records else {
            return match raw.event.as_deref() {
                Some("s3:TestEvent") => Ok(Self::default()),
                _ => Err(EventError::NoRecords),
            };
        };
        let mut notification = Self::default();
        for (record, raw) in records.into_iter().enumerate() {
            // S3 writes the name without the prefix "s3:" that its configuration uses.
            let name = raw.event_name.trim_start_matches("s3:");
            if !name.starts_with("ObjectCreated:") {
                notification.ignored += 1;
                continue;
            }
            let object_key =
                decode_key(&raw.s3.object.key).ok_or(EventError::KeyEncoding { record })?;
            match parse_incoming(&object_key) {
                Ok(Incoming::Trigger(scan, form)) => notification.uploads.push(UploadEvent {
                    scan,
                    form,
                    object_key,
                    version: raw.s3.object.version_id.filter(|v| v != "null"),
                }),
                Ok(Incoming::Part) | Err(_) => notification.ignored += 1,
            }
        }
        Ok(notification)
    }
}

/// Reads a batch of messages as SQS hands it to a function.
///
/// # Errors
/// When it is none.
pub fn parse_batch(body: &str) -> Result<Vec<BatchMessage>, EventError> {
    let raw: RawBatch = serde_json::from_str(body)?;
    let message = |m: RawMessage| BatchMessage {
        message_id: m.message_id,
        body: m.body,
        receive_count: m
            .attributes
            .receive_count
            .and_then(|n| n.parse().ok())
            .unwrap_or(1),
    };
    Ok(raw.records.into_iter().map(message).collect())
}

/// What S3 would send about this object; the embedded cloud sends it itself.
#[must_use]
pub fn object_created(object_key: &str, version: &str, bytes: u64) -> String {
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "object": { "key": encode_key(object_key), "size": bytes, "versionId": version }
        }
    }] })
    .to_string()
}

/// Whether the arrival of this object starts processing, and of which scan.
#[must_use]
pub fn trigger_of(object_key: &str) -> Option<(ScanKey, BundleForm)> {
    match parse_incoming(object_key) {
        Ok(Incoming::Trigger(scan, form)) => Some((scan, form)),
        _ => None,
    }
}

fn encode_key(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

fn decode_key(encoded: &str) -> Option<String> {
    let digit = |b: u8| {
        char::from(b)
            .to_digit(16)
            .and_then(|d| u8::try_from(d).ok())
    };
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// The JSON form of what SQS hands over, for tests and local invocations.
#[derive(Debug, Serialize)]
pub struct BatchResponse {
    /// The messages that are to come again.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<BatchFailure>,
}

/// One message of a batch that failed.
#[derive(Debug, Serialize)]
pub struct BatchFailure {
    /// Its `messageId`.
    #[serde(rename = "itemIdentifier")]
    pub message_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_encoding() {
        for key in [
            "incoming/praxis-nord/scan-0001/manifest.json",
            "a b+c%20/ä€.jpg",
        ] {
            assert_eq!(decode_key(&encode_key(key)).as_deref(), Some(key));
        }
        for bad in ["%", "%4", "%zz", "%ff", "%+1"] {
            assert_eq!(decode_key(bad), None, "{bad}");
        }
    }

    #[test]
    fn own_events_parse() {
        let key = "incoming/praxis-nord/scan-0001.zip";
        let parsed = Notification::parse(&object_created(key, "v1", 12)).unwrap();
        assert_eq!(parsed.ignored, 0);
        assert_eq!(parsed.uploads.len(), 1);
        assert_eq!(parsed.uploads[0].object_key, key);
        assert_eq!(parsed.uploads[0].form, BundleForm::Archive);
        assert_eq!(parsed.uploads[0].version.as_deref(), Some("v1"));
        let part = object_created("incoming/praxis-nord/scan-0001/white.jpg", "v1", 12);
        assert_eq!(
            Notification::parse(&part).unwrap(),
            Notification {
                uploads: vec![],
                ignored: 1
            }
        );
    }

    #[test]
    fn what_is_no_notification() {
        for bad in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"Records":[{}]}"#,
            r#"{"Event":"s3:Other"}"#,
        ] {
            assert!(Notification::parse(bad).is_err(), "{bad}");
        }
        let badly_encoded =
            r#"{"Records":[{"eventName":"ObjectCreated:Put","s3":{"object":{"key":"%"}}}]}"#;
        assert!(matches!(
            Notification::parse(badly_encoded),
            Err(EventError::KeyEncoding { record: 0 })
        ));
        let huge = format!("{{\"Event\":\"{}\"}}", "x".repeat(MAX_BODY_BYTES));
        assert!(matches!(
            Notification::parse(&huge),
            Err(EventError::TooLarge { .. })
        ));
    }
}
