//! The store of practices: one partition of the table, as they are few.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use dermalia_record::port::{PortError, PracticeStore};
use dermalia_record::{Practice, PracticeId};

use crate::item::{BODY, Item, PK, SK, VERSION, number, text};
use crate::table::Table;

const PORT: &str = "practices";
const PARTITION: &str = "PRACTICES";

/// Practices in the table.
#[derive(Debug, Clone)]
pub struct DynamoPractices {
    table: Table,
}

impl DynamoPractices {
    /// The practices of this table.
    #[must_use]
    pub fn new(client: Client, table: impl Into<String>) -> Self {
        Self {
            table: Table::new(client, table, PORT),
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
        let found = self.table.get("get", keys(id)).await?;
        found
            .map(|item| self.table.document("get", &item))
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
        let is_written = if seen == 0 {
            self.table.put_new("put", item).await?
        } else {
            let answer = self
                .table
                .client
                .put_item()
                .table_name(&self.table.name)
                .set_item(Some(item))
                .condition_expression("#version = :seen")
                .expression_attribute_names("#version", VERSION)
                .expression_attribute_values(":seen", number(seen))
                .send()
                .await;
            self.table.held("put", answer)?
        };
        Ok(is_written.then_some(practice))
    }

    async fn list(
        &self,
        after: Option<&PracticeId>,
        max: usize,
    ) -> Result<Vec<Practice>, PortError> {
        let items = self
            .table
            .partition("list", PARTITION, None, after.map(keys), max)
            .await?;
        items
            .iter()
            .map(|item| self.table.document("list", item))
            .collect()
    }
}
