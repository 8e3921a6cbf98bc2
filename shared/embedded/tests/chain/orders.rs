//! Duplicates, reordering, two workers at once, and a bundle that is uploaded again.

use std::sync::Arc;

use dermalia_embedded::worker::VISIBILITY_MS;
use dermalia_record::port::Cause;
use dermalia_record::{Attempt, HandleError, Phase, ReportMessage};
use dermalia_report_function::{Page, Renderer, Report, ReportFile};

use crate::rig::{EchoRenderer, Rig, scan};

const MAIL: &str = "email=anna@example.org";
const ONCE: Attempt = Attempt {
    number: 1,
    is_last: false,
};

#[tokio::test]
async fn duplicates_change_nothing() {
    let rig = Rig::new();
    let accepted = rig.upload("skin", MAIL).await;
    for _ in 0..5 {
        rig.announce(&accepted).await;
    }
    rig.settle().await;
    rig.assert_delivered("skin", 1, "doubled before").await;
    let before = rig.record().await;
    for _ in 0..3 {
        rig.announce(&accepted).await;
        rig.ports
            .reports
            .send(&ReportMessage { key: scan() }.to_json(), 0)
            .await
            .unwrap();
        rig.settle().await;
    }
    rig.assert_delivered("skin", 1, "doubled after").await;
    assert_eq!(rig.record().await, before);
}

#[tokio::test]
async fn a_report_message_before_its_findings_does_no_harm() {
    let rig = Rig::new();
    rig.ports
        .reports
        .send(&ReportMessage { key: scan() }.to_json(), 0)
        .await
        .unwrap();
    rig.settle().await;
    rig.upload("skin", MAIL).await;
    rig.ports
        .reports
        .send(&ReportMessage { key: scan() }.to_json(), 0)
        .await
        .unwrap();
    rig.settle().await;
    rig.assert_delivered("skin", 1, "early report message")
        .await;
}

#[tokio::test]
async fn two_workers_on_one_scan() {
    for _ in 0..10 {
        let rig = Rig::new();
        let accepted = rig.upload("skin", MAIL).await;
        rig.announce(&accepted).await;
        rig.announce(&accepted).await;
        let turns: Vec<_> = (0..3)
            .map(|_| {
                let rig = rig.clone();
                tokio::spawn(async move { rig.turn(&rig.ports).await })
            })
            .collect();
        for turn in turns {
            turn.await.unwrap();
        }
        rig.settle().await;
        rig.assert_delivered("skin", 1, "two workers").await;
    }
}

#[tokio::test]
async fn a_worker_that_died_holds_the_scan_only_until_its_lease_ends() {
    let rig = Rig::new();
    rig.upload("skin", MAIL).await;
    // It dies in the analysis: no lease given back, no message answered.
    let faults = dermalia_embedded::fault::Faults::at(
        6,
        dermalia_embedded::fault::When::AfterEffect,
        dermalia_embedded::fault::Then::Dies,
    );
    rig.turn(&faults.wrap(&rig.ports)).await;
    assert!(rig.record().await.lease.is_some(), "{:?}", faults.calls());
    rig.clock.advance_ms(VISIBILITY_MS);
    rig.turn(&rig.ports).await;
    assert_eq!(rig.record().await.phase(), Phase::Received);
    rig.settle().await;
    rig.assert_delivered("skin", 1, "after the lease").await;
}

#[tokio::test]
async fn a_bundle_uploaded_again_replaces_report_and_findings_but_not_the_link() {
    let rig = Rig::new();
    rig.upload("first", MAIL).await;
    rig.settle().await;
    rig.assert_delivered("first", 1, "first").await;
    let first = rig.record().await;

    let again = rig.upload("second", MAIL).await;
    rig.settle().await;
    // The patient's link shows the new report; there is no second mail.
    rig.assert_delivered("second", 1, "second").await;
    let second = rig.record().await;
    assert_eq!(
        (first.report_id, first.link),
        (second.report_id, second.link)
    );
    assert_ne!(first.run, second.run);

    // Late events of the first version find the second.
    rig.announce(&again).await;
    rig.ports
        .uploads
        .send(
            &dermalia_record::event::object_created(&again.object_key, "gone", 1),
            0,
        )
        .await
        .unwrap();
    rig.settle().await;
    rig.assert_delivered("second", 1, "late event").await;
    assert_eq!(rig.record().await, second);

    // To a new address it is announced.
    rig.upload("third", "email=anna@example.net").await;
    rig.settle().await;
    rig.assert_delivered("third", 2, "third").await;
}

#[tokio::test]
async fn a_new_upload_while_the_old_one_is_analysed() {
    let rig = Rig::new();
    rig.upload("first", MAIL).await;
    let faults = dermalia_embedded::fault::Faults::default();
    // The second version comes between the first one's claim and its end: after the
    // findings are written, before they count.
    let analyze = rig.analyze(&faults.wrap(&rig.ports));
    let taken = rig.ports.uploads.receive(1, VISIBILITY_MS).await.unwrap();
    let slow = tokio::spawn(async move { analyze.handle(&taken[0].body, ONCE).await });
    rig.upload("second", MAIL).await;
    let _first_result = slow.await.unwrap();
    rig.settle().await;
    rig.assert_delivered("second", 1, "overtaken").await;
}

#[tokio::test]
async fn folder_and_archive_of_one_scan_the_later_one_counts() {
    let rig = Rig::new();
    let folder = rig.upload("folder", "").await;
    rig.settle().await;
    rig.clock.advance_ms(1_000);
    let received = dermalia_upload::Received {
        scan: scan(),
        target: dermalia_upload::Target::Archive,
        body: dermalia_record::port::Body::Bytes(b"PK".to_vec()),
        bytes: 2,
        sha256: String::new(),
        expected_sha256: None,
    };
    let archive = dermalia_upload::accept(&rig.ports, received, &dermalia_scan::Limits::default())
        .await
        .unwrap();
    rig.announce(&archive).await;
    rig.settle().await;
    rig.assert_delivered("archive", 0, "archive").await;
    rig.announce(&folder).await;
    rig.announce(&archive).await;
    rig.announce(&folder).await;
    rig.settle().await;
    rig.assert_delivered("archive", 0, "late folder event")
        .await;
}

#[tokio::test]
async fn an_event_after_the_scan_was_removed_brings_nothing_back() {
    let rig = Rig::new();
    let accepted = rig.upload("skin", MAIL).await;
    rig.settle().await;
    let record = rig.record().await;
    rig.ports
        .records
        .remove(&record, dermalia_record::port::Cause::Erased)
        .await
        .unwrap();
    rig.expire().sweep(10, |_| Ok(())).await.unwrap();
    rig.announce(&accepted).await;
    rig.ports
        .reports
        .send(&ReportMessage { key: scan() }.to_json(), 0)
        .await
        .unwrap();
    rig.settle().await;
    assert_eq!(rig.keys_under(""), Vec::<String>::new());
    assert_eq!(rig.ports.records.get(&scan()).await.unwrap(), None);
    assert_eq!(rig.mailer.sent().len(), 1);
}

/// Removes the scan while its report is rendered.
struct Removing {
    rig: Rig,
}

impl Renderer for Removing {
    fn render(&self, findings: Vec<ReportFile>, page: &Page) -> Result<Vec<ReportFile>, String> {
        tokio::runtime::Handle::current().block_on(async {
            let record = self.rig.record().await;
            assert!(record.lease.is_some() && record.report_id.is_some());
            let records = &self.rig.ports.records;
            assert!(records.remove(&record, Cause::Erased).await.unwrap());
            self.rig.expire().sweep(10, |_| Ok(())).await.unwrap();
        });
        EchoRenderer.render(findings, page)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_removed_while_it_is_reported_leaves_nothing() {
    let rig = Rig::new();
    rig.upload("skin", MAIL).await;
    let analyze = rig.analyze(&rig.ports);
    let taken = rig.ports.uploads.receive(1, VISIBILITY_MS).await.unwrap();
    analyze.handle(&taken[0].body, ONCE).await.unwrap();
    rig.ports.uploads.ack(&taken[0].receipt).await.unwrap();

    // The record goes after the report was claimed: while it is rendered.
    let report = Report::new(
        rig.ports.clone(),
        Arc::new(Removing { rig: rig.clone() }),
        Arc::clone(&rig.key),
        Arc::clone(&rig.settings),
    );
    let message = ReportMessage { key: scan() }.to_json();
    let result = report.handle(&message, ONCE).await;
    assert!(
        matches!(result, Err(HandleError::Again { .. })),
        "{result:?}"
    );
    rig.settle().await;
    assert_eq!(rig.keys_under("reports/"), Vec::<String>::new());
    assert!(rig.mailer.sent().is_empty());
    let listing = rig.ports.objects.list("findings/", 9).await.unwrap();
    assert!(listing.objects.is_empty());
}
