//! What a report tells of the scan before, and how it stops.

use std::sync::Arc;

use dermalia_embedded::fault::{Faults, Then, When};
use dermalia_record::audit::Actor;
use dermalia_record::port::RecordStore;
use dermalia_record::{META_COMPARED, META_RENEWAL, Phase, Practice, ScanKey, ScanRecord};
use dermalia_report_function::{Page, Renderer, Report, ReportFile};
use dermalia_rights::{Correction, Rights};
use dermalia_sweep::{Found, Sweep};

use crate::rig::{EchoRenderer, Rig, scan, scan_named};

const LATER: &str = "scan-0002";

fn rights(rig: &Rig, faults: &Faults) -> Rights {
    Rights {
        ports: faults.wrap(&rig.ports),
        audit: faults.wrap_audit(&rig.audit),
        settings: Arc::clone(&rig.settings),
        key: Arc::clone(&rig.key),
    }
}

async fn swept(rig: &Rig) -> Found {
    let sweep = Sweep {
        ports: rig.ports.clone(),
        audit: rig.audit.clone(),
        settings: Arc::clone(&rig.settings),
    };
    let found = sweep.full(|_| Ok(())).await.unwrap();
    rig.settle().await;
    found
}

async fn record(rig: &Rig, key: &ScanKey) -> ScanRecord {
    rig.records.get(key).await.unwrap().expect("a record")
}

/// What the report of the later scan says; nothing if it is not there. It shows something of
/// the scan before exactly where it tells of it.
async fn page(rig: &Rig) -> Option<String> {
    let told = page_alone(rig).await;
    let report = record(rig, &scan_named(LATER)).await.report_id.unwrap();
    let key = format!("reports/{report}/heat_previous_pores.webp");
    let shown = rig.objects.snapshot_of(&key);
    let is_told = told.as_ref().is_some_and(|page| page.contains("before:"));
    assert_eq!(shown.is_some(), is_told, "{told:?}");
    if let Some(shown) = shown {
        assert!(shown.head.metadata.contains_key(META_COMPARED));
    }
    told
}

async fn page_alone(rig: &Rig) -> Option<String> {
    let report = record(rig, &scan_named(LATER)).await.report_id.unwrap();
    let key = format!("reports/{report}/report.html");
    let page = rig.objects.snapshot_of(&key)?;
    if page.head.metadata.contains_key(META_RENEWAL) {
        assert!(!String::from_utf8(page.bytes).unwrap().contains("before"));
        return None;
    }
    Some(String::from_utf8(page.bytes).unwrap())
}

async fn tells(rig: &Rig) -> bool {
    page(rig)
        .await
        .unwrap()
        .contains("before: {\"skin\":\"first\"}")
}

/// Whether the link of the later scan says that its report is being drawn anew.
async fn is_announced(rig: &Rig) -> bool {
    let record = record(rig, &scan_named(LATER)).await;
    let report = record.report_id.unwrap();
    let page = rig
        .objects
        .snapshot_of(&format!("reports/{report}/report.html"));
    let Some(page) = page.filter(|page| page.head.metadata.contains_key(META_RENEWAL)) else {
        return false;
    };
    // Of the same link, and no longer than the report.
    let said = |name: &str| page.head.metadata.get(name).cloned();
    assert_eq!(said("epoch"), Some(record.epoch.number().to_string()));
    assert_eq!(said("until"), Some(record.expires_at_secs.to_string()));
    assert_eq!(said("code-argon2id"), record.code_hash);
    assert_eq!(said("run"), None);
    true
}

/// Two scans, the later of which is compared with the earlier.
async fn compared() -> Rig {
    let rig = Rig::new();
    rig.upload("first", "").await;
    rig.settle().await;
    rig.upload_as(
        LATER,
        "second",
        "previous=scan-0001\nemail=anna@example.org",
    )
    .await;
    rig.settle().await;
    assert!(tells(&rig).await);
    let earlier = record(&rig, &scan()).await;
    assert_eq!(
        earlier.later_keys().collect::<Vec<_>>(),
        [scan_named(LATER)]
    );
    rig
}

#[tokio::test]
async fn a_page_loses_the_numbers_of_a_scan_that_is_erased() {
    let rig = compared().await;
    let before = record(&rig, &scan_named(LATER)).await;
    let rights = rights(&rig, &Faults::default());
    rights.erase(&scan(), Actor::Operator).await.unwrap();
    // At once, before it is drawn anew.
    assert_eq!(page(&rig).await, None);
    assert!(is_announced(&rig).await);
    rig.settle().await;
    assert!(!tells(&rig).await);
    let after = record(&rig, &scan_named(LATER)).await;
    assert_eq!((after.link, after.epoch), (before.link, before.epoch));
    assert_eq!(rig.mailer.sent().len(), 1, "the link is the same");
    assert_eq!(after.phase(), Phase::Delivered);
    assert!(!is_announced(&rig).await);
    rig.expire().sweep(9, |_| Ok(())).await.unwrap();
    assert!(swept(&rig).await.is_empty());
}

#[tokio::test]
async fn a_restricted_scan_is_told_of_again_when_it_is_lifted() {
    let rig = compared().await;
    let rights = rights(&rig, &Faults::default());
    rights.restrict(&scan(), Actor::Operator).await.unwrap();
    assert_eq!(page(&rig).await, None);
    rig.settle().await;
    assert!(!tells(&rig).await);
    rights
        .lift_restriction(&scan(), Actor::Operator)
        .await
        .unwrap();
    rig.settle().await;
    assert!(tells(&rig).await);
}

#[tokio::test]
async fn a_comparison_ends_before_the_earlier_scan() {
    let rig = compared().await;
    let end = record(&rig, &scan()).await.expires_at_secs;
    rig.clock.advance_to_secs(end - 3 * 86_400);
    swept(&rig).await;
    assert!(tells(&rig).await);
    rig.clock.advance_to_secs(end - 86_400);
    assert_eq!(swept(&rig).await.taken_back, 1);
    assert!(!tells(&rig).await);
}

#[tokio::test]
async fn an_expired_scan_is_told_of_no_more_without_a_sweep() {
    let rig = compared().await;
    // The later scan is kept longer: its practice gave it more time after the first ended.
    let mut later = record(&rig, &scan_named(LATER)).await;
    later.expires_at_secs += 9_000_000;
    rig.ports.records.update(later).await.unwrap();
    let end = record(&rig, &scan()).await.expires_at_secs;
    rig.clock.advance_to_secs(end);
    rig.expire().sweep(9, |_| Ok(())).await.unwrap();
    assert_eq!(page(&rig).await, None);
    rig.settle().await;
    assert!(!tells(&rig).await);
}

#[tokio::test]
async fn a_new_version_of_the_earlier_scan_is_compared_anew() {
    let rig = compared().await;
    rig.upload("better", "").await;
    rig.settle().await;
    let page = page(&rig).await.unwrap();
    assert!(page.contains("before: {\"skin\":\"better\"}"), "{page}");
}

#[tokio::test]
async fn an_earlier_scan_that_comes_later_is_found_by_the_sweep() {
    let rig = Rig::new();
    rig.upload_as(LATER, "second", "previous=scan-0001").await;
    rig.settle().await;
    assert!(!tells(&rig).await);
    rig.upload("first", "").await;
    rig.settle().await;
    assert_eq!(swept(&rig).await.reports_asked, 1);
    assert!(tells(&rig).await);
    assert!(swept(&rig).await.is_empty());
}

#[tokio::test]
async fn another_practice_s_scan_is_never_told_of() {
    let rig = Rig::new();
    rig.upload("first", "").await;
    rig.settle().await;
    let mut other = scan_named(LATER);
    other.practice = "praxis-sued".parse().unwrap();
    rig.upload_of(&other, "second", "previous=scan-0001").await;
    rig.settle().await;
    let report = record(&rig, &other).await.report_id.unwrap();
    let page = &rig.objects.snapshot()[&format!("reports/{report}/report.html")];
    assert!(!String::from_utf8_lossy(&page.bytes).contains("before:"));
    assert_eq!(record(&rig, &scan()).await.later_keys().count(), 0);
}

#[tokio::test]
async fn an_erased_later_scan_is_forgotten_by_the_earlier() {
    let rig = compared().await;
    let rights = rights(&rig, &Faults::default());
    rights
        .erase(&scan_named(LATER), Actor::Operator)
        .await
        .unwrap();
    assert_eq!(record(&rig, &scan()).await.later_keys().count(), 0);
}

#[tokio::test]
async fn an_announced_report_that_is_erased_leaves_nothing() {
    let rig = compared().await;
    let report = record(&rig, &scan_named(LATER)).await.report_id.unwrap();
    let rights = rights(&rig, &Faults::default());
    rights.erase(&scan(), Actor::Operator).await.unwrap();
    assert!(is_announced(&rig).await);
    let later = scan_named(LATER);
    rights.erase(&later, Actor::Operator).await.unwrap();
    // Whoever took it back is late, and knows the record as it was.
    rig.ports.announce_renewal(&later).await.unwrap();
    rig.settle().await;
    let key = format!("reports/{report}/report.html");
    assert!(rig.objects.snapshot_of(&key).is_none());
}

#[tokio::test]
async fn no_page_is_replaced_by_the_word_that_it_comes() {
    let rig = compared().await;
    let later = scan_named(LATER);
    rig.ports.announce_renewal(&later).await.unwrap();
    assert!(tells(&rig).await);
    // Nor does anything come for a report that nobody was sent yet.
    let rig = Rig::new();
    rig.upload_as(LATER, "second", "").await;
    rig.ports.announce_renewal(&later).await.unwrap();
    assert!(
        rig.objects
            .snapshot()
            .keys()
            .all(|key| !key.starts_with("reports/"))
    );
}

/// Restricts the earlier scan while the later one is being rendered.
struct Racing {
    rig: Rig,
}

impl Renderer for Racing {
    fn render(&self, findings: Vec<ReportFile>, page: &Page) -> Result<Vec<ReportFile>, String> {
        if page.previous.is_some() {
            let rights = rights(&self.rig, &Faults::default());
            let key = scan();
            let restricted = rights.restrict(&key, Actor::Patient);
            tokio::runtime::Handle::current()
                .block_on(restricted)
                .map_err(|e| e.to_string())?;
        }
        EchoRenderer.render(findings, page)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_restricted_while_the_later_one_is_rendered_is_not_told_of() {
    let rig = compared().await;
    // Drawn anew, for whatever reason.
    let correction = Correction {
        first_name: Some(None),
        email: None,
    };
    rights(&rig, &Faults::default())
        .rectify(&scan_named(LATER), &correction, Actor::Operator)
        .await
        .unwrap();
    let racing = Report::new(
        rig.ports.clone(),
        Arc::new(Racing { rig: rig.clone() }),
        Arc::clone(&rig.key),
        Arc::clone(&rig.settings),
    );
    let taken = rig
        .ports
        .reports
        .receive(1, 30_000)
        .await
        .unwrap()
        .remove(0);
    let attempt = dermalia_record::Attempt::from(&taken);
    assert!(racing.handle(&taken.body, attempt).await.is_err());
    assert_eq!(page(&rig).await, None);
    rig.ports
        .reports
        .release(&taken.receipt, 0, "again")
        .await
        .unwrap();
    rig.settle().await;
    assert!(!tells(&rig).await);
}

#[tokio::test]
async fn any_call_may_fail_while_a_scan_with_a_later_one_is_erased() {
    let rig = compared().await;
    let faults = Faults::default();
    rights(&rig, &faults)
        .erase(&scan(), Actor::Operator)
        .await
        .unwrap();
    let calls = faults.calls();
    assert!(calls.len() > 20, "{calls:?}");
    for (index, call) in calls.iter().enumerate() {
        for (when, then) in [
            (When::BeforeEffect, Then::Dies),
            (When::AfterEffect, Then::Dies),
            (When::AfterEffect, Then::Recovers),
        ] {
            let context = format!("call {index} {call:?}, {when:?}, {then:?}");
            let rig = compared().await;
            let faults = Faults::at(index, when, then);
            drop(rights(&rig, &faults).erase(&scan(), Actor::Operator).await);
            faults.heal();
            let rights = rights(&rig, &faults);
            rights.erase(&scan(), Actor::Operator).await.unwrap();
            assert!(
                page(&rig)
                    .await
                    .is_none_or(|page| !page.contains("before:")),
                "{context}"
            );
            rig.expire().sweep(9, |_| Ok(())).await.unwrap();
            rig.settle().await;
            // What died between taking back and asking is what the sweep is for.
            swept(&rig).await;
            let page = page(&rig).await;
            assert!(page.is_some_and(|p| !p.contains("before:")), "{context}");
        }
    }
}

#[tokio::test]
async fn any_call_may_fail_while_a_later_scan_is_reported() {
    let taken = async |rig: &Rig, faults: &Faults| {
        rig.upload("first", "").await;
        rig.settle().await;
        rig.upload_as(LATER, "second", "previous=scan-0001").await;
        for _ in 0..3 {
            rig.turn(&faults.wrap(&rig.ports)).await;
        }
    };
    let faults = Faults::default();
    taken(&Rig::new(), &faults).await;
    let calls = faults.calls();
    for index in 0..calls.len() {
        for when in [When::BeforeEffect, When::AfterEffect] {
            let context = format!("call {index} {:?}, {when:?}", calls[index]);
            let (rig, faults) = (Rig::new(), Faults::at(index, when, Then::Dies));
            taken(&rig, &faults).await;
            rig.restart().await;
            // Erased while the later one hangs in the air, wherever that is.
            rights(&rig, &Faults::default())
                .erase(&scan(), Actor::Operator)
                .await
                .unwrap();
            let later = rig.records.get(&scan_named(LATER)).await.unwrap();
            if later.is_some_and(|later| later.report_id.is_some()) {
                let page = page(&rig).await.unwrap_or_default();
                assert!(!page.contains("before:"), "{context}");
            }
            rig.settle().await;
            swept(&rig).await;
            assert!(!tells(&rig).await, "{context}");
        }
    }
}

#[tokio::test]
async fn a_changed_agreement_is_told_by_the_page() {
    let rig = Rig::new();
    rig.upload_as(LATER, "second", "email=anna@example.org")
        .await;
    rig.settle().await;
    let before = record(&rig, &scan_named(LATER)).await;
    assert!(
        page(&rig)
            .await
            .unwrap()
            .contains(&format!("until {}", before.expires_at_secs))
    );
    let mut practice = Practice::new(before.key.practice.clone());
    practice.retention_months = 6;
    rig.ports.practices.put(practice).await.unwrap().unwrap();
    let found = swept(&rig).await;
    assert_eq!((found.redated, found.reports_asked), (1, 1));
    let after = record(&rig, &scan_named(LATER)).await;
    let end = dermalia_record::expires_at_secs(crate::rig::CAPTURED_AT, 6).unwrap();
    assert_eq!(after.expires_at_secs, end);
    assert!(page(&rig).await.unwrap().contains(&format!("until {end}")));
    assert_eq!(rig.mailer.sent().len(), 1, "nobody is written to");
    assert_eq!((after.link, after.epoch), (before.link, before.epoch));
    assert!(swept(&rig).await.is_empty());
}

#[tokio::test]
async fn a_new_upload_that_is_lost_leaves_the_scan_as_it_was() {
    let rig = compared().await;
    rig.upload("better", "").await;
    // Claimed, then the worker died, the event was lost, and the files went.
    let calls = {
        let faults = Faults::default();
        let other = compared().await;
        other.upload("better", "").await;
        other.turn(&faults.wrap(&other.ports)).await;
        faults.calls()
    };
    let update = calls.iter().position(|call| *call == ("records", "update"));
    let faults = Faults::at(update.unwrap(), When::AfterEffect, Then::Dies);
    rig.turn(&faults.wrap(&rig.ports)).await;
    rig.restart().await;
    assert_eq!(rig.record().await.phase(), Phase::Received);
    let lost = rig.ports.uploads.receive(1, 1_000).await.unwrap().remove(0);
    rig.ports.uploads.ack(&lost.receipt).await.unwrap();
    rig.ports.objects.delete_prefix("incoming/").await.unwrap();
    swept(&rig).await;
    assert_eq!(rig.record().await.phase(), Phase::Delivered);
    assert!(tells(&rig).await);
}
