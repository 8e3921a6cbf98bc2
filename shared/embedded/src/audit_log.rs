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
