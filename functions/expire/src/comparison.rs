//! Reports of later scans that tell of a scan which must not be told of any more.

use dermalia_record::port::{PortError, Ports, Written};
use dermalia_record::{
    META_COMPARED, META_RENEWAL, Phase, ReportMessage, ScanRecord, report_prefix,
};

/// More files than any report has.
const LISTING: usize = 1_000;
/// How often the earlier record is written anew because another change came first.
const ATTEMPTS: usize = 16;

/// Takes back, with every version, the reports of later scans that tell of this one, and
/// asks for them to be drawn anew without it; gives their number. Until that is done their
/// links say so.
///
/// # Errors
/// When a port fails; repeat it then, or leave it to the sweep.
pub async fn take_back_later(ports: &Ports, earlier: &ScanRecord) -> Result<u64, PortError> {
    let mut taken = 0;
    for key in earlier.later_keys() {
        let later = ports.records.get(&key).await?;
        if let Some(later) = later.filter(|later| later.previous_scan.is_some()) {
            taken += u64::from(take_back(ports, &later).await?);
        }
    }
    Ok(taken)
}

/// The same for one report; whether it told of another scan, or was taken back before and
/// is not there again yet.
///
/// # Errors
/// As above.
pub async fn take_back(ports: &Ports, later: &ScanRecord) -> Result<bool, PortError> {
    let Some(report) = later.report_id else {
        return Ok(false);
    };
    let prefix = report_prefix(report);
    let objects = ports.objects.list(&prefix, LISTING).await?.objects;
    let (mut tells, mut is_away) = (false, objects.is_empty());
    for object in &objects {
        let head = ports.objects.head(&object.key).await?;
        let has = |name| {
            head.as_ref()
                .is_some_and(|head| head.metadata.contains_key(name))
        };
        tells |= has(META_COMPARED);
        is_away |= has(META_RENEWAL);
        if tells {
            break;
        }
    }
    if tells {
        ports.objects.delete_prefix(&prefix).await?;
        if let Err(error) = ports.announce_renewal(&later.key).await {
            tracing::warn!(scan = %later.key, %error, "a renewal is not announced");
        }
    }
    let is_asked = tells || (is_away && later.phase() == Phase::Delivered);
    if is_asked {
        let message = ReportMessage {
            key: later.key.clone(),
        };
        ports.reports.send(&message.to_json(), 0).await?;
    }
    Ok(is_asked)
}

/// Takes a removed scan off the list of those that may tell of the one before it.
pub(crate) async fn forget_in_previous(
    ports: &Ports,
    removed: &ScanRecord,
) -> Result<(), PortError> {
    let Some(key) = removed.previous_key() else {
        return Ok(());
    };
    for _ in 0..ATTEMPTS {
        let Some(mut earlier) = ports.records.get(&key).await? else {
            return Ok(());
        };
        if !earlier.next_scans.remove(&removed.key.scan) {
            return Ok(());
        }
        if let Written::Done(_) = ports.records.update(earlier).await? {
            return Ok(());
        }
    }
    Err(PortError::retry(
        "records",
        "update",
        "the scan before is written all the time",
    ))
}
