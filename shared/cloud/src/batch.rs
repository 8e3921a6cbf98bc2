//! Batches of messages as SQS hands them to a function.
//!
//! Each message is dealt with on a task of its own, so that a panic or a hang fails that
//! one alone; the answer names the ones that are to come again. A message that has failed
//! for good is put among the dead letters with its reason, and then counts as dealt with.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dermalia_record::port::Queue;
use dermalia_record::{Attempt, HandleError};
use serde::Deserialize;
use tracing::Instrument;

use crate::queue::{SqsQueue, receipt};
use crate::stream::{BatchAnswer, BatchItem};
use crate::telemetry::{Metric, current_trace, note_trace, with_trace};

/// What is kept back of a function's time, to answer in.
const MARGIN: Duration = Duration::from_secs(3);

/// Why a batch is none.
#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    /// Not of the documented form.
    #[error("batch: {0}")]
    Json(#[from] serde_json::Error),
}

#[derive(Deserialize)]
struct RawBatch {
    #[serde(rename = "Records")]
    records: Vec<RawMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawMessage {
    message_id: String,
    receipt_handle: String,
    body: String,
    #[serde(default)]
    attributes: RawAttributes,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct RawAttributes {
    approximate_receive_count: Option<String>,
    sent_timestamp: Option<String>,
    #[serde(rename = "AWSTraceHeader")]
    trace: Option<String>,
}

/// Whether an event is a batch of a queue's messages.
pub(crate) fn is_batch(event: &str) -> bool {
    #[derive(Deserialize)]
    struct Batch {
        #[serde(rename = "Records")]
        _records: Vec<serde::de::IgnoredAny>,
    }
    serde_json::from_str::<Batch>(event).is_ok()
}

/// What a batch came to.
#[derive(Debug, Default)]
pub struct Done {
    /// For the caller of the function.
    pub answer: BatchAnswer,
    /// What happened, in numbers.
    pub metrics: Vec<Metric>,
}

/// What a handler says of a message, in numbers.
pub type Counters = Vec<Metric>;

/// One message of a batch.
#[derive(Debug, Clone)]
pub struct Message {
    /// The same however often it comes.
    pub id: String,
    /// What was sent.
    pub body: String,
    /// Which attempt this is.
    pub attempt: Attempt,
}

/// Deals with a batch, one message after the other, until `until`.
///
/// `handle` deals with one; `note_dead` writes the reason into the record of a message
/// whose last attempt could not do it, because it panicked or hung.
///
/// # Errors
/// When the event is no batch.
pub async fn deal_with<H, F, N, G>(
    event: &str,
    queue: &SqsQueue,
    until: Instant,
    handle: H,
    note_dead: N,
) -> Result<Done, BatchError>
where
    H: Fn(Message) -> F,
    F: Future<Output = Result<Counters, HandleError>> + Send + 'static,
    N: Fn(String, String) -> G,
    G: Future<Output = ()>,
{
    let raw: RawBatch = serde_json::from_str(event)?;
    let mut done = Done::default();
    for message in raw.records {
        let start = Instant::now();
        let left = left(until);
        if let Some(age_ms) = age_ms(&message) {
            done.metrics.push(Metric::millis("QueueAge", age_ms));
        }
        let count = message
            .attributes
            .approximate_receive_count
            .as_deref()
            .and_then(|n| n.parse().ok())
            .unwrap_or(1);
        let attempt = Attempt {
            number: count,
            is_last: count >= queue.max_receives(),
        };
        let work = handle(Message {
            id: message.message_id.clone(),
            body: message.body.clone(),
            attempt,
        });
        // What came without a trace goes on under this call's own.
        let trace = message.attributes.trace.clone().or_else(current_trace);
        note_trace(&tracing::Span::current(), trace.as_deref());
        let work = with_trace(trace, work);
        let (result, was_cut_short) = match alone(left, work).await {
            Ok(result) => (result, false),
            Err(cut) => (Err(HandleError::again(cut)), true),
        };
        done.metrics.push(Metric::millis(
            "Duration",
            start.elapsed().as_secs_f64() * 1_000.0,
        ));
        match result {
            Ok(counters) => done.metrics.extend(counters),
            Err(error) => {
                let receipt = receipt(&message.receipt_handle, count, &message.body);
                let is_final = error.is_final(attempt);
                tracing::warn!(message_id = message.message_id, attempt = count, is_final,
                    %error, "message not dealt with");
                if is_final && was_cut_short {
                    note_dead(message.body.clone(), error.to_string()).await;
                }
                let buried = is_final && bury(queue, &receipt, &error).await;
                done.metrics.push(Metric::one(if buried {
                    "MessagesGivenUp"
                } else {
                    "MessagesFailed"
                }));
                if !buried {
                    if !is_final {
                        put_back(queue, &receipt, &error, attempt).await;
                    }
                    done.answer.failures.push(BatchItem {
                        identifier: message.message_id,
                    });
                }
            }
        }
    }
    Ok(done)
}

/// Runs work on a task of its own for at most this long; says what cut it short.
pub(crate) async fn alone<T: Send + 'static>(
    left: Duration,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, &'static str> {
    let span = tracing::Span::current();
    let mut task = tokio::spawn(work.instrument(span));
    match tokio::time::timeout(left, &mut task).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(_)) => Err("the function panicked"),
        Err(_) => {
            task.abort();
            Err("the function ran out of time")
        }
    }
}

/// What is left of a function's time, apart from what answering takes.
pub(crate) fn left(until: Instant) -> Duration {
    until
        .saturating_duration_since(Instant::now())
        .saturating_sub(MARGIN)
}

async fn bury(queue: &SqsQueue, receipt: &str, error: &HandleError) -> bool {
    match queue.bury(receipt, &error.to_string()).await {
        Ok(()) => true,
        Err(failure) => {
            tracing::error!(error = %failure, "a message could not be given up");
            false
        }
    }
}

/// Sets the wait until the next attempt. If that fails, the queue's own visibility rules.
async fn put_back(queue: &SqsQueue, receipt: &str, error: &HandleError, attempt: Attempt) {
    let wait_ms = match error {
        HandleError::Again {
            after_ms: Some(ms), ..
        } => *ms,
        _ => attempt.back_off_ms(),
    };
    if let Err(failure) = queue.release(receipt, wait_ms, &error.to_string()).await {
        tracing::warn!(error = %failure, "a message keeps its visibility");
    }
}

fn age_ms(message: &RawMessage) -> Option<f64> {
    let sent: u128 = message.attributes.sent_timestamp.as_deref()?.parse().ok()?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let age = now.as_millis().saturating_sub(sent);
    #[expect(clippy::cast_precision_loss, reason = "an age of days is exact")]
    Some(age as f64)
}
