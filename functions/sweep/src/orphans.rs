//! From what lies in the stores to the records that it should belong to.

use std::collections::BTreeMap;

use dermalia_expire::inventory_of;
use dermalia_record::audit::{Action, Actor, Draft};
use dermalia_record::event::{object_created, trigger_of};
use dermalia_record::port::{Head, PortError};
use dermalia_record::{
    PACKAGES, Phase, ReportId, ScanKey, findings_prefix, owner_of, report_of, report_prefix,
};

use crate::{BATCH, Found, GRACE_SECS, INCOMING_DAYS, LISTING, Lying, PACKAGE_SECS, Sweep};

impl Sweep {
    fn is_older(&self, head: &Head, secs: i64) -> bool {
        self.ports.clock.now_ms() - head.modified_ms >= secs * 1_000
    }

    /// Files in `incoming/`: announced again if their event was lost, deleted if their time
    /// is up.
    pub(crate) async fn incoming(
        &self,
        lying: &Lying,
        uploads_idle: bool,
        found: &mut Found,
    ) -> Result<(), PortError> {
        for (scan, heads) in &lying.incoming {
            let record = self.ports.records.get(scan).await?;
            let phase = record.as_ref().map(|record| record.phase());
            if phase == Some(Phase::Restricted) {
                continue;
            }
            let old: Vec<&Head> = heads
                .iter()
                .filter(|head| self.is_older(head, INCOMING_DAYS * 86_400))
                .collect();
            if !old.is_empty() {
                let mut heads: Vec<Head> = old.iter().map(|head| (*head).clone()).collect();
                self.tell(scan, &mut heads).await?;
                for head in old {
                    let deleted = self
                        .ports
                        .objects
                        .delete_version(&head.key, &head.version)
                        .await?;
                    found.uploads_deleted += u64::from(deleted);
                }
                continue;
            }
            let trigger = heads.iter().find(|head| trigger_of(&head.key).is_some());
            let Some(trigger) = trigger else { continue };
            let is_leased = record
                .as_ref()
                .is_some_and(|r| r.leased_until_ms(self.ports.clock.now_ms()).is_some());
            // Failed and refused ones have had their chance; a record that knows another
            // version has not heard of this one.
            let source = record.and_then(|record| record.source);
            let is_known = source.is_some_and(|source| source.version == trigger.version);
            let has_ended = matches!(phase, Some(Phase::Failed | Phase::Erased));
            if uploads_idle && !is_leased && !(is_known && has_ended) {
                let event = object_created(&trigger.key, &trigger.version, trigger.bytes);
                self.ports.uploads.send(&event, 0).await?;
                found.uploads_announced += 1;
            }
        }
        Ok(())
    }

    /// Patients' copies: of a scan that is gone, and those that nobody fetches any more.
    pub(crate) async fn packages(&self, found: &mut Found) -> Result<(), PortError> {
        for head in self.ports.objects.list(PACKAGES, LISTING).await?.objects {
            let is_old = self.is_older(&head, PACKAGE_SECS);
            let is_orphan = self.is_older(&head, GRACE_SECS)
                && match owner_of(&head.key) {
                    Some((scan, _)) => self.ports.records.get(&scan).await?.is_none(),
                    None => true,
                };
            if is_old || is_orphan {
                found.packages_deleted += u64::from(self.ports.objects.delete(&head.key).await?);
            }
        }
        Ok(())
    }

    pub(crate) async fn orphans(&self, lying: &Lying, found: &mut Found) -> Result<(), PortError> {
        for (scan, heads) in &lying.findings {
            let is_young = |head: &Head| !self.is_older(head, GRACE_SECS);
            if heads.iter().any(is_young) || self.ports.records.get(scan).await?.is_some() {
                continue;
            }
            self.tell(scan, &mut heads.clone()).await?;
            found.orphan_objects += self
                .ports
                .objects
                .delete_prefix(&findings_prefix(scan))
                .await?;
        }
        for head in &lying.strangers {
            if self.is_older(head, INCOMING_DAYS * 86_400) {
                found.orphan_objects += u64::from(self.ports.objects.delete(&head.key).await?);
            }
        }
        let mut reports: BTreeMap<ReportId, bool> = BTreeMap::new();
        for head in self.ports.objects.list("reports/", LISTING).await?.objects {
            if let Some(report) = report_of(&head.key) {
                *reports.entry(report).or_default() |= !self.is_older(&head, GRACE_SECS);
            }
        }
        for (report, is_young) in reports {
            if is_young || self.ports.records.by_report(report).await?.is_some() {
                continue;
            }
            found.orphan_objects += self
                .ports
                .objects
                .delete_prefix(&report_prefix(report))
                .await?;
        }
        self.keys(found).await?;
        self.accesses(found).await
    }

    async fn keys(&self, found: &mut Found) -> Result<(), PortError> {
        let vault = &self.ports.vault;
        let mut last: Option<ScanKey> = None;
        loop {
            let batch = vault.keys.scans(last.as_ref(), BATCH).await?;
            let Some(end) = batch.last() else {
                return Ok(());
            };
            last = Some(end.clone());
            // A record is always there before its key.
            for scan in batch {
                if self.ports.records.get(&scan).await?.is_none() {
                    found.orphan_keys += u64::from(vault.destroy(&scan).await?);
                }
            }
        }
    }

    async fn accesses(&self, found: &mut Found) -> Result<(), PortError> {
        let mut last: Option<ReportId> = None;
        loop {
            let batch = self.ports.accesses.reports(last, BATCH).await?;
            let Some(end) = batch.last() else {
                return Ok(());
            };
            last = Some(*end);
            for report in batch {
                if self.ports.records.by_report(report).await?.is_none() {
                    found.orphan_accesses += self.ports.accesses.remove(report, None).await?;
                }
            }
        }
    }

    async fn tell(&self, scan: &ScanKey, heads: &mut [Head]) -> Result<(), PortError> {
        let inventory = inventory_of(heads, 0);
        let draft = Draft {
            practice: scan.practice.clone(),
            scan: Some(scan.scan.clone()),
            // The hash of what was found: found again after a crash, it is told once.
            operation: format!("orphans/{}/{}", scan.scan, inventory.sha256),
            actor: Actor::System,
            action: Action::OrphansDeleted,
            inventory: Some(inventory),
        };
        self.audit.record(&draft).await?;
        Ok(())
    }
}
