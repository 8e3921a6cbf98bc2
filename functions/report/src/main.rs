//! The function `report` in Lambda.

use std::sync::Arc;

use dermalia_cloud::telemetry::{self, Metric};
use dermalia_cloud::{Deployment, lambda};
use dermalia_report_function::{Outcome, PageRenderer, Report};

/// A little longer than the function's own time of 60 s.
const LEASE_MS: u64 = 70_000;

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await;
    let (key, mailer) = tokio::try_join!(deployment.signing_key(), deployment.mailer())?;
    let mut ports = deployment.ports()?;
    ports.mailer = Arc::new(mailer);
    let settings = Arc::new(deployment.settings()?);
    let mut report = Report::new(ports, Arc::new(PageRenderer), Arc::new(key), settings);
    report.lease_ms = LEASE_MS;
    let notes = report.clone();
    let handle = |message: lambda::Message| {
        let report = report.clone();
        async move {
            let counter = match report.handle(&message.body, message.attempt).await? {
                Outcome::Delivered => "ScansReported",
                Outcome::AlreadyDone => "ReportsRepeated",
                Outcome::Nothing => "ReportsNothing",
            };
            Ok(vec![Metric::one(counter)])
        }
    };
    let note_dead = |body: String, reason: String| {
        let notes = notes.clone();
        async move {
            // What is no message of ours has no record to write into.
            let _ = notes.note_dead_letter(&body, &reason).await;
        }
    };
    lambda::serve_queue("report", deployment.reports()?, handle, note_dead).await
}
