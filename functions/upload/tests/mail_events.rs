//! What the mail service tells: believed only when signed, noted only where it belongs.

#![allow(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::sync::Arc;

use data_encoding::BASE64;
use dermalia_embedded::{Database, SqliteRecords};
use dermalia_record::port::{RecordStore, Written};
use dermalia_record::{MailReturn, ManualClock, ReportId, ReturnedMail, ScanKey, ScanRecord};
use dermalia_upload::mail_events::{
    EventError, EventSecret, MailEvent, SignedEvent, mail_event, note, verify,
};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The example of the scheme's own documentation.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn secret() -> EventSecret {
    SECRET.parse().unwrap()
}

fn example() -> SignedEvent<'static> {
    SignedEvent {
        id: ID,
        timestamp: "1614265330",
        signatures: SIGNATURE,
        body: BODY,
    }
}

#[test]
fn the_published_example_is_accepted() {
    assert_eq!(verify(&[secret()], &example(), AT), Ok(()));
    // Among others, and with another secret beside it while it is changed.
    let signatures = format!("v1,AAAA v1a,{} {SIGNATURE}", &SIGNATURE[3..]);
    let several = SignedEvent {
        signatures: &signatures,
        ..example()
    };
    let other: EventSecret = format!("whsec_{}", BASE64.encode(&[7; 24]))
        .parse()
        .unwrap();
    assert_eq!(verify(&[other, secret()], &several, AT + 300), Ok(()));
}

#[test]
fn whatever_is_changed_is_refused() {
    let other = "v1,h0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    let cases: [(SignedEvent<'_>, EventError); 9] = [
        (
            SignedEvent {
                body: br#"{"test": 2432232315}"#,
                ..example()
            },
            EventError::Signature,
        ),
        (
            SignedEvent {
                id: "msg_q5jXN8AQM9LWM0D4loKWxJek",
                ..example()
            },
            EventError::Signature,
        ),
        (
            SignedEvent {
                timestamp: "1614265331",
                ..example()
            },
            EventError::Signature,
        ),
        (
            SignedEvent {
                signatures: other,
                ..example()
            },
            EventError::Signature,
        ),
        (
            SignedEvent {
                signatures: "v1,g0hM",
                ..example()
            },
            EventError::Signature,
        ),
        (
            SignedEvent {
                signatures: &SIGNATURE[3..],
                ..example()
            },
            EventError::Unsigned,
        ),
        (
            SignedEvent {
                signatures: "",
                ..example()
            },
            EventError::Unsigned,
        ),
        (
            SignedEvent {
                timestamp: "+1614265330",
                ..example()
            },
            EventError::Unsigned,
        ),
        (
            SignedEvent {
                id: "msg.1614265330",
                ..example()
            },
            EventError::Unsigned,
        ),
    ];
    for (i, (event, expected)) in cases.iter().enumerate() {
        assert_eq!(verify(&[secret()], event, AT), Err(*expected), "case {i}");
    }
    assert_eq!(verify(&[], &example(), AT), Err(EventError::Signature));
    let other: EventSecret = format!("whsec_{}", BASE64.encode(&[7; 24]))
        .parse()
        .unwrap();
    assert_eq!(verify(&[other], &example(), AT), Err(EventError::Signature));
    for off_secs in [-301, 301, 86_400] {
        let late = verify(&[secret()], &example(), AT + off_secs);
        assert_eq!(late, Err(EventError::Time { off_secs }));
    }
    let long = vec![b' '; (256 << 10) + 1];
    let event = SignedEvent {
        body: &long,
        ..example()
    };
    assert_eq!(
        verify(&[secret()], &event, AT),
        Err(EventError::Size { got: long.len() })
    );
}

#[test]
fn a_secret_has_its_form_and_is_never_shown() {
    for wrong in [
        "",
        "whsec_",
        "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "whsec_AAAA",
        "whsec_!",
    ] {
        assert!(wrong.parse::<EventSecret>().is_err(), "{wrong}");
    }
    assert_eq!(format!("{:?}", secret()), "EventSecret(redacted)");
}

const REPORT: &str = "000102030405060708090a0b0c0d0e0f";

fn body(kind: &str, tags: &str, bounce: &str) -> Vec<u8> {
    format!(
        r#"{{"type":"{kind}","created_at":"2026-11-22T23:41:12.126Z","data":{{"email_id":"56761188",
        "to":["anna@example.org"],"subject":"Ihr Bericht ist da","bounce":{bounce},"tags":{tags}}}}}"#
    )
    .into_bytes()
}

#[test]
fn bounces_and_complaints_name_their_mail() {
    let report: ReportId = REPORT.parse().unwrap();
    let tag = format!(r#"{{"mail":"report-ready_{REPORT}_2"}}"#);
    let listed = format!(r#"[{{"name":"mail","value":"report-ready_{REPORT}_2"}}]"#);
    let event = |why| {
        Ok(Some(MailEvent {
            report,
            mail: ReturnedMail {
                send_number: 2,
                why,
            },
        }))
    };
    let hard = r#"{"type":"Permanent","subType":"General","message":"unknown"}"#;
    assert_eq!(
        mail_event(&body("email.bounced", &tag, hard)),
        event(MailReturn::Bounced)
    );
    assert_eq!(
        mail_event(&body("email.bounced", &listed, "null")),
        event(MailReturn::Bounced)
    );
    assert_eq!(
        mail_event(&body("email.complained", &tag, "null")),
        event(MailReturn::Complained)
    );
    assert_eq!(
        mail_event(&body("email.suppressed", &tag, "null")),
        event(MailReturn::Bounced)
    );
    // Passing, or of another kind, or about another mail.
    let soft = r#"{"type":"Transient"}"#;
    assert_eq!(mail_event(&body("email.bounced", &tag, soft)), Ok(None));
    assert_eq!(mail_event(&body("email.delivered", &tag, "null")), Ok(None));
    for other in [
        "null",
        "{}",
        r#"{"mail":"confirm-erasure_00_1"}"#,
        r#"{"mail":"report-ready_x_1"}"#,
    ] {
        assert_eq!(
            mail_event(&body("email.bounced", other, "null")),
            Ok(None),
            "{other}"
        );
    }
    assert_eq!(mail_event(b"no json"), Err(EventError::Form));
    assert_eq!(mail_event(BODY), Err(EventError::Form));
}

async fn reported() -> (SqliteRecords, ScanKey) {
    let clock = Arc::new(ManualClock::at_ms(1_000_000));
    let records = SqliteRecords::new(Database::in_memory().unwrap(), clock);
    let key = ScanKey {
        practice: "praxis-nord".parse().unwrap(),
        scan: "SCAN-0001".parse().unwrap(),
    };
    let mut record = ScanRecord::received(key.clone(), 1_000, i64::MAX / 2_000);
    record.report_id = Some(REPORT.parse().unwrap());
    record.mailing.send_number = 2;
    record.mailing.accepted = true;
    assert!(matches!(
        records.insert(record).await.unwrap(),
        Written::Done(_)
    ));
    (records, key)
}

#[tokio::test]
async fn a_signed_bounce_ends_as_a_state_of_the_scan() {
    let (records, key) = reported().await;
    let tag = format!(r#"{{"mail":"report-ready_{REPORT}_2"}}"#);
    let bytes = body("email.bounced", &tag, r#"{"type":"Permanent"}"#);
    // Signed here by the scheme's own words, not by the code under test.
    let mut mac =
        Hmac::<Sha256>::new_from_slice(&BASE64.decode(&SECRET.as_bytes()[6..]).unwrap()).unwrap();
    mac.update(format!("evt_1.{AT}.").as_bytes());
    mac.update(&bytes);
    let signature = format!("v1,{}", BASE64.encode(&mac.finalize().into_bytes()));
    let request = SignedEvent {
        id: "evt_1",
        timestamp: &AT.to_string(),
        signatures: &signature,
        body: &bytes,
    };
    verify(&[secret()], &request, AT + 7).unwrap();
    let event = mail_event(&bytes).unwrap().unwrap();
    assert!(note(&records, &event).await.unwrap());
    let record = records.get(&key).await.unwrap().unwrap();
    assert_eq!(record.mail_state(), "bounced");
    // Told twice, nothing more is written.
    assert!(note(&records, &event).await.unwrap());
    assert_eq!(
        records.get(&key).await.unwrap().unwrap().version,
        record.version
    );
    // A complaint counts more than a bounce, whichever comes first.
    let complaint = MailEvent {
        mail: ReturnedMail {
            why: MailReturn::Complained,
            ..event.mail
        },
        ..event
    };
    assert!(note(&records, &complaint).await.unwrap() && note(&records, &event).await.unwrap());
    let record = records.get(&key).await.unwrap().unwrap();
    assert_eq!(record.mail_state(), "complained");
    // The address is corrected and the mail sent anew: the old one's fate is history.
    let mut corrected = record;
    corrected.mailing.send_number = 3;
    records.update(corrected).await.unwrap();
    assert!(note(&records, &complaint).await.unwrap());
    assert_eq!(
        records.get(&key).await.unwrap().unwrap().mail_state(),
        "sent"
    );
}

#[tokio::test]
async fn what_belongs_to_no_scan_changes_nothing() {
    let (records, key) = reported().await;
    let mail = ReturnedMail {
        send_number: 2,
        why: MailReturn::Bounced,
    };
    let unknown = MailEvent {
        report: "ff".repeat(16).parse().unwrap(),
        mail,
    };
    assert!(!note(&records, &unknown).await.unwrap());
    let future = MailEvent {
        report: REPORT.parse().unwrap(),
        mail: ReturnedMail {
            send_number: 9,
            ..mail
        },
    };
    assert!(note(&records, &future).await.unwrap());
    assert_eq!(
        records.get(&key).await.unwrap().unwrap().mail_state(),
        "sent"
    );
}
