//! The items of the table and their keys; DATA_MODEL.md has them all.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use dermalia_record::port::PortError;
use dermalia_record::{PracticeId, ReportId, ScanKey, ScanRecord};
use serde::de::DeserializeOwned;

/// Partition key.
pub(crate) const PK: &str = "pk";
/// Sort key.
pub(crate) const SK: &str = "sk";
/// The attribute by which the table forgets, in epoch seconds.
pub(crate) const EXPIRES: &str = "expires_at_secs";
/// Counts the changes of a record.
pub(crate) const VERSION: &str = "version";
/// The report that a scan's links reach; key of the sparse index.
pub(crate) const REPORT: &str = "report_id";
/// The index by report.
pub(crate) const BY_REPORT: &str = "by-report";
/// The document.
pub(crate) const BODY: &str = "body";
/// What the table says of a condition that does not hold.
pub(crate) const REFUSED: &[&str] = &["ConditionalCheckFailedException"];
/// What sort keys of scans begin with.
pub(crate) const SCAN: &str = "S#";

/// An item as the client has it.
pub(crate) type Item = HashMap<String, AttributeValue>;

pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

pub(crate) fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// Partition of a practice's scans.
pub(crate) fn practice_pk(practice: &PracticeId) -> String {
    format!("P#{practice}")
}

/// Sort key of a scan.
pub(crate) fn scan_sk(key: &ScanKey) -> String {
    format!("{SCAN}{}", key.scan)
}

/// Both keys of a scan.
pub(crate) fn scan_keys(key: &ScanKey) -> Item {
    Item::from([
        (PK.to_owned(), text(practice_pk(&key.practice))),
        (SK.to_owned(), text(scan_sk(key))),
    ])
}

/// A record as an item: the document, and beside it what conditions, the index and the
/// table's own expiry need to see.
pub(crate) fn of_record(operation: &'static str, record: &ScanRecord) -> Result<Item, PortError> {
    let body = serde_json::to_string(record)
        .map_err(|_| PortError::permanent("records", operation, "the record cannot be written"))?;
    let mut item = scan_keys(&record.key);
    item.insert(VERSION.to_owned(), number(record.version));
    item.insert(EXPIRES.to_owned(), number(record.expires_at_secs));
    item.insert("phase".to_owned(), text(record.phase().name()));
    item.insert(BODY.to_owned(), text(body));
    if let Some(report) = record.report_id {
        item.insert(REPORT.to_owned(), text(report.to_string()));
    }
    Ok(item)
}

/// The record in an item.
pub(crate) fn to_record(operation: &'static str, item: &Item) -> Result<ScanRecord, PortError> {
    body("records", operation, item)
}

/// The document in an item.
pub(crate) fn body<T: DeserializeOwned>(
    port: &'static str,
    operation: &'static str,
    item: &Item,
) -> Result<T, PortError> {
    // The text of the error is not passed on: it may quote the document.
    let damaged = || PortError::permanent(port, operation, "a stored item is damaged");
    let body = item.get(BODY).and_then(|b| b.as_s().ok());
    serde_json::from_str(body.ok_or_else(damaged)?).map_err(|_| damaged())
}

/// The keys that an index entry names.
pub(crate) fn keys_of(item: &Item) -> Option<Item> {
    Some(Item::from([
        (PK.to_owned(), item.get(PK)?.clone()),
        (SK.to_owned(), item.get(SK)?.clone()),
    ]))
}

/// The value of the index for a report.
pub(crate) fn report_value(report: ReportId) -> AttributeValue {
    text(report.to_string())
}
