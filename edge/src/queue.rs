//! Messages to SQS, signed by Signature Version 4.

use core::time::Duration;
use std::cell::RefCell;

use dermalia_link::{AccessMessage, RequestMessage};
use futures_util::future::{Either, select};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use worker::{
    AbortController, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Url,
};

use crate::config::Config;
use crate::now_ms;

const SERVICE: &str = "sqs";
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// How long the queue may take to say that it has a message.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long messages that nobody waits for are gathered.
const GATHERING: Duration = Duration::from_millis(50);
/// As many as SQS takes at once.
const BATCH: usize = 10;
/// More than lie there when all is well: while the queue is silent, the rest is lost.
const MOST_PUT_BY: usize = 1000;
/// After this long, whoever took its turn to send has been ended by the runtime.
const TURN_MS: u64 = 15_000;

/// Messages that nobody waits for, until somebody's turn comes to send them.
#[derive(Default)]
struct PutBy {
    messages: Vec<String>,
    /// Since when somebody has had its turn.
    turn_since_ms: Option<u64>,
}

thread_local! {
    static PUT_BY: RefCell<PutBy> = RefCell::default();
}

/// Sends a request to its queue; whether the queue has taken it.
pub(crate) async fn send(config: &Config, message: &RequestMessage) -> bool {
    let queue = &config.request_queue;
    let body = json!({ "QueueUrl": queue.as_str(), "MessageBody": message.to_json() });
    let answer = post(config, queue, "SendMessage", &body.to_string()).await;
    let is_taken = answer.is_ok();
    if let Err(status) = answer {
        // Neither the message nor the queue's answer: both name the report.
        worker::console_error!("edge.message_lost queue=request status={status}");
    }
    is_taken
}

/// Puts by what may be lost.
pub(crate) fn put_by(message: &AccessMessage) {
    PUT_BY.with_borrow_mut(|put_by| {
        if put_by.messages.len() < MOST_PUT_BY {
            put_by.messages.push(message.to_json());
        } else {
            worker::console_error!("edge.message_lost queue=access status=0 messages=1");
        }
    });
}

/// Sends what the requests of this isolate have put by, several at a time: after the
/// answer, so that no reader waits for it. Where another request is about to, it is left
/// to that one.
pub(crate) async fn send_what_is_put_by(config: &Config) {
    let Some(_turn) = Turn::take() else {
        return;
    };
    Delay::from(GATHERING).await;
    loop {
        let messages = PUT_BY.with_borrow_mut(|put_by| {
            let count = put_by.messages.len().min(BATCH);
            put_by.messages.drain(..count).collect::<Vec<_>>()
        });
        if messages.is_empty() {
            return;
        }
        send_batch(config, &messages).await;
    }
}

/// The turn of one request to send what all have put by.
struct Turn(u64);

impl Turn {
    fn take() -> Option<Self> {
        let now = now_ms();
        PUT_BY.with_borrow_mut(|put_by| {
            let is_taken = put_by
                .turn_since_ms
                .is_some_and(|since| now.saturating_sub(since) < TURN_MS);
            if is_taken {
                return None;
            }
            put_by.turn_since_ms = Some(now);
            Some(Self(now))
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        PUT_BY.with_borrow_mut(|put_by| {
            // Not that of another, who thought this one dead.
            if put_by.turn_since_ms == Some(self.0) {
                put_by.turn_since_ms = None;
            }
        });
    }
}

/// What is not taken is lost, and the log says how many there were.
async fn send_batch(config: &Config, messages: &[String]) {
    let queue = &config.access_queue;
    let entries: Vec<Value> = messages
        .iter()
        .enumerate()
        .map(|(id, message)| json!({ "Id": id.to_string(), "MessageBody": message }))
        .collect();
    let body = json!({ "QueueUrl": queue.as_str(), "Entries": entries });
    let answer = post(config, queue, "SendMessageBatch", &body.to_string()).await;
    let (status, lost) = match answer {
        Ok(answer) => {
            let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
            (
                200,
                answer
                    .get("Failed")
                    .and_then(Value::as_array)
                    .map_or(0, Vec::len),
            )
        }
        Err(status) => (status, messages.len()),
    };
    if lost > 0 {
        worker::console_error!("edge.message_lost queue=access status={status} messages={lost}");
    }
}

/// Does something at the queue; its answer if that is 200, otherwise the status, 0 without
/// an answer.
async fn post(config: &Config, queue: &Url, action: &str, body: &str) -> Result<Vec<u8>, u16> {
    let (status, answer) = answer(config, queue, action, body).await.ok_or(0_u16)?;
    if status == 200 {
        Ok(answer)
    } else {
        Err(status)
    }
}

async fn answer(config: &Config, queue: &Url, action: &str, body: &str) -> Option<(u16, Vec<u8>)> {
    let target = format!("AmazonSQS.{action}");
    let now = Timestamp::from_millisecond(i64::try_from(now_ms()).ok()?).ok()?;
    let signed = Signed::new(config, queue, &target, body, now)?;
    let headers = Headers::new();
    headers.set("content-type", CONTENT_TYPE).ok()?;
    headers.set("x-amz-date", &signed.date).ok()?;
    headers.set("x-amz-target", &target).ok()?;
    headers.set("authorization", &signed.authorization).ok()?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post)
        .with_headers(headers)
        .with_redirect(RequestRedirect::Manual)
        .with_body(Some(body.into()));
    let endpoint = format!("{}/", queue.origin().ascii_serialization());
    let request = Request::new_with_init(&endpoint, &init).ok()?;
    let (fetch, abort) = (Fetch::Request(request), AbortController::default());
    let signal = abort.signal();
    let answered = core::pin::pin!(fetch.send_with_signal(&signal));
    match select(answered, Delay::from(PATIENCE)).await {
        Either::Left((answer, _)) => {
            let mut answer = answer.ok()?;
            // Read to its end, so that its connection serves the next message.
            let content = answer.bytes().await.unwrap_or_default();
            Some((answer.status_code(), content))
        }
        Either::Right(_) => {
            abort.abort();
            None
        }
    }
}

/// What Signature Version 4 adds to a request.
struct Signed {
    date: String,
    authorization: String,
}

impl Signed {
    /// Signs a POST of `body` to the root of the queue's host. rusty-s3 signs
    /// addresses for S3 alone, and a message must not be part of an address.
    fn new(config: &Config, queue: &Url, target: &str, body: &str, now: Timestamp) -> Option<Self> {
        const HEADERS: &str = "content-type;host;x-amz-date;x-amz-target";
        let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        let day = now.strftime("%Y%m%d").to_string();
        let region = config.bucket.region();
        let host = match queue.port() {
            Some(port) => format!("{}:{port}", queue.host_str()?),
            None => queue.host_str()?.to_owned(),
        };
        let request = format!(
            "POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\nx-amz-date:{date}\n\
             x-amz-target:{target}\n\n{HEADERS}\n{}",
            hex(&Sha256::digest(body.as_bytes()))
        );
        let scope = format!("{day}/{region}/{SERVICE}/aws4_request");
        let to_sign = format!(
            "AWS4-HMAC-SHA256\n{date}\n{scope}\n{}",
            hex(&Sha256::digest(request.as_bytes()))
        );
        let secret = format!("AWS4{}", config.credentials.secret());
        let parts = [&day, region, SERVICE, "aws4_request", &to_sign];
        let signature = parts
            .iter()
            .try_fold(secret.into_bytes(), |key, part| mac(&key, part))?;
        Some(Self {
            authorization: format!(
                "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={HEADERS}, Signature={}",
                config.credentials.key(),
                hex(&signature)
            ),
            date,
        })
    }
}

fn mac(key: &[u8], text: &str) -> Option<Vec<u8>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(text.as_bytes());
    Some(mac.finalize().into_bytes().to_vec())
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
