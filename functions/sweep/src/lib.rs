//! Finds and removes what time and lost events have left behind, in both directions:
//! objects, keys and access entries without a record, and records whose objects, events or
//! dates are not what they should be, or whose page tells of another scan what it must not.
//! Everything here may be repeated and may run beside the other handlers and beside itself.

mod orphans;
mod scans;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dermalia_expire::Expire;
use dermalia_record::port::{Head, PortError, Ports, Queue, Removal};
use dermalia_record::{Audit, PracticeId, ScanKey, Settings, owner_of};

/// For how many days files lie in `incoming/` at most: those of an upload that was never
/// finished, and those of a scan whose analysis failed.
pub const INCOMING_DAYS: i64 = 7;
/// For how long a patient's copy lies there at most; the link to it lives for minutes.
pub const PACKAGE_SECS: i64 = 86_400;
/// Objects without a record are left alone for this long: a worker may be about to take
/// them back itself.
pub const GRACE_SECS: i64 = 3_600;

/// More objects than one deployment holds.
const LISTING: usize = 10_000_000;
/// Records, practices or entries read in one go.
const BATCH: usize = 200;

/// The handler and what it works with.
#[derive(Clone)]
pub struct Sweep {
    /// The outside.
    pub ports: Ports,
    /// Where it is told what was found.
    pub audit: Audit,
    /// What a practice that has agreed nothing else has agreed.
    pub settings: Arc<Settings>,
}

/// What a sweep has found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Scans removed because their time was up or they were erased.
    pub removed: u64,
    /// Erasures that had been begun and not ended.
    pub erasures_finished: u64,
    /// Access entries whose time was up.
    pub accesses_expired: u64,
    /// Scans whose end was moved to what their practice has agreed now.
    pub redated: u64,
    /// Raw bundles whose time was up.
    pub bundles_deleted: u64,
    /// Files of uploads that were never finished, or whose analysis failed.
    pub uploads_deleted: u64,
    /// Patients' copies whose time was up.
    pub packages_deleted: u64,
    /// Objects without a record.
    pub orphan_objects: u64,
    /// Data keys without a record.
    pub orphan_keys: u64,
    /// Access entries without a report.
    pub orphan_accesses: u64,
    /// Reports whose objects had not heard of a revocation or an objection.
    pub marked: u64,
    /// Reports that told of a scan of which nothing may be told any more.
    pub taken_back: u64,
    /// Bundles whose event was lost.
    pub uploads_announced: u64,
    /// Findings whose message was lost, or whose report was missing or not up to date.
    pub reports_asked: u64,
    /// Records that say there are findings where there are none.
    pub without_findings: Vec<ScanKey>,
}

impl Found {
    /// The counts with their names, for a person or a machine.
    #[must_use]
    pub fn counts(&self) -> [(&'static str, u64); 15] {
        [
            ("removed", self.removed),
            ("erasures_finished", self.erasures_finished),
            ("accesses_expired", self.accesses_expired),
            ("redated", self.redated),
            ("bundles_deleted", self.bundles_deleted),
            ("uploads_deleted", self.uploads_deleted),
            ("packages_deleted", self.packages_deleted),
            ("orphan_objects", self.orphan_objects),
            ("orphan_keys", self.orphan_keys),
            ("orphan_accesses", self.orphan_accesses),
            ("marked", self.marked),
            ("taken_back", self.taken_back),
            ("uploads_announced", self.uploads_announced),
            ("reports_asked", self.reports_asked),
            (
                "without_findings",
                u64::try_from(self.without_findings.len()).unwrap_or(u64::MAX),
            ),
        ]
    }

    /// Whether there was nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts().iter().all(|(_, count)| *count == 0)
    }
}

/// What lies in the object store, by owner.
#[derive(Default)]
struct Lying {
    findings: BTreeMap<ScanKey, Vec<Head>>,
    incoming: BTreeMap<ScanKey, Vec<Head>>,
    /// Keys that nobody of ours writes.
    strangers: Vec<Head>,
}

impl Sweep {
    fn expire(&self) -> Expire {
        Expire {
            ports: self.ports.clone(),
            audit: self.audit.clone(),
        }
    }

    /// Removes what is due: records, and access entries. Cheap; to be run every minute
    /// where no database does it by itself.
    ///
    /// # Errors
    /// When a port fails; the next sweep continues.
    pub async fn due<F>(&self, also: F) -> Result<Found, PortError>
    where
        F: Fn(&Removal) -> Result<(), PortError>,
    {
        let mut found = Found {
            removed: self.expire().sweep(BATCH, also).await?,
            ..Found::default()
        };
        loop {
            let expired = self.ports.accesses.expire_due(BATCH).await?;
            found.accesses_expired += expired;
            if expired == 0 {
                return Ok(found);
            }
        }
    }

    /// Looks at everything there is.
    ///
    /// # Errors
    /// When a port fails; the next sweep continues.
    pub async fn full<F>(&self, also: F) -> Result<Found, PortError>
    where
        F: Fn(&Removal) -> Result<(), PortError>,
    {
        let mut found = self.due(&also).await?;
        let lying = self.lying().await?;
        // Lost events are told from slow ones by an empty queue.
        let idle = async |queue: &dyn Queue| {
            let depth = queue.depth().await?;
            Ok::<bool, PortError>(depth.waiting + depth.in_flight == 0)
        };
        let uploads_idle = idle(self.ports.uploads.as_ref()).await?;
        let reports_idle = idle(self.ports.reports.as_ref()).await?;
        for practice in self.practices(&lying).await? {
            self.records_of(&practice, &lying, reports_idle, &mut found)
                .await?;
        }
        self.incoming(&lying, uploads_idle, &mut found).await?;
        self.packages(&mut found).await?;
        self.orphans(&lying, &mut found).await?;
        // What was re-dated or finished above is removed at once.
        let rest = self.due(also).await?;
        found.removed += rest.removed;
        found.accesses_expired += rest.accesses_expired;
        if !found.is_empty() {
            tracing::info!(?found, "sweep");
        }
        Ok(found)
    }

    async fn lying(&self) -> Result<Lying, PortError> {
        let mut lying = Lying::default();
        for prefix in ["findings/", "incoming/"] {
            for head in self.ports.objects.list(prefix, LISTING).await?.objects {
                let by_scan = if prefix == "findings/" {
                    &mut lying.findings
                } else {
                    &mut lying.incoming
                };
                match owner_of(&head.key) {
                    Some((scan, _)) => by_scan.entry(scan).or_default().push(head),
                    None => lying.strangers.push(head),
                }
            }
        }
        Ok(lying)
    }

    /// Every practice of which anything is known.
    async fn practices(&self, lying: &Lying) -> Result<BTreeSet<PracticeId>, PortError> {
        let mut all: BTreeSet<PracticeId> = lying
            .findings
            .keys()
            .chain(lying.incoming.keys())
            .map(|scan| scan.practice.clone())
            .collect();
        all.extend(self.audit.store.practices().await?);
        let mut last: Option<PracticeId> = None;
        loop {
            let batch = self.ports.practices.list(last.as_ref(), BATCH).await?;
            let Some(end) = batch.last() else { break };
            last = Some(end.id.clone());
            all.extend(batch.into_iter().map(|practice| practice.id));
        }
        let mut last: Option<ScanKey> = None;
        loop {
            let batch = self.ports.vault.keys.scans(last.as_ref(), BATCH).await?;
            let Some(end) = batch.last() else { break };
            last = Some(end.clone());
            all.extend(batch.into_iter().map(|scan| scan.practice));
        }
        Ok(all)
    }
}
