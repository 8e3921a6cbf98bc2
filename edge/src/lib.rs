//! The Worker that serves signed report links.
//!
//! It is thin: `dermalia-link` decides everything about a request; this crate
//! reads the request, fetches the object from S3 with a key that may only
//! read reports, and streams the answer. It holds public keys alone, keeps
//! nothing, counts nothing and writes no personal data to the log.
//!
//! No path of a request may panic: a panic can poison the isolate.

mod config;
mod origin;

use std::rc::Rc;

use dermalia_link::{Answer, Body, Decision, Language, Problem, Request, problem_page, route};
use worker::{Context, Date, Env, Headers, Response, ResponseBody, ResponseBuilder, event};

use crate::config::Config;
use crate::origin::Fetched;

/// After how long to try again when asked too often.
const RATE_LIMIT_SECS: u32 = 60;
/// After how long to try again when the Worker itself is at fault.
const FAULT_RETRY_SECS: u32 = 60;

#[event(fetch)]
async fn fetch(request: worker::Request, env: Env, _context: Context) -> worker::Result<Response> {
    let seen = Seen::of(&request);
    let language = Language::preferred(seen.accept_language.as_deref());
    let fault = |_| {
        problem_page(
            Problem::OriginFailed(FAULT_RETRY_SECS),
            language,
            seen.is_head(),
        )
    };
    let (answer, stream) = match config::load(&env) {
        Ok(config) => answer(&seen, &config, &env).await,
        Err(variable) => {
            worker::console_error!("edge.configuration variable={variable}");
            (fault(()), None)
        }
    };
    respond(answer, stream)
}

/// The parts of a request that decide its answer, copied out of JavaScript.
struct Seen {
    method: String,
    path: String,
    query: Option<String>,
    content_length: Option<u64>,
    accept_language: Option<String>,
    range: Option<String>,
    if_range: Option<String>,
    if_none_match: Option<String>,
    address: Option<String>,
}

impl Seen {
    fn of(request: &worker::Request) -> Self {
        let header = |name| request.headers().get(name).ok().flatten();
        let url = request.inner().url();
        let (path, query) = target(&url);
        Self {
            // Not `request.method()`: it takes an unknown method for GET.
            method: request.inner().method(),
            path: path.to_owned(),
            query: query.map(str::to_owned),
            content_length: header("content-length").and_then(|length| length.parse().ok()),
            accept_language: header("accept-language"),
            range: header("range"),
            if_range: header("if-range"),
            if_none_match: header("if-none-match"),
            address: header("cf-connecting-ip"),
        }
    }

    fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            content_length: self.content_length,
            accept_language: self.accept_language.as_deref(),
            range: self.range.as_deref(),
            if_range: self.if_range.as_deref(),
            if_none_match: self.if_none_match.as_deref(),
        }
    }
}

/// Path and query of an absolute address, as the runtime normalised them.
fn target(url: &str) -> (&str, Option<&str>) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let path = rest
        .find(['/', '?'])
        .and_then(|start| rest.get(start..))
        .unwrap_or("/");
    match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    }
}

async fn answer(seen: &Seen, config: &Rc<Config>, env: &Env) -> (Answer, Option<Fetched>) {
    if seen.path.starts_with("/r/") && asked_too_often(seen, env).await {
        let language = Language::preferred(seen.accept_language.as_deref());
        let problem = Problem::TooManyRequests(RATE_LIMIT_SECS);
        return (problem_page(problem, language, seen.is_head()), None);
    }
    let now_secs = Date::now().as_millis() / 1000;
    match route(&seen.request(), &config.keys, now_secs) {
        Decision::Answer(answer) => (answer, None),
        Decision::Fetch(wanted) => {
            let fetched = origin::fetch(config, &wanted.key, wanted.range).await;
            (wanted.after_origin(&fetched.as_origin()), Some(fetched))
        }
    }
}

/// Cloudflare's own counter, where it is bound. It forgets the address within
/// a minute; where it fails, readers are let in.
async fn asked_too_often(seen: &Seen, env: &Env) -> bool {
    let (Some(address), Ok(limiter)) = (&seen.address, env.rate_limiter("RATE_LIMITER")) else {
        return false;
    };
    limiter
        .limit(address.clone())
        .await
        .is_ok_and(|outcome| !outcome.success)
}

fn respond(answer: Answer, fetched: Option<Fetched>) -> worker::Result<Response> {
    let headers = Headers::new();
    for (name, value) in &answer.headers {
        headers.set(name, value)?;
    }
    let stream = fetched.and_then(Fetched::into_stream);
    let body = match (answer.body, stream) {
        (Body::Origin, Some(stream)) => ResponseBody::Stream(stream),
        (body, stream) => {
            if let Some(stream) = stream {
                origin::discard(&stream);
            }
            match body {
                Body::Text(text) => ResponseBody::Body(text.into_bytes()),
                Body::Empty | Body::Origin => ResponseBody::Empty,
            }
        }
    };
    Ok(ResponseBuilder::new()
        .with_status(answer.status)
        .with_headers(headers)
        .body(body))
}
