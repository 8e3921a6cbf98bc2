//! Each call to S3, SQS, DynamoDB, KMS and Resend in the chain fails once, before and after
//! its effect, and events come twice and out of order: the end is the same always, with one
//! e-mail.
//!
//! The handlers run in this process over the real clients, fed as Lambda feeds them, with a
//! quick stand-in for the analysis. The clients' own retries are off, so that every fault
//! reaches the handlers.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_sqs::types::MessageSystemAttributeName;
use dermalia_analyze::{Analyze, Artefact, Bundle, MeasureError, Measured, Measurer, PatientData};
use dermalia_cloud::batch::{self, Message};
use dermalia_cloud::telemetry::Metric;
use dermalia_cloud::{
    Buckets, DynamoAccesses, DynamoDataKeys, DynamoPractices, DynamoRecords, KmsKeyWrap,
    QueuePlace, ResendMailer, S3Objects, SqsQueue,
};
use dermalia_link::{KeyId, SigningKey};
use dermalia_record::event::object_created;
use dermalia_record::port::{Body, Metadata, ObjectWrite, Ports, Queue};
use dermalia_record::{
    Clock, ManualClock, Personal, ScanKey, Settings, State, Vault, findings_prefix, incoming_file,
    report_prefix,
};
use dermalia_report_function::{Page, Renderer, Report, ReportFile};
use dermalia_scan::Limits;
use serde_json::{Value, json};

use crate::cloud;
use crate::emulators::{Dynamodb, Ministack, config, is_configured, s3};
use crate::proxy::{Faults, When};
use crate::resend::Resend;

const TABLE: &str = "dermalia-test";
const KEYS: &str = "dermalia-test-keys";
/// 2026-05-15T08:00:00Z, a day after the scans were captured.
const START_MS: i64 = 1_778_832_000_000;
/// More than any lease.
const AFTER_A_LEASE_MS: u64 = 20 * 60_000;

struct QuickMeasurer;

impl Measurer for QuickMeasurer {
    fn algorithm(&self) -> &str {
        "stand-in 1"
    }

    fn measure(&self, _: &ScanKey, bundle: Bundle, _: &Limits) -> Result<Measured, MeasureError> {
        let Bundle::Files(files) = bundle else {
            return Err(MeasureError::Refused("expected files".to_owned()));
        };
        let manifest = files.iter().find(|(name, _)| name == "manifest.json");
        let email = String::from_utf8_lossy(&manifest.unwrap().1).into_owned();
        let artefact = |name: &str| Artefact {
            name: name.to_owned(),
            content_type: "application/json".to_owned(),
            bytes: b"{}".to_vec(),
        };
        Ok(Measured {
            captured_at: "2026-05-14T09:31:00+02:00".to_owned(),
            patient: PatientData {
                first_name: Some(Personal::new("Anna".to_owned())),
                email: Some(Personal::new(email)),
                locale: Some("de".to_owned()),
            },
            previous_scan: None,
            artefacts: vec![artefact("findings.json"), artefact("heat_pores.webp")],
        })
    }
}

struct QuickRenderer;

impl Renderer for QuickRenderer {
    fn render(&self, findings: Vec<ReportFile>, _: &Page) -> Result<Vec<ReportFile>, String> {
        let mut files = findings;
        files.push(ReportFile {
            name: "report.html".to_owned(),
            content_type: "text/html".to_owned(),
            bytes: b"<p>".to_vec(),
        });
        Ok(files)
    }
}

/// The emulators, with what is in them.
struct World {
    stack: Ministack,
    database: Dynamodb,
    resend: Resend,
    buckets: Buckets,
    uploads: QueuePlace,
    reports: QueuePlace,
    data_key: String,
}

/// Handlers over the emulators' ports, or over proxies before them.
struct Chain {
    clock: ManualClock,
    ports: Ports,
    queues: [SqsQueue; 2],
    analyze: Analyze,
    report: Report,
    /// What went wrong on the way.
    errors: Arc<Mutex<Vec<String>>>,
}

async fn without_retries(endpoint: &str) -> SdkConfig {
    let config = config(endpoint).await.into_builder();
    config.retry_config(RetryConfig::disabled()).build()
}

impl World {
    async fn new() -> Self {
        let stack = Ministack::start();
        let database = Dynamodb::start();
        let config = config(&stack.endpoint).await;
        let tables = aws_sdk_dynamodb::Client::new(&without_retries(&database.endpoint).await);
        cloud::table(&tables, TABLE).await;
        cloud::keys_table(&tables, KEYS).await;
        let key = aws_sdk_kms::Client::new(&config).create_key().send();
        let key = key.await.unwrap();
        Self {
            buckets: cloud::buckets(&s3(&config)).await,
            uploads: cloud::queue(&config, "uploads", 5).await,
            reports: cloud::queue(&config, "reports", 5).await,
            data_key: key.key_metadata().unwrap().arn().unwrap().to_owned(),
            resend: Resend::start(),
            stack,
            database,
        }
    }

    async fn chain(&self, aws: &str, dynamodb: &str, resend: &str) -> Chain {
        let clock = ManualClock::at_ms(START_MS);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let config = without_retries(aws).await;
        let database = aws_sdk_dynamodb::Client::new(&without_retries(dynamodb).await);
        let sqs = aws_sdk_sqs::Client::new(&config);
        let queues =
            [&self.uploads, &self.reports].map(|place| SqsQueue::new(sqs.clone(), place.clone()));
        let kms = aws_sdk_kms::Client::new(&config);
        let ports = Ports {
            objects: Arc::new(S3Objects::new(s3(&config), self.buckets.clone())),
            records: Arc::new(DynamoRecords::new(
                database.clone(),
                TABLE,
                Arc::clone(&shared),
            )),
            uploads: Arc::new(queues[0].clone()),
            reports: Arc::new(queues[1].clone()),
            mailer: Arc::new(ResendMailer::new("re_test", Some(resend)).unwrap()),
            practices: Arc::new(DynamoPractices::new(database.clone(), TABLE)),
            accesses: Arc::new(DynamoAccesses::new(
                database.clone(),
                TABLE,
                Arc::clone(&shared),
            )),
            vault: Vault {
                keys: Arc::new(DynamoDataKeys::new(database, KEYS)),
                wrap: Arc::new(KmsKeyWrap::new(kms, self.data_key.clone())),
            },
            clock: shared,
        };
        let settings = Arc::new(Settings::default());
        let key = Arc::new(SigningKey::from_seed(KeyId::new(1), &[7; 32]));
        Chain {
            clock,
            queues,
            analyze: Analyze::new(
                ports.clone(),
                Arc::new(QuickMeasurer),
                Arc::clone(&settings),
            ),
            report: Report::new(ports.clone(), Arc::new(QuickRenderer), key, settings),
            ports,
            errors: Arc::default(),
        }
    }
}

impl Chain {
    /// Puts a bundle there and gives the event that the bucket would send.
    async fn bundle(&self, scan: &ScanKey, address: &str) -> String {
        let mut version = String::new();
        let manifest = incoming_file(scan, "manifest.json").unwrap();
        for (name, text) in [("white.jpg", "skin"), ("manifest.json", address)] {
            let object = ObjectWrite {
                body: Body::Bytes(text.as_bytes().to_vec()),
                content_type: "application/octet-stream".to_owned(),
                metadata: Metadata::new(),
            };
            let key = incoming_file(scan, name).unwrap();
            version = self.ports.objects.put(&key, object).await.unwrap();
        }
        object_created(&manifest, &version, 0)
    }

    /// Does with a queue's messages what Lambda's poller does, with `handlers` for the
    /// work; tells whether there was one.
    async fn poll(&self, which: usize, sqs: &aws_sdk_sqs::Client, place: &QueuePlace) -> bool {
        let taken = sqs
            .receive_message()
            .queue_url(&place.url)
            .visibility_timeout(60)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .send()
            .await
            .unwrap();
        let Some(message) = taken.messages().first() else {
            return false;
        };
        let (handle, body) = (message.receipt_handle().unwrap(), message.body().unwrap());
        let attributes: serde_json::Map<String, Value> = message
            .attributes()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_str().into()))
            .collect();
        let event = json!({ "Records": [{
            "messageId": message.message_id().unwrap(),
            "receiptHandle": handle,
            "body": body,
            "attributes": attributes,
        }]});
        let until = Instant::now() + Duration::from_secs(60);
        let work = |message: Message| {
            let (analyze, report) = (self.analyze.clone(), self.report.clone());
            let errors = Arc::clone(&self.errors);
            async move {
                let result = if which == 0 {
                    let done = analyze.handle(&message.body, message.attempt).await;
                    done.map(drop)
                } else {
                    let done = report.handle(&message.body, message.attempt).await;
                    done.map(drop)
                };
                if let Err(error) = &result {
                    errors.lock().unwrap().push(error.to_string());
                }
                result.map(|()| Vec::<Metric>::new())
            }
        };
        let note = async |_: String, _: String| {};
        let done = batch::deal_with(&event.to_string(), &self.queues[which], until, work, note)
            .await
            .unwrap();
        let is_given_up = done.metrics.iter().any(|m| m.name == "MessagesGivenUp");
        assert!(!is_given_up, "given up: {:?}", self.errors.lock().unwrap());
        if done.answer.failures.is_empty() {
            sqs.delete_message()
                .queue_url(&place.url)
                .receipt_handle(handle)
                .send()
                .await
                .unwrap();
        } else {
            // It comes again once every lease has ended; the test does not wait for that.
            self.clock.advance_ms(AFTER_A_LEASE_MS);
            sqs.change_message_visibility()
                .queue_url(&place.url)
                .receipt_handle(handle)
                .visibility_timeout(0)
                .send()
                .await
                .unwrap();
        }
        true
    }
}

/// One scan through the chain under a fault, with these many copies of its event; then what
/// there must be. Gives the number of calls.
async fn run(world: &World, number: usize, fault: Option<(usize, When)>, copies: usize) -> usize {
    let context = format!("fault {fault:?}");
    let scan = ScanKey {
        practice: "praxis-nord".parse().unwrap(),
        scan: format!("SCAN-{number:05}").parse().unwrap(),
    };
    let address = format!("anna-{number}@example.org");
    let faults = fault.map_or_else(Faults::default, |(at, when)| Faults::at(at, when));
    let chain = world
        .chain(
            &faults.before(&world.stack.endpoint),
            &faults.before(&world.database.endpoint),
            &faults.before(&world.resend.url),
        )
        .await;
    let direct = world
        .chain(
            &world.stack.endpoint,
            &world.database.endpoint,
            &world.resend.url,
        )
        .await;
    let event = direct.bundle(&scan, &address).await;
    for _ in 0..copies {
        direct.queues[0].send(&event, 0).await.unwrap();
    }
    let sqs = aws_sdk_sqs::Client::new(&config(&world.stack.endpoint).await);
    let mut idle = 0;
    for turn in 0.. {
        assert!(turn < 60, "{context}: the queues never run empty");
        // The later queue first: reports overtake what is asked for again.
        let reported = chain.poll(1, &sqs, &world.reports).await;
        let analysed = chain.poll(0, &sqs, &world.uploads).await;
        if copies > 1 && turn == 2 {
            // Long after all is done, and again.
            direct.queues[0].send(&event, 0).await.unwrap();
        }
        idle = if reported || analysed { 0 } else { idle + 1 };
        if idle == 2 {
            break;
        }
    }

    let record = direct.ports.records.get(&scan).await.unwrap().unwrap();
    assert_eq!(record.state, State::Delivered, "{context}");
    assert_eq!(record.lease, None, "{context}");
    let report = record.report_id.unwrap();
    let names = async |prefix: &str| -> BTreeSet<String> {
        let listed = direct.ports.objects.list(prefix, 99).await.unwrap();
        let name = |key: &str| key.rsplit('/').next().unwrap().to_owned();
        listed.objects.iter().map(|o| name(&o.key)).collect()
    };
    let findings = names(&findings_prefix(&scan)).await;
    let expected = ["findings.json", "heat_pores.webp"].map(str::to_owned);
    assert_eq!(findings, BTreeSet::from(expected.clone()), "{context}");
    let mut page = BTreeSet::from(expected);
    page.insert("report.html".to_owned());
    assert_eq!(names(&report_prefix(report)).await, page, "{context}");
    let mails = world.resend.mails();
    let sent: Vec<&Value> = mails.values().filter(|m| m["to"][0] == *address).collect();
    assert_eq!(sent.len(), 1, "{context}");
    for queue in &direct.queues {
        assert_eq!(queue.depth().await.unwrap().dead, 0, "{context}");
    }
    faults.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_may_fail_once() {
    if !is_configured() {
        return;
    }
    let world = World::new().await;
    let calls = run(&world, 0, None, 1).await;
    assert!(calls > 30, "{calls}");
    let start = Instant::now();
    let mut runs = 0;
    for index in 0..calls {
        for (kind, when) in [When::BeforeEffect, When::AfterEffect]
            .into_iter()
            .enumerate()
        {
            let fault = Some((index, when));
            run(&world, 1 + 2 * index + kind, fault, 1 + index % 2).await;
            runs += 1;
        }
    }
    eprintln!(
        "{calls} calls in the chain, {runs} faults, {:.1} s",
        start.elapsed().as_secs_f64()
    );
}
