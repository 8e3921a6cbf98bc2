//! The function `sweep` in Lambda, run by a schedule.

use std::collections::BTreeMap;
use std::sync::Arc;

use dermalia_cloud::telemetry::{self, Metric};
use dermalia_cloud::{Deployment, lambda};
use dermalia_record::Audit;
use dermalia_sweep::Sweep;

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await;
    let sweep = Sweep {
        ports: deployment.ports()?,
        audit: Audit {
            store: Arc::new(deployment.audit()?),
            key: Arc::new(deployment.signing_key().await?),
            clock: deployment.clock(),
        },
        settings: Arc::new(deployment.settings()?),
    };
    lambda::serve(|_| async {
        // What a removed record leaves behind is the stream's business.
        let found = sweep.full(|_| Ok(())).await?;
        let metrics: Vec<Metric> = found
            .counts()
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| Metric::count(name, count))
            .collect();
        telemetry::emit("sweep", &metrics);
        Ok(BTreeMap::from(found.counts()))
    })
    .await
}
