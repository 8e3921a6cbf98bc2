//! What becomes of the edge's messages.

#![allow(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::sync::Arc;

use dermalia_access::{Access, LIFE_DAYS, Outcome};
use dermalia_embedded::{Database, SqliteAccesses, SqliteRecords, conformance};
use dermalia_record::port::{AccessKind, RecordStore, Written};
use dermalia_record::{Clock, ManualClock, ReportId};

const REPORT: [u8; 16] = [7; 16];

async fn access(has_objected: bool, expires_at_secs: i64) -> (Access, ManualClock) {
    let clock = ManualClock::at_ms(1_000_000);
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let database = Database::in_memory().unwrap();
    let records = SqliteRecords::new(database.clone(), Arc::clone(&shared));
    let fresh = conformance::sample("scan-0001", expires_at_secs).unwrap();
    let Written::Done(mut record) = records.insert(fresh).await.unwrap() else {
        unreachable!("the store is empty")
    };
    record.report_id = Some(ReportId::from_bytes(REPORT));
    record.has_objected = has_objected;
    records.update(*record).await.unwrap();
    let access = Access {
        records: Arc::new(records),
        accesses: Arc::new(SqliteAccesses::new(database, Arc::clone(&shared))),
        clock: shared,
    };
    (access, clock)
}

fn opened(report: [u8; 16]) -> String {
    let report = ReportId::from_bytes(report);
    format!(
        r#"{{"kind":"access","at_secs":999,"report_id":"{report}","network":"198.51.100.0/24","browser":"firefox","device":"phone"}}"#
    )
}

fn used() -> String {
    let report = ReportId::from_bytes(REPORT);
    format!(r#"{{"kind":"usage","at_secs":999,"report_id":"{report}","action":"page_view"}}"#)
}

#[tokio::test]
async fn an_access_is_kept_once_and_for_a_short_time() {
    let (access, clock) = access(false, i64::MAX).await;
    for _ in 0..2 {
        let outcome = access.handle("message-1", &opened(REPORT)).await.unwrap();
        assert_eq!(outcome, Outcome::Kept);
    }
    access.handle("message-2", &used()).await.unwrap();
    let report = ReportId::from_bytes(REPORT);
    let kept = access.accesses.list(report, 9).await.unwrap();
    let kinds: Vec<AccessKind> = kept.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [AccessKind::Access, AccessKind::Usage]);
    assert_eq!(kept[0].expires_at_secs, 1_000 + LIFE_DAYS * 86_400);
    clock.advance_to_secs(1_000 + LIFE_DAYS * 86_400);
    assert!(access.accesses.list(report, 9).await.unwrap().is_empty());
}

#[tokio::test]
async fn no_entry_outlives_its_scan() {
    let (access, _) = access(false, 2_000).await;
    access.handle("message-1", &opened(REPORT)).await.unwrap();
    let kept = access
        .accesses
        .list(ReportId::from_bytes(REPORT), 9)
        .await
        .unwrap();
    assert_eq!(kept[0].expires_at_secs, 2_000);
}

#[tokio::test]
async fn what_is_dropped() {
    let (access, clock) = access(true, 2_000).await;
    let outcome = |id: &'static str, body: String| {
        let access = access.clone();
        async move { access.handle(id, &body).await.unwrap() }
    };
    assert_eq!(outcome("a", used()).await, Outcome::Objected);
    assert_eq!(outcome("b", opened(REPORT)).await, Outcome::Kept);
    assert_eq!(outcome("c", opened([8; 16])).await, Outcome::NoReport);
    clock.advance_to_secs(2_000);
    assert_eq!(outcome("d", opened(REPORT)).await, Outcome::NoReport);
    // A message that is none says so without a word of what it was.
    let canary = r#"{"kind":"access","name":"Kanarie"}"#;
    let error = access.handle("e", canary).await.unwrap_err().to_string();
    assert!(!error.contains("Kanarie"), "{error}");
}
