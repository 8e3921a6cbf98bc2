//! The audit log in the embedded database.

use async_trait::async_trait;
use dermalia_record::PracticeId;
use dermalia_record::audit::{AuditEntry, AuditHead};
use dermalia_record::port::{Appended, AuditStore, PortError};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::database::{Database, Failure};

const PORT: &str = "audit";

/// The audit log in the embedded database.
#[derive(Clone)]
pub struct SqliteAudit {
    database: Database,
}

impl SqliteAudit {
    /// The log of this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

fn damaged<E>(_: E) -> Failure {
    Failure::Damaged("an entry of the audit log cannot be read: it was changed".to_owned())
}

fn head(t: &Transaction<'_>, practice: &PracticeId) -> Result<Option<AuditHead>, Failure> {
    let body: Option<String> = t
        .prepare_cached("SELECT body FROM audit_heads WHERE practice = ?1")?
        .query_row([practice.as_str()], |r| r.get(0))
        .optional()?;
    body.map(|b| serde_json::from_str(&b).map_err(damaged))
        .transpose()
}

fn number(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}

#[async_trait]
impl AuditStore for SqliteAudit {
    async fn head(&self, practice: &PracticeId) -> Result<Option<AuditHead>, PortError> {
        let practice = practice.clone();
        self.database
            .transact(PORT, "head", move |t| head(t, &practice))
            .await
    }

    async fn append(&self, entry: &AuditEntry, next: &AuditHead) -> Result<Appended, PortError> {
        let (entry, next) = (entry.clone(), next.clone());
        self.database
            .transact(PORT, "append", move |t| {
                let practice = entry.practice.as_str();
                let known = t
                    .prepare_cached("SELECT 1 FROM audit WHERE practice = ?1 AND operation = ?2")?
                    .exists(params![practice, entry.operation])?;
                if known {
                    return Ok(Appended::Duplicate);
                }
                let last = head(t, &entry.practice)?.map_or(0, |head| head.sequence);
                if entry.sequence != last + 1 || next.sequence != entry.sequence {
                    return Ok(Appended::Conflict);
                }
                let json = |e: serde_json::Error| Failure::Damaged(e.to_string());
                t.prepare_cached(
                    "INSERT INTO audit (practice, sequence, operation, body)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    practice,
                    number(entry.sequence),
                    entry.operation,
                    serde_json::to_string(&entry).map_err(json)?
                ])?;
                t.prepare_cached(
                    "INSERT INTO audit_heads (practice, body) VALUES (?1, ?2)
                     ON CONFLICT (practice) DO UPDATE SET body = ?2",
                )?
                .execute(params![
                    practice,
                    serde_json::to_string(&next).map_err(json)?
                ])?;
                Ok(Appended::Done)
            })
            .await
    }

    async fn entries(
        &self,
        practice: &PracticeId,
        after: u64,
        max: usize,
    ) -> Result<Vec<AuditEntry>, PortError> {
        let practice = practice.clone();
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.database
            .transact(PORT, "entries", move |t| {
                let mut statement = t.prepare_cached(
                    "SELECT body FROM audit WHERE practice = ?1 AND sequence > ?2
                     ORDER BY sequence LIMIT ?3",
                )?;
                let rows = statement
                    .query_map(params![practice.as_str(), number(after), max], |r| {
                        r.get::<_, String>(0)
                    })?;
                let bodies: Vec<String> = rows.collect::<Result<_, _>>()?;
                bodies
                    .iter()
                    .map(|b| serde_json::from_str(b).map_err(damaged))
                    .collect()
            })
            .await
    }

    async fn by_operation(
        &self,
        practice: &PracticeId,
        operation: &str,
    ) -> Result<Option<AuditEntry>, PortError> {
        let (practice, operation) = (practice.clone(), operation.to_owned());
        self.database
            .transact(PORT, "by_operation", move |t| {
                let body: Option<String> = t
                    .prepare_cached(
                        "SELECT body FROM audit WHERE practice = ?1 AND operation = ?2",
                    )?
                    .query_row(params![practice.as_str(), operation], |r| r.get(0))
                    .optional()?;
                body.map(|b| serde_json::from_str(&b).map_err(damaged))
                    .transpose()
            })
            .await
    }

    async fn practices(&self) -> Result<Vec<PracticeId>, PortError> {
        self.database
            .transact(PORT, "practices", |t| {
                let mut statement = t.prepare_cached(
                    "SELECT practice FROM audit UNION SELECT practice FROM audit_heads
                     ORDER BY practice",
                )?;
                let rows = statement.query_map([], |r| r.get::<_, String>(0))?;
                let ids: Vec<String> = rows.collect::<Result<_, _>>()?;
                ids.iter().map(|id| id.parse().map_err(damaged)).collect()
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use dermalia_link::{KeyId, SigningKey};
    use dermalia_record::audit::{Action, Actor, Draft, VerifyError, verify};
    use dermalia_record::{Audit, ManualClock};

    use super::*;

    async fn log_of_five() -> (Database, Audit, PracticeId) {
        let database = Database::in_memory().unwrap();
        let audit = Audit {
            store: Arc::new(SqliteAudit::new(database.clone())),
            key: Arc::new(SigningKey::from_seed(KeyId::new(1), &[3; 32])),
            clock: Arc::new(ManualClock::at_ms(5_000)),
        };
        let practice: PracticeId = "praxis-nord".parse().unwrap();
        for n in 1..=5 {
            let draft = Draft {
                practice: practice.clone(),
                scan: "scan-0001".parse().ok(),
                operation: format!("operation {n}"),
                actor: Actor::Operator,
                action: Action::Restricted,
                inventory: None,
            };
            audit.record(&draft).await.unwrap();
        }
        (database, audit, practice)
    }

    /// What somebody with the database file, but without the key, can do to the log.
    #[tokio::test]
    async fn every_tampering_is_seen() {
        let changes = [
            // An entry is changed, in its middle, at its beginning, at its end.
            "UPDATE audit SET body = replace(body, 'operator', 'patient') WHERE sequence = 3",
            "UPDATE audit SET body = replace(body, 'restricted', 'objected') WHERE sequence = 1",
            "UPDATE audit SET body = replace(body, '\"at_secs\":5', '\"at_secs\":6') WHERE sequence = 5",
            // Entries are missing: in the middle, the first, the last, all.
            "DELETE FROM audit WHERE sequence = 3",
            "DELETE FROM audit WHERE sequence = 1",
            "DELETE FROM audit WHERE sequence = 5",
            "DELETE FROM audit WHERE sequence > 2",
            "DELETE FROM audit",
            // The gap is closed by counting anew.
            "DELETE FROM audit WHERE sequence = 3;
             UPDATE audit SET sequence = sequence - 1,
                 body = replace(body, '\"sequence\":4', '\"sequence\":3') WHERE sequence = 4;
             UPDATE audit SET sequence = sequence - 1,
                 body = replace(body, '\"sequence\":5', '\"sequence\":4') WHERE sequence = 5",
            // The head is gone, or says something else.
            "DELETE FROM audit_heads",
            "UPDATE audit_heads SET body = replace(body, '\"sequence\":5', '\"sequence\":4')",
            "DELETE FROM audit WHERE sequence = 5;
             UPDATE audit_heads SET body = replace(body, '\"sequence\":5', '\"sequence\":4')",
            // Two entries change places.
            "UPDATE audit SET sequence = 9 WHERE sequence = 2;
             UPDATE audit SET sequence = 2 WHERE sequence = 3;
             UPDATE audit SET sequence = 3 WHERE sequence = 9",
        ];
        for change in changes {
            let (database, audit, practice) = log_of_five().await;
            let keys = [audit.key.public()];
            let whole = verify(audit.store.as_ref(), &practice, &keys, None).await;
            assert_eq!(whole.unwrap().unwrap().sequence, 5);
            let done = database
                .transact(PORT, "tamper", move |t| Ok(t.execute_batch(change)?))
                .await;
            done.unwrap();
            let result = verify(audit.store.as_ref(), &practice, &keys, None).await;
            assert!(result.is_err(), "{change}");
        }
    }

    /// An older copy of log and head, whole in itself: only a noted head shows it.
    #[tokio::test]
    async fn an_older_log_is_told_by_a_noted_head() {
        let (database, audit, practice) = log_of_five().await;
        let keys = [audit.key.public()];
        let noted = audit.store.head(&practice).await.unwrap().unwrap();
        let noted = dermalia_record::audit::NotedHead {
            sequence: noted.sequence,
            hash: noted.hash,
        };
        // The log as it was after two entries, with its head of then.
        let (_, older, _) = log_of_five().await;
        let second = older
            .store
            .entries(&practice, 1, 1)
            .await
            .unwrap()
            .remove(0);
        let text = format!("{}:{}", second.sequence, second.hash());
        assert!(text.parse::<dermalia_record::audit::NotedHead>().is_ok());
        let statement = format!(
            "audit head\n{practice}\n{}\n{}\n",
            second.sequence,
            second.hash()
        );
        let head = AuditHead {
            practice: practice.clone(),
            sequence: second.sequence,
            hash: second.hash(),
            signature: audit.key.sign_statement(statement.as_bytes()),
        };
        let body = serde_json::to_string(&head).unwrap();
        let replaced = database
            .transact(PORT, "tamper", move |t| {
                t.execute("DELETE FROM audit WHERE sequence > 2", [])?;
                t.execute("UPDATE audit_heads SET body = ?1", [body])?;
                Ok(())
            })
            .await;
        replaced.unwrap();
        let store = audit.store.as_ref();
        assert!(verify(store, &practice, &keys, None).await.is_ok());
        assert_eq!(
            verify(store, &practice, &keys, Some(&noted)).await,
            Err(VerifyError::Older {
                practice,
                sequence: 5
            })
        );
    }
}
