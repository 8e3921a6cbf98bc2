//! A cloud in memory that a test drives step by step.

use std::collections::BTreeMap;
use std::sync::Arc;

use dermalia_analyze::{Analyze, Artefact, Bundle, MeasureError, Measured, Measurer, PatientData};
use dermalia_embedded::fault::Faults;
use dermalia_embedded::worker::{Step, step};
use dermalia_embedded::{
    Database, FileKeyWrap, MemoryMailer, MemoryObjects, QueuePolicy, SqliteAccesses, SqliteAudit,
    SqliteDataKeys, SqlitePractices, SqliteQueue, SqliteRecords,
};
use dermalia_expire::Expire;
use dermalia_link::{KeyId, KeySet, SigningKey};
use dermalia_record::port::{Body, Ports, Queue, RecordStore};
use dermalia_record::{
    Audit, DataKey, ManualClock, Personal, ScanKey, ScanRecord, Settings, Vault,
};
use dermalia_report_function::{Page, Renderer, Report, ReportFile};
use dermalia_scan::Limits;
use dermalia_upload::{Accepted, Received, Target, accept, announce};

/// 2026-05-15T08:00:00Z, a day after the scans were captured.
pub(crate) const START_MS: i64 = 1_778_832_000_000;
pub(crate) const CAPTURED_AT: &str = "2026-05-14T09:31:00+02:00";

/// Understands `key=value` lines in the manifest: `email`, `previous`, `refuse`,
/// `fault`, `panic`.
pub(crate) struct LineMeasurer;

impl Measurer for LineMeasurer {
    fn algorithm(&self) -> &str {
        "stand-in 1"
    }

    fn measure(&self, _: &ScanKey, bundle: Bundle, _: &Limits) -> Result<Measured, MeasureError> {
        let Bundle::Files(files) = bundle else {
            return Ok(measured("archive", None));
        };
        let text = |name: &str| {
            let file = files.iter().find(|(n, _)| n == name);
            file.map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned())
        };
        let manifest = text("manifest.json").unwrap();
        let lines: BTreeMap<&str, &str> =
            manifest.lines().filter_map(|l| l.split_once('=')).collect();
        if lines.contains_key("panic") {
            panic!("as the manifest asks");
        }
        if let Some(reason) = lines.get("refuse") {
            return Err(MeasureError::Refused((*reason).to_owned()));
        }
        if let Some(reason) = lines.get("fault") {
            return Err(MeasureError::Fault((*reason).to_owned()));
        }
        let Some(skin) = text("white.jpg") else {
            return Err(MeasureError::Refused("white.jpg: missing".to_owned()));
        };
        let mut measured = measured(&skin, lines.get("email").copied());
        measured.previous_scan = lines.get("previous").map(|id| id.parse().unwrap());
        if let Some(captured_at) = lines.get("captured_at") {
            measured.captured_at = (*captured_at).to_owned();
        }
        Ok(measured)
    }
}

fn measured(skin: &str, email: Option<&str>) -> Measured {
    let artefact = |name: &str, text: String| Artefact {
        name: name.to_owned(),
        content_type: "application/json".to_owned(),
        bytes: text.into_bytes(),
    };
    Measured {
        captured_at: CAPTURED_AT.to_owned(),
        patient: PatientData {
            first_name: Some(Personal::new("Anna".to_owned())),
            email: email.map(|e| Personal::new(e.to_owned())),
            locale: Some("de".to_owned()),
        },
        previous_scan: None,
        artefacts: vec![
            artefact("findings.json", format!("{{\"skin\":\"{skin}\"}}")),
            artefact("heat_pores.webp", format!("map of {skin}")),
        ],
    }
}

pub(crate) struct EchoRenderer;

impl Renderer for EchoRenderer {
    fn render(&self, findings: Vec<ReportFile>, page: &Page) -> Result<Vec<ReportFile>, String> {
        let findings = findings
            .into_iter()
            .find(|f| f.name == "findings.json")
            .ok_or("no findings")?;
        let name = page.first_name.as_ref().map_or("", |n| n.reveal());
        let text = String::from_utf8_lossy(&findings.bytes).into_owned();
        let previous = page.previous.as_deref().map(String::from_utf8_lossy);
        let previous = previous.map_or(String::new(), |p| format!("before: {p}; "));
        let until = page.expires_at_secs;
        let html =
            format!("<head><style>p{{}}</style></head><p>until {until}; {previous}{name}: {text}");
        let shown = page.previous_files.clone().into_iter().map(|f| ReportFile {
            name: f.name.replace("heat_", "heat_previous_"),
            ..f
        });
        let page = ReportFile {
            name: "report.html".to_owned(),
            content_type: "text/html".to_owned(),
            bytes: html.into_bytes(),
        };
        let data = ReportFile {
            name: "data.json".to_owned(),
            ..findings
        };
        Ok([page, data].into_iter().chain(shown).collect())
    }
}

/// The stores of a cloud; handlers come and go over them, as processes do.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) clock: ManualClock,
    pub(crate) ports: Ports,
    pub(crate) objects: MemoryObjects,
    pub(crate) records: SqliteRecords,
    pub(crate) queues: [SqliteQueue; 2],
    pub(crate) mailer: MemoryMailer,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) audit: Audit,
}

pub(crate) fn scan() -> ScanKey {
    scan_named("scan-0001")
}

pub(crate) fn scan_named(name: &str) -> ScanKey {
    ScanKey {
        practice: "praxis-nord".parse().unwrap(),
        scan: name.parse().unwrap(),
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::at_ms(START_MS);
        let shared: Arc<dyn dermalia_record::Clock> = Arc::new(clock.clone());
        let database = Database::in_memory().unwrap();
        let policy = QueuePolicy {
            max_receives: 4,
            max_crashes: 100,
        };
        let queue = |name| SqliteQueue::new(database.clone(), name, policy, Arc::clone(&shared));
        let queues = [queue("uploads"), queue("reports")];
        let audit = Audit {
            store: Arc::new(SqliteAudit::new(database.clone())),
            key: Arc::new(SigningKey::from_seed(KeyId::new(2), &[8; 32])),
            clock: Arc::clone(&shared),
        };
        let objects = MemoryObjects::new(Arc::clone(&shared));
        let records = SqliteRecords::new(database.clone(), Arc::clone(&shared));
        let mailer = MemoryMailer::default();
        let ports = Ports {
            objects: Arc::new(objects.clone()),
            records: Arc::new(records.clone()),
            uploads: Arc::new(queues[0].clone()),
            reports: Arc::new(queues[1].clone()),
            mailer: Arc::new(mailer.clone()),
            practices: Arc::new(SqlitePractices::new(database.clone())),
            accesses: Arc::new(SqliteAccesses::new(database.clone(), Arc::clone(&shared))),
            vault: Vault {
                keys: Arc::new(SqliteDataKeys::new(database.clone())),
                wrap: Arc::new(FileKeyWrap::new(DataKey::from_bytes([5; 32]))),
            },
            clock: shared,
        };
        let key = Arc::new(SigningKey::from_seed(KeyId::new(1), &[7; 32]));
        Self {
            clock,
            ports,
            objects,
            records,
            queues,
            mailer,
            key,
            settings: Arc::new(Settings::default()),
            audit,
        }
    }

    pub(crate) fn expire(&self) -> Expire {
        self.expire_under(&Faults::default())
    }

    pub(crate) fn expire_under(&self, faults: &Faults) -> Expire {
        Expire {
            ports: faults.wrap(&self.ports),
            audit: faults.wrap_audit(&self.audit),
        }
    }

    pub(crate) fn analyze(&self, ports: &Ports) -> Analyze {
        Analyze::new(
            ports.clone(),
            Arc::new(LineMeasurer),
            Arc::clone(&self.settings),
        )
    }

    pub(crate) fn report(&self, ports: &Ports) -> Report {
        let (key, settings) = (Arc::clone(&self.key), Arc::clone(&self.settings));
        Report::new(ports.clone(), Arc::new(EchoRenderer), key, settings)
    }

    pub(crate) fn keys(&self) -> KeySet {
        KeySet::new(self.key.public())
    }

    /// Stores one file without saying so.
    pub(crate) async fn store(&self, file: &str, text: &str) -> Accepted {
        self.store_of(&scan(), file, text).await
    }

    async fn store_of(&self, scan: &ScanKey, file: &str, text: &str) -> Accepted {
        let received = Received {
            scan: scan.clone(),
            target: Target::File(file.to_owned()),
            body: Body::Bytes(text.as_bytes().to_vec()),
            bytes: text.len() as u64,
            sha256: String::new(),
            expected_sha256: None,
        };
        accept(&self.ports, received, &Limits::default())
            .await
            .unwrap()
    }

    /// Uploads a bundle and announces it; gives what was announced.
    pub(crate) async fn upload(&self, skin: &str, manifest: &str) -> Accepted {
        self.upload_of(&scan(), skin, manifest).await
    }

    /// The same of another scan of the practice.
    pub(crate) async fn upload_as(&self, name: &str, skin: &str, manifest: &str) -> Accepted {
        self.upload_of(&scan_named(name), skin, manifest).await
    }

    pub(crate) async fn upload_of(&self, scan: &ScanKey, skin: &str, manifest: &str) -> Accepted {
        self.clock.advance_ms(10);
        self.store_of(scan, "white.jpg", skin).await;
        self.clock.advance_ms(10);
        let accepted = self.store_of(scan, "manifest.json", manifest).await;
        assert!(accepted.completes);
        self.announce(&accepted).await;
        accepted
    }

    pub(crate) async fn announce(&self, accepted: &Accepted) {
        announce(&self.ports, accepted, 0).await.unwrap();
    }

    /// Works both queues over these ports once; tells whether anything was there.
    pub(crate) async fn turn(&self, ports: &Ports) -> bool {
        let analyze = self.analyze(ports);
        let first = step(ports.uploads.as_ref(), |body, attempt| async move {
            analyze.handle(&body, attempt).await.map(drop)
        })
        .await;
        let report = self.report(ports);
        let second = step(ports.reports.as_ref(), |body, attempt| async move {
            report.handle(&body, attempt).await.map(drop)
        })
        .await;
        !(matches!(first, Ok(Step::Idle)) && matches!(second, Ok(Step::Idle)))
    }

    /// Works until nothing is left but dead letters, letting time pass as needed.
    pub(crate) async fn settle(&self) {
        for _ in 0..400 {
            while self.turn(&self.ports).await {}
            let mut left = 0;
            for queue in &self.queues {
                let depth = queue.depth().await.unwrap();
                left += depth.waiting + depth.in_flight;
            }
            if left == 0 {
                return;
            }
            self.clock.advance_ms(20_000);
        }
        panic!("the queues never run empty");
    }

    /// What a restart does after the process has died.
    pub(crate) async fn restart(&self) {
        self.records.release_leases().await.unwrap();
        for queue in &self.queues {
            queue.recover().await.unwrap();
        }
    }

    pub(crate) async fn record(&self) -> ScanRecord {
        self.records.get(&scan()).await.unwrap().expect("a record")
    }

    pub(crate) fn keys_under(&self, prefix: &str) -> Vec<String> {
        self.objects
            .snapshot()
            .into_keys()
            .filter(|k| k.starts_with(prefix))
            .collect()
    }

    /// The state that every order of events and faults must end in: one findings set, one
    /// report of this skin, one mail (or none), one live link.
    pub(crate) async fn assert_delivered(&self, skin: &str, mails: usize, context: &str) {
        let record = self.record().await;
        assert_eq!(
            record.phase(),
            dermalia_record::Phase::Delivered,
            "{context}"
        );
        assert_eq!(record.lease, None, "{context}");
        let run = record.run.as_ref().expect("a run").to_string();
        let report = record.report_id.expect("a report");
        assert_eq!(
            self.keys_under("findings/"),
            [
                format!("findings/praxis-nord/scan-0001/{run}/findings.json"),
                format!("findings/praxis-nord/scan-0001/{run}/heat_pores.webp"),
            ],
            "{context}"
        );
        assert_eq!(
            self.keys_under("reports/"),
            [
                format!("reports/{report}/data.json"),
                format!("reports/{report}/report.html")
            ],
            "{context}"
        );
        let page = &self.objects.snapshot()[&format!("reports/{report}/report.html")];
        let text = String::from_utf8(page.bytes.clone()).unwrap();
        assert!(
            text.ends_with(&format!("Anna: {{\"skin\":\"{skin}\"}}")),
            "{context}: {text}"
        );
        assert_eq!(page.head.metadata["run"], run, "{context}");
        assert_eq!(
            page.head.metadata["epoch"],
            record.epoch.number().to_string(),
            "{context}"
        );
        assert!(
            page.head.metadata.contains_key("csp-style-sha256"),
            "{context}"
        );

        let sent = self.mailer.sent();
        assert_eq!(sent.len(), mails, "{context}");
        let url = dermalia_report_function::link_url(&record, &self.settings, &self.key).unwrap();
        for (_, mail) in &sent {
            assert!(
                mail.text.contains(&url),
                "{context}: the mail carries the live link"
            );
        }
        let token = url.rsplit('/').next().unwrap();
        let now = u64::try_from(dermalia_record::Clock::now_secs(&self.clock)).unwrap();
        let claims = dermalia_link::verify(token, &self.keys(), now).expect("a live link");
        assert!(
            claims.authorises(report, record.epoch.number()),
            "{context}"
        );
        for queue in &self.queues {
            assert_eq!(queue.depth().await.unwrap().dead, 0, "{context}");
        }
    }
}
