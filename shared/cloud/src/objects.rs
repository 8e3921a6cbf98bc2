//! The object store on S3: one versioned bucket for each of the three first folders.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{Delete, MetadataDirective, ObjectIdentifier};
use data_encoding::BASE64;
use dermalia_record::port::{
    Body, Head, Listing, Metadata, Object, ObjectStore, ObjectWrite, PortError,
};
use sha2::{Digest, Sha256};

use crate::failure::{failure, is_code, is_status};
use crate::presign::{PRESIGN, Presigned, as_sent, checksum, for_a_while, stated_length};

pub(crate) const PORT: &str = "objects";
/// S3 deletes at most this many versions in one call.
const DELETE_BATCH: usize = 1_000;
/// How often a deletion looks again for what was written meanwhile.
const MAX_ROUNDS: usize = 10_000;

/// Names of the three buckets.
#[derive(Debug, Clone)]
pub struct Buckets {
    /// For `incoming/`.
    pub incoming: String,
    /// For `findings/` and `packages/`.
    pub findings: String,
    /// For `reports/`.
    pub reports: String,
}

impl Buckets {
    /// The bucket that holds a key.
    ///
    /// # Errors
    /// For a key under none of the three folders.
    pub fn of(&self, operation: &'static str, key: &str) -> Result<&str, PortError> {
        match key.split_once('/').map(|(first, _)| first) {
            Some("incoming") => Ok(&self.incoming),
            Some("findings" | "packages") => Ok(&self.findings),
            Some("reports") => Ok(&self.reports),
            _ => Err(PortError::permanent(
                PORT,
                operation,
                "expected a key under incoming/, findings/, packages/ or reports/, got another",
            )),
        }
    }
}

/// Objects in versioned buckets. What is deleted is deleted with every version, so that
/// neither a delete marker nor an older version stays behind.
#[derive(Debug, Clone)]
pub struct S3Objects {
    pub(crate) client: Client,
    pub(crate) buckets: Buckets,
}

/// One version, or a delete marker.
struct Version {
    key: String,
    id: String,
    is_latest: bool,
    is_marker: bool,
    bytes: u64,
    modified_ms: i64,
}

impl S3Objects {
    /// The objects of these buckets.
    #[must_use]
    pub fn new(client: Client, buckets: Buckets) -> Self {
        Self { client, buckets }
    }

    /// A request that writes an object of this size and this SHA-256 (in hex), within
    /// a quarter of an hour: its URL, and the headers that must come with it.
    ///
    /// # Errors
    /// When the key lies in no bucket or the checksum is none.
    pub async fn presign_put(
        &self,
        key: &str,
        bytes: u64,
        sha256: &str,
    ) -> Result<Presigned, PortError> {
        let signed = self
            .client
            .put_object()
            .bucket(self.buckets.of(PRESIGN, key)?)
            .key(key)
            .content_length(stated_length(bytes)?)
            .content_type("application/octet-stream")
            .checksum_sha256(checksum(sha256)?)
            .metadata("sha256", sha256)
            .presigned(for_a_while()?)
            .await
            .map_err(|e| failure(PORT, PRESIGN, &e))?;
        Ok(as_sent(&signed))
    }

    /// A request that reads an object as it is now, for as short a while.
    ///
    /// # Errors
    /// When the key lies in no bucket.
    pub async fn presign_get(&self, key: &str) -> Result<String, PortError> {
        let signed = self
            .client
            .get_object()
            .bucket(self.buckets.of(PRESIGN, key)?)
            .key(key)
            .presigned(for_a_while()?)
            .await
            .map_err(|e| failure(PORT, PRESIGN, &e))?;
        Ok(signed.uri().to_owned())
    }

    /// The versions under a prefix, until `enough` says that no more are wanted; and
    /// whether there are more.
    async fn versions(
        &self,
        operation: &'static str,
        prefix: &str,
        mut enough: impl FnMut(&[Version]) -> bool,
    ) -> Result<(Vec<Version>, bool), PortError> {
        let bucket = self.buckets.of(operation, prefix)?;
        let mut versions = Vec::new();
        let (mut key_marker, mut id_marker) = (None, None);
        loop {
            let page = self
                .client
                .list_object_versions()
                .bucket(bucket)
                .prefix(prefix)
                .set_key_marker(key_marker)
                .set_version_id_marker(id_marker)
                .send()
                .await
                .map_err(|e| failure(PORT, operation, &e))?;
            versions.extend(page.versions().iter().filter_map(|v| {
                Some(Version {
                    key: v.key()?.to_owned(),
                    id: v.version_id()?.to_owned(),
                    is_latest: v.is_latest().unwrap_or(false),
                    is_marker: false,
                    bytes: u64::try_from(v.size().unwrap_or(0)).unwrap_or(0),
                    modified_ms: millis(v.last_modified()),
                })
            }));
            versions.extend(page.delete_markers().iter().filter_map(|m| {
                Some(Version {
                    key: m.key()?.to_owned(),
                    id: m.version_id()?.to_owned(),
                    is_latest: m.is_latest().unwrap_or(false),
                    is_marker: true,
                    bytes: 0,
                    modified_ms: millis(m.last_modified()),
                })
            }));
            let more = page.is_truncated().unwrap_or(false);
            if !more || enough(&versions) {
                return Ok((versions, more));
            }
            key_marker = page.next_key_marker().map(str::to_owned);
            id_marker = page.next_version_id_marker().map(str::to_owned);
        }
    }

    /// Deletes versions, in their order.
    async fn remove(&self, operation: &'static str, versions: &[Version]) -> Result<(), PortError> {
        for batch in versions.chunks(DELETE_BATCH) {
            let bucket = self.buckets.of(operation, &batch[0].key)?;
            let mut delete = Delete::builder().quiet(true);
            for version in batch {
                let id = ObjectIdentifier::builder()
                    .key(&version.key)
                    .version_id(&version.id)
                    .build()
                    .map_err(|e| PortError::permanent(PORT, operation, e))?;
                delete = delete.objects(id);
            }
            let delete = delete
                .build()
                .map_err(|e| PortError::permanent(PORT, operation, e))?;
            let answer = self
                .client
                .delete_objects()
                .bucket(bucket)
                .delete(delete)
                .send()
                .await
                .map_err(|e| failure(PORT, operation, &e))?;
            if let Some(error) = answer.errors().first() {
                let code = error.code().unwrap_or("no code");
                return Err(PortError::retry(PORT, operation, code));
            }
        }
        Ok(())
    }

    /// Deletes every version that `wanted` names until there is none; gives the number of
    /// objects that could be read before.
    async fn remove_all(
        &self,
        operation: &'static str,
        prefix: &str,
        wanted: impl Fn(&Version) -> bool,
    ) -> Result<u64, PortError> {
        let mut objects = BTreeSet::new();
        for _ in 0..MAX_ROUNDS {
            let (found, more) = self
                .versions(operation, prefix, |v| v.len() >= DELETE_BATCH)
                .await?;
            let mut found: Vec<Version> = found.into_iter().filter(&wanted).collect();
            if found.is_empty() {
                return u64::try_from(objects.len())
                    .map_err(|e| PortError::permanent(PORT, operation, e));
            }
            // The current version last: as long as it is there, the object is seen, and a
            // deletion that was cut short is taken up again.
            found.sort_by_key(|v| v.is_latest);
            objects.extend(
                found
                    .iter()
                    .filter(|v| v.is_latest && !v.is_marker)
                    .map(|v| v.key.clone()),
            );
            self.remove(operation, &found).await?;
            if !more {
                return u64::try_from(objects.len())
                    .map_err(|e| PortError::permanent(PORT, operation, e));
            }
        }
        Err(PortError::retry(PORT, operation, "the listing never ends"))
    }
}

fn folder(operation: &'static str, prefix: &str) -> Result<(), PortError> {
    if prefix.ends_with('/') {
        Ok(())
    } else {
        let detail = "expected a prefix that ends in a slash";
        Err(PortError::permanent(PORT, operation, detail))
    }
}

/// In whole seconds, as heads tell it: what a listing tells beyond that would make an
/// object look newer than one of the same second.
fn millis(time: Option<&DateTime>) -> i64 {
    time.map_or(0, |t| t.secs().saturating_mul(1_000))
}

fn metadata_of(map: Option<&std::collections::HashMap<String, String>>) -> Metadata {
    map.map(|m| {
        m.iter()
            .map(|(k, v)| (k.to_lowercase(), v.clone()))
            .collect::<BTreeMap<_, _>>()
    })
    .unwrap_or_default()
}

/// A key as `x-amz-copy-source` wants it.
fn encode(key: &str) -> String {
    let mut encoded = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[async_trait]
impl ObjectStore for S3Objects {
    async fn put(&self, key: &str, object: ObjectWrite) -> Result<String, PortError> {
        let mut call = self
            .client
            .put_object()
            .bucket(self.buckets.of("put", key)?)
            .key(key)
            .content_type(&object.content_type);
        for (name, value) in &object.metadata {
            call = call.metadata(name, value);
        }
        let call = match object.body {
            Body::Bytes(bytes) => call
                .checksum_sha256(BASE64.encode(&Sha256::digest(&bytes)))
                .body(ByteStream::from(bytes)),
            Body::File(path) => {
                let stream = ByteStream::from_path(&path)
                    .await
                    .map_err(|_| PortError::retry(PORT, "put", "the file cannot be read"))?;
                call.body(stream)
            }
        };
        let written = call.send().await.map_err(|e| failure(PORT, "put", &e))?;
        written
            .version_id()
            .map(str::to_owned)
            .ok_or_else(|| PortError::permanent(PORT, "put", "the bucket does not keep versions"))
    }

    async fn get(&self, key: &str, max_bytes: u64) -> Result<Option<Object>, PortError> {
        let answer = self
            .client
            .get_object()
            .bucket(self.buckets.of("get", key)?)
            .key(key)
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(e) if is_code(&e, &["NoSuchKey"]) => return Ok(None),
            Err(e) => return Err(failure(PORT, "get", &e)),
        };
        let bytes = u64::try_from(answer.content_length().unwrap_or(0)).unwrap_or(0);
        if bytes > max_bytes {
            let detail = format!("expected at most {max_bytes} bytes, got {bytes}");
            return Err(PortError::permanent(PORT, "get", detail));
        }
        let head = Head {
            key: key.to_owned(),
            bytes,
            version: answer.version_id().unwrap_or_default().to_owned(),
            modified_ms: millis(answer.last_modified()),
            content_type: answer.content_type().unwrap_or_default().to_owned(),
            metadata: metadata_of(answer.metadata()),
        };
        // The client checks the length and the checksum that S3 tells.
        let content = answer
            .body
            .collect()
            .await
            .map_err(|_| PortError::retry(PORT, "get", "the object could not be read whole"))?;
        Ok(Some(Object {
            head,
            bytes: content.to_vec(),
        }))
    }

    async fn head(&self, key: &str) -> Result<Option<Head>, PortError> {
        let answer = self
            .client
            .head_object()
            .bucket(self.buckets.of("head", key)?)
            .key(key)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(Some(Head {
                key: key.to_owned(),
                bytes: u64::try_from(answer.content_length().unwrap_or(0)).unwrap_or(0),
                version: answer.version_id().unwrap_or_default().to_owned(),
                modified_ms: millis(answer.last_modified()),
                content_type: answer.content_type().unwrap_or_default().to_owned(),
                metadata: metadata_of(answer.metadata()),
            })),
            Err(e) if is_status(&e, 404) => Ok(None),
            Err(e) => Err(failure(PORT, "head", &e)),
        }
    }

    /// Lists versions, because a plain listing does not name them.
    async fn list(&self, prefix: &str, max: usize) -> Result<Listing, PortError> {
        folder("list", prefix)?;
        let current = |v: &Version| v.is_latest && !v.is_marker;
        let (versions, _) = self
            .versions("list", prefix, |v| {
                v.iter().filter(|v| current(v)).count() > max
            })
            .await?;
        let mut objects: Vec<Head> = versions
            .into_iter()
            .filter(current)
            .map(|v| Head {
                key: v.key,
                bytes: v.bytes,
                version: v.id,
                modified_ms: v.modified_ms,
                content_type: String::new(),
                metadata: Metadata::new(),
            })
            .collect();
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        let truncated = objects.len() > max;
        objects.truncate(max);
        Ok(Listing { objects, truncated })
    }

    /// Copies exactly this version onto itself, because S3 changes no metadata in place;
    /// and only if it is still the current one when the copy is made, so that a newer
    /// content is never covered by an older one.
    async fn set_metadata(
        &self,
        key: &str,
        version: &str,
        metadata: Metadata,
    ) -> Result<bool, PortError> {
        let bucket = self.buckets.of("set_metadata", key)?;
        let head = match self
            .client
            .head_object()
            .bucket(bucket)
            .key(key)
            .send()
            .await
        {
            Ok(head) => head,
            Err(e) if is_status(&e, 404) => return Ok(false),
            Err(e) => return Err(failure(PORT, "set_metadata", &e)),
        };
        if head.version_id() != Some(version) {
            return Ok(false);
        }
        let source = format!("{bucket}/{}?versionId={}", encode(key), encode(version));
        let mut call = self
            .client
            .copy_object()
            .bucket(bucket)
            .key(key)
            .copy_source(source)
            .set_if_match(head.e_tag)
            .set_content_type(head.content_type)
            .metadata_directive(MetadataDirective::Replace);
        for (name, value) in &metadata {
            call = call.metadata(name, value);
        }
        match call.send().await {
            Ok(_) => Ok(true),
            Err(e) if is_code(&e, &["NoSuchKey", "NoSuchVersion", "PreconditionFailed"]) => {
                Ok(false)
            }
            Err(e) => Err(failure(PORT, "set_metadata", &e)),
        }
    }

    /// Deletes the older versions first: without them none comes to light when the current
    /// one goes.
    async fn delete_version(&self, key: &str, version: &str) -> Result<bool, PortError> {
        let (mut versions, _) = self.versions("delete_version", key, |_| false).await?;
        versions.retain(|v| v.key == key);
        if !versions
            .iter()
            .any(|v| v.is_latest && !v.is_marker && v.id == version)
        {
            return Ok(false);
        }
        versions.sort_by_key(|v| v.is_latest);
        self.remove("delete_version", &versions).await?;
        Ok(true)
    }

    async fn delete(&self, key: &str) -> Result<bool, PortError> {
        Ok(self.remove_all("delete", key, |v| v.key == key).await? > 0)
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<u64, PortError> {
        folder("delete_prefix", prefix)?;
        self.remove_all("delete_prefix", prefix, |_| true).await
    }
}
