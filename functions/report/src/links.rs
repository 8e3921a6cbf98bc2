//! Links: made, renewed, revoked.

use dermalia_link::{META_CODE, META_EPOCH, META_USAGE, SigningKey};
use dermalia_record::port::{PortError, Ports, Written};
use dermalia_record::{LinkGrant, Phase, ScanKey, ScanRecord, Settings, report_prefix};

/// How often a change is tried again because another one came first.
const ATTEMPTS: usize = 8;
/// More assets than any report has.
const LISTING: usize = 1_000;

/// Why there is no link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkError {
    /// No such scan, or its time is up.
    NoScan,
    /// It has no report yet, or its report must not be served.
    NoReport(Phase),
    /// The record is being written all the time.
    Busy,
    /// A port failed.
    Port(PortError),
}

impl std::fmt::Display for LinkError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoScan => f.write_str("there is no such scan, or its retention has ended"),
            Self::NoReport(phase) => {
                write!(
                    f,
                    "the scan is {}: expected one with a report",
                    phase.name()
                )
            }
            Self::Busy => f.write_str("the record is being worked on; try again"),
            Self::Port(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LinkError {}

impl From<PortError> for LinkError {
    fn from(error: PortError) -> Self {
        Self::Port(error)
    }
}

/// The address of a scan's current link, if it has one. Whether it has expired or was
/// revoked is not looked at.
#[must_use]
pub fn link_url(record: &ScanRecord, settings: &Settings, key: &SigningKey) -> Option<String> {
    let token = key.sign(&record.claims()?);
    Some(format!("{}{}", settings.base_url, token.path()))
}

pub(crate) async fn change(
    ports: &Ports,
    scan: &ScanKey,
    edit: impl Fn(&mut ScanRecord),
) -> Result<ScanRecord, LinkError> {
    for _ in 0..ATTEMPTS {
        let mut record = ports.records.get(scan).await?.ok_or(LinkError::NoScan)?;
        if record.report_id.is_none() || matches!(record.phase(), Phase::Restricted | Phase::Erased)
        {
            return Err(LinkError::NoReport(record.phase()));
        }
        edit(&mut record);
        if let Written::Done(record) = ports.records.update(record).await? {
            return Ok(*record);
        }
    }
    Err(LinkError::Busy)
}

/// Issues a link with a new life. Earlier ones stay valid until they expire.
///
/// # Errors
/// When the scan has no report, or a port fails.
pub async fn issue_link(
    ports: &Ports,
    settings: &Settings,
    scan: &ScanKey,
) -> Result<ScanRecord, LinkError> {
    let now = ports.clock.now_secs();
    let settings = ports.terms(settings, &scan.practice).await?;
    let record = change(ports, scan, |record| {
        let end = settings.link_end_secs(now, record.expires_at_secs);
        record.link = Some(LinkGrant {
            issued_at_secs: now,
            expires_at_secs: end,
        });
    })
    .await?;
    // After a revocation that died halfway the objects may lag behind the record.
    mark_objects(ports, &record).await?;
    Ok(record)
}

/// Revokes every link of a scan: a new epoch, in the record and on every object that the
/// links reach.
///
/// # Errors
/// When the scan has no report, or a port fails; repeat it then.
pub async fn revoke_links(ports: &Ports, scan: &ScanKey) -> Result<ScanRecord, LinkError> {
    let record = change(ports, scan, |record| {
        record.epoch = record.epoch.next();
        record.link = None;
    })
    .await?;
    mark_objects(ports, &record).await?;
    Ok(record)
}

/// Brings the record's epoch, its code, and whether usage events are off, onto the objects.
///
/// # Errors
/// When a port fails; repeat it then.
pub async fn mark_objects(ports: &Ports, record: &ScanRecord) -> Result<(), LinkError> {
    let Some(report) = record.report_id else {
        return Ok(());
    };
    let epoch = record.epoch.number().to_string();
    for _ in 0..ATTEMPTS {
        let mut settled = true;
        for object in ports
            .objects
            .list(&report_prefix(report), LISTING)
            .await?
            .objects
        {
            let Some(head) = ports.objects.head(&object.key).await? else {
                continue;
            };
            let mut metadata = head.metadata.clone();
            metadata.insert(META_EPOCH.to_owned(), epoch.clone());
            if record.has_objected {
                metadata.insert(META_USAGE.to_owned(), "off".to_owned());
            } else {
                metadata.remove(META_USAGE);
            }
            match &record.code_hash {
                Some(hash) => metadata.insert(META_CODE.to_owned(), hash.clone()),
                None => metadata.remove(META_CODE),
            };
            if metadata == head.metadata {
                continue;
            }
            settled &= ports
                .objects
                .set_metadata(&object.key, &head.version, metadata)
                .await?;
        }
        if settled {
            return Ok(());
        }
    }
    Err(LinkError::Busy)
}
