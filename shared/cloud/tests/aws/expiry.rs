//! The time of a scan is up: the table removes its item by its own expiry, the stream's
//! record goes to the compiled `expire` in the documented form, and of the scan nothing is
//! left in any version.

use std::sync::Arc;

use dermalia_cloud::{DynamoAudit, DynamoDataKeys, DynamoRecords, KmsKeyWrap, S3Objects};
use dermalia_embedded::conformance;
use dermalia_record::audit::Action;
use dermalia_record::port::{
    AuditStore, Body, DataKeys, Metadata, ObjectStore, ObjectWrite, RecordStore,
};
use dermalia_record::{
    Clock, Field, ManualClock, Personal, ScanRecord, Vault, findings_prefix, incoming_file,
    random_report_id, report_prefix,
};
use serde_json::json;

use crate::cloud;
use crate::deployment::{secrets, versions};
use crate::emulators::{Dynamodb, Ministack, config, is_configured, s3};
use crate::runtime::{Runtime, environment};

const END_SECS: i64 = 2_000;

/// Two versions of everything that belongs to a scan; gives the keys.
async fn fill(objects: &S3Objects, record: &ScanRecord) -> Vec<String> {
    let keys = [
        incoming_file(&record.key, "white.jpg").unwrap(),
        format!("{}run/findings.json", findings_prefix(&record.key)),
        format!("{}report.html", report_prefix(record.report_id.unwrap())),
    ];
    for key in &keys {
        for text in ["older", "newer"] {
            let object = ObjectWrite {
                body: Body::Bytes(text.as_bytes().to_vec()),
                content_type: "text/plain".to_owned(),
                metadata: Metadata::new(),
            };
            objects.put(key, object).await.unwrap();
        }
    }
    keys.to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_expired_scan_no_version_is_left() {
    if !is_configured() {
        return;
    }
    let (stack, database) = (Ministack::start(), Dynamodb::start());
    let aws = config(&stack.endpoint).await;
    secrets(&aws).await;
    let client = s3(&aws);
    let objects = S3Objects::new(client.clone(), cloud::buckets(&client).await);
    let tables = aws_sdk_dynamodb::Client::new(&config(&database.endpoint).await);
    cloud::table(&tables, "records").await;
    cloud::keys_table(&tables, "keys").await;
    let clock = ManualClock::at_ms(1_000_000);
    database.at(clock.now_secs());
    let records = DynamoRecords::new(tables.clone(), "records", Arc::new(clock.clone()));
    let kms = aws_sdk_kms::Client::new(&aws);
    let key = kms.create_key().send().await.unwrap();
    let arn = key.key_metadata().unwrap().arn().unwrap().to_owned();
    let data_keys = DynamoDataKeys::new(tables.clone(), "keys");
    let vault = Vault {
        keys: Arc::new(data_keys.clone()),
        wrap: Arc::new(KmsKeyWrap::new(kms, arn)),
    };

    let mut kept = Vec::new();
    for (scan, end) in [("scan-0001", END_SECS), ("scan-0002", 9 * END_SECS)] {
        let mut record = conformance::sample(scan, end).unwrap();
        record.report_id = Some(random_report_id().unwrap());
        let name = Personal::new("Anna".to_owned());
        let sealed = vault.seal(&record.key, Field::FirstName, &name).await;
        record.first_name = Some(sealed.unwrap());
        records.insert(record.clone()).await.unwrap();
        let keys = fill(&objects, &record).await;
        if end > END_SECS {
            kept = keys;
        }
    }

    // The time comes; the table removes the item some day.
    clock.advance_to_secs(END_SECS);
    database.at(END_SECS + 1);
    assert_eq!(database.sweep(), 1);
    let stream = database.stream_event("records");
    let removals: Vec<_> = stream["Records"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|record| record["eventName"] == "REMOVE")
        .cloned()
        .collect();
    assert_eq!(removals.len(), 1);
    assert_eq!(
        removals[0]["userIdentity"],
        json!({ "principalId": "dynamodb.amazonaws.com", "type": "Service" })
    );
    let environment = environment(&stack.endpoint, &database.endpoint, "");
    let runtime = Runtime::start("expire", &environment);
    // It comes at least once.
    for _ in 0..2 {
        let (_, answer) = runtime.invoke(&json!({ "Records": removals }));
        assert_eq!(answer, Ok(json!({ "batchItemFailures": [] })));
    }

    let mut left = Vec::new();
    for bucket in ["incoming", "findings", "reports"] {
        left.extend(versions(&client, bucket).await);
    }
    left.sort();
    let mut expected: Vec<String> = kept.iter().flat_map(|k| [k.clone(), k.clone()]).collect();
    expected.sort();
    assert_eq!(left, expected);
    let scans = data_keys.scans(None, 9).await.unwrap();
    assert_eq!(scans.len(), 1);
    assert_eq!(scans[0].scan.as_str(), "scan-0002");
    let audit = DynamoAudit::new(tables, "records");
    let entries = audit.entries(&scans[0].practice, 0, 9).await.unwrap();
    let actions: Vec<Action> = entries.iter().map(|entry| entry.action).collect();
    assert_eq!(actions, [Action::ErasureBegun, Action::Expired]);
    let inventory = entries[1].inventory.as_ref().unwrap();
    assert_eq!(inventory.objects, 3);
}
