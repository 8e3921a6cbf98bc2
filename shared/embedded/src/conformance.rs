//! What every implementation of the ports must do, on one machine or in the cloud.
//!
//! Each function takes a fresh, empty port and asserts; a port error ends it too.

mod stores;

use async_trait::async_trait;
use dermalia_record::port::{
    Body, Cause, Email, Mailer, Metadata, ObjectStore, ObjectWrite, PortError, Queue, RecordStore,
    Written,
};
use dermalia_record::{
    Epoch, ManualClock, Personal, PracticeId, ReportId, ScanKey, ScanRecord, State,
};

pub use stores::{accesses, audit, practices, vault};

/// How a queue's time goes by: at once, or as time does.
#[async_trait]
pub trait Pace: Send + Sync {
    /// Lets this long go by.
    async fn pass_ms(&self, ms: u64);
}

#[async_trait]
impl Pace for ManualClock {
    async fn pass_ms(&self, ms: u64) {
        self.advance_ms(ms);
    }
}

/// Result of a check: a refused expectation panics, a failed call is passed on.
pub type Checked = Result<(), PortError>;

fn write(text: &str) -> ObjectWrite {
    let metadata = Metadata::from([("epoch".to_owned(), "1".to_owned())]);
    let body = Body::Bytes(text.as_bytes().to_vec());
    ObjectWrite {
        body,
        content_type: "text/plain".to_owned(),
        metadata,
    }
}

/// Objects: versions, prefixes, limits, conditional deletes.
///
/// # Errors
/// When a call fails.
pub async fn objects(store: &dyn ObjectStore) -> Checked {
    let key = "incoming/praxis-nord/scan-0001/weiß 1@2%.jpg";
    assert_eq!(store.head(key).await?, None);
    assert_eq!(store.get(key, 9).await?, None);
    assert!(!store.delete(key).await?, "deleting nothing is no error");

    let first = store.put(key, write("one")).await?;
    let second = store.put(key, write("two")).await?;
    assert_ne!(first, second, "every write has its own version");
    let object = store.get(key, 3).await?;
    assert_eq!(
        object.as_ref().map(|o| o.bytes.as_slice()),
        Some(&b"two"[..])
    );
    let head = object.map(|o| o.head);
    assert_eq!(
        head.as_ref().map(|h| (h.bytes, h.version.clone())),
        Some((3, second.clone()))
    );
    assert_eq!(
        head.as_ref().map(|h| h.content_type.as_str()),
        Some("text/plain")
    );
    assert_eq!(
        head.as_ref()
            .and_then(|h| h.metadata.get("epoch"))
            .map(String::as_str),
        Some("1")
    );
    assert_eq!(store.head(key).await?, head);
    assert!(
        store.get(key, 2).await.is_err(),
        "one byte over the limit is refused"
    );

    let epoch = Metadata::from([("epoch".to_owned(), "2".to_owned())]);
    assert!(
        !store.set_metadata(key, &first, epoch.clone()).await?,
        "of an old version"
    );
    assert!(store.set_metadata(key, &second, epoch.clone()).await?);
    let head = store.head(key).await?;
    assert_eq!(head.as_ref().map(|h| &h.metadata), Some(&epoch));
    assert_eq!(
        head.as_ref().map(|h| h.content_type.as_str()),
        Some("text/plain")
    );
    assert_eq!(
        store.get(key, 3).await?.map(|o| o.bytes),
        Some(b"two".to_vec())
    );
    let current = head.map(|h| h.version).unwrap_or_default();

    assert!(
        !store.delete_version(key, &first).await?,
        "an old version is not the object"
    );
    assert!(store.head(key).await?.is_some());
    assert!(store.delete_version(key, &current).await?);
    assert_eq!(store.head(key).await?, None);

    for name in ["b", "a", "c/d", "ab"] {
        store
            .put(&format!("findings/p/s/{name}"), write(name))
            .await?;
    }
    store.put("findings/p/s2/a", write("neighbour")).await?;
    let listing = store.list("findings/p/s/", 10).await?;
    let keys: Vec<&str> = listing
        .objects
        .iter()
        .map(|o| &o.key["findings/p/s/".len()..])
        .collect();
    assert_eq!(
        keys,
        ["a", "ab", "b", "c/d"],
        "in the order of their keys, nested ones too"
    );
    assert!(!listing.truncated);
    assert_eq!(
        listing.objects.iter().map(|o| o.bytes).collect::<Vec<_>>(),
        [1, 2, 1, 3]
    );
    let listing = store.list("findings/p/s/", 3).await?;
    assert_eq!((listing.objects.len(), listing.truncated), (3, true));
    assert!(!store.list("findings/p/s/", 4).await?.truncated);
    assert!(store.list("findings/q/", 4).await?.objects.is_empty());

    assert_eq!(store.delete_prefix("findings/p/s/").await?, 4);
    assert_eq!(store.delete_prefix("findings/p/s/").await?, 0);
    assert!(store.list("findings/p/s/", 10).await?.objects.is_empty());
    assert_eq!(
        store.list("findings/p/", 10).await?.objects.len(),
        1,
        "the neighbour stays"
    );
    assert!(
        store.list("findings/p", 10).await.is_err(),
        "a prefix ends in a slash"
    );
    Ok(())
}

fn done(written: Written) -> ScanRecord {
    match written {
        Written::Done(record) => *record,
        Written::Conflict => {
            assert_eq!("Conflict", "Done", "the condition should have held");
            unreachable!("the assertion above fails")
        }
    }
}

/// A record as the conformance suite uses it.
///
/// # Errors
/// When the scan id breaks its pattern.
pub fn sample(scan: &str, expires_at_secs: i64) -> Result<ScanRecord, PortError> {
    let bad = |e| PortError::permanent("conformance", "sample", e);
    let key = ScanKey {
        practice: "praxis-nord".parse().map_err(bad)?,
        scan: scan.parse().map_err(bad)?,
    };
    let mut record = ScanRecord::received(key, 1_000, expires_at_secs);
    record.locale = Some("de".to_owned());
    Ok(record)
}

/// Records: conditional writes, expiry as every reader sees it, the stream of removals.
///
/// The clock is the store's own and stands at 1,000 seconds.
///
/// # Errors
/// When a call fails.
pub async fn records(store: &dyn RecordStore, clock: &ManualClock) -> Checked {
    let fresh = sample("scan-0001", 2_000)?;
    assert_eq!(store.get(&fresh.key).await?, None);
    assert_eq!(
        store.update(fresh.clone()).await?,
        Written::Conflict,
        "there is nothing yet"
    );

    // Of two writers of the same version one wins.
    let first = done(store.insert(fresh.clone()).await?);
    assert_eq!(store.insert(fresh.clone()).await?, Written::Conflict);
    let (mut a, mut b) = (first.clone(), first.clone());
    a.epoch = Epoch::FIRST.next();
    b.locale = Some("en".to_owned());
    let a = done(store.update(a).await?);
    assert!(a.version > first.version);
    assert_eq!(
        store.update(b).await?,
        Written::Conflict,
        "it has seen an older version"
    );
    assert_eq!(store.get(&fresh.key).await?, Some(a.clone()));

    let report = ReportId::from_bytes([9; 16]);
    assert_eq!(store.by_report(report).await?, None);
    let mut with_report = a;
    with_report.report_id = Some(report);
    let with_report = done(store.update(with_report).await?);
    assert_eq!(store.by_report(report).await?.as_ref(), Some(&with_report));

    for scan in ["scan-0003", "scan-0002"] {
        done(store.insert(sample(scan, 3_000)?).await?);
    }
    let practice: &PracticeId = &with_report.key.practice;
    let all = store.list(practice, None, 10).await?;
    let ids: Vec<&str> = all.iter().map(|r| r.key.scan.as_str()).collect();
    assert_eq!(ids, ["scan-0001", "scan-0002", "scan-0003"]);
    let page = store.list(practice, Some(&all[0].key), 1).await?;
    assert_eq!(page.first().map(|r| r.key.scan.as_str()), Some("scan-0002"));
    if let Ok(other) = "praxis-sued".parse() {
        assert!(
            store.list(&other, None, 10).await?.is_empty(),
            "practices are apart"
        );
    }

    // Gone for every reader from its last second on, before anything removes it.
    clock.advance_to_secs(1_999);
    assert!(store.get(&with_report.key).await?.is_some());
    assert_eq!(store.expire_due(10).await?, 0);
    clock.advance_to_secs(2_000);
    assert_eq!(store.get(&with_report.key).await?, None);
    assert_eq!(store.by_report(report).await?, None);
    assert_eq!(store.list(practice, None, 10).await?.len(), 2);
    assert_eq!(store.update(with_report.clone()).await?, Written::Conflict);
    assert_eq!(
        store.insert(fresh.clone()).await?,
        Written::Conflict,
        "its objects remain"
    );
    assert!(store.removals(10).await?.is_empty());

    assert_eq!(store.expire_due(10).await?, 1);
    assert_eq!(store.expire_due(10).await?, 0);
    let removals = store.removals(10).await?;
    assert_eq!(removals.len(), 1);
    assert_eq!(removals[0].cause, Cause::Expired);
    assert_eq!(removals[0].record.key, with_report.key);
    assert_eq!(
        removals[0].record.report_id,
        Some(report),
        "what belonged to it is known"
    );
    assert_eq!(
        store.removals(10).await?,
        removals,
        "until acknowledged it comes again"
    );

    // An erasure, in the order of the stream.
    let second = &all[1];
    let mut newer = second.clone();
    newer.state = State::Erased;
    let newer = done(store.update(newer).await?);
    assert!(
        !store.remove(second, Cause::Erased).await?,
        "it has changed since"
    );
    assert!(store.remove(&newer, Cause::Erased).await?);
    assert!(!store.remove(&newer, Cause::Erased).await?);
    assert_eq!(store.get(&newer.key).await?, None);
    let stream = store.removals(10).await?;
    let causes: Vec<Cause> = stream.iter().map(|r| r.cause).collect();
    assert_eq!(causes, [Cause::Expired, Cause::Erased]);
    store.ack_removal(stream[0].sequence).await?;
    store.ack_removal(stream[0].sequence).await?;
    assert_eq!(store.removals(10).await?, stream[1..]);
    done(store.insert(sample("scan-0002", 3_000)?).await?);
    Ok(())
}

/// Queues: at least once, visibility, delay, counts, dead letters, redrive.
///
/// The queue gives a message up after `max_receives` (at least 2) deliveries; the clock is
/// its own. Between 999 and 1,000 ms lies what a real clock rounds away: a pace may take
/// its time there.
///
/// # Errors
/// When a call fails.
pub async fn queue(queue: &dyn Queue, pace: &dyn Pace, max_receives: u32) -> Checked {
    assert!(queue.receive(10, 1_000).await?.is_empty());
    // The same message twice is two messages.
    queue.send("a", 0).await?;
    queue.send("a", 0).await?;
    queue.send("later", 5_000).await?;
    let taken = queue.receive(10, 1_000).await?;
    assert_eq!(
        taken.iter().map(|d| d.body.as_str()).collect::<Vec<_>>(),
        ["a", "a"]
    );
    assert!(taken.iter().all(|d| d.receive_count == 1 && !d.is_last()));
    assert!(
        queue.receive(10, 1_000).await?.is_empty(),
        "hidden while being worked on"
    );
    let depth = queue.depth().await?;
    assert_eq!((depth.waiting, depth.in_flight, depth.dead), (1, 2, 0));
    queue.ack(&taken[0].receipt).await?;
    queue.ack(&taken[0].receipt).await?;

    // Not answered in time: it comes again, and the old receipt is void.
    pace.pass_ms(999).await;
    assert!(queue.receive(10, 1_000).await?.is_empty());
    queue.extend(&taken[1].receipt, 1_000).await?;
    pace.pass_ms(999).await;
    assert!(
        queue.receive(10, 1_000).await?.is_empty(),
        "its time was extended"
    );
    pace.pass_ms(1).await;
    let again = queue.receive(1, 1_000).await?;
    assert_eq!(
        again.first().map(|d| (d.body.as_str(), d.receive_count)),
        Some(("a", 2))
    );
    queue.ack(&taken[1].receipt).await?;
    queue.release(&taken[1].receipt, 0, "void").await?;
    queue.bury(&taken[1].receipt, "void").await?;
    queue.extend(&taken[1].receipt, 0).await?;
    assert_eq!(
        queue.depth().await?.in_flight,
        1,
        "a void receipt does nothing"
    );
    queue.ack(&again[0].receipt).await?;

    // The delayed one is due; it fails until it is given up.
    pace.pass_ms(5_000).await;
    for attempt in 1..=max_receives {
        let taken = queue.receive(10, 1_000).await?;
        assert_eq!(taken.len(), 1, "attempt {attempt}");
        assert_eq!(taken[0].receive_count, attempt);
        assert_eq!(taken[0].is_last(), attempt == max_receives);
        queue
            .release(&taken[0].receipt, 100, &format!("attempt {attempt}"))
            .await?;
        assert!(
            queue.receive(10, 1_000).await?.is_empty(),
            "it waits its back-off"
        );
        pace.pass_ms(100).await;
    }
    assert!(queue.receive(10, 1_000).await?.is_empty());
    let dead = queue.dead_letters(10).await?;
    assert_eq!(dead.len(), 1);
    assert_eq!(
        (dead[0].body.as_str(), dead[0].receive_count),
        ("later", max_receives)
    );
    assert_eq!(dead[0].reason, format!("attempt {max_receives}"));

    // Nobody ever answers: given up as well.
    queue.send("silent", 0).await?;
    for _ in 0..max_receives {
        assert_eq!(queue.receive(10, 1_000).await?.len(), 1);
        pace.pass_ms(1_000).await;
    }
    assert!(queue.receive(10, 1_000).await?.is_empty());
    queue.send("hopeless", 0).await?;
    let taken = queue.receive(10, 1_000).await?;
    queue.bury(&taken[0].receipt, "hopeless").await?;
    assert_eq!(queue.depth().await?.dead, 3);

    assert_eq!(queue.redrive().await?, 3);
    assert_eq!(queue.redrive().await?, 0);
    assert!(queue.dead_letters(10).await?.is_empty());
    let back = queue.receive(10, 1_000).await?;
    let mut bodies: Vec<&str> = back.iter().map(|d| d.body.as_str()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, ["hopeless", "later", "silent"]);
    assert!(
        back.iter().all(|d| d.receive_count == 1),
        "a redrive starts anew"
    );
    for delivery in back {
        queue.ack(&delivery.receipt).await?;
    }
    assert_eq!(
        queue.depth().await?,
        dermalia_record::port::Depth::default()
    );
    Ok(())
}

/// The mailer: once per key; `count` tells how many mails have gone out.
///
/// # Errors
/// When a call fails.
pub async fn mailer(mailer: &dyn Mailer, count: &dyn Fn() -> usize) -> Checked {
    let email = Email {
        from: "Dermalia <report@dermalia.de>".to_owned(),
        to: Personal::new("anna@example.org".to_owned()),
        reply_to: Some("praxis@example.org".to_owned()),
        subject: "Ihr Bericht".to_owned(),
        text: "Guten Tag".to_owned(),
        html: "<p>Guten Tag</p>".to_owned(),
        date_secs: 1_000,
    };
    for (key, expected) in [
        ("report-ready/a/1", 1),
        ("report-ready/a/1", 1),
        ("report-ready/a/2", 2),
    ] {
        mailer.send(&email, key).await?;
        assert_eq!(count(), expected, "after {key}");
    }
    Ok(())
}
