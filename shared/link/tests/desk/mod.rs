//! Requests put to the routing core, and what it says.
#![allow(dead_code, reason = "each test takes what it needs")]

use dermalia_link::{
    Answer, Claims, Decision, Fetch, Flags, Host, KeyId, KeySet, Next, Origin, Reply, ReportId,
    Request, SessionKey, SigningKey, Stored, route,
};

pub(crate) const NOW: u64 = 1_780_000_000;
pub(crate) const REPORT: &str = "000102030405060708090a0b0c0d0e0f";

pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed(KeyId::new(1), &[1; 32])
}

pub(crate) fn host() -> Host {
    Host {
        keys: KeySet::new(key().public()),
        session: SessionKey::from_bytes([9; 32]),
    }
}

pub(crate) fn report_id() -> ReportId {
    REPORT.parse().unwrap()
}

pub(crate) fn claims(expires_at_secs: u64) -> Claims {
    Claims {
        report_id: report_id(),
        expires_at_secs,
        epoch: 5,
        flags: Flags::NONE,
    }
}

pub(crate) fn token(expires_at_secs: u64) -> String {
    key().sign(&claims(expires_at_secs)).reveal().to_owned()
}

pub(crate) fn live() -> String {
    token(NOW + 60)
}

pub(crate) fn get(target: &str) -> Decision {
    ask("GET", target)
}

pub(crate) fn ask(method: &str, target: &str) -> Decision {
    decide(Request {
        method,
        path: target,
        ..Request::default()
    })
}

/// Decides about a request whose path may hold a query.
pub(crate) fn decide(request: Request<'_>) -> Decision {
    let (path, query) = match request.path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (request.path, None),
    };
    let request = Request {
        path,
        query,
        ..request
    };
    route(&request, &host(), NOW)
}

pub(crate) fn answer(decision: Decision) -> Answer {
    match decision {
        Decision::Answer(answer) => answer,
        Decision::Fetch(fetch) => panic!("expected an answer, got {fetch:?}"),
    }
}

pub(crate) fn fetch(decision: Decision) -> Fetch {
    match decision {
        Decision::Fetch(fetch) => fetch,
        Decision::Answer(answer) => panic!("expected an object, got {answer:?}"),
    }
}

pub(crate) fn reply(next: Next) -> Reply {
    match next {
        Next::Reply(reply) => reply,
        Next::Count(count) => panic!("expected a reply, got {count:?}"),
    }
}

pub(crate) fn after(fetch: &Fetch, origin: &Origin<'_>) -> Answer {
    reply(fetch.after_origin(origin, &host(), NOW)).answer
}

pub(crate) fn stored() -> Stored<'static> {
    Stored {
        epoch: Some("5"),
        etag: Some("\"abc\""),
        total_bytes: 1000,
        ..Stored::default()
    }
}

pub(crate) fn assert_guarded(answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && policy.contains("base-uri 'none'"));
    assert!(!policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("x-robots-tag", "noindex, noarchive"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        (
            "strict-transport-security",
            "max-age=63072000; includeSubDomains",
        ),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!(answer.header("permissions-policy").is_some());
    assert!(answer.header("set-cookie").is_none());
    let mut names: Vec<_> = answer.headers.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), answer.headers.len(), "a header is set twice");
}
