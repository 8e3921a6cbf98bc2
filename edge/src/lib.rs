//! The Worker that serves signed report links.
//!
//! It is thin: `dermalia-link` decides everything about a request; this crate
//! reads the request, fetches the object from S3 with a key that may only
//! read reports, streams the answer, counts what must not be asked for too
//! often, and hands messages to two queues. It holds public keys and the key
//! of its own sessions, keeps nothing but those counts, and writes no personal
//! data to the log.
//!
//! No path of a request may panic: a panic can poison the isolate.

mod answer;
mod config;
mod origin;
mod queue;
mod tallies;

use std::cell::RefCell;
use std::rc::Rc;

use dermalia_link::{
    Answer, Decision, Language, MAX_BODY_BYTES, Memory, Message, Next, Problem, Reply, Request,
    problem_page, route_again,
};
use futures_util::StreamExt as _;
use worker::wasm_bindgen::intern;
use worker::{Context, Env, event, web_sys};

use crate::config::Config;
use crate::origin::Fetched;

thread_local! {
    /// One visit's requests cost one verification.
    static MEMORY: RefCell<Memory> = RefCell::default();
}

/// After how long to try again when asked too often.
const RATE_LIMIT_SECS: u32 = 60;
/// After how long to try again when the Worker itself is at fault.
const FAULT_RETRY_SECS: u32 = 60;

#[event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: Env,
    context: Context,
) -> worker::Result<web_sys::Response> {
    let mut seen = Seen::of(&request);
    if seen.is_sent() {
        seen.body = read_body(request).await;
    }
    let language = Language::preferred(seen.accept_language.as_deref());
    let fault = |_| {
        problem_page(
            Problem::OriginFailed(FAULT_RETRY_SECS),
            language,
            seen.is_head(),
        )
    };
    let (answer, stream) = match config::load(&env) {
        Ok(config) => answer(&seen, &config, &env, &context).await,
        Err(variable) => {
            worker::console_error!("edge.configuration variable={variable}");
            (fault(()), None)
        }
    };
    Ok(answer::respond(answer, stream)?)
}

/// The parts of a request that decide its answer, copied out of JavaScript. Each copy
/// costs, so what can decide nothing stays where it is.
struct Seen {
    method: String,
    path: String,
    query: Option<String>,
    content_length: Option<u64>,
    accept_language: Option<String>,
    range: Option<String>,
    if_range: Option<String>,
    if_none_match: Option<String>,
    body: Vec<u8>,
    content_type: Option<String>,
    cookie: Option<String>,
    host: String,
    origin: Option<String>,
    fetch_site: Option<String>,
    privacy_control: Option<String>,
    user_agent: Option<String>,
    address: Option<String>,
}

impl Seen {
    fn of(request: &web_sys::Request) -> Self {
        let headers = request.headers();
        let header = |name| headers.get(intern(name)).ok().flatten();
        let method = request.method();
        // What only a request with a body is asked about.
        let is_sent = method == "POST";
        let of_body = |name| if is_sent { header(name) } else { None };
        let url = request.url();
        let (host, path, query) = target(&url);
        Self {
            method,
            path: path.to_owned(),
            query: query.map(str::to_owned),
            content_length: header("content-length").and_then(|length| length.parse().ok()),
            accept_language: header("accept-language"),
            range: header("range"),
            if_range: header("if-range"),
            if_none_match: header("if-none-match"),
            body: Vec::new(),
            content_type: of_body("content-type"),
            cookie: header("cookie"),
            host: host.to_owned(),
            origin: of_body("origin"),
            fetch_site: of_body("sec-fetch-site"),
            privacy_control: of_body("sec-gpc"),
            user_agent: header("user-agent"),
            address: header("cf-connecting-ip"),
        }
    }

    fn is_sent(&self) -> bool {
        self.method == "POST"
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
            body: &self.body,
            content_type: self.content_type.as_deref(),
            cookie: self.cookie.as_deref(),
            host: Some(&self.host),
            origin: self.origin.as_deref(),
            fetch_site: self.fetch_site.as_deref(),
            privacy_control: self.privacy_control.as_deref(),
            user_agent: self.user_agent.as_deref(),
            address: self.address.as_deref(),
        }
    }
}

/// Host, path and query of an absolute address, as the runtime normalised them.
fn target(url: &str) -> (&str, &str, Option<&str>) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
    let (host, path) = rest
        .find(['/', '?'])
        .and_then(|start| rest.split_at_checked(start))
        .unwrap_or((rest, "/"));
    match path.split_once('?') {
        Some((path, query)) => (host, path, Some(query)),
        None => (host, path, None),
    }
}

/// The body of a POST, as far as the routing core wants to see it.
async fn read_body(request: web_sys::Request) -> Vec<u8> {
    let mut body = Vec::new();
    let Ok(mut stream) = worker::Request::from(request).stream() else {
        return body;
    };
    while body.len() <= MAX_BODY_BYTES
        && let Some(Ok(chunk)) = stream.next().await
    {
        let room = MAX_BODY_BYTES + 1 - body.len();
        body.extend(chunk.into_iter().take(room));
    }
    body
}

async fn answer(
    seen: &Seen,
    config: &Rc<Config>,
    env: &Env,
    context: &Context,
) -> (Answer, Option<Fetched>) {
    if seen.path.starts_with("/r/") && asked_too_often(seen, env).await {
        let language = Language::preferred(seen.accept_language.as_deref());
        let problem = Problem::TooManyRequests(RATE_LIMIT_SECS);
        return (problem_page(problem, language, seen.is_head()), None);
    }
    let decision = MEMORY
        .with_borrow_mut(|memory| route_again(&seen.request(), &config.host, now_secs(), memory));
    match decision {
        Decision::Answer(answer) => (answer, None),
        Decision::Fetch(wanted) => {
            let fetched = origin::fetch(config, &wanted.key, wanted.range).await;
            let mut next = wanted.after_origin(&fetched.as_origin(), &config.host, now_secs());
            let reply = loop {
                match next {
                    Next::Reply(reply) => break reply,
                    Next::Count(count) => {
                        let counted = tallies::take(env, &count.allowance).await;
                        next = count.after(counted, &config.host, now_secs());
                    }
                }
            };
            (deliver(reply, config, env, context).await, Some(fetched))
        }
    }
}

/// Quicker than by way of a `Date`.
pub(crate) fn now_ms() -> u64 {
    // Whole, and not before 1970.
    worker::js_sys::Date::now() as u64
}

fn now_secs() -> u64 {
    now_ms() / 1000
}

/// Sends what goes with an answer, and gives the answer.
async fn deliver(mut reply: Reply, config: &Rc<Config>, env: &Env, context: &Context) -> Answer {
    match reply.message.take() {
        None => {}
        Some(Message::Access(message)) => {
            queue::put_by(&message);
            let config = Rc::clone(config);
            context.wait_until(async move { queue::send_what_is_put_by(&config).await });
        }
        Some(Message::Request(message)) => {
            let is_taken = queue::send(config, &message).await;
            if !is_taken {
                reply = reply.not_taken();
            }
        }
    }
    if let Some(allowance) = &reply.give_back {
        tallies::give_back(env, allowance).await;
    }
    reply.answer
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
