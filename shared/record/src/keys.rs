//! Where everything lies in the object store.
//!
//! ```text
//! incoming/{practice}/{scan}/{file}            the raw bundle, manifest.json last
//! incoming/{practice}/{scan}.zip               the same as an archive
//! findings/{practice}/{scan}/{run}/{artefact}  what analysis made of it
//! findings/{practice}/{scan}/bundle/{run}/{file}  the bundle without metadata and patient,
//!                                              for as long as the practice has agreed
//! reports/{report}/{asset}                     what the link can reach
//! packages/{practice}/{scan}/{name}            a patient's copy, for a day at most
//! ```

use dermalia_link::ReportId;

use crate::id::{PracticeId, ScanId};
use crate::record::{RunId, ScanKey};

/// The file whose arrival starts the processing of a folder bundle.
const MANIFEST: &str = "manifest.json";
/// The folder of kept bundles among the runs; no run is named so.
const BUNDLE: &str = "bundle";

/// What the keys of patients' copies begin with.
pub const PACKAGES: &str = "packages/";

/// The longest file name that a bundle may carry, in bytes of UTF-8.
pub(crate) const MAX_FILE_NAME_BYTES: usize = 128;

/// Why a key or a file name is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not under `incoming/`.
    #[error(
        "object key: expected incoming/{{practice}}/{{scan}}/{{file}} or incoming/{{practice}}/{{scan}}.zip, got another form"
    )]
    Form,
    /// A part that is no identifier.
    #[error(transparent)]
    Id(#[from] crate::id::IdError),
    /// A file name that could leave its folder or cannot be stored.
    #[error(
        "file name: expected 1 to {MAX_FILE_NAME_BYTES} bytes without separators, control characters or a leading dot, got {bytes} bytes of another form"
    )]
    FileName {
        /// Its length.
        bytes: usize,
    },
}

/// The two forms of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleForm {
    /// Files under a prefix, `manifest.json` last.
    Folder,
    /// One zip archive.
    Archive,
}

/// An object under `incoming/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// The one that starts processing.
    Trigger(ScanKey, BundleForm),
    /// Any other file of a bundle.
    Part,
}

/// `incoming/{practice}/{scan}/`
#[must_use]
pub fn incoming_prefix(scan: &ScanKey) -> String {
    format!("incoming/{}/{}/", scan.practice, scan.scan)
}

/// `incoming/{practice}/{scan}/{file}`
///
/// # Errors
/// [`KeyError::FileName`] for a name that is not one plain file name.
pub fn incoming_file(scan: &ScanKey, file: &str) -> Result<String, KeyError> {
    check_file_name(file)?;
    Ok(format!("{}{file}", incoming_prefix(scan)))
}

/// `incoming/{practice}/{scan}/manifest.json`
#[must_use]
pub fn incoming_manifest(scan: &ScanKey) -> String {
    format!("{}{MANIFEST}", incoming_prefix(scan))
}

/// `incoming/{practice}/{scan}.zip`
#[must_use]
pub fn incoming_archive(scan: &ScanKey) -> String {
    format!("incoming/{}/{}.zip", scan.practice, scan.scan)
}

/// `findings/{practice}/{scan}/`
#[must_use]
pub fn findings_prefix(scan: &ScanKey) -> String {
    format!("findings/{}/{}/", scan.practice, scan.scan)
}

/// `findings/{practice}/{scan}/{run}/`: one run per bundle version and algorithm, so that
/// a worker that fell behind never writes over what a later one made.
#[must_use]
pub fn run_prefix(scan: &ScanKey, run: &RunId) -> String {
    format!("{}{run}/", findings_prefix(scan))
}

/// `findings/{practice}/{scan}/{run}/{artefact}`
///
/// # Errors
/// [`KeyError::FileName`] for a name that is not one plain file name.
pub fn run_artefact(scan: &ScanKey, run: &RunId, artefact: &str) -> Result<String, KeyError> {
    check_file_name(artefact)?;
    Ok(format!("{}{artefact}", run_prefix(scan, run)))
}

/// `reports/{report}/`
#[must_use]
pub fn report_prefix(report: ReportId) -> String {
    report.object_prefix()
}

/// `reports/{report}/{asset}`
///
/// # Errors
/// [`KeyError::FileName`] for a name that is not one plain file name.
pub fn report_asset(report: ReportId, asset: &str) -> Result<String, KeyError> {
    check_file_name(asset)?;
    Ok(format!("{}{asset}", report.object_prefix()))
}

/// `findings/{practice}/{scan}/bundle/`: what is kept of the raw bundles.
#[must_use]
pub fn bundles_prefix(scan: &ScanKey) -> String {
    format!("{}{BUNDLE}/", findings_prefix(scan))
}

/// `findings/{practice}/{scan}/bundle/{run}/`: what is kept of the bundle of this run.
#[must_use]
pub fn bundle_prefix(scan: &ScanKey, run: &RunId) -> String {
    format!("{}{run}/", bundles_prefix(scan))
}

/// `packages/{practice}/{scan}/`: a patient's own copies, until they are fetched.
#[must_use]
pub fn packages_prefix(scan: &ScanKey) -> String {
    format!("{PACKAGES}{}/{}/", scan.practice, scan.scan)
}

/// The scan that an object under `findings/`, `incoming/` or `packages/` belongs to, and
/// whether it is of a raw bundle.
#[must_use]
pub fn owner_of(key: &str) -> Option<(ScanKey, bool)> {
    let mut parts = key.split('/');
    let folder = parts.next()?;
    let practice: PracticeId = parts.next()?.parse().ok()?;
    let (scan, next) = (parts.next()?, parts.next());
    let (scan, is_raw) = match (folder, next) {
        ("incoming", Some(_)) => (scan, true),
        ("incoming", None) => (scan.strip_suffix(".zip")?, true),
        ("findings", Some(run)) => (scan, run == BUNDLE),
        ("packages", Some(_)) => (scan, false),
        _ => return None,
    };
    let scan = scan.parse().ok()?;
    Some((ScanKey { practice, scan }, is_raw))
}

/// The report that an object under `reports/` belongs to.
#[must_use]
pub fn report_of(key: &str) -> Option<ReportId> {
    key.strip_prefix("reports/")?
        .split('/')
        .next()?
        .parse()
        .ok()
}

fn check_file_name(name: &str) -> Result<(), KeyError> {
    let fits = (1..=MAX_FILE_NAME_BYTES).contains(&name.len())
        && !name.starts_with('.')
        && !name
            .chars()
            .any(|c| matches!(c, '/' | '\\' | ':') || c.is_control());
    if fits {
        Ok(())
    } else {
        Err(KeyError::FileName { bytes: name.len() })
    }
}

/// Reads a decoded key under `incoming/`.
pub(crate) fn parse_incoming(key: &str) -> Result<Incoming, KeyError> {
    let rest = key.strip_prefix("incoming/").ok_or(KeyError::Form)?;
    let (practice, rest) = rest.split_once('/').ok_or(KeyError::Form)?;
    let practice: PracticeId = practice.parse()?;
    if let Some((scan, file)) = rest.split_once('/') {
        let scan: ScanId = scan.parse()?;
        check_file_name(file)?;
        return Ok(if file == MANIFEST {
            Incoming::Trigger(ScanKey { practice, scan }, BundleForm::Folder)
        } else {
            Incoming::Part
        });
    }
    let scan: ScanId = rest.strip_suffix(".zip").ok_or(KeyError::Form)?.parse()?;
    Ok(Incoming::Trigger(
        ScanKey { practice, scan },
        BundleForm::Archive,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan() -> ScanKey {
        ScanKey {
            practice: "praxis-nord".parse().unwrap(),
            scan: "D9-20260514-000123".parse().unwrap(),
        }
    }

    #[test]
    fn keys_are_as_documented() {
        let run: RunId = "0123456789abcdef0123".parse().unwrap();
        assert_eq!(
            incoming_manifest(&scan()),
            "incoming/praxis-nord/D9-20260514-000123/manifest.json"
        );
        assert_eq!(
            incoming_archive(&scan()),
            "incoming/praxis-nord/D9-20260514-000123.zip"
        );
        assert_eq!(
            run_artefact(&scan(), &run, "findings.json").unwrap(),
            "findings/praxis-nord/D9-20260514-000123/0123456789abcdef0123/findings.json"
        );
        let report = ReportId::from_bytes([7; 16]);
        assert_eq!(
            report_asset(report, "report.html").unwrap(),
            format!("reports/{report}/report.html")
        );
    }

    #[test]
    fn owners_are_told_from_keys() {
        let run: RunId = "0123456789abcdef0123".parse().unwrap();
        let kept = format!("{}white.jpg", bundle_prefix(&scan(), &run));
        for (key, is_raw) in [
            (incoming_manifest(&scan()), true),
            (incoming_archive(&scan()), true),
            (run_artefact(&scan(), &run, "findings.json").unwrap(), false),
            (kept, true),
            (format!("{}access.zip", packages_prefix(&scan())), false),
        ] {
            assert_eq!(owner_of(&key), Some((scan(), is_raw)), "{key}");
        }
        let report = ReportId::from_bytes([7; 16]);
        let page = report_asset(report, "report.html").unwrap();
        assert_eq!((owner_of(&page), report_of(&page)), (None, Some(report)));
        for none in ["", "findings/praxis-nord", "incoming/x/y/z", "reports/zz/a"] {
            assert_eq!((owner_of(none), report_of(none)), (None, None), "{none}");
        }
    }

    #[test]
    fn incoming_keys_parse_back() {
        let key = incoming_manifest(&scan());
        assert_eq!(
            parse_incoming(&key),
            Ok(Incoming::Trigger(scan(), BundleForm::Folder))
        );
        let key = incoming_archive(&scan());
        assert_eq!(
            parse_incoming(&key),
            Ok(Incoming::Trigger(scan(), BundleForm::Archive))
        );
        let key = incoming_file(&scan(), "weiß 1.jpg").unwrap();
        assert_eq!(parse_incoming(&key), Ok(Incoming::Part));
    }

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for bad in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\b",
            ".hidden",
            "a\0b",
            "a\nb",
            "c:x",
            &"x".repeat(129),
        ] {
            assert!(incoming_file(&scan(), bad).is_err(), "{bad:?}");
        }
        for bad in [
            "findings/praxis-nord/D9-20260514-000123/manifest.json",
            "incoming/praxis-nord",
            "incoming/praxis-nord/D9-20260514-000123",
            "incoming/praxis-nord/D9-20260514-000123/",
            "incoming/praxis-nord/D9-20260514-000123/a/manifest.json",
            "incoming/../praxis-nord/manifest.json",
            "incoming/praxis-nord/short.zip",
        ] {
            assert!(parse_incoming(bad).is_err(), "{bad}");
        }
    }
}
