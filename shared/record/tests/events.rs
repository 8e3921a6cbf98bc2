//! Every file in the workspace's `events` folder is parsed, by what its name says it is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends where something is missing"
)]

use std::fs;
use std::path::PathBuf;

use dermalia_link::{AccessMessage, RequestMessage};
use dermalia_record::event::{Notification, parse_batch};
use dermalia_record::{BundleForm, ReportMessage};

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../events"))
}

fn notification(file: &str) -> Notification {
    Notification::parse(&fs::read_to_string(folder().join(file)).unwrap()).unwrap()
}

#[test]
fn every_file_is_parsed() {
    let mut files: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert!(files.len() >= 10, "{files:?}");
    for file in files {
        let text = fs::read_to_string(folder().join(&file)).unwrap();
        if file.starts_with("s3_") {
            Notification::parse(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
        } else if file.starts_with("sqs_batch_reports") {
            for message in parse_batch(&text).unwrap() {
                ReportMessage::parse(&message.body).unwrap_or_else(|e| panic!("{file}: {e}"));
            }
        } else if file.starts_with("sqs_batch_accesses") {
            for message in parse_batch(&text).unwrap() {
                let read = serde_json::from_str::<AccessMessage>(&message.body);
                read.unwrap_or_else(|e| panic!("{file}: {e}"));
            }
        } else if file.starts_with("sqs_batch_requests") {
            for message in parse_batch(&text).unwrap() {
                RequestMessage::parse(&message.body).unwrap_or_else(|e| panic!("{file}: {e}"));
            }
        } else if file.starts_with("sqs_batch_") {
            for message in parse_batch(&text).unwrap() {
                Notification::parse(&message.body).unwrap_or_else(|e| panic!("{file}: {e}"));
            }
        } else if file.starts_with("dynamodb_") {
            // What it says is read by `dermalia-cloud`, whose tests do so.
            let event: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(event["Records"][0]["dynamodb"].is_object(), "{file}");
        } else if file.starts_with("rights_") {
            // What it asks for is read by `dermalia-rights`, whose tests do so.
            let call: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert!(call["right"].is_string(), "{file}");
        } else {
            panic!("{file}: no test knows what this is");
        }
    }
}

#[test]
fn the_manifest_and_the_archive_are_triggers() {
    let manifest = notification("s3_put_manifest.json");
    let upload = &manifest.uploads[0];
    assert_eq!(upload.scan.to_string(), "praxis-nord/D9-20260514-000123");
    assert_eq!(upload.form, BundleForm::Folder);
    assert_eq!(
        upload.version.as_deref(),
        Some("096fKKXTRTtl3on89fVO.nfljtsv6qko")
    );
    assert_eq!(notification("s3_put_encoded_key.json"), manifest);

    let archive = notification("s3_put_zip.json");
    assert_eq!(archive.uploads[0].form, BundleForm::Archive);
    assert_eq!(
        archive.uploads[0].object_key,
        "incoming/praxis-nord/D9-20260514-000124.zip"
    );
}

#[test]
fn all_else_is_ignored() {
    for (file, ignored) in [
        ("s3_put_other_file.json", 1),
        ("s3_delete_marker.json", 1),
        ("s3_test_event.json", 0),
    ] {
        assert_eq!(
            notification(file),
            Notification {
                uploads: vec![],
                ignored
            },
            "{file}"
        );
    }
    assert_eq!(notification("s3_put_manifest_twice.json").uploads.len(), 2);
}

#[test]
fn batches_carry_their_receive_counts() {
    let text = fs::read_to_string(folder().join("sqs_batch_uploads.json")).unwrap();
    let counts: Vec<_> = parse_batch(&text)
        .unwrap()
        .iter()
        .map(|m| m.receive_count)
        .collect();
    assert_eq!(counts, [1, 3, 1]);
    assert!(parse_batch(r#"{"Records":[{"messageId":"1"}]}"#).is_err());
}
