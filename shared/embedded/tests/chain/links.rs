//! Links: renewed and revoked.

use dermalia_link::{CodeHash, META_CODE, META_EPOCH, verify};
use dermalia_record::{Clock, Phase};
use dermalia_report_function::{LinkError, issue_code, issue_link, link_url, revoke_links};

use crate::rig::{Rig, scan};

#[tokio::test]
async fn issue_and_revoke() {
    let rig = Rig::new();
    assert_eq!(
        issue_link(&rig.ports, &rig.settings, &scan()).await,
        Err(LinkError::NoScan)
    );
    rig.upload("bad", "refuse=bad").await;
    rig.settle().await;
    let refused = issue_link(&rig.ports, &rig.settings, &scan()).await;
    assert_eq!(refused, Err(LinkError::NoReport(Phase::Refused)));

    rig.upload("skin", "email=anna@example.org").await;
    rig.settle().await;
    let first = rig.record().await;
    let url = |record| link_url(record, &rig.settings, &rig.key).unwrap();
    rig.clock.advance_ms(1_000_000);
    let second = issue_link(&rig.ports, &rig.settings, &scan())
        .await
        .unwrap();
    assert_ne!(url(&first), url(&second));
    assert_eq!(
        second.link.unwrap().expires_at_secs,
        first.link.unwrap().expires_at_secs + 1_000
    );
    assert_eq!(
        (first.report_id, first.epoch),
        (second.report_id, second.epoch)
    );

    let revoked = revoke_links(&rig.ports, &scan()).await.unwrap();
    assert!(revoked.epoch > second.epoch);
    assert_eq!(link_url(&revoked, &rig.settings, &rig.key), None);
    let epoch = revoked.epoch.number();
    for (key, object) in rig.objects.snapshot() {
        if key.starts_with("reports/") {
            assert_eq!(object.head.metadata[META_EPOCH], epoch.to_string(), "{key}");
            assert!(object.head.metadata.contains_key("run"), "{key}");
        }
    }
    let now = u64::try_from(rig.clock.now_secs()).unwrap();
    for dead in [&first, &second] {
        let token = url(dead).rsplit('/').next().unwrap().to_owned();
        let claims = verify(&token, &rig.keys(), now).unwrap();
        assert!(!claims.authorises(revoked.report_id.unwrap(), epoch));
    }
    let third = issue_link(&rig.ports, &rig.settings, &scan())
        .await
        .unwrap();
    let token = url(&third).rsplit('/').next().unwrap().to_owned();
    let claims = verify(&token, &rig.keys(), now).unwrap();
    assert!(claims.authorises(third.report_id.unwrap(), epoch));

    // A late duplicate neither mails again nor brings a dead link back.
    let message = dermalia_record::ReportMessage { key: scan() };
    rig.ports.reports.send(&message.to_json(), 0).await.unwrap();
    rig.settle().await;
    assert_eq!(rig.record().await, third);
    assert_eq!(rig.mailer.sent().len(), 1);
}

#[tokio::test]
async fn a_link_ends_with_the_scan() {
    let rig = Rig::new();
    rig.upload("skin", "").await;
    rig.settle().await;
    let end = rig.record().await.expires_at_secs;
    rig.clock.advance_to_secs(end - 3_600);
    let renewed = issue_link(&rig.ports, &rig.settings, &scan())
        .await
        .unwrap();
    assert_eq!(renewed.link.unwrap().expires_at_secs, end);
    rig.clock.advance_to_secs(end);
    assert_eq!(
        revoke_links(&rig.ports, &scan()).await,
        Err(LinkError::NoScan)
    );
}

#[tokio::test]
async fn a_code_is_issued_and_lies_on_every_object() {
    let rig = Rig::new();
    assert!(matches!(
        issue_code(&rig.ports, &scan()).await,
        Err(LinkError::NoScan)
    ));
    rig.upload("skin", "email=anna@example.org").await;
    rig.settle().await;
    assert_eq!(rig.record().await.code_hash, None);
    let (_, first) = issue_code(&rig.ports, &scan()).await.unwrap();
    let (record, second) = issue_code(&rig.ports, &scan()).await.unwrap();
    let report = record.report_id.unwrap();
    let hash = record.code_hash.unwrap();
    let mut marked = 0;
    for (key, object) in rig.objects.snapshot() {
        if key.starts_with("reports/") {
            assert_eq!(object.head.metadata[META_CODE], hash, "{key}");
            marked += 1;
        }
    }
    assert!(marked > 0);
    let hash: CodeHash = hash.parse().unwrap();
    assert_eq!(hash.fits(&second, report), Ok(true));
    assert_eq!(hash.fits(&first, report), Ok(first == second));
    // Neither a revocation nor a new link opens what a code closes.
    revoke_links(&rig.ports, &scan()).await.unwrap();
    issue_link(&rig.ports, &rig.settings, &scan())
        .await
        .unwrap();
    let kept = rig.record().await.code_hash;
    assert_eq!(kept, Some(hash.to_string()));
}
