//! Where an operator's command works: a data folder, or a stage on AWS.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::bail;
use dermalia_link::SigningKey;
use dermalia_record::port::{Ports, Queue};
use dermalia_record::{Audit, PracticeId, ScanKey, Settings};
use dermalia_rights::Rights;
use dermalia_sweep::Found;

use crate::serve::{Local, settings_of};

/// How many practices are looked through at once.
const PAGE: usize = 100;

/// What `practice`, `ops`, `rights`, `audit` and `sweep` work on.
pub(crate) struct Place {
    pub(crate) ports: Ports,
    pub(crate) audit: Audit,
    /// The queues by their names.
    pub(crate) queues: Vec<(&'static str, Arc<dyn Queue>)>,
    key: Arc<SigningKey>,
    home: Home,
}

/// What the two kinds of place do not have in common.
enum Home {
    Folder(Box<Local>, PathBuf),
    #[cfg(feature = "aws")]
    Stage(Settings),
}

impl Place {
    /// The place that `--data` names.
    pub(crate) async fn of(data: &Path) -> anyhow::Result<Self> {
        if let Some(stage) = data.to_str().and_then(|text| text.strip_prefix("aws:")) {
            return Self::of_stage(stage).await;
        }
        let local = Local::beside(data)?;
        Ok(Self {
            ports: local.ports.clone(),
            audit: local.audit.clone(),
            queues: vec![
                ("uploads", Arc::new(local.uploads.clone())),
                ("reports", Arc::new(local.reports.clone())),
            ],
            key: Arc::clone(&local.key),
            home: Home::Folder(Box::new(local), data.to_owned()),
        })
    }

    #[cfg(feature = "aws")]
    async fn of_stage(stage: &str) -> anyhow::Result<Self> {
        let deployment = dermalia_cloud::Deployment::of_stage(stage).await?;
        let key = Arc::new(deployment.signing_key().await?);
        Ok(Self {
            ports: deployment.ports()?,
            audit: Audit {
                store: Arc::new(deployment.audit()?),
                key: Arc::clone(&key),
                clock: deployment.clock(),
            },
            queues: vec![
                ("uploads", Arc::new(deployment.uploads()?)),
                ("reports", Arc::new(deployment.reports()?)),
                ("accesses", Arc::new(deployment.queue_of_accesses()?)),
                ("requests", Arc::new(deployment.queue_of_requests()?)),
            ],
            key,
            home: Home::Stage(deployment.settings()?),
        })
    }

    #[cfg(not(feature = "aws"))]
    async fn of_stage(stage: &str) -> anyhow::Result<Self> {
        anyhow::bail!("`aws:{stage}` needs a build with `--features aws`")
    }

    fn settings(&self) -> anyhow::Result<Settings> {
        match &self.home {
            Home::Folder(_, data) => settings_of(data),
            #[cfg(feature = "aws")]
            Home::Stage(settings) => Ok(settings.clone()),
        }
    }

    /// The rights of patients here.
    pub(crate) fn rights(&self) -> anyhow::Result<Rights> {
        Ok(Rights {
            ports: self.ports.clone(),
            audit: self.audit.clone(),
            settings: Arc::new(self.settings()?),
            key: Arc::clone(&self.key),
        })
    }

    /// Looks at everything there is, and puts right what is not.
    pub(crate) async fn sweep(&self) -> anyhow::Result<Found> {
        match &self.home {
            Home::Folder(local, data) => local.sweep(&settings_of(data)?).await,
            #[cfg(feature = "aws")]
            Home::Stage(settings) => {
                let sweep = dermalia_sweep::Sweep {
                    ports: self.ports.clone(),
                    audit: self.audit.clone(),
                    settings: Arc::new(settings.clone()),
                };
                // What a removed record leaves behind is the stream's business.
                Ok(sweep.full(|_| Ok(())).await?)
            }
        }
    }

    /// Follows an erasure to what only the stream of removals reaches; on AWS the function
    /// `expire` does.
    pub(crate) async fn follow_removals(&self) -> anyhow::Result<()> {
        match &self.home {
            Home::Folder(local, data) => {
                local.remove_due(&settings_of(data)?).await?;
            }
            #[cfg(feature = "aws")]
            Home::Stage(_) => {}
        }
        Ok(())
    }

    /// Which scan is meant: also one that was erased, of which only the audit log knows.
    pub(crate) async fn scan(&self, scan: &str, practice: Option<&str>) -> anyhow::Result<ScanKey> {
        let scan = scan.parse()?;
        if let Some(practice) = practice {
            let practice = practice.parse()?;
            return Ok(ScanKey { practice, scan });
        }
        let audited = self.audit.store.practices().await?;
        let mut found = Vec::new();
        for practice in self.practices(&audited).await? {
            let key = ScanKey {
                practice,
                scan: scan.clone(),
            };
            if self.ports.records.get(&key).await?.is_some() {
                found.push(key);
            }
        }
        if found.is_empty() {
            for practice in audited {
                if !self.audit.about(&practice, &scan).await?.is_empty() {
                    found.push(ScanKey {
                        practice,
                        scan: scan.clone(),
                    });
                }
            }
        }
        match (found.pop(), found.is_empty()) {
            (Some(key), true) => Ok(key),
            (Some(_), false) => bail!("more than one practice has a scan of that id: name one"),
            (None, _) => bail!("there is no such scan, or its retention has ended"),
        }
    }

    /// Every practice that may have scans: a data folder takes them from unknown ones too.
    async fn practices(&self, audited: &[PracticeId]) -> anyhow::Result<Vec<PracticeId>> {
        let mut all = audited.to_vec();
        match &self.home {
            Home::Folder(local, _) => {
                let records = local.records.all().await?;
                all.extend(records.into_iter().map(|record| record.key.practice));
            }
            #[cfg(feature = "aws")]
            Home::Stage(_) => {}
        }
        let mut last: Option<PracticeId> = None;
        loop {
            let page = self.ports.practices.list(last.as_ref(), PAGE).await?;
            let Some(end) = page.last() else { break };
            last = Some(end.id.clone());
            all.extend(page.into_iter().map(|practice| practice.id));
        }
        all.sort();
        all.dedup();
        Ok(all)
    }
}
