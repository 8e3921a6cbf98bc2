//! Removes everything that belonged to a scan whose record is gone.
//!
//! The stream of removals comes at least once; deleting what is deleted does no harm. What
//! there is to delete is written into the audit log first, with its count and hash, and
//! after the last object is gone that it is; then the removal is acknowledged. A crash in
//! between repeats the deletion and tells it once.

mod comparison;

use dermalia_record::audit::{Action, Actor, AuditEntry, Draft, Hash, Inventory};
use dermalia_record::port::{Cause, Head, ObjectStore, PortError, Ports, Removal};
use dermalia_record::{
    Audit, ScanRecord, findings_prefix, incoming_archive, incoming_prefix, packages_prefix,
    report_prefix,
};

pub use comparison::{take_back, take_back_later};

/// More objects or entries than any scan has.
const LISTING: usize = 100_000;

/// The handler and what it works with.
#[derive(Clone)]
pub struct Expire {
    /// The outside.
    pub ports: Ports,
    /// Where it is told what was deleted.
    pub audit: Audit,
}

/// Deletes the bundle, the findings and the report of a removed scan, every version of
/// them; gives the number of objects.
///
/// # Errors
/// When the object store fails; the removal then comes again.
pub async fn delete_objects(
    objects: &dyn ObjectStore,
    record: &ScanRecord,
) -> Result<u64, PortError> {
    let mut deleted = 0;
    // What the link reaches goes first.
    if let Some(report) = record.report_id {
        deleted += objects.delete_prefix(&report_prefix(report)).await?;
    }
    for prefix in prefixes(record) {
        deleted += objects.delete_prefix(&prefix).await?;
    }
    deleted += u64::from(objects.delete(&incoming_archive(&record.key)).await?);
    Ok(deleted)
}

/// Where objects of a scan lie, apart from its report and its archive.
fn prefixes(record: &ScanRecord) -> [String; 3] {
    let key = &record.key;
    [
        packages_prefix(key),
        findings_prefix(key),
        incoming_prefix(key),
    ]
}

/// What is there of a scan: counts, and the hash of the list.
///
/// # Errors
/// When a store fails.
pub async fn inventory(ports: &Ports, record: &ScanRecord) -> Result<Inventory, PortError> {
    let mut heads: Vec<Head> = Vec::new();
    let mut accesses = 0;
    if let Some(report) = record.report_id {
        let listing = ports.objects.list(&report_prefix(report), LISTING).await?;
        heads.extend(listing.objects);
        accesses = ports.accesses.list(report, LISTING).await?.len();
    }
    for prefix in prefixes(record) {
        heads.extend(ports.objects.list(&prefix, LISTING).await?.objects);
    }
    heads.extend(ports.objects.head(&incoming_archive(&record.key)).await?);
    Ok(inventory_of(&mut heads, accesses))
}

/// The inventory of these objects.
pub fn inventory_of(heads: &mut [Head], accesses: usize) -> Inventory {
    heads.sort_by(|a, b| a.key.cmp(&b.key));
    let mut list = String::new();
    for head in heads.iter() {
        list.push_str(&format!("{} {} {}\n", head.key, head.version, head.bytes));
    }
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    Inventory {
        objects: count(heads.len()),
        bytes: heads.iter().map(|head| head.bytes).sum(),
        accesses: count(accesses),
        sha256: Hash::of(list.as_bytes()),
    }
}

/// Names a removal in the audit log: a scan that is uploaded again after its removal has
/// another life.
#[must_use]
pub fn operation(name: &str, record: &ScanRecord) -> String {
    format!("{name}/{}/{}", record.key.scan, record.received_at_secs)
}

impl Expire {
    /// Deletes everything of a removed scan, and tells the audit log.
    ///
    /// # Errors
    /// When a port fails; the removal then comes again.
    pub async fn handle(&self, removal: &Removal) -> Result<AuditEntry, PortError> {
        let entry = self
            .remove(&removal.record, removal.cause, Actor::System)
            .await?;
        tracing::info!(scan = %removal.record.key, cause = removal.cause.name(),
            objects = entry.inventory.as_ref().map_or(0, |i| i.objects), "scan removed");
        Ok(entry)
    }

    /// The same for any record that must not be any more, still stored or not; gives the
    /// entry that says that it is done.
    ///
    /// # Errors
    /// When a port fails; repeat it then.
    pub async fn remove(
        &self,
        record: &ScanRecord,
        cause: Cause,
        actor: Actor,
    ) -> Result<AuditEntry, PortError> {
        let (ports, key) = (&self.ports, &record.key);
        let draft = |operation, action, inventory| Draft {
            practice: key.practice.clone(),
            scan: Some(key.scan.clone()),
            operation,
            actor,
            action,
            inventory: Some(inventory),
        };
        let begun = operation("removal-begun", record);
        let known = self.audit.store.by_operation(&key.practice, &begun).await?;
        let begun = match known {
            Some(entry) => entry,
            None => {
                let inventory = inventory(ports, record).await?;
                let draft = draft(begun, Action::ErasureBegun, inventory);
                self.audit.record(&draft).await?
            }
        };
        // The link dies first; then the key, with which every copy of the name is erased.
        delete_objects(ports.objects.as_ref(), record).await?;
        take_back_later(ports, record).await?;
        ports.vault.destroy(key).await?;
        if let Some(report) = record.report_id {
            ports.accesses.remove(report, None).await?;
        }
        comparison::forget_in_previous(ports, record).await?;
        let action = match cause {
            Cause::Expired => Action::Expired,
            Cause::Erased => Action::Erased,
        };
        let inventory = begun.inventory.unwrap_or_else(|| inventory_of(&mut [], 0));
        let done = draft(operation("removed", record), action, inventory);
        self.audit.record(&done).await
    }

    /// Removes the records whose time is up, as the database does by itself on AWS, then
    /// deals with every removal in the stream. `also` is told of each one before it is
    /// acknowledged, for what a deployment keeps beside the ports. Gives the number of
    /// scans.
    ///
    /// # Errors
    /// When a port fails; the next sweep continues.
    pub async fn sweep<F>(&self, batch: usize, also: F) -> Result<u64, PortError>
    where
        F: Fn(&Removal) -> Result<(), PortError>,
    {
        let records = &self.ports.records;
        let mut removed = 0;
        loop {
            let expired = records.expire_due(batch).await?;
            let removals = records.removals(batch).await?;
            if expired == 0 && removals.is_empty() {
                return Ok(removed);
            }
            for removal in removals {
                self.handle(&removal).await?;
                also(&removal)?;
                records.ack_removal(removal.sequence).await?;
                removed += 1;
            }
        }
    }
}
