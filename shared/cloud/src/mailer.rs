//! Mail through Resend.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use dermalia_record::port::{Email, Mailer, PortError};
use resend_rs::idempotent::Idempotent;
use resend_rs::types::{CreateEmailBaseOptions, ErrorKind, Tag};
use resend_rs::{ConfigBuilder, Error, Resend};

const PORT: &str = "mailer";
/// Where Resend is.
pub const RESEND_URL: &str = "https://api.resend.com";
/// The longest key that Resend takes, in characters.
const MAX_KEY_CHARS: usize = 256;
/// After how long a call is taken for lost.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Why the mailer cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum MailerError {
    /// The client would end the process over it.
    #[error("RESEND_BASE_URL: expected an http or https URL with a host, got something else")]
    BaseUrl,
    /// A key that no header can carry.
    #[error("the Resend key: expected printable ASCII, got {chars} characters of another form")]
    Key {
        /// Its length.
        chars: usize,
    },
    /// No TLS.
    #[error("the HTTP client cannot be built")]
    Client,
}

/// Sends through Resend, once per idempotency key: Resend remembers keys for 24 hours, and
/// the record says which mails were accepted.
#[derive(Clone)]
pub struct ResendMailer {
    client: Resend,
}

impl fmt::Debug for ResendMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResendMailer(redacted)")
    }
}

impl ResendMailer {
    /// A mailer with this key, at this address or at Resend's own.
    ///
    /// # Errors
    /// When the address is no URL or the key cannot be sent.
    pub fn new(api_key: &str, base_url: Option<&str>) -> Result<Self, MailerError> {
        if api_key.is_empty() || !api_key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(MailerError::Key {
                chars: api_key.chars().count(),
            });
        }
        let url: reqwest::Url = base_url
            .unwrap_or(RESEND_URL)
            .parse()
            .map_err(|_| MailerError::BaseUrl)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(MailerError::BaseUrl);
        }
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .build()
            .map_err(|_| MailerError::Client)?;
        let config = ConfigBuilder::new(api_key)
            .base_url(url)
            .client(http)
            .build();
        Ok(Self {
            client: Resend::with_config(config),
        })
    }
}

#[async_trait]
impl Mailer for ResendMailer {
    async fn send(&self, email: &Email, idempotency_key: &str) -> Result<(), PortError> {
        let chars = idempotency_key.chars().count();
        if !(1..=MAX_KEY_CHARS).contains(&chars)
            || !idempotency_key.bytes().all(|b| b.is_ascii_graphic())
        {
            let detail = "expected an idempotency key of 1 to 256 printable characters";
            return Err(PortError::permanent(PORT, "send", detail));
        }
        let mut options = CreateEmailBaseOptions::new(
            email.from.as_str(),
            [email.to.reveal().as_str()],
            email.subject.as_str(),
        )
        .with_text(&email.text)
        .with_html(&email.html);
        if let Some(reply_to) = &email.reply_to {
            options = options.with_reply(reply_to);
        }
        // By this the service's events name the mail; a tag holds no slash.
        let tag = Tag::new("mail", &idempotency_key.replace('/', "_"));
        let options: Idempotent<_> = options.with_tag(tag).with_idempotency_key(idempotency_key);
        match self.client.emails.send(options).await {
            Ok(_) => Ok(()),
            Err(error) => Err(class(&error)),
        }
    }
}

/// Whether to try again. The text of an error is not passed on: it may quote the address.
fn class(error: &Error) -> PortError {
    let retry = |detail: &str| PortError::retry(PORT, "send", detail);
    match error {
        Error::Resend(answer) => {
            let status = answer.status_code;
            let passes = status >= 500
                || status == 429
                || matches!(
                    answer.kind(),
                    ErrorKind::ConcurrentIdempotentRequests
                        | ErrorKind::ResourceLocked
                        | ErrorKind::DailyQuotaExceeded
                        | ErrorKind::MonthlyQuotaExceeded
                        | ErrorKind::ApplicationError
                        | ErrorKind::ServiceUnavailable
                );
            let detail = format!("{:?} (status {status})", answer.kind());
            if passes {
                PortError::retry(PORT, "send", detail)
            } else {
                PortError::permanent(PORT, "send", detail)
            }
        }
        Error::RateLimit { .. } => retry("the rate limit is reached"),
        Error::Http(_) => retry("no answer"),
        // A page of a proxy, or half an answer.
        Error::Parse { .. } | Error::Other(_) => retry("an answer of another form"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_keys_that_would_end_the_process() {
        for bad in [
            "",
            "api.resend.com",
            "ftp://x",
            "http://",
            "mailto:a@b",
            "https://[",
        ] {
            assert!(
                matches!(
                    ResendMailer::new("re_1", Some(bad)),
                    Err(MailerError::BaseUrl)
                ),
                "{bad}"
            );
        }
        assert!(ResendMailer::new("re_\n", None).is_err());
        assert!(ResendMailer::new("", None).is_err());
        assert!(ResendMailer::new("re_1", Some("http://127.0.0.1:9")).is_ok());
    }
}
