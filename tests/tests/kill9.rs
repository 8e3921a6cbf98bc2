//! `dermalia serve` is killed (SIGKILL) at random moments while 50 scans are uploaded and
//! processed. Afterwards every scan has exactly one findings set, one report, one live
//! link and one e-mail.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use dermalia_embedded::{
    Database, DirectoryObjects, Layout, QueuePolicy, SqliteQueue, SqliteRecords, load_or_create_key,
};
use dermalia_phantom::{Phantom, PhantomOptions};
use dermalia_record::port::{ObjectStore, Queue};
use dermalia_record::{Clock, Phase, Settings, SystemClock, findings_prefix, report_prefix};
use dermalia_report_function::link_url;

use crate::program::Files;
use crate::service::{Service, free_address, renamed, request};

const SCANS: usize = 50;
const KILLS: usize = 6;
/// Far more than the test needs; a hang must end it.
const PATIENCE: Duration = Duration::from_secs(300);

/// Uploads one scan as a scanner does: each file until it is confirmed, the manifest last.
fn upload(address: SocketAddr, scan: &str, files: &Files) {
    for (name, content) in files {
        let start = Instant::now();
        loop {
            let head = format!("PUT /upload/praxis-demo/{scan}/{name} HTTP/1.1");
            match request(address, &head, content) {
                Some(answer) if answer.status == 201 => break,
                Some(answer) => panic!("{scan}/{name}: {answer:?}"),
                // Killed in the middle: the scanner tries again.
                None => thread::sleep(Duration::from_millis(50)),
            }
            assert!(
                start.elapsed() < PATIENCE,
                "{scan}/{name} cannot be uploaded"
            );
        }
    }
}

/// xorshift64*: the moments of the kills; the seed is printed, so that a failure repeats.
struct Moments(u64);

impl Moments {
    fn next_ms(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % below
    }
}

#[test]
fn nothing_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let address = free_address();
    let seed = std::env::var("KILL9_SEED")
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(|| {
            let since = std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap();
            since.as_nanos() as u64 | 1
        });
    eprintln!("KILL9_SEED={seed}");
    let mut moments = Moments(seed);

    let bundles: Vec<Files> = (0..3)
        .map(|seed| {
            // Quick to measure: what is tested is what happens between the steps.
            let options = PhantomOptions {
                seed,
                size_px: 128,
                lights: PhantomOptions::default().lights[..1].to_vec(),
                relief: false,
                clean: true,
                ..PhantomOptions::default()
            };
            Phantom::generate(&options).unwrap().files
        })
        .collect();
    let names: Vec<String> = (0..SCANS).map(|n| format!("KILLED-{n:04}")).collect();

    let start = Instant::now();
    let uploaded = Arc::new(AtomicUsize::new(0));
    let uploader = {
        let (names, uploaded) = (names.clone(), Arc::clone(&uploaded));
        thread::spawn(move || {
            for (n, name) in names.iter().enumerate() {
                let email = format!("patient-{n}@example.org");
                upload(
                    address,
                    name,
                    &renamed(&bundles[n % bundles.len()], name, &email),
                );
                uploaded.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    for kill in 0..KILLS {
        let child = Service::start(&data, address);
        thread::sleep(Duration::from_millis(100 + moments.next_ms(6_000)));
        child.kill();
        eprintln!(
            "kill {kill} at {:.1} s, {} uploaded",
            start.elapsed().as_secs_f64(),
            uploaded.load(Ordering::SeqCst)
        );
    }
    let child = Service::start(&data, address);
    uploader.join().unwrap();

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let layout = Layout::of(&data);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let database = Database::open(&layout.database()).unwrap();
    let records = SqliteRecords::new(database.clone(), Arc::clone(&clock));
    let done = || {
        let all = runtime.block_on(records.all()).unwrap();
        all.iter()
            .filter(|record| record.phase() == Phase::Delivered)
            .count()
    };
    while done() < SCANS {
        let log = || fs::read_to_string(data.with_extension("log")).unwrap();
        assert!(
            start.elapsed() < PATIENCE,
            "{} of {SCANS} delivered\n{}",
            done(),
            log()
        );
        thread::sleep(Duration::from_millis(100));
    }
    eprintln!("all delivered at {:.1} s", start.elapsed().as_secs_f64());

    // Late duplicates of every manifest's event change nothing.
    let queue = |name| {
        SqliteQueue::new(
            database.clone(),
            name,
            QueuePolicy::default(),
            Arc::clone(&clock),
        )
    };
    let queues = [queue("uploads"), queue("reports")];
    let objects = DirectoryObjects::attach(&layout.store(), Arc::clone(&clock));
    let before = runtime.block_on(records.all()).unwrap();
    runtime.block_on(async {
        for record in &before {
            let source = record.source.as_ref().unwrap();
            let event = dermalia_record::event::object_created(&source.key, &source.version, 1);
            queues[0].send(&event, 0).await.unwrap();
        }
    });
    loop {
        let depths = queues
            .each_ref()
            .map(|queue| runtime.block_on(queue.depth()).unwrap());
        if depths
            .iter()
            .all(|depth| depth.waiting + depth.in_flight == 0)
        {
            assert!(depths.iter().all(|depth| depth.dead == 0), "{depths:?}");
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{depths:?}");
        thread::sleep(Duration::from_millis(100));
    }
    let all = runtime.block_on(records.all()).unwrap();
    assert_eq!(all, before);

    assert_eq!(
        all.iter().map(|r| r.key.scan.as_str()).collect::<Vec<_>>(),
        names
    );
    let key = load_or_create_key(&layout.signing_key()).unwrap();
    let base_url = fs::read_to_string(layout.public_url()).unwrap();
    let settings = Settings {
        base_url: base_url.trim().to_owned(),
        ..Settings::default()
    };
    let mut reports = BTreeSet::new();
    for record in &all {
        let report = record.report_id.unwrap();
        assert!(
            reports.insert(report.to_string()),
            "two scans share a report"
        );
        let run = record.run.as_ref().unwrap().to_string();
        let prefix = findings_prefix(&record.key);
        let findings = runtime
            .block_on(objects.list(&prefix, 1_000))
            .unwrap()
            .objects;
        assert!(
            findings.iter().any(|o| o.key.ends_with("/findings.json")),
            "{}",
            record.key
        );
        assert!(
            findings.iter().all(|o| {
                // The run's own findings, and what is kept of its bundle.
                let rest = &o.key[prefix.len()..];
                rest.strip_prefix("bundle/")
                    .unwrap_or(rest)
                    .starts_with(&run)
            }),
            "{}",
            record.key
        );
        let assets = runtime
            .block_on(objects.list(&report_prefix(report), 1_000))
            .unwrap()
            .objects;
        assert_eq!(
            assets
                .iter()
                .filter(|o| o.key.ends_with("/report.html"))
                .count(),
            1
        );

        let url = link_url(record, &settings, &key).unwrap();
        let path = &url[settings.base_url.len()..];
        let answer = request(address, &format!("GET {path} HTTP/1.1"), b"").unwrap();
        assert_eq!(answer.status, 200, "{}", record.key);
        assert!(
            answer.body.starts_with(b"<!DOCTYPE html>"),
            "{}",
            record.key
        );
    }
    let arrived = runtime.block_on(objects.list("incoming/", 1_000)).unwrap();
    assert!(arrived.objects.is_empty(), "{:?}", arrived.objects);
    let folders = fs::read_dir(layout.store().join("objects/reports")).unwrap();
    let stored: BTreeSet<String> = folders
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(stored, reports, "a report that no record knows");

    let mut recipients = BTreeSet::new();
    for mail in fs::read_dir(layout.outbox()).unwrap() {
        let text = fs::read_to_string(mail.unwrap().path()).unwrap();
        let to = text
            .lines()
            .find(|l| l.starts_with("To: "))
            .unwrap()
            .to_owned();
        assert!(recipients.insert(to), "a patient got two mails");
    }
    assert_eq!(recipients.len(), SCANS);

    child.stop();
    eprintln!(
        "{SCANS} scans, {KILLS} kills: {:.1} s",
        start.elapsed().as_secs_f64()
    );
}
