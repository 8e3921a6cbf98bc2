//! The function `rights` in Lambda: what readers ask for at the edge, by a queue, and what
//! the operator asks for, by a call.

use std::sync::Arc;

use dermalia_cloud::telemetry::{self, Metric};
use dermalia_cloud::{Deployment, S3Objects, SIGNED_FOR, lambda};
use dermalia_record::Audit;
use dermalia_record::port::PortError;
use dermalia_rights::{OperatorRequest, Outcome, Rights, RightsError, Shelf};
use serde_json::{Value, json};

/// The bucket with patients' copies.
struct Packages(S3Objects);

#[async_trait::async_trait]
impl Shelf for Packages {
    async fn address(&self, key: &str) -> Result<(String, u64), PortError> {
        Ok((self.0.presign_get(key).await?, SIGNED_FOR.as_secs()))
    }
}

/// Answers the operator. What is not granted is an answer too; only what is to be called
/// again ends as an error of the function.
async fn operate(
    rights: &Rights,
    packages: &Packages,
    event: &str,
) -> Result<Value, lambda::Error> {
    let done = match OperatorRequest::parse(event) {
        Ok(request) => rights.operate(&request, packages).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(answer) => {
            telemetry::emit("rights", &[Metric::one("RightsGranted")]);
            Ok(answer)
        }
        Err(error @ (RightsError::Port(_) | RightsError::Busy)) => Err(error.into()),
        Err(error) => Ok(json!({ "refused": error.to_string() })),
    }
}

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
    let packages = Packages(deployment.objects()?);
    let (operator, packages) = (&rights, &packages);
    let direct =
        |call: lambda::Invocation| async move { operate(operator, packages, &call.event).await };
    lambda::serve_queue_and("rights", queue, handle, |_, _| async {}, direct).await
}
