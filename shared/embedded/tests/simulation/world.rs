//! The steps of the simulation and what must hold after each.

mod checks;
mod requests;

use std::cell::RefCell;
use std::collections::BTreeMap;

use dermalia_embedded::fault::{Faults, Then, When};
use dermalia_embedded::worker::{Step, step};
use dermalia_link::Claims;
use dermalia_record::port::{Body, Queue, RecordStore};
use dermalia_record::{Clock, Phase, Practice, PracticeId, ScanKey};
use dermalia_scan::Limits;
use dermalia_upload::{Received, Target, accept, announce};
use jiff::Timestamp;

use crate::model::{Every, Expected, Random};
use crate::stores::Stores;

const PRACTICES: usize = 20;
const YEARS_SECS: u64 = 3 * 365 * 86_400;
/// How many scans that were not touched are looked at after each step, in turn.
const SHARE: usize = 8;

pub(crate) struct World {
    stores: Stores,
    random: Random,
    practices: Vec<PracticeId>,
    months: BTreeMap<PracticeId, u16>,
    scans: Vec<Expected>,
    /// Scans still to come.
    to_come: usize,
    steps: usize,
    /// A sweep that may crash; one with nothing in the way, after which all is looked at;
    /// a practice that agrees something else.
    every: [Every; 3],
    /// The scan whose turn it is to be looked at.
    turn: usize,
    /// Whoever's time was up by then was looked at.
    looked_at_secs: i64,
    /// The tokens that went out, with what they claim.
    verified: RefCell<BTreeMap<String, Claims>>,
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
            every: [Every::days(9), Every::days(30), Every::days(16)],
            turn: 0,
            looked_at_secs: 0,
            verified: RefCell::default(),
            counts: BTreeMap::new(),
        }
    }

    pub(crate) fn summary(&self) -> String {
        format!("{:?}", self.counts)
    }

    /// How many objects there are.
    pub(crate) fn objects(&self) -> usize {
        self.stores.objects.snapshot().len()
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
            _ => {
                // The database removes what is due in its own time.
                if self.random.one_in(3) {
                    drop(self.stores.records.expire_due(5).await);
                }
            }
        }
        let now_ms = self.stores.clock.now_ms();
        let [crashing, whole, terms] =
            [0, 1, 2].map(|n: usize| self.every[n].is_due(now_ms, &mut self.random));
        if terms {
            self.change_terms().await;
        }
        if crashing {
            let faults = self.faults();
            drop(self.stores.sweep(&faults).full(|_| Ok(())).await);
            self.restart(&faults).await;
            self.count("sweeps");
        }
        if whole {
            self.full_sweep().await;
        }
        self.work().await;
        for _ in 0..SHARE.min(self.scans.len()) {
            self.turn = (self.turn + 1) % self.scans.len();
            touched.push(self.turn);
        }
        touched.extend(self.just_over());
        for index in touched {
            self.check(index).await;
        }
    }

    /// The scans whose time is up since this was asked last.
    fn just_over(&mut self) -> Vec<usize> {
        let (since, now) = (self.looked_at_secs, self.now());
        self.looked_at_secs = now;
        let over = |scan: &Expected| (since..now).contains(&(scan.over_from() - 1));
        let scans = self.scans.iter().enumerate();
        scans.filter(|(_, s)| over(s)).map(|(n, _)| n).collect()
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
        let end = Expected::end_after(&captured_at, self.months[&practice]);
        let previous = self.any_of(&practice);
        if let Some(previous) = previous {
            self.scans[previous].later.push(n);
        }
        self.scans.push(Expected {
            key,
            captured_at,
            name: format!("Vorname{n}"),
            is_erased: false,
            is_restricted: false,
            has_objected: false,
            dead_mails: 0,
            previous,
            later: Vec::new(),
            ends: [end; 2],
            uploaded_at_secs: self.now(),
        });
        self.put_files(n).await;
        n
    }

    /// Every second scan names an earlier one of its practice, whatever became of it.
    fn any_of(&mut self, practice: &PracticeId) -> Option<usize> {
        let index = self.any_scan()?;
        let all = self.scans.iter().enumerate().skip(index);
        let mut ours = all.filter(|(_, scan)| scan.key.practice == *practice);
        let found = ours.next().map(|(n, _)| n);
        found.filter(|_| self.random.one_in(2))
    }

    async fn put_files(&mut self, index: usize) {
        let scan = self.scans[index].clone();
        let previous = scan.previous.map(|n| self.scans[n].key.scan.clone());
        let manifest = serde_json::json!({
            "captured_at": scan.captured_at,
            "previous_scan_id": previous,
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
                scan.ends[1] = Expected::end_after(&scan.captured_at, months);
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
            scan.ends[0] = scan.ends[1];
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
}

fn address(index: usize) -> String {
    format!("patient{index}@example.org")
}
