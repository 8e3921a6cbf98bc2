//! The function `access` in Lambda.

use std::sync::Arc;

use dermalia_access::{Access, Outcome};
use dermalia_cloud::telemetry::{self, Metric};
use dermalia_cloud::{Deployment, lambda};

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await;
    let access = Access {
        records: Arc::new(deployment.records()?),
        accesses: Arc::new(deployment.accesses()?),
        clock: deployment.clock(),
    };
    let queue = deployment.queue_of_accesses()?;
    let handle = |message: lambda::Message| {
        let access = access.clone();
        async move {
            Ok(match access.handle(&message.id, &message.body).await? {
                Outcome::Kept => vec![Metric::one("AccessesKept")],
                Outcome::NoReport | Outcome::Objected => vec![Metric::one("AccessesDropped")],
            })
        }
    };
    lambda::serve_queue("access", queue, handle, |_, _| async {}).await
}
