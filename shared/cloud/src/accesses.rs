//! Access records and usage events: a partition for each report, and one that names the
//! reports that have any.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use dermalia_record::port::{AccessEntry, AccessKind, AccessStore, PortError};
use dermalia_record::{Clock, ReportId};

use crate::failure::failure;
use crate::item::{BODY, EXPIRES, Item, PK, SK, keys_of, number, text};
use crate::table::Table;

const PORT: &str = "accesses";
/// What partitions of reports begin with.
const REPORT_PARTITION: &str = "R#";
/// The partition of the reports that have entries.
const INDEX_PARTITION: &str = "ACCESSED";

/// Entries in the table.
#[derive(Clone)]
pub struct DynamoAccesses {
    table: Table,
    clock: Arc<dyn Clock>,
}

impl DynamoAccesses {
    /// The entries of this table.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            table: Table::new(client, table, PORT),
            clock,
        }
    }

    /// Every entry of a report, expired ones included, by time and id.
    async fn of_report(
        &self,
        operation: &'static str,
        report: ReportId,
    ) -> Result<Vec<(Item, AccessEntry)>, PortError> {
        let items = self
            .table
            .partition(operation, &partition(report), None, None, usize::MAX)
            .await?;
        let mut entries = Vec::with_capacity(items.len());
        for item in &items {
            let entry: AccessEntry = self.table.document(operation, item)?;
            if let Some(keys) = keys_of(item) {
                entries.push((keys, entry));
            }
        }
        entries.sort_by(|(_, a), (_, b)| (a.at_secs, &a.id).cmp(&(b.at_secs, &b.id)));
        Ok(entries)
    }

    async fn delete(&self, operation: &'static str, keys: Item) -> Result<(), PortError> {
        self.table
            .client
            .delete_item()
            .table_name(&self.table.name)
            .set_key(Some(keys))
            .send()
            .await
            .map(|_| ())
            .map_err(|e| failure(PORT, operation, &e))
    }
}

fn partition(report: ReportId) -> String {
    format!("{REPORT_PARTITION}{report}")
}

fn kind_name(kind: AccessKind) -> &'static str {
    match kind {
        AccessKind::Access => "access",
        AccessKind::Usage => "usage",
    }
}

fn index_keys(report: ReportId) -> Item {
    Item::from([
        (PK.to_owned(), text(INDEX_PARTITION)),
        (SK.to_owned(), text(report.to_string())),
    ])
}

#[async_trait]
impl AccessStore for DynamoAccesses {
    /// The index first: an entry that no sweep could find would be worse than an index
    /// without entries.
    async fn put(&self, entry: AccessEntry) -> Result<(), PortError> {
        let later = self
            .table
            .client
            .update_item()
            .table_name(&self.table.name)
            .set_key(Some(index_keys(entry.report)))
            .update_expression("SET #expires = :end")
            .condition_expression("attribute_not_exists(#expires) OR #expires < :end")
            .expression_attribute_names("#expires", EXPIRES)
            .expression_attribute_values(":end", number(entry.expires_at_secs))
            .send()
            .await;
        self.table.held("put", later)?;
        let document = serde_json::to_string(&entry)
            .map_err(|_| PortError::permanent(PORT, "put", "the entry cannot be written"))?;
        let item = Item::from([
            (PK.to_owned(), text(partition(entry.report))),
            (
                SK.to_owned(),
                text(format!("{}#{}", kind_name(entry.kind), entry.id)),
            ),
            (EXPIRES.to_owned(), number(entry.expires_at_secs)),
            (BODY.to_owned(), text(document)),
        ]);
        self.table.put_new("put", item).await.map(|_| ())
    }

    async fn list(&self, report: ReportId, max: usize) -> Result<Vec<AccessEntry>, PortError> {
        let now = self.clock.now_secs();
        let entries = self.of_report("list", report).await?;
        Ok(entries
            .into_iter()
            .map(|(_, entry)| entry)
            .filter(|entry| entry.expires_at_secs > now)
            .take(max)
            .collect())
    }

    async fn remove(&self, report: ReportId, kind: Option<AccessKind>) -> Result<u64, PortError> {
        let entries = self.of_report("remove", report).await?;
        let all = entries.len();
        let mut removed = 0;
        let wanted = |entry: &AccessEntry| kind.is_none_or(|kind| entry.kind == kind);
        for (keys, _) in entries.into_iter().filter(|(_, entry)| wanted(entry)) {
            self.delete("remove", keys).await?;
            removed += 1;
        }
        if removed == all {
            self.delete("remove", index_keys(report)).await?;
        }
        u64::try_from(removed).map_err(|e| PortError::permanent(PORT, "remove", e))
    }

    async fn expire_due(&self, max: usize) -> Result<u64, PortError> {
        let mut removed = 0;
        let mut start = None;
        loop {
            let page = self
                .table
                .client
                .scan()
                .table_name(&self.table.name)
                .filter_expression("#expires <= :now AND begins_with(#pk, :report)")
                .expression_attribute_names("#expires", EXPIRES)
                .expression_attribute_names("#pk", PK)
                .expression_attribute_values(":now", number(self.clock.now_secs()))
                .expression_attribute_values(":report", text(REPORT_PARTITION))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|e| failure(PORT, "expire_due", &e))?;
            for keys in page.items().iter().filter_map(keys_of) {
                if removed >= u64::try_from(max).unwrap_or(u64::MAX) {
                    return Ok(removed);
                }
                self.delete("expire_due", keys).await?;
                removed += 1;
            }
            start = page.last_evaluated_key().cloned();
            if start.is_none() {
                return Ok(removed);
            }
        }
    }

    async fn reports(
        &self,
        after: Option<ReportId>,
        max: usize,
    ) -> Result<Vec<ReportId>, PortError> {
        let items = self
            .table
            .partition("reports", INDEX_PARTITION, None, after.map(index_keys), max)
            .await?;
        items
            .iter()
            .map(|item| self.table.sort_key("reports", item, |sk| sk.parse().ok()))
            .collect()
    }
}
