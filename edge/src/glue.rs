//! The few lines of JavaScript by which this crate meets the runtime (`glue.js`), and what
//! they hand over.

use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use worker::js_sys::{Array, Promise};
use worker::web_sys::{Headers, Request, Response};

#[wasm_bindgen(module = "/src/glue.js")]
extern "C" {
    /// Method, address and the headers of those names; see [`Lines`].
    #[wasm_bindgen(js_name = describeRequest)]
    pub(crate) fn describe_request(request: &Request, read: &Array, sent: &Array) -> String;

    /// Status and the headers of those names; see [`Lines`].
    #[wasm_bindgen(js_name = describeResponse)]
    pub(crate) fn describe_response(response: &Response, names: &Array) -> String;

    /// Promises the answer to a GET; `undefined` if none begins in time.
    pub(crate) fn get(address: &str, range: Option<String>, patience_ms: u32) -> Promise;

    /// An answer with the common headers and its own.
    #[wasm_bindgen(catch)]
    pub(crate) fn respond(
        body: &JsValue,
        status: u16,
        common: &Headers,
        own: &str,
    ) -> Result<Response, JsValue>;
}

/// Names of headers on the other side, where they are made once.
pub(crate) fn names(names: &[&str]) -> Array {
    names.iter().map(|&name| JsValue::from_str(name)).collect()
}

/// What a description says, in the order asked for.
pub(crate) struct Lines<'a>(core::str::Split<'a, char>);

impl<'a> Lines<'a> {
    pub(crate) fn of(description: &'a str) -> Self {
        Self(description.split('\n'))
    }

    /// The next line as it is.
    pub(crate) fn text(&mut self) -> &'a str {
        self.0.next().unwrap_or_default()
    }

    /// The next line as the value of a header, if there is such a header.
    pub(crate) fn header(&mut self) -> Option<&'a str> {
        self.text().strip_prefix('=')
    }
}
