//! The compiled functions, deployed by the real template, each with its own role: from a
//! practice's upload to the report, its link and one e-mail, and on to the deletion of
//! every version.

use std::collections::BTreeSet;
use std::path::Path;

use dermalia_cloud::S3Objects;
use dermalia_cloud::telemetry::with_trace;
use dermalia_link::{KeyId, KeySet, SigningKey, verify};
use dermalia_record::event::object_created;
use dermalia_record::port::{ObjectStore, PracticeStore, Queue};
use dermalia_record::{Credential, Phase, Practice, ScanKey, State, incoming_file, report_prefix};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::asked;
use crate::client;
use crate::cloud;
use crate::deployment::{Deployed, SEED, offer_of};
use crate::emulators::{BUNDLE, Ministack, config, is_configured, program, s3};
use crate::policies;
use crate::resend::Resend;

pub(crate) const ADDRESS: &str = "rosalinde@example.org";
pub(crate) const NAME: &str = "Rosalinde";
const TRACE: &str = "Root=1-6a0563ca-4f1c2d3e5a6b7c8d9e0f1a2b;Parent=53995c3f42cd8ad8;Sampled=1";
const FUNCTIONS: [&str; 7] = [
    "upload", "analyze", "report", "expire", "access", "rights", "sweep",
];

/// The files of the synthetic scan as this scan, in the order of an upload.
pub(crate) fn bundle(scan: &ScanKey) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    read(&program(BUNDLE), "", &mut files);
    let manifest = files
        .iter()
        .position(|(name, _)| name == "manifest.json")
        .unwrap();
    let (name, bytes) = files.remove(manifest);
    let mut json: Value = serde_json::from_slice(&bytes).unwrap();
    json["practice_id"] = scan.practice.as_str().into();
    json["scan_id"] = scan.scan.as_str().into();
    json["patient"] = json!({ "first_name": NAME, "email": ADDRESS });
    files.sort();
    files.push((name, serde_json::to_vec(&json).unwrap()));
    files
}

fn read(folder: &Path, prefix: &str, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{name}/"), files);
        } else {
            files.push((name, std::fs::read(entry.path()).unwrap()));
        }
    }
}

fn scan(practice: &str, id: &str) -> ScanKey {
    ScanKey {
        practice: practice.parse().unwrap(),
        scan: id.parse().unwrap(),
    }
}

async fn practice(cloud: &Deployed, id: &str) -> String {
    let credential = Credential::random().unwrap();
    let mut practice = Practice::new(id.parse().unwrap());
    practice.credentials.rotate(&credential);
    cloud.practices.put(practice).await.unwrap().unwrap();
    credential.reveal().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_upload_to_the_report_and_to_nothing() {
    if !is_configured() {
        return;
    }
    let stack = Ministack::start_lenient();
    let config = config(&stack.endpoint).await;
    let cloud = Deployed::new(&config, stack, Resend::start()).await;
    let credential = practice(&cloud, "praxis-nord").await;
    let other = practice(&cloud, "praxis-sued").await;

    // A bundle becomes a report, a link and one mail.
    let good = scan("praxis-nord", "SCAN-GOOD");
    client::uploads(&cloud, &credential, &good).await;
    let record = cloud.ended(&good).await;
    assert_eq!(record.state, State::Delivered);
    let report = record.report_id.unwrap();
    let listed = cloud
        .objects
        .list(&report_prefix(report), 99)
        .await
        .unwrap();
    let names: Vec<&str> = listed
        .objects
        .iter()
        .map(|object| object.key.rsplit('/').next().unwrap())
        .collect();
    for name in ["report.html", "report.pdf", "scan.glb"] {
        // A build for development may leave the typesetter out, and says so.
        let is_left_out = name == "report.pdf" && std::env::var_os("DERMALIA_NO_PDF").is_some();
        assert!(is_left_out || names.contains(&name), "{names:?}");
    }
    let page = format!("{}report.html", report_prefix(report));
    let object = cloud.objects.get(&page, 64 << 20).await.unwrap().unwrap();
    assert!(object.head.content_type.starts_with("text/html"));
    assert_eq!(
        object.head.metadata["epoch"],
        record.epoch.number().to_string()
    );
    let mails = cloud.resend.mails();
    assert_eq!(mails.len(), 1, "{:?}", mails.keys());
    let mail = mails.values().next().unwrap();
    assert_eq!(mail["to"][0], ADDRESS);
    let text = mail["text"].as_str().unwrap();
    assert!(text.contains(NAME), "{text}");
    let token = text.split_once("/r/").unwrap().1;
    let token = token.split_whitespace().next().unwrap();
    let keys = KeySet::new(SigningKey::from_seed(KeyId::new(1), &SEED).public());
    let now = u64::try_from(record.received_at_secs).unwrap();
    assert_eq!(verify(token, &keys, now).unwrap().report_id, report);

    nobody_else_s_door(&cloud, &credential, &other, &good).await;

    // The same event again: still one report, one mail.
    let manifest = incoming_file(&good, "manifest.json").unwrap();
    let source = record.source.clone().unwrap();
    for _ in 0..2 {
        let event = object_created(&manifest, &source.version, 0);
        let sent = cloud.uploads.send(&event, 0);
        with_trace(Some(TRACE.to_owned()), sent).await.unwrap();
    }
    cloud.until(|| busy(&cloud)).await;
    let again = cloud.ended(&good).await;
    assert_eq!(again.report_id, Some(report));
    assert_eq!(cloud.resend.mails().len(), 1);

    refused(&cloud, &credential).await;
    given_up_and_brought_back(&cloud).await;

    asked::by_the_edge(&cloud, &good).await;
    asked::by_the_operator(&cloud, &good).await;

    // Personal data is in no log.
    for function in FUNCTIONS {
        // `expire` hears of the erasure by the stream, when it does.
        let silent = async || cloud.logs(function).is_empty().then(|| function.to_owned());
        cloud.until(silent).await;
        let logs = cloud.logs(function);
        for secret in [ADDRESS, NAME, asked::RIGHT_NAME, &credential, token] {
            assert!(!logs.contains(secret), "{function}: {logs}");
        }
    }
    policies::hold(&cloud.stack, &cloud.stack.calls.seen());

    // A trace goes on: from a message to what is logged of it, and from an upload's analysis
    // to its report.
    let root = TRACE.split([';', '=']).nth(1).unwrap();
    let told = traces(&cloud, "analyze", "Nothing");
    let repeated = traces(&cloud, "analyze", "AlreadyDone");
    assert!(
        told.contains(root) || repeated.contains(root),
        "{told:?} {repeated:?}"
    );
    let analysed = traces(&cloud, "analyze", "Analysed");
    let reported = traces(&cloud, "report", "Delivered");
    assert_eq!(analysed.len(), 1, "{analysed:?}");
    assert!(reported.is_superset(&analysed), "{analysed:?} {reported:?}");
    // And from an operator's call.
    let granted = traces(&cloud, "rights", "rectification");
    assert!(
        granted.intersection(&reported).count() > 0,
        "{granted:?} {reported:?}"
    );
}

/// The traces of a function's lines about the first scan that end like this.
fn traces(cloud: &Deployed, function: &str, outcome: &str) -> BTreeSet<String> {
    let logs = cloud.logs(function);
    let lines = logs
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = lines.filter(|line| {
        let scan = line["scan"].as_str().unwrap_or_default();
        scan.ends_with("/SCAN-GOOD") && line["outcome"] == outcome
    });
    let traces = ours.filter_map(|line| Some(line["span"]["trace_id"].as_str()?.to_owned()));
    traces.collect()
}

/// What waits in the queue of uploads.
async fn busy(cloud: &Deployed) -> Option<String> {
    let depth = cloud.uploads.depth().await.unwrap();
    (depth.waiting + depth.in_flight > 0).then(|| format!("{depth:?}"))
}

/// A practice reaches its own folder alone.
async fn nobody_else_s_door(cloud: &Deployed, credential: &str, other: &str, scan: &ScanKey) {
    let offer = offer_of(scan, &bundle(scan));
    for wrong in [other, "dmp_wrong", ""] {
        assert_eq!(cloud.offer(wrong, &offer).await.0, 401);
    }
    let mut outside = offer.clone();
    outside["files"][0]["name"] = "../praxis-sued/SCAN/white.jpg".into();
    assert_eq!(cloud.offer(credential, &outside).await.0, 422);
}

/// What the door signs: one object with one content can be written, and nothing be read.
#[tokio::test(flavor = "multi_thread")]
async fn a_signed_request_is_for_one_object_and_one_content() {
    if !is_configured() {
        return;
    }
    let stack = Ministack::start();
    let client = s3(&config(&stack.endpoint).await);
    let objects = S3Objects::new(client.clone(), cloud::buckets(&client).await);
    let content = b"the content";
    let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(content));
    let key = "incoming/praxis-nord/SCAN-0001/white.jpg";
    let bytes = content.len() as u64;
    let (url, headers) = objects.presign_put(key, bytes, &sha256).await.unwrap();
    let http = reqwest::Client::new();
    let put = async |url: &str, body: &'static [u8]| {
        let mut put = http.put(url);
        for (name, value) in &headers {
            put = put.header(name, value);
        }
        put.body(body)
            .send()
            .await
            .ok()
            .map(|a| a.status().as_u16())
    };
    let elsewhere = url.replace("praxis-nord", "praxis-sued");
    assert_eq!(put(&elsewhere, content).await, Some(403));
    for wrong in [&b"the kontent"[..], b"more than the content"] {
        assert_ne!(put(&url, wrong).await, Some(200), "{wrong:?}");
    }
    assert_eq!(objects.head(key).await.unwrap(), None);
    assert_eq!(put(&url, content).await, Some(200));
    let head = objects.head(key).await.unwrap().unwrap();
    assert_eq!(head.metadata["sha256"], sha256);
    let read = http.get(&url).send().await.unwrap();
    assert_eq!(read.status().as_u16(), 403);
}

/// A bundle that breaks the contract is refused with its reason, deleted, counted, and not
/// tried again.
async fn refused(cloud: &Deployed, credential: &str) {
    let bad = scan("praxis-nord", "SCAN-BAD-1");
    let mut broken = bundle(&bad);
    broken[0].1.truncate(100);
    cloud.upload(credential, &bad, &broken).await;
    let record = cloud.ended(&bad).await;
    assert_eq!(record.phase(), Phase::Refused, "{:?}", record.state);
    let State::Refused { reason } = &record.state else {
        panic!("{:?}", record.state);
    };
    assert!(reason.contains(&broken[0].0), "{reason}");
    cloud.until(|| busy(cloud)).await;
    assert_eq!(
        cloud.versions_with("SCAN-BAD-1").await,
        Vec::<String>::new()
    );
    assert_eq!(cloud.resend.mails().len(), 1);
    assert_eq!(cloud.uploads.depth().await.unwrap().dead, 0);
    // The emulator hands over the last lines of an invocation with the next one.
    let next = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent" }).to_string();
    cloud
        .until(async || {
            cloud.uploads.send(&next, 0).await.unwrap();
            let logs = cloud.logs("analyze");
            let count = logs.matches("\"ScansRefused\":[1.0]").count();
            assert!(count < 2, "{logs}");
            (count == 0).then_some(logs)
        })
        .await;
    cloud.until(|| busy(cloud)).await;
}

/// What is no event of ours is given up with its reason; a redrive brings it back.
async fn given_up_and_brought_back(cloud: &Deployed) {
    let poison = json!({ "poison": 1 }).to_string();
    cloud.uploads.send(&poison, 0).await.unwrap();
    for is_by_command in [false, true] {
        cloud
            .until(async || {
                let depth = cloud.uploads.depth().await.unwrap();
                (depth.dead != 1 || depth.in_flight > 0).then(|| format!("{depth:?}"))
            })
            .await;
        let letters = cloud.uploads.dead_letters(9).await.unwrap();
        assert_eq!(letters.len(), 1);
        assert_eq!(letters[0].body, poison);
        assert!(
            letters[0].reason.contains("Records"),
            "{}",
            letters[0].reason
        );
        assert_eq!(letters[0].receive_count, 1);
        if !is_by_command {
            assert_eq!(cloud.uploads.redrive().await.unwrap(), 1);
            continue;
        }
        let of_uploads = |told: Vec<Value>| {
            let mut ours = told.into_iter().filter(|line| line["queue"] == "uploads");
            ours.next().unwrap()
        };
        let dead = of_uploads(cloud.command(&["ops", "dead"]));
        assert_eq!(dead["reason"], letters[0].reason);
        let moved = of_uploads(cloud.command(&["ops", "redrive"]));
        assert_eq!(moved["redriven"], 1);
    }
}
