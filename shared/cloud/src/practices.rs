//! The store of practices: one partition of the table, as they are few.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use dermalia_record::port::{PortError, PracticeStore};
use dermalia_record::{Practice, PracticeId};

use crate::failure::{failure, is_code};
use crate::item::{BODY, Item, PK, REFUSED, SK, VERSION, body, number, text};

const PORT: &str = "practices";
const PARTITION: &str = "PRACTICES";

/// Practices in the table.
#[derive(Debug, Clone)]
pub struct DynamoPractices {
    client: Client,
    table: String,
}

impl DynamoPractices {
    /// The practices of this table.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            client,
            table: table.into(),
        }
    }
}

fn keys(id: &PracticeId) -> Item {
    Item::from([
        (PK.to_owned(), text(PARTITION)),
        (SK.to_owned(), text(id.as_str())),
    ])
}

#[async_trait]
impl PracticeStore for DynamoPractices {
    async fn get(&self, id: &PracticeId) -> Result<Option<Practice>, PortError> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(keys(id)))
            .consistent_read(true)
            .send()
            .await
            .map_err(|e| failure(PORT, "get", &e))?;
        answer
            .item()
            .map(|item| body(PORT, "get", item))
            .transpose()
    }

    async fn put(&self, mut practice: Practice) -> Result<Option<Practice>, PortError> {
        let seen = practice.version;
        practice.version += 1;
        let document = serde_json::to_string(&practice)
            .map_err(|_| PortError::permanent(PORT, "put", "the practice cannot be written"))?;
        let mut item = keys(&practice.id);
        item.insert(VERSION.to_owned(), number(practice.version));
        item.insert(BODY.to_owned(), text(document));
        let call = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(item));
        let call = if seen == 0 {
            call.condition_expression("attribute_not_exists(#pk)")
                .expression_attribute_names("#pk", PK)
        } else {
            call.condition_expression("#version = :seen")
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_values(":seen", number(seen))
        };
        match call.send().await {
            Ok(_) => Ok(Some(practice)),
            Err(e) if is_code(&e, REFUSED) => Ok(None),
            Err(e) => Err(failure(PORT, "put", &e)),
        }
    }

    async fn list(
        &self,
        after: Option<&PracticeId>,
        max: usize,
    ) -> Result<Vec<Practice>, PortError> {
        let mut practices = Vec::new();
        let mut start = after.map(keys);
        while practices.len() < max {
            let page = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("#pk = :pk")
                .expression_attribute_names("#pk", PK)
                .expression_attribute_values(":pk", text(PARTITION))
                .consistent_read(true)
                .limit(i32::try_from(max - practices.len()).unwrap_or(i32::MAX))
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|e| failure(PORT, "list", &e))?;
            for item in page.items() {
                practices.push(body(PORT, "list", item)?);
            }
            start = page.last_evaluated_key().cloned();
            if start.is_none() {
                break;
            }
        }
        Ok(practices)
    }
}
