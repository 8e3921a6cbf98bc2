//! `dermalia serve` as a child process, and a client for it without a library.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::program::{Files, run_on};

/// More than any scan of a test needs; a hang must end it.
const PATIENCE: Duration = Duration::from_secs(120);

/// An address on this machine at which nobody listens.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// What a practice is shown of its scan, or `None` where it has no such scan.
pub(crate) fn shown(data: &Path, practice: &str, scan: &str) -> Option<Value> {
    let output = run_on(data, &["link", "show", scan, "--practice", practice]);
    let shown = || serde_json::from_slice(&output.stdout).unwrap();
    output.status.success().then(shown)
}

/// Waits until the scan has come to an end.
pub(crate) fn ended(data: &Path, practice: &str, scan: &str) -> Value {
    let start = Instant::now();
    loop {
        if let Some(shown) = shown(data, practice, scan)
            && ["delivered", "refused", "failed"].contains(&shown["state"].as_str().unwrap())
        {
            return shown;
        }
        let log = || fs::read_to_string(data.with_extension("log")).unwrap();
        assert!(start.elapsed() < PATIENCE, "{scan}\n{}", log());
        thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until the scan has come to its good end.
pub(crate) fn delivered(data: &Path, practice: &str, scan: &str) -> Value {
    let shown = ended(data, practice, scan);
    assert_eq!(shown["state"], "delivered", "{shown}");
    shown
}

/// Waits until a file or folder is no more.
pub(crate) fn gone(path: &Path) {
    let start = Instant::now();
    while path.exists() {
        assert!(start.elapsed() < PATIENCE, "{path:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The token of the link that a practice is shown.
pub(crate) fn token(shown: &Value) -> String {
    let link = shown["link"].as_str().expect("a link");
    link.rsplit('/').next().unwrap().to_owned()
}

/// A running service. Its log lies beside its data folder.
pub(crate) struct Service(Child);

impl Service {
    /// Starts it and waits until it answers.
    pub(crate) fn start(data: &Path, address: SocketAddr) -> Self {
        let log = data.with_extension("log");
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        let child = Command::new(dermalia_tests::dermalia())
            .args(["serve", "--data"])
            .arg(data)
            .args(["--listen", &address.to_string()])
            .env("RUST_LOG", "info")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut service = Self(child);
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = service.0.try_wait().unwrap();
            assert!(
                ended.is_none() && start.elapsed() < Duration::from_secs(60),
                "{ended:?}"
            );
            thread::sleep(Duration::from_millis(20));
        }
        service
    }

    /// SIGKILL.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// SIGTERM, after which it must end in good order.
    pub(crate) fn stop(mut self) {
        let pid = self.0.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Ended already, unless the test has failed.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// Sends `head` (request line and headers, lines ended by CR LF but for the last) with the
/// body; `None` if the connection broke.
pub(crate) fn request(address: SocketAddr, head: &str, body: &[u8]) -> Option<Response> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .ok()?;
    let length = body.len();
    let head = format!(
        "{head}\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    // A refusal can come before the body is sent.
    let sent = stream.write_all(body);
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n")?;
    if read.is_err() && sent.is_ok() {
        return None;
    }
    let head = String::from_utf8(answer[..end].to_vec()).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Response {
        status,
        head,
        body: answer[end + 4..].to_vec(),
    })
}

/// The same bundle as another scan of another patient. The manifest's own hash is nowhere.
pub(crate) fn renamed(files: &Files, scan: &str, email: &str) -> Files {
    let mut files = files.clone();
    let (_, manifest) = files.last_mut().unwrap();
    let mut value: Value = serde_json::from_slice(manifest).unwrap();
    value["scan_id"] = scan.into();
    value["patient"] = json!({ "first_name": "Alex", "email": email, "locale": "de" });
    *manifest = serde_json::to_vec(&value).unwrap();
    files
}
