//! The stream's events as they come: `events/dynamodb_*.json`.

#![allow(clippy::unwrap_used, reason = "a test ends where something is missing")]

use dermalia_cloud::stream::removals;
use dermalia_record::port::Cause;

#[test]
fn a_removal_by_the_table_itself() {
    let event = include_str!("../../../events/dynamodb_ttl_removal.json");
    let found = removals(event).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].sequence_number, "111100000000000000001");
    let removal = found[0].removal.as_ref().unwrap();
    assert_eq!(removal.cause, Cause::Expired);
    assert_eq!(
        removal.record.key.to_string(),
        "praxis-nord/D9-20240514-000123"
    );
    assert!(removal.record.report_id.is_some());
}

#[test]
fn only_removals_of_scans_count() {
    let event = include_str!("../../../events/dynamodb_batch.json");
    let found = removals(event).unwrap();
    let causes: Vec<Cause> = found
        .iter()
        .map(|removal| removal.removal.as_ref().unwrap().cause)
        .collect();
    assert_eq!(causes, [Cause::Expired, Cause::Erased]);
}

#[test]
fn what_cannot_be_read_is_told_by_its_number() {
    let event = include_str!("../../../events/dynamodb_ttl_removal.json");
    let damaged = event.replace("\\\"phase\\\"", "\\\"fase\\\"");
    let found = removals(&damaged).unwrap();
    assert!(found[0].removal.is_err());
    assert_eq!(found[0].sequence_number, "111100000000000000001");
    assert!(removals("{}").is_err());
    // The identity alone decides when the time of the removal is not known.
    let unknown = event
        .replace("\"type\": \"Service\"", "\"type\": \"User\"")
        .replace("\"ApproximateCreationDateTime\": 1778750000.0,", "");
    let found = removals(&unknown).unwrap();
    assert_eq!(found[0].removal.as_ref().unwrap().cause, Cause::Erased);
}
