//! The stores of a data folder, opened: by the process that runs on it, or beside it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use dermalia_embedded::{
    Database, DirectoryObjects, FileKeyWrap, Layout, Outbox, QueuePolicy, SqliteAccesses,
    SqliteAudit, SqliteDataKeys, SqlitePractices, SqliteQueue, SqliteRecords, load_or_create_key,
};
use dermalia_link::SigningKey;
use dermalia_record::port::{PortError, Ports, Removal};
use dermalia_record::{
    Audit, Clock, PracticeId, ScanKey, ScanRecord, Settings, SystemClock, Vault,
};
use dermalia_report_function::{issue_link, link_url, revoke_links};
use dermalia_rights::Rights;
use dermalia_sweep::{Found, Sweep};

/// The ports of a data folder with all that belongs to them.
#[derive(Clone)]
pub(crate) struct Local {
    pub(crate) ports: Ports,
    pub(crate) objects: DirectoryObjects,
    pub(crate) database: Database,
    pub(crate) records: SqliteRecords,
    pub(crate) uploads: SqliteQueue,
    pub(crate) reports: SqliteQueue,
    /// What readers have asked for through their links.
    pub(crate) requests: SqliteQueue,
    pub(crate) outbox: Outbox,
    pub(crate) key: Arc<SigningKey>,
    pub(crate) audit: Audit,
}

impl Local {
    /// Opens the data folder for the process that has taken it: what a dead one left half
    /// done is tidied and comes again.
    pub(crate) async fn take(layout: &Layout) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let objects = DirectoryObjects::open(&layout.store(), Arc::clone(&clock))?;
        let local = Self::assemble(layout, objects, clock)?;
        let leases = local.records.release_leases().await?;
        let mut messages = 0;
        for queue in [&local.uploads, &local.reports, &local.requests] {
            messages += queue.recover().await?;
        }
        if leases + messages > 0 {
            tracing::info!(
                leases,
                messages,
                "continuing what a dead process was working on"
            );
        }
        Ok(local)
    }

    /// Opens the data folder beside the process that runs on it, if one does.
    pub(crate) fn beside(data: &Path) -> anyhow::Result<Self> {
        let layout = Layout::of(data);
        ensure!(
            layout.database().is_file(),
            "{} is no data folder: expected {} in it",
            data.display(),
            layout
                .database()
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
        );
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let objects = DirectoryObjects::attach(&layout.store(), Arc::clone(&clock));
        Self::assemble(&layout, objects, clock)
    }

    fn assemble(
        layout: &Layout,
        objects: DirectoryObjects,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let database = Database::open(&layout.database())?;
        let policy = QueuePolicy::default();
        let queue = |name| SqliteQueue::new(database.clone(), name, policy, Arc::clone(&clock));
        let (uploads, reports) = (queue("uploads"), queue("reports"));
        let requests = queue(super::link_server::REQUEST_QUEUE);
        let records = SqliteRecords::new(database.clone(), Arc::clone(&clock));
        let outbox = Outbox::open(&layout.outbox())?;
        let key = Arc::new(load_or_create_key(&layout.signing_key())?);
        let ports = Ports {
            objects: Arc::new(objects.clone()),
            records: Arc::new(records.clone()),
            uploads: Arc::new(uploads.clone()),
            reports: Arc::new(reports.clone()),
            mailer: Arc::new(outbox.clone()),
            practices: Arc::new(SqlitePractices::new(database.clone())),
            accesses: Arc::new(SqliteAccesses::new(database.clone(), Arc::clone(&clock))),
            vault: Vault {
                keys: Arc::new(SqliteDataKeys::new(Database::open(&layout.data_keys())?)),
                wrap: Arc::new(FileKeyWrap::load_or_create(&layout.sealing_key())?),
            },
            clock: Arc::clone(&clock),
        };
        let audit = Audit {
            store: Arc::new(SqliteAudit::new(database.clone())),
            key: Arc::new(load_or_create_key(&layout.audit_key())?),
            clock,
        };
        Ok(Self {
            ports,
            objects,
            database,
            records,
            uploads,
            reports,
            requests,
            outbox,
            key,
            audit,
        })
    }

    /// The rights of patients over this folder.
    pub(crate) fn rights(&self, settings: Settings) -> Rights {
        Rights {
            ports: self.ports.clone(),
            audit: self.audit.clone(),
            settings: Arc::new(settings),
            key: Arc::clone(&self.key),
        }
    }

    fn sweeper(&self, settings: &Settings) -> Sweep {
        Sweep {
            ports: self.ports.clone(),
            audit: self.audit.clone(),
            settings: Arc::new(settings.clone()),
        }
    }

    /// Removes what is due.
    pub(crate) async fn remove_due(&self, settings: &Settings) -> Result<Found, PortError> {
        let sweeper = self.sweeper(settings);
        let found = sweeper.due(|removal| self.forget_mails(removal)).await?;
        self.tidy(&found).await?;
        Ok(found)
    }

    /// Looks at everything there is, and puts right what is not.
    pub(crate) async fn sweep(&self, settings: &Settings) -> anyhow::Result<Found> {
        let sweeper = self.sweeper(settings);
        let found = sweeper.full(|removal| self.forget_mails(removal)).await?;
        self.tidy(&found).await?;
        Ok(found)
    }

    /// The outbox stands for a mail service, which forgets too.
    fn forget_mails(&self, removal: &Removal) -> Result<(), PortError> {
        for key in removal.record.mail_keys() {
            self.outbox.forget(&key)?;
        }
        Ok(())
    }

    /// Deleted records leave no copy in the database's log.
    async fn tidy(&self, found: &Found) -> Result<(), PortError> {
        if found.is_empty() {
            return Ok(());
        }
        self.database.checkpoint().await
    }

    /// The scan of that id; the practice is needed only where two have it.
    pub(crate) async fn find(
        &self,
        scan: &str,
        practice: Option<&str>,
    ) -> anyhow::Result<ScanRecord> {
        let practice = practice.map(str::parse::<PracticeId>).transpose()?;
        let scan = scan.parse()?;
        let mut found: Vec<ScanRecord> = match practice {
            Some(practice) => {
                let key = ScanKey { practice, scan };
                self.ports.records.get(&key).await?.into_iter().collect()
            }
            None => {
                let all = self.records.all().await?;
                all.into_iter()
                    .filter(|record| record.key.scan == scan)
                    .collect()
            }
        };
        match (found.pop(), found.is_empty()) {
            (Some(record), true) => Ok(record),
            (Some(_), false) => bail!("more than one practice has a scan of that id: name one"),
            (None, _) => bail!("there is no such scan, or its retention has ended"),
        }
    }

    /// Issues a link with a new life.
    pub(crate) async fn issue_link(
        &self,
        scan: &ScanKey,
        settings: &Settings,
    ) -> anyhow::Result<ScanRecord> {
        Ok(issue_link(&self.ports, settings, scan).await?)
    }

    /// Revokes every link of a scan.
    pub(crate) async fn revoke_links(&self, scan: &ScanKey) -> anyhow::Result<ScanRecord> {
        Ok(revoke_links(&self.ports, scan).await?)
    }

    /// The address of the current link, if there is one.
    pub(crate) fn link_url(&self, record: &ScanRecord, settings: &Settings) -> Option<String> {
        link_url(record, settings, &self.key)
    }
}

/// The settings under which the service on this data folder ran last.
pub(crate) fn settings_of(data: &Path) -> anyhow::Result<Settings> {
    let path = Layout::of(data).public_url();
    let base_url = std::fs::read_to_string(&path).with_context(|| {
        format!(
            "{} cannot be read: has `dermalia serve` run on this folder?",
            path.display()
        )
    })?;
    Ok(Settings {
        base_url: base_url.trim().to_owned(),
        ..Settings::default()
    })
}
