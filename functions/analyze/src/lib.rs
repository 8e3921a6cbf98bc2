//! From an upload event to findings.
//!
//! Events come at least once, late, doubled and out of order, and the process can die
//! between any two steps. One set of findings comes of it all the same:
//!
//! 1. The event is a hint. What counts is the object that lies there now: its version and
//!    the algorithm's make the [`Source`], the key of idempotency.
//! 2. A conditional write claims the scan with a lease. Whoever finds a live lease comes
//!    back later; a dead worker's lease runs out.
//! 3. Artefacts go to a folder of their own for each source, so a worker that fell behind
//!    overwrites nothing. A second conditional write makes them count.
//! 4. Only then is the report asked for, the bundle taken out of `incoming/`, and only then
//!    the event acknowledged. A repeated event finds the source done and repeats step 4
//!    alone.
//!
//! A bundle that breaks the contract ends as `refused` and its files are deleted. Of one
//! that keeps it, a practice that has agreed to keep raw bundles keeps a copy without image
//! metadata and without the patient's data; the bytes that came are deleted in any case.

mod bundle;
mod kept;
mod measurer;
#[cfg(feature = "skin")]
mod skin;
mod strip;

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use dermalia_record::event::Notification;
use dermalia_record::port::{Body, Head, Metadata, ObjectWrite, Ports, Written};
use dermalia_record::{
    Attempt, Field, HandleError, Lease, Mailing, Phase, ReportMessage, RunId, ScanId, ScanKey,
    ScanRecord, Settings, Source, Stage, State, UploadEvent, bundle_prefix, bundles_prefix,
    expires_at_secs, findings_prefix, run_artefact, run_prefix,
};
use dermalia_scan::Limits;

pub use measurer::{Artefact, Bundle, MeasureError, Measured, Measurer, PatientData};
#[cfg(feature = "skin")]
pub use skin::SkinMeasurer;

/// How many objects of a scan are looked at in one listing.
const LISTING: usize = 1_000;

/// The handler and what it works with.
#[derive(Clone)]
pub struct Analyze {
    /// The outside.
    pub ports: Ports,
    /// Turns a bundle into findings.
    pub measurer: Arc<dyn Measurer>,
    /// What a practice that has agreed nothing else has agreed.
    pub settings: Arc<Settings>,
    /// What a bundle may cost.
    pub limits: Limits,
    /// For how long a scan is claimed; longer than an analysis takes.
    pub lease_ms: u64,
    /// After how long an analysis is taken for hung.
    pub timeout_ms: u64,
}

/// What the manifest says that the record keeps.
struct Told {
    captured_at: String,
    patient: PatientData,
    previous_scan: Option<ScanId>,
}

/// What became of one bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The findings are there.
    Analysed,
    /// They were there already.
    AlreadyDone,
    /// The bundle breaks the contract.
    Refused,
    /// There is nothing to analyse: deleted, erased, or replaced by a later upload.
    Nothing,
}

impl Analyze {
    /// A handler with the usual limits.
    #[must_use]
    pub fn new(ports: Ports, measurer: Arc<dyn Measurer>, settings: Arc<Settings>) -> Self {
        Self {
            ports,
            measurer,
            settings,
            limits: Limits::default(),
            lease_ms: 15 * 60_000,
            timeout_ms: 10 * 60_000,
        }
    }

    /// Deals with one message from the queue of uploads.
    ///
    /// # Errors
    /// When it has to come again or is to be given up; after the last attempt the record
    /// says why.
    pub async fn handle(&self, body: &str, attempt: Attempt) -> Result<Vec<Outcome>, HandleError> {
        let notification =
            Notification::parse(body).map_err(|e| HandleError::give_up(e.to_string()))?;
        let mut outcomes = Vec::with_capacity(notification.uploads.len());
        let mut first_error = None;
        for upload in &notification.uploads {
            match self.analyze(upload, attempt).await {
                Ok(outcome) => {
                    tracing::info!(scan = %upload.scan, ?outcome, "upload dealt with");
                    outcomes.push(outcome);
                }
                // The others are done first; they find themselves done the next time.
                Err(error) => {
                    tracing::warn!(scan = %upload.scan, %error, attempt = attempt.number,
                        "upload not dealt with");
                    if error.is_final(attempt) {
                        self.fail(&upload.scan, &error.to_string()).await;
                    }
                    first_error.get_or_insert(error);
                }
            }
        }
        first_error.map_or(Ok(outcomes), Err)
    }

    /// Writes the reason for giving up into the records of a message's scans: for messages
    /// whose last attempt did not live to do it.
    ///
    /// # Errors
    /// When the message is no notification.
    pub async fn note_dead_letter(&self, body: &str, reason: &str) -> Result<(), HandleError> {
        let notification =
            Notification::parse(body).map_err(|e| HandleError::give_up(e.to_string()))?;
        for upload in &notification.uploads {
            self.fail(&upload.scan, reason).await;
        }
        Ok(())
    }

    async fn analyze(
        &self,
        upload: &UploadEvent,
        attempt: Attempt,
    ) -> Result<Outcome, HandleError> {
        let Some(trigger) = self.ports.objects.head(&upload.object_key).await? else {
            return self.nothing_there(&upload.scan).await;
        };
        let source = Source {
            key: upload.object_key.clone(),
            version: trigger.version.clone(),
            uploaded_at_ms: trigger.modified_ms,
            algorithm: self.measurer.algorithm().to_owned(),
        };
        let record = self.record_of(&upload.scan).await?;
        let same = record.source.as_ref() == Some(&source);
        match (record.phase(), same) {
            (Phase::Erased | Phase::Restricted, _) => return Ok(Outcome::Nothing),
            (Phase::Refused, true) => {
                bundle::delete_raw(&self.ports, upload, &trigger).await?;
                return Ok(Outcome::Refused);
            }
            (Phase::Analysed | Phase::Reported | Phase::Delivered, true) => {
                self.finish(&record, upload, &trigger).await?;
                return Ok(Outcome::AlreadyDone);
            }
            (Phase::Failed, true)
                if matches!(
                    record.state,
                    State::Failed {
                        stage: Stage::Report,
                        ..
                    }
                ) =>
            {
                self.finish(&record, upload, &trigger).await?;
                return Ok(Outcome::AlreadyDone);
            }
            _ => {}
        }
        // S3 knows whole seconds: within one, the key decides, the same way for every event.
        let order = |s: &Source| (s.uploaded_at_ms, s.key.clone());
        let later_upload = |s: &Source| s.key != source.key && order(s) > order(&source);
        if record.source.as_ref().is_some_and(later_upload) {
            return Ok(Outcome::Nothing);
        }
        let claimed = self.claim(record, &source, attempt).await?;
        let Some(claimed) = claimed else {
            return Ok(Outcome::Nothing);
        };
        let result = self
            .analyze_claimed(upload, &trigger, &claimed, attempt)
            .await;
        if result.is_err() {
            self.let_go(&claimed).await;
        }
        result
    }

    /// The bundle is gone. What a worker that fell behind may have written for a scan that
    /// was removed meanwhile goes too.
    async fn nothing_there(&self, scan: &ScanKey) -> Result<Outcome, HandleError> {
        if self.ports.records.get(scan).await?.is_none() {
            self.ports
                .objects
                .delete_prefix(&findings_prefix(scan))
                .await?;
        }
        Ok(Outcome::Nothing)
    }

    async fn record_of(&self, scan: &ScanKey) -> Result<ScanRecord, HandleError> {
        if let Some(record) = self.ports.records.get(scan).await? {
            return Ok(record);
        }
        let now = self.ports.clock.now_secs();
        let terms = self.ports.terms(&self.settings, &scan.practice).await?;
        // Until the manifest says when the scan was made; that was before now.
        let provisional = now.saturating_add(i64::from(terms.retention_months) * 31 * 86_400);
        let fresh = ScanRecord::received(scan.clone(), now, provisional);
        match self.ports.records.insert(fresh).await? {
            Written::Done(record) => Ok(*record),
            // Somebody else was first, or an expired record waits for its removal.
            Written::Conflict => Err(HandleError::again("the record was written meanwhile")),
        }
    }

    /// Takes the lease; `None` if another worker has it and this message was put back as a
    /// fresh one, because its attempts are used up through no fault of its own.
    async fn claim(
        &self,
        mut record: ScanRecord,
        source: &Source,
        attempt: Attempt,
    ) -> Result<Option<ScanRecord>, HandleError> {
        let now_ms = self.ports.clock.now_ms();
        if let Some(until_ms) = record.leased_until_ms(now_ms) {
            let wait_ms = u64::try_from(until_ms - now_ms)
                .unwrap_or(0)
                .saturating_add(1);
            if attempt.is_last {
                let event = dermalia_record::event::object_created(&source.key, &source.version, 0);
                self.ports.uploads.send(&event, wait_ms).await?;
                return Ok(None);
            }
            let reason = "another worker has the scan".to_owned();
            return Err(HandleError::Again {
                reason,
                after_ms: Some(wait_ms),
            });
        }
        if record.phase() != Phase::Received {
            record
                .become_state(State::Received)
                .map_err(|e| HandleError::give_up(e.to_string()))?;
        }
        record.source = Some(source.clone());
        record.lease = Some(self.lease(now_ms)?);
        match self.ports.records.update(record).await? {
            Written::Done(record) => Ok(Some(*record)),
            Written::Conflict => Err(HandleError::again("the record was written meanwhile")),
        }
    }

    fn lease(&self, now_ms: i64) -> Result<Lease, HandleError> {
        let mut owner = [0; 12];
        getrandom::fill(&mut owner).map_err(|e| HandleError::again(e.to_string()))?;
        let until_ms = now_ms.saturating_add(i64::try_from(self.lease_ms).unwrap_or(i64::MAX));
        Ok(Lease {
            owner: HEXLOWER.encode(&owner),
            until_ms,
        })
    }

    /// Gives the lease back, so that the next attempt need not wait for its end. If that
    /// fails, it ends by itself.
    async fn let_go(&self, claimed: &ScanRecord) {
        let current = self.ports.records.get(&claimed.key).await;
        if let Ok(Some(mut record)) = current
            && record.lease == claimed.lease
        {
            record.lease = None;
            if let Err(error) = self.ports.records.update(record).await {
                tracing::warn!(scan = %claimed.key, %error, "a lease was not given back");
            }
        }
    }

    async fn analyze_claimed(
        &self,
        upload: &UploadEvent,
        trigger: &Head,
        claimed: &ScanRecord,
        attempt: Attempt,
    ) -> Result<Outcome, HandleError> {
        let measured = match self.measure(upload, trigger).await {
            Ok(measured) => measured,
            Err(MeasureError::Refused(reason)) => {
                return self.refuse(upload, trigger, claimed, reason, attempt).await;
            }
            Err(MeasureError::Fault(reason)) => return Err(HandleError::again(reason)),
        };
        let terms = self
            .ports
            .terms(&self.settings, &claimed.key.practice)
            .await?;
        let months = terms.retention_months;
        let expires_at_secs = match expires_at_secs(&measured.captured_at, months) {
            Ok(end) if end > self.ports.clock.now_secs() => end,
            Ok(_) => {
                let reason =
                    format!("captured_at: expected less than {months} months ago, got more");
                return self.refuse(upload, trigger, claimed, reason, attempt).await;
            }
            Err(error) => {
                return self
                    .refuse(upload, trigger, claimed, error.to_string(), attempt)
                    .await;
            }
        };
        let Some(source) = &claimed.source else {
            return Err(HandleError::give_up("a claimed record without a source"));
        };
        let run = source.run_id();
        let told = Told {
            captured_at: measured.captured_at,
            patient: measured.patient,
            previous_scan: measured.previous_scan,
        };
        for artefact in measured.artefacts {
            let key = run_artefact(&claimed.key, &run, &artefact.name)
                .map_err(|e| HandleError::give_up(e.to_string()))?;
            let object = ObjectWrite {
                body: Body::Bytes(artefact.bytes),
                content_type: artefact.content_type,
                metadata: Metadata::new(),
            };
            self.ports.objects.put(&key, object).await?;
        }
        let next = self.analysed(claimed, told, expires_at_secs, &run).await?;
        match self.ports.records.update(next).await? {
            Written::Done(record) => {
                self.finish(&record, upload, trigger).await?;
                Ok(Outcome::Analysed)
            }
            Written::Conflict => {
                self.withdraw(&claimed.key, &run).await?;
                Err(HandleError::again("the record was written meanwhile"))
            }
        }
    }

    /// Reads and measures, on a thread of its own: it takes seconds, and if it panics only
    /// this scan has failed.
    async fn measure(
        &self,
        upload: &UploadEvent,
        trigger: &Head,
    ) -> Result<Measured, MeasureError> {
        let bundle = bundle::read(&self.ports, upload, trigger, &self.limits).await?;
        let measurer = Arc::clone(&self.measurer);
        let (scan, limits) = (upload.scan.clone(), self.limits.clone());
        let work = tokio::task::spawn_blocking(move || measurer.measure(&scan, bundle, &limits));
        match tokio::time::timeout(Duration::from_millis(self.timeout_ms), work).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) if error.is_panic() => {
                Err(MeasureError::Fault("the analysis panicked".to_owned()))
            }
            Ok(Err(_)) => Err(MeasureError::Fault("the analysis was cancelled".to_owned())),
            Err(_) => {
                let seconds = self.timeout_ms / 1_000;
                Err(MeasureError::Fault(format!(
                    "the analysis took more than {seconds} s"
                )))
            }
        }
    }

    /// Ends a bundle that breaks the contract. First the record, then the files: a process
    /// that dies between the two deletes them when the event comes again.
    async fn refuse(
        &self,
        upload: &UploadEvent,
        trigger: &Head,
        claimed: &ScanRecord,
        reason: String,
        attempt: Attempt,
    ) -> Result<Outcome, HandleError> {
        // Files newer than the manifest: a new version of the bundle is on its way, and
        // its own event will come. Only when none does is the bundle as it lies refused.
        if !attempt.is_last && bundle::is_arriving(&self.ports, upload, trigger).await? {
            return Err(HandleError::again("files of the bundle are still arriving"));
        }
        let mut next = claimed.clone();
        next.lease = None;
        next.become_state(State::Refused { reason })
            .map_err(|e| HandleError::give_up(e.to_string()))?;
        match self.ports.records.update(next).await? {
            Written::Done(_) => {
                bundle::delete_raw(&self.ports, upload, trigger).await?;
                Ok(Outcome::Refused)
            }
            Written::Conflict => Err(HandleError::again("the record was written meanwhile")),
        }
    }

    /// The findings count: runs that no longer do are removed, the report is asked for, and
    /// the bundle leaves `incoming/`. In this order: as long as the trigger lies there, a
    /// repeated event comes back here.
    async fn finish(
        &self,
        record: &ScanRecord,
        upload: &UploadEvent,
        trigger: &Head,
    ) -> Result<(), HandleError> {
        let Some(run) = &record.run else {
            return Err(HandleError::give_up("analysed, but without findings"));
        };
        self.remove_other_runs(&record.key, run).await?;
        let message = ReportMessage {
            key: record.key.clone(),
        };
        self.ports.reports.send(&message.to_json(), 0).await?;
        // Reports of later scans that tell of an earlier run of this one.
        for key in record.later_keys() {
            let message = ReportMessage { key };
            self.ports.reports.send(&message.to_json(), 0).await?;
        }
        let terms = self
            .ports
            .terms(&self.settings, &record.key.practice)
            .await?;
        if terms.bundle_days > 0 {
            kept::keep(&self.ports, upload, trigger, run, &self.limits).await?;
        }
        bundle::delete_raw(&self.ports, upload, trigger).await
    }

    async fn remove_other_runs(&self, scan: &ScanKey, run: &RunId) -> Result<(), HandleError> {
        let (all, bundles) = (findings_prefix(scan), bundles_prefix(scan));
        let kept = [run_prefix(scan, run), bundle_prefix(scan, run)];
        let listing = self.ports.objects.list(&all, LISTING).await?;
        let folder_of = |key: &str| {
            let root = if key.starts_with(&bundles) {
                &bundles
            } else {
                &all
            };
            let folder = key[root.len()..].split('/').next()?;
            Some(format!("{root}{folder}/"))
        };
        let mut others: Vec<String> = listing
            .objects
            .iter()
            .filter(|object| !kept.iter().any(|prefix| object.key.starts_with(prefix)))
            .filter_map(|object| folder_of(&object.key))
            .collect();
        others.dedup();
        for prefix in others {
            self.ports.objects.delete_prefix(&prefix).await?;
        }
        Ok(())
    }

    /// Removes what this worker has written although the scan was no longer its own.
    async fn withdraw(&self, scan: &ScanKey, run: &RunId) -> Result<(), HandleError> {
        let counts = self.ports.records.get(scan).await?.is_some_and(|r| {
            r.run.as_ref() == Some(run)
                || r.source.as_ref().map(Source::run_id).as_ref() == Some(run)
        });
        if !counts {
            self.ports
                .objects
                .delete_prefix(&run_prefix(scan, run))
                .await?;
        }
        Ok(())
    }

    /// Writes the reason for giving up into the record. If even that fails, the dead letter
    /// carries it.
    async fn fail(&self, scan: &ScanKey, reason: &str) {
        let Ok(Some(mut record)) = self.ports.records.get(scan).await else {
            return;
        };
        if record.phase() != Phase::Received
            || record.leased_until_ms(self.ports.clock.now_ms()).is_some()
        {
            return;
        }
        record.lease = None;
        let failed = State::Failed {
            stage: Stage::Analyze,
            reason: reason.to_owned(),
        };
        if record.become_state(failed).is_ok()
            && let Err(error) = self.ports.records.update(record).await
        {
            tracing::error!(%scan, %error, "a failure was not written into its record");
        }
    }

    /// The record once the findings are there.
    async fn analysed(
        &self,
        claimed: &ScanRecord,
        told: Told,
        expires_at_secs: i64,
        run: &RunId,
    ) -> Result<ScanRecord, HandleError> {
        let patient = told.patient;
        let vault = &self.ports.vault;
        let known = vault
            .open_if_any(&claimed.key, Field::Email, claimed.email.as_ref())
            .await?;
        let mut next = claimed.clone();
        next.become_state(State::Analysed)
            .map_err(|e| HandleError::give_up(e.to_string()))?;
        next.lease = None;
        next.captured_at = Some(told.captured_at);
        next.previous_scan = told.previous_scan;
        next.expires_at_secs = expires_at_secs;
        next.run = Some(run.clone());
        next.reported_at_secs = None;
        // A new version of the bundle is announced anew only to a new address: the link
        // that the patient has shows the new report.
        if patient.email.is_some() && patient.email != known {
            next.mailing = Mailing {
                send_number: claimed.mailing.send_number + 1,
                accepted: false,
            };
        }
        let (name, email) = (patient.first_name.as_ref(), patient.email.as_ref());
        next.first_name = vault
            .seal_if_any(&claimed.key, Field::FirstName, name)
            .await?;
        next.email = vault.seal_if_any(&claimed.key, Field::Email, email).await?;
        next.locale = patient.locale;
        Ok(next)
    }
}
