//! What a report tells of an earlier scan, and when it must not.
//!
//! A later scan may name an earlier one of the same practice as the one before it; its
//! report then says what has changed, and so carries numbers of the earlier scan. These
//! must not outlive that scan, nor its restriction. So the earlier record knows which later
//! ones may tell of it before the first of them does; whoever removes or restricts it takes
//! their pages back at once and has them rendered anew.

use std::collections::BTreeSet;

use dermalia_link::{META_CODE, META_EPOCH, META_RENEWAL, META_UNTIL, META_USAGE, PAGE_OBJECT};

use crate::id::ScanId;
use crate::keys::report_asset;
use crate::port::{Body, Metadata, ObjectWrite, PortError, Ports};
use crate::record::{RunId, ScanKey, ScanRecord};
use crate::state::Phase;

/// Object metadata: the run that a report was made from.
pub const META_RUN: &str = "run";
/// Object metadata: the run of the earlier scan that a report is compared with.
pub const META_COMPARED: &str = "compared";

/// How many later scans may be compared with one; a practice takes one at a time.
pub const MAX_LATER_SCANS: usize = 16;
/// A comparison ends so long before the earlier scan's own end that the daily sweep has
/// taken it off the page by then, however late the removal comes.
pub const COMPARED_MARGIN_SECS: i64 = 2 * 86_400;

impl ScanRecord {
    /// The scan before this one, if the bundle names one.
    #[must_use]
    pub fn previous_key(&self) -> Option<ScanKey> {
        let scan = self.previous_scan.clone()?;
        (scan != self.key.scan).then(|| ScanKey {
            practice: self.key.practice.clone(),
            scan,
        })
    }

    /// The later scans whose reports may tell of this one.
    pub fn later_keys(&self) -> impl Iterator<Item = ScanKey> + '_ {
        self.next_scans.iter().map(|scan| ScanKey {
            practice: self.key.practice.clone(),
            scan: scan.clone(),
        })
    }

    /// The run of this scan that the report of a later one may tell of now.
    #[must_use]
    pub fn comparable_run(&self, later: &ScanId, now_secs: i64) -> Option<&RunId> {
        let may = self.is_open()
            && self.phase() != Phase::Refused
            && now_secs.saturating_add(COMPARED_MARGIN_SECS) < self.expires_at_secs
            && has_room(&self.next_scans, later);
        self.run.as_ref().filter(|_| may)
    }

    /// Whether an object of the report is what this record and the scan before it say: of
    /// this run, epoch and end, under this code, compared with that run.
    #[must_use]
    pub fn is_told_by(&self, metadata: &Metadata, compared: Option<&RunId>) -> bool {
        let is = |name: &str, value: Option<String>| metadata.get(name) == value.as_ref();
        is(META_RUN, self.run.as_ref().map(ToString::to_string))
            && is(META_UNTIL, Some(self.expires_at_secs.to_string()))
            && is(META_COMPARED, compared.map(ToString::to_string))
    }
}

fn has_room(next: &BTreeSet<ScanId>, later: &ScanId) -> bool {
    next.contains(later) || next.len() < MAX_LATER_SCANS
}

impl Ports {
    /// The scan before this one, if the report may be compared with it now.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn comparable(&self, later: &ScanRecord) -> Result<Option<ScanRecord>, PortError> {
        let Some(key) = later.previous_key() else {
            return Ok(None);
        };
        let now = self.clock.now_secs();
        let earlier = self.records.get(&key).await?;
        Ok(earlier.filter(|earlier| earlier.comparable_run(&later.key.scan, now).is_some()))
    }

    /// Puts a page without content in the place of a report that was taken back to be drawn
    /// anew: its link then says so, in place of being gone. It has the epoch, the end and the
    /// code of the report, and goes again if the record became another one meanwhile.
    ///
    /// # Errors
    /// When a port fails. Nothing but this courtesy depends on it.
    pub async fn announce_renewal(&self, scan: &ScanKey) -> Result<(), PortError> {
        let Some(record) = self.records.get(scan).await? else {
            return Ok(());
        };
        let Some((key, metadata)) = renewal_of(&record) else {
            return Ok(());
        };
        if self.objects.head(&key).await?.is_some() {
            return Ok(());
        }
        let page = ObjectWrite {
            body: Body::Bytes(b"This report is being drawn anew.\n".to_vec()),
            content_type: "text/plain; charset=utf-8".to_owned(),
            metadata: metadata.clone(),
        };
        let version = self.objects.put(&key, page).await?;
        let now = self.records.get(scan).await?;
        if now.as_ref().and_then(renewal_of) != Some((key.clone(), metadata)) {
            self.objects.delete_version(&key, &version).await?;
        }
        Ok(())
    }
}

/// Where the page of a report in renewal lies, and its metadata; none of a record that is
/// served to nobody.
fn renewal_of(record: &ScanRecord) -> Option<(String, Metadata)> {
    let report = record.report_id.filter(|_| {
        record.is_open() && record.link.is_some() && record.reported_at_secs.is_some()
    })?;
    let mut metadata = Metadata::from([
        (META_EPOCH.to_owned(), record.epoch.number().to_string()),
        (META_UNTIL.to_owned(), record.expires_at_secs.to_string()),
        (META_RENEWAL.to_owned(), "1".to_owned()),
    ]);
    if record.has_objected {
        metadata.insert(META_USAGE.to_owned(), "off".to_owned());
    }
    if let Some(hash) = &record.code_hash {
        metadata.insert(META_CODE.to_owned(), hash.clone());
    }
    Some((report_asset(report, PAGE_OBJECT).ok()?, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

    fn record(scan: &str) -> ScanRecord {
        let key = ScanKey {
            practice: "praxis-nord".parse().unwrap(),
            scan: scan.parse().unwrap(),
        };
        ScanRecord::received(key, 1_000, 10_000_000)
    }

    #[test]
    fn a_scan_is_compared_while_it_may_be_read() {
        let later: ScanId = "scan-0002".parse().unwrap();
        let mut earlier = record("scan-0001");
        assert_eq!(earlier.comparable_run(&later, 2_000), None, "no findings");
        earlier.run = "0123456789abcdef0123".parse().ok();
        earlier.state = State::Delivered;
        let end = earlier.expires_at_secs - COMPARED_MARGIN_SECS;
        assert!(earlier.comparable_run(&later, end - 1).is_some());
        assert_eq!(earlier.comparable_run(&later, end), None, "it ends soon");
        for state in [
            State::Erased,
            State::Restricted {
                from: Phase::Delivered,
            },
            State::Refused {
                reason: String::new(),
            },
        ] {
            earlier.state = state;
            assert_eq!(earlier.comparable_run(&later, 2_000), None);
        }
    }

    #[test]
    fn no_more_than_so_many_are_compared_with_one() {
        let mut earlier = record("scan-0001");
        earlier.run = "0123456789abcdef0123".parse().ok();
        for n in 0..MAX_LATER_SCANS {
            earlier
                .next_scans
                .insert(format!("next-{n:04}").parse().unwrap());
        }
        let known: ScanId = "next-0003".parse().unwrap();
        let another: ScanId = "scan-0002".parse().unwrap();
        assert!(earlier.comparable_run(&known, 2_000).is_some());
        assert_eq!(earlier.comparable_run(&another, 2_000), None);
        assert_eq!(earlier.later_keys().count(), MAX_LATER_SCANS);
    }

    #[test]
    fn a_scan_is_not_before_itself() {
        let mut scan = record("scan-0001");
        scan.previous_scan = "scan-0001".parse().ok();
        assert_eq!(scan.previous_key(), None);
        scan.previous_scan = "scan-0000".parse().ok();
        let key = scan.previous_key().unwrap();
        assert_eq!(key.to_string(), "praxis-nord/scan-0000");
    }

    #[test]
    fn a_page_tells_run_end_and_comparison() {
        let mut scan = record("scan-0002");
        scan.run = "0123456789abcdef0123".parse().ok();
        let other: RunId = "ffff456789abcdef0123".parse().unwrap();
        let mut page = Metadata::from([
            (META_RUN.to_owned(), "0123456789abcdef0123".to_owned()),
            (META_UNTIL.to_owned(), "10000000".to_owned()),
        ]);
        assert!(scan.is_told_by(&page, None));
        assert!(!scan.is_told_by(&page, Some(&other)));
        page.insert(META_COMPARED.to_owned(), other.to_string());
        assert!(scan.is_told_by(&page, Some(&other)));
        assert!(!scan.is_told_by(&page, scan.run.as_ref()));
        scan.expires_at_secs += 1;
        assert!(!scan.is_told_by(&page, Some(&other)));
    }
}
