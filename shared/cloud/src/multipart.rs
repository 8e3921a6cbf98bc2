//! Objects that come in parts: each part under a request of its own, and put together once
//! all are there. What is begun and never ended the bucket's lifecycle removes.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use dermalia_record::port::PortError;

use crate::failure::{failure, is_code};
use crate::objects::{PORT, S3Objects};
use crate::presign::{PRESIGN, Presigned, as_sent, checksum, for_a_while, stated_length};

/// What S3 says of an upload that has ended.
const ENDED: &[&str] = &["NoSuchUpload"];

/// One part of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPart {
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256 in hex.
    pub sha256: String,
}

/// A part that has come.
struct Stored {
    bytes: u64,
    /// In base64, as S3 tells it.
    sha256: String,
    e_tag: Option<String>,
}

impl S3Objects {
    /// Requests for those parts of an object that are not there yet, in their order, and
    /// `None` for each that is. Once all are there the object, whose SHA-256 (in hex) its
    /// metadata then tells, is put together, and there is nothing more to be sent: `None`.
    ///
    /// # Errors
    /// When S3 fails, a checksum is none, or the upload was ended by somebody else.
    pub async fn presign_parts(
        &self,
        key: &str,
        sha256: &str,
        parts: &[ObjectPart],
    ) -> Result<Option<Vec<Option<Presigned>>>, PortError> {
        let upload = match self.begun(key).await? {
            Some(upload) => upload,
            None => self.begin(key, sha256).await?,
        };
        let stored = self.stored(key, &upload).await?;
        let mut requests = Vec::with_capacity(parts.len());
        let mut come = CompletedMultipartUpload::builder();
        let mut is_whole = true;
        for (number, part) in (1..).zip(parts) {
            let checksum = checksum(&part.sha256)?;
            let there = stored
                .get(&number)
                .filter(|stored| stored.bytes == part.bytes && stored.sha256 == checksum);
            let Some(there) = there else {
                is_whole = false;
                let request = self.presign_part(key, &upload, number, part.bytes, &checksum);
                requests.push(Some(request.await?));
                continue;
            };
            requests.push(None);
            let part = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(there.e_tag.clone())
                .checksum_sha256(checksum);
            come = come.parts(part.build());
        }
        if !is_whole {
            return Ok(Some(requests));
        }
        const OPERATION: &str = "complete";
        let answer = self
            .client
            .complete_multipart_upload()
            .bucket(self.buckets.of(OPERATION, key)?)
            .key(key)
            .upload_id(upload)
            .multipart_upload(come.build())
            .send()
            .await;
        match answer {
            Ok(_) => Ok(None),
            Err(e) if is_code(&e, ENDED) => Err(ended(OPERATION)),
            Err(e) => Err(failure(PORT, OPERATION, &e)),
        }
    }

    /// The upload of this object that was begun and not ended; of several the oldest, so
    /// that all who ask go on with the same one.
    async fn begun(&self, key: &str) -> Result<Option<String>, PortError> {
        const OPERATION: &str = "list_uploads";
        let listed = self
            .client
            .list_multipart_uploads()
            .bucket(self.buckets.of(OPERATION, key)?)
            .prefix(key)
            .send()
            .await
            .map_err(|e| failure(PORT, OPERATION, &e))?;
        let ours = listed.uploads().iter().filter(|u| u.key() == Some(key));
        let oldest = ours.min_by_key(|u| (u.initiated().map(|at| at.secs()), u.upload_id()));
        Ok(oldest.and_then(|u| u.upload_id()).map(str::to_owned))
    }

    async fn begin(&self, key: &str, sha256: &str) -> Result<String, PortError> {
        const OPERATION: &str = "begin";
        let begun = self
            .client
            .create_multipart_upload()
            .bucket(self.buckets.of(OPERATION, key)?)
            .key(key)
            .content_type("application/octet-stream")
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .metadata("sha256", sha256)
            .send()
            .await
            .map_err(|e| failure(PORT, OPERATION, &e))?;
        let without = || PortError::retry(PORT, OPERATION, "an answer without an upload");
        begun.upload_id.ok_or_else(without)
    }

    async fn stored(&self, key: &str, upload: &str) -> Result<BTreeMap<i32, Stored>, PortError> {
        const OPERATION: &str = "list_parts";
        let mut stored = BTreeMap::new();
        let mut marker = None;
        loop {
            let answer = self
                .client
                .list_parts()
                .bucket(self.buckets.of(OPERATION, key)?)
                .key(key)
                .upload_id(upload)
                .set_part_number_marker(marker)
                .send()
                .await;
            let page = match answer {
                Ok(page) => page,
                Err(e) if is_code(&e, ENDED) => return Err(ended(OPERATION)),
                Err(e) => return Err(failure(PORT, OPERATION, &e)),
            };
            stored.extend(page.parts().iter().filter_map(|part| {
                let there = Stored {
                    bytes: u64::try_from(part.size()?).ok()?,
                    sha256: part.checksum_sha256()?.to_owned(),
                    e_tag: part.e_tag().map(str::to_owned),
                };
                Some((part.part_number()?, there))
            }));
            marker = page.next_part_number_marker().map(str::to_owned);
            if !page.is_truncated().unwrap_or(false) || marker.is_none() {
                return Ok(stored);
            }
        }
    }

    async fn presign_part(
        &self,
        key: &str,
        upload: &str,
        number: i32,
        bytes: u64,
        checksum: &str,
    ) -> Result<Presigned, PortError> {
        let signed = self
            .client
            .upload_part()
            .bucket(self.buckets.of(PRESIGN, key)?)
            .key(key)
            .upload_id(upload)
            .part_number(number)
            .content_length(stated_length(bytes)?)
            .checksum_sha256(checksum)
            .presigned(for_a_while()?)
            .await
            .map_err(|e| failure(PORT, PRESIGN, &e))?;
        Ok(as_sent(&signed))
    }
}

/// Two have asked at once, and the other one's answer was earlier.
fn ended(operation: &'static str) -> PortError {
    PortError::retry(PORT, operation, "the upload was ended meanwhile")
}
