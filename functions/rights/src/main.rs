//! The function `rights` in Lambda: what readers ask for at the edge.

use std::sync::Arc;

use dermalia_cloud::telemetry::{self, Metric};
use dermalia_cloud::{Deployment, lambda};
use dermalia_record::Audit;
use dermalia_rights::{Outcome, Rights};

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await;
    let (key, mailer) = tokio::try_join!(deployment.signing_key(), deployment.mailer())?;
    let key = Arc::new(key);
    let mut ports = deployment.ports()?;
    ports.mailer = Arc::new(mailer);
    let rights = Rights {
        ports,
        audit: Audit {
            store: Arc::new(deployment.audit()?),
            key: Arc::clone(&key),
            clock: deployment.clock(),
        },
        settings: Arc::new(deployment.settings()?),
        key,
    };
    let handle = |message: lambda::Message| {
        let rights = rights.clone();
        async move {
            let counter = match rights.handle(&message.body, message.attempt).await? {
                Outcome::Void | Outcome::NoAddress => "RequestsVoid",
                Outcome::Erased => "ErasuresConfirmed",
                Outcome::ConfirmationAsked => "ErasuresAsked",
                Outcome::Renewed => "LinksRenewed",
                Outcome::Objected => "Objections",
            };
            Ok(vec![Metric::one(counter)])
        }
    };
    let queue = deployment.queue_of_requests()?;
    lambda::serve_queue("rights", queue, handle, |_, _| async {}).await
}
