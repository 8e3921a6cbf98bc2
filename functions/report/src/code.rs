//! The optional code of a report: six digits that the practice hands over.
//!
//! The code itself is stored nowhere. Where a practice requires one, a report is published
//! under the hash of a code that nobody knows, and stays closed until the practice has one
//! issued; that one is shown once.

use dermalia_link::{Code, CodeHash};
use dermalia_record::port::{PortError, Ports};
use dermalia_record::{ReportId, ScanKey, ScanRecord};

use crate::links::{LinkError, change, mark_objects};

const PORT: &str = "code";

/// Issues a new code for a scan's report and ends every session under an earlier one.
///
/// # Errors
/// When the scan has no report, or a port fails; repeat it then.
pub async fn issue_code(ports: &Ports, scan: &ScanKey) -> Result<(ScanRecord, Code), LinkError> {
    let record = ports.records.get(scan).await?.ok_or(LinkError::NoScan)?;
    let report = record
        .report_id
        .ok_or(LinkError::NoReport(record.phase()))?;
    let (code, hash) = random_code(report).await?;
    let record = change(ports, scan, |record| {
        // A report that was made anew meanwhile has another id: the hash would not fit.
        if record.report_id == Some(report) {
            record.code_hash = Some(hash.clone());
        }
    })
    .await?;
    if record.code_hash.as_ref() != Some(&hash) {
        return Err(LinkError::Busy);
    }
    mark_objects(ports, &record).await?;
    Ok((record, code))
}

/// A random code of a report, and its hash as it lies in metadata.
pub(crate) async fn random_code(report: ReportId) -> Result<(Code, String), PortError> {
    let (mut digits, mut salt) = ([0; 8], [0; 16]);
    getrandom::fill(&mut digits)
        .and_then(|()| getrandom::fill(&mut salt))
        .map_err(|e| PortError::retry(PORT, "random", e))?;
    let code = Code::from_random(digits);
    let hashed = code.clone();
    // The hash is slow on purpose.
    let hash = tokio::task::spawn_blocking(move || CodeHash::new(&hashed, report, salt))
        .await
        .map_err(|e| PortError::retry(PORT, "hash", e))?
        .map_err(|e| PortError::retry(PORT, "hash", e))?;
    Ok((code, hash.to_string()))
}
