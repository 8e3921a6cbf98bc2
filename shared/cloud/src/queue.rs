//! Queues on SQS, each with a queue of dead letters beside it.
//!
//! SQS knows whole seconds and a delay of at most 15 minutes. A message that is given up
//! is put among the dead letters with its reason before it is deleted here: a crash
//! between the two gives it up twice, never loses it.
//!
//! SQS does not promise to refuse the receipt of an earlier delivery. A function is handed
//! the latest one and ends well before its message's visibility does, so that none is used;
//! should one be, a message is given up while somebody else works on it, and what comes of
//! that is what comes of a duplicate: nothing.

use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue, QueueAttributeName,
};
use dermalia_record::port::{DeadLetter, Delivery, Depth, PortError, Queue};

use crate::failure::{failure, is_code};
use crate::telemetry;

const PORT: &str = "queue";
/// The longest delay that SQS takes.
const LONGEST_DELAY_SECS: u64 = 900;
/// The longest visibility that SQS takes: twelve hours.
const LONGEST_VISIBILITY_SECS: u64 = 43_200;
/// SQS hands out at most this many at once.
const BATCH: usize = 10;
/// For how long a dead letter is hidden while it is looked at or moved.
const LOOK_SECS: i32 = 20;
/// The message attributes of a dead letter.
const REASON: &str = "reason";
const TRIES: &str = "tries";
/// What SQS says of a receipt that is void.
const VOID: &[&str] = &[
    "AWS.SimpleQueueService.MessageNotInflight",
    "InvalidParameterValue",
    "MessageNotInflight",
    "ReceiptHandleIsInvalid",
];

/// Where a queue is.
#[derive(Debug, Clone)]
pub struct QueuePlace {
    /// Its URL.
    pub url: String,
    /// The URL of its dead letters.
    pub dead_url: String,
    /// After how many deliveries a message is given up; as in the queue's redrive policy.
    pub max_receives: u32,
}

/// A queue and its dead letters.
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    place: QueuePlace,
}

/// What a receipt stands for: SQS's handle, and what is needed to give the message up.
struct Receipt<'a> {
    handle: &'a str,
    receive_count: u32,
    body: &'a str,
}

impl<'a> Receipt<'a> {
    fn write(handle: &str, receive_count: u32, body: &str) -> String {
        format!("{receive_count}:{}:{handle}{body}", handle.len())
    }

    fn read(receipt: &'a str) -> Option<Self> {
        let (count, rest) = receipt.split_once(':')?;
        let (length, rest) = rest.split_once(':')?;
        let (handle, body) = rest.split_at_checked(length.parse().ok()?)?;
        Some(Self {
            handle,
            receive_count: count.parse().ok()?,
            body,
        })
    }
}

/// The receipt of a message that a function was handed in a batch.
#[must_use]
pub(crate) fn receipt(handle: &str, receive_count: u32, body: &str) -> String {
    Receipt::write(handle, receive_count, body)
}

impl SqsQueue {
    /// The queue at this place.
    #[must_use]
    pub fn new(client: Client, place: QueuePlace) -> Self {
        Self { client, place }
    }

    /// After how many deliveries a message is given up.
    #[must_use]
    pub const fn max_receives(&self) -> u32 {
        self.place.max_receives
    }

    /// Changes for how long a message stays hidden; `false` for a void receipt.
    async fn hide(
        &self,
        operation: &'static str,
        handle: &str,
        visibility_ms: u64,
    ) -> Result<bool, PortError> {
        let answer = self
            .client
            .change_message_visibility()
            .queue_url(&self.place.url)
            .receipt_handle(handle)
            .visibility_timeout(seconds(visibility_ms, LONGEST_VISIBILITY_SECS))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(true),
            Err(e) if is_code(&e, VOID) => Ok(false),
            Err(e) => Err(failure(PORT, operation, &e)),
        }
    }

    async fn remove(
        &self,
        operation: &'static str,
        url: &str,
        handle: &str,
    ) -> Result<(), PortError> {
        let answer = self
            .client
            .delete_message()
            .queue_url(url)
            .receipt_handle(handle)
            .send()
            .await;
        match answer {
            Ok(_) => Ok(()),
            Err(e) if is_code(&e, VOID) => Ok(()),
            Err(e) => Err(failure(PORT, operation, &e)),
        }
    }

    async fn give_up(
        &self,
        operation: &'static str,
        receipt: &Receipt<'_>,
        reason: &str,
    ) -> Result<(), PortError> {
        // Also tells whether the receipt still counts.
        if !self.hide(operation, receipt.handle, 60_000).await? {
            return Ok(());
        }
        let text = |value: &str| {
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
                .map_err(|e| PortError::permanent(PORT, operation, e))
        };
        self.client
            .send_message()
            .queue_url(&self.place.dead_url)
            .message_body(receipt.body)
            .message_attributes(REASON, text(&one_line(reason))?)
            .message_attributes(TRIES, text(&receipt.receive_count.to_string())?)
            .send()
            .await
            .map_err(|e| failure(PORT, operation, &e))?;
        self.remove(operation, &self.place.url, receipt.handle)
            .await
    }

    async fn take(
        &self,
        operation: &'static str,
        url: &str,
        max: usize,
        visibility_secs: i32,
    ) -> Result<Vec<Message>, PortError> {
        let max = i32::try_from(max.clamp(1, BATCH)).unwrap_or(1);
        let answer = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(max)
            .visibility_timeout(visibility_secs)
            .wait_time_seconds(0)
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|e| failure(PORT, operation, &e))?;
        Ok(answer.messages.unwrap_or_default())
    }

    async fn attributes(&self, url: &str) -> Result<[u64; 3], PortError> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(url)
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .map_err(|e| failure(PORT, "depth", &e))?;
        let counts = answer.attributes.unwrap_or_default();
        Ok(names.map(|name| {
            counts
                .get(&name)
                .and_then(|n| n.parse().ok())
                .unwrap_or_default()
        }))
    }
}

/// Whole seconds, rounded up: nothing comes back before its time.
fn seconds(ms: u64, longest: u64) -> i32 {
    i32::try_from(ms.div_ceil(1_000).min(longest)).unwrap_or(i32::MAX)
}

/// SQS takes no control characters in an attribute, and no empty one.
fn one_line(reason: &str) -> String {
    let plain: String = reason
        .chars()
        .take(500)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    if plain.is_empty() {
        "no reason was given".to_owned()
    } else {
        plain
    }
}

fn receive_count(message: &Message) -> u32 {
    message
        .attributes()
        .and_then(|a| a.get(&MessageSystemAttributeName::ApproximateReceiveCount))
        .and_then(|n| n.parse().ok())
        .unwrap_or(1)
}

fn attribute<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    message.message_attributes()?.get(name)?.string_value()
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, body: &str, delay_ms: u64) -> Result<(), PortError> {
        let mut call = self
            .client
            .send_message()
            .queue_url(&self.place.url)
            .message_body(body)
            .delay_seconds(seconds(delay_ms, LONGEST_DELAY_SECS));
        if let Some(trace) = telemetry::current_trace() {
            let value = MessageSystemAttributeValue::builder()
                .data_type("String")
                .string_value(trace)
                .build()
                .map_err(|e| PortError::permanent(PORT, "send", e))?;
            call = call.message_system_attributes(
                MessageSystemAttributeNameForSends::AwsTraceHeader,
                value,
            );
        }
        call.send()
            .await
            .map(|_| ())
            .map_err(|e| failure(PORT, "send", &e))
    }

    async fn receive(&self, max: usize, visibility_ms: u64) -> Result<Vec<Delivery>, PortError> {
        let visibility = seconds(visibility_ms, LONGEST_VISIBILITY_SECS);
        let messages = self
            .take("receive", &self.place.url, max, visibility)
            .await?;
        Ok(messages
            .into_iter()
            .map(|message| {
                let count = receive_count(&message);
                let body = message.body.unwrap_or_default();
                let handle = message.receipt_handle.unwrap_or_default();
                Delivery {
                    receipt: Receipt::write(&handle, count, &body),
                    body,
                    receive_count: count,
                    max_receives: self.place.max_receives,
                }
            })
            .collect())
    }

    async fn ack(&self, receipt: &str) -> Result<(), PortError> {
        match Receipt::read(receipt) {
            // A receipt that became void must not delete what somebody else works on.
            Some(receipt) => self.remove("ack", &self.place.url, receipt.handle).await,
            None => Ok(()),
        }
    }

    async fn release(&self, receipt: &str, delay_ms: u64, reason: &str) -> Result<(), PortError> {
        let Some(receipt) = Receipt::read(receipt) else {
            return Ok(());
        };
        if receipt.receive_count >= self.place.max_receives {
            return self.give_up("release", &receipt, reason).await;
        }
        self.hide("release", receipt.handle, delay_ms).await?;
        Ok(())
    }

    async fn extend(&self, receipt: &str, visibility_ms: u64) -> Result<(), PortError> {
        if let Some(receipt) = Receipt::read(receipt) {
            self.hide("extend", receipt.handle, visibility_ms).await?;
        }
        Ok(())
    }

    async fn bury(&self, receipt: &str, reason: &str) -> Result<(), PortError> {
        match Receipt::read(receipt) {
            Some(receipt) => self.give_up("bury", &receipt, reason).await,
            None => Ok(()),
        }
    }

    async fn dead_letters(&self, max: usize) -> Result<Vec<DeadLetter>, PortError> {
        let url = &self.place.dead_url;
        let mut seen = Vec::new();
        while seen.len() < max {
            let page = self
                .take("dead_letters", url, max - seen.len(), LOOK_SECS)
                .await?;
            if page.is_empty() {
                break;
            }
            seen.extend(page);
        }
        let mut letters = Vec::with_capacity(seen.len());
        for message in seen {
            if let Some(handle) = message.receipt_handle() {
                // Only looked at: it stays.
                let _ = self
                    .client
                    .change_message_visibility()
                    .queue_url(url)
                    .receipt_handle(handle)
                    .visibility_timeout(0)
                    .send()
                    .await;
            }
            let sent_ms: u64 = message
                .attributes()
                .and_then(|a| a.get(&MessageSystemAttributeName::SentTimestamp))
                .and_then(|at| at.parse().ok())
                .unwrap_or_default();
            let tries = attribute(&message, TRIES).and_then(|n| n.parse().ok());
            let letter = DeadLetter {
                reason: attribute(&message, REASON)
                    .unwrap_or("nobody answered for it in time")
                    .to_owned(),
                receive_count: tries.unwrap_or(self.place.max_receives),
                body: message.body.unwrap_or_default(),
            };
            letters.push((sent_ms, letter));
        }
        letters.sort_by_key(|(sent_ms, _)| *sent_ms);
        Ok(letters.into_iter().map(|(_, letter)| letter).collect())
    }

    async fn redrive(&self) -> Result<u64, PortError> {
        let url = &self.place.dead_url;
        let mut moved = 0;
        loop {
            let page = self.take("redrive", url, BATCH, LOOK_SECS).await?;
            if page.is_empty() {
                return Ok(moved);
            }
            for message in page {
                let (Some(body), Some(handle)) = (message.body(), message.receipt_handle()) else {
                    continue;
                };
                // First there, then gone here: a crash in between doubles, never loses.
                self.send(body, 0).await?;
                self.remove("redrive", url, handle).await?;
                moved += 1;
            }
        }
    }

    async fn depth(&self) -> Result<Depth, PortError> {
        let [visible, delayed, in_flight] = self.attributes(&self.place.url).await?;
        let dead = self.attributes(&self.place.dead_url).await?;
        Ok(Depth {
            waiting: visible + delayed,
            in_flight,
            dead: dead.iter().sum(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_hold_any_body() {
        for body in ["", "a", "1:2:3", "äöü:{\"x\":1}"] {
            let text = Receipt::write("AQEB:x/+==", 3, body);
            let read = Receipt::read(&text).unwrap();
            assert_eq!(
                (read.handle, read.receive_count, read.body),
                ("AQEB:x/+==", 3, body)
            );
        }
        for bad in ["", "1", "1:", "1:9:short", "x:1:ab", "1:1:ä"] {
            assert!(Receipt::read(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn delays_are_whole_seconds_within_bounds() {
        assert_eq!(seconds(0, 900), 0);
        assert_eq!(seconds(1, 900), 1);
        assert_eq!(seconds(1_000, 900), 1);
        assert_eq!(seconds(u64::MAX, 900), 900);
    }
}
