//! Requests and their answers: routes, refusals, headers, revocation.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test, a panic is the finding"
)]

mod desk;

use dermalia_link::{
    ASSET_PREFIX, Body, ByteRange, Decision, InlineHashes, Locale, Origin, Problem, RangeRequest,
    Request, Stored, problem_page, route,
};
use desk::{
    NOW, REPORT, after, answer, ask, assert_guarded, fetch, get, host, live, stored, token,
};
use proptest::prelude::*;

#[test]
fn the_link_and_its_files_name_the_right_objects() {
    let token = live();
    for (target, object) in [
        (format!("/r/{token}"), "report.html"),
        (format!("/r/{token}/"), "report.html"),
        (format!("/r/{token}?"), "report.html"),
        (format!("/r/{token}/report.html"), "report.html"),
        (format!("/r/{token}?report.en.html"), "report.en.html"),
        (format!("/r/{token}/report.en.html"), "report.en.html"),
        (format!("/r/{token}{ASSET_PREFIX}scan.glb"), "scan.glb"),
        (format!("/r/{token}/{ASSET_PREFIX}data.json"), "data.json"),
        (format!("/r/{token}/scan.glb"), "scan.glb"),
        (format!("/r/{token}/previous.glb"), "previous.glb"),
        (
            format!("/r/{token}/heat_previous_pores.webp"),
            "heat_previous_pores.webp",
        ),
        (format!("/r/{token}/heat_redness.webp"), "heat_redness.webp"),
        (
            format!("/r/{token}/still_left-45_pores.webp"),
            "still_left-45_pores.webp",
        ),
        (format!("/r/{token}/data.json"), "data.json"),
        (format!("/r/{token}/findings.json"), "findings.json"),
        (format!("/r/{token}/report.pdf"), "report.pdf"),
        (format!("/r/{token}/fhir.json"), "fhir.json"),
        (format!("/r/{token}?utm_source=mail"), "report.html"),
        (format!("/r/{token}/scan.glb?utm_source=mail"), "scan.glb"),
    ] {
        for method in ["GET", "HEAD"] {
            assert_eq!(
                fetch(ask(method, &target)).key,
                format!("reports/{REPORT}/{object}")
            );
        }
    }
}

#[test]
fn what_is_not_ours_is_not_found() {
    let token = live();
    let cut = &token[1..];
    for target in [
        "/".to_owned(),
        "".to_owned(),
        "/r".to_owned(),
        "/r/".to_owned(),
        "/R/x".to_owned(),
        "/r/x".to_owned(),
        format!("/r/{cut}"),
        format!("/r/{token}="),
        format!("//r/{token}"),
        format!("/r//{token}"),
        format!("/r/{token}//"),
        format!("/r/{token}/scan.glb/"),
        format!("/r/{token}/../{token}"),
        format!("/r/{token}/.."),
        format!("/r/{token}/..%2fother%2freport.html"),
        format!("/r/{token}/%73can.glb"),
        format!("/r/{token}/scan.glb%00"),
        format!("/r/{token}/..\\report.html"),
        format!("/r/{token}/manifest.json"),
        format!("/r/{token}/report..html"),
        format!("/r/{token}/report.EN.html"),
        format!("/r/{token}/report.en.x.html"),
        format!("/r/{token}/heat_.webp"),
        format!("/r/{token}/heat_REDNESS.webp"),
        format!("/r/{token}/heat_a/../b.webp"),
        format!("/r/{token}/heat_a.webp.html"),
        format!("/r/{token}/heat_{}.webp", "a".repeat(64)),
        format!("/r/{token}/reports"),
        format!("/r/{token}?other.json"),
        format!("/r/{token}?../report.html"),
        "/healthz/".to_owned(),
        "/privacy.html".to_owned(),
        "/robots.txt".to_owned(),
    ] {
        let answer = answer(get(&target));
        assert_eq!(answer.status, 404, "{target}");
        assert_guarded(&answer);
    }
}

#[test]
fn every_flipped_bit_of_a_token_is_not_found() {
    let token = live();
    for place in 0..token.len() {
        for bit in 0..7 {
            let mut text = token.clone().into_bytes();
            text[place] ^= 1 << bit;
            let target = format!("/r/{}", String::from_utf8(text).unwrap());
            assert_eq!(
                answer(get(&target)).status,
                404,
                "bit {bit} of character {place}"
            );
        }
    }
}

#[test]
fn an_expired_link_is_gone_and_says_so_in_both_languages() {
    let target = format!("/r/{}", token(NOW));
    let path = target.as_str();
    for (accept_language, text) in [
        (None, "Dieser Link ist abgelaufen"),
        (Some("en-GB,en;q=0.9,de;q=0.8"), "This link has expired"),
        (Some("de-AT"), "Dieser Link ist abgelaufen"),
    ] {
        let request = Request {
            method: "GET",
            path,
            accept_language,
            ..Request::default()
        };
        let answer = answer(route(&request, &host(), NOW));
        assert_eq!(answer.status, 410);
        assert_guarded(&answer);
        let Body::Text(html) = &answer.body else {
            panic!("no page")
        };
        assert!(html.contains(text), "{html}");
        assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    }
    // One second earlier it opened.
    let request = Request {
        method: "GET",
        path,
        ..Request::default()
    };
    fetch(route(&request, &host(), NOW - 1));
}

#[test]
fn other_methods_are_refused_with_what_is_allowed() {
    let token = live();
    for method in [
        "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "",
    ] {
        for target in [
            format!("/r/{token}"),
            "/healthz".to_owned(),
            "/privacy".to_owned(),
        ] {
            let answer = answer(ask(method, &target));
            assert_eq!(answer.status, 405, "{method} {target}");
            assert_eq!(answer.header("allow"), Some("GET, HEAD"));
            assert_guarded(&answer);
        }
        assert_eq!(answer(ask(method, "/elsewhere")).status, 404);
    }
}

#[test]
fn oversize_is_refused() {
    let path = format!("/r/{}", live());
    let sized = |content_length| {
        let request = Request {
            method: "GET",
            path: &path,
            content_length,
            ..Request::default()
        };
        route(&request, &host(), NOW)
    };
    assert_eq!(answer(sized(Some(16 * 1024 + 1))).status, 413);
    fetch(sized(Some(16 * 1024)));
    assert_eq!(answer(get(&format!("/r/{}", "a".repeat(2046)))).status, 414);
    assert_eq!(
        answer(get(&format!("/r/a?{}", "a".repeat(2045)))).status,
        414
    );
    assert_eq!(answer(get(&format!("/r/{}", "a".repeat(2045)))).status, 404);
}

#[test]
fn own_pages_answer_in_the_language_asked_for() {
    for (target, status, text) in [
        ("/healthz", 200, "ok\n"),
        ("/privacy", 200, "Mosaic Medical UG"),
        ("/privacy?lang=en", 200, "lodge a complaint"),
        ("/privacy?lang=de", 200, "Aufsichtsbehörde"),
        ("/security", 200, "elektronisch unterschrieben"),
        ("/security?lang=en", 200, "electronically signed"),
    ] {
        let full = answer(get(target));
        assert_eq!(full.status, status);
        assert_guarded(&full);
        let Body::Text(body) = &full.body else {
            panic!("no body")
        };
        assert!(body.contains(text), "{target}");
        assert_eq!(
            full.header("content-length"),
            Some(body.len().to_string().as_str())
        );
        let head = answer(ask("HEAD", target));
        assert_eq!(head.headers, full.headers);
        assert_eq!(head.body, Body::Empty);
    }
}

#[test]
fn a_page_is_served_under_the_hashes_of_its_own_styles() {
    let html = "<html><HEAD><style media=\"all\">a{b:c}</style><script src=\"x\"></script>\
                <styles>no</styles></HEAD><body><style>evil</style><script>evil</script></body>";
    let hashes = InlineHashes::of_page(html);
    // printf 'a{b:c}' | openssl dgst -sha256 -binary | base64
    let hash = "0cRUVYRKwNwnl1hkfkPGjkht16b039TjFdJzmXfFK2o=";
    assert_eq!(hashes.style_metadata().as_deref(), Some(hash));
    let fetch = fetch(get(&format!("/r/{}?report.en.html", live())));
    let stored = Stored {
        style_sha256: Some(hash),
        ..stored()
    };
    let answer = after(&fetch, &Origin::Whole(stored));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, Body::Origin);
    assert_eq!(
        answer.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(answer.header("content-length"), Some("1000"));
    assert_eq!(answer.header("cache-control"), Some("private, no-store"));
    assert_eq!(answer.header("etag"), Some("\"abc\""));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(
        policy.contains(&format!("style-src 'sha256-{hash}'; script-src 'none'")),
        "{policy}"
    );
    assert_guarded(&answer);
}

#[test]
fn metadata_cannot_widen_the_policy() {
    let fetch = fetch(get(&format!("/r/{}", live())));
    for evil in [
        "'unsafe-inline'",
        "x'; script-src *",
        "AAAA",
        "https://example.org",
        "",
    ] {
        let stored = Stored {
            style_sha256: Some(evil),
            script_sha256: Some(evil),
            ..stored()
        };
        let answer = after(&fetch, &Origin::Whole(stored));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(
            policy.contains("style-src 'none'; script-src 'none';"),
            "{policy}"
        );
    }
}

#[test]
fn our_own_pages_carry_the_hash_of_their_style() {
    let answer = problem_page(Problem::NotFound, Locale::De, false);
    let Body::Text(html) = &answer.body else {
        panic!("no page")
    };
    let hash = InlineHashes::of_page(html).style_metadata().unwrap();
    assert!(
        answer
            .header("content-security-policy")
            .unwrap()
            .contains(&hash)
    );
    assert!(
        !html.contains("style=\""),
        "a style attribute would be blocked"
    );
}

#[test]
fn another_epoch_is_revoked_at_once() {
    let fetch = fetch(get(&format!("/r/{}/scan.glb", live())));
    for epoch in ["6", "4", "0"] {
        let stored = Stored {
            epoch: Some(epoch),
            ..stored()
        };
        for origin in [
            Origin::Whole(stored),
            Origin::Part(stored, ByteRange { first: 0, last: 1 }),
            Origin::Unsatisfiable(stored),
        ] {
            let answer = after(&fetch, &origin);
            assert_eq!(answer.status, 410);
            assert!(answer.header("etag").is_none() && answer.header("content-range").is_none());
        }
    }
    assert_eq!(after(&fetch, &Origin::Whole(stored())).status, 200);
}

#[test]
fn an_object_without_a_readable_epoch_is_not_served() {
    let fetch = fetch(get(&format!("/r/{}", live())));
    for epoch in [
        None,
        Some(""),
        Some("05"),
        Some("+5"),
        Some("5 "),
        Some("4294967301"),
    ] {
        let answer = after(&fetch, &Origin::Whole(Stored { epoch, ..stored() }));
        assert_eq!(answer.status, 503, "{epoch:?}");
        assert_eq!(answer.header("retry-after"), Some("30"));
    }
}

#[test]
fn what_the_origin_lacks_is_gone_or_not_found() {
    let page = fetch(get(&format!("/r/{}", live())));
    let file = fetch(get(&format!("/r/{}/report.en.html", live())));
    assert_eq!(after(&page, &Origin::Missing).status, 410);
    assert_eq!(after(&file, &Origin::Missing).status, 404);
    for fetch in [page, file] {
        let answer = after(&fetch, &Origin::Failed);
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("retry-after"), Some("30"));
        assert_guarded(&answer);
    }
}

#[test]
fn ranges_pass_through() {
    let path = format!("/r/{}/scan.glb", live());
    let request = Request {
        method: "GET",
        path: &path,
        ..Request::default()
    };
    let asked = |request: &Request<'_>| fetch(route(request, &host(), NOW));
    let ranged = asked(&Request {
        range: Some("bytes=10-19"),
        ..request
    });
    assert_eq!(
        ranged.range,
        Some(RangeRequest::From {
            first: 10,
            last: Some(19)
        })
    );
    let part = ranged.range.unwrap().resolve(1000).unwrap();
    let answer = after(&ranged, &Origin::Part(stored(), part));
    assert_eq!(answer.status, 206);
    assert_eq!(answer.header("content-range"), Some("bytes 10-19/1000"));
    assert_eq!(answer.header("content-length"), Some("10"));
    assert_eq!(
        answer.header("content-disposition"),
        Some("attachment; filename=\"scan.glb\"")
    );
    let outside = after(&ranged, &Origin::Unsatisfiable(stored()));
    assert_eq!(outside.status, 416);
    assert_eq!(outside.header("content-range"), Some("bytes */1000"));
    for whole in [
        Request {
            range: Some("bytes=0-1,4-5"),
            ..request
        },
        Request {
            range: Some("lines=0-1"),
            ..request
        },
        Request {
            range: Some("bytes=5-1"),
            ..request
        },
        Request {
            range: Some("bytes=0-1"),
            if_range: Some("\"old\""),
            ..request
        },
        Request {
            range: Some("bytes=0-1"),
            method: "HEAD",
            ..request
        },
    ] {
        assert_eq!(asked(&whole).range, None);
    }
}

#[test]
fn range_headers_read_and_resolve_as_the_standard_says() {
    for (header, total, expected) in [
        ("bytes=0-0", 10, Some((0, 0))),
        ("bytes=0-99", 10, Some((0, 9))),
        ("bytes=9-", 10, Some((9, 9))),
        ("bytes=10-", 10, None),
        ("bytes=-3", 10, Some((7, 9))),
        ("bytes=-30", 10, Some((0, 9))),
        ("bytes=-0", 10, None),
        ("bytes=0-0", 0, None),
    ] {
        let range = RangeRequest::from_header(header).unwrap();
        let expected = expected.map(|(first, last)| ByteRange { first, last });
        assert_eq!(range.resolve(total), expected, "{header}");
        assert_eq!(range.to_header(), header);
    }
    for header in [
        "",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=+1-2",
        "bytes=1-99999999999999999999",
    ] {
        assert_eq!(RangeRequest::from_header(header), None, "{header}");
    }
    assert_eq!(
        ByteRange::from_content_range("bytes 1-2/30"),
        Some((ByteRange { first: 1, last: 2 }, 30))
    );
    for header in [
        "bytes */30",
        "bytes 2-1/30",
        "bytes 1-30/30",
        "bytes 1-2/*",
        "1-2/30",
    ] {
        assert_eq!(ByteRange::from_content_range(header), None, "{header}");
    }
}

#[test]
fn what_is_past_its_time_is_not_served_even_if_the_link_lives() {
    let (late, token) = (NOW.to_string(), live());
    for path in [format!("/r/{token}"), format!("/r/{token}?data.json")] {
        let asked = fetch(get(&path));
        let status = |until| {
            let stored = Stored { until, ..stored() };
            after(&asked, &Origin::Whole(stored)).status
        };
        let next_second = (NOW + 1).to_string();
        assert_eq!(status(Some(next_second.as_str())), 200);
        assert_eq!(status(None), 200);
        assert_eq!(status(Some(late.as_str())), 410);
        assert_eq!(status(Some("soon")), 503);
    }
}

#[test]
fn a_report_that_is_drawn_anew_says_so_and_nothing_before_it() {
    let target = format!("/r/{}", live());
    let renewal = Stored {
        renewal: Some("1"),
        ..stored()
    };
    for (method, target) in [
        ("GET", target.clone()),
        ("HEAD", target.clone()),
        ("GET", format!("{target}?report.en.html")),
    ] {
        let answer = after(&fetch(ask(method, &target)), &Origin::Whole(renewal));
        assert_eq!(answer.status, 503, "{method} {target}");
        assert_eq!(answer.header("retry-after"), Some("10"));
        assert_eq!(answer.header("refresh"), Some("10"));
        assert_guarded(&answer);
        assert_ne!(answer.body, Body::Origin);
    }
    // Not even that a range of it lies outside.
    let request = Request {
        method: "GET",
        path: &target,
        range: Some("bytes=9-"),
        ..Request::default()
    };
    let asked = fetch(route(&request, &host(), NOW));
    assert_eq!(after(&asked, &Origin::Unsatisfiable(renewal)).status, 503);
    let late = NOW.to_string();
    for (other, status) in [
        (
            Stored {
                epoch: Some("6"),
                ..renewal
            },
            410,
        ),
        (
            Stored {
                until: Some(&late),
                ..renewal
            },
            410,
        ),
        (
            Stored {
                epoch: None,
                ..renewal
            },
            503,
        ),
    ] {
        let answer = after(&fetch(get(&target)), &Origin::Whole(other));
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("refresh"), None);
    }
}

#[test]
fn a_known_tag_is_not_sent_again_unless_the_link_is_revoked() {
    let path = format!("/r/{}", live());
    for (tags, status) in [
        ("\"abc\"", 304),
        ("W/\"abc\"", 304),
        ("\"x\", \"abc\"", 304),
        ("*", 304),
        ("\"abcd\"", 200),
        ("abc", 200),
    ] {
        let request = Request {
            method: "GET",
            path: &path,
            if_none_match: Some(tags),
            ..Request::default()
        };
        let fetch = fetch(route(&request, &host(), NOW));
        let answer = after(&fetch, &Origin::Whole(stored()));
        assert_eq!(answer.status, status, "{tags}");
        assert_guarded(&answer);
        let revoked = Stored {
            epoch: Some("6"),
            ..stored()
        };
        assert_eq!(after(&fetch, &Origin::Whole(revoked)).status, 410);
    }
}

#[test]
fn text_may_be_compressed_on_its_way() {
    for (file, media_type) in [
        ("", "text/html; charset=utf-8"),
        ("/data.json", "application/json"),
    ] {
        let request = get(&format!("/r/{}{file}", live()));
        let answer = after(&fetch(request), &Origin::Whole(stored()));
        // What the network around the Worker goes by.
        assert_eq!(answer.header("content-type"), Some(media_type));
        assert_eq!(answer.header("content-encoding"), None);
        let caching = answer.header("cache-control").unwrap();
        assert!(!caching.contains("no-transform"), "{caching}");
    }
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let target = format!("/r/{}", live());
    let full = after(&fetch(get(&target)), &Origin::Whole(stored()));
    let head = after(&fetch(ask("HEAD", &target)), &Origin::Whole(stored()));
    assert_eq!((head.status, &head.headers), (full.status, &full.headers));
    assert_eq!(head.body, Body::Empty);
}

proptest! {
    #[test]
    fn any_request_is_answered(
        method in "GET|HEAD|POST|\\PC{0,8}",
        path in "/?(r/|healthz|\\PC{0,40}){0,3}[A-Za-z0-9_.%/-]{0,200}",
        query in proptest::option::of("\\PC{0,40}"),
        accept in proptest::option::of("\\PC{0,40}|(de|en|\\*|;q=|,|[0-9.]){0,9}"),
        range in proptest::option::of("(bytes=|-|[0-9]|,|\\PC){0,9}"),
    ) {
        let request = Request {
            method: &method,
            path: &path,
            query: query.as_deref(),
            accept_language: accept.as_deref(),
            range: range.as_deref(),
            ..Request::default()
        };
        let answer = answer(route(&request, &host(), NOW));
        prop_assert!([200, 404, 405].contains(&answer.status));
    }

    #[test]
    fn no_file_name_leaves_the_report(name in "[a-z_./%\\\\?-]{0,30}|(heat_|still_)[a-z./_-]{0,20}\\.webp") {
        if let Decision::Fetch(fetch) = get(&format!("/r/{}/{name}", live())) {
            let rest = fetch.key.strip_prefix(&format!("reports/{REPORT}/")).unwrap();
            prop_assert!(!rest.contains(['/', '\\', '%']) && !rest.starts_with('.'));
        }
    }

    #[test]
    fn hashing_any_page_ends(html in "(<head>|</head>|<style|</style>|<script>|</|>|\\PC){0,30}") {
        let hashes = InlineHashes::of_page(&html);
        let (style, script) = (hashes.style_metadata(), hashes.script_metadata());
        prop_assert_eq!(InlineHashes::from_metadata(style.as_deref(), script.as_deref()), hashes);
    }
}
