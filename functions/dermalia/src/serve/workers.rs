//! The loops that work the queues, the sweep, and the notes on dead letters.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dermalia_analyze::Analyze;
use dermalia_embedded::worker::{Step, step};
use dermalia_record::event::trigger_of;
use dermalia_record::port::{ObjectStore, PortError, Queue};
use dermalia_record::{Attempt, HandleError, Settings};
use dermalia_report_function::Report;
use tokio::sync::watch;

use super::local::Local;

/// How often an empty queue is looked at.
const IDLE: Duration = Duration::from_millis(50);
/// How long to wait after a port has failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How often expired scans are removed.
const SWEEP: Duration = Duration::from_secs(60);
/// How often everything is looked at, and when for the first time.
const FULL_SWEEP: Duration = Duration::from_secs(3_600);
const FIRST_FULL_SWEEP: Duration = Duration::from_secs(600);
/// Dead letters noted in one go.
const DEAD_LETTERS: usize = 1_000;
/// More bundles than one machine holds.
const BUNDLES: usize = 1_000_000;

/// Tells every loop to end.
#[derive(Clone)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    pub(crate) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    pub(crate) fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for the time or the stop, whichever comes first.
    pub(crate) async fn sleep(&mut self, time: Duration) {
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = self.wait() => {}
        }
    }

    pub(crate) async fn wait(&mut self) {
        // An error means that the sender is gone: stop too.
        drop(self.0.wait_for(|stop| *stop).await);
    }
}

/// Works a queue until the stop, one message at a time.
pub(crate) async fn work<H, F>(queue: Arc<dyn Queue>, handler: H, mut stop: Stop)
where
    H: Fn(String, Attempt) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), HandleError>> + Send + 'static,
{
    while !stop.is_set() {
        let (queue, handler) = (Arc::clone(&queue), handler.clone());
        // A task of its own: if the handler panics, the loop goes on, and the message
        // comes back when its visibility ends.
        let one = tokio::spawn(async move { step(queue.as_ref(), handler).await });
        match one.await {
            Ok(Ok(Step::Idle)) => stop.sleep(IDLE).await,
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "a queue failed");
                stop.sleep(AFTER_FAILURE).await;
            }
            Err(error) => {
                tracing::error!(
                    panicked = error.is_panic(),
                    "a handler ended before its time"
                );
                stop.sleep(AFTER_FAILURE).await;
            }
        }
    }
}

/// Removes expired and erased scans, again and again; now and then looks at everything.
pub(crate) async fn sweep(
    local: Local,
    settings: Arc<Settings>,
    analyze: Analyze,
    report: Report,
    mut stop: Stop,
) {
    // Not at once: what a dead process was working on is given time to end by itself.
    let mut next_full = Instant::now() + FIRST_FULL_SWEEP;
    while !stop.is_set() {
        let result = if Instant::now() >= next_full {
            next_full = Instant::now() + FULL_SWEEP;
            local.sweep(&settings).await.map(drop)
        } else {
            let due = local.remove_due(&settings).await;
            due.map(drop).map_err(anyhow::Error::from)
        };
        if let Err(error) = result {
            tracing::warn!(%error, "the sweep failed");
        }
        note_dead_letters(&local, &analyze, &report).await;
        stop.sleep(SWEEP).await;
    }
}

/// A message that was given up without its handler having lived to say so: its record says
/// so now. Records that have moved on are left alone.
async fn note_dead_letters(local: &Local, analyze: &Analyze, report: &Report) {
    if let Ok(letters) = local.uploads.dead_letters(DEAD_LETTERS).await {
        for letter in letters {
            if let Err(error) = analyze.note_dead_letter(&letter.body, &letter.reason).await {
                tracing::debug!(%error, "a dead letter names no scan");
            }
        }
    }
    if let Ok(letters) = local.reports.dead_letters(DEAD_LETTERS).await {
        for letter in letters {
            if let Err(error) = report.note_dead_letter(&letter.body, &letter.reason).await {
                tracing::debug!(%error, "a dead letter names no scan");
            }
        }
    }
}

/// Sends the event of every bundle whose arrival no record knows of: the process died
/// between storing the last file and saying so.
pub(crate) async fn announce_forgotten(local: &Local) -> Result<u64, PortError> {
    let mut announced = 0;
    for object in local.objects.list("incoming/", BUNDLES).await?.objects {
        let Some((scan, _)) = trigger_of(&object.key) else {
            continue;
        };
        let known = local
            .ports
            .records
            .get(&scan)
            .await?
            .and_then(|record| record.source);
        let is_known = known.is_some_and(|source| {
            source.version == object.version || source.uploaded_at_ms > object.modified_ms
        });
        if !is_known {
            let event =
                dermalia_record::event::object_created(&object.key, &object.version, object.bytes);
            local.uploads.send(&event, 0).await?;
            announced += 1;
        }
    }
    Ok(announced)
}
