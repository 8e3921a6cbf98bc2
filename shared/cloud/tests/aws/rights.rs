//! Retention and the patient's rights over the table's own expiry and stream, versioned
//! buckets, queues, KMS and the mail service: one scan of each case.
//!
//! The handlers run in this process over the real clients, with quick stand-ins for the
//! analysis and the page. The world's clock is the test's: S3 says when an object was
//! written by the machine's.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use dermalia_analyze::{Analyze, Artefact, Bundle, MeasureError, Measured, Measurer, PatientData};
use dermalia_cloud::{
    DynamoAccesses, DynamoAudit, DynamoDataKeys, DynamoPractices, DynamoRecords, KmsKeyWrap,
    ResendMailer, S3Objects, SqsQueue, stream,
};
use dermalia_embedded::worker::{Step, step};
use dermalia_expire::Expire;
use dermalia_link::{KeyId, META_EPOCH, META_UNTIL, SigningKey};
use dermalia_record::audit::{Action, Actor, verify};
use dermalia_record::event::object_created;
use dermalia_record::port::{
    AccessEntry, AccessKind, Body, Cause, Metadata, ObjectWrite, Ports, Removal, Written,
};
use dermalia_record::{
    Audit, Clock, ManualClock, Personal, Phase, Practice, ReportId, ScanKey, ScanRecord, Settings,
    Vault, expires_at_secs, incoming_file, report_asset,
};
use dermalia_report_function::{Page, Renderer, Report, ReportFile};
use dermalia_rights::{Correction, Rights};
use dermalia_scan::Limits;
use dermalia_sweep::{Found, Sweep};
use jiff::Timestamp;

use crate::cloud;
use crate::emulators::{Dynamodb, Ministack, config, is_configured, s3};
use crate::resend::Resend;

const TABLE: &str = "dermalia-test";
const KEYS: &str = "dermalia-test-keys";
const BUCKETS: [&str; 3] = ["incoming", "findings", "reports"];
const DAY_MS: u64 = 86_400_000;
/// What a scanner's picture begins and ends with, and what must not be kept of it.
const PICTURE: &[u8] = b"\xff\xd8\xff\xe1\x00\x0cExif\0\0abcd\xff\xd9";

struct JsonMeasurer;

impl Measurer for JsonMeasurer {
    fn algorithm(&self) -> &str {
        "stand-in 1"
    }

    fn measure(&self, key: &ScanKey, bundle: Bundle, _: &Limits) -> Result<Measured, MeasureError> {
        let Bundle::Files(files) = bundle else {
            return Err(MeasureError::Refused("expected files".to_owned()));
        };
        let manifest = files.iter().find(|(name, _)| name == "manifest.json");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest.unwrap().1).unwrap();
        let text = |field: &str| {
            Some(Personal::new(
                manifest["patient"][field].as_str()?.to_owned(),
            ))
        };
        Ok(Measured {
            captured_at: manifest["captured_at"].as_str().unwrap().to_owned(),
            patient: PatientData {
                first_name: text("first_name"),
                email: text("email"),
                locale: None,
            },
            previous_scan: manifest["previous"].as_str().and_then(|id| id.parse().ok()),
            artefacts: vec![Artefact {
                name: "findings.json".to_owned(),
                content_type: "application/json".to_owned(),
                bytes: format!("findings of {key}").into_bytes(),
            }],
        })
    }
}

struct TextRenderer;

impl Renderer for TextRenderer {
    fn render(&self, _: Vec<ReportFile>, page: &Page) -> Result<Vec<ReportFile>, String> {
        let name = page.first_name.as_ref().map_or("", |name| name.reveal());
        let previous = page.previous.as_deref().map(String::from_utf8_lossy);
        let previous = previous.unwrap_or_default();
        let text = format!("<p>{name}<p>until {}<p>{previous}", page.expires_at_secs);
        Ok(vec![ReportFile {
            name: "report.html".to_owned(),
            content_type: "text/html".to_owned(),
            bytes: text.into_bytes(),
        }])
    }
}

/// The emulators and the handlers over them.
struct World {
    _stack: Ministack,
    database: Dynamodb,
    resend: Resend,
    s3: aws_sdk_s3::Client,
    clock: ManualClock,
    ports: Ports,
    queues: [SqsQueue; 2],
    audit: Audit,
    settings: Arc<Settings>,
    key: Arc<SigningKey>,
    /// How much of the stream was read.
    read: std::cell::Cell<usize>,
}

impl World {
    async fn new() -> Self {
        let (stack, database, resend) = (Ministack::start(), Dynamodb::start(), Resend::start());
        let aws = config(&stack.endpoint).await;
        let tables = aws_sdk_dynamodb::Client::new(&config(&database.endpoint).await);
        cloud::table(&tables, TABLE).await;
        cloud::keys_table(&tables, KEYS).await;
        let kms = aws_sdk_kms::Client::new(&aws);
        let data_key = kms.create_key().send().await.unwrap();
        let data_key = data_key.key_metadata().unwrap().arn().unwrap().to_owned();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let clock = ManualClock::at_ms(i64::try_from(since.as_millis()).unwrap());
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        database.at(clock.now_secs());
        let client = s3(&aws);
        let sqs = aws_sdk_sqs::Client::new(&aws);
        let queues = [
            SqsQueue::new(sqs.clone(), cloud::queue(&aws, "uploads", 5).await),
            SqsQueue::new(sqs, cloud::queue(&aws, "reports", 5).await),
        ];
        let ports = Ports {
            objects: Arc::new(S3Objects::new(
                client.clone(),
                cloud::buckets(&client).await,
            )),
            records: Arc::new(DynamoRecords::new(
                tables.clone(),
                TABLE,
                Arc::clone(&shared),
            )),
            uploads: Arc::new(queues[0].clone()),
            reports: Arc::new(queues[1].clone()),
            mailer: Arc::new(ResendMailer::new("re_test", Some(&resend.url)).unwrap()),
            practices: Arc::new(DynamoPractices::new(tables.clone(), TABLE)),
            accesses: Arc::new(DynamoAccesses::new(
                tables.clone(),
                TABLE,
                Arc::clone(&shared),
            )),
            vault: Vault {
                keys: Arc::new(DynamoDataKeys::new(tables.clone(), KEYS)),
                wrap: Arc::new(KmsKeyWrap::new(kms, data_key)),
            },
            clock: Arc::clone(&shared),
        };
        let audit = Audit {
            store: Arc::new(DynamoAudit::new(tables, TABLE)),
            key: Arc::new(SigningKey::from_seed(KeyId::new(2), &[8; 32])),
            clock: shared,
        };
        Self {
            _stack: stack,
            database,
            resend,
            s3: client,
            clock,
            ports,
            queues,
            audit,
            settings: Arc::new(Settings::default()),
            key: Arc::new(SigningKey::from_seed(KeyId::new(1), &[7; 32])),
            read: std::cell::Cell::new(0),
        }
    }

    fn rights(&self) -> Rights {
        Rights {
            ports: self.ports.clone(),
            audit: self.audit.clone(),
            settings: Arc::clone(&self.settings),
            key: Arc::clone(&self.key),
        }
    }

    fn pass(&self, ms: u64) {
        self.clock.advance_ms(ms);
        self.database.at(self.clock.now_secs());
    }

    fn pass_to(&self, secs: i64) {
        self.clock.advance_to_secs(secs);
        self.database.at(secs);
    }

    /// Puts the files of a scan there; gives the event that the bucket would send.
    async fn upload(&self, scan: &ScanKey, name: &str, previous: Option<&ScanKey>) -> String {
        let captured = Timestamp::from_second(self.clock.now_secs() - 86_400).unwrap();
        let manifest = serde_json::json!({
            "captured_at": captured.to_string(),
            "patient": { "first_name": name, "email": format!("{}@example.org", scan.scan) },
            "previous": previous.map(|key| key.scan.as_str()),
        });
        let mut version = String::new();
        for (file, content) in [
            ("white.jpg", PICTURE.to_vec()),
            ("manifest.json", manifest.to_string().into_bytes()),
        ] {
            let object = ObjectWrite {
                body: Body::Bytes(content),
                content_type: "application/octet-stream".to_owned(),
                metadata: Metadata::new(),
            };
            let key = incoming_file(scan, file).unwrap();
            version = self.ports.objects.put(&key, object).await.unwrap();
        }
        object_created(&incoming_file(scan, "manifest.json").unwrap(), &version, 0)
    }

    /// A scan that was reported and opened.
    async fn delivered(&self, scan: &ScanKey, name: &str, previous: Option<&ScanKey>) {
        let event = self.upload(scan, name, previous).await;
        self.ports.uploads.send(&event, 0).await.unwrap();
        self.settle().await;
        let record = self.record(scan).await;
        assert_eq!(record.phase(), Phase::Delivered, "{scan}");
        let entry = AccessEntry {
            report: record.report_id.unwrap(),
            id: "one".to_owned(),
            at_secs: self.clock.now_secs(),
            kind: AccessKind::Access,
            body: "{}".to_owned(),
            // Later than its scan, so that what removes it is not its own end.
            expires_at_secs: record.expires_at_secs + 90 * 86_400,
        };
        self.ports.accesses.put(entry).await.unwrap();
    }

    async fn settle(&self) {
        let measurer = Arc::new(JsonMeasurer);
        let settings = || Arc::clone(&self.settings);
        let analyze = Analyze::new(self.ports.clone(), measurer, settings());
        let (key, renderer) = (Arc::clone(&self.key), Arc::new(TextRenderer));
        let report = Report::new(self.ports.clone(), renderer, key, settings());
        for _ in 0..40 {
            let first = step(&self.queues[0], |body, attempt| {
                let analyze = analyze.clone();
                async move { analyze.handle(&body, attempt).await.map(drop) }
            });
            let first = first.await.unwrap();
            let second = step(&self.queues[1], |body, attempt| {
                let report = report.clone();
                async move { report.handle(&body, attempt).await.map(drop) }
            });
            let second = second.await.unwrap();
            for step in [&first, &second] {
                assert!(matches!(step, Step::Idle | Step::Done), "{step:?}");
            }
            if (&first, &second) == (&Step::Idle, &Step::Idle) {
                return;
            }
        }
        panic!("the queues never run empty");
    }

    async fn swept(&self) -> Found {
        let sweep = Sweep {
            ports: self.ports.clone(),
            audit: self.audit.clone(),
            settings: Arc::clone(&self.settings),
        };
        let found = sweep.full(|_| Ok(())).await.unwrap();
        self.settle().await;
        found
    }

    async fn record(&self, scan: &ScanKey) -> ScanRecord {
        self.ports.records.get(scan).await.unwrap().unwrap()
    }

    /// The removals that the table's stream has told of since it was read last.
    fn removals(&self) -> Vec<Removal> {
        let event = self.database.stream_event(TABLE).to_string();
        let all = stream::removals(&event).unwrap();
        let new = all.into_iter().skip(self.read.get());
        let new: Vec<Removal> = new.map(|removal| removal.removal.unwrap()).collect();
        self.read.set(self.read.get() + new.len());
        new
    }

    /// What `expire` does with them; the stream tells everything at least once.
    async fn expire(&self, removals: &[Removal]) {
        let expire = Expire {
            ports: self.ports.clone(),
            audit: self.audit.clone(),
        };
        for removal in removals.iter().chain(removals) {
            expire.handle(removal).await.unwrap();
        }
        self.settle().await;
    }

    async fn page(&self, report: ReportId) -> Option<(String, Metadata)> {
        let key = report_asset(report, "report.html").unwrap();
        let found = self.ports.objects.get(&key, 1 << 20).await.unwrap()?;
        Some((String::from_utf8(found.bytes).unwrap(), found.head.metadata))
    }

    async fn page_of(&self, scan: &ScanKey) -> (String, Metadata) {
        let report = self.record(scan).await.report_id.unwrap();
        self.page(report).await.unwrap()
    }

    /// Every version and marker, in all buckets, whose key holds this.
    async fn versions(&self, part: &str) -> Vec<(String, String, String)> {
        let mut found = Vec::new();
        for bucket in BUCKETS {
            let listed = self.s3.list_object_versions().bucket(bucket);
            let listed = listed.send().await.unwrap();
            let versions = listed.versions().iter().map(|v| (v.key(), v.version_id()));
            let markers = listed.delete_markers();
            let markers = markers.iter().map(|m| (m.key(), m.version_id()));
            found.extend(versions.chain(markers).map(|(key, id)| {
                let text = |t: Option<&str>| t.unwrap().to_owned();
                (bucket.to_owned(), text(key), text(id))
            }));
        }
        found.retain(|(_, key, _)| key.contains(part));
        found
    }

    /// Whether any version of the report's objects holds this text.
    async fn any_version_holds(&self, report: ReportId, text: &str) -> bool {
        for (bucket, key, version) in self.versions(&report.to_string()).await {
            let get = self.s3.get_object().bucket(&bucket).key(&key);
            let object = get.version_id(&version).send().await.unwrap();
            let bytes = object.body.collect().await.unwrap().into_bytes();
            if String::from_utf8_lossy(&bytes).contains(text) {
                return true;
            }
        }
        false
    }

    /// Nothing is left of a scan: record, any version of any object, key, accesses.
    async fn assert_gone(&self, before: &ScanRecord) {
        let (key, report) = (&before.key, before.report_id.unwrap());
        assert_eq!(self.ports.records.get(key).await.unwrap(), None, "{key}");
        for part in [format!("/{}", key.scan), report.to_string()] {
            assert!(self.versions(&part).await.is_empty(), "{key}");
        }
        let sealed = self.ports.vault.keys.get(key).await.unwrap();
        assert_eq!(sealed, None, "the data key of {key}");
        let accesses = self.ports.accesses.list(report, 9).await.unwrap();
        assert_eq!(accesses.len(), 0, "{key}");
    }

    async fn actions(&self, scan: &ScanKey) -> Vec<Action> {
        let log = self.audit.about(&scan.practice, &scan.scan).await.unwrap();
        log.into_iter().map(|entry| entry.action).collect()
    }

    async fn agree(&self, change: impl Fn(&mut Practice)) {
        let id = scan("x").practice;
        let known = self.ports.practices.get(&id).await.unwrap();
        let mut practice = known.unwrap_or_else(|| Practice::new(id));
        change(&mut practice);
        self.ports.practices.put(practice).await.unwrap().unwrap();
    }
}

fn scan(name: &str) -> ScanKey {
    ScanKey {
        practice: "praxis-nord".parse().unwrap(),
        scan: format!("SCAN-{name:0>4}").parse().unwrap(),
    }
}

#[tokio::test]
async fn each_case_of_retention_and_rights() {
    if !is_configured() {
        return;
    }
    let world = World::new().await;
    restriction(&world).await;
    rectification(&world).await;
    erasure(&world).await;
    comparison(&world).await;
    bundle_days(&world).await;
    lost_events(&world).await;
    changed_retention_and_the_table_s_expiry(&world).await;
    lost_removal(&world).await;
    // What was not touched is whole to the end, and so is the log.
    let (store, practice) = (world.audit.store.as_ref(), scan("x").practice);
    let public = [world.audit.key.public()];
    verify(store, &practice, &public, None).await.unwrap();
    let left = world.swept().await;
    assert!(left.is_empty(), "{left:?}");
}

async fn restriction(world: &World) {
    let (key, rights) = (scan("HELD"), world.rights());
    world.delivered(&key, "Anna", None).await;
    let before = world.record(&key).await;
    rights.restrict(&key, Actor::Operator).await.unwrap();
    // The link is dead at the edge: the objects are of another epoch.
    let (_, metadata) = world.page_of(&key).await;
    assert_ne!(metadata[META_EPOCH], before.epoch.number().to_string());
    // Neither measured nor reported.
    let event = world.upload(&key, "Anna", None).await;
    world.ports.uploads.send(&event, 0).await.unwrap();
    world.settle().await;
    assert_eq!(world.record(&key).await.phase(), Phase::Restricted);
    world
        .ports
        .objects
        .delete_prefix("incoming/")
        .await
        .unwrap();
    rights
        .lift_restriction(&key, Actor::Operator)
        .await
        .unwrap();
    world.settle().await;
    let after = world.record(&key).await;
    assert_eq!(after.phase(), Phase::Delivered);
    let (_, metadata) = world.page_of(&key).await;
    assert_eq!(metadata[META_EPOCH], after.epoch.number().to_string());
    assert!(after.epoch > before.epoch);
    assert_eq!(
        world.actions(&key).await,
        [Action::Restricted, Action::RestrictionLifted]
    );
}

async fn rectification(world: &World) {
    let (key, rights) = (scan("NAME"), world.rights());
    world.delivered(&key, "Annna", None).await;
    let report = world.record(&key).await.report_id.unwrap();
    assert!(world.any_version_holds(report, "Annna").await);
    let correction = Correction {
        first_name: Some(Some(Personal::new("Anna".to_owned()))),
        email: None,
    };
    for _ in 0..2 {
        rights
            .rectify(&key, &correction, Actor::Operator)
            .await
            .unwrap();
        world.settle().await;
    }
    assert!(world.page_of(&key).await.0.contains("<p>Anna<p>"));
    assert!(
        !world.any_version_holds(report, "Annna").await,
        "the wrong name lies in an old version"
    );
    let address = format!("{}@example.org", key.scan);
    let mails = world.resend.mails();
    let ours = mails.values().filter(|mail| mail["to"][0] == *address);
    assert_eq!(ours.count(), 2);
}

async fn erasure(world: &World) {
    let (key, rights) = (scan("GONE"), world.rights());
    world.delivered(&key, "Anna", None).await;
    // Versions of before lie there too.
    rights.restrict(&key, Actor::Operator).await.unwrap();
    rights
        .lift_restriction(&key, Actor::Operator)
        .await
        .unwrap();
    world.settle().await;
    let before = world.record(&key).await;
    world.removals();
    let certificate = rights.erase(&key, Actor::Operator).await.unwrap();
    world.assert_gone(&before).await;
    assert!(certificate.is_signed_by(&[world.audit.key.public()]));
    let again = rights.erase(&key, Actor::Operator).await.unwrap();
    assert_eq!(again, certificate);
    // The stream tells of it too; nothing more is done or told.
    let removals = world.removals();
    assert_eq!(removals.len(), 1);
    assert_eq!(removals[0].cause, Cause::Erased);
    let told = world.actions(&key).await;
    world.expire(&removals).await;
    assert_eq!(world.actions(&key).await, told);
    assert_eq!(told[2..], [Action::ErasureBegun, Action::Erased]);
}

async fn comparison(world: &World) {
    let [first, second] = [scan("PAST"), scan("LAST")];
    world.delivered(&first, "Anna", None).await;
    world.delivered(&second, "Anna", Some(&first)).await;
    let told = format!("findings of {first}");
    assert!(world.page_of(&second).await.0.contains(&told));
    let report = world.record(&second).await.report_id.unwrap();
    let rights = world.rights();
    rights.erase(&first, Actor::Patient).await.unwrap();
    assert!(!world.any_version_holds(report, &told).await, "at once");
    world.settle().await;
    assert!(!world.page_of(&second).await.0.contains(&told));
    world.expire(&world.removals()).await;
    assert_eq!(world.record(&second).await.phase(), Phase::Delivered);
}

async fn bundle_days(world: &World) {
    world.agree(|practice| practice.bundle_days = 3).await;
    let key = scan("KEPT");
    world.delivered(&key, "Anna", None).await;
    let bundle = format!("{}/bundle/", key.scan);
    let kept = world.versions(&bundle).await;
    assert!(!kept.is_empty());
    for (bucket, key, version) in kept {
        let get = world.s3.get_object().bucket(bucket).key(key);
        let object = get.version_id(version).send().await.unwrap();
        let bytes = object.body.collect().await.unwrap().into_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains("Exif") && !text.contains("Anna"), "{text}");
    }
    world.pass(2 * DAY_MS);
    assert_eq!(world.swept().await.bundles_deleted, 0, "early");
    world.pass(DAY_MS);
    assert!(world.swept().await.bundles_deleted > 0);
    assert!(world.versions(&bundle).await.is_empty());
    assert_eq!(world.record(&key).await.phase(), Phase::Delivered);
    assert!(
        !world.versions(key.scan.as_str()).await.is_empty(),
        "findings stay"
    );
}

/// An upload and a report of which nobody was told.
async fn lost_events(world: &World) {
    let key = scan("LOST");
    drop(world.upload(&key, "Anna", None).await);
    assert_eq!(world.swept().await.uploads_announced, 1);
    let record = world.record(&key).await;
    assert_eq!(record.phase(), Phase::Delivered);
    // The report is gone, for whatever reason.
    let report = record.report_id.unwrap();
    let prefix = format!("reports/{report}/");
    world.ports.objects.delete_prefix(&prefix).await.unwrap();
    assert_eq!(world.swept().await.reports_asked, 1);
    assert!(world.page(report).await.is_some());
}

async fn changed_retention_and_the_table_s_expiry(world: &World) {
    let key = scan("TIME");
    world.delivered(&key, "Anna", None).await;
    let before = world.record(&key).await;
    let captured_at = before.captured_at.clone().unwrap();
    world.agree(|practice| practice.retention_months = 2).await;
    assert!(world.swept().await.redated > 0);
    let record = world.record(&key).await;
    let end = expires_at_secs(&captured_at, 2).unwrap();
    assert_eq!(record.expires_at_secs, end);
    assert!(end < before.expires_at_secs);
    let (text, metadata) = world.page_of(&key).await;
    assert!(text.contains(&format!("until {end}")), "{text}");
    assert_eq!(metadata[META_UNTIL], end.to_string());
    // A write by somebody who has not heard of it does not bring the old end back.
    assert_eq!(
        world.ports.records.update(before).await.unwrap(),
        Written::Conflict
    );

    world.pass_to(end - 1);
    assert!(world.ports.records.get(&key).await.unwrap().is_some());
    world.removals();
    world.pass_to(end);
    // Unreadable at once, though the item is still there.
    assert_eq!(world.ports.records.get(&key).await.unwrap(), None);
    let report = record.report_id.unwrap();
    let found = world.ports.records.by_report(report).await.unwrap();
    assert_eq!(found, None);
    assert!(!world.versions(key.scan.as_str()).await.is_empty());
    world.pass_to(end + 1);
    assert!(world.database.sweep() > 0);
    let removals = world.removals();
    assert!(
        removals
            .iter()
            .all(|removal| removal.cause == Cause::Expired)
    );
    assert!(removals.iter().any(|removal| removal.record.key == key));
    world.expire(&removals).await;
    world.assert_gone(&record).await;
    assert_eq!(
        world.actions(&key).await,
        [Action::ErasureBegun, Action::Expired]
    );
}

/// The table has removed an item, and nobody heard of it.
async fn lost_removal(world: &World) {
    let key = scan("LATE");
    world.delivered(&key, "Anna", None).await;
    let record = world.record(&key).await;
    world.pass_to(record.expires_at_secs + 1);
    assert!(world.database.sweep() > 0);
    drop(world.removals());
    let found = world.swept().await;
    assert!(
        found.orphan_objects > 0 && found.orphan_keys > 0,
        "{found:?}"
    );
    assert!(found.orphan_accesses > 0, "{found:?}");
    world.assert_gone(&record).await;
}
