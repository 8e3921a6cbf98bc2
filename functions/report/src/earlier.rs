//! The comparison with the scan before: a report may tell of it only as long as that scan
//! may be read itself.
//!
//! The order is what makes it safe. The earlier record knows of this report before the
//! report tells anything; once it is published, the earlier record is looked at again.
//! Whoever erases or restricts the earlier scan does it the other way round: first its
//! record, then the reports that it knows. So one of the two sees the other.

use dermalia_record::port::{Ports, Written};
use dermalia_record::{
    Attempt, HandleError, META_COMPARED, ReportId, RunId, ScanRecord, report_prefix, run_artefact,
    run_prefix,
};

use crate::{
    FINDINGS, LISTING, MAX_ARTEFACT_BYTES, MODEL, PAGE_OBJECT, Report, ReportFile, asset_key,
};

/// How often the earlier record is written anew because another change came first.
const ATTEMPTS: usize = 8;
/// How long the earlier scan's worker is waited for at a time.
const WAIT_MS: u64 = 10_000;

impl Report {
    /// The scan that this report is compared with, once its record knows of this one.
    pub(crate) async fn note_later(
        &self,
        record: &ScanRecord,
        attempt: Attempt,
    ) -> Result<Option<ScanRecord>, HandleError> {
        let later = &record.key.scan;
        for _ in 0..ATTEMPTS {
            let Some(mut earlier) = self.ports.comparable(record).await? else {
                return Ok(None);
            };
            if earlier.next_scans.contains(later) {
                return Ok(Some(earlier));
            }
            let now_ms = self.ports.clock.now_ms();
            if let Some(until_ms) = earlier.leased_until_ms(now_ms) {
                // Its worker would find its own write refused. The sweep brings the
                // comparison if it cannot be waited for.
                if attempt.is_last {
                    return Ok(None);
                }
                return Err(HandleError::Again {
                    reason: "the scan before this one is being worked on".to_owned(),
                    after_ms: u64::try_from(until_ms - now_ms)
                        .ok()
                        .map(|ms| ms.min(WAIT_MS)),
                });
            }
            earlier.next_scans.insert(later.clone());
            if let Written::Done(earlier) = self.ports.records.update(earlier).await? {
                return Ok(Some(*earlier));
            }
        }
        Err(HandleError::again(
            "the scan before this one is written all the time",
        ))
    }

    /// What was measured on the scan before.
    pub(crate) async fn findings_of(&self, earlier: &ScanRecord) -> Result<Vec<u8>, HandleError> {
        let missing = || HandleError::again("the findings of the scan before went away");
        let run = earlier.run.as_ref().ok_or_else(missing)?;
        let key = run_artefact(&earlier.key, run, FINDINGS)
            .map_err(|e| HandleError::give_up(e.to_string()))?;
        let found = self.ports.objects.get(&key, MAX_ARTEFACT_BYTES).await?;
        Ok(found.ok_or_else(missing)?.bytes)
    }

    /// What is shown of the scan before: its model and its heat maps.
    pub(crate) async fn views_of(
        &self,
        earlier: &ScanRecord,
    ) -> Result<Vec<ReportFile>, HandleError> {
        let missing = || HandleError::again("the pictures of the scan before went away");
        let run = earlier.run.as_ref().ok_or_else(missing)?;
        let prefix = run_prefix(&earlier.key, run);
        let listing = self.ports.objects.list(&prefix, LISTING).await?;
        let mut files = vec![];
        for object in listing.objects {
            let name = &object.key[prefix.len()..];
            let is_heat = name.starts_with("heat_") && name.ends_with(".webp");
            if name != MODEL && !is_heat {
                continue;
            }
            let found = self
                .ports
                .objects
                .get(&object.key, MAX_ARTEFACT_BYTES)
                .await?;
            let found = found.ok_or_else(missing)?;
            files.push(ReportFile {
                name: name.to_owned(),
                content_type: found.head.content_type,
                bytes: found.bytes,
            });
        }
        Ok(files)
    }

    /// Takes away a report that tells of a scan, or of a run of it, that this version does
    /// not tell of: what is only written over would lie on as an old version.
    pub(crate) async fn forget_other(
        &self,
        record: &ScanRecord,
        report: ReportId,
        compared: Option<&RunId>,
    ) -> Result<(), HandleError> {
        let page = self
            .ports
            .objects
            .head(&asset_key(report, PAGE_OBJECT)?)
            .await?;
        let told = page.and_then(|page| page.metadata.get(META_COMPARED).cloned());
        if told.is_some() && told != compared.map(ToString::to_string) {
            self.take_back(record, report).await?;
        }
        Ok(())
    }

    async fn take_back(&self, record: &ScanRecord, report: ReportId) -> Result<(), HandleError> {
        let prefix = report_prefix(report);
        self.ports.objects.delete_prefix(&prefix).await?;
        if let Err(error) = self.ports.announce_renewal(&record.key).await {
            tracing::warn!(scan = %record.key, %error, "a renewal is not announced");
        }
        Ok(())
    }

    /// Takes the report back if what it tells of the scan before must not be told any more:
    /// that scan was erased, restricted or measured anew while this one was rendered.
    pub(crate) async fn may_still_tell(
        &self,
        record: &ScanRecord,
        report: ReportId,
        earlier: Option<&ScanRecord>,
    ) -> Result<(), HandleError> {
        let Some(told) = earlier.and_then(|earlier| earlier.run.as_ref()) else {
            return Ok(());
        };
        let now = self.ports.comparable(record).await?;
        if now.and_then(|earlier| earlier.run).as_ref() == Some(told) {
            return Ok(());
        }
        self.take_back(record, report).await?;
        Err(HandleError::again("the scan before this one has changed"))
    }
}

/// Asks for the reports of later scans to be drawn anew, as after a change of what may be
/// told of this one.
///
/// # Errors
/// When a port fails; repeat it then.
pub async fn ask_for_later(
    ports: &Ports,
    record: &ScanRecord,
) -> Result<(), dermalia_record::port::PortError> {
    for key in record.later_keys() {
        let message = dermalia_record::ReportMessage { key };
        ports.reports.send(&message.to_json(), 0).await?;
    }
    Ok(())
}
