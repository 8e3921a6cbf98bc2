//! What a patient reads, in a language that the product does not have: `qaa`, made by
//! `xtask/src/language.rs` as one file and nothing else. It is English in Hebrew letters,
//! written from right to left, so that each word in Latin letters is one that comes from
//! elsewhere than the language's file.

use dermalia_link::{
    Answer, Asset, Body, Claims, Decision, Flags, Host, KeyId, KeySet, Methods, Next, Origin,
    Problem, Request, SessionKey, SigningKey, Stored, problem_page, route,
};
use dermalia_locale::Locale;
use dermalia_record::{LinkGrant, Personal, ReportId, ScanKey, ScanRecord, Settings};
use dermalia_report::{
    Assets, FhirInput, PracticeView, ReportInput, Sheet, data_copy, fhir_bundle, render_html,
};
use dermalia_report_function::{link_url, mail_text};
use dermalia_rights::{PackedFile, confirm_mail, index};
use serde_json::Value;

#[path = "../../../shared/report/tests/fixture/mod.rs"]
mod fixture;

const NOW: u64 = 1_780_000_000;
const TAG: &str = "qaa";

fn third() -> Locale {
    Locale::from_tag("qaa-150").expect("the language's file was not found")
}

/// The words in Latin letters that are read or read out, without those of two letters and
/// fewer (units and names of measures) and those known.
fn foreign<'a>(html: &'a str, known: &[&str]) -> Vec<&'a str> {
    let mut texts = vec![];
    for (i, piece) in html.split('<').enumerate() {
        let (tag, text) = if i == 0 {
            ("", piece)
        } else {
            piece.split_once('>').unwrap_or((piece, ""))
        };
        if !tag.starts_with("style") && !tag.starts_with("script") {
            texts.push(text);
        }
        for name in [" alt=\"", " aria-label=\"", " title=\"", " placeholder=\""] {
            if let Some((_, rest)) = tag.split_once(name) {
                texts.push(rest.split('"').next().unwrap_or_default());
            }
        }
    }
    let words = texts
        .into_iter()
        .flat_map(|t| t.split(|c: char| !(c.is_ascii_alphanumeric() || "-_./@:".contains(c))));
    words
        .map(|w| w.trim_matches(|c: char| !c.is_ascii_alphanumeric()))
        .filter(|w| w.chars().filter(char::is_ascii_alphabetic).count() > 2)
        .filter(|w| !["nbsp", "quot", "amp"].contains(w) && !known.contains(w))
        .collect()
}

fn is_right_to_left(html: &str) -> bool {
    html.contains(&format!("<html lang=\"{TAG}\" dir=\"rtl\">"))
}

#[test]
fn it_is_one_of_the_languages() {
    assert_eq!(Locale::ALL.len(), 3);
    assert_eq!(Locale::ALL[2], third());
    assert_eq!(Locale::from_tag(TAG), Some(third()));
    assert_eq!(Locale::for_patient("QAA_x"), third());
    assert_eq!(Locale::preferred(Some("de;q=0.8, qaa, en;q=0.9")), third());
    assert_eq!(Locale::preferred(Some("de, qaa;q=0.9")), Locale::De);
}

#[test]
fn the_report_and_what_is_made_of_it() {
    let findings = fixture::findings();
    let translations: Vec<_> = third()
        .and_others()
        .into_iter()
        .map(|l| (l, format!("?report.{}.html", l.tag())))
        .collect();
    let practice = PracticeView {
        name: Some("Praxis"),
        contact: None,
        logo: None,
    };
    let input = |locale| ReportInput {
        findings: &findings,
        practice,
        patient_first_name: Some("Anna"),
        locale,
        expires: Some("2028-05-14"),
        pictures: &[],
        assets: Assets {
            data_href: Some("data.json"),
            model_href: Some("scan.glb"),
            translations: &translations,
            ..Assets::default()
        },
        previous: Some(&findings),
    };
    let page = render_html(&input(third()));
    assert!(is_right_to_left(&page));
    assert!(page.contains(third().messages().report_title));
    // Names, the other languages' own names, and what the findings say of themselves.
    let known = [
        "Praxis",
        "Anna",
        "Deutsch",
        "English",
        "kontakt@dermalia.de",
        "dermalia",
        // The unit that the device names.
        "Corneometer",
        findings.scan_id.as_str(),
    ];
    assert_eq!(foreign(&page, &known), Vec::<&str>::new());
    // The pages of the other languages lead here, and the link serves the file.
    let german = render_html(&input(Locale::De));
    assert!(german.contains(&format!("lang=\"{TAG}\" hreflang=\"{TAG}\"")));
    assert!(Asset::from_name(&format!("report.{TAG}.html")).is_some());

    // What is printed.
    let sheet = serde_json::to_value(Sheet::of(&input(third()))).unwrap();
    assert_eq!(sheet["language"], TAG);
    assert_eq!(sheet["dir"], "rtl");
    let mut printed = String::new();
    read(&sheet, &mut printed);
    let known = [&known[..], &[TAG, "rtl"]].concat();
    assert_eq!(foreign(&printed, &known), Vec::<&str>::new());

    // The copies for other programs.
    let copy: Value = serde_json::from_slice(&data_copy(&findings).unwrap()).unwrap();
    assert_eq!(copy["about"][TAG], third().messages().data_copy_about);
    let bundle = fhir_bundle(&FhirInput {
        findings: &findings,
        practice,
        locale: third(),
        pictures: &[],
        page: Some("report.html"),
        previous: None,
    });
    let bundle = String::from_utf8(bundle.unwrap()).unwrap();
    assert!(bundle.contains(&format!("\"language\":\"{TAG}\"")));
    assert!(bundle.contains(third().messages().notice));
}

/// Every text of a value but the names of files.
fn read(value: &Value, texts: &mut String) {
    match value {
        Value::String(text) => {
            texts.push_str(text);
            texts.push('\n');
        }
        Value::Array(values) => values.iter().for_each(|v| read(v, texts)),
        Value::Object(fields) => {
            let told = fields.iter().filter(|(name, _)| *name != "file");
            told.for_each(|(_, v)| read(v, texts));
        }
        _ => {}
    }
}

#[test]
fn the_mails() {
    let key = SigningKey::from_seed(KeyId::new(1), &[5; 32]);
    let to = Personal::new("anna@example.org".to_owned());
    let name = Personal::new("Anna".to_owned());
    for reply_to in [None, Some("praxis@example.org".to_owned())] {
        let settings = Settings {
            reply_to,
            practice_name: Some("Praxis".to_owned()),
            ..Settings::default()
        };
        let mail = mail_text(&record(), &settings, &key, &to, Some(&name)).unwrap();
        assert!(is_right_to_left(&mail.email.html));
        assert!(mail.email.html.contains("text-align:right"));
        let url = link_url(&record(), &settings, &key).unwrap();
        let text = mail.email.text.replace(&url, "");
        let html = mail.email.html.replace(&url, "");
        for read in [&mail.email.subject, &text, &html] {
            assert_eq!(foreign(read, &["Praxis", "Anna"]), Vec::<&str>::new());
        }
    }
    let url = "https://report.dermalia.de/r/x";
    let mail = confirm_mail(&Settings::default(), third(), to, url, 0);
    assert!(is_right_to_left(&mail.html));
    for read in [&mail.subject, &mail.text.replace(url, ""), &mail.html] {
        assert_eq!(foreign(read, &[]), Vec::<&str>::new());
    }
}

#[test]
fn a_copy_of_what_is_stored() {
    let texts = &third().messages().copies;
    let file = PackedFile {
        name: "record.json".to_owned(),
        bytes: vec![],
        what: texts.record,
    };
    let page = index(third(), texts.access_title, &record(), &[file]);
    assert!(is_right_to_left(&page));
    let known = ["record.json", "praxis-nord", "scan-0001"];
    assert_eq!(foreign(&page, &known), Vec::<&str>::new());
}

#[test]
fn the_pages_around_a_link_as_the_browser_asks_for_them() {
    let expired = token(NOW, Flags::NONE);
    let live = token(NOW + 60, Flags::NONE);
    let confirming = token(NOW + 60, Flags::CONFIRM_ERASURE);
    let page = ask(&format!("/r/{expired}"));
    assert_eq!(page.status, 410);
    assert!(seen(&page).contains(third().pages().expired.heading));
    assert!(seen(&page).contains(third().pages().renew.button));
    assert!(seen(&page).contains(&format!("/r/{expired}/renew?lang={TAG}\"")));
    for path in [
        format!("/r/{live}/erase"),
        format!("/r/{live}/object"),
        format!("/r/{confirming}/confirm"),
        format!("/r/{expired}/renew"),
        format!("/r/{live}/nothing"),
        "/r/x".to_owned(),
    ] {
        seen(&ask(&path));
    }
    // By its address too, whatever the browser prefers.
    let path = "/r/x";
    let query = format!("lang={TAG}");
    let request = Request {
        method: "GET",
        path,
        query: Some(&query),
        accept_language: Some("de"),
        ..Request::default()
    };
    seen(&answered(route(&request, &host(), NOW)));
    for problem in [
        Problem::Unreadable,
        Problem::ForeignPage,
        Problem::LockedOut,
        Problem::MethodNotAllowed(Methods::Read),
        Problem::ConfirmedTooLate,
        Problem::Revoked,
        Problem::Removed,
        Problem::BodyTooLarge,
        Problem::TargetTooLong,
        Problem::RangeOutside,
        Problem::TooManyRequests(60),
        Problem::AskedBefore(60),
        Problem::OriginFailed(60),
        Problem::BeingRenewed(5),
    ] {
        seen(&problem_page(problem, third(), false));
    }
}

#[test]
fn a_legal_text_that_is_not_there_is_that_of_the_language_named() {
    for (path, title, words) in [
        (
            "/privacy",
            third().pages().privacy_title,
            "lodge a complaint",
        ),
        (
            "/security",
            third().pages().security_title,
            "electronically signed",
        ),
    ] {
        let answer = ask(path);
        let Body::Text(html) = &answer.body else {
            panic!("no page")
        };
        assert!(is_right_to_left(html) && html.contains(title));
        let (before, text) = html.split_once("<div lang=\"en\" dir=\"ltr\">").unwrap();
        let (text, after) = text.split_once("</div>").unwrap();
        assert!(text.contains(words));
        for read in [before, after] {
            assert_eq!(foreign(read, &["Dermalia"]), Vec::<&str>::new());
        }
    }
}

fn record() -> ScanRecord {
    let key = ScanKey {
        practice: "praxis-nord".parse().unwrap(),
        scan: "scan-0001".parse().unwrap(),
    };
    let mut record = ScanRecord::received(key, 0, 9_000_000);
    record.captured_at = Some("2026-01-05T10:00:00+01:00".to_owned());
    record.report_id = Some(ReportId::from_bytes([1; 16]));
    record.link = Some(LinkGrant {
        issued_at_secs: 1_000,
        expires_at_secs: 1_000 + 14 * 86_400,
    });
    record.locale = Some("qaa-150".to_owned());
    record.mailing.send_number = 1;
    record
}

fn host() -> Host {
    let key = SigningKey::from_seed(KeyId::new(1), &[1; 32]);
    Host {
        keys: KeySet::new(key.public()),
        session: SessionKey::from_bytes([9; 32]),
    }
}

fn token(expires_at_secs: u64, flags: Flags) -> String {
    let claims = Claims {
        report_id: "000102030405060708090a0b0c0d0e0f".parse().unwrap(),
        expires_at_secs,
        epoch: 5,
        flags,
    };
    let key = SigningKey::from_seed(KeyId::new(1), &[1; 32]);
    key.sign(&claims).reveal().to_owned()
}

/// As a browser that reads this language asks.
fn ask(path: &str) -> Answer {
    let request = Request {
        method: "GET",
        path,
        accept_language: Some("qaa-150, en;q=0.8"),
        ..Request::default()
    };
    answered(route(&request, &host(), NOW))
}

fn answered(decision: Decision) -> Answer {
    match decision {
        Decision::Answer(answer) => answer,
        Decision::Fetch(fetch) => {
            let stored = Stored {
                epoch: Some("5"),
                total_bytes: 1000,
                ..Stored::default()
            };
            match fetch.after_origin(&Origin::Whole(stored), &host(), NOW) {
                Next::Reply(reply) => reply.answer,
                Next::Count(_) => panic!("nothing was sent that is counted"),
            }
        }
    }
}

/// The page of an answer, in which every word is of this language.
fn seen(answer: &Answer) -> &str {
    let Body::Text(html) = &answer.body else {
        panic!("no page: {}", answer.status)
    };
    assert!(is_right_to_left(html), "{html}");
    assert_eq!(answer.header("content-language"), Some(TAG));
    assert_eq!(foreign(html, &["Dermalia"]), Vec::<&str>::new());
    html
}
