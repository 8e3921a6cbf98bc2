//! What is kept of a raw bundle after the analysis, where a practice has agreed to keep it:
//! pictures without their metadata, the mesh without comments, and the manifest without the
//! patient. What cannot be freed of them is not kept.

use dermalia_record::port::{Body, Head, Metadata, ObjectWrite, Ports};
use dermalia_record::{
    BundleForm, HandleError, RunId, UploadEvent, bundle_prefix, incoming_prefix,
};
use dermalia_scan::{Archive, BundleSource, Limits};

use crate::strip::{Stripped, strip};

/// More objects than any bundle within the limits has.
const LISTING: usize = 1_000;

/// Copies what may be kept. Repeated, it copies what is still there again.
pub(crate) async fn keep(
    ports: &Ports,
    upload: &UploadEvent,
    trigger: &Head,
    run: &RunId,
    limits: &Limits,
) -> Result<(), HandleError> {
    let target = bundle_prefix(&upload.scan, run);
    match upload.form {
        BundleForm::Folder => {
            let prefix = incoming_prefix(&upload.scan);
            let listing = ports.objects.list(&prefix, LISTING).await?;
            let ours = |object: &&Head| object.modified_ms <= trigger.modified_ms;
            for object in listing.objects.iter().filter(ours) {
                let found = ports
                    .objects
                    .get(&object.key, limits.unpacked_bytes)
                    .await?;
                if let Some(found) = found {
                    put(ports, &target, &object.key[prefix.len()..], found.bytes).await?;
                }
            }
        }
        BundleForm::Archive => {
            let found = ports
                .objects
                .get(&upload.object_key, limits.packed_bytes)
                .await?;
            let Some(found) = found else { return Ok(()) };
            let limits = limits.clone();
            let unpack = move || unpack(found.bytes, &limits);
            let files = tokio::task::spawn_blocking(unpack)
                .await
                .map_err(|e| HandleError::again(e.to_string()))?;
            for (name, bytes) in files {
                put(ports, &target, &name, bytes).await?;
            }
        }
    }
    Ok(())
}

/// The files of an archive; none of one that cannot be read, which then is not kept.
fn unpack(bytes: Vec<u8>, limits: &Limits) -> Vec<(String, Vec<u8>)> {
    let read = || {
        let mut archive = Archive::open(std::io::Cursor::new(bytes), limits).ok()?;
        let entries = archive.entries(limits).ok()?;
        let mut files = Vec::with_capacity(entries.len());
        for entry in entries {
            let content = archive.read(&entry.name, limits.unpacked_bytes).ok()?;
            files.push((entry.name, content));
        }
        Some(files)
    };
    read().unwrap_or_default()
}

async fn put(ports: &Ports, target: &str, name: &str, bytes: Vec<u8>) -> Result<(), HandleError> {
    let file = name.to_owned();
    let stripped = tokio::task::spawn_blocking(move || strip(&file, &bytes))
        .await
        .map_err(|e| HandleError::again(e.to_string()))?;
    let Some(Stripped { bytes, orientation }) = stripped else {
        return Ok(());
    };
    let mut metadata = Metadata::new();
    // The one statement of EXIF that the contract honours.
    if let Some(orientation) = orientation {
        metadata.insert("orientation".to_owned(), orientation.to_string());
    }
    let object = ObjectWrite {
        body: Body::Bytes(bytes),
        content_type: "application/octet-stream".to_owned(),
        metadata,
    };
    ports
        .objects
        .put(&format!("{target}{name}"), object)
        .await?;
    Ok(())
}
