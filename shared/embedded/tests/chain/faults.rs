//! Every call of every port fails once, before and after its effect, alone or with the
//! death of the process. The calls are counted in a first run, not picked by hand.

use dermalia_embedded::fault::{Faults, Then, When};
use dermalia_record::Phase;

use crate::rig::{Rig, scan};

const MAIL: &str = "email=anna@example.org";

/// Drives a chain with a fault in it to its end.
async fn run(rig: &Rig, faults: &Faults) {
    let ports = faults.wrap(&rig.ports);
    for _ in 0..200 {
        rig.turn(&ports).await;
        if faults.is_dead() {
            faults.heal();
            rig.restart().await;
        }
        let mut left = 0;
        for queue in &rig.queues {
            let depth = dermalia_record::port::Queue::depth(queue).await.unwrap();
            left += depth.waiting + depth.in_flight;
        }
        if left == 0 {
            return;
        }
        // Past every back-off, visibility and lease in turn.
        rig.clock.advance_ms(20_000);
    }
    panic!("the chain does not end: {:?}", faults.calls());
}

/// The number of port calls in a chain without a fault.
async fn calls_of(manifest: &str) -> Vec<(&'static str, &'static str)> {
    let rig = Rig::new();
    rig.upload("skin", manifest).await;
    let faults = Faults::default();
    run(&rig, &faults).await;
    faults.calls()
}

fn variants(calls: usize) -> impl Iterator<Item = (usize, When, Then)> {
    (0..calls).flat_map(|index| {
        [When::BeforeEffect, When::AfterEffect]
            .into_iter()
            .flat_map(move |when| {
                [Then::Recovers, Then::Dies]
                    .into_iter()
                    .map(move |then| (index, when, then))
            })
    })
}

#[tokio::test]
async fn any_call_may_fail() {
    let calls = calls_of(MAIL).await;
    for needed in [
        ("objects", "put"),
        ("records", "update"),
        ("queue", "ack"),
        ("mailer", "send"),
    ] {
        assert!(calls.contains(&needed), "{needed:?} in {calls:?}");
    }
    assert!(calls.len() > 25, "{calls:?}");
    for (index, when, then) in variants(calls.len()) {
        let rig = Rig::new();
        rig.upload("skin", MAIL).await;
        run(&rig, &Faults::at(index, when, then)).await;
        let context = format!("call {index} {:?}, {when:?}, {then:?}", calls[index]);
        rig.assert_delivered("skin", 1, &context).await;
    }
}

#[tokio::test]
async fn any_call_may_fail_while_a_bundle_is_refused() {
    let manifest = "refuse=patient.date_of_birth: not accepted";
    let calls = calls_of(manifest).await;
    assert!(calls.contains(&("objects", "delete_version")), "{calls:?}");
    for (index, when, then) in variants(calls.len()) {
        let rig = Rig::new();
        rig.upload("skin", manifest).await;
        run(&rig, &Faults::at(index, when, then)).await;
        let context = format!("call {index} {:?}, {when:?}, {then:?}", calls[index]);
        let record = rig.record().await;
        assert_eq!(record.phase(), Phase::Refused, "{context}");
        assert_eq!(
            record.state.reason(),
            Some("patient.date_of_birth: not accepted"),
            "{context}"
        );
        assert_eq!(rig.keys_under(""), Vec::<String>::new(), "{context}");
        assert!(rig.mailer.sent().is_empty());
    }
}

#[tokio::test]
async fn any_call_may_fail_while_a_scan_expires() {
    let finished = || async {
        let rig = Rig::new();
        rig.upload("skin", MAIL).await;
        rig.settle().await;
        let end = rig.record().await.expires_at_secs;
        rig.clock.advance_to_secs(end);
        rig
    };
    let sweep = |rig: Rig, faults: Faults| async move {
        let expire = rig.expire_under(&faults);
        for _ in 0..3 {
            if expire.sweep(10, |_| Ok(())).await.is_ok() {
                return;
            }
            faults.heal();
        }
        panic!("the sweep does not end");
    };
    let faults = Faults::default();
    sweep(finished().await, faults.clone()).await;
    let calls = faults.calls();
    assert!(calls.len() >= 7, "{calls:?}");
    for (index, when, then) in variants(calls.len()) {
        let rig = finished().await;
        assert_eq!(rig.keys_under("").len(), 4);
        sweep(rig.clone(), Faults::at(index, when, then)).await;
        let context = format!("call {index} {:?}, {when:?}, {then:?}", calls[index]);
        assert_eq!(rig.keys_under(""), Vec::<String>::new(), "{context}");
        let removals = dermalia_record::port::RecordStore::removals(&rig.records, 9)
            .await
            .unwrap();
        assert!(removals.is_empty(), "{context}");
        let keys = rig.ports.vault.keys.scans(None, 9).await.unwrap();
        assert!(keys.is_empty(), "{context}: the data key is destroyed");
        // Begun and done, once each, with what there was before the first try.
        let log = rig
            .audit
            .about(&scan().practice, &scan().scan)
            .await
            .unwrap();
        assert_eq!(log.len(), 2, "{context}: {log:?}");
        let counts = |i: usize| log[i].inventory.as_ref().map(|inventory| inventory.objects);
        assert_eq!((counts(0), counts(1)), (Some(4), Some(4)), "{context}");
    }
}
