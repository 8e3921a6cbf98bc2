//! Wrapped data keys: a table of their own, which has no backup and no stream, so that a
//! key that is destroyed is gone.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use dermalia_record::ScanKey;
use dermalia_record::port::{DataKeys, PortError};

use crate::item::{Item, PK, SK, text};
use crate::table::Table;

const PORT: &str = "data keys";
/// One partition, so that all keys can be gone through in order.
const PARTITION: &str = "KEYS";
const WRAPPED: &str = "wrapped";
/// Sorts below every character of a practice's id, so that keys sort as scans do.
const SEPARATOR: char = '#';

/// Data keys in a table.
#[derive(Debug, Clone)]
pub struct DynamoDataKeys {
    table: Table,
}

impl DynamoDataKeys {
    /// The keys in this table.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            table: Table::new(client, table, PORT),
        }
    }
}

fn keys(scan: &ScanKey) -> Item {
    let sk = format!("{}{SEPARATOR}{}", scan.practice, scan.scan);
    Item::from([(PK.to_owned(), text(PARTITION)), (SK.to_owned(), text(sk))])
}

fn scan_of(sort_key: &str) -> Option<ScanKey> {
    let (practice, scan) = sort_key.split_once(SEPARATOR)?;
    Some(ScanKey {
        practice: practice.parse().ok()?,
        scan: scan.parse().ok()?,
    })
}

#[async_trait]
impl DataKeys for DynamoDataKeys {
    async fn get(&self, scan: &ScanKey) -> Result<Option<Vec<u8>>, PortError> {
        let found = self.table.get("get", keys(scan)).await?;
        Ok(found
            .as_ref()
            .and_then(|item| item.get(WRAPPED))
            .and_then(|value| value.as_b().ok())
            .map(|blob| blob.as_ref().to_vec()))
    }

    async fn put_if_absent(&self, scan: &ScanKey, wrapped: &[u8]) -> Result<Vec<u8>, PortError> {
        let mut item = keys(scan);
        let value = AttributeValue::B(Blob::new(wrapped));
        item.insert(WRAPPED.to_owned(), value);
        if self.table.put_new("put_if_absent", item).await? {
            return Ok(wrapped.to_vec());
        }
        let destroyed =
            || PortError::retry(PORT, "put_if_absent", "the key was destroyed meanwhile");
        self.get(scan).await?.ok_or_else(destroyed)
    }

    async fn destroy(&self, scan: &ScanKey) -> Result<bool, PortError> {
        let answer = self
            .table
            .client
            .delete_item()
            .table_name(&self.table.name)
            .set_key(Some(keys(scan)))
            .condition_expression("attribute_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .send()
            .await;
        self.table.held("destroy", answer)
    }

    async fn scans(&self, after: Option<&ScanKey>, max: usize) -> Result<Vec<ScanKey>, PortError> {
        let items = self
            .table
            .partition("scans", PARTITION, None, after.map(keys), max)
            .await?;
        items
            .iter()
            .map(|item| self.table.sort_key("scans", item, scan_of))
            .collect()
    }
}
