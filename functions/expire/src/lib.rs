//! Removes everything that belonged to a scan whose record is gone.
//!
//! The stream of removals comes at least once; deleting what is deleted does no harm. The
//! removal is acknowledged after the last object is gone, so a crash loses none.

use dermalia_record::port::{ObjectStore, PortError, Ports, Removal};
use dermalia_record::{findings_prefix, incoming_archive, incoming_prefix, report_prefix};

/// Deletes the bundle, the findings and the report of a removed scan, every version of
/// them; gives the number of objects.
///
/// # Errors
/// When the object store fails; the removal then comes again.
pub async fn delete_objects(
    objects: &dyn ObjectStore,
    removal: &Removal,
) -> Result<u64, PortError> {
    let record = &removal.record;
    let mut deleted = 0;
    // What the link reaches goes first.
    if let Some(report) = record.report_id {
        deleted += objects.delete_prefix(&report_prefix(report)).await?;
    }
    deleted += objects.delete_prefix(&findings_prefix(&record.key)).await?;
    deleted += objects.delete_prefix(&incoming_prefix(&record.key)).await?;
    deleted += u64::from(objects.delete(&incoming_archive(&record.key)).await?);
    tracing::info!(scan = %record.key, cause = removal.cause.name(), deleted, "scan removed");
    Ok(deleted)
}

/// One sweep: removes the records whose time is up, as the database does by itself on AWS,
/// then deals with every removal in the stream. `also` is told of each one before it is
/// acknowledged, for what a deployment keeps beside the ports. Gives the number of scans.
///
/// # Errors
/// When a port fails; the next sweep continues.
pub async fn sweep<F>(ports: &Ports, batch: usize, also: F) -> Result<u64, PortError>
where
    F: Fn(&Removal) -> Result<(), PortError>,
{
    let mut removed = 0;
    loop {
        let expired = ports.records.expire_due(batch).await?;
        let removals = ports.records.removals(batch).await?;
        if expired == 0 && removals.is_empty() {
            return Ok(removed);
        }
        for removal in removals {
            delete_objects(ports.objects.as_ref(), &removal).await?;
            also(&removal)?;
            ports.records.ack_removal(removal.sequence).await?;
            removed += 1;
        }
    }
}
