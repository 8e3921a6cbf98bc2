//! The embedded ports against the conformance suite.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends where something is missing"
)]

use std::fs;
use std::sync::Arc;

use dermalia_embedded::{
    Database, DirectoryObjects, FileKeyWrap, MemoryMailer, MemoryObjects, Outbox, QueuePolicy,
    SqliteAccesses, SqliteAudit, SqliteDataKeys, SqlitePractices, SqliteQueue, SqliteRecords,
    conformance,
};
use dermalia_link::{KeyId, SigningKey};
use dermalia_record::port::{Body, Metadata, ObjectStore, ObjectWrite, Queue, RecordStore};
use dermalia_record::{Audit, Clock, Lease, ManualClock, Vault};

fn clock() -> (ManualClock, Arc<dyn Clock>) {
    let clock = ManualClock::at_ms(1_000_000);
    (clock.clone(), Arc::new(clock))
}

#[tokio::test]
async fn objects_in_memory() {
    conformance::objects(&MemoryObjects::new(clock().1))
        .await
        .unwrap();
}

#[tokio::test]
async fn objects_in_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let store = DirectoryObjects::open(folder.path(), clock().1).unwrap();
    conformance::objects(&store).await.unwrap();
    // Nothing of what was deleted is left on the disk.
    store.delete_prefix("findings/").await.unwrap();
    assert_eq!(
        fs::read_dir(folder.path().join("objects")).unwrap().count(),
        0
    );
    assert_eq!(
        fs::read_dir(folder.path().join("staging")).unwrap().count(),
        0
    );
}

#[tokio::test]
async fn records() {
    for on_disk in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let database = if on_disk {
            Database::open(&folder.path().join("state.sqlite")).unwrap()
        } else {
            Database::in_memory().unwrap()
        };
        let (manual, clock) = clock();
        conformance::records(&SqliteRecords::new(database, clock), &manual)
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn queues() {
    for max_receives in [2, 5] {
        let database = Database::in_memory().unwrap();
        let (manual, clock) = clock();
        let policy = QueuePolicy {
            max_receives,
            ..QueuePolicy::default()
        };
        let other = SqliteQueue::new(database.clone(), "other", policy, Arc::clone(&clock));
        other.send("not yours", 0).await.unwrap();
        let queue = SqliteQueue::new(database.clone(), "q", policy, clock);
        conformance::queue(&queue, &manual, max_receives)
            .await
            .unwrap();
        assert_eq!(other.receive(9, 1).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn mailers() {
    let memory = MemoryMailer::default();
    conformance::mailer(&memory, &|| memory.sent().len())
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path()).unwrap();
    let count = || fs::read_dir(folder.path()).unwrap().count();
    conformance::mailer(&outbox, &count).await.unwrap();
}

#[tokio::test]
async fn practices() {
    let database = Database::in_memory().unwrap();
    conformance::practices(&SqlitePractices::new(database))
        .await
        .unwrap();
}

#[tokio::test]
async fn accesses() {
    let (manual, clock) = clock();
    let store = SqliteAccesses::new(Database::in_memory().unwrap(), clock);
    conformance::accesses(&store, &manual).await.unwrap();
}

fn audit_of(database: &Database) -> Audit {
    Audit {
        store: Arc::new(SqliteAudit::new(database.clone())),
        key: Arc::new(SigningKey::from_seed(KeyId::new(1), &[9; 32])),
        clock: clock().1,
    }
}

#[tokio::test]
async fn audit() {
    let database = Database::in_memory().unwrap();
    conformance::audit(&audit_of(&database)).await.unwrap();
}

#[tokio::test]
async fn vault() {
    let folder = tempfile::tempdir().unwrap();
    let wrap = FileKeyWrap::load_or_create(&folder.path().join("sealing.key")).unwrap();
    let path = folder.path().join("keys.sqlite");
    let keys = SqliteDataKeys::new(Database::open(&path).unwrap());
    let vault = Vault {
        keys: Arc::new(keys),
        wrap: Arc::new(wrap),
    };
    conformance::vault(&vault).await.unwrap();
}

/// Two writers that race over one version: exactly one wins each round.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn races_have_one_winner() {
    let store = SqliteRecords::new(Database::in_memory().unwrap(), clock().1);
    store
        .insert(conformance::sample("scan-0001", 9_000).unwrap())
        .await
        .unwrap();
    let key = conformance::sample("scan-0001", 9_000).unwrap().key;
    for round in 0..20 {
        let seen = store.get(&key).await.unwrap().unwrap();
        let tasks: Vec<_> = (0..8)
            .map(|worker| {
                let (store, mut record) = (store.clone(), seen.clone());
                let until_ms = round * 100 + worker;
                record.lease = Some(Lease {
                    owner: worker.to_string(),
                    until_ms,
                });
                tokio::spawn(async move { store.update(record).await.unwrap() })
            })
            .collect();
        let mut winners = 0;
        for task in tasks {
            if let dermalia_record::port::Written::Done(record) = task.await.unwrap() {
                winners += 1;
                assert_eq!(store.get(&key).await.unwrap(), Some(*record));
            }
        }
        assert_eq!(winners, 1);
    }
}

/// Each message of many goes to one of many receivers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_message_is_given_to_two_at_once() {
    let policy = QueuePolicy::default();
    let queue = SqliteQueue::new(Database::in_memory().unwrap(), "q", policy, clock().1);
    for n in 0..100 {
        queue.send(&n.to_string(), 0).await.unwrap();
    }
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let mut bodies = Vec::new();
                loop {
                    let taken = queue.receive(3, 60_000).await.unwrap();
                    if taken.is_empty() {
                        return bodies;
                    }
                    bodies.extend(taken.into_iter().map(|d| d.body.parse::<u32>().unwrap()));
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
}

/// A process that died: its messages are back at once, its leases are gone, and a message
/// that brings every process down is given up in the end.
#[tokio::test]
async fn restart_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let policy = QueuePolicy {
        max_receives: 2,
        max_crashes: 3,
    };
    let (_, clock) = clock();
    for crash in 0..3 {
        let database = Database::open(&path).unwrap();
        let queue = SqliteQueue::new(database.clone(), "q", policy, Arc::clone(&clock));
        let records = SqliteRecords::new(database, Arc::clone(&clock));
        if crash == 0 {
            queue.send("poison", 0).await.unwrap();
            let mut record = conformance::sample("scan-0001", 9_000).unwrap();
            record.lease = Some(Lease {
                owner: "dead".to_owned(),
                until_ms: i64::MAX,
            });
            records.insert(record).await.unwrap();
        } else {
            assert_eq!(queue.recover().await.unwrap(), 1);
            assert_eq!(
                records.release_leases().await.unwrap(),
                u64::from(crash == 1)
            );
        }
        assert_eq!(
            queue.receive(1, 60_000).await.unwrap().len(),
            1,
            "after crash {crash}"
        );
    }
    let queue = SqliteQueue::new(Database::open(&path).unwrap(), "q", policy, clock);
    queue.recover().await.unwrap();
    assert!(queue.receive(1, 60_000).await.unwrap().is_empty());
    let dead = queue.dead_letters(9).await.unwrap();
    assert_eq!(
        dead[0].reason,
        "the process died 3 times while working on it"
    );
}

/// What a crash leaves in the object folder is neither read nor kept.
#[tokio::test]
async fn leftovers_of_a_crash_go() {
    let folder = tempfile::tempdir().unwrap();
    let (_, clock) = clock();
    let store = DirectoryObjects::open(folder.path(), Arc::clone(&clock)).unwrap();
    let object = |text: &str| ObjectWrite {
        body: Body::Bytes(text.as_bytes().to_vec()),
        content_type: String::new(),
        metadata: Metadata::new(),
    };
    store.put("a/b/c", object("kept")).await.unwrap();
    let place = folder.path().join("objects/a/b");
    fs::write(place.join("c@old"), "an older version").unwrap();
    fs::write(place.join("d@new"), "never committed").unwrap();
    fs::write(folder.path().join("staging/half"), "half").unwrap();
    let keys = |listing: dermalia_record::port::Listing| -> Vec<String> {
        listing.objects.into_iter().map(|o| o.key).collect()
    };
    assert_eq!(keys(store.list("a/", 9).await.unwrap()), ["a/b/c"]);
    drop(store);

    let store = DirectoryObjects::open(folder.path(), clock).unwrap();
    assert_eq!(fs::read_dir(&place).unwrap().count(), 2);
    assert_eq!(
        fs::read_dir(folder.path().join("staging")).unwrap().count(),
        0
    );
    assert_eq!(store.get("a/b/c", 9).await.unwrap().unwrap().bytes, b"kept");

    // A file of our own is moved in, not copied.
    let staged = store.staging_file().unwrap();
    fs::write(&staged, "moved").unwrap();
    let mut moved = object("");
    moved.body = Body::File(staged.clone());
    store.put("a/b/c", moved).await.unwrap();
    assert!(!staged.exists());
    assert_eq!(
        store.get("a/b/c", 9).await.unwrap().unwrap().bytes,
        b"moved"
    );
    fs::write(
        place.join(
            fs::read_dir(&place)
                .unwrap()
                .map(|e| e.unwrap().file_name())
                .find(|n| !n.to_str().unwrap().ends_with("@meta"))
                .unwrap(),
        ),
        "cut",
    )
    .unwrap();
    assert!(
        store.get("a/b/c", 9).await.is_err(),
        "a damaged object is not served"
    );
}

/// Another process looks into the database while this one writes without a pause.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_process_waits_for_the_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let policy = QueuePolicy::default();
    let (_, clock) = clock();
    let first = Database::open(&path).unwrap();
    let queue = SqliteQueue::new(first, "q", policy, Arc::clone(&clock));
    let writing = tokio::spawn(async move {
        for n in 0..200 {
            queue.send(&n.to_string(), 0).await.unwrap();
        }
    });
    let mut opened = 0;
    while !writing.is_finished() || opened == 0 {
        let beside = Database::open(&path).unwrap();
        let queue = SqliteQueue::new(beside, "other", policy, Arc::clone(&clock));
        queue.send("beside", 0).await.unwrap();
        opened += 1;
    }
    writing.await.unwrap();
}
