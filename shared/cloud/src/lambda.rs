//! Runs a function in Lambda.

use std::future::Future;
use std::time::{Duration, Instant, SystemTime};

use dermalia_record::HandleError;
use dermalia_record::port::{Cause, Removal};
use lambda_runtime::{LambdaEvent, service_fn};
use serde::Serialize;
use serde_json::Value;
use tracing::Instrument;

use crate::batch::{Counters, alone, deal_with, is_batch, left};
use crate::queue::SqsQueue;
use crate::stream::{BatchAnswer, BatchItem, removals};
use crate::telemetry::{self, Metric};

pub use crate::batch::Message;
/// Why a function could not start, or an invocation failed.
pub use lambda_runtime::Error;

/// One invocation.
#[derive(Debug)]
pub struct Invocation {
    /// The event as JSON.
    pub event: String,
    /// When Lambda ends it.
    pub until: Instant,
}

/// Answers invocations until Lambda ends the process.
///
/// Lambda tells a function to end by a signal, but only if an extension is registered;
/// the runtime's own is, so that what is being answered is answered. Where there is no
/// Extensions API the function runs without.
///
/// # Errors
/// When the runtime fails.
pub async fn serve<H, F, R>(handler: H) -> Result<(), Error>
where
    H: Fn(Invocation) -> F,
    F: Future<Output = Result<R, Error>>,
    R: Serialize,
{
    let end = tokio::spawn(lambda_runtime::spawn_graceful_shutdown_handler(|| async {
        tracing::info!("the function ends");
    }));
    if end.await.is_err() {
        tracing::warn!("no Extensions API: the function will not be told of its end");
    }
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| {
        let (payload, context) = event.into_parts();
        let left = context
            .deadline()
            .duration_since(SystemTime::now())
            .unwrap_or(Duration::ZERO);
        let invocation = Invocation {
            event: payload.to_string(),
            until: Instant::now() + left,
        };
        let span = tracing::info_span!(
            "invocation",
            request_id = context.request_id,
            trace_id = tracing::field::Empty
        );
        let trace = context.xray_trace_id;
        telemetry::note_trace(&span, trace.as_deref());
        let work = telemetry::with_trace(trace, handler(invocation));
        async move {
            let answer = work.instrument(span).await?;
            Ok::<Value, Error>(serde_json::to_value(answer)?)
        }
    }))
    .await
}

/// Deals with the messages of a queue; see [`deal_with`].
///
/// # Errors
/// When the runtime fails.
pub async fn serve_queue<H, F, N, G>(
    function: &'static str,
    queue: SqsQueue,
    handle: H,
    note_dead: N,
) -> Result<(), Error>
where
    H: Fn(Message) -> F,
    F: Future<Output = Result<Counters, HandleError>> + Send + 'static,
    N: Fn(String, String) -> G,
    G: Future<Output = ()>,
{
    serve_queue_and(function, queue, handle, note_dead, |_| async {
        Err("expected a batch of messages".into())
    })
    .await
}

/// The same for a function that is also called by name: what is no batch of messages is
/// answered by `direct`.
///
/// # Errors
/// When the runtime fails.
pub async fn serve_queue_and<H, F, N, G, D, A>(
    function: &'static str,
    queue: SqsQueue,
    handle: H,
    note_dead: N,
    direct: D,
) -> Result<(), Error>
where
    H: Fn(Message) -> F,
    F: Future<Output = Result<Counters, HandleError>> + Send + 'static,
    N: Fn(String, String) -> G,
    G: Future<Output = ()>,
    D: Fn(Invocation) -> A,
    A: Future<Output = Result<Value, Error>>,
{
    let (queue, handle, note_dead, direct) = (&queue, &handle, &note_dead, &direct);
    serve(|invocation| async move {
        if !is_batch(&invocation.event) {
            return direct(invocation).await;
        }
        let done = deal_with(
            &invocation.event,
            queue,
            invocation.until,
            handle,
            note_dead,
        )
        .await?;
        telemetry::emit(function, &done.metrics);
        Ok(serde_json::to_value(done.answer)?)
    })
    .await
}

/// Deals with the removals that the table's stream tells of, in their order. After one
/// that fails, the stream comes again from there.
///
/// # Errors
/// When the runtime fails.
pub async fn serve_removals<H, F>(function: &'static str, handle: H) -> Result<(), Error>
where
    H: Fn(Removal) -> F,
    F: Future<Output = Result<Counters, HandleError>> + Send + 'static,
{
    let handle = &handle;
    serve(|invocation| async move {
        let mut answer = BatchAnswer::default();
        let mut metrics = Vec::new();
        for removal in removals(&invocation.event)? {
            let result = match removal.removal {
                Ok(removal) => {
                    metrics.extend(lag(&removal));
                    // A task of its own does not know the trace.
                    let work = telemetry::with_trace(telemetry::current_trace(), handle(removal));
                    let work = alone(left(invocation.until), work);
                    work.await
                        .unwrap_or_else(|cut| Err(HandleError::again(cut)))
                }
                Err(reason) => Err(HandleError::give_up(reason)),
            };
            match result {
                Ok(counters) => metrics.extend(counters),
                Err(error) => {
                    tracing::error!(sequence_number = removal.sequence_number, %error,
                        "removal not dealt with");
                    metrics.push(Metric::one("RemovalsFailed"));
                    answer.failures.push(BatchItem {
                        identifier: removal.sequence_number,
                    });
                    break;
                }
            }
        }
        telemetry::emit(function, &metrics);
        Ok(answer)
    })
    .await
}

/// How long after its time the table has removed a record.
fn lag(removal: &Removal) -> Option<Metric> {
    if removal.cause != Cause::Expired {
        return None;
    }
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .ok()?;
    let due = u64::try_from(removal.record.expires_at_secs).ok()?;
    Some(Metric::count(
        "RemovalLagSeconds",
        now.as_secs().saturating_sub(due),
    ))
}
