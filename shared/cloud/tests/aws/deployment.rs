//! The real template, deployed as an operator deploys it, to an emulator.

use std::future::Future;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_config::SdkConfig;
use dermalia_cloud::{
    Buckets, DynamoAccesses, DynamoDataKeys, DynamoPractices, DynamoRecords, QueuePlace, S3Objects,
    SqsQueue,
};
use dermalia_record::port::RecordStore;
use dermalia_record::{Clock, Phase, ScanKey, ScanRecord, SystemClock};
use serde_json::{Value, json};

use crate::emulators::{COMMAND, Ministack, REGION, SAM, program, s3};
use crate::resend::Resend;

/// What signs links there.
pub(crate) const SEED: [u8; 32] = [9; 32];
const STAGE: &str = "dev";
/// An analysis takes seconds; on a busy machine longer.
const PATIENCE: Duration = Duration::from_secs(240);

/// The stack and what it keeps.
pub(crate) struct Deployed {
    pub(crate) stack: Ministack,
    pub(crate) resend: Resend,
    pub(crate) records: DynamoRecords,
    pub(crate) objects: S3Objects,
    pub(crate) practices: DynamoPractices,
    pub(crate) accesses: DynamoAccesses,
    pub(crate) data_keys: DynamoDataKeys,
    pub(crate) uploads: SqsQueue,
    /// What the edge writes into.
    pub(crate) told: SqsQueue,
    pub(crate) requests: SqsQueue,
    pub(crate) upload_url: String,
    client: aws_sdk_s3::Client,
    buckets: [String; 3],
}

/// The secrets that the template names.
pub(crate) async fn secrets(config: &SdkConfig) {
    let client = aws_sdk_secretsmanager::Client::new(config);
    let seed: String = SEED.iter().map(|b| format!("{b:02x}")).collect();
    for (name, value) in [
        ("dermalia/signing-key", format!("1:{seed}")),
        ("dermalia/resend-key", "re_test".to_owned()),
    ] {
        let secret = client.create_secret().name(name).secret_string(value);
        secret.send().await.unwrap();
    }
}

/// `sam deploy` of the template in the tree; gives what it prints.
fn sam_deploy(stack: &Ministack, resend: &Resend) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let home = tempfile::tempdir().unwrap();
    let architecture = match std::env::consts::ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    let output = Command::new(program(SAM))
        .current_dir(&root)
        .args(["deploy", "--config-env", STAGE, "--no-confirm-changeset"])
        .args(["--no-progressbar", "--parameter-overrides"])
        .arg(format!("Stage={STAGE}"))
        .arg(format!("Architecture={architecture}"))
        .arg(format!("ResendBaseUrl={}", resend.url))
        .env("HOME", home.path())
        .env("AWS_ENDPOINT_URL", &stack.endpoint)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("SAM_CLI_TELEMETRY", "0")
        .env("SAM_CLI_POLL_DELAY", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    said
}

impl Deployed {
    pub(crate) async fn new(config: &SdkConfig, stack: Ministack, resend: Resend) -> Self {
        secrets(config).await;
        let said = sam_deploy(&stack, &resend);
        // As a function's URL is reached at the emulator: by its id.
        let host = said.split_once("https://").unwrap().1;
        let id = host.split_once(".lambda-url.").unwrap().0;
        let upload_url = format!("{}/_aws/lambda-url/{id}/", stack.endpoint);
        let buckets = ["incoming", "findings", "reports"].map(|b| format!("dermalia-{STAGE}-{b}"));
        let [incoming, findings, reports] = buckets.clone();
        let named = Buckets {
            incoming,
            findings,
            reports,
        };
        let table = format!("dermalia-{STAGE}");
        let database = aws_sdk_dynamodb::Client::new(config);
        let queue = |name: &str| format!("{}/000000000000/dermalia-{STAGE}-{name}", stack.endpoint);
        let sqs = aws_sdk_sqs::Client::new(config);
        let queue = |name: &str| {
            let place = QueuePlace {
                url: queue(name),
                dead_url: queue(&format!("{name}-dead")),
                max_receives: 5,
            };
            SqsQueue::new(sqs.clone(), place)
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let client = s3(config);
        Self {
            records: DynamoRecords::new(database.clone(), table.clone(), Arc::clone(&clock)),
            accesses: DynamoAccesses::new(database.clone(), table.clone(), clock),
            data_keys: DynamoDataKeys::new(database.clone(), format!("{table}-keys")),
            practices: DynamoPractices::new(database, table),
            objects: S3Objects::new(client.clone(), named),
            uploads: queue("uploads"),
            told: queue("accesses"),
            requests: queue("requests"),
            client,
            buckets,
            upload_url,
            stack,
            resend,
        }
    }

    /// One offer at the door; the status, and the answer.
    pub(crate) async fn offer(&self, credential: &str, offer: &Value) -> (u16, Value) {
        let answer = reqwest::Client::new()
            .post(&self.upload_url)
            .bearer_auth(credential)
            .body(offer.to_string())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or_else(|_| json!({ "text": text }));
        (status, body)
    }

    /// Uploads a bundle as a scanner does: what it is given requests for, until nothing is
    /// left.
    pub(crate) async fn upload(
        &self,
        credential: &str,
        scan: &ScanKey,
        files: &[(String, Vec<u8>)],
    ) {
        let offer = offer_of(scan, files);
        let http = reqwest::Client::new();
        for _ in 0..4 {
            let (status, answer) = self.offer(credential, &offer).await;
            assert_eq!(status, 200, "{answer}");
            let places = answer["files"].as_array().unwrap();
            if places.iter().all(|place| place["state"] == "done") {
                break;
            }
            let mut is_last_round = false;
            for (place, (name, bytes)) in places.iter().zip(files) {
                if place["state"] != "send" {
                    continue;
                }
                let mut put = http.put(place["url"].as_str().unwrap());
                for header in place["headers"].as_array().unwrap() {
                    let [name, value] = [&header[0], &header[1]].map(|t| t.as_str().unwrap());
                    put = put.header(name, value);
                }
                let answer = put.body(bytes.clone()).send().await.unwrap();
                let status = answer.status().as_u16();
                let text = answer.text().await.unwrap();
                assert_eq!(status, 200, "{name}: {text}");
                is_last_round |= name == "manifest.json";
            }
            // Once the manifest is there its bundle may already be taken away.
            if is_last_round {
                return;
            }
        }
        panic!("the manifest was never asked for");
    }

    /// Calls a function by its name; gives its answer.
    pub(crate) async fn invoke(&self, function: &str, event: &Value) -> Value {
        let name = format!("dermalia-{STAGE}-{function}");
        let url = format!(
            "{}/2015-03-31/functions/{name}/invocations",
            self.stack.endpoint
        );
        let call = reqwest::Client::new().post(url).body(event.to_string());
        let answer = call.send().await.unwrap();
        let failed = answer.headers().get("x-amz-function-error").cloned();
        let text = answer.text().await.unwrap();
        assert_eq!(failed, None, "{function}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Runs the command line on the stage, as the operator does; gives the objects that it
    /// prints.
    pub(crate) fn command(&self, arguments: &[&str]) -> Vec<Value> {
        let output = Command::new(program(COMMAND))
            .arg("--json")
            .args(arguments)
            .args(["--data", &format!("aws:{STAGE}")])
            .env("AWS_ENDPOINT_URL", &self.stack.endpoint)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", REGION)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let lines = lines.lines().map(serde_json::from_str);
        lines.collect::<Result<_, _>>().unwrap()
    }

    /// Waits until a scan has come to its end.
    pub(crate) async fn ended(&self, scan: &ScanKey) -> ScanRecord {
        let end = Instant::now() + PATIENCE;
        loop {
            let record = self.records.get(scan).await.unwrap();
            if let Some(record) = &record
                && record.lease.is_none()
                && matches!(
                    record.phase(),
                    Phase::Delivered | Phase::Refused | Phase::Failed
                )
            {
                return record.clone();
            }
            assert!(Instant::now() < end, "{record:?}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Waits until this holds.
    pub(crate) async fn until<F: Future<Output = Option<String>>>(&self, left: impl Fn() -> F) {
        let end = Instant::now() + PATIENCE;
        while let Some(left) = left().await {
            assert!(Instant::now() < end, "{left}");
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Every version and every delete marker in the three buckets that names this text.
    pub(crate) async fn versions_with(&self, text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for bucket in &self.buckets {
            found.extend(versions(&self.client, bucket).await);
        }
        found.retain(|key| key.contains(text));
        found
    }

    /// The parts of files in `incoming/` that have come and are not put together yet.
    pub(crate) async fn parts_waiting(&self) -> usize {
        let bucket = &self.buckets[0];
        let begun = self.client.list_multipart_uploads().bucket(bucket);
        let mut parts = 0;
        for upload in begun.send().await.unwrap().uploads() {
            let listed = self.client.list_parts().bucket(bucket);
            let listed = listed.set_key(upload.key.clone());
            let listed = listed.set_upload_id(upload.upload_id.clone()).send().await;
            parts += listed.map_or(0, |listed| listed.parts().len());
        }
        parts
    }

    /// The lines that a function has logged.
    pub(crate) fn logs(&self, function: &str) -> String {
        let group = format!("/aws/lambda/dermalia-{STAGE}-{function}");
        logs(&self.stack.endpoint, &group)
    }
}

/// A bundle's files as the door is told of them.
pub(crate) fn offer_of(scan: &ScanKey, files: &[(String, Vec<u8>)]) -> Value {
    use sha2::{Digest, Sha256};
    let files: Vec<Value> = files
        .iter()
        .map(|(name, bytes)| {
            json!({
                "name": name,
                "bytes": bytes.len(),
                "sha256": data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)),
            })
        })
        .collect();
    json!({ "practice": scan.practice.as_str(), "scan": scan.scan.as_str(), "files": files })
}

/// The keys of every version and every delete marker in a bucket.
pub(crate) async fn versions(client: &aws_sdk_s3::Client, bucket: &str) -> Vec<String> {
    let listed = client.list_object_versions().bucket(bucket);
    let listed = listed.send().await.unwrap();
    let versions = listed.versions().iter().filter_map(|v| v.key());
    let markers = listed.delete_markers().iter().filter_map(|m| m.key());
    versions.chain(markers).map(str::to_owned).collect()
}

/// CloudWatch's lines of a group.
fn logs(endpoint: &str, group: &str) -> String {
    const SCRIPT: &str = "import boto3, sys\n\
        logs = boto3.client('logs', endpoint_url=sys.argv[1])\n\
        for page in logs.get_paginator('filter_log_events').paginate(logGroupName=sys.argv[2]):\n\
        \x20   for event in page['events']: print(event['message'])\n";
    by_boto(SCRIPT, &[endpoint, group])
}

/// What a script of the client that comes with the deployment's tool prints.
pub(crate) fn by_boto(script: &str, arguments: &[&str]) -> String {
    let output = Command::new(program(SAM).with_file_name("python"))
        .args(["-c", script])
        .args(arguments)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_DEFAULT_REGION", REGION)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}
