//! Queues.

use async_trait::async_trait;

use super::PortError;

/// A message that is being worked on. Others do not see it until its visibility ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// By which this delivery is acknowledged; void once the message was delivered again.
    pub receipt: String,
    /// What was sent.
    pub body: String,
    /// How often it has been delivered, this time included.
    pub receive_count: u32,
    /// After how many deliveries it goes to the dead letters.
    pub max_receives: u32,
}

impl Delivery {
    /// Whether there is no further try after this one.
    #[must_use]
    pub const fn is_last(&self) -> bool {
        self.receive_count >= self.max_receives
    }
}

/// A message that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// What was sent.
    pub body: String,
    /// What went wrong last.
    pub reason: String,
    /// How often it was tried.
    pub receive_count: u32,
}

/// How much lies in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depth {
    /// Waiting, or waiting for their time.
    pub waiting: u64,
    /// Being worked on.
    pub in_flight: u64,
    /// Given up.
    pub dead: u64,
}

/// A queue that delivers at least once, in no certain order.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Sends a message that becomes visible after `delay_ms`.
    async fn send(&self, body: &str, delay_ms: u64) -> Result<(), PortError>;

    /// Takes up to `max` messages, hidden from others for `visibility_ms`.
    async fn receive(&self, max: usize, visibility_ms: u64) -> Result<Vec<Delivery>, PortError>;

    /// Done: the message goes. A void receipt is no error.
    async fn ack(&self, receipt: &str) -> Result<(), PortError>;

    /// Not done: the message comes again after `delay_ms`, or, if this was the last try,
    /// goes to the dead letters with this reason. A void receipt is no error.
    async fn release(&self, receipt: &str, delay_ms: u64, reason: &str) -> Result<(), PortError>;

    /// Keeps the message hidden for another `visibility_ms` from now. A void receipt is no
    /// error.
    async fn extend(&self, receipt: &str, visibility_ms: u64) -> Result<(), PortError>;

    /// Gives a message up at once: it goes to the dead letters. A void receipt is no error.
    async fn bury(&self, receipt: &str, reason: &str) -> Result<(), PortError>;

    /// The messages that were given up, the oldest first.
    async fn dead_letters(&self, max: usize) -> Result<Vec<DeadLetter>, PortError>;

    /// Brings every dead letter back, as if sent now; gives their number.
    async fn redrive(&self) -> Result<u64, PortError>;

    /// How much lies in it.
    async fn depth(&self) -> Result<Depth, PortError>;
}
