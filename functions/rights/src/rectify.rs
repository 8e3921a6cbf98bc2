//! Rectification (Art. 16): first name and e-mail address.

use dermalia_record::audit::{Action, Actor};
use dermalia_record::{Field, Mailing, Personal, Phase, ScanKey, ScanRecord, State, report_prefix};
use dermalia_report_function::mark_objects;

use crate::{Rights, RightsError};

/// The longest name that is taken, in characters.
const MAX_NAME_CHARS: usize = 100;
/// The longest address (RFC 5321).
const MAX_ADDRESS_BYTES: usize = 254;

/// What is to be corrected. A field that is `None` stays; an inner `None` removes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Correction {
    /// First name.
    pub first_name: Option<Option<Personal<String>>>,
    /// Where the link goes.
    pub email: Option<Option<Personal<String>>>,
}

impl Correction {
    fn check(&self) -> Result<(), RightsError> {
        if let Some(Some(name)) = &self.first_name {
            let name = name.reveal();
            let fits = (1..=MAX_NAME_CHARS).contains(&name.chars().count())
                && !name.chars().any(char::is_control)
                && !name.trim().is_empty();
            if !fits {
                return Err(RightsError::Value {
                    field: "first_name",
                    expected: "expected 1 to 100 characters on one line",
                });
            }
        }
        if let Some(Some(email)) = &self.email {
            let email = email.reveal();
            let parts: Vec<&str> = email.split('@').collect();
            let fits = parts.len() == 2
                && parts.iter().all(|part| !part.is_empty())
                && email.len() <= MAX_ADDRESS_BYTES
                && !email.chars().any(|c| {
                    c.is_control()
                        || c.is_whitespace()
                        || matches!(c, ',' | ';' | '<' | '>' | '"' | ':')
                });
            if !fits {
                return Err(RightsError::Value {
                    field: "email",
                    expected: "expected one plain address",
                });
            }
        }
        Ok(())
    }
}

impl Rights {
    /// Corrects name or address. The report is rendered anew, every link from before is
    /// dead at once, and a new one goes to the (new) address. What is right already
    /// changes nothing.
    ///
    /// # Errors
    /// When there is no such scan with findings, a value is none, or a port fails.
    pub async fn rectify(
        &self,
        scan: &ScanKey,
        correction: &Correction,
        actor: Actor,
    ) -> Result<ScanRecord, RightsError> {
        correction.check()?;
        let vault = &self.ports.vault;
        let current = self.get(scan).await?;
        let name = vault
            .open_if_any(scan, Field::FirstName, current.first_name.as_ref())
            .await?;
        let email = vault
            .open_if_any(scan, Field::Email, current.email.as_ref())
            .await?;
        let right_name = correction
            .first_name
            .clone()
            .unwrap_or_else(|| name.clone());
        let right_email = correction.email.clone().unwrap_or_else(|| email.clone());
        let is_right = (&right_name, &right_email) == (&name, &email);
        let (sealed_name, sealed_email) = if is_right {
            (current.first_name.clone(), current.email.clone())
        } else {
            (
                vault
                    .seal_if_any(scan, Field::FirstName, right_name.as_ref())
                    .await?,
                vault
                    .seal_if_any(scan, Field::Email, right_email.as_ref())
                    .await?,
            )
        };
        let seen = (&current.first_name, &current.email);
        let record = self
            .change(scan, |record| {
                let phase = record.phase();
                let has_findings = record.run.is_some() && phase != Phase::Received;
                if !has_findings || phase == Phase::Restricted {
                    return Err(RightsError::NotNow {
                        phase,
                        expected: "expected one with findings that is not restricted",
                    });
                }
                if (&record.first_name, &record.email) != seen {
                    // Another correction or upload came between.
                    return Err(RightsError::Busy);
                }
                if is_right {
                    return Ok(false);
                }
                record.first_name = sealed_name.clone();
                record.email = sealed_email.clone();
                record.epoch = record.epoch.next();
                record.link = None;
                record.mailing = Mailing {
                    send_number: record.mailing.send_number + 1,
                    accepted: false,
                };
                if phase != Phase::Analysed {
                    record
                        .become_state(State::Analysed)
                        .map_err(|_| RightsError::NotNow {
                            phase,
                            expected: "expected one with a report",
                        })?;
                }
                Ok(true)
            })
            .await?;
        if record.phase() == Phase::Analysed {
            // Its links are dead, and the page shows what was wrong: it goes with every
            // version, none is left to be written over.
            if let Some(report) = record.report_id {
                self.ports
                    .objects
                    .delete_prefix(&report_prefix(report))
                    .await?;
            }
            self.forget_packages(scan).await?;
            self.ask_for_report(&record).await?;
        } else {
            mark_objects(&self.ports, &record).await?;
        }
        if record.epoch.number() > 1 {
            let operation = Self::change_name("rectified", &record);
            if !is_right || record.phase() == Phase::Analysed {
                self.tell(&record, operation, actor, Action::Rectified)
                    .await?;
            }
        }
        Ok(record)
    }
}
