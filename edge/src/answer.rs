//! From an answer of the routing core to one of the runtime.

use std::cell::RefCell;

use dermalia_link::{Answer, Body, Header};
use worker::wasm_bindgen::{JsValue, intern};
use worker::web_sys::{Headers, Response, ResponseInit};

use crate::origin::{self, Fetched};

/// Headers whose value is another one with each object or each request.
const OWN: [&str; 6] = [
    "content-length",
    "content-range",
    "etag",
    "location",
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
    let init = ResponseInit::new();
    init.set_status(answer.status);
    init.set_headers_headers(&headers_of(answer.headers)?);
    let stream = fetched.and_then(Fetched::into_stream);
    if let (Body::Origin, Some(stream)) = (&answer.body, &stream) {
        return Response::new_with_opt_readable_stream_and_init(Some(stream), &init);
    }
    if let Some(stream) = stream {
        origin::discard(&stream);
    }
    let text = match &answer.body {
        Body::Text(text) => Some(text.as_str()),
        Body::Empty | Body::Origin => None,
    };
    Response::new_with_opt_str_and_init(text, &init)
}

fn headers_of(headers: Vec<Header>) -> Result<Headers, JsValue> {
    let (own, common): (Vec<_>, Vec<_>) = headers
        .into_iter()
        .partition(|(name, _)| OWN.contains(name));
    let headers = KINDS.with_borrow_mut(|kinds| {
        if let Some(kind) = kinds.iter().find(|kind| kind.common == common) {
            return Headers::new_with_headers(&kind.headers);
        }
        let headers = Headers::new()?;
        set(&headers, &common)?;
        if kinds.len() < MOST_KINDS {
            kinds.push(Kind {
                common,
                headers: Headers::new_with_headers(&headers)?,
            });
        }
        Ok(headers)
    })?;
    set(&headers, &own)?;
    Ok(headers)
}

fn set(headers: &Headers, pairs: &[Header]) -> Result<(), JsValue> {
    for (name, value) in pairs {
        headers.set(intern(name), value)?;
    }
    Ok(())
}
