//! The function `analyze` in Lambda.

use std::sync::Arc;

use dermalia_analyze::{Analyze, Outcome, SkinMeasurer};
use dermalia_cloud::telemetry::{self, Metric};
use dermalia_cloud::{Deployment, lambda};

/// Less than the function's own time of 300 s, so that a bundle that takes too long fails
/// with its reason; and the lease a little longer than the function can live.
const TIMEOUT_MS: u64 = 280_000;
const LEASE_MS: u64 = 310_000;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    telemetry::init();
    let deployment = Deployment::from_env().await;
    let settings = Arc::new(deployment.settings()?);
    let measurer = Arc::new(SkinMeasurer::default());
    let mut analyze = Analyze::new(deployment.ports()?, measurer, settings);
    analyze.timeout_ms = TIMEOUT_MS;
    analyze.lease_ms = LEASE_MS;
    let notes = analyze.clone();
    let handle = |message: lambda::Message| {
        let analyze = analyze.clone();
        async move {
            let outcomes = analyze.handle(&message.body, message.attempt).await?;
            let mut counters = vec![Metric::one("ScansReceived"); outcomes.len()];
            for outcome in outcomes {
                // Counted with its zeros: the mean is the rate that an alarm watches.
                let refused = |number| Metric::count("ScansRefused", number);
                match outcome {
                    Outcome::Analysed => {
                        counters.extend([Metric::one("ScansAnalysed"), refused(0)])
                    }
                    Outcome::Refused => counters.push(refused(1)),
                    Outcome::AlreadyDone => counters.push(Metric::one("ScansRepeated")),
                    Outcome::Nothing => counters.push(Metric::one("ScansNothing")),
                }
            }
            Ok(counters)
        }
    };
    let note_dead = |body: String, reason: String| {
        let notes = notes.clone();
        async move {
            // What is no notification has no record to write into.
            let _ = notes.note_dead_letter(&body, &reason).await;
        }
    };
    lambda::serve_queue("analyze", deployment.uploads()?, handle, note_dead).await
}
