//! The rights of patients: through the report's buttons, and with every call failing.

use dermalia_embedded::fault::{Faults, Then, When};
use dermalia_link::{Flags, Locale, ReaderRequest, RequestMessage, verify};
use dermalia_record::audit::{Action, Actor};
use dermalia_record::port::{AccessEntry, AccessKind};
use dermalia_record::{Attempt, Clock, Personal, Phase, ScanRecord};
use dermalia_rights::{Correction, Outcome, Rights, RightsError};

use crate::rig::{Rig, scan};

const ONCE: Attempt = Attempt {
    number: 1,
    is_last: false,
};

fn rights(rig: &Rig, faults: &Faults) -> Rights {
    Rights {
        ports: faults.wrap(&rig.ports),
        audit: faults.wrap_audit(&rig.audit),
        settings: std::sync::Arc::clone(&rig.settings),
        key: std::sync::Arc::clone(&rig.key),
    }
}

async fn delivered() -> (Rig, ScanRecord) {
    let rig = Rig::new();
    rig.upload("skin", "email=anna@example.org").await;
    rig.settle().await;
    let record = rig.record().await;
    (rig, record)
}

fn request(rig: &Rig, record: &ScanRecord) -> ReaderRequest {
    ReaderRequest {
        at_secs: u64::try_from(rig.clock.now_secs()).unwrap(),
        report_id: record.report_id.unwrap(),
        epoch: record.epoch.number(),
        language: Locale::De,
    }
}

async fn handle(rig: &Rig, message: &RequestMessage) -> Outcome {
    let rights = rights(rig, &Faults::default());
    rights.handle(&message.to_json(), ONCE).await.unwrap()
}

/// The token in the n-th mail.
fn token(rig: &Rig, n: usize) -> String {
    let sent = rig.mailer.sent();
    let text = &sent[n].1.text;
    let line = text.lines().find(|line| line.contains("/r/")).unwrap();
    line.rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn an_erasure_is_confirmed_by_email() {
    let (rig, record) = delivered().await;
    let asked = RequestMessage::Erase(request(&rig, &record));
    for _ in 0..2 {
        assert_eq!(handle(&rig, &asked).await, Outcome::ConfirmationAsked);
    }
    assert_eq!(
        rig.mailer.sent().len(),
        2,
        "the report's, and one to confirm"
    );
    assert_eq!(rig.record().await.phase(), Phase::Delivered);
    let now = u64::try_from(rig.clock.now_secs()).unwrap();
    let claims = verify(&token(&rig, 1), &rig.keys(), now).unwrap();
    assert_eq!(claims.flags, Flags::CONFIRM_ERASURE);
    assert_eq!(Some(claims.report_id), record.report_id);

    // A link of an epoch that was revoked since asks for nothing.
    let mut old = request(&rig, &record);
    old.epoch += 1;
    let confirmed = RequestMessage::EraseConfirmed(old);
    assert_eq!(handle(&rig, &confirmed).await, Outcome::Void);
    assert_eq!(rig.record().await.phase(), Phase::Delivered);

    let confirmed = RequestMessage::EraseConfirmed(request(&rig, &record));
    assert_eq!(handle(&rig, &confirmed).await, Outcome::Erased);
    assert_eq!(handle(&rig, &confirmed).await, Outcome::Void, "it is gone");
    assert_eq!(rig.keys_under(""), Vec::<String>::new());
    let log = rig
        .audit
        .about(&scan().practice, &scan().scan)
        .await
        .unwrap();
    let actions: Vec<Action> = log.iter().map(|entry| entry.action).collect();
    assert_eq!(
        actions,
        [Action::ErasureAsked, Action::ErasureBegun, Action::Erased]
    );
    assert!(log.iter().all(|entry| entry.actor == Actor::Patient));
    assert!(!serde_json::to_string(&log).unwrap().contains("anna"));
}

#[tokio::test]
async fn a_renewed_link_goes_by_email_once() {
    let (rig, record) = delivered().await;
    rig.clock.advance_ms(20 * 86_400_000);
    let now = u64::try_from(rig.clock.now_secs()).unwrap();
    assert!(
        verify(&token(&rig, 0), &rig.keys(), now).is_err(),
        "expired"
    );
    let renew = RequestMessage::Renew(request(&rig, &record));
    for _ in 0..3 {
        assert_eq!(handle(&rig, &renew).await, Outcome::Renewed);
    }
    assert_eq!(rig.mailer.sent().len(), 2);
    let claims = verify(&token(&rig, 1), &rig.keys(), now).unwrap();
    let record = rig.record().await;
    assert!(claims.authorises(record.report_id.unwrap(), record.epoch.number()));
}

#[tokio::test]
async fn an_objection_ends_usage_events() {
    let (rig, record) = delivered().await;
    let report = record.report_id.unwrap();
    for kind in [AccessKind::Access, AccessKind::Usage] {
        let entry = AccessEntry {
            report,
            id: "one".to_owned(),
            at_secs: rig.clock.now_secs(),
            kind,
            body: "{}".to_owned(),
            expires_at_secs: record.expires_at_secs,
        };
        rig.ports.accesses.put(entry).await.unwrap();
    }
    let object = RequestMessage::Object(request(&rig, &record));
    for _ in 0..2 {
        assert_eq!(handle(&rig, &object).await, Outcome::Objected);
    }
    let left = rig.ports.accesses.list(report, 9).await.unwrap();
    assert!(left.len() == 1 && left[0].kind == AccessKind::Access);
    let page = format!("reports/{report}/report.html");
    let usage = |rig: &Rig| {
        rig.objects.snapshot()[&page]
            .head
            .metadata
            .get("usage")
            .cloned()
    };
    assert_eq!(usage(&rig).as_deref(), Some("off"));
    let rights = rights(&rig, &Faults::default());
    rights.object(&scan(), Actor::Operator, true).await.unwrap();
    assert_eq!(usage(&rig), None);
    let log = rig
        .audit
        .about(&scan().practice, &scan().scan)
        .await
        .unwrap();
    assert_eq!(log.len(), 2, "{log:?}");
}

#[tokio::test]
async fn another_practice_reaches_nothing() {
    let (rig, record) = delivered().await;
    let mut other = scan();
    other.practice = "praxis-sued".parse().unwrap();
    let rights = rights(&rig, &Faults::default());
    let correction = Correction {
        email: Some(None),
        ..Correction::default()
    };
    let actor = Actor::Operator;
    let refused = [
        rights.access(&other, actor).await.err(),
        rights.portability(&other, actor).await.err(),
        rights.rectify(&other, &correction, actor).await.err(),
        rights.erase(&other, actor).await.err(),
        rights.restrict(&other, actor).await.err(),
        rights.lift_restriction(&other, actor).await.err(),
        rights.object(&other, actor, false).await.err(),
        rights.certificate(&other).await.err(),
    ];
    for (n, error) in refused.iter().enumerate() {
        assert!(matches!(error, Some(RightsError::NoScan)), "{n}: {error:?}");
    }
    assert_eq!(rig.record().await, record);
    assert!(rig.audit.store.practices().await.unwrap().is_empty());
}

fn variants(calls: usize) -> Vec<(usize, When, Then)> {
    let mut all = Vec::new();
    for index in 0..calls {
        for when in [When::BeforeEffect, When::AfterEffect] {
            for then in [Then::Recovers, Then::Dies] {
                all.push((index, when, then));
            }
        }
    }
    all
}

#[tokio::test]
async fn any_call_may_fail_while_a_scan_is_erased() {
    let (rig, _) = delivered().await;
    let faults = Faults::default();
    rights(&rig, &faults)
        .erase(&scan(), Actor::Operator)
        .await
        .unwrap();
    let calls = faults.calls();
    for (index, when, then) in variants(calls.len()) {
        let context = format!("call {index} {:?}, {when:?}, {then:?}", calls[index]);
        let (rig, _) = delivered().await;
        let faults = Faults::at(index, when, then);
        let rights = rights(&rig, &faults);
        let first = rights.erase(&scan(), Actor::Operator).await;
        faults.heal();
        let second = rights.erase(&scan(), Actor::Operator).await.unwrap();
        if let Ok(first) = first {
            assert_eq!(first, second, "{context}");
        }
        rig.expire().sweep(9, |_| Ok(())).await.unwrap();
        assert_eq!(rig.keys_under(""), Vec::<String>::new(), "{context}");
        assert!(second.is_signed_by(&[rig.audit.key.public()]));
        assert_eq!(second.deleted.objects, 4, "{context}");
        let log = rig
            .audit
            .about(&scan().practice, &scan().scan)
            .await
            .unwrap();
        assert_eq!(log.len(), 2, "{context}: {log:?}");
        let keys = rig.ports.vault.keys.scans(None, 9).await.unwrap();
        assert!(keys.is_empty(), "{context}");
    }
}

#[tokio::test]
async fn any_call_may_fail_while_a_name_is_corrected() {
    let correction = Correction {
        first_name: Some(Some(Personal::new("Änne".to_owned()))),
        email: Some(Some(Personal::new("aenne@example.org".to_owned()))),
    };
    let (rig, _) = delivered().await;
    let faults = Faults::default();
    rights(&rig, &faults)
        .rectify(&scan(), &correction, Actor::Operator)
        .await
        .unwrap();
    let calls = faults.calls();
    for (index, when, then) in variants(calls.len()) {
        let context = format!("call {index} {:?}, {when:?}, {then:?}", calls[index]);
        let (rig, before) = delivered().await;
        let faults = Faults::at(index, when, then);
        let rights = rights(&rig, &faults);
        drop(rights.rectify(&scan(), &correction, Actor::Operator).await);
        faults.heal();
        rights
            .rectify(&scan(), &correction, Actor::Operator)
            .await
            .unwrap();
        rig.settle().await;
        let record = rig.record().await;
        assert_eq!(record.phase(), Phase::Delivered, "{context}");
        assert!(record.epoch > before.epoch, "{context}");
        let page = format!("reports/{}/report.html", record.report_id.unwrap());
        let page = &rig.objects.snapshot()[&page];
        let text = String::from_utf8_lossy(&page.bytes).into_owned();
        assert!(text.contains("Änne") && !text.contains("Anna"), "{context}");
        let epoch = record.epoch.number().to_string();
        assert_eq!(page.head.metadata["epoch"], epoch, "{context}");
        let sent = rig.mailer.sent();
        assert_eq!(sent.len(), 2, "{context}");
        assert_eq!(sent[1].1.to.reveal(), "aenne@example.org", "{context}");
        let now = u64::try_from(rig.clock.now_secs()).unwrap();
        let opens = |n| {
            let claims = verify(&token(&rig, n), &rig.keys(), now).unwrap();
            claims.authorises(record.report_id.unwrap(), record.epoch.number())
        };
        assert_eq!((opens(0), opens(1)), (false, true), "{context}");
    }
}

#[tokio::test]
async fn a_correction_must_be_one() {
    let (rig, record) = delivered().await;
    let rights = rights(&rig, &Faults::default());
    for (name, email) in [
        (Some(""), None),
        (Some("a\nb"), None),
        (None, Some("nobody")),
        (None, Some("a@b.de,c@d.de")),
    ] {
        let field = |text: Option<&str>| text.map(|t| Some(Personal::new(t.to_owned())));
        let correction = Correction {
            first_name: field(name),
            email: field(email),
        };
        let error = rights.rectify(&scan(), &correction, Actor::Operator).await;
        assert!(matches!(error, Err(RightsError::Value { .. })), "{error:?}");
    }
    assert_eq!(rig.record().await, record);
}
