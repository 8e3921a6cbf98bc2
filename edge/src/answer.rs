//! From an answer of the routing core to one of the runtime.

use std::cell::RefCell;

use dermalia_link::{Answer, Body};
use worker::wasm_bindgen::JsValue;
use worker::web_sys::{Headers, Response, ResponseInit};

use crate::origin::{self, Fetched};

/// Headers that nearly every answer has with the same value. They are set once and then
/// copied by the runtime, which is quicker than setting them one by one.
const STEADY: [&str; 8] = [
    "strict-transport-security",
    "referrer-policy",
    "x-robots-tag",
    "x-content-type-options",
    "x-frame-options",
    "cross-origin-opener-policy",
    "cross-origin-resource-policy",
    "permissions-policy",
];

struct Template {
    pairs: Vec<(&'static str, String)>,
    headers: Headers,
}

thread_local! {
    static TEMPLATE: RefCell<Option<Template>> = const { RefCell::new(None) };
}

/// The answer with the origin's body, if that is what it says.
pub(crate) fn respond(answer: Answer, fetched: Option<Fetched>) -> Result<Response, JsValue> {
    let init = ResponseInit::new();
    init.set_status(answer.status);
    init.set_headers_headers(&headers_of(&answer)?);
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

fn headers_of(answer: &Answer) -> Result<Headers, JsValue> {
    TEMPLATE.with_borrow_mut(|template| {
        if let Some(template) = template
            && template
                .pairs
                .iter()
                .all(|pair| answer.headers.contains(pair))
        {
            let headers = Headers::new_with_headers(&template.headers)?;
            let others = answer
                .headers
                .iter()
                .filter(|pair| !template.pairs.contains(pair));
            set(&headers, others)?;
            return Ok(headers);
        }
        let is_steady = |pair: &&(&'static str, String)| STEADY.contains(&pair.0);
        let headers = Headers::new()?;
        set(&headers, answer.headers.iter().filter(is_steady))?;
        *template = Some(Template {
            pairs: answer.headers.iter().filter(is_steady).cloned().collect(),
            headers: Headers::new_with_headers(&headers)?,
        });
        set(
            &headers,
            answer.headers.iter().filter(|pair| !is_steady(pair)),
        )?;
        Ok(headers)
    })
}

fn set<'a>(
    headers: &Headers,
    pairs: impl Iterator<Item = &'a (&'static str, String)>,
) -> Result<(), JsValue> {
    for (name, value) in pairs {
        headers.set(name, value)?;
    }
    Ok(())
}
