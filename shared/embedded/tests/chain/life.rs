//! Refusals, faults, dead letters and their redrive, expiry.

use dermalia_embedded::worker::VISIBILITY_MS;
use dermalia_record::port::{Body, ObjectWrite, Queue, RecordStore};
use dermalia_record::{Attempt, Phase, Stage, State, incoming_prefix};

use crate::rig::{CAPTURED_AT, Rig, scan};

#[tokio::test]
async fn retention_counts_from_the_time_of_capture() {
    let rig = Rig::new();
    rig.upload("skin", "").await;
    rig.settle().await;
    let record = rig.record().await;
    assert_eq!(record.captured_at.as_deref(), Some(CAPTURED_AT));
    assert_eq!(
        Ok(record.expires_at_secs),
        dermalia_record::expires_at_secs(CAPTURED_AT, 24)
    );
    rig.assert_delivered("skin", 0, "without an address the practice has the link")
        .await;

    rig.clock.advance_to_secs(record.expires_at_secs - 1);
    assert!(rig.records.get(&scan()).await.unwrap().is_some());
    assert_eq!(rig.expire().sweep(10, |_| Ok(())).await, Ok(0));
    rig.clock.advance_to_secs(record.expires_at_secs);
    assert_eq!(
        rig.records.get(&scan()).await.unwrap(),
        None,
        "gone before it is removed"
    );
    assert_eq!(rig.expire().sweep(10, |_| Ok(())).await, Ok(1));
    assert_eq!(rig.keys_under(""), Vec::<String>::new());
}

#[tokio::test]
async fn a_scan_whose_retention_is_over_is_refused() {
    let rig = Rig::new();
    rig.upload("skin", "captured_at=2024-05-14T09:31:00+02:00")
        .await;
    rig.settle().await;
    let record = rig.record().await;
    assert_eq!(record.phase(), Phase::Refused);
    assert_eq!(rig.keys_under(""), Vec::<String>::new());
}

#[tokio::test]
async fn a_refused_bundle_is_deleted_and_can_be_replaced_by_a_good_one() {
    let rig = Rig::new();
    rig.upload("bad", "refuse=white.jpg: sha256 differs").await;
    rig.settle().await;
    assert_eq!(
        rig.record().await.state.reason(),
        Some("white.jpg: sha256 differs")
    );
    assert_eq!(rig.keys_under(""), Vec::<String>::new());
    for queue in &rig.queues {
        assert_eq!(
            queue.depth().await.unwrap(),
            Default::default(),
            "it is not retried"
        );
    }
    rig.upload("good", "email=anna@example.org").await;
    rig.settle().await;
    rig.assert_delivered("good", 1, "after a refusal").await;
}

#[tokio::test]
async fn files_of_a_new_upload_survive_the_refusal_of_the_old_one() {
    let rig = Rig::new();
    rig.upload("bad", "refuse=bad").await;
    // The next version is on its way when the event of the first is dealt with.
    rig.clock.advance_ms(10);
    rig.store("white.jpg", "good").await;
    rig.turn(&rig.ports).await;
    assert_eq!(
        rig.record().await.phase(),
        Phase::Received,
        "it waits for the rest"
    );
    rig.clock.advance_ms(10);
    let manifest = rig.store("manifest.json", "").await;
    rig.announce(&manifest).await;
    rig.settle().await;
    rig.assert_delivered("good", 0, "replaced in time").await;

    // If the rest never comes, the old one is refused, and the new file stays.
    let rig = Rig::new();
    rig.upload("bad", "refuse=bad").await;
    rig.clock.advance_ms(10);
    rig.store("white.jpg", "good").await;
    rig.settle().await;
    assert_eq!(rig.record().await.phase(), Phase::Refused);
    assert_eq!(
        rig.keys_under(""),
        [format!("{}white.jpg", incoming_prefix(&scan()))]
    );
}

#[tokio::test]
async fn our_own_fault_ends_in_the_dead_letters_and_a_redrive_continues() {
    for manifest in ["fault=the disk is full", "panic=now"] {
        let rig = Rig::new();
        rig.upload("skin", manifest).await;
        rig.settle().await;
        let record = rig.record().await;
        let State::Failed {
            stage: Stage::Analyze,
            reason,
        } = &record.state
        else {
            panic!("{:?}", record.state);
        };
        let dead = rig.queues[0].dead_letters(9).await.unwrap();
        assert_eq!(dead.len(), 1);
        assert_eq!((&dead[0].reason, dead[0].receive_count), (reason, 4));
        assert_eq!(rig.keys_under("incoming/").len(), 2, "the upload is kept");

        // A redrive without a remedy fails again; after the remedy it goes through.
        assert_eq!(rig.queues[0].redrive().await.unwrap(), 1);
        rig.settle().await;
        assert_eq!(rig.record().await.phase(), Phase::Failed);
        rig.clock.advance_ms(10);
        rig.store("manifest.json", "email=anna@example.org").await;
        assert_eq!(rig.queues[0].redrive().await.unwrap(), 1);
        rig.settle().await;
        rig.assert_delivered("skin", 1, manifest).await;
    }
}

#[tokio::test]
async fn a_report_that_fails_is_redriven_from_its_findings() {
    let rig = Rig::new();
    rig.upload("skin", "email=anna@example.org").await;
    let taken = rig.ports.uploads.receive(1, VISIBILITY_MS).await.unwrap();
    let attempt = Attempt::from(&taken[0]);
    rig.analyze(&rig.ports)
        .handle(&taken[0].body, attempt)
        .await
        .unwrap();
    rig.ports.uploads.ack(&taken[0].receipt).await.unwrap();
    assert_eq!(rig.record().await.phase(), Phase::Analysed);

    // The findings are not readable for a while.
    let objects = &rig.ports.objects;
    let found = rig
        .objects
        .snapshot()
        .into_iter()
        .find(|(k, _)| k.ends_with("findings.json"));
    let (key, kept) = found.expect("findings");
    objects.delete(&key).await.unwrap();
    rig.settle().await;
    let State::Failed {
        stage: Stage::Report,
        reason,
    } = rig.record().await.state
    else {
        panic!("{:?}", rig.record().await.state);
    };
    assert_eq!(reason, "no findings");
    assert!(rig.mailer.sent().is_empty());

    let body = Body::Bytes(kept.bytes);
    let (content_type, metadata) = (kept.head.content_type, kept.head.metadata);
    objects
        .put(
            &key,
            ObjectWrite {
                body,
                content_type,
                metadata,
            },
        )
        .await
        .unwrap();
    assert_eq!(rig.queues[1].redrive().await.unwrap(), 1);
    rig.settle().await;
    rig.assert_delivered("skin", 1, "redriven").await;
}

#[tokio::test]
async fn messages_that_are_none_of_ours_are_buried_at_once() {
    let rig = Rig::new();
    for queue in &rig.queues {
        queue.send("{\"what\":1}", 0).await.unwrap();
    }
    rig.settle().await;
    for queue in &rig.queues {
        let dead = queue.dead_letters(9).await.unwrap();
        assert_eq!((dead.len(), dead[0].receive_count), (1, 1));
    }
}

#[tokio::test]
async fn a_dead_letter_without_a_note_is_noted() {
    let rig = Rig::new();
    let accepted = rig.upload("skin", "").await;
    let event = dermalia_record::event::object_created(&accepted.object_key, &accepted.version, 0);
    // The first attempt claimed the scan; then every process died on it.
    let faults = dermalia_embedded::fault::Faults::at(
        6,
        dermalia_embedded::fault::When::BeforeEffect,
        dermalia_embedded::fault::Then::Dies,
    );
    rig.turn(&faults.wrap(&rig.ports)).await;
    let analyze = rig.analyze(&rig.ports);
    analyze
        .note_dead_letter(&event, "the process died")
        .await
        .unwrap();
    assert_eq!(
        rig.record().await.phase(),
        Phase::Received,
        "the lease is still live"
    );
    rig.restart().await;
    analyze
        .note_dead_letter(&event, "the process died")
        .await
        .unwrap();
    assert_eq!(rig.record().await.state.reason(), Some("the process died"));
    // Once delivered, an old dead letter changes nothing.
    rig.settle().await;
    rig.assert_delivered("skin", 0, "recovered").await;
    analyze
        .note_dead_letter(&event, "the process died")
        .await
        .unwrap();
    rig.assert_delivered("skin", 0, "noted too late").await;
}
