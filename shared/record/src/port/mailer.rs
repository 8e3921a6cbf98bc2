//! The mailer.

use std::fmt;

use async_trait::async_trait;

use super::PortError;
use crate::personal::Personal;

/// A mail. Its `Debug` form shows none of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    /// Sender, with name.
    pub from: String,
    /// The one recipient.
    pub to: Personal<String>,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<String>,
    /// Subject line.
    pub subject: String,
    /// The text part.
    pub text: String,
    /// The HTML part.
    pub html: String,
    /// When it was decided to send it, in epoch seconds.
    pub date_secs: i64,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(redacted)")
    }
}

/// Sends mail, once per idempotency key.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Accepts a mail for delivery. The same key again sends nothing and succeeds.
    async fn send(&self, email: &Email, idempotency_key: &str) -> Result<(), PortError>;
}
