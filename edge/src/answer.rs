//! From an answer of the routing core to one of the runtime.

use std::cell::RefCell;

use dermalia_link::{Answer, Body, Header};
use worker::wasm_bindgen::JsValue;
use worker::web_sys::{Headers, Response};

use crate::glue;
use crate::origin::{self, Fetched};

/// Headers whose value is another one with each object or each request.
const OWN: [&str; 7] = [
    "content-length",
    "content-range",
    "etag",
    "location",
    "refresh",
    "retry-after",
    "set-cookie",
];
/// More kinds of answers than there are.
const MOST_KINDS: usize = 32;

/// What the answers of one kind have in common. The runtime copies it, which is quicker
/// than setting a dozen headers with each answer.
struct Kind {
    common: Vec<Header>,
    headers: Headers,
}

thread_local! {
    static KINDS: RefCell<Vec<Kind>> = const { RefCell::new(Vec::new()) };
}

/// The answer with the origin's body, if that is what it says.
pub(crate) fn respond(answer: Answer, fetched: Option<Fetched>) -> Result<Response, JsValue> {
    let stream = fetched.and_then(Fetched::into_stream);
    let body = match (answer.body, stream) {
        (Body::Origin, Some(stream)) => stream.into(),
        (body, unwanted) => {
            if let Some(stream) = unwanted {
                origin::discard(&stream);
            }
            match body {
                Body::Text(text) => JsValue::from(text),
                Body::Empty | Body::Origin => JsValue::NULL,
            }
        }
    };
    let (own, common): (Vec<_>, Vec<_>) = answer
        .headers
        .into_iter()
        .partition(|(name, _)| OWN.contains(name));
    let own = lines(&own);
    KINDS.with_borrow_mut(|kinds| {
        if let Some(kind) = kinds.iter().find(|kind| kind.common == common) {
            return glue::respond(&body, answer.status, &kind.headers, &own);
        }
        let kind = Kind::of(common)?;
        let response = glue::respond(&body, answer.status, &kind.headers, &own);
        if kinds.len() < MOST_KINDS {
            kinds.push(kind);
        }
        response
    })
}

impl Kind {
    fn of(common: Vec<Header>) -> Result<Self, JsValue> {
        let headers = Headers::new()?;
        for (name, value) in &common {
            headers.set(name, value)?;
        }
        Ok(Self { common, headers })
    }
}

/// Names and values in turn, a line each; no value of ours has a line feed.
fn lines(headers: &[Header]) -> String {
    let lines: Vec<&str> = headers
        .iter()
        .flat_map(|(name, value)| [*name, value])
        .collect();
    lines.join("\n")
}
