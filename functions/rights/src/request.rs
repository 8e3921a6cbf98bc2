//! What readers ask for through the report: messages of the edge.

use dermalia_link::{Claims, Flags, ReaderRequest, RequestMessage};
use dermalia_record::audit::{Action, Actor};
use dermalia_record::{Attempt, Field, HandleError, LinkGrant, Mailing, Phase, ScanRecord};
use dermalia_report_function::mail_text;

use crate::mail::confirm_mail;
use crate::{Rights, RightsError};

/// For how long the link that confirms an erasure works, in seconds.
const CONFIRM_SECS: i64 = 2 * 86_400;
/// Within this time a second request to erase is taken for the first one again.
const ASKED_AGAIN_SECS: i64 = 3_600;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A new link is on its way.
    Renewed,
    /// The e-mail that asks for confirmation is on its way.
    ConfirmationAsked,
    /// The scan is erased.
    Erased,
    /// Usage events are off.
    Objected,
    /// The report is gone, restricted, or its links were revoked since.
    Void,
    /// There is no address to which a link could go.
    NoAddress,
}

impl From<RightsError> for HandleError {
    fn from(error: RightsError) -> Self {
        match error {
            RightsError::Port(error) => error.into(),
            RightsError::Busy => Self::again(error.to_string()),
            other => Self::give_up(other.to_string()),
        }
    }
}

impl Rights {
    /// Deals with one message from the queue of requests. It may come twice.
    ///
    /// # Errors
    /// When it has to come again, or is none of the edge's.
    pub async fn handle(&self, body: &str, _: Attempt) -> Result<Outcome, HandleError> {
        // The text of the error is not passed on: it may quote the message.
        let message = RequestMessage::parse(body)
            .map_err(|_| HandleError::give_up("expected a request of the edge, got another"))?;
        let request = message.request();
        let Some(record) = self.ports.records.by_report(request.report_id).await? else {
            return Ok(Outcome::Void);
        };
        // An erasure that has begun goes on; all else needs a link that is still alive.
        let confirmed = matches!(message, RequestMessage::EraseConfirmed(_));
        let is_begun = confirmed && record.phase() == Phase::Erased;
        if !is_begun && (!record.is_open() || record.epoch.number() != request.epoch) {
            return Ok(Outcome::Void);
        }
        let outcome = match &message {
            RequestMessage::Renew(request) => self.renew(record, request).await?,
            RequestMessage::Erase(request) => self.ask_to_confirm(record, request).await?,
            RequestMessage::EraseConfirmed(_) => {
                self.erase(&record.key, Actor::Patient).await?;
                Outcome::Erased
            }
            RequestMessage::Object(_) => {
                self.object(&record.key, Actor::Patient, false).await?;
                Outcome::Objected
            }
        };
        tracing::info!(?outcome, "request dealt with");
        Ok(outcome)
    }

    /// A new link by e-mail. What must not differ between two attempts is stored first.
    async fn renew(
        &self,
        record: ScanRecord,
        request: &ReaderRequest,
    ) -> Result<Outcome, RightsError> {
        let asked_at = i64::try_from(request.at_secs).unwrap_or(i64::MAX);
        let key = record.key.clone();
        let terms = self.ports.terms(&self.settings, &key.practice).await?;
        if record.email.is_none() {
            return Ok(Outcome::NoAddress);
        }
        let now = self.ports.clock.now_secs();
        let record = self
            .change(&key, |record| {
                if record
                    .link
                    .is_some_and(|link| link.issued_at_secs >= asked_at)
                {
                    return Ok(false);
                }
                if record.phase() != Phase::Delivered {
                    return Err(RightsError::Busy);
                }
                record.link = Some(LinkGrant {
                    issued_at_secs: now.max(asked_at),
                    expires_at_secs: terms.link_end_secs(now, record.expires_at_secs),
                });
                record.mailing = Mailing {
                    send_number: record.mailing.send_number + 1,
                    accepted: false,
                };
                Ok(true)
            })
            .await?;
        let vault = &self.ports.vault;
        let email = vault
            .open_if_any(&key, Field::Email, record.email.as_ref())
            .await?;
        let Some(email) = email else {
            return Ok(Outcome::NoAddress);
        };
        if !record.mailing.accepted {
            let name = vault
                .open_if_any(&key, Field::FirstName, record.first_name.as_ref())
                .await?;
            let text = mail_text(&record, &terms, &self.key, &email, name.as_ref());
            let Some(text) = text else {
                return Ok(Outcome::Void);
            };
            self.ports
                .mailer
                .send(&text.email, &text.idempotency_key)
                .await?;
            let number = record.mailing.send_number;
            self.change(&key, |record| {
                let is_this = record.mailing.send_number == number && !record.mailing.accepted;
                record.mailing.accepted |= is_this;
                Ok(is_this)
            })
            .await?;
        }
        let name = dermalia_expire::operation("renewed", &record);
        let operation = format!("{name}/{}", record.mailing.send_number);
        self.tell(&record, operation, Actor::Patient, Action::LinkRenewed)
            .await?;
        Ok(Outcome::Renewed)
    }

    /// The e-mail with the link that confirms an erasure: a link alone could have been
    /// found by anybody, the mailbox is the patient's.
    async fn ask_to_confirm(
        &self,
        record: ScanRecord,
        request: &ReaderRequest,
    ) -> Result<Outcome, RightsError> {
        let asked_at = i64::try_from(request.at_secs).unwrap_or(i64::MAX);
        let key = record.key.clone();
        if record.email.is_none() {
            return Ok(Outcome::NoAddress);
        }
        let record = self
            .change(&key, |record| {
                let known = record.erasure_asked_at_secs;
                if known.is_some_and(|known| asked_at < known + ASKED_AGAIN_SECS) {
                    return Ok(false);
                }
                record.erasure_asked_at_secs = Some(asked_at);
                record.confirm_number += 1;
                Ok(true)
            })
            .await?;
        let vault = &self.ports.vault;
        let email = vault
            .open_if_any(&key, Field::Email, record.email.as_ref())
            .await?;
        let (Some(email), Some(report), Some(since)) =
            (email, record.report_id, record.erasure_asked_at_secs)
        else {
            return Ok(Outcome::NoAddress);
        };
        let end = since
            .saturating_add(CONFIRM_SECS)
            .min(record.expires_at_secs);
        let token = self.key.sign(&Claims {
            report_id: report,
            expires_at_secs: u64::try_from(end).unwrap_or(0),
            epoch: record.epoch.number(),
            flags: Flags::CONFIRM_ERASURE,
        });
        let terms = self.ports.terms(&self.settings, &key.practice).await?;
        let url = format!("{}{}", terms.base_url, token.path());
        let mail = confirm_mail(&terms, request.language, email, &url, since);
        if let Some(idempotency_key) = record.confirm_idempotency_key(record.confirm_number) {
            self.ports.mailer.send(&mail, &idempotency_key).await?;
        }
        let name = dermalia_expire::operation("erasure-asked", &record);
        let operation = format!("{name}/{}", record.confirm_number);
        self.tell(&record, operation, Actor::Patient, Action::ErasureAsked)
            .await?;
        Ok(Outcome::ConfirmationAsked)
    }
}
