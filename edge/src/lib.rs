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
mod glue;
mod origin;
mod queue;
mod tallies;

use std::cell::RefCell;
use std::rc::Rc;

use dermalia_link::{
    Answer, Decision, Locale, MAX_BODY_BYTES, Memory, Message, Next, Problem, Reply, Request,
    problem_page, route_again,
};
use futures_util::StreamExt as _;
use worker::js_sys::Array;
use worker::{Context, Env, event, web_sys};

use crate::config::Config;
use crate::glue::Lines;
use crate::origin::Fetched;

thread_local! {
    /// One visit's requests cost one verification.
    static MEMORY: RefCell<Memory> = RefCell::default();
    /// The headers that decide an answer, and those that only one with a body is asked about.
    static NAMES: (Array, Array) = (
        glue::names(&[
            "content-length",
            "accept-language",
            "range",
            "if-range",
            "if-none-match",
            "cookie",
            "user-agent",
            "cf-connecting-ip",
        ]),
        glue::names(&["content-type", "origin", "sec-fetch-site", "sec-gpc"]),
    );
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
    let description = NAMES.with(|(read, sent)| glue::describe_request(&request, read, sent));
    let mut seen = read(&description);
    let body;
    if seen.method == "POST" {
        body = read_body(request).await;
        seen.body = &body;
    }
    let (answer, fetched) = match config::load(&env) {
        Ok(config) => answer(&seen, &config, &env, &context).await,
        Err(variable) => {
            worker::console_error!("edge.configuration variable={variable}");
            (
                problem(Problem::OriginFailed(FAULT_RETRY_SECS), &seen),
                None,
            )
        }
    };
    Ok(answer::respond(answer, fetched)?)
}

/// A request from its description.
fn read(description: &str) -> Request<'_> {
    let mut lines = Lines::of(description);
    let method = lines.text();
    let (host, path, query) = target(lines.text());
    // In the order of the names.
    Request {
        method,
        path,
        query,
        host: Some(host),
        content_length: lines.header().and_then(|length| length.parse().ok()),
        accept_language: lines.header(),
        range: lines.header(),
        if_range: lines.header(),
        if_none_match: lines.header(),
        cookie: lines.header(),
        user_agent: lines.header(),
        address: lines.header(),
        content_type: lines.header(),
        origin: lines.header(),
        fetch_site: lines.header(),
        privacy_control: lines.header(),
        body: &[],
    }
}

fn problem(problem: Problem, seen: &Request<'_>) -> Answer {
    let locale = Locale::preferred(seen.accept_language);
    problem_page(problem, locale, seen.method == "HEAD")
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
    seen: &Request<'_>,
    config: &Rc<Config>,
    env: &Env,
    context: &Context,
) -> (Answer, Option<Fetched>) {
    if seen.path.starts_with("/r/") && asked_too_often(seen, env).await {
        let too_many = Problem::TooManyRequests(RATE_LIMIT_SECS);
        return (problem(too_many, seen), None);
    }
    let decision =
        MEMORY.with_borrow_mut(|memory| route_again(seen, &config.host, now_secs(), memory));
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

pub(crate) fn now_secs() -> u64 {
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
async fn asked_too_often(seen: &Request<'_>, env: &Env) -> bool {
    let (Some(address), Ok(limiter)) = (seen.address, env.rate_limiter("RATE_LIMITER")) else {
        return false;
    };
    limiter
        .limit(address.to_owned())
        .await
        .is_ok_and(|outcome| !outcome.success)
}
