//! Where an operator's command works: a data folder, or a stage on AWS.

use std::path::Path;
use std::sync::Arc;

use dermalia_record::Audit;
use dermalia_record::port::{PracticeStore, Queue};

use crate::serve::Local;

/// What `practice` and `ops` work on.
pub(crate) struct Place {
    pub(crate) practices: Arc<dyn PracticeStore>,
    pub(crate) audit: Audit,
    /// The queues by their names.
    pub(crate) queues: Vec<(&'static str, Arc<dyn Queue>)>,
}

impl Place {
    /// The place that `--data` names.
    pub(crate) async fn of(data: &Path) -> anyhow::Result<Self> {
        if let Some(stage) = data.to_str().and_then(|text| text.strip_prefix("aws:")) {
            return Self::of_stage(stage).await;
        }
        let local = Local::beside(data)?;
        Ok(Self {
            practices: Arc::clone(&local.ports.practices),
            audit: local.audit,
            queues: vec![
                ("uploads", Arc::new(local.uploads)),
                ("reports", Arc::new(local.reports)),
            ],
        })
    }

    #[cfg(feature = "aws")]
    async fn of_stage(stage: &str) -> anyhow::Result<Self> {
        let deployment = dermalia_cloud::Deployment::of_stage(stage).await?;
        Ok(Self {
            practices: Arc::new(deployment.practices()?),
            audit: Audit {
                store: Arc::new(deployment.audit()?),
                key: Arc::new(deployment.signing_key().await?),
                clock: deployment.clock(),
            },
            queues: vec![
                ("uploads", Arc::new(deployment.uploads()?)),
                ("reports", Arc::new(deployment.reports()?)),
                ("accesses", Arc::new(deployment.queue_of_accesses()?)),
                ("requests", Arc::new(deployment.queue_of_requests()?)),
            ],
        })
    }

    #[cfg(not(feature = "aws"))]
    async fn of_stage(stage: &str) -> anyhow::Result<Self> {
        anyhow::bail!("`aws:{stage}` needs a build with `--features aws`")
    }
}
