//! The Runtime API and the Extensions API of Lambda, for one compiled function at a time.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::emulators::{FUNCTIONS, program};

/// What a function may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A function as Lambda runs it.
pub(crate) struct Runtime {
    child: Child,
    events: Sender<String>,
    answers: Receiver<(Instant, Result<Value, Value>)>,
}

/// Where a function's program is.
pub(crate) fn bootstrap(function: &str) -> PathBuf {
    program(FUNCTIONS).join(function).join("bootstrap")
}

impl Runtime {
    /// Starts a function with this environment and no other.
    pub(crate) fn start(function: &str, environment: &BTreeMap<String, String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (events, queue) = channel();
        let (done, answers) = channel();
        let queue = Arc::new(Mutex::new(queue));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (queue, done) = (Arc::clone(&queue), done.clone());
                // The function's end is the connection's.
                std::thread::spawn(move || answer(stream, &queue, &done));
            }
        });
        let child = Command::new(bootstrap(function))
            .env_clear()
            .envs(environment)
            .env("AWS_LAMBDA_RUNTIME_API", address)
            .env("AWS_LAMBDA_FUNCTION_NAME", function)
            .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
            .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1769")
            .env("AWS_LAMBDA_LOG_GROUP_NAME", function)
            .env("AWS_LAMBDA_LOG_STREAM_NAME", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            child,
            events,
            answers,
        }
    }

    /// Hands over an event; gives the answer, or the error, and when it came.
    pub(crate) fn invoke(&self, event: &Value) -> (Instant, Result<Value, Value>) {
        self.events.send(event.to_string()).unwrap();
        self.answers.recv_timeout(TIMEOUT).unwrap()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Events = Arc<Mutex<Receiver<String>>>;
type Answers = Sender<(Instant, Result<Value, Value>)>;

/// Answers the requests of one connection.
fn answer(stream: TcpStream, events: &Events, answers: &Answers) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let (start, body) = request(&mut reader)?;
        let path = start.split(' ').nth(1)?;
        let reply = if path.ends_with("/extension/register") {
            const WHOSE: &str =
                r#"{"functionName":"f","functionVersion":"$LATEST","handler":"bootstrap"}"#;
            format!(
                "HTTP/1.1 200 OK\r\nLambda-Extension-Identifier: 1\r\nContent-Length: {}\r\n\r\n{WHOSE}",
                WHOSE.len()
            )
        } else if path.ends_with("/extension/event/next") {
            // Only the end would be told, by a signal.
            std::thread::park();
            return None;
        } else if path.ends_with("/invocation/next") {
            let event = events.lock().ok()?.recv().ok()?;
            let end = SystemTime::now().duration_since(UNIX_EPOCH).ok()? + TIMEOUT;
            format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\
                 Lambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n\
                 Lambda-Runtime-Deadline-Ms: {}\r\n\
                 Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700\r\n\
                 Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:000000000000:function:f\r\n\
                 Content-Length: {}\r\n\r\n{event}",
                end.as_millis(),
                event.len()
            )
        } else {
            let at = Instant::now();
            let value = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let result = if path.ends_with("/response") {
                Ok(value)
            } else {
                Err(value)
            };
            answers.send((at, result)).ok()?;
            "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n".to_owned()
        };
        writer.write_all(reply.as_bytes()).ok()?;
    }
}

fn request(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut start = String::new();
    if reader.read_line(&mut start).ok()? == 0 {
        return None;
    }
    let (mut length, mut is_chunked) = (0, false);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        is_chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    while is_chunked {
        let mut size = String::new();
        reader.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        reader.read_exact(&mut chunk).ok()?;
        body.extend_from_slice(&chunk[..size]);
        is_chunked = size > 0;
    }
    Some((start, body))
}

/// What the template tells every function, for emulators with these tables and buckets.
pub(crate) fn environment(aws: &str, dynamodb: &str, resend: &str) -> BTreeMap<String, String> {
    let queue = |name: &str| format!("{aws}/000000000000/{name}");
    [
        ("AWS_REGION", "eu-central-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_ENDPOINT_URL", aws.to_owned()),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.to_owned()),
        ("INCOMING_BUCKET", "incoming".to_owned()),
        ("FINDINGS_BUCKET", "findings".to_owned()),
        ("REPORTS_BUCKET", "reports".to_owned()),
        ("TABLE_NAME", "records".to_owned()),
        ("KEYS_TABLE_NAME", "keys".to_owned()),
        ("DATA_KEY_ARN", "alias/none".to_owned()),
        ("UPLOAD_QUEUE_URL", queue("uploads")),
        ("UPLOAD_DEAD_LETTERS_URL", queue("uploads-dead")),
        ("REPORT_QUEUE_URL", queue("reports")),
        ("REPORT_DEAD_LETTERS_URL", queue("reports-dead")),
        ("ACCESS_QUEUE_URL", queue("accesses")),
        ("ACCESS_DEAD_LETTERS_URL", queue("accesses-dead")),
        ("REQUEST_QUEUE_URL", queue("requests")),
        ("REQUEST_DEAD_LETTERS_URL", queue("requests-dead")),
        ("MAX_RECEIVES", "5".to_owned()),
        ("BASE_URL", "https://report.example.org".to_owned()),
        ("SENDER", "Dermalia <report@example.org>".to_owned()),
        ("SIGNING_KEY_SECRET", "dermalia/signing-key".to_owned()),
        ("RESEND_KEY_SECRET", "dermalia/resend-key".to_owned()),
        ("RESEND_BASE_URL", resend.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}
