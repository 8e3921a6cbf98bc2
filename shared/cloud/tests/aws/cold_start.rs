//! How long each function takes from the start of its process to its first answer.
//! `cargo xtask bench cold-start` prints it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cloud;
use crate::deployment::secrets;
use crate::emulators::{Dynamodb, Ministack, config, is_configured, s3};
use crate::resend::Resend;
use crate::runtime::{Runtime, bootstrap, environment};

const STARTS: usize = 9;

/// Each function, an event that it has nothing to do for, and its limit.
fn functions() -> [(&'static str, Value, Duration); 7] {
    let (quick, slow) = (Duration::from_millis(150), Duration::from_millis(400));
    let empty = json!({ "Records": [] });
    [
        ("access", empty.clone(), quick),
        ("analyze", empty.clone(), slow),
        ("expire", empty.clone(), quick),
        ("report", empty.clone(), slow),
        ("rights", empty, quick),
        ("sweep", json!({ "detail-type": "Scheduled Event" }), quick),
        (
            "upload",
            json!({ "requestContext": { "http": { "method": "GET" } } }),
            quick,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a benchmark: `cargo xtask bench cold-start`"]
async fn init_to_first_answer() {
    if !is_configured() {
        return;
    }
    let (stack, database, resend) = (Ministack::start(), Dynamodb::start(), Resend::start());
    let config = config(&stack.endpoint).await;
    secrets(&config).await;
    cloud::buckets(&s3(&config)).await;
    for name in ["uploads", "reports", "accesses", "requests"] {
        cloud::queue(&config, name, 5).await;
    }
    let tables = aws_sdk_dynamodb::Client::new(&crate::emulators::config(&database.endpoint).await);
    cloud::table(&tables, "records").await;
    cloud::keys_table(&tables, "keys").await;
    let environment = environment(&stack.endpoint, &database.endpoint, &resend.url);
    eprintln!("function   median     worst      limit      median/limit   program");
    for (function, event, limit) in functions() {
        let mut times: Vec<Duration> = (0..STARTS)
            .map(|_| {
                let start = Instant::now();
                let runtime = Runtime::start(function, &environment);
                let (at, answer) = runtime.invoke(&event);
                answer.unwrap_or_else(|error| panic!("{function}: {error}"));
                at - start
            })
            .collect();
        times.sort();
        let (median, worst) = (times[STARTS / 2], times[STARTS - 1]);
        let bytes = std::fs::metadata(bootstrap(function)).unwrap().len();
        eprintln!(
            "{function:<8} {:>6.0} ms  {:>6.0} ms  {:>6.0} ms  {:>12.2}   {:>5.1} MB",
            median.as_secs_f64() * 1e3,
            worst.as_secs_f64() * 1e3,
            limit.as_secs_f64() * 1e3,
            median.as_secs_f64() / limit.as_secs_f64(),
            bytes as f64 / 1e6,
        );
    }
}
