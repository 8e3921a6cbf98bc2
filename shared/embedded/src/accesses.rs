//! Access records and usage events in the embedded database.

use std::sync::Arc;

use async_trait::async_trait;
use dermalia_record::port::{AccessEntry, AccessKind, AccessStore, PortError};
use dermalia_record::{Clock, ReportId};
use rusqlite::params;

use crate::database::{Database, Failure};

const PORT: &str = "accesses";

/// Access entries in the embedded database.
#[derive(Clone)]
pub struct SqliteAccesses {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl SqliteAccesses {
    /// The entries of this database.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }
}

const fn name(kind: AccessKind) -> &'static str {
    match kind {
        AccessKind::Access => "access",
        AccessKind::Usage => "usage",
    }
}

fn damaged<E>(_: E) -> Failure {
    Failure::Damaged("a stored access entry is damaged".to_owned())
}

#[async_trait]
impl AccessStore for SqliteAccesses {
    async fn put(&self, entry: AccessEntry) -> Result<(), PortError> {
        self.database
            .transact(PORT, "put", move |t| {
                let body = serde_json::to_string(&entry).map_err(damaged)?;
                t.prepare_cached(
                    "INSERT INTO accesses (report_id, kind, id, at, expires_at, body)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT (report_id, kind, id) DO NOTHING",
                )?
                .execute(params![
                    entry.report.to_string(),
                    name(entry.kind),
                    entry.id,
                    entry.at_secs,
                    entry.expires_at_secs,
                    body
                ])?;
                Ok(())
            })
            .await
    }

    async fn list(&self, report: ReportId, max: usize) -> Result<Vec<AccessEntry>, PortError> {
        let now = self.clock.now_secs();
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.database
            .transact(PORT, "list", move |t| {
                let mut statement = t.prepare_cached(
                    "SELECT body FROM accesses WHERE report_id = ?1 AND expires_at > ?2
                     ORDER BY at, id LIMIT ?3",
                )?;
                let rows = statement.query_map(params![report.to_string(), now, max], |r| {
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

    async fn remove(&self, report: ReportId, kind: Option<AccessKind>) -> Result<u64, PortError> {
        self.database
            .transact(PORT, "remove", move |t| {
                let removed = t
                    .prepare_cached(
                        "DELETE FROM accesses
                         WHERE report_id = ?1 AND (?2 IS NULL OR kind = ?2)",
                    )?
                    .execute(params![report.to_string(), kind.map(name)])?;
                Ok(u64::try_from(removed).unwrap_or(u64::MAX))
            })
            .await
    }

    async fn expire_due(&self, max: usize) -> Result<u64, PortError> {
        let now = self.clock.now_secs();
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.database
            .transact(PORT, "expire_due", move |t| {
                let removed = t
                    .prepare_cached(
                        "DELETE FROM accesses WHERE (report_id, kind, id) IN
                         (SELECT report_id, kind, id FROM accesses WHERE expires_at <= ?1
                          ORDER BY expires_at LIMIT ?2)",
                    )?
                    .execute(params![now, max])?;
                Ok(u64::try_from(removed).unwrap_or(u64::MAX))
            })
            .await
    }

    async fn reports(
        &self,
        after: Option<ReportId>,
        max: usize,
    ) -> Result<Vec<ReportId>, PortError> {
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.database
            .transact(PORT, "reports", move |t| {
                let mut statement = t.prepare_cached(
                    "SELECT DISTINCT report_id FROM accesses WHERE report_id > ?1
                     ORDER BY report_id LIMIT ?2",
                )?;
                let rows = statement.query_map(params![after, max], |r| r.get::<_, String>(0))?;
                let ids: Vec<String> = rows.collect::<Result<_, _>>()?;
                ids.iter().map(|id| id.parse().map_err(damaged)).collect()
            })
            .await
    }
}
