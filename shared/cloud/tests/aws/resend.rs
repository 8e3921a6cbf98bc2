//! A stand-in for Resend: takes a mail once per idempotency key, as Resend does.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

/// The mails by their keys.
type Mails = Arc<Mutex<BTreeMap<String, Value>>>;

/// A server on a free port, for as long as the process lives.
pub(crate) struct Resend {
    mails: Mails,
    /// Where it listens.
    pub(crate) url: String,
}

impl Resend {
    /// Starts it.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mails = Mails::default();
        let shared = Arc::clone(&mails);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mails = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream, &mails));
            }
        });
        Self { mails, url }
    }

    /// What was sent, by key.
    pub(crate) fn mails(&self) -> BTreeMap<String, Value> {
        self.mails.lock().unwrap().clone()
    }
}

/// Answers the requests of one connection.
fn answer(stream: TcpStream, mails: &Mails) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut writer = stream;
    while let Some((start, headers, body)) = request(&mut reader) {
        let (status, answer) = take(&start, &headers, &body, mails);
        let answer = answer.to_string();
        let sent = write!(
            writer,
            "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}",
            answer.len()
        );
        let is_last = headers.get("connection").is_some_and(|c| c == "close");
        if sent.is_err() || is_last {
            return;
        }
    }
}

type Request = (String, BTreeMap<String, String>, Vec<u8>);

fn request(reader: &mut impl BufRead) -> Option<Request> {
    let mut start = String::new();
    if reader.read_line(&mut start).ok()? == 0 {
        return None;
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|l| l.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some((start.trim_end().to_owned(), headers, body))
}

fn take(
    start: &str,
    headers: &BTreeMap<String, String>,
    body: &[u8],
    mails: &Mails,
) -> (u16, Value) {
    let refuse = |status: u16, name: &str| {
        (
            status,
            json!({ "statusCode": status, "name": name, "message": name }),
        )
    };
    if start != "POST /emails HTTP/1.1" {
        return refuse(404, "not_found");
    }
    match headers.get("authorization").map(String::as_str) {
        Some("Bearer re_hurried") => return refuse(429, "rate_limit_exceeded"),
        Some("Bearer re_down") => return refuse(503, "service_unavailable"),
        _ => {}
    }
    if headers.get("authorization").map(String::as_str) != Some("Bearer re_test") {
        return refuse(401, "missing_api_key");
    }
    let Ok(mail) = serde_json::from_slice::<Value>(body) else {
        return refuse(422, "missing_required_field");
    };
    let Some(key) = headers.get("idempotency-key").filter(|k| !k.is_empty()) else {
        return refuse(400, "invalid_idempotency_key");
    };
    let mut mails = mails.lock().unwrap();
    let known = mails.entry(key.clone()).or_insert_with(|| mail.clone());
    if *known != mail {
        return refuse(409, "invalid_idempotent_request");
    }
    (200, json!({ "id": format!("mail-{}", key.len()) }))
}
