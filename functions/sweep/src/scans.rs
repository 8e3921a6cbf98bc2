//! From the records to what should belong to them.

use dermalia_expire::{inventory_of, operation, take_back};
use dermalia_link::{META_CODE, META_EPOCH, META_USAGE, PAGE_OBJECT};
use dermalia_record::audit::{Action, Actor, Draft};
use dermalia_record::port::{Cause, Head, PortError, Written};
use dermalia_record::{
    META_COMPARED, Phase, PracticeId, ReportMessage, ScanKey, ScanRecord, Settings, State,
    bundles_prefix, expires_at_secs, incoming_archive, incoming_prefix, report_asset, run_prefix,
};
use dermalia_report_function::{LinkError, mark_objects};

use crate::{BATCH, Found, Lying, Sweep};

const DAY_SECS: i64 = 86_400;

impl Sweep {
    pub(crate) async fn records_of(
        &self,
        practice: &PracticeId,
        lying: &Lying,
        reports_idle: bool,
        found: &mut Found,
    ) -> Result<(), PortError> {
        let terms = self.ports.terms(&self.settings, practice).await?;
        let mut last: Option<ScanKey> = None;
        loop {
            let records = &self.ports.records;
            let batch = records.list(practice, last.as_ref(), BATCH).await?;
            let Some(end) = batch.last() else {
                return Ok(());
            };
            last = Some(end.key.clone());
            for record in batch {
                self.record(record, &terms, lying, reports_idle, found)
                    .await?;
            }
        }
    }

    async fn record(
        &self,
        mut record: ScanRecord,
        terms: &Settings,
        lying: &Lying,
        reports_idle: bool,
        found: &mut Found,
    ) -> Result<(), PortError> {
        if record.phase() == Phase::Erased {
            let expire = self.expire();
            expire.remove(&record, Cause::Erased, Actor::System).await?;
            self.ports.records.remove(&record, Cause::Erased).await?;
            found.erasures_finished += 1;
            return Ok(());
        }
        let end = agreed_end(&record, terms);
        if end != record.expires_at_secs {
            record.expires_at_secs = end;
            if let Some(link) = &mut record.link {
                link.expires_at_secs = link.expires_at_secs.min(end);
            }
            match self.ports.records.update(record).await? {
                Written::Done(written) => record = *written,
                // Being worked on: the next sweep does it.
                Written::Conflict => return Ok(()),
            }
            found.redated += 1;
        }
        if record.is_expired(self.ports.clock.now_secs()) {
            return Ok(());
        }
        let record = self.forget_removed(record).await?;
        let record = self.return_to_run(record, lying).await?;
        let none = Vec::new();
        let objects = lying.findings.get(&record.key).unwrap_or(&none);
        self.bundle(&record, terms, objects, found).await?;
        self.report(&record, objects, reports_idle, found).await
    }

    /// A scan whose new upload was claimed, but went before it was measured, stands again
    /// where its earlier run has left it.
    async fn return_to_run(
        &self,
        mut record: ScanRecord,
        lying: &Lying,
    ) -> Result<ScanRecord, PortError> {
        let is_waiting = record.phase() == Phase::Received
            && record.run.is_some()
            && record.leased_until_ms(self.ports.clock.now_ms()).is_none();
        if !is_waiting || lying.incoming.contains_key(&record.key) {
            return Ok(record);
        }
        // The listing may be older than the record.
        let objects = &self.ports.objects;
        let folder = objects.list(&incoming_prefix(&record.key), 1).await?;
        let archive = objects.head(&incoming_archive(&record.key)).await?;
        if !folder.objects.is_empty() || archive.is_some() {
            return Ok(record);
        }
        let before = record.clone();
        if record.become_state(State::Analysed).is_err() {
            return Ok(before);
        }
        record.source = None;
        Ok(match self.ports.records.update(record).await? {
            Written::Done(record) => *record,
            Written::Conflict => before,
        })
    }

    /// Takes later scans that are gone off the list of those that may tell of this one.
    async fn forget_removed(&self, mut record: ScanRecord) -> Result<ScanRecord, PortError> {
        let mut gone = Vec::new();
        for key in record.later_keys() {
            if self.ports.records.get(&key).await?.is_none() {
                gone.push(key.scan);
            }
        }
        let is_leased = record.leased_until_ms(self.ports.clock.now_ms()).is_some();
        if gone.is_empty() || is_leased {
            return Ok(record);
        }
        let before = record.clone();
        record.next_scans.retain(|scan| !gone.contains(scan));
        Ok(match self.ports.records.update(record).await? {
            Written::Done(record) => *record,
            Written::Conflict => before,
        })
    }

    /// Deletes the raw bundle that is kept beyond its time.
    async fn bundle(
        &self,
        record: &ScanRecord,
        terms: &Settings,
        objects: &[Head],
        found: &mut Found,
    ) -> Result<(), PortError> {
        let prefix = bundles_prefix(&record.key);
        let Some(reported_at) = record.reported_at_secs else {
            return Ok(());
        };
        let end = reported_at.saturating_add(i64::from(terms.bundle_days) * DAY_SECS);
        // Restriction keeps what there is (Art. 18).
        if self.ports.clock.now_secs() < end || record.phase() == Phase::Restricted {
            return Ok(());
        }
        let raw = objects.iter().filter(|head| head.key.starts_with(&prefix));
        let mut raw: Vec<Head> = raw.cloned().collect();
        if raw.is_empty() {
            return Ok(());
        }
        let run = record.run.as_ref().map(ToString::to_string);
        let name = operation("bundle-deleted", record);
        let draft = Draft {
            practice: record.key.practice.clone(),
            scan: Some(record.key.scan.clone()),
            operation: format!("{name}/{}", run.unwrap_or_default()),
            actor: Actor::System,
            action: Action::BundleDeleted,
            inventory: Some(inventory_of(&mut raw, 0)),
        };
        self.audit.record(&draft).await?;
        self.ports.objects.delete_prefix(&prefix).await?;
        found.bundles_deleted += 1;
        Ok(())
    }

    /// Sees that the report is there, or asked for, and knows the record's epoch.
    async fn report(
        &self,
        record: &ScanRecord,
        objects: &[Head],
        reports_idle: bool,
        found: &mut Found,
    ) -> Result<(), PortError> {
        let Some(run) = &record.run else {
            return Ok(());
        };
        if record.leased_until_ms(self.ports.clock.now_ms()).is_some() {
            return Ok(());
        }
        let prefix = run_prefix(&record.key, run);
        let has_findings = objects.iter().any(|head| head.key.starts_with(&prefix));
        if !has_findings && record.is_open() && record.phase() != Phase::Received {
            // The listing may be older than the record.
            let now = self.ports.objects.list(&prefix, 1).await?;
            if now.objects.is_empty() {
                tracing::error!(scan = %record.key, "a record without its findings");
                found.without_findings.push(record.key.clone());
                return Ok(());
            }
        }
        let mut is_missing = matches!(record.phase(), Phase::Analysed | Phase::Reported);
        if let Some(report) = record.report_id
            && let Ok(key) = report_asset(report, PAGE_OBJECT)
        {
            match self.ports.objects.head(&key).await? {
                None => is_missing |= record.phase() == Phase::Delivered,
                Some(head) => {
                    is_missing |= self.tells_other(record, &head, found).await?;
                    let epoch = record.epoch.number().to_string();
                    let knows = head.metadata.get(META_EPOCH) == Some(&epoch)
                        && head.metadata.get(META_CODE) == record.code_hash.as_ref()
                        && head.metadata.contains_key(META_USAGE) == record.has_objected;
                    if !knows {
                        match mark_objects(&self.ports, record).await {
                            Ok(()) => found.marked += 1,
                            Err(LinkError::Port(error)) => return Err(error),
                            // Written all the time: the next sweep looks again.
                            Err(_) => {}
                        }
                    }
                }
            }
        }
        if is_missing && reports_idle {
            let message = ReportMessage {
                key: record.key.clone(),
            };
            self.ports.reports.send(&message.to_json(), 0).await?;
            found.reports_asked += 1;
        }
        Ok(())
    }
}

impl Sweep {
    /// Whether the page is to be drawn anew: its end was moved, or what it tells of the scan
    /// before is not what it may tell. A page that tells too much is taken back at once.
    async fn tells_other(
        &self,
        record: &ScanRecord,
        page: &Head,
        found: &mut Found,
    ) -> Result<bool, PortError> {
        let earlier = self.ports.comparable(record).await?;
        let compared = earlier.as_ref().and_then(|earlier| earlier.run.as_ref());
        if record.is_told_by(&page.metadata, compared) {
            return Ok(false);
        }
        let told = page.metadata.get(META_COMPARED);
        if told.is_some() && told != compared.map(ToString::to_string).as_ref() {
            found.taken_back += u64::from(take_back(&self.ports, record).await?);
            return Ok(false);
        }
        Ok(record.phase() == Phase::Delivered)
    }
}

/// When the scan ends by what its practice has agreed now.
fn agreed_end(record: &ScanRecord, terms: &Settings) -> i64 {
    let months = terms.retention_months;
    match &record.captured_at {
        Some(captured_at) => expires_at_secs(captured_at, months).unwrap_or(record.expires_at_secs),
        // Not read yet: counted from the upload, as when it came.
        None => record
            .received_at_secs
            .saturating_add(i64::from(months) * 31 * DAY_SECS),
    }
}
