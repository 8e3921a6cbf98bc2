//! Reading and deleting a bundle in the object store.

use dermalia_record::port::{Head, PortError, Ports};
use dermalia_record::{BundleForm, HandleError, UploadEvent, incoming_prefix};
use dermalia_scan::{Limits, MANIFEST_NAME};

use crate::measurer::{Bundle, MeasureError};

/// More objects than any bundle within the limits has, to see that there are too many.
const LISTING: usize = 1_000;

fn fault(error: PortError) -> MeasureError {
    MeasureError::Fault(error.to_string())
}

/// Fetches the bundle, its limits checked before anything is fetched.
pub(crate) async fn read(
    ports: &Ports,
    upload: &UploadEvent,
    trigger: &Head,
    limits: &Limits,
) -> Result<Bundle, MeasureError> {
    let fetch = async |key: &str, max_bytes: u64| match ports.objects.get(key, max_bytes).await {
        Ok(Some(object)) => Ok(object),
        Ok(None) => Err(MeasureError::Fault(
            "a file went away while the bundle was read".to_owned(),
        )),
        Err(error) => Err(fault(error)),
    };
    match upload.form {
        BundleForm::Archive => {
            if trigger.bytes > limits.packed_bytes {
                return Err(MeasureError::Refused(format!(
                    "archive: expected at most {} bytes, got {}",
                    limits.packed_bytes, trigger.bytes
                )));
            }
            Ok(Bundle::Archive(
                fetch(&upload.object_key, trigger.bytes).await?.bytes,
            ))
        }
        BundleForm::Folder => {
            let prefix = incoming_prefix(&upload.scan);
            let listing = ports.objects.list(&prefix, LISTING).await.map_err(fault)?;
            let names = || {
                listing
                    .objects
                    .iter()
                    .map(|o| (&o.key[prefix.len()..], o.bytes))
            };
            limits
                .check_listing(names())
                .map_err(|e| MeasureError::Refused(e.to_string()))?;
            if let Some((_, bytes)) = names()
                .find(|(name, bytes)| *name == MANIFEST_NAME && *bytes > limits.manifest_bytes)
            {
                return Err(MeasureError::Refused(format!(
                    "{MANIFEST_NAME}: expected at most {} bytes, got {bytes}",
                    limits.manifest_bytes
                )));
            }
            let mut files = Vec::with_capacity(listing.objects.len());
            for (name, bytes) in names() {
                let object = fetch(&format!("{prefix}{name}"), bytes).await?;
                if name == MANIFEST_NAME && object.head.version != trigger.version {
                    return Err(MeasureError::Fault(
                        "the bundle was replaced while it was read".to_owned(),
                    ));
                }
                files.push((name.to_owned(), object.bytes));
            }
            Ok(Bundle::Files(files))
        }
    }
}

/// Whether files of the folder are newer than its manifest, or the trigger was replaced: a
/// new upload is under way.
pub(crate) async fn is_arriving(
    ports: &Ports,
    upload: &UploadEvent,
    trigger: &Head,
) -> Result<bool, HandleError> {
    let current = ports.objects.head(&upload.object_key).await?;
    if current.is_none_or(|head| head.version != trigger.version) {
        return Ok(true);
    }
    if upload.form == BundleForm::Archive {
        return Ok(false);
    }
    let listing = ports
        .objects
        .list(&incoming_prefix(&upload.scan), LISTING)
        .await?;
    Ok(listing
        .objects
        .iter()
        .any(|object| object.modified_ms > trigger.modified_ms))
}

/// Deletes the files that came up to this trigger, and the trigger last: as long as it is
/// there, a repeated event finds the rest. What came after it belongs to a new upload.
pub(crate) async fn delete_raw(
    ports: &Ports,
    upload: &UploadEvent,
    trigger: &Head,
) -> Result<(), HandleError> {
    if upload.form == BundleForm::Folder {
        let prefix = incoming_prefix(&upload.scan);
        loop {
            let listing = ports.objects.list(&prefix, LISTING).await?;
            let old = listing.objects.iter().filter(|object| {
                object.modified_ms <= trigger.modified_ms && object.key != upload.object_key
            });
            let mut deleted = 0;
            for object in old {
                deleted += usize::from(
                    ports
                        .objects
                        .delete_version(&object.key, &object.version)
                        .await?,
                );
            }
            if !listing.truncated || deleted == 0 {
                break;
            }
        }
    }
    ports
        .objects
        .delete_version(&upload.object_key, &trigger.version)
        .await?;
    Ok(())
}
