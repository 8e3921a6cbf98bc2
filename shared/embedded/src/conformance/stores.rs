//! The stores beside the scans: practices, access entries, audit log, data keys.

use dermalia_record::audit::{Action, Actor, AuditEntry, Draft, Hash, NotedHead, verify};
use dermalia_record::port::{
    AccessEntry, AccessKind, AccessStore, DataKeys, KeyWrap, PortError, PracticeStore,
};
use dermalia_record::{
    Audit, Credential, DataKey, Field, ManualClock, Personal, Practice, PracticeId, ReportId,
    ScanKey, Vault,
};

use super::{Checked, sample};

fn practice_id(text: &str) -> Result<PracticeId, PortError> {
    text.parse()
        .map_err(|e| PortError::permanent("conformance", "practice_id", e))
}

/// Practices: conditional writes, order, pages.
///
/// # Errors
/// When a call fails.
pub async fn practices(store: &dyn PracticeStore) -> Checked {
    let id = practice_id("praxis-nord")?;
    assert_eq!(store.get(&id).await?, None);
    let mut fresh = Practice::new(id.clone());
    fresh.version = 1;
    assert_eq!(
        store.put(fresh.clone()).await?,
        None,
        "there is nothing of that version"
    );
    fresh.version = 0;
    let first = store.put(fresh.clone()).await?;
    let first = first.unwrap_or_else(|| unreachable!("the condition holds"));
    assert_eq!(first.version, 1);
    assert_eq!(store.put(fresh).await?, None, "it exists now");
    assert_eq!(store.get(&id).await?.as_ref(), Some(&first));

    let (mut a, mut b) = (first.clone(), first);
    a.retention_months = 6;
    let credential =
        Credential::random().map_err(|e| PortError::permanent("conformance", "credential", e))?;
    a.credentials.rotate(&credential);
    b.retention_months = 7;
    let a = store.put(a).await?;
    assert_eq!(
        a.as_ref().map(|p| (p.version, p.retention_months)),
        Some((2, 6))
    );
    assert_eq!(store.put(b).await?, None, "it has seen an older version");
    let stored = store.get(&id).await?;
    assert_eq!(stored, a);
    assert!(stored.is_some_and(|p| p.credentials.accept(credential.reveal())));

    for other in ["praxis-sued", "praxis-a", "praxis-west"] {
        store.put(Practice::new(practice_id(other)?)).await?;
    }
    let ids = |list: Vec<Practice>| -> Vec<String> {
        list.into_iter().map(|p| p.id.to_string()).collect()
    };
    assert_eq!(
        ids(store.list(None, 9).await?),
        ["praxis-a", "praxis-nord", "praxis-sued", "praxis-west"]
    );
    assert_eq!(
        ids(store.list(Some(&id), 1).await?),
        ["praxis-sued"],
        "the next page"
    );
    Ok(())
}

/// Access entries: once per id, gone for every reader when their time is up, removed with
/// their report. The clock is the store's own and stands at 1,000 seconds.
///
/// # Errors
/// When a call fails.
pub async fn accesses(store: &dyn AccessStore, clock: &ManualClock) -> Checked {
    let report = |n: u8| ReportId::from_bytes([n; 16]);
    let entry = |n: u8, id: &str, at_secs: i64, kind, expires_at_secs| AccessEntry {
        report: report(n),
        id: id.to_owned(),
        at_secs,
        kind,
        body: format!("{{\"at\":{at_secs}}}"),
        expires_at_secs,
    };
    let (access, usage) = (AccessKind::Access, AccessKind::Usage);
    for _ in 0..2 {
        store.put(entry(1, "b", 200, access, 3_000)).await?;
    }
    store.put(entry(1, "a", 300, usage, 3_000)).await?;
    store.put(entry(1, "c", 100, access, 2_000)).await?;
    store.put(entry(2, "a", 100, usage, 3_000)).await?;
    // The same id says nothing of another kind.
    store.put(entry(1, "a", 250, access, 3_000)).await?;
    let ids = |list: Vec<AccessEntry>| -> Vec<i64> { list.iter().map(|e| e.at_secs).collect() };
    assert_eq!(ids(store.list(report(1), 9).await?), [100, 200, 250, 300]);
    assert_eq!(ids(store.list(report(1), 2).await?), [100, 200]);
    assert_eq!(
        store.list(report(2), 9).await?,
        [entry(2, "a", 100, usage, 3_000)]
    );
    assert!(store.list(report(3), 9).await?.is_empty());
    assert_eq!(store.reports(None, 9).await?, [report(1), report(2)]);
    assert_eq!(store.reports(Some(report(1)), 9).await?, [report(2)]);
    assert_eq!(store.reports(None, 1).await?, [report(1)]);

    assert_eq!(store.expire_due(9).await?, 0);
    clock.advance_to_secs(2_000);
    assert_eq!(
        ids(store.list(report(1), 9).await?),
        [200, 250, 300],
        "gone before it is removed"
    );
    assert_eq!(store.expire_due(9).await?, 1);
    assert_eq!(store.expire_due(9).await?, 0);

    assert_eq!(store.remove(report(1), Some(usage)).await?, 1);
    assert_eq!(ids(store.list(report(1), 9).await?), [200, 250]);
    assert_eq!(store.remove(report(1), None).await?, 2);
    assert_eq!(store.remove(report(1), None).await?, 0);
    assert_eq!(store.reports(None, 9).await?, [report(2)]);
    Ok(())
}

/// The audit log: a chain for each practice, once per operation, verified.
///
/// # Errors
/// When a call fails.
pub async fn audit(audit: &Audit) -> Checked {
    let (nord, sued) = (practice_id("praxis-nord")?, practice_id("praxis-sued")?);
    let scan = sample("scan-0001", 9)?.key.scan;
    let draft = |practice: &PracticeId, operation: &str| Draft {
        practice: practice.clone(),
        scan: Some(scan.clone()),
        operation: operation.to_owned(),
        actor: Actor::Operator,
        action: Action::Restricted,
        inventory: None,
    };
    assert_eq!(audit.store.head(&nord).await?, None);
    assert!(audit.store.practices().await?.is_empty());
    let first = audit.record(&draft(&nord, "one")).await?;
    assert_eq!((first.sequence, &first.previous), (1, &Hash::zero()));
    let again = audit.record(&draft(&nord, "one")).await?;
    assert_eq!(again, first, "an operation is told once");
    audit.record(&draft(&sued, "one")).await?;
    let second = audit.record(&draft(&nord, "two")).await?;
    assert_eq!((second.sequence, &second.previous), (2, &first.hash()));

    // A writer that has seen an older head.
    let head = audit.store.head(&nord).await?;
    let head = head.unwrap_or_else(|| unreachable!("there are two entries"));
    let late = AuditEntry {
        operation: "late".to_owned(),
        ..second.clone()
    };
    assert_eq!(
        audit.store.append(&late, &head).await?,
        dermalia_record::port::Appended::Conflict
    );
    assert_eq!(
        audit.store.entries(&nord, 0, 9).await?,
        [first.clone(), second.clone()]
    );
    assert_eq!(
        audit.store.entries(&nord, 1, 9).await?.as_slice(),
        std::slice::from_ref(&second)
    );
    assert_eq!(
        audit.store.entries(&nord, 0, 1).await?.as_slice(),
        std::slice::from_ref(&first)
    );
    assert_eq!(audit.store.by_operation(&nord, "two").await?, Some(second));
    assert_eq!(audit.store.by_operation(&sued, "two").await?, None);
    assert_eq!(audit.store.practices().await?, [nord.clone(), sued]);

    let keys = [audit.key.public()];
    let store = audit.store.as_ref();
    let noted = NotedHead {
        sequence: 1,
        hash: first.hash(),
    };
    assert_eq!(
        verify(store, &nord, &keys, Some(&noted)).await,
        Ok(Some(head))
    );
    let other = NotedHead {
        sequence: 2,
        hash: first.hash(),
    };
    assert!(verify(store, &nord, &keys, Some(&other)).await.is_err());
    assert!(verify(store, &nord, &[], None).await.is_err());
    Ok(())
}

/// Sealing: data keys are made once, bound to their scan, and gone when destroyed.
///
/// # Errors
/// When a call fails.
pub async fn vault(vault: &Vault) -> Checked {
    let (scan, other) = (sample("scan-0001", 9)?.key, sample("scan-0002", 9)?.key);
    let (keys, wrap): (&dyn DataKeys, &dyn KeyWrap) = (vault.keys.as_ref(), vault.wrap.as_ref());
    let key = DataKey::random()?;
    let wrapped = wrap.wrap(&scan, &key).await?;
    assert!(
        wrapped.windows(32).all(|w| w != key.expose()),
        "not in the clear"
    );
    assert_eq!(wrap.unwrap(&scan, &wrapped).await?.expose(), key.expose());
    assert!(wrap.unwrap(&other, &wrapped).await.is_err());

    assert_eq!(keys.get(&scan).await?, None);
    assert_eq!(keys.put_if_absent(&scan, &wrapped).await?, wrapped);
    assert_eq!(
        keys.put_if_absent(&scan, b"later").await?,
        wrapped,
        "the first one stays"
    );
    assert_eq!(keys.get(&scan).await?.as_ref(), Some(&wrapped));

    let name = Personal::new("Änne".to_owned());
    let sealed = vault.seal(&scan, Field::FirstName, &name).await?;
    let opened = vault.open(&scan, Field::FirstName, &sealed).await?;
    assert_eq!(opened.as_ref().map(Personal::reveal), Some(name.reveal()));
    assert!(
        vault.open(&scan, Field::Email, &sealed).await.is_err(),
        "bound to its field"
    );
    let of_other = vault.seal(&other, Field::FirstName, &name).await?;
    assert!(
        vault
            .open(&scan, Field::FirstName, &of_other)
            .await
            .is_err(),
        "bound to its scan"
    );
    let third = ScanKey {
        practice: practice_id("praxis-alt")?,
        ..scan.clone()
    };
    vault.seal(&third, Field::Email, &name).await?;
    assert_eq!(
        keys.scans(None, 9).await?,
        [third.clone(), scan.clone(), other.clone()]
    );
    assert_eq!(
        keys.scans(Some(&third), 1).await?,
        std::slice::from_ref(&scan)
    );

    assert!(vault.destroy(&scan).await?);
    assert!(!vault.destroy(&scan).await?);
    assert_eq!(
        vault.open(&scan, Field::FirstName, &sealed).await?,
        None,
        "erased wherever it lies"
    );
    assert!(
        vault
            .open(&other, Field::FirstName, &of_other)
            .await?
            .is_some(),
        "others stay"
    );
    // A new key opens nothing that the old one has sealed.
    vault.seal(&scan, Field::FirstName, &name).await?;
    assert!(vault.open(&scan, Field::FirstName, &sealed).await.is_err());
    Ok(())
}
