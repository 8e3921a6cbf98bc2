//! The record store in the embedded database.

use std::sync::Arc;

use async_trait::async_trait;
use dermalia_record::port::{Cause, PortError, RecordStore, Removal, Written};
use dermalia_record::{Clock, PracticeId, ReportId, ScanKey, ScanRecord};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::database::{Database, Failure};

const PORT: &str = "records";

/// Records in the embedded database.
#[derive(Clone)]
pub struct SqliteRecords {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl SqliteRecords {
    /// The records of this database.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }

    /// Ends every lease: for the start of a process that is the only one on its data, when
    /// whoever held a lease is dead.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn release_leases(&self) -> Result<u64, PortError> {
        self.database
            .transact(PORT, "release_leases", |t| {
                let mut released = 0;
                let query = "SELECT body FROM records
                             WHERE json_extract(body, '$.lease') IS NOT NULL";
                for body in bodies(t, query, [])? {
                    let mut record = read(&body)?;
                    if record.lease.take().is_some() {
                        record.version += 1;
                        write(t, &record)?;
                        released += 1;
                    }
                }
                Ok(released)
            })
            .await
    }

    /// Every record that is not expired, of all practices.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn all(&self) -> Result<Vec<ScanRecord>, PortError> {
        let now = self.clock.now_secs();
        self.database
            .transact(PORT, "all", move |t| {
                let query =
                    "SELECT body FROM records WHERE expires_at > ?1 ORDER BY practice, scan";
                bodies(t, query, [now])?.iter().map(|b| read(b)).collect()
            })
            .await
    }
}

fn bodies<P: rusqlite::Params>(
    t: &Transaction<'_>,
    query: &str,
    params: P,
) -> Result<Vec<String>, Failure> {
    let mut statement = t.prepare_cached(query)?;
    let rows = statement.query_map(params, |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(body: &str) -> Result<ScanRecord, Failure> {
    // The text of the error is not passed on: it may quote the record.
    serde_json::from_str(body)
        .map_err(|_| Failure::Damaged("a stored record is damaged".to_owned()))
}

fn text(record: &ScanRecord) -> Result<String, Failure> {
    serde_json::to_string(record).map_err(|e| Failure::Damaged(e.to_string()))
}

fn sql_version(record: &ScanRecord) -> i64 {
    i64::try_from(record.version).unwrap_or(i64::MAX)
}

fn write(t: &Transaction<'_>, record: &ScanRecord) -> Result<(), Failure> {
    t.prepare_cached(
        "INSERT INTO records (practice, scan, version, expires_at, report_id, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (practice, scan) DO UPDATE SET version = ?3, expires_at = ?4,
             report_id = ?5, body = ?6",
    )?
    .execute(params![
        record.key.practice.as_str(),
        record.key.scan.as_str(),
        sql_version(record),
        record.expires_at_secs,
        record.report_id.map(|id| id.to_string()),
        text(record)?,
    ])?;
    Ok(())
}

/// The stream of removals needs to know what belonged to the scan, not to whom.
fn stream_removal(
    t: &Transaction<'_>,
    mut record: ScanRecord,
    cause: Cause,
) -> Result<(), Failure> {
    record.first_name = None;
    record.email = None;
    t.prepare_cached("INSERT INTO removals (cause, body) VALUES (?1, ?2)")?
        .execute(params![cause.name(), text(&record)?])?;
    t.prepare_cached("DELETE FROM records WHERE practice = ?1 AND scan = ?2")?
        .execute(params![
            record.key.practice.as_str(),
            record.key.scan.as_str()
        ])?;
    Ok(())
}

#[async_trait]
impl RecordStore for SqliteRecords {
    async fn get(&self, key: &ScanKey) -> Result<Option<ScanRecord>, PortError> {
        let (key, now) = (key.clone(), self.clock.now_secs());
        self.database
            .transact(PORT, "get", move |t| {
                let query = "SELECT body FROM records
                             WHERE practice = ?1 AND scan = ?2 AND expires_at > ?3";
                let found = bodies(
                    t,
                    query,
                    params![key.practice.as_str(), key.scan.as_str(), now],
                )?;
                found.first().map(|b| read(b)).transpose()
            })
            .await
    }

    async fn by_report(&self, report: ReportId) -> Result<Option<ScanRecord>, PortError> {
        let now = self.clock.now_secs();
        self.database
            .transact(PORT, "by_report", move |t| {
                let query = "SELECT body FROM records WHERE report_id = ?1 AND expires_at > ?2";
                let found = bodies(t, query, params![report.to_string(), now])?;
                found.first().map(|b| read(b)).transpose()
            })
            .await
    }

    async fn insert(&self, mut record: ScanRecord) -> Result<Written, PortError> {
        self.database
            .transact(PORT, "insert", move |t| {
                let query = "SELECT 1 FROM records WHERE practice = ?1 AND scan = ?2";
                let key = params![record.key.practice.as_str(), record.key.scan.as_str()];
                if t.prepare_cached(query)?.exists(key)? {
                    return Ok(Written::Conflict);
                }
                record.version = 1;
                write(t, &record)?;
                Ok(Written::Done(Box::new(record)))
            })
            .await
    }

    async fn update(&self, mut record: ScanRecord) -> Result<Written, PortError> {
        let now = self.clock.now_secs();
        self.database
            .transact(PORT, "update", move |t| {
                let query = "SELECT 1 FROM records WHERE practice = ?1 AND scan = ?2
                             AND version = ?3 AND expires_at > ?4";
                let seen = sql_version(&record);
                let key = params![
                    record.key.practice.as_str(),
                    record.key.scan.as_str(),
                    seen,
                    now
                ];
                if !t.prepare_cached(query)?.exists(key)? {
                    return Ok(Written::Conflict);
                }
                record.version += 1;
                write(t, &record)?;
                Ok(Written::Done(Box::new(record)))
            })
            .await
    }

    async fn list(
        &self,
        practice: &PracticeId,
        after: Option<&ScanKey>,
        max: usize,
    ) -> Result<Vec<ScanRecord>, PortError> {
        let practice = practice.clone();
        let after = after
            .map(|key| key.scan.as_str().to_owned())
            .unwrap_or_default();
        let (now, max) = (
            self.clock.now_secs(),
            i64::try_from(max).unwrap_or(i64::MAX),
        );
        self.database
            .transact(PORT, "list", move |t| {
                let query = "SELECT body FROM records
                             WHERE practice = ?1 AND scan > ?2 AND expires_at > ?3
                             ORDER BY scan LIMIT ?4";
                let found = bodies(t, query, params![practice.as_str(), after, now, max])?;
                found.iter().map(|b| read(b)).collect()
            })
            .await
    }

    async fn remove(&self, record: &ScanRecord, cause: Cause) -> Result<bool, PortError> {
        let (key, seen) = (record.key.clone(), sql_version(record));
        self.database
            .transact(PORT, "remove", move |t| {
                let query = "SELECT body FROM records
                             WHERE practice = ?1 AND scan = ?2 AND version = ?3";
                let found: Option<String> = t
                    .prepare_cached(query)?
                    .query_row(
                        params![key.practice.as_str(), key.scan.as_str(), seen],
                        |r| r.get(0),
                    )
                    .optional()?;
                let Some(body) = found else { return Ok(false) };
                stream_removal(t, read(&body)?, cause)?;
                Ok(true)
            })
            .await
    }

    async fn expire_due(&self, max: usize) -> Result<u64, PortError> {
        let (now, max) = (
            self.clock.now_secs(),
            i64::try_from(max).unwrap_or(i64::MAX),
        );
        self.database
            .transact(PORT, "expire_due", move |t| {
                let query = "SELECT body FROM records WHERE expires_at <= ?1
                             ORDER BY expires_at, practice, scan LIMIT ?2";
                let due = bodies(t, query, [now, max])?;
                for body in &due {
                    stream_removal(t, read(body)?, Cause::Expired)?;
                }
                Ok(u64::try_from(due.len()).unwrap_or(u64::MAX))
            })
            .await
    }

    async fn removals(&self, max: usize) -> Result<Vec<Removal>, PortError> {
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.database
            .transact(PORT, "removals", move |t| {
                let query = "SELECT sequence, cause, body FROM removals ORDER BY sequence LIMIT ?1";
                let mut statement = t.prepare_cached(query)?;
                let rows = statement.query_map([max], |row| {
                    Ok((
                        row.get::<_, i64>(0)?,
                        row.get::<_, String>(1)?,
                        row.get::<_, String>(2)?,
                    ))
                })?;
                let mut removals = Vec::new();
                for row in rows {
                    let (sequence, cause, body) = row?;
                    removals.push(Removal {
                        sequence: u64::try_from(sequence).unwrap_or_default(),
                        record: read(&body)?,
                        cause: if cause == Cause::Erased.name() {
                            Cause::Erased
                        } else {
                            Cause::Expired
                        },
                    });
                }
                Ok(removals)
            })
            .await
    }

    async fn ack_removal(&self, sequence: u64) -> Result<(), PortError> {
        let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
        self.database
            .transact(PORT, "ack_removal", move |t| {
                t.prepare_cached("DELETE FROM removals WHERE sequence = ?1")?
                    .execute([sequence])?;
                Ok(())
            })
            .await
    }
}
