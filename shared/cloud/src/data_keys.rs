//! Wrapped data keys: a table of their own, which has no backup and no stream, so that a
//! key that is destroyed is gone.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use dermalia_record::ScanKey;
use dermalia_record::port::{DataKeys, PortError};

use crate::failure::{failure, is_code};
use crate::item::{Item, PK, REFUSED, SK, text};

const PORT: &str = "data keys";
/// One partition, so that all keys can be gone through in order.
const PARTITION: &str = "KEYS";
const WRAPPED: &str = "wrapped";
/// Sorts below every character of a practice's id, so that keys sort as scans do.
const SEPARATOR: char = '#';

/// Data keys in a table.
#[derive(Debug, Clone)]
pub struct DynamoDataKeys {
    client: Client,
    table: String,
}

impl DynamoDataKeys {
    /// The keys in this table.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }
}

fn keys(scan: &ScanKey) -> Item {
    let sk = format!("{}{SEPARATOR}{}", scan.practice, scan.scan);
    Item::from([(PK.to_owned(), text(PARTITION)), (SK.to_owned(), text(sk))])
}

fn scan_of(item: &Item) -> Option<ScanKey> {
    let (practice, scan) = item.get(SK)?.as_s().ok()?.split_once(SEPARATOR)?;
    Some(ScanKey {
        practice: practice.parse().ok()?,
        scan: scan.parse().ok()?,
    })
}

#[async_trait]
impl DataKeys for DynamoDataKeys {
    async fn get(&self, scan: &ScanKey) -> Result<Option<Vec<u8>>, PortError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(keys(scan)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failure(PORT, "get", &e))?;
        let wrapped = answer.item().and_then(|item| item.get(WRAPPED));
        Ok(wrapped
            .and_then(|value| value.as_b().ok())
            .map(|blob| blob.as_ref().to_vec()))
    }

    async fn put_if_absent(&self, scan: &ScanKey, wrapped: &[u8]) -> Result<Vec<u8>, PortError> {
        let mut item = keys(scan);
        let value = AttributeValue::B(Blob::new(wrapped));
        item.insert(WRAPPED.to_owned(), value);
        let answer = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(wrapped.to_vec()),
            Err(e) if is_code(&e, REFUSED) => self.get(scan).await?.ok_or_else(|| {
                PortError::retry(PORT, "put_if_absent", "the key was destroyed meanwhile")
            }),
            Err(e) => Err(failure(PORT, "put_if_absent", &e)),
        }
    }

    async fn destroy(&self, scan: &ScanKey) -> Result<bool, PortError> {
        let answer = self
            .client
            .delete_item()
            .table_name(&self.table)
            .set_key(Some(keys(scan)))
            .condition_expression("attribute_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(e) if is_code(&e, REFUSED) => Ok(false),
            Err(e) => Err(failure(PORT, "destroy", &e)),
        }
    }

    async fn scans(&self, after: Option<&ScanKey>, max: usize) -> Result<Vec<ScanKey>, PortError> {
        let mut scans = Vec::new();
        let mut start = after.map(keys);
        while scans.len() < max {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("#pk = :pk")
                .projection_expression("#pk, #sk")
                .expression_attribute_names("#pk", PK)
                .expression_attribute_names("#sk", SK)
                .expression_attribute_values(":pk", text(PARTITION))
                .consistent_read(true)
                .limit(i32::try_from(max - scans.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|e| failure(PORT, "scans", &e))?;
            for item in page.items() {
                let damaged = || PortError::permanent(PORT, "scans", "a stored key is damaged");
                scans.push(scan_of(item).ok_or_else(damaged)?);
            }
            start = page.last_evaluated_key().cloned();
            if start.is_none() {
                break;
            }
        }
        Ok(scans)
    }
}
