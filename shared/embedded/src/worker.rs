//! What stands between a queue and a handler: one message at a time, kept hidden while it
//! is worked on, then acknowledged, released with back-off, or buried.

use std::future::Future;
use std::time::Duration;

use dermalia_record::port::{PortError, Queue};
use dermalia_record::{Attempt, HandleError};

/// How one message ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// There was none.
    Idle,
    /// The handler dealt with it.
    Done,
    /// It comes again, or was given up if the attempt was the last.
    Released(HandleError),
}

/// For how long a message is hidden; extended as long as its handler is at work, so this
/// is the time after which a dead worker's message comes back.
pub const VISIBILITY_MS: u64 = 30_000;

/// Takes one message and gives it to the handler.
///
/// A handler that panics has failed on this message only.
///
/// # Errors
/// When the queue fails; the message then comes again by itself.
pub async fn step<H, F>(queue: &dyn Queue, handler: H) -> Result<Step, PortError>
where
    H: FnOnce(String, Attempt) -> F,
    F: Future<Output = Result<(), HandleError>>,
{
    let Some(delivery) = queue.receive(1, VISIBILITY_MS).await?.into_iter().next() else {
        return Ok(Step::Idle);
    };
    let attempt = Attempt::from(&delivery);
    let mut work = std::pin::pin!(handler(delivery.body.clone(), attempt));
    let result = loop {
        let beat = tokio::time::sleep(Duration::from_millis(VISIBILITY_MS / 3));
        tokio::select! {
            biased;
            result = &mut work => break result,
            () = beat => {
                if let Err(error) = queue.extend(&delivery.receipt, VISIBILITY_MS).await {
                    tracing::warn!(%error, "a message could not be kept hidden");
                }
            }
        }
    };
    match result {
        Ok(()) => {
            queue.ack(&delivery.receipt).await?;
            Ok(Step::Done)
        }
        Err(error) => {
            match &error {
                HandleError::Again { reason, after_ms } => {
                    let wait_ms = after_ms.unwrap_or_else(|| attempt.back_off_ms());
                    queue.release(&delivery.receipt, wait_ms, reason).await?;
                }
                HandleError::GiveUp { reason } => queue.bury(&delivery.receipt, reason).await?,
            }
            Ok(Step::Released(error))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dermalia_record::ManualClock;

    use super::*;
    use crate::{Database, QueuePolicy, SqliteQueue};

    #[tokio::test]
    async fn a_message_ends_in_one_of_three_ways() {
        let clock = ManualClock::at_ms(0);
        let policy = QueuePolicy {
            max_receives: 2,
            max_crashes: 3,
        };
        let database = Database::in_memory().unwrap();
        let queue = SqliteQueue::new(database, "q", policy, Arc::new(clock.clone()));
        assert_eq!(
            step(&queue, |_, _| async { Ok(()) }).await.unwrap(),
            Step::Idle
        );

        for body in ["good", "bad", "never"] {
            queue.send(body, 0).await.unwrap();
        }
        let handle = |body: String, attempt: Attempt| async move {
            match body.as_str() {
                "good" => Ok(()),
                "bad" => Err(HandleError::again(format!("attempt {}", attempt.number))),
                _ => Err(HandleError::give_up("no use")),
            }
        };
        for _ in 0..3 {
            step(&queue, handle).await.unwrap();
        }
        assert_eq!(step(&queue, handle).await.unwrap(), Step::Idle);
        clock.advance_ms(1_000);
        assert_eq!(
            step(&queue, handle).await.unwrap(),
            Step::Released(HandleError::again("attempt 2"))
        );
        let dead = queue.dead_letters(10).await.unwrap();
        let reasons: Vec<_> = dead
            .iter()
            .map(|d| (d.body.as_str(), d.reason.as_str()))
            .collect();
        assert_eq!(reasons, [("never", "no use"), ("bad", "attempt 2")]);
    }
}
