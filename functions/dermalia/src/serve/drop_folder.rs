//! The watched folder: `incoming/{practice}/{scan}/…` or `incoming/{practice}/{scan}.zip`,
//! copied there by hand or by a program that knows no HTTP.
//!
//! A bundle is taken when it is complete: every file that its manifest lists has its size.
//! One with a manifest that has not changed for a minute is taken as it is, so that the analysis can say
//! what is wrong with it. It is copied into the store, announced, and only then removed
//! here; a crash in between repeats the whole, which does no harm.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use data_encoding::HEXLOWER;
use dermalia_record::port::Body;
use dermalia_record::{PracticeId, ScanId, ScanKey};
use dermalia_scan::{Limits, MANIFEST_NAME};
use dermalia_upload::{Received, Target, UploadError, accept, announce, max_bytes};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::local::Local;
use super::workers::Stop;

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// An archive is taken when it has not changed for this long.
const ARCHIVE_QUIET: Duration = Duration::from_secs(2);
/// A folder that is not complete is taken all the same after this.
const FOLDER_QUIET: Duration = Duration::from_secs(60);
/// What is not accepted is renamed with this ending, and looked at no more.
const REJECTED: &str = "rejected";

/// A bundle in the folder.
struct Found {
    scan: ScanKey,
    path: PathBuf,
    is_archive: bool,
}

/// Only what tells whether a bundle is complete.
#[derive(Deserialize)]
struct Listed {
    files: Vec<ListedFile>,
}

#[derive(Deserialize)]
struct ListedFile {
    name: String,
    bytes: u64,
}

/// Watches until the stop.
pub(crate) async fn watch(folder: PathBuf, local: Local, limits: Limits, mut stop: Stop) {
    while !stop.is_set() {
        let (root, bounds) = (folder.clone(), limits.clone());
        let look = move || ready(&root, &bounds);
        match tokio::task::spawn_blocking(look).await {
            Ok(Ok(bundles)) => {
                for bundle in bundles {
                    take(&bundle, &local, &limits).await;
                }
            }
            Ok(Err(error)) => tracing::warn!(kind = %error.kind(), "the watched folder failed"),
            Err(error) => tracing::error!(panicked = error.is_panic(), "the watch ended early"),
        }
        stop.sleep(LOOK).await;
    }
}

/// The bundles that can be taken, in the order of their names.
fn ready(root: &Path, limits: &Limits) -> io::Result<Vec<Found>> {
    fs::create_dir_all(root)?;
    let mut found = Vec::new();
    for (name, practice) in entries(root)? {
        let Ok(id) = name.parse::<PracticeId>() else {
            continue;
        };
        if !practice.is_dir() {
            continue;
        }
        for (name, path) in entries(&practice)? {
            let kind = fs::symlink_metadata(&path)?.file_type();
            let stem = name.strip_suffix(".zip").filter(|_| kind.is_file());
            let scan = match stem {
                Some(stem) => stem.parse::<ScanId>(),
                None if kind.is_dir() => name.parse::<ScanId>(),
                None => continue,
            };
            let Ok(scan) = scan else { continue };
            let is_archive = stem.is_some();
            let quiet = quiet_for(&path)?;
            let complete = if is_archive {
                quiet >= ARCHIVE_QUIET
            } else {
                is_complete(&path, limits)?
                    || (quiet >= FOLDER_QUIET && path.join(MANIFEST_NAME).is_file())
            };
            if complete {
                let scan = ScanKey {
                    practice: id.clone(),
                    scan,
                };
                found.push(Found {
                    scan,
                    path,
                    is_archive,
                });
            }
        }
    }
    Ok(found)
}

/// The entries of a folder by name; names that are no text are passed over.
fn entries(folder: &Path) -> io::Result<BTreeMap<String, PathBuf>> {
    let mut entries = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if let Ok(name) = entry.file_name().into_string() {
            entries.insert(name, entry.path());
        }
    }
    Ok(entries)
}

/// How long nothing has changed in a file, or in a folder and its files.
fn quiet_for(path: &Path) -> io::Result<Duration> {
    let now = SystemTime::now();
    let age = |path: &Path| -> io::Result<Duration> {
        let modified = fs::symlink_metadata(path)?.modified()?;
        Ok(now.duration_since(modified).unwrap_or_default())
    };
    let mut youngest = age(path)?;
    if path.is_dir() {
        for file in entries(path)?.values() {
            youngest = youngest.min(age(file)?);
        }
    }
    Ok(youngest)
}

fn is_complete(folder: &Path, limits: &Limits) -> io::Result<bool> {
    let manifest = folder.join(MANIFEST_NAME);
    match fs::symlink_metadata(&manifest) {
        Ok(meta) if meta.is_file() && meta.len() <= limits.manifest_bytes => {}
        _ => return Ok(false),
    }
    let Ok(listed) = serde_json::from_slice::<Listed>(&fs::read(&manifest)?) else {
        return Ok(false);
    };
    Ok(listed.files.iter().all(|file| {
        let plain = !file.name.contains(['/', '\\']);
        plain
            && fs::symlink_metadata(folder.join(&file.name))
                .is_ok_and(|meta| meta.is_file() && meta.len() == file.bytes)
    }))
}

async fn take(bundle: &Found, local: &Local, limits: &Limits) {
    match store(bundle, local, limits).await {
        Ok(()) => {
            tracing::info!(scan = %bundle.scan, "bundle taken from the watched folder");
            remove(&bundle.path, bundle.is_archive);
        }
        Err(UploadError::Port(error)) => {
            tracing::warn!(scan = %bundle.scan, %error, "a bundle stays in the watched folder");
        }
        Err(error) => {
            tracing::warn!(scan = %bundle.scan, %error, "a bundle is not accepted");
            let mut name = bundle.path.clone().into_os_string();
            name.push(".");
            name.push(REJECTED);
            if let Err(error) = fs::rename(&bundle.path, name) {
                tracing::warn!(scan = %bundle.scan, kind = %error.kind(), "it cannot be renamed");
            }
        }
    }
}

fn remove(path: &Path, is_archive: bool) {
    let removed = if is_archive {
        fs::remove_file(path)
    } else {
        fs::remove_dir_all(path)
    };
    if let Err(error) = removed {
        tracing::warn!(kind = %error.kind(), "a bundle that was taken cannot be removed");
    }
}

async fn store(bundle: &Found, local: &Local, limits: &Limits) -> Result<(), UploadError> {
    let failed =
        |e: io::Error| dermalia_record::port::PortError::retry("watched folder", "read", e.kind());
    let mut files: Vec<(Target, PathBuf)> = if bundle.is_archive {
        vec![(Target::Archive, bundle.path.clone())]
    } else {
        let files = entries(&bundle.path).map_err(failed)?;
        files
            .into_iter()
            .map(|(name, path)| (Target::File(name), path))
            .collect()
    };
    files.sort_by_key(|(target, _)| *target == Target::File(MANIFEST_NAME.to_owned()));
    for (target, path) in files {
        let meta = fs::symlink_metadata(&path).map_err(failed)?;
        if !meta.is_file() {
            // The analysis misses it and says so, if it belongs to the bundle.
            continue;
        }
        let limit = max_bytes(&target, limits);
        if meta.len() > limit {
            return Err(UploadError::TooLarge {
                what: "file",
                limit,
                got: meta.len(),
            });
        }
        let staged = local.objects.staging_file()?;
        let copy = staged.clone();
        let copied = tokio::task::spawn_blocking(move || -> io::Result<(u64, String)> {
            fs::copy(&path, &copy)?;
            let (mut file, mut hash) = (fs::File::open(&copy)?, Sha256::new());
            let mut buffer = vec![0; 1 << 16];
            let mut bytes = 0;
            loop {
                let count = io::Read::read(&mut file, &mut buffer)?;
                if count == 0 {
                    return Ok((bytes, HEXLOWER.encode(&hash.finalize())));
                }
                hash.update(&buffer[..count]);
                bytes += u64::try_from(count).map_err(io::Error::other)?;
            }
        });
        let (bytes, sha256) = copied
            .await
            .map_err(io::Error::other)
            .and_then(|r| r)
            .map_err(failed)?;
        let received = Received {
            scan: bundle.scan.clone(),
            target,
            body: Body::File(staged),
            bytes,
            sha256,
            expected_sha256: None,
        };
        let accepted = accept(&local.ports, received, limits).await?;
        if accepted.completes {
            announce(&local.ports, &accepted, bytes).await?;
        }
    }
    Ok(())
}
