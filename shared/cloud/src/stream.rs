//! Removals as the table's stream hands them to a function.
//!
//! A removal by the table's own expiry has the identity `dynamodb.amazonaws.com` of type
//! `Service`; every other one was asked for. An item that this system removed because its
//! time was up counts as expired too.

use std::collections::BTreeMap;

use dermalia_record::ScanRecord;
use dermalia_record::port::{Cause, Removal};
use serde::{Deserialize, Serialize};

use crate::item::{BODY, SCAN, SK};

/// Why a stream event is none.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// Not of the documented form.
    #[error("stream event: {0}")]
    Json(#[from] serde_json::Error),
}

/// One record of the stream that concerns us.
#[derive(Debug)]
pub struct StreamRemoval {
    /// By which a partial batch response names it.
    pub sequence_number: String,
    /// What was removed, or why that cannot be told.
    pub removal: Result<Removal, String>,
}

#[derive(Deserialize)]
struct RawEvent {
    #[serde(rename = "Records")]
    records: Vec<RawRecord>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawRecord {
    event_name: String,
    dynamodb: RawChange,
    user_identity: Option<RawIdentity>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawChange {
    approximate_creation_date_time: Option<f64>,
    sequence_number: String,
    #[serde(default)]
    keys: BTreeMap<String, RawValue>,
    old_image: Option<BTreeMap<String, RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawIdentity {
    principal_id: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct RawValue {
    #[serde(rename = "S")]
    text: Option<String>,
}

/// The removals of scans in a stream event, in its order. Insertions, changes and the
/// removals of other items are passed over.
///
/// # Errors
/// When it is no stream event.
pub fn removals(event: &str) -> Result<Vec<StreamRemoval>, StreamError> {
    let raw: RawEvent = serde_json::from_str(event)?;
    let is_scan = |r: &RawRecord| {
        let sk = r.dynamodb.keys.get(SK).and_then(|v| v.text.as_deref());
        r.event_name == "REMOVE" && sk.is_some_and(|sk| sk.starts_with(SCAN))
    };
    Ok(raw
        .records
        .into_iter()
        .filter(is_scan)
        .enumerate()
        .map(|(place, record)| StreamRemoval {
            sequence_number: record.dynamodb.sequence_number.clone(),
            removal: removal(u64::try_from(place).unwrap_or(u64::MAX), &record),
        })
        .collect())
}

fn removal(sequence: u64, record: &RawRecord) -> Result<Removal, String> {
    let image = record.dynamodb.old_image.as_ref();
    let body = image
        .and_then(|i| i.get(BODY))
        .and_then(|v| v.text.as_deref())
        .ok_or("the stream record has no old image")?;
    // The text of the error is not passed on: it may quote the record.
    let mut scan: ScanRecord =
        serde_json::from_str(body).map_err(|_| "the old image is damaged")?;
    let by_the_table = record
        .user_identity
        .as_ref()
        .is_some_and(|i| i.kind == "Service" && i.principal_id == "dynamodb.amazonaws.com");
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds of our time")]
    let removed_at = record
        .dynamodb
        .approximate_creation_date_time
        .map(|at| at as i64);
    let was_due = removed_at.is_some_and(|at| scan.is_expired(at));
    // What follows needs to know what belonged to the scan, not to whom.
    scan.first_name = None;
    scan.email = None;
    Ok(Removal {
        sequence,
        record: scan,
        cause: if by_the_table || was_due {
            Cause::Expired
        } else {
            Cause::Erased
        },
    })
}

/// The answer to a batch: which records are to come again.
#[derive(Debug, Default, Serialize)]
pub struct BatchAnswer {
    /// Those that were not dealt with.
    #[serde(rename = "batchItemFailures")]
    pub failures: Vec<BatchItem>,
}

/// One of a batch.
#[derive(Debug, Serialize)]
pub struct BatchItem {
    /// `messageId` of a queue, `SequenceNumber` of a stream.
    #[serde(rename = "itemIdentifier")]
    pub identifier: String,
}
