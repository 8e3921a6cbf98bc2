//! The audit log: a partition for each practice's chain. Entry, head and operation are
//! written in one transaction.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use dermalia_record::PracticeId;
use dermalia_record::audit::{AuditEntry, AuditHead};
use dermalia_record::port::{Appended, AuditStore, PortError};
use serde::Serialize;

use crate::failure::failure;
use crate::item::{BODY, Item, PK, SK, number, text};
use crate::table::Table;

const PORT: &str = "audit";
/// The partition of the practices that have a chain.
const INDEX_PARTITION: &str = "AUDITS";
const HEAD: &str = "HEAD";
const ENTRY: &str = "E#";
const OPERATION: &str = "O#";
const SEQUENCE: &str = "sequence";
/// Places in the transaction, as its cancellation tells them.
const AT_ENTRY: usize = 0;
const AT_HEAD: usize = 1;
const AT_OPERATION: usize = 2;

/// Chains in the table.
#[derive(Debug, Clone)]
pub struct DynamoAudit {
    table: Table,
}

impl DynamoAudit {
    /// The chains of this table.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            table: Table::new(client, table, PORT),
        }
    }

    fn put(&self, item: Item) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(item))
            .expression_attribute_names("#pk", PK)
    }
}

fn partition(practice: &PracticeId) -> String {
    format!("AUDIT#{practice}")
}

fn keys(practice: &PracticeId, sk: impl Into<String>) -> Item {
    Item::from([
        (PK.to_owned(), text(partition(practice))),
        (SK.to_owned(), text(sk)),
    ])
}

fn entry_sk(sequence: u64) -> String {
    format!("{ENTRY}{sequence:020}")
}

fn with_body<T: Serialize>(mut item: Item, document: &T) -> Result<Item, PortError> {
    let document = serde_json::to_string(document)
        .map_err(|_| PortError::permanent(PORT, "append", "the entry cannot be written"))?;
    item.insert(BODY.to_owned(), text(document));
    Ok(item)
}

fn item(
    put: aws_sdk_dynamodb::types::builders::PutBuilder,
) -> Result<TransactWriteItem, PortError> {
    let put = put
        .build()
        .map_err(|e| PortError::permanent(PORT, "append", e))?;
    Ok(TransactWriteItem::builder().put(put).build())
}

#[async_trait]
impl AuditStore for DynamoAudit {
    async fn head(&self, practice: &PracticeId) -> Result<Option<AuditHead>, PortError> {
        let found = self.table.get("head", keys(practice, HEAD)).await?;
        found
            .map(|item| self.table.document("head", &item))
            .transpose()
    }

    async fn append(&self, entry: &AuditEntry, head: &AuditHead) -> Result<Appended, PortError> {
        let practice = &entry.practice;
        let absent = "attribute_not_exists(#pk)";
        let new_entry = with_body(keys(practice, entry_sk(entry.sequence)), entry)?;
        let mut new_head = with_body(keys(practice, HEAD), head)?;
        new_head.insert(SEQUENCE.to_owned(), number(head.sequence));
        let head_put = self.put(new_head);
        let head_put = if entry.sequence == 1 {
            head_put.condition_expression(absent)
        } else {
            head_put
                .condition_expression("attribute_exists(#pk) AND #sequence = :before")
                .expression_attribute_names("#sequence", SEQUENCE)
                .expression_attribute_values(":before", number(entry.sequence.saturating_sub(1)))
        };
        let mut operation = keys(practice, format!("{OPERATION}{}", entry.operation));
        operation.insert(SEQUENCE.to_owned(), number(entry.sequence));
        let index = Item::from([
            (PK.to_owned(), text(INDEX_PARTITION)),
            (SK.to_owned(), text(practice.as_str())),
        ]);
        let index_put = Put::builder()
            .table_name(&self.table.name)
            .set_item(Some(index));
        let answer = self
            .table
            .client
            .transact_write_items()
            .transact_items(item(self.put(new_entry).condition_expression(absent))?)
            .transact_items(item(head_put)?)
            .transact_items(item(self.put(operation).condition_expression(absent))?)
            .transact_items(item(index_put)?)
            .send()
            .await;
        let error = match answer {
            Ok(_) => return Ok(Appended::Done),
            Err(error) => error,
        };
        if let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        {
            let code = |place: usize| {
                let reason = cancelled.cancellation_reasons().get(place);
                reason.and_then(|r| r.code()).unwrap_or_default()
            };
            if code(AT_OPERATION) == "ConditionalCheckFailed" {
                return Ok(Appended::Duplicate);
            }
            let raced = |place| {
                matches!(
                    code(place),
                    "ConditionalCheckFailed" | "TransactionConflict"
                )
            };
            if [AT_ENTRY, AT_HEAD, AT_OPERATION, 3].into_iter().any(raced) {
                return Ok(Appended::Conflict);
            }
            return Err(PortError::retry(
                PORT,
                "append",
                "the transaction was cancelled",
            ));
        }
        Err(failure(PORT, "append", &error))
    }

    async fn entries(
        &self,
        practice: &PracticeId,
        after: u64,
        max: usize,
    ) -> Result<Vec<AuditEntry>, PortError> {
        let between = [entry_sk(after.saturating_add(1)), entry_sk(u64::MAX)];
        let items = self
            .table
            .partition("entries", &partition(practice), Some(between), None, max)
            .await?;
        items
            .iter()
            .map(|item| self.table.document("entries", item))
            .collect()
    }

    async fn by_operation(
        &self,
        practice: &PracticeId,
        operation: &str,
    ) -> Result<Option<AuditEntry>, PortError> {
        let sk = format!("{OPERATION}{operation}");
        let Some(found) = self.table.get("by_operation", keys(practice, sk)).await? else {
            return Ok(None);
        };
        let sequence = found
            .get(SEQUENCE)
            .and_then(|n| n.as_n().ok())
            .and_then(|n| n.parse().ok());
        let damaged = || PortError::permanent(PORT, "by_operation", "a stored item is damaged");
        let sk = entry_sk(sequence.ok_or_else(damaged)?);
        let entry = self.table.get("by_operation", keys(practice, sk)).await?;
        entry
            .map(|item| self.table.document("by_operation", &item))
            .transpose()
    }

    async fn practices(&self) -> Result<Vec<PracticeId>, PortError> {
        let items = self
            .table
            .partition("practices", INDEX_PARTITION, None, None, usize::MAX)
            .await?;
        items
            .iter()
            .map(|item| self.table.sort_key("practices", item, |sk| sk.parse().ok()))
            .collect()
    }
}
