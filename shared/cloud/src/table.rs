//! What several ports ask of a DynamoDB table in the same way.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use dermalia_record::port::PortError;
use serde::de::DeserializeOwned;

use crate::failure::{failure, is_code};
use crate::item::{Item, PK, REFUSED, SK, body, text};

/// A table as one port sees it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    port: &'static str,
}

impl Table {
    pub(crate) fn new(client: Client, name: impl Into<String>, port: &'static str) -> Self {
        Self {
            client,
            name: name.into(),
            port,
        }
    }

    /// The item under these keys, as the last write left it.
    pub(crate) async fn get(
        &self,
        operation: &'static str,
        keys: Item,
    ) -> Result<Option<Item>, PortError> {
        self.client
            .get_item()
            .table_name(&self.name)
            .set_key(Some(keys))
            .consistent_read(true)
            .send()
            .await
            .map(|answer| answer.item)
            .map_err(|e| failure(self.port, operation, &e))
    }

    /// Writes an item where there is none; whether there was none.
    pub(crate) async fn put_new(
        &self,
        operation: &'static str,
        item: Item,
    ) -> Result<bool, PortError> {
        let answer = self
            .client
            .put_item()
            .table_name(&self.name)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", PK)
            .send()
            .await;
        self.held(operation, answer)
    }

    /// The items of a partition in the order of their sort keys, at most `max`: those after
    /// a place, and where bounds are given those between them.
    pub(crate) async fn partition(
        &self,
        operation: &'static str,
        partition: &str,
        between: Option<[String; 2]>,
        after: Option<Item>,
        max: usize,
    ) -> Result<Vec<Item>, PortError> {
        let mut items = Vec::new();
        let mut start = after;
        while items.len() < max {
            let call = self
                .client
                .query()
                .table_name(&self.name)
                .expression_attribute_names("#pk", PK)
                .expression_attribute_values(":pk", text(partition))
                .consistent_read(true)
                .set_limit(i32::try_from(max - items.len()).ok())
                .set_exclusive_start_key(start);
            let call = match &between {
                None => call.key_condition_expression("#pk = :pk"),
                Some([from, to]) => call
                    .key_condition_expression("#pk = :pk AND #sk BETWEEN :from AND :to")
                    .expression_attribute_names("#sk", SK)
                    .expression_attribute_values(":from", text(from))
                    .expression_attribute_values(":to", text(to)),
            };
            let page = call
                .send()
                .await
                .map_err(|e| failure(self.port, operation, &e))?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(items)
    }

    /// Whether the condition of a write held.
    pub(crate) fn held<T, E>(
        &self,
        operation: &'static str,
        answer: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<bool, PortError>
    where
        E: ProvideErrorMetadata,
    {
        match answer {
            Ok(_) => Ok(true),
            Err(e) if is_code(&e, REFUSED) => Ok(false),
            Err(e) => Err(failure(self.port, operation, &e)),
        }
    }

    /// The document in an item.
    pub(crate) fn document<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        item: &Item,
    ) -> Result<T, PortError> {
        body(self.port, operation, item)
    }

    /// What the sort key of an item says, if it can be read.
    pub(crate) fn sort_key<T>(
        &self,
        operation: &'static str,
        item: &Item,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, PortError> {
        let key = item.get(SK).and_then(|sk| sk.as_s().ok());
        key.and_then(|key| read(key))
            .ok_or_else(|| PortError::permanent(self.port, operation, "a stored key is damaged"))
    }
}
