//! What a patient may ask for (Art. 15 to 21 GDPR), for the operator's command line, for his
//! call of the function, and for the buttons of the report.
//!
//! Each right is a change of the record by a conditional write, followed by steps that may
//! be repeated, and ends with an entry in the audit log whose operation names the change.
//! So a call that died halfway is completed by calling it again, and one that was done
//! changes nothing more. Everything is addressed by practice and scan: a practice reaches
//! its own scans only.

mod certificate;
mod erase;
mod index;
mod mail;
mod operator;
mod package;
mod rectify;
mod request;

use std::sync::Arc;

use dermalia_expire::{Expire, take_back_later};
use dermalia_link::SigningKey;
use dermalia_record::audit::{Action, Actor, Draft};
use dermalia_record::port::{AccessKind, PortError, Ports, Written};
use dermalia_record::{
    Audit, Phase, ReportMessage, ScanKey, ScanRecord, Settings, State, packages_prefix,
};
use dermalia_report_function::{LinkError, ask_for_later, mark_objects};

pub use certificate::Certificate;
pub use index::{PackedFile, index};
pub use mail::confirm_mail;
pub use operator::{OperatorRequest, Shelf};
pub use package::Package;
pub use rectify::Correction;
pub use request::Outcome;

/// How often a change is tried again because another one came first.
const ATTEMPTS: usize = 16;

/// The handler and what it works with.
#[derive(Clone)]
pub struct Rights {
    /// The outside.
    pub ports: Ports,
    /// Where it is told what was done.
    pub audit: Audit,
    /// What a practice that has agreed nothing else has agreed.
    pub settings: Arc<Settings>,
    /// Signs links.
    pub key: Arc<SigningKey>,
}

/// Why a right is not granted. No text carries personal data.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// No such scan at this practice, or its time is up.
    #[error("there is no such scan, or its retention has ended")]
    NoScan,
    /// It does not stand where this can be done.
    #[error("the scan is {}: {expected}", phase.name())]
    NotNow {
        /// Where it stands.
        phase: Phase,
        /// What it would have to be.
        expected: &'static str,
    },
    /// A value that cannot be taken.
    #[error("{field}: {expected}")]
    Value {
        /// Which one.
        field: &'static str,
        /// What it would have to be.
        expected: &'static str,
    },
    /// The record is being written all the time.
    #[error("the record is being worked on; try again")]
    Busy,
    /// A file cannot be packed.
    #[error("the package cannot be written: {0}")]
    Package(String),
    /// A port failed; repeat the call.
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<LinkError> for RightsError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::NoScan => Self::NoScan,
            LinkError::NoReport(phase) => Self::NotNow {
                phase,
                expected: "expected one with a report",
            },
            LinkError::Busy => Self::Busy,
            LinkError::Port(error) => Self::Port(error),
        }
    }
}

impl Rights {
    fn expire(&self) -> Expire {
        Expire {
            ports: self.ports.clone(),
            audit: self.audit.clone(),
        }
    }

    async fn get(&self, scan: &ScanKey) -> Result<ScanRecord, RightsError> {
        let record = self.ports.records.get(scan).await?;
        record
            .filter(|record| record.phase() != Phase::Erased)
            .ok_or(RightsError::NoScan)
    }

    /// Changes a record; `edit` tells whether there is anything to change, and refuses
    /// where it must not be. A worker's lease ends with the change, so that what it has
    /// begun on the old record is not written over the new one.
    async fn change(
        &self,
        scan: &ScanKey,
        edit: impl Fn(&mut ScanRecord) -> Result<bool, RightsError>,
    ) -> Result<ScanRecord, RightsError> {
        for _ in 0..ATTEMPTS {
            let mut record = self.get(scan).await?;
            if !edit(&mut record)? {
                return Ok(record);
            }
            record.lease = None;
            if let Written::Done(record) = self.ports.records.update(record).await? {
                return Ok(*record);
            }
        }
        Err(RightsError::Busy)
    }

    async fn tell(
        &self,
        record: &ScanRecord,
        operation: String,
        actor: Actor,
        action: Action,
    ) -> Result<(), RightsError> {
        let draft = Draft {
            practice: record.key.practice.clone(),
            scan: Some(record.key.scan.clone()),
            operation,
            actor,
            action,
            inventory: None,
        };
        self.audit.record(&draft).await?;
        Ok(())
    }

    /// Copies that were laid out before say what is no longer right, or to be served.
    async fn forget_packages(&self, scan: &ScanKey) -> Result<(), RightsError> {
        let packages = packages_prefix(scan);
        self.ports.objects.delete_prefix(&packages).await?;
        Ok(())
    }

    /// Names a change in the audit log: the epoch counts up with each one.
    fn change_name(name: &str, record: &ScanRecord) -> String {
        let epoch = record.epoch.number();
        format!("{}/{epoch}", dermalia_expire::operation(name, record))
    }

    async fn ask_for_report(&self, record: &ScanRecord) -> Result<(), RightsError> {
        let message = ReportMessage {
            key: record.key.clone(),
        };
        Ok(self.ports.reports.send(&message.to_json(), 0).await?)
    }

    /// Restriction (Art. 18): kept until its time is up, but neither processed nor served.
    /// Every link is dead at once.
    ///
    /// # Errors
    /// When there is no such scan, or a port fails.
    pub async fn restrict(&self, scan: &ScanKey, actor: Actor) -> Result<ScanRecord, RightsError> {
        let record = self
            .change(scan, |record| {
                let from = record.phase();
                if from == Phase::Restricted {
                    return Ok(false);
                }
                let restricted = State::Restricted { from };
                record
                    .become_state(restricted)
                    .map_err(|_| RightsError::NotNow {
                        phase: from,
                        expected: "there is nothing of it to restrict",
                    })?;
                record.epoch = record.epoch.next();
                record.link = None;
                Ok(true)
            })
            .await?;
        mark_objects(&self.ports, &record).await?;
        self.forget_packages(scan).await?;
        take_back_later(&self.ports, &record).await?;
        let operation = Self::change_name("restricted", &record);
        self.tell(&record, operation, actor, Action::Restricted)
            .await?;
        Ok(record)
    }

    /// Lifts a restriction: what was interrupted continues. Links from before stay dead.
    ///
    /// # Errors
    /// When there is no such scan, or a port fails.
    pub async fn lift_restriction(
        &self,
        scan: &ScanKey,
        actor: Actor,
    ) -> Result<ScanRecord, RightsError> {
        let record = self
            .change(scan, |record| {
                let State::Restricted { from } = record.state else {
                    return Ok(false);
                };
                let next = match from {
                    Phase::Received => State::Received,
                    // A report that was there is made sure of, and its link is new.
                    _ if record.run.is_some() => State::Analysed,
                    _ => State::Received,
                };
                let phase = record.phase();
                record.become_state(next).map_err(|_| RightsError::NotNow {
                    phase,
                    expected: "expected a restriction that can be lifted",
                })?;
                record.epoch = record.epoch.next();
                Ok(true)
            })
            .await?;
        mark_objects(&self.ports, &record).await?;
        if record.phase() == Phase::Analysed {
            self.ask_for_report(&record).await?;
            // Later reports may tell of it again.
            ask_for_later(&self.ports, &record).await?;
        }
        let operation = Self::change_name("restriction-lifted", &record);
        self.tell(&record, operation, actor, Action::RestrictionLifted)
            .await?;
        Ok(record)
    }

    /// Objection (Art. 21) to usage events on this report: none is taken from now on, those
    /// that were are deleted. With `is_withdrawn` the objection ends.
    ///
    /// # Errors
    /// When there is no such scan, or a port fails.
    pub async fn object(
        &self,
        scan: &ScanKey,
        actor: Actor,
        is_withdrawn: bool,
    ) -> Result<ScanRecord, RightsError> {
        let record = self
            .change(scan, |record| {
                if record.has_objected != is_withdrawn {
                    return Ok(false);
                }
                record.has_objected = !is_withdrawn;
                record.objections += 1;
                Ok(true)
            })
            .await?;
        mark_objects(&self.ports, &record).await?;
        if let Some(report) = record.report_id
            && record.has_objected
        {
            let usage = Some(AccessKind::Usage);
            self.ports.accesses.remove(report, usage).await?;
        }
        if record.objections > 0 {
            let name = dermalia_expire::operation("objection", &record);
            let operation = format!("{name}/{}", record.objections);
            let action = if record.has_objected {
                Action::Objected
            } else {
                Action::ObjectionWithdrawn
            };
            self.tell(&record, operation, actor, action).await?;
        }
        Ok(record)
    }
}
