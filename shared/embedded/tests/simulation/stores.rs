//! The stores of a cloud in memory, and stand-ins for analysis and page.

use std::sync::Arc;

use dermalia_analyze::{Analyze, Artefact, Bundle, MeasureError, Measured, Measurer, PatientData};
use dermalia_embedded::fault::Faults;
use dermalia_embedded::{
    Database, FileKeyWrap, MemoryMailer, MemoryObjects, QueuePolicy, SqliteAccesses, SqliteAudit,
    SqliteDataKeys, SqlitePractices, SqliteQueue, SqliteRecords,
};
use dermalia_link::{KeyId, SigningKey};
use dermalia_record::port::Ports;
use dermalia_record::{Audit, Clock, DataKey, ManualClock, Personal, ScanKey, Settings, Vault};
use dermalia_report_function::{Page, Renderer, Report, ReportFile};
use dermalia_rights::Rights;
use dermalia_scan::Limits;
use dermalia_sweep::Sweep;

/// 2026-01-01T00:00:00Z.
pub(crate) const START_MS: i64 = 1_767_225_600_000;

struct JsonMeasurer;

impl Measurer for JsonMeasurer {
    fn algorithm(&self) -> &str {
        "simulated 1"
    }

    fn measure(&self, key: &ScanKey, bundle: Bundle, _: &Limits) -> Result<Measured, MeasureError> {
        let Bundle::Files(files) = bundle else {
            return Err(MeasureError::Refused("a folder is expected".to_owned()));
        };
        let manifest = files.iter().find(|(name, _)| name == "manifest.json");
        let manifest: serde_json::Value = serde_json::from_slice(&manifest.unwrap().1).unwrap();
        let text = |field: &str| {
            let value = manifest["patient"][field].as_str();
            value.map(|v| Personal::new(v.to_owned()))
        };
        Ok(Measured {
            captured_at: manifest["captured_at"].as_str().unwrap().to_owned(),
            patient: PatientData {
                first_name: text("first_name"),
                email: text("email"),
                locale: None,
            },
            previous_scan: manifest["previous_scan_id"]
                .as_str()
                .map(|id| id.parse().unwrap()),
            artefacts: vec![Artefact {
                name: "findings.json".to_owned(),
                content_type: "application/json".to_owned(),
                bytes: findings_text(key).into_bytes(),
            }],
        })
    }
}

/// What a report says: to whom, until when, and what of the scan before.
pub(crate) fn page_text(name: &str, until: i64, previous: Option<&str>) -> String {
    format!(
        "<p>{name}<p>until {until}<p>{}",
        previous.unwrap_or("first")
    )
}

/// What is measured on a scan.
pub(crate) fn findings_text(key: &ScanKey) -> String {
    format!("findings of {key}")
}

/// What a report shows of the scan before.
pub(crate) const PREVIOUS: &str = "previous.glb";

struct NameRenderer;

impl Renderer for NameRenderer {
    fn render(&self, _: Vec<ReportFile>, page: &Page) -> Result<Vec<ReportFile>, String> {
        let name = page.first_name.as_ref().map_or("", |name| name.reveal());
        let previous = page.previous.as_deref().map(String::from_utf8_lossy);
        let text = page_text(name, page.expires_at_secs, previous.as_deref());
        let file = |name: &str, text: String| ReportFile {
            name: name.to_owned(),
            content_type: "text/html".to_owned(),
            bytes: text.into_bytes(),
        };
        let mut files = vec![
            file("report.html", text.clone()),
            file("report.en.html", text),
            file("data.json", "{}".to_owned()),
        ];
        files.extend(previous.map(|text| file(PREVIOUS, text.into_owned())));
        Ok(files)
    }
}

/// The stores; handlers come and go over them, as processes do.
pub(crate) struct Stores {
    pub(crate) clock: ManualClock,
    pub(crate) ports: Ports,
    pub(crate) objects: MemoryObjects,
    pub(crate) records: SqliteRecords,
    pub(crate) queues: [SqliteQueue; 3],
    pub(crate) mailer: MemoryMailer,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) settings: Arc<Settings>,
    pub(crate) audit: Audit,
}

impl Stores {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::at_ms(START_MS);
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let database = Database::in_memory().unwrap();
        let policy = QueuePolicy {
            max_receives: 1_000,
            max_crashes: 1_000,
        };
        let queue = |name| SqliteQueue::new(database.clone(), name, policy, Arc::clone(&shared));
        let queues = [queue("uploads"), queue("reports"), queue("requests")];
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
                keys: Arc::new(SqliteDataKeys::new(Database::in_memory().unwrap())),
                wrap: Arc::new(FileKeyWrap::new(DataKey::from_bytes([5; 32]))),
            },
            clock: Arc::clone(&shared),
        };
        let audit = Audit {
            store: Arc::new(SqliteAudit::new(database)),
            key: Arc::new(SigningKey::from_seed(KeyId::new(2), &[8; 32])),
            clock: shared,
        };
        Self {
            clock,
            ports,
            objects,
            records,
            queues,
            mailer,
            key: Arc::new(SigningKey::from_seed(KeyId::new(1), &[7; 32])),
            settings: Arc::new(Settings::default()),
            audit,
        }
    }

    pub(crate) fn analyze(&self, faults: &Faults) -> Analyze {
        let settings = Arc::clone(&self.settings);
        Analyze::new(faults.wrap(&self.ports), Arc::new(JsonMeasurer), settings)
    }

    pub(crate) fn report(&self, faults: &Faults) -> Report {
        let (key, settings) = (Arc::clone(&self.key), Arc::clone(&self.settings));
        Report::new(
            faults.wrap(&self.ports),
            Arc::new(NameRenderer),
            key,
            settings,
        )
    }

    pub(crate) fn rights(&self, faults: &Faults) -> Rights {
        Rights {
            ports: faults.wrap(&self.ports),
            audit: faults.wrap_audit(&self.audit),
            settings: Arc::clone(&self.settings),
            key: Arc::clone(&self.key),
        }
    }

    pub(crate) fn sweep(&self, faults: &Faults) -> Sweep {
        Sweep {
            ports: faults.wrap(&self.ports),
            audit: faults.wrap_audit(&self.audit),
            settings: Arc::clone(&self.settings),
        }
    }
}
