//! What readers do beyond reading: events, codes, wishes, and who may.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the finding"
)]

mod desk;

use dermalia_link::{
    AccessMessage, Action, Allowance, Answer, Body, Browser, Claims, Code, CodeHash, Count,
    Counted, Decision, Device, Flags, Locale, MAX_BODY_BYTES, Message, Next, Origin, ReaderRequest,
    Reply, Request, RequestMessage, SESSION_COOKIE, Stored, Tally, UsageEvent,
};
use desk::{
    NOW, after, answer, assert_guarded, claims, decide, fetch, host, key, live, reply, report_id,
    stored, token,
};
use proptest::prelude::*;

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

fn post(path: &str) -> Request<'_> {
    Request {
        method: "POST",
        path,
        fetch_site: Some("same-origin"),
        ..Request::default()
    }
}

fn event<'a>(path: &'a str, body: &'a str) -> Request<'a> {
    Request {
        body: body.as_bytes(),
        content_type: Some("application/json"),
        ..post(path)
    }
}

fn count(next: Next) -> Count {
    match next {
        Next::Count(count) => count,
        Next::Reply(reply) => panic!("expected a count, got {reply:?}"),
    }
}

fn looked_at(decision: Decision, stored: Stored<'_>) -> Next {
    fetch(decision).after_origin(&Origin::Whole(stored), &host(), NOW)
}

fn granted(count: Count) -> Reply {
    reply(count.after(Some(Counted::Granted { left: 2 }), &host(), NOW))
}

fn text(answer: &Answer) -> &str {
    match &answer.body {
        Body::Text(text) => text,
        other => panic!("expected a page, got {other:?}"),
    }
}

fn confirming(expires_at_secs: u64) -> String {
    let claims = Claims {
        flags: Flags::CONFIRM_ERASURE,
        ..claims(expires_at_secs)
    };
    key().sign(&claims).reveal().to_owned()
}

#[test]
fn a_usage_event_becomes_one_message_without_the_link() {
    let token = live();
    for path in [
        format!("/r/{token}/events"),
        format!("/r/{token}?events"),
        format!("/r/{token}/?events"),
    ] {
        let request = event(&path, r#"{"action":"map_view","subject":"redness"}"#);
        let reply = reply(looked_at(decide(request), stored()));
        assert_eq!(reply.answer.status, 204);
        assert_eq!(reply.answer.body, Body::Empty);
        assert_guarded(&reply.answer);
        let message = reply.message.unwrap();
        let expected = UsageEvent {
            at_secs: NOW,
            report_id: report_id(),
            action: Action::MapView,
            subject: Some("redness".to_owned().try_into().unwrap()),
        };
        assert_eq!(message, Message::Access(AccessMessage::Usage(expected)));
        assert!(!message.to_json().contains(&token[..20]));
    }
}

#[test]
fn events_are_dropped_where_the_reader_does_not_want_them() {
    let path = format!("/r/{}/events", live());
    let request = event(&path, r#"{"action":"page_view"}"#);
    let private = Request {
        privacy_control: Some("1"),
        ..request
    };
    assert_eq!(answer(decide(private)).status, 204);
    let objected = Stored {
        usage: Some("off"),
        ..stored()
    };
    let reply = reply(looked_at(decide(request), objected));
    assert_eq!((reply.answer.status, reply.message), (204, None));
}

#[test]
fn events_that_are_none_are_refused() {
    let path = format!("/r/{}/events", live());
    for (status, content_type, body) in [
        (400, Some("application/json"), ""),
        (400, Some("application/json"), "[]"),
        (400, Some("application/json"), r#"{"action":"login"}"#),
        (
            400,
            Some("application/json"),
            r#"{"action":"print","subject":"Anna Muster"}"#,
        ),
        (
            400,
            Some("application/json"),
            r#"{"action":"print","name":"anna"}"#,
        ),
        (400, Some("text/plain;charset=UTF-8"), "print"),
        (415, Some("multipart/form-data"), r#"{"action":"print"}"#),
        (415, None, r#"{"action":"print"}"#),
    ] {
        let request = Request {
            content_type,
            ..event(&path, body)
        };
        let answer = answer(decide(request));
        assert_eq!(answer.status, status, "{body}");
        assert_guarded(&answer);
    }
    let long = "x".repeat(MAX_BODY_BYTES + 1);
    assert_eq!(answer(decide(event(&path, &long))).status, 413);
    let stated = Request {
        content_length: Some(MAX_BODY_BYTES as u64 + 1),
        ..event(&path, r#"{"action":"print"}"#)
    };
    assert_eq!(answer(decide(stated)).status, 413);
}

#[test]
fn requests_of_other_sites_are_refused() {
    let path = format!("/r/{}/erase", live());
    let own = Some("report.dermalia.de");
    for (fetch_site, origin, is_ours) in [
        (Some("same-origin"), None, true),
        (Some("same-origin"), Some("null"), true),
        (Some("same-site"), Some("https://report.dermalia.de"), false),
        (Some("cross-site"), Some("https://evil.example"), false),
        (Some("none"), None, false),
        (None, Some("https://report.dermalia.de"), true),
        (None, Some("https://evil.example"), false),
        (None, Some("https://report.dermalia.de.evil.example"), false),
        (None, Some("null"), false),
        (None, Some(""), false),
        // No browser: nobody is made to send it unawares.
        (None, None, true),
    ] {
        let request = Request {
            fetch_site,
            origin,
            host: own,
            ..post(&path)
        };
        match decide(request) {
            Decision::Fetch(_) => assert!(is_ours, "{fetch_site:?} {origin:?}"),
            Decision::Answer(answer) => {
                assert!(!is_ours, "{fetch_site:?} {origin:?}");
                assert_eq!(answer.status, 403);
                assert_guarded(&answer);
            }
        }
    }
}

#[test]
fn each_address_has_its_methods() {
    let token = live();
    for (name, allow) in [
        ("events", "POST"),
        ("unlock", "GET, HEAD, POST"),
        ("renew", "GET, HEAD, POST"),
        ("erase", "GET, HEAD, POST"),
        ("object", "GET, HEAD, POST"),
        ("scan.glb", "GET, HEAD"),
    ] {
        let path = format!("/r/{token}/{name}");
        for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "post"] {
            let request = Request {
                method,
                body: br#"{"action":"print"}"#,
                content_type: Some("application/json"),
                ..Request::default()
            };
            let is_allowed = allow.split(", ").any(|m| m == method);
            match decide(Request {
                path: &path,
                ..request
            }) {
                Decision::Answer(answer) if answer.status == 405 => {
                    assert!(!is_allowed, "{method} {name}");
                    assert_eq!(answer.header("allow"), Some(allow));
                }
                _ => assert!(is_allowed, "{method} {name}"),
            }
        }
    }
}

#[test]
fn nothing_but_the_record_of_an_access_follows_from_reading() {
    let agent = "Mozilla/5.0 (Windows NT 10.0; rv:142.0) Gecko/20100101 Firefox/142.0";
    let token = live();
    for (method, path, is_recorded) in [
        ("GET", format!("/r/{token}"), true),
        ("GET", format!("/r/{token}?report.en.html"), true),
        ("HEAD", format!("/r/{token}"), false),
        ("GET", format!("/r/{token}/scan.glb"), false),
        ("GET", format!("/r/{token}/erase"), false),
        ("HEAD", format!("/r/{token}/object"), false),
    ] {
        let request = Request {
            method,
            path: &path,
            user_agent: Some(agent),
            address: Some("203.0.113.77"),
            ..Request::default()
        };
        let reply = reply(looked_at(decide(request), stored()));
        assert_eq!(reply.answer.status, 200);
        assert_eq!(reply.message.is_some(), is_recorded, "{method} {path}");
        if let Some(Message::Access(AccessMessage::Access(record))) = &reply.message {
            assert_eq!(record.report_id, report_id());
            assert_eq!(record.network.unwrap().to_string(), "203.0.113.0/24");
            assert_eq!(
                (record.browser, record.device),
                (Browser::Firefox, Device::Desktop)
            );
            let json = reply.message.as_ref().unwrap().to_json();
            assert!(!json.contains("113.77") && !json.contains("Mozilla"));
            assert!(!json.contains(&token[..20]), "{json}");
        }
    }
    // What was not served was not accessed.
    let refused = Stored {
        epoch: Some("6"),
        ..stored()
    };
    let path = format!("/r/{token}");
    let request = Request {
        method: "GET",
        path: &path,
        ..Request::default()
    };
    assert_eq!(reply(looked_at(decide(request), refused)).message, None);
}

#[test]
fn an_expired_link_asks_for_a_new_one_once_it_is_counted() {
    let expired = token(NOW);
    let page = answer(desk::get(&format!("/r/{expired}?lang=en")));
    assert_eq!(page.status, 410);
    let action = format!(r#"<form method="post" action="/r/{expired}/renew?lang=en">"#);
    assert!(text(&page).contains(&action), "{}", text(&page));

    let path = format!("/r/{expired}/renew?lang=en");
    let asked = count(looked_at(decide(post(&path)), stored()));
    assert_eq!(asked.allowance.name, format!("renew/{}", report_id()));
    let reply = granted(asked.clone());
    assert_eq!(reply.answer.status, 202);
    assert_guarded(&reply.answer);
    let expected = RequestMessage::Renew(ReaderRequest {
        at_secs: NOW,
        report_id: report_id(),
        epoch: 5,
        language: Locale::En,
    });
    assert_eq!(reply.message, Some(Message::Request(expected)));
    let lost = reply.not_taken();
    assert_eq!((lost.answer.status, &lost.message), (503, &None));
    assert_eq!(lost.give_back.as_ref(), Some(&asked.allowance));

    let refused = Counted::Refused {
        retry_after_secs: Some(77),
    };
    let often = desk::reply(asked.clone().after(Some(refused), &host(), NOW));
    assert_eq!((often.answer.status, &often.message), (429, &None));
    assert_eq!(often.answer.header("retry-after"), Some("77"));
    let uncounted = desk::reply(asked.after(None, &host(), NOW));
    assert_eq!((uncounted.answer.status, &uncounted.message), (503, &None));
}

#[test]
fn a_live_link_is_not_renewed() {
    let token = live();
    let answer = answer(decide(post(&format!("/r/{token}/renew"))));
    assert_eq!(answer.status, 303);
    assert_eq!(
        answer.header("location"),
        Some(format!("/r/{token}").as_str())
    );
}

#[test]
fn a_revoked_or_erased_report_takes_no_wishes() {
    for name in ["renew", "erase", "object"] {
        let path = format!("/r/{}/{name}", token(NOW));
        let asked = fetch(decide(post(&path)));
        let newer = Stored {
            epoch: Some("6"),
            ..stored()
        };
        assert_eq!(after(&asked, &Origin::Whole(newer)).status, 410);
        assert_eq!(after(&asked, &Origin::Missing).status, 410);
        assert_eq!(after(&asked, &Origin::Failed).status, 503);
    }
}

#[test]
fn rights_outlive_the_link() {
    for token in [live(), token(NOW)] {
        for (name, kind) in [("erase", "erase"), ("object", "object")] {
            let path = format!("/r/{token}/{name}");
            let form = reply(looked_at(desk::get(&path), stored()));
            assert_eq!((form.answer.status, &form.message), (200, &None));
            let action = format!(r#"action="{path}?lang=de""#);
            assert!(text(&form.answer).contains(&action));
            let reply = granted(count(looked_at(decide(post(&path)), stored())));
            assert_eq!(reply.answer.status, 202);
            let json = reply.message.unwrap().to_json();
            assert!(json.contains(&format!(r#""kind":"{kind}""#)), "{json}");
        }
    }
}

#[test]
fn a_confirming_link_confirms_and_does_nothing_else() {
    let token = confirming(NOW + 60);
    let page = reply(looked_at(desk::get(&format!("/r/{token}")), stored()));
    assert_eq!(page.answer.status, 200);
    assert!(text(&page.answer).contains(&format!(r#"action="/r/{token}/confirm?lang=de""#)));
    assert_eq!(page.message, None);
    let path = format!("/r/{token}/confirm");
    let reply = granted(count(looked_at(decide(post(&path)), stored())));
    let json = reply.message.unwrap().to_json();
    assert!(json.contains(r#""kind":"erase_confirmed""#), "{json}");

    for name in [
        "scan.glb",
        "data.json",
        "report.en.html",
        "erase",
        "object",
        "renew",
        "unlock",
    ] {
        let path = format!("/r/{token}/{name}");
        assert_eq!(answer(desk::get(&path)).status, 404, "{name}");
    }
    let path = format!("/r/{}/confirm", live());
    assert_eq!(answer(decide(post(&path))).status, 404);
    let late = format!("/r/{}/confirm", confirming(NOW));
    assert_eq!(answer(decide(post(&late))).status, 410);
    assert_eq!(answer(desk::get(&late)).status, 410);
}

fn code_hash() -> String {
    let code = "042137".parse::<Code>().unwrap();
    CodeHash::new(&code, report_id(), [3; 16])
        .unwrap()
        .to_string()
}

fn typed(path: &str, body: &'static str) -> Decision {
    decide(Request {
        body: body.as_bytes(),
        content_type: FORM,
        ..post(path)
    })
}

#[test]
fn a_report_with_a_code_is_served_after_the_code_alone() {
    let (token, hash) = (live(), code_hash());
    let locked = Stored {
        code: Some(&hash),
        ..stored()
    };
    let link = format!("/r/{token}");
    for path in [
        link.clone(),
        format!("{link}/scan.glb"),
        format!("{link}?report.en.html"),
    ] {
        for method in ["GET", "HEAD"] {
            let decision = desk::ask(method, &path);
            let asked = reply(looked_at(decision, locked));
            assert_eq!(asked.answer.status, 403);
            assert_eq!(asked.message, None);
            assert_guarded(&asked.answer);
            assert_eq!(asked.answer.header("etag"), None);
        }
    }
    let path = format!("{link}/unlock");
    let tried = count(looked_at(typed(&path, "code=042+137"), locked));
    let reply_ = granted(tried.clone());
    assert_eq!(reply_.answer.status, 303);
    assert_eq!(reply_.answer.header("location"), Some(link.as_str()));
    assert_eq!(reply_.give_back, Some(tried.allowance));
    let set = reply_.answer.header("set-cookie").unwrap();
    // The session ends with the link.
    assert!(set.starts_with(&format!("{SESSION_COOKIE}=")));
    assert!(
        set.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=60"),
        "{set}"
    );
    let cookie = set.split(';').next().unwrap();

    let served = |cookie: &str, stored: Stored<'_>, now| {
        let request = Request {
            method: "GET",
            path: &link,
            cookie: Some(cookie),
            ..Request::default()
        };
        let fetch = fetch(decide(request));
        reply(fetch.after_origin(&Origin::Whole(stored), &host(), now))
            .answer
            .status
    };
    assert_eq!(served(cookie, locked, NOW), 200);
    assert_eq!(
        served(&format!("a=b; {cookie}; c=d"), locked, NOW + 59),
        200
    );
    assert_eq!(served(cookie, locked, NOW + 60), 403, "it expires");
    assert_eq!(served(&format!("{cookie}; {cookie}"), locked, NOW), 403);
    let other_code = CodeHash::new(&"042138".parse().unwrap(), report_id(), [3; 16]);
    let other_code = other_code.unwrap().to_string();
    let changed = Stored {
        code: Some(&other_code),
        ..stored()
    };
    assert_eq!(served(cookie, changed, NOW), 403, "a new code ends it");
    let (name, value) = cookie.split_once('=').unwrap();
    for place in 0..value.len() {
        let mut forged = value.as_bytes().to_vec();
        forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
        let forged = format!("{name}={}", String::from_utf8(forged).unwrap());
        assert_eq!(served(&forged, locked, NOW), 403, "place {place}");
    }
    for forged in ["", "__Host-dermalia=", "__Host-dermalia=AAAA", "x"] {
        assert_eq!(served(forged, locked, NOW), 403);
    }
    let broken = Stored {
        code: Some("yes"),
        ..stored()
    };
    assert_eq!(
        served(cookie, broken, NOW),
        503,
        "a damaged hash opens nothing"
    );
}

#[test]
fn a_session_opens_no_other_report() {
    let hash = code_hash();
    let locked = Stored {
        code: Some(&hash),
        ..stored()
    };
    let path = format!("/r/{}/unlock", live());
    let reply_ = granted(count(looked_at(typed(&path, "code=042137"), locked)));
    let cookie = reply_
        .answer
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    for other in [
        Claims {
            report_id: dermalia_link::ReportId::from_bytes([8; 16]),
            ..claims(NOW + 60)
        },
        Claims {
            epoch: 6,
            ..claims(NOW + 60)
        },
    ] {
        let path = format!("/r/{}", key().sign(&other).reveal());
        let request = Request {
            method: "GET",
            path: &path,
            cookie: Some(cookie),
            ..Request::default()
        };
        let epoch = other.epoch.to_string();
        let stored = Stored {
            epoch: Some(&epoch),
            ..locked
        };
        assert_eq!(reply(looked_at(decide(request), stored)).answer.status, 403);
    }
}

#[test]
fn wrong_codes_are_counted_and_five_close_the_link() {
    let (token, hash) = (live(), code_hash());
    let locked = Stored {
        code: Some(&hash),
        ..stored()
    };
    let path = format!("/r/{token}/unlock");
    let mut tally = Tally::default();
    for (typed_code, status, says) in [
        ("code=042138", 403, "noch 4 Versuche"),
        ("code=000000", 403, "noch 3 Versuche"),
        ("code=042137", 303, ""),
        ("code=042+138", 403, "noch 2 Versuche"),
        ("code=999999", 403, "Ein Versuch"),
        ("code=123456", 403, "Dieser Link ist gesperrt"),
        ("code=042137", 403, "Dieser Link ist gesperrt"),
    ] {
        let tried = count(looked_at(typed(&path, typed_code), locked));
        let counted = tally.take(&tried.allowance, NOW);
        let reply = reply(tried.after(Some(counted), &host(), NOW));
        if reply.give_back.is_some() {
            tally.give_back();
        }
        assert_eq!(reply.answer.status, status, "{typed_code}");
        if !says.is_empty() {
            assert!(text(&reply.answer).contains(says), "{typed_code}");
        }
        assert_eq!(reply.answer.header("set-cookie").is_some(), status == 303);
    }
    // What is no code is no try.
    for (body, status) in [("code=", 403), ("code=12345", 403), ("code=abcdef", 403)] {
        assert_eq!(
            reply(looked_at(typed(&path, body), locked)).answer.status,
            status
        );
    }
    for body in ["", "kode=123456", "code=123456&code=123457"] {
        assert_eq!(answer(typed(&path, body)).status, 400, "{body}");
    }
    let request = Request {
        body: b"{}",
        content_type: Some("application/json"),
        ..post(&path)
    };
    assert_eq!(answer(decide(request)).status, 415);
    let uncounted = count(looked_at(typed(&path, "code=042137"), locked));
    assert_eq!(
        reply(uncounted.after(None, &host(), NOW)).answer.status,
        503
    );
    // A report without a code needs none.
    let open = reply(looked_at(typed(&path, "code=042137"), stored()));
    assert_eq!(open.answer.status, 303);
}

#[test]
fn codes_read_and_hash_as_documented() {
    for (text, is_code) in [
        ("042137", true),
        (" 042 137 ", true),
        ("04213", false),
        ("0421377", false),
        ("04213a", false),
        ("٠٤٢١٣٧", false),
        ("", false),
    ] {
        assert_eq!(text.parse::<Code>().is_ok(), is_code, "{text}");
    }
    assert_eq!(Code::from_random([0; 8]).reveal(), "000000");
    assert_eq!(
        Code::from_random(999_999_u64.to_le_bytes()).reveal(),
        "999999"
    );
    assert_eq!(
        Code::from_random(1_042_137_u64.to_le_bytes()).reveal(),
        "042137"
    );
    let code = "042137".parse::<Code>().unwrap();
    let hash = code_hash().parse::<CodeHash>().unwrap();
    assert_eq!(hash.fits(&code, report_id()), Ok(true));
    let other = dermalia_link::ReportId::from_bytes([8; 16]);
    assert_eq!(
        hash.fits(&code, other),
        Ok(false),
        "it is bound to the report"
    );
    assert_eq!(
        hash.fits(&"042138".parse().unwrap(), report_id()),
        Ok(false)
    );
    // The hash as argon2-cffi, another implementation, computes it of the digits and the id.
    assert_eq!(
        hash.to_string(),
        "AwMDAwMDAwMDAwMDAwMDAw.NiBDZjpEEfuFrYw91EpIiQRarZgxXRrzHAep9hImY_M"
    );
    assert_eq!(
        format!("{code:?} {hash:?}"),
        "Code(redacted) CodeHash(redacted)"
    );
    for bad in ["", ".", "AAAA.AAAA", &hash.to_string().replace('.', "")] {
        assert!(bad.parse::<CodeHash>().is_err(), "{bad}");
    }
}

#[test]
fn allowances_come_back_with_time() {
    let allowance = Allowance {
        name: "renew/x".to_owned(),
        limit: 2,
        window_secs: Some(100),
        forget_at_secs: 0,
    };
    let mut tally = Tally::default();
    assert_eq!(tally.take(&allowance, 1_000), Counted::Granted { left: 1 });
    assert_eq!(tally.take(&allowance, 1_040), Counted::Granted { left: 0 });
    let refused = |secs| Counted::Refused {
        retry_after_secs: Some(secs),
    };
    assert_eq!(tally.take(&allowance, 1_041), refused(59));
    assert_eq!(tally.take(&allowance, 1_099), refused(1));
    assert_eq!(tally.take(&allowance, 1_100), Counted::Granted { left: 0 });
    assert_eq!(tally.take(&allowance, 1_101), refused(39));
    tally.give_back();
    assert_eq!(tally.take(&allowance, 1_101), Counted::Granted { left: 0 });
}

proptest! {
    #[test]
    fn any_post_is_answered_and_never_grants_by_itself(
        name in "events|unlock|renew|erase|object|confirm|[a-z.]{0,12}",
        body in "(code=|action|[0-9{}\":,&=]|\\PC){0,24}",
        content_type in proptest::option::of("application/json|text/plain|application/x-www-form-urlencoded|\\PC{0,10}"),
        cookie in proptest::option::of("(__Host-dermalia=|[A-Za-z0-9_-]{0,60}|;| |\\PC){0,6}"),
        is_live in any::<bool>(),
    ) {
        let path = format!("/r/{}/{name}", if is_live { live() } else { token(NOW) });
        let request = Request {
            body: body.as_bytes(),
            content_type: content_type.as_deref(),
            cookie: cookie.as_deref(),
            ..post(&path)
        };
        if let Decision::Fetch(fetch) = decide(request) {
            let hash = "AwMDAwMDAwMDAwMDAwMDAw.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
            let stored = Stored { code: Some(hash), ..stored() };
            if let Next::Reply(reply) = fetch.after_origin(&Origin::Whole(stored), &host(), NOW) {
                prop_assert!(reply.answer.status == 403 && reply.message.is_none());
            }
        }
    }
}
