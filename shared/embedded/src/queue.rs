//! Queues in the embedded database.

use std::sync::Arc;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use dermalia_record::Clock;
use dermalia_record::port::{DeadLetter, Delivery, Depth, PortError, Queue};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::database::{Database, Failure};

const PORT: &str = "queue";

/// When a queue gives a message up.
#[derive(Debug, Clone, Copy)]
pub struct QueuePolicy {
    /// After how many deliveries.
    pub max_receives: u32,
    /// After how many deaths of the process that was working on it. These are counted
    /// apart: a machine that is switched off is not the message's fault, but one that
    /// brings the process down each time must not do so for ever.
    pub max_crashes: u32,
}

impl Default for QueuePolicy {
    fn default() -> Self {
        Self {
            max_receives: 5,
            max_crashes: 10,
        }
    }
}

/// A queue in the embedded database.
#[derive(Clone)]
pub struct SqliteQueue {
    database: Database,
    name: &'static str,
    policy: QueuePolicy,
    clock: Arc<dyn Clock>,
}

impl SqliteQueue {
    /// The queue of that name.
    #[must_use]
    pub fn new(
        database: Database,
        name: &'static str,
        policy: QueuePolicy,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            database,
            name,
            policy,
            clock,
        }
    }

    /// Makes every message visible that a dead process was working on: for the start of a
    /// process that is the only one on its data. Gives their number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn recover(&self) -> Result<u64, PortError> {
        let (name, max_crashes) = (self.name, self.policy.max_crashes);
        self.database
            .transact(PORT, "recover", move |t| {
                let recovered = t.execute(
                    "UPDATE messages SET receipt = NULL, visible_at_ms = 0,
                         receives = MAX(receives - 1, 0), crashes = crashes + 1
                     WHERE queue = ?1 AND receipt IS NOT NULL",
                    [name],
                )?;
                let reason = format!("the process died {max_crashes} times while working on it");
                bury_where(
                    t,
                    "queue = ?1 AND crashes >= ?2",
                    params![name, max_crashes],
                    &reason,
                )?;
                Ok(u64::try_from(recovered).unwrap_or(u64::MAX))
            })
            .await
    }
}

/// Moves messages to the dead letters.
fn bury_where(
    t: &Transaction<'_>,
    condition: &str,
    params: &[&dyn rusqlite::ToSql],
    reason: &str,
) -> Result<(), Failure> {
    let ids: Vec<i64> = t
        .prepare(&format!(
            "SELECT id FROM messages WHERE {condition} ORDER BY id"
        ))?
        .query_map(params, |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in ids {
        t.prepare_cached(
            "INSERT INTO dead_letters (queue, body, receives, reason)
             SELECT queue, body, receives, ?2 FROM messages WHERE id = ?1",
        )?
        .execute(params![id, reason])?;
        t.prepare_cached("DELETE FROM messages WHERE id = ?1")?
            .execute([id])?;
    }
    Ok(())
}

fn new_receipt() -> Result<String, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| Failure::Damaged(e.to_string()))?;
    Ok(HEXLOWER.encode(&bytes))
}

fn after(now_ms: i64, delay_ms: u64) -> i64 {
    now_ms.saturating_add(i64::try_from(delay_ms).unwrap_or(i64::MAX))
}

#[async_trait]
impl Queue for SqliteQueue {
    async fn send(&self, body: &str, delay_ms: u64) -> Result<(), PortError> {
        let (name, body) = (self.name, body.to_owned());
        let visible_at = after(self.clock.now_ms(), delay_ms);
        self.database
            .transact(PORT, "send", move |t| {
                t.prepare_cached(
                    "INSERT INTO messages (queue, body, visible_at_ms) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![name, body, visible_at])?;
                Ok(())
            })
            .await
    }

    async fn receive(&self, max: usize, visibility_ms: u64) -> Result<Vec<Delivery>, PortError> {
        let (name, policy, now) = (self.name, self.policy, self.clock.now_ms());
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.database
            .transact(PORT, "receive", move |t| {
                let silent = format!("no answer after {} deliveries", policy.max_receives);
                bury_where(
                    t,
                    "queue = ?1 AND visible_at_ms <= ?2 AND receives >= ?3",
                    params![name, now, policy.max_receives],
                    &silent,
                )?;
                let found: Vec<(i64, String, u32)> = t
                    .prepare_cached(
                        "SELECT id, body, receives FROM messages
                         WHERE queue = ?1 AND visible_at_ms <= ?2
                         ORDER BY visible_at_ms, id LIMIT ?3",
                    )?
                    .query_map(params![name, now, max], |r| {
                        Ok((r.get(0)?, r.get(1)?, r.get(2)?))
                    })?
                    .collect::<Result<_, _>>()?;
                let mut deliveries = Vec::with_capacity(found.len());
                for (id, body, receives) in found {
                    let (receipt, receive_count) = (new_receipt()?, receives + 1);
                    t.prepare_cached(
                        "UPDATE messages SET receipt = ?2, receives = ?3, visible_at_ms = ?4
                         WHERE id = ?1",
                    )?
                    .execute(params![
                        id,
                        receipt,
                        receive_count,
                        after(now, visibility_ms)
                    ])?;
                    deliveries.push(Delivery {
                        receipt,
                        body,
                        receive_count,
                        max_receives: policy.max_receives,
                    });
                }
                Ok(deliveries)
            })
            .await
    }

    async fn ack(&self, receipt: &str) -> Result<(), PortError> {
        let receipt = receipt.to_owned();
        self.database
            .transact(PORT, "ack", move |t| {
                t.prepare_cached("DELETE FROM messages WHERE receipt = ?1")?
                    .execute([receipt])?;
                Ok(())
            })
            .await
    }

    async fn release(&self, receipt: &str, delay_ms: u64, reason: &str) -> Result<(), PortError> {
        let (receipt, reason) = (receipt.to_owned(), reason.to_owned());
        let max_receives = self.policy.max_receives;
        let visible_at = after(self.clock.now_ms(), delay_ms);
        self.database
            .transact(PORT, "release", move |t| {
                let receives: Option<u32> = t
                    .prepare_cached("SELECT receives FROM messages WHERE receipt = ?1")?
                    .query_row([&receipt], |row| row.get(0))
                    .optional()?;
                match receives {
                    None => {}
                    Some(receives) if receives >= max_receives => {
                        bury_where(t, "receipt = ?1", params![receipt], &reason)?;
                    }
                    Some(_) => {
                        t.prepare_cached(
                            "UPDATE messages SET receipt = NULL, visible_at_ms = ?2, reason = ?3
                             WHERE receipt = ?1",
                        )?
                        .execute(params![receipt, visible_at, reason])?;
                    }
                }
                Ok(())
            })
            .await
    }

    async fn extend(&self, receipt: &str, visibility_ms: u64) -> Result<(), PortError> {
        let receipt = receipt.to_owned();
        let visible_at = after(self.clock.now_ms(), visibility_ms);
        self.database
            .transact(PORT, "extend", move |t| {
                t.prepare_cached("UPDATE messages SET visible_at_ms = ?2 WHERE receipt = ?1")?
                    .execute(params![receipt, visible_at])?;
                Ok(())
            })
            .await
    }

    async fn bury(&self, receipt: &str, reason: &str) -> Result<(), PortError> {
        let (receipt, reason) = (receipt.to_owned(), reason.to_owned());
        self.database
            .transact(PORT, "bury", move |t| {
                bury_where(t, "receipt = ?1", params![receipt], &reason)
            })
            .await
    }

    async fn dead_letters(&self, max: usize) -> Result<Vec<DeadLetter>, PortError> {
        let (name, max) = (self.name, i64::try_from(max).unwrap_or(i64::MAX));
        self.database
            .transact(PORT, "dead_letters", move |t| {
                let letters = t
                    .prepare_cached(
                        "SELECT body, reason, receives FROM dead_letters
                         WHERE queue = ?1 ORDER BY id LIMIT ?2",
                    )?
                    .query_map(params![name, max], |row| {
                        Ok(DeadLetter {
                            body: row.get(0)?,
                            reason: row.get(1)?,
                            receive_count: row.get(2)?,
                        })
                    })?
                    .collect::<Result<_, _>>()?;
                Ok(letters)
            })
            .await
    }

    async fn redrive(&self) -> Result<u64, PortError> {
        let (name, now) = (self.name, self.clock.now_ms());
        self.database
            .transact(PORT, "redrive", move |t| {
                let moved = t.execute(
                    "INSERT INTO messages (queue, body, visible_at_ms)
                     SELECT queue, body, ?2 FROM dead_letters WHERE queue = ?1 ORDER BY id",
                    params![name, now],
                )?;
                t.execute("DELETE FROM dead_letters WHERE queue = ?1", [name])?;
                Ok(u64::try_from(moved).unwrap_or(u64::MAX))
            })
            .await
    }

    async fn depth(&self) -> Result<Depth, PortError> {
        let (name, now) = (self.name, self.clock.now_ms());
        self.database
            .transact(PORT, "depth", move |t| {
                let count =
                    |query: &str, params: &[&dyn rusqlite::ToSql]| -> Result<u64, Failure> {
                        let n: i64 = t
                            .prepare_cached(query)?
                            .query_row(params, |row| row.get(0))?;
                        Ok(u64::try_from(n).unwrap_or_default())
                    };
                let in_flight = count(
                    "SELECT COUNT(*) FROM messages
                     WHERE queue = ?1 AND receipt IS NOT NULL AND visible_at_ms > ?2",
                    params![name, now],
                )?;
                let all = count(
                    "SELECT COUNT(*) FROM messages WHERE queue = ?1",
                    params![name],
                )?;
                let dead = count(
                    "SELECT COUNT(*) FROM dead_letters WHERE queue = ?1",
                    params![name],
                )?;
                Ok(Depth {
                    waiting: all - in_flight,
                    in_flight,
                    dead,
                })
            })
            .await
    }
}
