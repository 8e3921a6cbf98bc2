//! Stands between a client and an emulator, counts the requests, and fails the chosen one:
//! before it has its effect, or after.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// When the chosen request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// It never arrives.
    BeforeEffect,
    /// It arrives, and its answer is lost.
    AfterEffect,
}

/// Counts requests over all of its proxies.
#[derive(Clone, Default)]
pub(crate) struct Faults {
    count: Arc<AtomicUsize>,
    fault: Arc<Mutex<Option<(usize, When)>>>,
    /// The requests of functions; none where nobody wants to see them.
    seen: Option<Arc<Mutex<Vec<Vec<u8>>>>>,
}

/// How much of a request is kept to be seen. What is put is not.
const SEEN_BYTES: usize = 1 << 20;

impl Faults {
    /// Fails request number `index`, from 0.
    pub(crate) fn at(index: usize, when: When) -> Self {
        let faults = Self::default();
        *faults.fault.lock().unwrap() = Some((index, when));
        faults
    }

    /// Fails nothing, and keeps what functions ask for.
    pub(crate) fn none_but_seen() -> Self {
        Self {
            seen: Some(Arc::default()),
            ..Self::default()
        }
    }

    /// The requests that named a function as their origin.
    pub(crate) fn seen(&self) -> Vec<Vec<u8>> {
        let seen = self.seen.as_ref().unwrap();
        seen.lock().unwrap().clone()
    }

    fn see(&self, request: &[u8]) -> Option<()> {
        let seen = self.seen.as_ref()?;
        let end = request.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
        let is_put = request.starts_with(b"PUT ");
        let kept = if is_put {
            end
        } else {
            request.len().min(SEEN_BYTES)
        };
        if request[..end].windows(4).any(|w| w == b"app/") {
            seen.lock().unwrap().push(request[..kept].to_vec());
        }
        Some(())
    }

    /// How many requests there were.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// A proxy in front of this address; gives its own.
    pub(crate) fn before(&self, upstream: &str) -> String {
        let upstream: SocketAddr = upstream.trim_start_matches("http://").parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let faults = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let faults = faults.clone();
                // A client that goes away ends its connection.
                std::thread::spawn(move || faults.carry(stream, upstream));
            }
        });
        url
    }

    /// Carries one request and closes the connection. Without an answer the client sees
    /// a connection that broke.
    fn carry(&self, client: TcpStream, upstream: SocketAddr) -> Option<()> {
        let mut reader = BufReader::new(client.try_clone().ok()?);
        let request = read_request(&mut reader)?;
        self.see(&request);
        let index = self.count.fetch_add(1, Ordering::SeqCst);
        let fault = *self.fault.lock().unwrap();
        let when = fault.filter(|(at, _)| *at == index).map(|(_, when)| when);
        if when == Some(When::BeforeEffect) {
            return None;
        }
        let mut server = TcpStream::connect(upstream).ok()?;
        server.write_all(&request).ok()?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).ok()?;
        if when == Some(When::AfterEffect) {
            return None;
        }
        // The client must not use this connection again.
        let end = answer.windows(2).position(|w| w == b"\r\n")? + 2;
        let mut client = client;
        client.write_all(&answer[..end]).ok()?;
        client.write_all(b"Connection: close\r\n").ok()?;
        client.write_all(&answer[end..]).ok()
    }
}

/// A whole request, changed so that the server closes the connection after its answer.
fn read_request(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            if name.eq_ignore_ascii_case("connection") {
                continue;
            }
        }
        head.extend_from_slice(line.as_bytes());
    }
    head.extend_from_slice(b"Connection: close\r\n\r\n");
    let chunked = headers
        .get("transfer-encoding")
        .is_some_and(|value| value.contains("chunked"));
    if chunked {
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.trim().split(';').next()?, 16).ok()?;
            head.extend_from_slice(line.as_bytes());
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            head.extend_from_slice(&chunk);
            if size == 0 {
                return Some(head);
            }
        }
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    head.extend_from_slice(&body);
    Some(head)
}
