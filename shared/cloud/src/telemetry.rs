//! Logs as JSON lines, metrics in CloudWatch's embedded format, and the trace's id.
//!
//! Names, addresses, tokens and contents are in none of them: a scan is named by its
//! identifiers.

use std::future::Future;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tracing::Span;
use tracing_subscriber::EnvFilter;

tokio::task_local! {
    static TRACE: Option<String>;
}

/// The namespace of all metrics.
const NAMESPACE: &str = "Dermalia";

/// Starts logging to standard output, one JSON object a line; `RUST_LOG` sets the level.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    // A second start within one process, as in a test, changes nothing.
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter)
        .try_init();
}

/// Runs work under a trace's id, which goes with every message that it sends.
pub async fn with_trace<F: Future>(trace: Option<String>, work: F) -> F::Output {
    TRACE.scope(trace, work).await
}

/// The id of the trace that is being worked under.
#[must_use]
pub fn current_trace() -> Option<String> {
    TRACE.try_with(Clone::clone).ok().flatten()
}

/// Writes a trace's id into the fields of a span, and so into every line under it.
pub(crate) fn note_trace(span: &Span, trace: Option<&str>) {
    // `Root=1-…;Parent=…;Sampled=1`: the root is the same along the whole way.
    let root = trace.and_then(|header| {
        let mut parts = header.split(';');
        parts.find_map(|part| part.trim().strip_prefix("Root="))
    });
    if let Some(root) = root {
        span.record("trace_id", root);
    }
}

/// What a metric counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A number of things.
    Count,
    /// A time.
    Milliseconds,
}

/// One value of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// What it counts in.
    pub unit: Unit,
    /// How much.
    pub value: f64,
}

impl Metric {
    /// One more of something.
    #[must_use]
    pub const fn one(name: &'static str) -> Self {
        Self {
            name,
            unit: Unit::Count,
            value: 1.0,
        }
    }

    /// So many of something.
    #[must_use]
    pub fn count(name: &'static str, number: u64) -> Self {
        Self {
            name,
            unit: Unit::Count,
            #[expect(clippy::cast_precision_loss, reason = "a count of a batch is small")]
            value: number as f64,
        }
    }

    /// A duration.
    #[must_use]
    pub const fn millis(name: &'static str, value: f64) -> Self {
        Self {
            name,
            unit: Unit::Milliseconds,
            value,
        }
    }
}

/// Writes metrics of a function as one line.
pub fn emit(function: &str, metrics: &[Metric]) {
    if metrics.is_empty() {
        return;
    }
    let now_ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
    let line = line(function, now_ms, metrics);
    let mut out = std::io::stdout().lock();
    // Whoever reads the logs is gone: there is nobody to tell.
    let _ = writeln!(out, "{line}");
}

fn line(function: &str, now_ms: u64, metrics: &[Metric]) -> Value {
    let mut values: Map<String, Value> = Map::new();
    let mut definitions: Vec<Value> = Vec::new();
    for metric in metrics {
        let entry = values.entry(metric.name).or_insert_with(|| {
            let unit = match metric.unit {
                Unit::Count => "Count",
                Unit::Milliseconds => "Milliseconds",
            };
            definitions.push(json!({ "Name": metric.name, "Unit": unit }));
            json!([])
        });
        if let Value::Array(list) = entry {
            list.push(json!(metric.value));
        }
    }
    let mut line = json!({
        "_aws": {
            "Timestamp": now_ms,
            "CloudWatchMetrics": [{
                "Namespace": NAMESPACE,
                "Dimensions": [["function"]],
                "Metrics": definitions,
            }],
        },
        "function": function,
    });
    if let Value::Object(object) = &mut line {
        object.extend(values);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_metric_format() {
        let metrics = [
            Metric::one("ScansAnalysed"),
            Metric::one("ScansAnalysed"),
            Metric::millis("Duration", 12.5),
        ];
        assert_eq!(
            line("analyze", 7, &metrics),
            json!({
                "_aws": { "Timestamp": 7, "CloudWatchMetrics": [{
                    "Namespace": "Dermalia",
                    "Dimensions": [["function"]],
                    "Metrics": [
                        { "Name": "ScansAnalysed", "Unit": "Count" },
                        { "Name": "Duration", "Unit": "Milliseconds" },
                    ],
                }] },
                "function": "analyze",
                "ScansAnalysed": [1.0, 1.0],
                "Duration": [12.5],
            })
        );
    }

    #[tokio::test]
    async fn the_trace_is_the_task_s_own() {
        assert_eq!(current_trace(), None);
        with_trace(Some("Root=1-a".to_owned()), async {
            assert_eq!(current_trace().as_deref(), Some("Root=1-a"));
        })
        .await;
        assert_eq!(current_trace(), None);
    }
}
