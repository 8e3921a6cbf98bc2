//! Emulators of AWS and a stand-in for Resend, started for one test and ended with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use serde_json::{Value, json};

use crate::proxy::Faults;

/// The only region.
pub(crate) const REGION: &str = "eu-central-1";

/// Where the emulator of AWS is.
const MINISTACK: &str = "DERMALIA_MINISTACK";
/// Where the emulator of DynamoDB is, whose expiry and stream are as they should be.
const DYNAMODB: &str = "DERMALIA_DYNAMODB";
/// Where the deployment's tool is.
pub(crate) const SAM: &str = "DERMALIA_SAM";
/// The folder with each function's `bootstrap`, as the template expects it.
pub(crate) const FUNCTIONS: &str = "DERMALIA_FUNCTIONS";
/// The folder with the files of a synthetic scan.
pub(crate) const BUNDLE: &str = "DERMALIA_BUNDLE";

/// The command line, built for stages on AWS.
pub(crate) const COMMAND: &str = "DERMALIA_COMMAND";

/// The program or folder that a variable names.
pub(crate) fn program(variable: &str) -> PathBuf {
    PathBuf::from(std::env::var_os(variable).unwrap())
}

/// Whether the environment names the emulators; says so loudly where it does not.
pub(crate) fn is_configured() -> bool {
    let missing = [MINISTACK, DYNAMODB, SAM, FUNCTIONS, BUNDLE, COMMAND]
        .into_iter()
        .find(|name| std::env::var_os(name).is_none());
    if let Some(name) = missing {
        eprintln!("SKIPPED: {name} is not set; run `cargo xtask test --only aws`");
    }
    missing.is_none()
}

/// A client's configuration for an emulator.
pub(crate) async fn config(endpoint: &str) -> SdkConfig {
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(REGION))
        .credentials_provider(aws_sdk_s3::config::Credentials::new(
            "test", "test", None, None, "test",
        ))
        .endpoint_url(endpoint)
        .load()
        .await
}

/// S3 at an emulator.
pub(crate) fn s3(config: &SdkConfig) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(config)
        .force_path_style(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}

/// The whole stack but for DynamoDB's expiry.
pub(crate) struct Ministack {
    child: Child,
    folder: tempfile::TempDir,
    /// What its functions have called.
    pub(crate) calls: Faults,
    /// Where it listens.
    pub(crate) endpoint: String,
}

impl Ministack {
    /// Starts it on a free port; it checks signatures.
    pub(crate) fn start() -> Self {
        Self::start_with(true)
    }

    /// The same for a stack whose policies refuse what comes without TLS, as all does here:
    /// it checks neither signatures nor policies.
    pub(crate) fn start_lenient() -> Self {
        Self::start_with(false)
    }

    fn start_with(is_strict: bool) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let faults = Faults::none_but_seen();
        let between = faults.before(&format!("http://127.0.0.1:{port}"));
        let folder = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(program(MINISTACK))
            .current_dir(folder.path())
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", port.to_string())
            .env("MINISTACK_REGION", REGION)
            // What its functions call.
            .env("AWS_ENDPOINT_URL", between)
            .env("AUTH", is_strict.to_string())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            // It would listen to all the world.
            .env("IOT_MTLS_ENABLED", "0")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut stack = Self {
            child,
            folder,
            calls: faults,
            endpoint: format!("http://127.0.0.1:{port}"),
        };
        stack.wait(port);
        stack
    }

    fn wait(&mut self, port: u16) {
        let end = Instant::now() + Duration::from_secs(90);
        loop {
            if get(port, "/_ministack/ready").is_some_and(|a| a.contains("completed")) {
                return;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < end,
                "ministack did not start: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What it has written.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Ministack {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("{}", lines[lines.len().saturating_sub(60)..].join("\n"));
        }
    }
}

fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// DynamoDB with expiry and streams, and a clock that the test moves.
pub(crate) struct Dynamodb {
    child: Child,
    lines: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    /// Where it listens.
    pub(crate) endpoint: String,
}

impl Dynamodb {
    /// Starts it on a free port.
    pub(crate) fn start() -> Self {
        let mut child = Command::new(program(DYNAMODB))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut port = String::new();
        output.read_line(&mut port).unwrap();
        Self {
            child,
            lines: Mutex::new((input, output)),
            endpoint: format!("http://127.0.0.1:{}", port.trim()),
        }
    }

    fn say(&self, line: &str) -> String {
        let mut lines = self.lines.lock().unwrap();
        writeln!(lines.0, "{line}").unwrap();
        let mut answer = String::new();
        lines.1.read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    /// Sets its clock.
    pub(crate) fn at(&self, secs: i64) {
        assert_eq!(self.say(&format!("at {secs}")), format!("at {secs}"));
    }

    /// Lets it remove what has expired; gives the number of items.
    pub(crate) fn sweep(&self) -> u64 {
        self.say("sweep").parse().unwrap()
    }

    /// Calls the Streams API, whose answers typed clients read without the identity.
    fn streams(&self, action: &str, body: &Value) -> Value {
        let body = body.to_string();
        let address = self.endpoint.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             Content-Type: application/x-amz-json-1.0\r\n\
             X-Amz-Date: 20261122T000000Z\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=test/20261122/{REGION}/dynamodb/aws4_request, \
             SignedHeaders=host;x-amz-date, Signature=00\r\n\
             X-Amz-Target: DynamoDBStreams_20120810.{action}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(" 200 "), "{action}: {answer}");
        serde_json::from_str(body).unwrap()
    }

    /// Every record of a table's stream, as Lambda hands them to a function.
    pub(crate) fn stream_event(&self, table: &str) -> Value {
        let streams = self.streams("ListStreams", &json!({ "TableName": table }));
        let arn = &streams["Streams"][0]["StreamArn"];
        let described = self.streams("DescribeStream", &json!({ "StreamArn": arn }));
        let mut records = Vec::new();
        for shard in described["StreamDescription"]["Shards"].as_array().unwrap() {
            let request = json!({
                "StreamArn": arn,
                "ShardId": shard["ShardId"],
                "ShardIteratorType": "TRIM_HORIZON",
            });
            let mut iterator = self.streams("GetShardIterator", &request)["ShardIterator"].clone();
            while iterator.is_string() {
                let page = self.streams("GetRecords", &json!({ "ShardIterator": iterator }));
                let found = page["Records"].as_array().unwrap();
                if found.is_empty() {
                    break;
                }
                records.extend(found.iter().cloned());
                iterator = page["NextShardIterator"].clone();
            }
        }
        for record in &mut records {
            record["eventSourceARN"] = arn.clone();
        }
        json!({ "Records": records })
    }
}

impl Drop for Dynamodb {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
