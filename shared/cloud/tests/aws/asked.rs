//! What the edge tells and readers ask for, by the queues, and what the operator asks for,
//! by calls of the deployed functions and by the command line.

use std::io::{Cursor, Read};

use dermalia_cloud::telemetry::with_trace;
use dermalia_link::{KeyId, RequestMessage, SigningKey};
use dermalia_record::port::{AccessEntry, AccessKind, AccessStore, DataKeys, Queue, RecordStore};
use dermalia_record::{ReportId, ScanKey, ScanRecord};
use dermalia_rights::Certificate;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::deployed::{ADDRESS, NAME};
use crate::deployment::{Deployed, SEED};

/// What the first name should have been.
pub(crate) const RIGHT_NAME: &str = "Rosamunde";
const DAY_SECS: i64 = 86_400;
/// The report that the examples in `events/` are about.
const EXAMPLE: [u8; 16] = [3; 16];

fn example(file: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events/");
    let text = std::fs::read_to_string(format!("{folder}{file}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The bodies of an example's messages, about this report.
fn bodies(batch: &Value, report: ReportId) -> Vec<String> {
    let example = ReportId::from_bytes(EXAMPLE).to_string();
    let records = batch["Records"].as_array().unwrap();
    let body = |record: &Value| {
        let body = record["body"].as_str().unwrap();
        assert!(body.contains(&example));
        body.replace(&example, &report.to_string())
    };
    records.iter().map(body).collect()
}

async fn kept(cloud: &Deployed, report: ReportId) -> Vec<AccessEntry> {
    cloud.accesses.list(report, 9).await.unwrap()
}

/// Accesses, usage events and a reader's request, as the edge sends them.
pub(crate) async fn by_the_edge(cloud: &Deployed, scan: &ScanKey) {
    let record = cloud.records.get(scan).await.unwrap().unwrap();
    let report = record.report_id.unwrap();

    // Of a report that nobody knows nothing is kept, and nothing comes again.
    let accesses = example("sqs_batch_accesses.json");
    let done = json!({ "batchItemFailures": [] });
    assert_eq!(cloud.invoke("access", &accesses).await, done);
    assert_eq!(kept(cloud, ReportId::from_bytes(EXAMPLE)).await, []);

    let bodies_ = bodies(&accesses, report);
    for body in &bodies_ {
        cloud.told.send(body, 0).await.unwrap();
    }
    cloud
        .until(async || {
            let entries = kept(cloud, report).await;
            (entries.len() < bodies_.len()).then(|| format!("{entries:?}"))
        })
        .await;
    let entries = kept(cloud, report).await;
    let now_secs = jiff::Timestamp::now().as_second();
    for entry in &entries {
        let life = entry.expires_at_secs - now_secs;
        assert!((29 * DAY_SECS..=30 * DAY_SECS).contains(&life), "{life}");
        let said = match entry.kind {
            AccessKind::Access => "198.51.100.0/24",
            AccessKind::Usage => "map_view",
        };
        assert!(entry.body.contains(said), "{}", entry.body);
    }

    // An objection: usage events go, and no more are taken.
    let asked = example("sqs_batch_requests.json");
    let trace = asked["Records"][0]["attributes"]["AWSTraceHeader"].as_str();
    for body in bodies(&asked, report) {
        let RequestMessage::Object(mut request) = RequestMessage::parse(&body).unwrap() else {
            panic!("{body}");
        };
        request.epoch = record.epoch.number();
        let body = RequestMessage::Object(request).to_json();
        let sent = cloud.requests.send(&body, 0);
        with_trace(trace.map(str::to_owned), sent).await.unwrap();
    }
    cloud
        .until(async || {
            let record = cloud.records.get(scan).await.unwrap().unwrap();
            let entries = kept(cloud, report).await;
            let is_done = record.has_objected && entries.len() == 1;
            (!is_done).then(|| format!("{entries:?}"))
        })
        .await;
    assert_eq!(kept(cloud, report).await[0].kind, AccessKind::Access);
    cloud.told.send(&bodies_[1], 0).await.unwrap();
    cloud
        .until(async || {
            let depth = cloud.told.depth().await.unwrap();
            assert_eq!(depth.dead, 0);
            (depth.waiting + depth.in_flight > 0).then(|| format!("{depth:?}"))
        })
        .await;
    assert_eq!(kept(cloud, report).await.len(), 1);
}

/// Asks the function `rights` for one thing.
async fn ask(cloud: &Deployed, scan: &ScanKey, right: &str, more: Value) -> Value {
    let mut call = json!({
        "right": right,
        "practice": scan.practice.as_str(),
        "scan": scan.scan.as_str(),
    });
    for (name, value) in more.as_object().unwrap() {
        call[name] = value.clone();
    }
    cloud.invoke("rights", &call).await
}

/// Fetches a package as the operator does; gives its address and its files.
async fn fetch(answer: &Value) -> (String, Vec<(String, String)>) {
    let package = &answer["package"];
    let url = package["url"].as_str().unwrap().to_owned();
    assert!((1..=900).contains(&package["expires_in_secs"].as_u64().unwrap()));
    let fetched = reqwest::get(&url).await.unwrap();
    assert_eq!(fetched.status().as_u16(), 200);
    let bytes = fetched.bytes().await.unwrap();
    let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(&bytes));
    assert_eq!(package["sha256"], sha256);
    assert_eq!(package["bytes"], bytes.len());
    (url, unpacked(&bytes))
}

fn unpacked(bytes: &[u8]) -> Vec<(String, String)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        let content = String::from_utf8_lossy(&content).into_owned();
        files.push((file.name().unwrap().into_owned(), content));
    }
    files
}

fn has(files: &[(String, String)], name: &str, text: &str) -> bool {
    let mut named = files.iter().filter(|(file, _)| file.ends_with(name));
    named.any(|(_, content)| content.contains(text))
}

/// Every right, through the function that is deployed, each twice where that is no change;
/// then the same scan's end.
pub(crate) async fn by_the_operator(cloud: &Deployed, scan: &ScanKey) {
    let nothing = json!({});
    let record = async || cloud.records.get(scan).await.unwrap().unwrap();

    // Nobody else's, nothing unknown, and no word of what was asked.
    let mut elsewhere = scan.clone();
    elsewhere.practice = "praxis-sued".parse().unwrap();
    let refused = ask(cloud, &elsewhere, "access", json!({})).await;
    assert!(refused["refused"].is_string(), "{refused}");
    let odd = ask(cloud, scan, "access", json!({ "first_name": NAME })).await;
    let reason = odd["refused"].as_str().unwrap();
    assert!(!reason.contains(NAME), "{reason}");

    let withdrawn = ask(cloud, scan, "objection", json!({ "withdraw": true })).await;
    assert_eq!(withdrawn["has_objected"], false);
    assert!(!record().await.has_objected);

    // The copies, which lie where they lay when they are asked for again.
    for _ in 0..2 {
        let answer = ask(cloud, scan, "access", nothing.clone()).await;
        let (_, files) = fetch(&answer).await;
        assert!(has(&files, "record.json", NAME) && has(&files, "record.json", ADDRESS));
        assert!(has(&files, "accesses.json", "198.51.100.0/24"));
        assert!(has(&files, "audit.json", "objected"));
        assert!(has(&files, "report/report.html", "<html"));
        assert_eq!(answer["package"]["files"], files.len() - 1);
    }
    let answer = ask(cloud, scan, "portability", nothing.clone()).await;
    let (address, files) = fetch(&answer).await;
    assert!(has(&files, "findings.json", "dermalia.findings/1"));
    by_command(cloud, scan, &files);

    // Restricted and back, each time under a new epoch.
    let before = record().await;
    for _ in 0..2 {
        let answer = ask(cloud, scan, "restriction", nothing.clone()).await;
        assert_eq!(answer["state"], "restricted");
    }
    let fetched = reqwest::get(&address).await.unwrap();
    assert_eq!(fetched.status().as_u16(), 404, "served while restricted");
    let restricted = record().await;
    assert_eq!(restricted.epoch, before.epoch.next());
    let answer = ask(cloud, scan, "lift", nothing.clone()).await;
    assert_eq!(answer["state"], "analysed");
    let lifted: ScanRecord = cloud.ended(scan).await;
    assert_eq!(lifted.epoch, restricted.epoch.next());

    let correction = json!({ "first_name": RIGHT_NAME });
    ask(cloud, scan, "rectification", correction.clone()).await;
    let corrected = cloud.ended(scan).await;
    let again = ask(cloud, scan, "rectification", correction).await;
    assert_eq!(again["state"], "delivered");
    assert_eq!(record().await.epoch, corrected.epoch);
    let mails = cloud.resend.mails();
    let about = |name: &str| {
        mails
            .values()
            .filter(|mail| mail["text"].as_str().unwrap().contains(name))
            .count()
    };
    assert_eq!(about(RIGHT_NAME), 1);

    let answer = ask(cloud, scan, "access", nothing).await;
    let (address, files) = fetch(&answer).await;
    assert!(has(&files, "record.json", RIGHT_NAME) && !has(&files, "record.json", NAME));
    erasure(cloud, &corrected, &address).await;
    sweep(cloud).await;
}

/// The same copy by the command line, whose log is whole.
fn by_command(cloud: &Deployed, scan: &ScanKey, files: &[(String, String)]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portability.zip");
    let out = file.to_str().unwrap();
    let id = scan.scan.as_str();
    let said = cloud.command(&["rights", "portability", id, "--out", out]);
    assert_eq!(said[0]["practice"], scan.practice.as_str());
    assert_eq!(unpacked(&std::fs::read(&file).unwrap()), files);
    let practices = cloud.command(&["practice", "list"]);
    assert_eq!(practices.len(), 2, "{practices:?}");
    let verified = cloud.command(&["audit", "verify"]);
    let ours = verified
        .iter()
        .find(|v| v["practice"] == scan.practice.as_str());
    assert!(
        ours.unwrap()["entries"].as_u64().unwrap() >= 3,
        "{verified:?}"
    );
}

/// Erased: at once, by a certificate, and the stream's `expire` finds nothing left to do.
async fn erasure(cloud: &Deployed, record: &ScanRecord, address: &str) {
    let scan = &record.key;
    let answer = ask(cloud, scan, "erasure", json!({})).await;
    let certificate: Certificate = serde_json::from_value(answer["certificate"].clone()).unwrap();
    assert_eq!(certificate.cause, "erased");
    let key = SigningKey::from_seed(KeyId::new(1), &SEED).public();
    assert!(certificate.is_signed_by(&[key]));
    for right in ["erasure", "certificate"] {
        assert_eq!(ask(cloud, scan, right, json!({})).await, answer);
    }
    let report = record.report_id.unwrap();
    for part in [scan.scan.as_str(), &report.to_string()] {
        assert_eq!(cloud.versions_with(part).await, Vec::<String>::new());
    }
    assert_eq!(kept(cloud, report).await, []);
    assert_eq!(cloud.data_keys.get(scan).await.unwrap(), None);
    assert_eq!(cloud.records.get(scan).await.unwrap(), None);
    let gone = reqwest::get(address).await.unwrap().status().as_u16();
    assert_eq!(gone, 404);
}

/// The daily sweep, by its schedule's event and by the command: a key that was left behind
/// goes, and then there is nothing.
async fn sweep(cloud: &Deployed) {
    let lost = ScanKey {
        practice: "praxis-nord".parse().unwrap(),
        scan: "SCAN-LOST".parse().unwrap(),
    };
    let event = json!({ "detail-type": "Scheduled Event", "source": "aws.events", "detail": {} });
    cloud
        .data_keys
        .put_if_absent(&lost, b"wrapped")
        .await
        .unwrap();
    let found = cloud.invoke("sweep", &event).await;
    assert_eq!(found["orphan_keys"], 1, "{found}");
    assert_eq!(cloud.data_keys.get(&lost).await.unwrap(), None);
    cloud
        .data_keys
        .put_if_absent(&lost, b"wrapped")
        .await
        .unwrap();
    let found = cloud.command(&["sweep"]).remove(0);
    assert_eq!(found["orphan_keys"], 1, "{found}");
    let found = cloud.invoke("sweep", &event).await;
    let counts = found.as_object().unwrap();
    assert!(counts.values().all(|count| *count == 0), "{found}");
}
