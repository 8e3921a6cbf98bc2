//! Data keys wrapped by KMS: the wrapping key never leaves it.

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use dermalia_record::port::{KeyWrap, PortError};
use dermalia_record::{DATA_KEY_BYTES, DataKey, ScanKey};

use crate::failure::failure;

const PORT: &str = "key wrap";

/// Wraps under a key in KMS. The encryption context names the scan, so that KMS opens a
/// wrapped key for its own scan only and CloudTrail tells whose was opened.
#[derive(Debug, Clone)]
pub struct KmsKeyWrap {
    client: Client,
    key_id: String,
}

impl KmsKeyWrap {
    /// Wraps under this key, named by its ARN.
    #[must_use]
    pub fn new(client: Client, key_id: impl Into<String>) -> Self {
        Self {
            client,
            key_id: key_id.into(),
        }
    }
}

#[async_trait]
impl KeyWrap for KmsKeyWrap {
    async fn wrap(&self, scan: &ScanKey, key: &DataKey) -> Result<Vec<u8>, PortError> {
        let answer = self
            .client
            .encrypt()
            .key_id(&self.key_id)
            .plaintext(Blob::new(key.expose().as_slice()))
            .encryption_context("practice", scan.practice.as_str())
            .encryption_context("scan", scan.scan.as_str())
            .send()
            .await
            .map_err(|e| failure(PORT, "wrap", &e))?;
        let blob = answer.ciphertext_blob();
        blob.map(|b| b.as_ref().to_vec())
            .ok_or_else(|| PortError::retry(PORT, "wrap", "an answer without a key"))
    }

    async fn unwrap(&self, scan: &ScanKey, wrapped: &[u8]) -> Result<DataKey, PortError> {
        let answer = self
            .client
            .decrypt()
            .key_id(&self.key_id)
            .ciphertext_blob(Blob::new(wrapped))
            .encryption_context("practice", scan.practice.as_str())
            .encryption_context("scan", scan.scan.as_str())
            .send()
            .await
            .map_err(|e| failure(PORT, "unwrap", &e))?;
        let plain = answer.plaintext().map(AsRef::as_ref).unwrap_or_default();
        let bytes: [u8; DATA_KEY_BYTES] = plain.try_into().map_err(|_| {
            let detail = format!("expected {DATA_KEY_BYTES} bytes, got {}", plain.len());
            PortError::permanent(PORT, "unwrap", detail)
        })?;
        Ok(DataKey::from_bytes(bytes))
    }
}
