//! What must hold: of a scan at every moment, of all and of the stores once everything has
//! settled, and of the end.

use std::collections::{BTreeMap, BTreeSet};

use dermalia_link::{Flags, KeySet, META_EPOCH, META_UNTIL, verify};
use dermalia_record::audit::{Action, verify as verify_log};
use dermalia_record::port::{ObjectStore, RecordStore};
use dermalia_record::{
    Clock, Phase, PracticeId, ReportId, ScanKey, ScanRecord, findings_prefix, owner_of,
    report_asset, report_of,
};
use dermalia_sweep::INCOMING_DAYS;

use super::{World, address};
use crate::stores::{PREVIOUS, findings_text, page_text};

/// Both languages of a report.
const PAGES: [&str; 2] = ["report.html", "report.en.html"];

impl World {
    /// The tokens that went out about a scan, in order.
    pub(super) fn tokens(&self, index: usize) -> Vec<String> {
        let mails = self.stores.mailer.sent_to(&address(index));
        let token = |text: &str| {
            let line = text.lines().find(|line| line.contains("/r/"))?;
            Some(line.rsplit('/').next()?.to_owned())
        };
        mails.iter().filter_map(|mail| token(&mail.text)).collect()
    }

    /// Whether a token opens a page now, as the edge decides it.
    fn opens(&self, token: &str) -> bool {
        // A signature is as good later as it was: each is checked once.
        let mut verified = self.verified.borrow_mut();
        let claims = *verified.entry(token.to_owned()).or_insert_with(|| {
            let keys = KeySet::new(self.stores.key.public());
            verify(token, &keys, 0).unwrap()
        });
        let now = u64::try_from(self.now()).unwrap();
        if now >= claims.expires_at_secs {
            return false;
        }
        let key = report_asset(claims.report_id, "report.html").unwrap();
        let page = self.stores.objects.snapshot_of(&key);
        claims.flags == Flags::NONE
            && page.is_some_and(|page| {
                let until: u64 = page.head.metadata[META_UNTIL].parse().unwrap();
                page.head.metadata.get(META_EPOCH) == Some(&claims.epoch.to_string()) && now < until
            })
    }

    /// What a report says, in each language that there is.
    fn pages(&self, record: &ScanRecord) -> Vec<String> {
        let Some(report) = record.report_id else {
            return Vec::new();
        };
        let page = |name: &&str| {
            let key = report_asset(report, name).unwrap();
            let page = self.stores.objects.snapshot_of(&key)?;
            Some(String::from_utf8(page.bytes).unwrap())
        };
        PAGES.iter().filter_map(page).collect()
    }

    /// What must hold at every moment.
    pub(super) async fn check(&self, index: usize) {
        self.check_one(index).await;
        self.check_told(index).await;
        for later in &self.scans[index].later {
            self.check_told(*later).await;
        }
    }

    /// No page tells of a scan that is erased or restricted.
    async fn check_told(&self, index: usize) {
        let scan = &self.scans[index];
        let Some(previous) = scan.previous else {
            return;
        };
        let previous = &self.scans[previous];
        if !previous.is_erased && !previous.is_restricted {
            return;
        }
        let record = self.stores.records.get(&scan.key).await.unwrap();
        let told = findings_text(&previous.key);
        for page in record.iter().flat_map(|record| self.pages(record)) {
            assert!(!page.contains(&told), "{page} tells of {previous:?}");
        }
        if let Some(report) = record.as_ref().and_then(|record| record.report_id) {
            let key = report_asset(report, PREVIOUS).unwrap();
            let shown = self.stores.objects.snapshot_of(&key);
            assert!(shown.is_none(), "{scan:?} shows {previous:?}");
        }
    }

    async fn check_one(&self, index: usize) {
        let (now, scan) = (self.now(), &self.scans[index]);
        let record = self.stores.records.get(&scan.key).await.unwrap();
        if scan.is_erased || scan.is_over(now) {
            assert!(
                record
                    .as_ref()
                    .is_none_or(|r| r.phase() == Phase::Erased
                        || (r.captured_at.is_none() && !scan.is_erased)),
                "readable: {scan:?} {record:?}"
            );
        }
        if scan.is_restricted
            && let Some(record) = &record
        {
            assert_eq!(record.phase(), Phase::Restricted, "{scan:?}");
        }
        for (n, token) in self.tokens(index).iter().enumerate() {
            if self.opens(token) {
                assert!(!scan.is_erased, "a link opens an erased scan: {scan:?}");
                assert!(
                    !scan.is_over(now),
                    "a link opens a scan whose time is up: {scan:?}"
                );
                assert!(
                    !scan.is_restricted,
                    "a link opens a restricted scan: {scan:?}"
                );
                assert!(n >= scan.dead_mails, "a dead link opens: {scan:?}");
            }
        }
    }

    /// What must hold once everything has settled.
    pub(super) async fn check_settled(&self, index: usize) {
        let (now, scan) = (self.now(), &self.scans[index]);
        let record = self.stores.records.get(&scan.key).await.unwrap();
        if !scan.is_kept(now) {
            return;
        }
        // One whose event was lost for longer than files wait is gone from `incoming/`.
        let Some(record) = record else {
            let waited = now - scan.uploaded_at_secs;
            assert!(waited > INCOMING_DAYS * 86_400, "removed early: {scan:?}");
            return;
        };
        let Some(run) = &record.run else {
            let waited = now - scan.uploaded_at_secs;
            let may_wait = scan.is_restricted || waited > INCOMING_DAYS * 86_400;
            assert!(may_wait, "never measured: {scan:?} {record:?}");
            return;
        };
        let prefix = dermalia_record::run_prefix(&scan.key, run);
        let findings = self.stores.objects.list(&prefix, 9).await.unwrap();
        assert_eq!(
            findings.objects.len(),
            1,
            "findings removed early: {scan:?}"
        );
        assert_eq!(record.has_objected, scan.has_objected, "{scan:?}");
        if scan.is_restricted {
            return;
        }
        assert_eq!(record.phase(), Phase::Delivered, "{scan:?}");
        assert_eq!(record.expires_at_secs, scan.ends[1], "{scan:?}");
        let key = report_asset(record.report_id.unwrap(), "report.html").unwrap();
        let page = self.stores.objects.snapshot_of(&key);
        let page = page.unwrap_or_else(|| panic!("report removed early: {scan:?}"));
        assert_eq!(page.head.metadata.contains_key("usage"), scan.has_objected);
        let previous = self.may_tell_of(index).await;
        let says = |previous: Option<&str>| page_text(&scan.name, scan.ends[1], previous);
        let pages = self.pages(&record);
        assert_eq!(pages.len(), PAGES.len(), "{scan:?}");
        for page in pages {
            let is_right = match &previous {
                Told::Of(findings) => page == says(Some(findings)),
                Told::Nothing => page == says(None),
                Told::Either(findings) => page == says(None) || page == says(Some(findings)),
            };
            assert!(is_right, "{page}: {scan:?}");
        }
    }

    /// What the report of a scan may say of the one before, once everything has settled.
    async fn may_tell_of(&self, index: usize) -> Told {
        let Some(previous) = self.scans[index].previous else {
            return Told::Nothing;
        };
        let (now, scan) = (self.now(), &self.scans[previous]);
        let record = self.stores.records.get(&scan.key).await.unwrap();
        let is_measured = record.is_some_and(|record| record.run.is_some());
        // It is told no more two days before its end; the sweep was some hours ago.
        if !is_measured || scan.is_erased || scan.is_restricted || scan.is_over(now + 86_400) {
            return Told::Nothing;
        }
        let findings = findings_text(&scan.key);
        if scan.is_kept(now + 3 * 86_400) {
            Told::Of(findings)
        } else {
            Told::Either(findings)
        }
    }

    /// Everything in the stores belongs to a record that may have it.
    pub(super) async fn check_stores(&mut self) {
        let now = self.now();
        let practices = self.stores.ports.practices.list(None, 99).await.unwrap();
        let bundle_days: BTreeMap<PracticeId, i64> = practices
            .into_iter()
            .map(|p| (p.id, i64::from(p.bundle_days)))
            .collect();
        let mut seen: BTreeMap<ScanKey, bool> = BTreeMap::new();
        let mut reports: BTreeSet<ReportId> = BTreeSet::new();
        for (key, object) in self.stores.objects.snapshot() {
            if let Some(report) = report_of(&key) {
                reports.insert(report);
                continue;
            }
            let (scan, is_raw) = owner_of(&key).unwrap();
            let record = self.stores.records.get(&scan).await.unwrap();
            if key.starts_with("incoming/") {
                let age_ms = self.stores.clock.now_ms() - object.head.modified_ms;
                let restricted = record.is_some_and(|r| r.phase() == Phase::Restricted);
                assert!(
                    restricted || age_ms < INCOMING_DAYS * 86_400_000,
                    "left behind: {key}"
                );
                continue;
            }
            assert!(key.starts_with(&findings_prefix(&scan)));
            let record = record.unwrap_or_else(|| panic!("left behind: {key}"));
            if is_raw && record.phase() != Phase::Restricted {
                let end = record.reported_at_secs.unwrap() + bundle_days[&scan.practice] * 86_400;
                assert!(now < end, "a raw bundle beyond its time: {key}");
                let text = String::from_utf8_lossy(&object.bytes).into_owned();
                assert!(
                    !text.contains("Exif") && !text.contains("Vorname"),
                    "{text}"
                );
            }
            *seen.entry(scan).or_default() |= is_raw;
        }
        for report in &reports {
            let record = self.stores.records.by_report(*report).await.unwrap();
            assert!(record.is_some(), "left behind: a report without a record");
        }
        for scan in self
            .stores
            .ports
            .vault
            .keys
            .scans(None, 100_000)
            .await
            .unwrap()
        {
            let record = self.stores.records.get(&scan).await.unwrap();
            assert!(record.is_some(), "left behind: the key of {scan}");
        }
        for report in self
            .stores
            .ports
            .accesses
            .reports(None, 100_000)
            .await
            .unwrap()
        {
            let record = self.stores.records.by_report(report).await.unwrap();
            assert!(record.is_some(), "left behind: accesses without a report");
        }
    }

    /// Long after the last scan: nothing is left but the audit log, which is whole.
    pub(crate) async fn end(&mut self) {
        self.full_sweep().await;
        for _ in 0..30 {
            self.stores.clock.advance_ms(45 * 86_400_000);
            self.full_sweep().await;
        }
        assert_eq!(self.to_come, 0);
        assert!(self.stores.objects.snapshot().is_empty());
        assert!(self.stores.records.all().await.unwrap().is_empty());
        let keys = self.stores.ports.vault.keys.scans(None, 9).await.unwrap();
        assert!(keys.is_empty());
        let public = [self.stores.audit.key.public()];
        let mut removed: BTreeMap<String, usize> = BTreeMap::new();
        for practice in &self.practices {
            let store = self.stores.audit.store.as_ref();
            verify_log(store, practice, &public, None).await.unwrap();
            for entry in store.entries(practice, 0, 1_000_000).await.unwrap() {
                let text = serde_json::to_string(&entry).unwrap();
                assert!(
                    !text.contains("Vorname") && !text.contains("Richtig"),
                    "{text}"
                );
                if matches!(entry.action, Action::Erased | Action::Expired) {
                    *removed.entry(entry.operation.clone()).or_default() += 1;
                }
            }
        }
        assert!(removed.values().all(|times| *times == 1));
        assert!(!removed.is_empty());
    }
}

/// What is told of a scan before.
enum Told {
    Of(String),
    Nothing,
    Either(String),
}
