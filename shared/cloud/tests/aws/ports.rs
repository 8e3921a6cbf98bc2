//! The ports on AWS and Resend against the conformance suite, over the wire.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use dermalia_cloud::batch::{self, Message};
use dermalia_cloud::telemetry::Metric;
use dermalia_cloud::{
    DynamoAccesses, DynamoAudit, DynamoDataKeys, DynamoPractices, DynamoRecords, KmsKeyWrap,
    ResendMailer, S3Objects, SqsQueue, stream,
};
use dermalia_embedded::conformance::{self, Pace};
use dermalia_link::{KeyId, SigningKey};
use dermalia_record::port::{
    Cause, DeadLetter, Delivery, Depth, PortError, Queue, RecordStore, Removal, Written,
};
use dermalia_record::{
    Audit, Clock, HandleError, ManualClock, PracticeId, ReportId, ScanKey, ScanRecord, Vault,
};

use crate::cloud;
use crate::emulators::{Dynamodb, Ministack, config, is_configured, s3};
use crate::resend::Resend;

const TABLE: &str = "dermalia-test";

fn clock() -> (ManualClock, Arc<dyn Clock>) {
    let clock = ManualClock::at_ms(1_000_000);
    (clock.clone(), Arc::new(clock))
}

#[tokio::test(flavor = "multi_thread")]
async fn objects() {
    if !is_configured() {
        return;
    }
    let stack = Ministack::start();
    let client = s3(&config(&stack.endpoint).await);
    let buckets = cloud::buckets(&client).await;
    conformance::objects(&S3Objects::new(client.clone(), buckets))
        .await
        .unwrap();
    // What was deleted has left no version and no marker behind.
    let left = client
        .list_object_versions()
        .bucket("incoming")
        .send()
        .await
        .unwrap();
    assert!(left.versions().is_empty() && left.delete_markers().is_empty());
}

/// Records whose expiry and removals are the emulator's.
struct WithStream {
    records: DynamoRecords,
    database: Dynamodb,
    clock: ManualClock,
    acknowledged: Mutex<BTreeSet<u64>>,
}

#[async_trait]
impl RecordStore for WithStream {
    async fn get(&self, key: &ScanKey) -> Result<Option<ScanRecord>, PortError> {
        self.records.get(key).await
    }

    async fn by_report(&self, report: ReportId) -> Result<Option<ScanRecord>, PortError> {
        self.records.by_report(report).await
    }

    async fn insert(&self, record: ScanRecord) -> Result<Written, PortError> {
        self.records.insert(record).await
    }

    async fn update(&self, record: ScanRecord) -> Result<Written, PortError> {
        self.records.update(record).await
    }

    async fn list(
        &self,
        practice: &PracticeId,
        after: Option<&ScanKey>,
        max: usize,
    ) -> Result<Vec<ScanRecord>, PortError> {
        self.records.list(practice, after, max).await
    }

    async fn remove(&self, record: &ScanRecord, cause: Cause) -> Result<bool, PortError> {
        self.records.remove(record, cause).await
    }

    async fn expire_due(&self, _: usize) -> Result<u64, PortError> {
        // The table removes what has expired before this second.
        self.database.at(self.clock.now_secs() + 1);
        let removed = self.database.sweep();
        self.database.at(self.clock.now_secs());
        Ok(removed)
    }

    async fn removals(&self, max: usize) -> Result<Vec<Removal>, PortError> {
        let event = self.database.stream_event(TABLE).to_string();
        let acknowledged = self.acknowledged.lock().unwrap();
        Ok(stream::removals(&event)
            .unwrap()
            .into_iter()
            .map(|removal| removal.removal.unwrap())
            .filter(|removal| !acknowledged.contains(&removal.sequence))
            .take(max)
            .collect())
    }

    async fn ack_removal(&self, sequence: u64) -> Result<(), PortError> {
        self.acknowledged.lock().unwrap().insert(sequence);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_with_the_table_s_own_expiry_and_stream() {
    if !is_configured() {
        return;
    }
    let database = Dynamodb::start();
    let client = aws_sdk_dynamodb::Client::new(&config(&database.endpoint).await);
    cloud::table(&client, TABLE).await;
    let (clock, shared) = clock();
    database.at(clock.now_secs());
    let store = WithStream {
        records: DynamoRecords::new(client, TABLE, shared),
        database,
        clock: clock.clone(),
        acknowledged: Mutex::default(),
    };
    conformance::records(&store, &clock).await.unwrap();
}

/// What the daily sweep does beside the table's own expiry.
#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_removes_what_the_table_has_not() {
    if !is_configured() {
        return;
    }
    let database = Dynamodb::start();
    let client = aws_sdk_dynamodb::Client::new(&config(&database.endpoint).await);
    cloud::table(&client, TABLE).await;
    let (clock, shared) = clock();
    let store = DynamoRecords::new(client, TABLE, shared);
    for (scan, end) in [
        ("scan-0001", 2_000),
        ("scan-0002", 2_000),
        ("scan-0003", 3_000),
    ] {
        store
            .insert(conformance::sample(scan, end).unwrap())
            .await
            .unwrap();
    }
    clock.advance_to_secs(2_000);
    database.at(2_000);
    assert_eq!(store.expire_due(1).await.unwrap(), 1);
    assert_eq!(store.expire_due(9).await.unwrap(), 1);
    assert_eq!(store.expire_due(9).await.unwrap(), 0);
    let event = database.stream_event(TABLE).to_string();
    let causes: Vec<Cause> = stream::removals(&event)
        .unwrap()
        .into_iter()
        .map(|removal| removal.removal.unwrap().cause)
        .collect();
    assert_eq!(causes, [Cause::Expired; 2]);
}

/// Two writers that race over one version: exactly one wins each round.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn races_have_one_winner() {
    if !is_configured() {
        return;
    }
    let database = Dynamodb::start();
    let client = aws_sdk_dynamodb::Client::new(&config(&database.endpoint).await);
    cloud::table(&client, TABLE).await;
    let store = DynamoRecords::new(client, TABLE, clock().1);
    let fresh = conformance::sample("scan-0001", 9_000).unwrap();
    let key = fresh.key.clone();
    store.insert(fresh).await.unwrap();
    for _ in 0..5 {
        let seen = store.get(&key).await.unwrap().unwrap();
        let tasks: Vec<_> = (0..8)
            .map(|writer| {
                let (store, mut record) = (store.clone(), seen.clone());
                record.locale = Some(format!("x-{writer}"));
                tokio::spawn(async move { store.update(record).await.unwrap() })
            })
            .collect();
        let mut winners = 0;
        for task in tasks {
            if let Written::Done(record) = task.await.unwrap() {
                winners += 1;
                assert_eq!(store.get(&key).await.unwrap(), Some(*record));
            }
        }
        assert_eq!(winners, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn practices_accesses_and_audit() {
    if !is_configured() {
        return;
    }
    let database = Dynamodb::start();
    let client = aws_sdk_dynamodb::Client::new(&config(&database.endpoint).await);
    cloud::table(&client, TABLE).await;
    let (manual, shared) = clock();
    let practices = DynamoPractices::new(client.clone(), TABLE);
    conformance::practices(&practices).await.unwrap();
    let accesses = DynamoAccesses::new(client.clone(), TABLE, Arc::clone(&shared));
    conformance::accesses(&accesses, &manual).await.unwrap();
    let audit = Audit {
        store: Arc::new(DynamoAudit::new(client, TABLE)),
        key: Arc::new(SigningKey::from_seed(KeyId::new(1), &[7; 32])),
        clock: shared,
    };
    conformance::audit(&audit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_with_kms() {
    if !is_configured() {
        return;
    }
    let stack = Ministack::start();
    let database = Dynamodb::start();
    let kms = aws_sdk_kms::Client::new(&config(&stack.endpoint).await);
    let key = kms.create_key().send().await.unwrap();
    let arn = key.key_metadata().unwrap().arn().unwrap().to_owned();
    let client = aws_sdk_dynamodb::Client::new(&config(&database.endpoint).await);
    cloud::keys_table(&client, "keys").await;
    let vault = Vault {
        keys: Arc::new(DynamoDataKeys::new(client, "keys")),
        wrap: Arc::new(KmsKeyWrap::new(kms, arn)),
    };
    conformance::vault(&vault).await.unwrap();
}

/// Time as it goes by, twice as long as asked for: SQS knows whole seconds.
struct RealTime;

#[async_trait]
impl Pace for RealTime {
    async fn pass_ms(&self, ms: u64) {
        let real_ms = match ms {
            // Well before the end of a second, and well after it.
            999 => 900,
            1 => 1_500,
            short if short < 1_000 => 1_400,
            long => long * 2 + 500,
        };
        tokio::time::sleep(Duration::from_millis(real_ms)).await;
    }
}

/// A queue whose times are twice as long.
struct Slow(SqsQueue);

#[async_trait]
impl Queue for Slow {
    async fn send(&self, body: &str, delay_ms: u64) -> Result<(), PortError> {
        self.0.send(body, delay_ms * 2).await
    }

    async fn receive(&self, max: usize, visibility_ms: u64) -> Result<Vec<Delivery>, PortError> {
        self.0.receive(max, visibility_ms * 2).await
    }

    async fn ack(&self, receipt: &str) -> Result<(), PortError> {
        self.0.ack(receipt).await
    }

    async fn release(&self, receipt: &str, delay_ms: u64, reason: &str) -> Result<(), PortError> {
        self.0.release(receipt, delay_ms * 2, reason).await
    }

    async fn extend(&self, receipt: &str, visibility_ms: u64) -> Result<(), PortError> {
        self.0.extend(receipt, visibility_ms * 2).await
    }

    async fn bury(&self, receipt: &str, reason: &str) -> Result<(), PortError> {
        self.0.bury(receipt, reason).await
    }

    async fn dead_letters(&self, max: usize) -> Result<Vec<DeadLetter>, PortError> {
        self.0.dead_letters(max).await
    }

    async fn redrive(&self) -> Result<u64, PortError> {
        self.0.redrive().await
    }

    async fn depth(&self) -> Result<Depth, PortError> {
        self.0.depth().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn queues() {
    if !is_configured() {
        return;
    }
    let stack = Ministack::start();
    let config = config(&stack.endpoint).await;
    let max_receives = 2;
    let place = cloud::queue(&config, "work", max_receives).await;
    let client = aws_sdk_sqs::Client::new(&config);
    conformance::queue(&Slow(SqsQueue::new(client, place)), &RealTime, max_receives)
        .await
        .unwrap();
}

/// A batch as a function is handed it: a panic, a hang and a failure are each that of one
/// message; what failed for good lies among the dead letters with its reason.
#[tokio::test(flavor = "multi_thread")]
async fn batches() {
    if !is_configured() {
        return;
    }
    let stack = Ministack::start();
    let config = config(&stack.endpoint).await;
    let place = cloud::queue(&config, "batch", 2).await;
    let client = aws_sdk_sqs::Client::new(&config);
    let queue = SqsQueue::new(client.clone(), place.clone());
    let bodies = ["good", "panics", "fails", "hopeless", "good too", "hangs"];
    let mut records = Vec::new();
    for body in bodies {
        queue.send(body, 0).await.unwrap();
        let taken = client
            .receive_message()
            .queue_url(&place.url)
            .send()
            .await
            .unwrap();
        let message = &taken.messages()[0];
        records.push(serde_json::json!({
            "messageId": body,
            "receiptHandle": message.receipt_handle().unwrap(),
            "body": message.body().unwrap(),
            // The one that panics does so for the last time.
            "attributes": { "ApproximateReceiveCount": if body == "panics" { "2" } else { "1" } },
        }));
    }
    let event = serde_json::json!({ "Records": records }).to_string();
    let handle = |message: Message| async move {
        match message.body.as_str() {
            "panics" => panic!("as the message asks"),
            "fails" => Err(HandleError::again("not yet")),
            "hopeless" => Err(HandleError::give_up("never")),
            "hangs" => std::future::pending().await,
            _ => Ok(vec![Metric::one("Good")]),
        }
    };
    let noted = Mutex::new(Vec::new());
    let note_dead = async |body: String, reason: String| noted.lock().unwrap().push((body, reason));
    let until = Instant::now() + Duration::from_secs(8);
    let done = batch::deal_with(&event, &queue, until, handle, note_dead)
        .await
        .unwrap();
    let failed: Vec<String> = done
        .answer
        .failures
        .into_iter()
        .map(|item| item.identifier)
        .collect();
    assert_eq!(failed, ["fails", "hangs"]);
    let panicked = ("panics".to_owned(), "the function panicked".to_owned());
    assert_eq!(*noted.lock().unwrap(), [panicked]);
    let mut dead: Vec<(String, String)> = queue
        .dead_letters(9)
        .await
        .unwrap()
        .into_iter()
        .map(|letter| (letter.body, letter.reason))
        .collect();
    dead.sort();
    assert_eq!(
        dead,
        [
            ("hopeless".to_owned(), "never".to_owned()),
            ("panics".to_owned(), "the function panicked".to_owned()),
        ]
    );
    let good = done.metrics.iter().filter(|metric| metric.name == "Good");
    assert_eq!(good.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn mails() {
    if !is_configured() {
        return;
    }
    let resend = Resend::start();
    let mailer = ResendMailer::new("re_test", Some(&resend.url)).unwrap();
    conformance::mailer(&mailer, &|| resend.mails().len())
        .await
        .unwrap();
    let wrong = ResendMailer::new("re_other", Some(&resend.url)).unwrap();
    let before = resend.mails();
    let refused = conformance::mailer(&wrong, &|| resend.mails().len()).await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind, dermalia_record::port::Kind::Permanent);
    // What passes by itself is tried again by whoever sends, under the same key.
    for key in ["re_hurried", "re_down"] {
        let mailer = ResendMailer::new(key, Some(&resend.url)).unwrap();
        let refused = conformance::mailer(&mailer, &|| resend.mails().len()).await;
        let error = refused.unwrap_err();
        assert_eq!(error.kind, dermalia_record::port::Kind::Retry, "{key}");
    }
    assert_eq!(resend.mails(), before);
}
