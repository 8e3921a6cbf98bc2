//! Messages to SQS, signed by Signature Version 4.

use core::time::Duration;

use dermalia_link::Message;
use futures_util::future::{Either, select};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use worker::{
    AbortController, Date, Delay, Fetch, Headers, Method, Request, RequestInit, RequestRedirect,
    Url,
};

use crate::config::Config;

const SERVICE: &str = "sqs";
const TARGET: &str = "AmazonSQS.SendMessage";
const CONTENT_TYPE: &str = "application/x-amz-json-1.0";
/// How long the queue may take to say that it has a message.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends a message to its queue; whether the queue has taken it.
pub(crate) async fn send(config: &Config, message: &Message) -> bool {
    let (name, queue) = match message {
        Message::Access(_) => ("access", &config.access_queue),
        Message::Request(_) => ("request", &config.request_queue),
    };
    let status = post(config, queue, &message.to_json()).await;
    let is_taken = status == Some(200);
    if !is_taken {
        // Neither the message nor the queue's answer: both name the report.
        let status = status.unwrap_or(0);
        worker::console_error!("edge.message_lost queue={name} status={status}");
    }
    is_taken
}

async fn post(config: &Config, queue: &Url, message: &str) -> Option<u16> {
    let body = json!({ "QueueUrl": queue.as_str(), "MessageBody": message }).to_string();
    let now = Timestamp::from_millisecond(i64::try_from(Date::now().as_millis()).ok()?).ok()?;
    let signed = Signed::new(config, queue, &body, now)?;
    let headers = Headers::new();
    headers.set("content-type", CONTENT_TYPE).ok()?;
    headers.set("x-amz-date", &signed.date).ok()?;
    headers.set("x-amz-target", TARGET).ok()?;
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
            drop(answer.bytes().await);
            Some(answer.status_code())
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
    fn new(config: &Config, queue: &Url, body: &str, now: Timestamp) -> Option<Self> {
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
             x-amz-target:{TARGET}\n\n{HEADERS}\n{}",
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
