//! The function `expire` in Lambda.

use std::sync::Arc;

use dermalia_cloud::telemetry::{self, Metric};
use dermalia_cloud::{Deployment, lambda};
use dermalia_expire::Expire;
use dermalia_record::Audit;
use dermalia_record::port::{Cause, Removal};

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await;
    let expire = Expire {
        ports: deployment.ports()?,
        audit: Audit {
            store: Arc::new(deployment.audit()?),
            key: Arc::new(deployment.signing_key().await?),
            clock: deployment.clock(),
        },
    };
    let handle = |removal: Removal| {
        let expire = expire.clone();
        async move {
            expire.handle(&removal).await?;
            Ok(vec![Metric::one(match removal.cause {
                Cause::Expired => "ScansExpired",
                Cause::Erased => "ScansErased",
            })])
        }
    };
    lambda::serve_removals("expire", handle).await
}
