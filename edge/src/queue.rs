//! Messages to SQS, signed by Signature Version 4.

use core::time::Duration;
use std::cell::RefCell;

use dermalia_edge_signing::Post;
use dermalia_link::{AccessMessage, RequestMessage};
use futures_util::future::{Either, select};
use serde_json::{Value, json};
use worker::{
    AbortController, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Url,
};

use crate::config::{Config, host_and_port};
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
    let post = Post {
        service: SERVICE,
        host: &host_and_port(queue)?,
        content_type: CONTENT_TYPE,
        target: &target,
        body: body.as_bytes(),
    };
    // A message must not be part of an address: it is signed by headers.
    let signed = config.signer.post_headers(&post, now_ms() / 1000);
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
