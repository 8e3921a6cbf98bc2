//! Objects from S3, signed by Signature Version 4, streamed.

use core::time::Duration;

use dermalia_link::{
    ByteRange, META_CODE, META_EPOCH, META_SCRIPT_SHA256, META_STYLE_SHA256, META_UNTIL,
    META_USAGE, Origin, RangeRequest, Stored,
};
use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use jiff::Timestamp;
use rusty_s3::S3Action as _;
use worker::Delay;
use worker::js_sys::global;
use worker::wasm_bindgen::{JsCast as _, intern};
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::{
    Headers, ReadableStream, RequestCache, RequestInit, RequestRedirect, Response,
    WorkerGlobalScope,
};

use crate::config::Config;
use crate::now_ms;

/// How long a signed request may travel.
const SIGNATURE_LIFE: Duration = Duration::from_secs(60);
/// How long the origin may take to begin its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// An error of S3 is a short XML document.
const MAX_ERROR_BYTES: usize = 8 * 1024;

/// What came of asking the origin.
pub(crate) enum Fetched {
    Whole(Object),
    Part(Object, ByteRange),
    Unsatisfiable(Object),
    Missing,
    Failed,
}

/// An object's metadata and its body.
pub(crate) struct Object {
    epoch: Option<String>,
    style_sha256: Option<String>,
    script_sha256: Option<String>,
    code: Option<String>,
    usage: Option<String>,
    until: Option<String>,
    etag: Option<String>,
    total_bytes: u64,
    stream: Option<ReadableStream>,
}

/// Fetches an object, or a part of it.
pub(crate) async fn fetch(config: &Config, key: &str, range: Option<RangeRequest>) -> Fetched {
    let Some(response) = send(config, key, range).await else {
        return Fetched::Failed;
    };
    match (response.status(), range) {
        (200, _) => match whole(&response, key) {
            Some(object) => Fetched::Whole(object),
            None => failed(&response, "no content-length"),
        },
        (206, Some(_)) => match part(&response, key) {
            Some((object, part)) => Fetched::Part(object, part),
            None => failed(&response, "no content-range"),
        },
        (416, Some(_)) => {
            dismiss(&response);
            // The refusal carries no metadata, and without the epoch nothing
            // may be said about the object.
            match send(config, key, None).await {
                Some(response) if response.status() == 200 => match whole(&response, key) {
                    Some(object) => Fetched::Unsatisfiable(object),
                    None => failed(&response, "no content-length"),
                },
                Some(response) => failed(&response, "after an unsatisfiable range"),
                None => Fetched::Failed,
            }
        }
        (403 | 404, _) => refused(response).await,
        _ => failed(&response, "unexpected status"),
    }
}

impl Fetched {
    /// The same in the terms of the routing core.
    pub(crate) fn as_origin(&self) -> Origin<'_> {
        match self {
            Self::Whole(object) => Origin::Whole(object.stored()),
            Self::Part(object, part) => Origin::Part(object.stored(), *part),
            Self::Unsatisfiable(object) => Origin::Unsatisfiable(object.stored()),
            Self::Missing => Origin::Missing,
            Self::Failed => Origin::Failed,
        }
    }

    pub(crate) fn into_stream(self) -> Option<ReadableStream> {
        match self {
            Self::Whole(object) | Self::Part(object, _) | Self::Unsatisfiable(object) => {
                object.stream
            }
            Self::Missing | Self::Failed => None,
        }
    }
}

impl Object {
    fn of(response: &Response, headers: &Headers, key: &str, total_bytes: u64) -> Self {
        let header = |name: &str| headers.get(intern(name)).ok().flatten();
        let metadata = |name| header(&format!("x-amz-meta-{name}"));
        // Pages alone have styles and scripts.
        let of_page = |name| {
            if key.ends_with(".html") {
                metadata(name)
            } else {
                None
            }
        };
        Self {
            epoch: metadata(META_EPOCH),
            style_sha256: of_page(META_STYLE_SHA256),
            script_sha256: of_page(META_SCRIPT_SHA256),
            code: metadata(META_CODE),
            usage: metadata(META_USAGE),
            until: metadata(META_UNTIL),
            etag: header("etag"),
            total_bytes,
            stream: response.body(),
        }
    }

    fn stored(&self) -> Stored<'_> {
        Stored {
            epoch: self.epoch.as_deref(),
            style_sha256: self.style_sha256.as_deref(),
            script_sha256: self.script_sha256.as_deref(),
            code: self.code.as_deref(),
            usage: self.usage.as_deref(),
            until: self.until.as_deref(),
            etag: self.etag.as_deref(),
            total_bytes: self.total_bytes,
        }
    }
}

/// Ends a body that nobody wants, so that its connection is free again.
pub(crate) fn discard(stream: &ReadableStream) {
    // A stream that has ended or failed already needs no further end.
    drop(stream.cancel());
}

/// Sends a signed GET; none if no answer began in time.
async fn send(config: &Config, key: &str, range: Option<RangeRequest>) -> Option<Response> {
    let now = Timestamp::from_millisecond(i64::try_from(now_ms()).ok()?).ok()?;
    let url = config
        .bucket
        .get_object(Some(&config.credentials), key)
        .sign_with_time(SIGNATURE_LIFE, &now);
    let init = RequestInit::new();
    init.set_redirect(RequestRedirect::Manual);
    // No cache holds patient data.
    init.set_cache(RequestCache::NoStore);
    if let Some(range) = range {
        let headers = Headers::new().ok()?;
        headers.set("range", &range.to_header()).ok()?;
        init.set_headers_headers(&headers);
    }
    let scope: WorkerGlobalScope = global().unchecked_into();
    let answered = JsFuture::from(scope.fetch_with_str_and_init(url.as_str(), &init));
    let answer = match select(answered, Delay::from(PATIENCE)).await {
        Either::Left((answer, _)) => answer.ok(),
        // The runtime ends what is still asked for when this request has its answer.
        Either::Right(_) => None,
    };
    if answer.is_none() {
        // The address holds a signature: it is not for the log.
        worker::console_error!("edge.origin_failed reason=\"no answer\"");
    }
    answer?.dyn_into().ok()
}

fn whole(response: &Response, key: &str) -> Option<Object> {
    let headers = response.headers();
    let length = headers.get(intern("content-length")).ok()??;
    let total_bytes = length.parse().ok()?;
    Some(Object::of(response, &headers, key, total_bytes))
}

fn part(response: &Response, key: &str) -> Option<(Object, ByteRange)> {
    let headers = response.headers();
    let range = headers.get("content-range").ok()??;
    let (part, total_bytes) = ByteRange::from_content_range(&range)?;
    Some((Object::of(response, &headers, key, total_bytes), part))
}

/// S3 says `NoSuchKey` of an absent object to those who may list the bucket,
/// and `AccessDenied` to those who may not, as the Worker's key. It then names
/// the action that was not allowed: `s3:ListBucket` of an absent object,
/// another one where a policy stands in the way of one that is there. A
/// message that names none tells the two not apart; such an object counts as
/// absent, with a line in the log. Any other refusal (of the key, of the
/// signature, of the bucket) is our own fault.
async fn refused(response: Response) -> Fetched {
    let status = response.status();
    let error = error_document(response).await;
    let code = error.as_deref().and_then(|e| element(e, "Code"));
    let code = code.filter(|code| code.bytes().all(|b| b.is_ascii_alphabetic()));
    match code {
        Some("NoSuchKey") => return Fetched::Missing,
        Some("AccessDenied") => {
            let message = error.as_deref().and_then(|e| element(e, "Message"));
            match message.and_then(denied_action) {
                Some(Denied::List) => return Fetched::Missing,
                Some(Denied::Other) => {}
                None => {
                    worker::console_warn!("edge.origin_denied action=unknown");
                    return Fetched::Missing;
                }
            }
        }
        _ => {}
    }
    let code = code.unwrap_or("unreadable");
    worker::console_error!("edge.origin_failed status={status} code={code}");
    Fetched::Failed
}

/// Which action S3 did not allow.
enum Denied {
    List,
    Other,
}

/// Reads `… is not authorized to perform: s3:ListBucket on resource: …`.
fn denied_action(message: &str) -> Option<Denied> {
    let (_, action) = message.split_once("not authorized to perform: ")?;
    let action = action.split_whitespace().next()?;
    Some(match action {
        "s3:ListBucket" => Denied::List,
        _ => Denied::Other,
    })
}

async fn error_document(response: Response) -> Option<String> {
    let mut document = Vec::new();
    let mut stream = worker::Response::from(response).stream().ok()?;
    while let Some(chunk) = stream.next().await {
        document.extend(chunk.ok()?);
        if document.len() > MAX_ERROR_BYTES {
            return None;
        }
    }
    String::from_utf8(document).ok()
}

/// The text of the first element of that name.
fn element<'a>(document: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = document.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(text, _)| text)
}

fn failed(response: &Response, reason: &str) -> Fetched {
    let status = response.status();
    worker::console_error!("edge.origin_failed status={status} reason=\"{reason}\"");
    dismiss(response);
    Fetched::Failed
}

fn dismiss(response: &Response) {
    if let Some(stream) = response.body() {
        discard(&stream);
    }
}
