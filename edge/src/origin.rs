//! Objects from S3, signed by Signature Version 4, streamed.

use dermalia_link::{
    ByteRange, META_CODE, META_EPOCH, META_RENEWAL, META_SCRIPT_SHA256, META_STYLE_SHA256,
    META_UNTIL, META_USAGE, Origin, RangeRequest, Stored,
};
use futures_util::StreamExt as _;
use worker::js_sys::Array;
use worker::wasm_bindgen::JsCast;
use worker::wasm_bindgen_futures::JsFuture;
use worker::web_sys::{ReadableStream, Response};

use crate::config::Config;
use crate::glue::{self, Lines};
use crate::now_secs;

/// How long a signed request may travel.
const SIGNATURE_LIFE_SECS: u32 = 60;
/// How long the origin may take to begin its answer.
const PATIENCE_MS: u32 = 10_000;
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
    head: Head,
    total_bytes: u64,
    stream: Option<ReadableStream>,
}

/// What the origin says before the body.
struct Head {
    description: String,
    is_page: bool,
}

thread_local! {
    /// The headers that are asked for of every object, and of a page: it alone has styles
    /// and scripts.
    static NAMES: (Array, Array) = {
        let metadata = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| format!("x-amz-meta-{name}")).collect()
        };
        let of_all = metadata(&[META_EPOCH, META_CODE, META_USAGE, META_UNTIL, META_RENEWAL]);
        let of_page = metadata(&[META_STYLE_SHA256, META_SCRIPT_SHA256]);
        let named = ["content-length", "content-range", "etag"];
        let all: Vec<&str> = named.into_iter().chain(of_all.iter().map(String::as_str)).collect();
        let page: Vec<&str> = all.iter().copied().chain(of_page.iter().map(String::as_str)).collect();
        (glue::names(&all), glue::names(&page))
    };
}

/// Fetches an object, or a part of it.
pub(crate) async fn fetch(config: &Config, key: &str, range: Option<RangeRequest>) -> Fetched {
    let Some((response, head)) = send(config, key, range).await else {
        return Fetched::Failed;
    };
    let (status, said) = head.read();
    match (status, range) {
        (200, _) => match said.total_bytes {
            Some(total_bytes) => Fetched::Whole(head.with(total_bytes, &response)),
            None => failed(&response, "no content-length"),
        },
        (206, Some(_)) => match said.part {
            Some((part, total_bytes)) => Fetched::Part(head.with(total_bytes, &response), part),
            None => failed(&response, "no content-range"),
        },
        (416, Some(_)) => {
            dismiss(&response);
            // The refusal carries no metadata, and without the epoch nothing
            // may be said about the object.
            match send(config, key, None).await {
                Some((response, head)) => match head.read() {
                    (
                        200,
                        Said {
                            total_bytes: Some(total_bytes),
                            ..
                        },
                    ) => Fetched::Unsatisfiable(head.with(total_bytes, &response)),
                    _ => failed(&response, "after an unsatisfiable range"),
                },
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
    fn stored(&self) -> Stored<'_> {
        let (_, said) = self.head.read();
        Stored {
            total_bytes: self.total_bytes,
            ..said.stored
        }
    }
}

/// A head, read.
struct Said<'a> {
    /// The length of the body.
    total_bytes: Option<u64>,
    part: Option<(ByteRange, u64)>,
    stored: Stored<'a>,
}

impl Head {
    fn of(response: &Response, key: &str) -> Self {
        let is_page = key.ends_with(".html");
        Self {
            description: NAMES.with(|(all, page)| {
                glue::describe_response(response, if is_page { page } else { all })
            }),
            is_page,
        }
    }

    /// The status, and what else it says.
    fn read(&self) -> (u16, Said<'_>) {
        let mut lines = Lines::of(&self.description);
        let status = lines.text().parse().unwrap_or(0);
        // In the order of the names.
        let total_bytes = lines.header().and_then(|length| length.parse().ok());
        let part = lines.header().and_then(ByteRange::from_content_range);
        let mut stored = Stored {
            etag: lines.header(),
            epoch: lines.header(),
            code: lines.header(),
            usage: lines.header(),
            until: lines.header(),
            renewal: lines.header(),
            ..Stored::default()
        };
        if self.is_page {
            stored.style_sha256 = lines.header();
            stored.script_sha256 = lines.header();
        }
        let said = Said {
            total_bytes,
            part,
            stored,
        };
        (status, said)
    }

    fn with(self, total_bytes: u64, response: &Response) -> Object {
        Object {
            head: self,
            total_bytes,
            stream: response.body(),
        }
    }
}

/// Ends a body that nobody wants, so that its connection is free again.
pub(crate) fn discard(stream: &ReadableStream) {
    // A stream that has ended or failed already needs no further end.
    drop(stream.cancel());
}

/// Sends a signed GET; none if no answer began in time.
async fn send(config: &Config, key: &str, range: Option<RangeRequest>) -> Option<(Response, Head)> {
    let address =
        config
            .signer
            .object_address(&config.bucket, key, SIGNATURE_LIFE_SECS, now_secs());
    let range = range.map(RangeRequest::to_header);
    let answer = JsFuture::from(glue::get(&address, range, PATIENCE_MS)).await;
    let Ok(Ok(response)) = answer.map(JsCast::dyn_into::<Response>) else {
        // The address holds a signature: it is not for the log.
        worker::console_error!("edge.origin_failed reason=\"no answer\"");
        return None;
    };
    let head = Head::of(&response, key);
    Some((response, head))
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
