//! The steps of the simulation and what must hold after each.

mod requests;

use std::collections::{BTreeMap, BTreeSet};

use dermalia_embedded::fault::{Faults, Then, When};
use dermalia_embedded::worker::{Step, step};
use dermalia_link::{Flags, KeySet, META_EPOCH, verify};
use dermalia_record::audit::{Action, verify as verify_log};
use dermalia_record::port::{Body, ObjectStore, Queue, RecordStore};
use dermalia_record::{
    Clock, Phase, Practice, PracticeId, ReportId, ScanKey, findings_prefix, owner_of, report_asset,
    report_of,
};
use dermalia_scan::Limits;
use dermalia_sweep::INCOMING_DAYS;
use dermalia_upload::{Received, Target, accept, announce};
use jiff::Timestamp;

use crate::model::{Expected, Random};
use crate::stores::Stores;

const PRACTICES: usize = 20;
const YEARS_SECS: u64 = 3 * 365 * 86_400;
/// How many scans that were not touched are looked at after each step.
const SAMPLE: usize = 4;

pub(crate) struct World {
    stores: Stores,
    random: Random,
    practices: Vec<PracticeId>,
    months: BTreeMap<PracticeId, u16>,
    scans: Vec<Expected>,
    /// Scans still to come.
    to_come: usize,
    steps: usize,
    counts: BTreeMap<&'static str, u64>,
}

impl World {
    pub(crate) async fn new(mut random: Random, scans: usize, steps: usize) -> Self {
        let stores = Stores::new();
        let (mut practices, mut months) = (Vec::new(), BTreeMap::new());
        for n in 0..PRACTICES {
            let id: PracticeId = format!("praxis-{n:02}").parse().unwrap();
            let mut practice = Practice::new(id.clone());
            practice.retention_months = 3 + u16::try_from(random.below(22)).unwrap();
            practice.bundle_days = u16::try_from(random.below(30)).unwrap();
            practice.link_days = 5 + u16::try_from(random.below(60)).unwrap();
            months.insert(id.clone(), practice.retention_months);
            stores.ports.practices.put(practice).await.unwrap().unwrap();
            practices.push(id);
        }
        Self {
            stores,
            random,
            practices,
            months,
            scans: Vec::new(),
            to_come: scans,
            steps,
            counts: BTreeMap::new(),
        }
    }

    pub(crate) fn summary(&self) -> String {
        format!("{:?}", self.counts)
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    fn now(&self) -> i64 {
        self.stores.clock.now_secs()
    }

    /// Faults that strike a call at random; often beyond the last one.
    fn faults(&mut self) -> Faults {
        let index = self.random.index(60);
        let when = if self.random.one_in(2) {
            When::BeforeEffect
        } else {
            When::AfterEffect
        };
        let then = if self.random.one_in(2) {
            Then::Dies
        } else {
            Then::Recovers
        };
        if self.random.one_in(2) {
            Faults::at(index, when, then)
        } else {
            Faults::default()
        }
    }

    /// What a restart does after the process has died.
    async fn restart(&mut self, faults: &Faults) {
        if faults.is_dead() {
            self.count("crashes");
            self.stores.records.release_leases().await.unwrap();
            for queue in &self.stores.queues {
                queue.recover().await.unwrap();
            }
        }
    }

    pub(crate) async fn step(&mut self, n: usize) {
        let mean = YEARS_SECS * 1_000 / self.steps as u64;
        let wait = self.random.below(2 * mean);
        self.stores.clock.advance_ms(wait);
        let left = self.steps - n;
        // Uploads come evenly over the first half, so that most of them also end.
        let due = self.to_come * 2 / left.max(1) + usize::from(self.random.one_in(2));
        let mut touched = Vec::new();
        for _ in 0..due.min(self.to_come) {
            self.to_come -= 1;
            touched.push(self.upload_new().await);
        }
        if let Some(index) = self.any_scan() {
            touched.push(index);
            match self.random.below(12) {
                0 => self.erase(index).await,
                1 => self.restrict(index).await,
                2 => self.lift(index).await,
                3 => self.rectify(index).await,
                4 => self.object(index).await,
                5 => self.reader(index).await,
                6 => self.visit(index).await,
                7 => self.upload_again(index).await,
                8 => self.copies(index).await,
                _ => {}
            }
        }
        match self.random.below(20) {
            0 => self.lose_message().await,
            1 => self.lose_removal().await,
            2 => self.change_terms().await,
            3 => {
                let faults = self.faults();
                drop(self.stores.sweep(&faults).full(|_| Ok(())).await);
                self.restart(&faults).await;
            }
            4 => self.full_sweep().await,
            _ => {
                // The database removes what is due in its own time.
                if self.random.one_in(3) {
                    drop(self.stores.records.expire_due(5).await);
                }
            }
        }
        self.work().await;
        for _ in 0..SAMPLE {
            touched.extend(self.any_scan());
        }
        for index in touched {
            self.check(index).await;
        }
    }

    fn any_scan(&mut self) -> Option<usize> {
        let scans = self.scans.len();
        (scans > 0).then(|| self.random.index(scans))
    }

    /// Works the queues for a while, as workers do that may die.
    async fn work(&mut self) {
        for _ in 0..6 {
            let faults = self.faults();
            let (analyze, report) = (self.stores.analyze(&faults), self.stores.report(&faults));
            let rights = self.stores.rights(&faults);
            let [uploads, reports, requests] = &self.stores.queues;
            let ends = [
                step(uploads, |body, attempt| async move {
                    analyze.handle(&body, attempt).await.map(drop)
                })
                .await,
                step(reports, |body, attempt| async move {
                    report.handle(&body, attempt).await.map(drop)
                })
                .await,
                step(requests, |body, attempt| async move {
                    rights.handle(&body, attempt).await.map(drop)
                })
                .await,
            ];
            self.restart(&faults).await;
            if ends.iter().all(|end| matches!(end, Ok(Step::Idle))) {
                return;
            }
        }
    }

    /// Works the queues until they are empty, with nothing in the way.
    async fn settle(&mut self) {
        for _ in 0..10_000 {
            let faults = Faults::default();
            let (analyze, report) = (self.stores.analyze(&faults), self.stores.report(&faults));
            let rights = self.stores.rights(&faults);
            let [uploads, reports, requests] = &self.stores.queues;
            step(uploads, |body, attempt| async move {
                analyze.handle(&body, attempt).await.map(drop)
            })
            .await
            .unwrap();
            step(reports, |body, attempt| async move {
                report.handle(&body, attempt).await.map(drop)
            })
            .await
            .unwrap();
            step(requests, |body, attempt| async move {
                rights.handle(&body, attempt).await.map(drop)
            })
            .await
            .unwrap();
            let mut left = 0;
            for queue in &self.stores.queues {
                let depth = queue.depth().await.unwrap();
                assert_eq!(depth.dead, 0, "{:?}", queue.dead_letters(3).await);
                left += depth.waiting + depth.in_flight;
            }
            if left == 0 {
                return;
            }
            self.stores.clock.advance_ms(2_000);
        }
        panic!("the queues never run empty");
    }

    async fn upload_new(&mut self) -> usize {
        let n = self.scans.len();
        let practice = self.practices[self.random.index(PRACTICES)].clone();
        let key = ScanKey {
            practice: practice.clone(),
            scan: format!("scan-{n:06}").parse().unwrap(),
        };
        let captured = self.now() - i64::try_from(self.random.below(3 * 86_400)).unwrap();
        let time = Timestamp::from_second(captured).unwrap();
        let captured_at = match self.random.below(3) {
            0 => time.to_string(),
            1 => time
                .to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(2)))
                .strftime("%Y-%m-%dT%H:%M:%S%:z")
                .to_string(),
            _ => time
                .to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(-11)))
                .strftime("%Y-%m-%dT%H:%M:%S%:z")
                .to_string(),
        };
        let months = self.months[&practice];
        self.scans.push(Expected {
            key,
            captured_at,
            name: format!("Vorname{n}"),
            is_erased: false,
            is_restricted: false,
            has_objected: false,
            dead_mails: 0,
            months: [months; 2],
            uploaded_at_secs: self.now(),
        });
        self.put_files(n).await;
        n
    }

    async fn put_files(&mut self, index: usize) {
        let scan = self.scans[index].clone();
        let manifest = serde_json::json!({
            "captured_at": scan.captured_at,
            "patient": { "first_name": scan.name, "email": address(index) },
        });
        let picture = b"\xff\xd8\xff\xe1\x00\x0cExif\0\0abcd\xff\xd9".to_vec();
        let files = [
            ("white.jpg", picture),
            ("manifest.json", manifest.to_string().into_bytes()),
        ];
        for (name, content) in files {
            self.stores.clock.advance_ms(5);
            let received = Received {
                scan: scan.key.clone(),
                target: Target::File(name.to_owned()),
                bytes: content.len() as u64,
                body: Body::Bytes(content),
                sha256: String::new(),
                expected_sha256: None,
            };
            let accepted = accept(&self.stores.ports, received, &Limits::default())
                .await
                .unwrap();
            if accepted.completes {
                // Events are lost, and doubled.
                let times = match self.random.below(8) {
                    0 => 0,
                    1 => 2,
                    _ => 1,
                };
                for _ in 0..times {
                    announce(&self.stores.ports, &accepted, 0).await.unwrap();
                }
            }
        }
        self.scans[index].uploaded_at_secs = self.now();
        self.count("uploads");
    }

    async fn upload_again(&mut self, index: usize) {
        let (now, scan) = (self.now(), &self.scans[index]);
        let phase = self.phase(index).await;
        if scan.is_kept(now) && !scan.is_restricted && phase == Some(Phase::Delivered) {
            self.put_files(index).await;
        }
    }

    async fn phase(&self, index: usize) -> Option<Phase> {
        let key = &self.scans[index].key;
        let record = self.stores.records.get(key).await.unwrap();
        record.map(|record| record.phase())
    }

    /// A message is taken by somebody who loses it.
    async fn lose_message(&mut self) {
        let which = self.random.index(2);
        let queue = &self.stores.queues[which];
        if let Some(taken) = queue.receive(1, 1_000).await.unwrap().pop() {
            queue.ack(&taken.receipt).await.unwrap();
            self.count("lost messages");
        }
    }

    /// The stream of removals loses one.
    async fn lose_removal(&mut self) {
        if let Some(removal) = self.stores.records.removals(1).await.unwrap().pop() {
            let records = &self.stores.records;
            records.ack_removal(removal.sequence).await.unwrap();
            self.count("lost removals");
        }
    }

    async fn change_terms(&mut self) {
        if !self.random.one_in(4) {
            return;
        }
        let id = self.practices[self.random.index(PRACTICES)].clone();
        let months = 3 + u16::try_from(self.random.below(22)).unwrap();
        let practices = &self.stores.ports.practices;
        let mut practice = practices.get(&id).await.unwrap().unwrap();
        practice.retention_months = months;
        practice.bundle_days = u16::try_from(self.random.below(30)).unwrap();
        practices.put(practice).await.unwrap().unwrap();
        self.months.insert(id.clone(), months);
        for scan in self.scans.iter_mut().filter(|s| s.key.practice == id) {
            // What was over before stays over.
            if !scan.is_over(self.stores.clock.now_secs()) {
                scan.months[1] = months;
            }
        }
        self.count("terms changed");
    }

    /// A full sweep with nothing in the way, after which nothing may be left behind.
    async fn full_sweep(&mut self) {
        self.settle().await;
        for _ in 0..2 {
            let faults = Faults::default();
            self.stores.sweep(&faults).full(|_| Ok(())).await.unwrap();
            self.settle().await;
        }
        for scan in &mut self.scans {
            scan.months[0] = scan.months[1];
        }
        // Young objects without a record are left to their workers: give them the time.
        self.stores.clock.advance_ms(3_601_000);
        let faults = Faults::default();
        self.stores.sweep(&faults).full(|_| Ok(())).await.unwrap();
        self.settle().await;
        self.count("full sweeps");
        for index in 0..self.scans.len() {
            self.check(index).await;
            self.check_settled(index).await;
        }
        self.check_stores().await;
    }

    /// The tokens that went out about a scan, in order.
    fn tokens(&self, index: usize) -> Vec<String> {
        let address = address(index);
        let sent = self.stores.mailer.sent();
        let ours = sent.iter().filter(|(_, mail)| *mail.to.reveal() == address);
        ours.filter_map(|(_, mail)| {
            let line = mail.text.lines().find(|line| line.contains("/r/"))?;
            Some(line.rsplit('/').next()?.to_owned())
        })
        .collect()
    }

    /// Whether a token opens a page now, as the edge decides it.
    fn opens(&self, token: &str) -> bool {
        let keys = KeySet::new(self.stores.key.public());
        let now = u64::try_from(self.now()).unwrap();
        let Ok(claims) = verify(token, &keys, now) else {
            return false;
        };
        let key = report_asset(claims.report_id, "report.html").unwrap();
        let objects = self.stores.objects.snapshot_of(&key);
        claims.flags == Flags::NONE
            && objects.is_some_and(|page| {
                page.head.metadata.get(META_EPOCH) == Some(&claims.epoch.to_string())
            })
    }

    /// What must hold at every moment.
    async fn check(&self, index: usize) {
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
    async fn check_settled(&self, index: usize) {
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
        let key = report_asset(record.report_id.unwrap(), "report.html").unwrap();
        let page = self.stores.objects.snapshot_of(&key);
        let page = page.unwrap_or_else(|| panic!("report removed early: {scan:?}"));
        let text = String::from_utf8(page.bytes).unwrap();
        assert_eq!(text, format!("<p>{}</p>", scan.name), "{scan:?}");
        assert_eq!(page.head.metadata.contains_key("usage"), scan.has_objected);
    }

    /// Everything in the stores belongs to a record that may have it.
    async fn check_stores(&mut self) {
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

fn address(index: usize) -> String {
    format!("patient{index}@example.org")
}
