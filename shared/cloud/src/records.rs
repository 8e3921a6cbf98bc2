//! The record store in a DynamoDB table, one item a scan.
//!
//! The table removes expired items by itself, within days. Every read therefore checks the
//! expiry, and every write has it in its condition. Removals come by the table's stream to
//! the function `expire`; [`RecordStore::removals`] has nothing to tell here.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use dermalia_record::port::{Cause, PortError, RecordStore, Removal, Written};
use dermalia_record::{Clock, PracticeId, ReportId, ScanKey, ScanRecord};

use crate::failure::failure;
use crate::item::{
    BY_REPORT, EXPIRES, Item, PK, REPORT, SCAN, SK, VERSION, keys_of, number, of_record,
    practice_pk, report_value, scan_keys, scan_sk, text, to_record,
};
use crate::table::Table;

const PORT: &str = "records";

/// Records in a table.
#[derive(Clone)]
pub struct DynamoRecords {
    table: Table,
    clock: Arc<dyn Clock>,
}

impl DynamoRecords {
    /// The records of this table.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>, clock: Arc<dyn Clock>) -> Self {
        Self {
            table: Table::new(client, table, PORT),
            clock,
        }
    }

    async fn read(
        &self,
        operation: &'static str,
        keys: Item,
    ) -> Result<Option<ScanRecord>, PortError> {
        let record = self
            .table
            .get(operation, keys)
            .await?
            .map(|item| to_record(operation, &item))
            .transpose()?;
        Ok(record.filter(|r| !r.is_expired(self.clock.now_secs())))
    }

    /// Removes an item if it still has this version and `also` holds.
    async fn remove_if(
        &self,
        operation: &'static str,
        record: &ScanRecord,
        also: &str,
    ) -> Result<bool, PortError> {
        let answer = self
            .table
            .client
            .delete_item()
            .table_name(&self.table.name)
            .set_key(Some(scan_keys(&record.key)))
            .condition_expression(format!("#version = :seen AND {also}"))
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_names("#expires", EXPIRES)
            .expression_attribute_values(":seen", number(record.version))
            .expression_attribute_values(":now", number(self.clock.now_secs()))
            .send()
            .await;
        self.table.held(operation, answer)
    }
}

fn written(is_written: bool, record: ScanRecord) -> Written {
    if is_written {
        Written::Done(Box::new(record))
    } else {
        Written::Conflict
    }
}

#[async_trait]
impl RecordStore for DynamoRecords {
    async fn get(&self, key: &ScanKey) -> Result<Option<ScanRecord>, PortError> {
        self.read("get", scan_keys(key)).await
    }

    /// The index may lag behind the table by moments; what it leads to is read from the
    /// table itself.
    async fn by_report(&self, report: ReportId) -> Result<Option<ScanRecord>, PortError> {
        let answer = self
            .table
            .client
            .query()
            .table_name(&self.table.name)
            .index_name(BY_REPORT)
            .key_condition_expression("#report = :report")
            .expression_attribute_names("#report", REPORT)
            .expression_attribute_values(":report", report_value(report))
            .limit(1)
            .send()
            .await
            .map_err(|e| failure(PORT, "by_report", &e))?;
        let Some(keys) = answer.items().first().and_then(keys_of) else {
            return Ok(None);
        };
        let record = self.read("by_report", keys).await?;
        Ok(record.filter(|r| r.report_id == Some(report)))
    }

    async fn insert(&self, mut record: ScanRecord) -> Result<Written, PortError> {
        record.version = 1;
        let item = of_record("insert", &record)?;
        let is_written = self.table.put_new("insert", item).await?;
        Ok(written(is_written, record))
    }

    async fn update(&self, mut record: ScanRecord) -> Result<Written, PortError> {
        let seen = record.version;
        record.version += 1;
        let answer = self
            .table
            .client
            .put_item()
            .table_name(&self.table.name)
            .set_item(Some(of_record("update", &record)?))
            .condition_expression("#version = :seen AND #expires > :now")
            .expression_attribute_names("#version", VERSION)
            .expression_attribute_names("#expires", EXPIRES)
            .expression_attribute_values(":seen", number(seen))
            .expression_attribute_values(":now", number(self.clock.now_secs()))
            .send()
            .await;
        Ok(written(self.table.held("update", answer)?, record))
    }

    async fn list(
        &self,
        practice: &PracticeId,
        after: Option<&ScanKey>,
        max: usize,
    ) -> Result<Vec<ScanRecord>, PortError> {
        let now = self.clock.now_secs();
        let mut records = Vec::new();
        let mut start = after.map(|key| {
            Item::from([
                (PK.to_owned(), text(practice_pk(practice))),
                (SK.to_owned(), text(scan_sk(key))),
            ])
        });
        loop {
            let page = self
                .table
                .client
                .query()
                .table_name(&self.table.name)
                .key_condition_expression("#pk = :pk AND begins_with(#sk, :scan)")
                .expression_attribute_names("#pk", PK)
                .expression_attribute_names("#sk", SK)
                .expression_attribute_values(":pk", text(practice_pk(practice)))
                .expression_attribute_values(":scan", text(SCAN))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|e| failure(PORT, "list", &e))?;
            for item in page.items() {
                let record = to_record("list", item)?;
                if !record.is_expired(now) && records.len() < max {
                    records.push(record);
                }
            }
            start = page.last_evaluated_key().cloned();
            if start.is_none() || records.len() >= max {
                return Ok(records);
            }
        }
    }

    /// What the stream tells of a removal follows from the item as it was: see
    /// [`crate::stream`].
    async fn remove(&self, record: &ScanRecord, cause: Cause) -> Result<bool, PortError> {
        let also = match cause {
            Cause::Erased => "#expires > :now",
            Cause::Expired => "#expires <= :now",
        };
        self.remove_if("remove", record, also).await
    }

    /// Looks through the whole table: for a sweep once a day, behind the table's own
    /// expiry.
    async fn expire_due(&self, max: usize) -> Result<u64, PortError> {
        let mut removed = 0;
        let mut start = None;
        loop {
            let page = self
                .table
                .client
                .scan()
                .table_name(&self.table.name)
                .filter_expression("#expires <= :now AND begins_with(#sk, :scan)")
                .expression_attribute_names("#expires", EXPIRES)
                .expression_attribute_names("#sk", SK)
                .expression_attribute_values(":now", number(self.clock.now_secs()))
                .expression_attribute_values(":scan", text(SCAN))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|e| failure(PORT, "expire_due", &e))?;
            for item in page.items() {
                let record = to_record("expire_due", item)?;
                if self
                    .remove_if("expire_due", &record, "#expires <= :now")
                    .await?
                {
                    removed += 1;
                    if removed >= u64::try_from(max).unwrap_or(u64::MAX) {
                        return Ok(removed);
                    }
                }
            }
            start = page.last_evaluated_key().cloned();
            if start.is_none() {
                return Ok(removed);
            }
        }
    }

    async fn removals(&self, _max: usize) -> Result<Vec<Removal>, PortError> {
        Ok(Vec::new())
    }

    async fn ack_removal(&self, _sequence: u64) -> Result<(), PortError> {
        Ok(())
    }
}
