//! The embedded database: one connection, one writer, off the asynchronous threads.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use dermalia_record::port::PortError;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS records (
    practice TEXT NOT NULL,
    scan TEXT NOT NULL,
    version INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    report_id TEXT,
    body TEXT NOT NULL,
    PRIMARY KEY (practice, scan)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS records_by_expiry ON records (expires_at);
CREATE UNIQUE INDEX IF NOT EXISTS records_by_report ON records (report_id);
CREATE INDEX IF NOT EXISTS records_leased ON records (practice)
    WHERE json_extract(body, '$.lease') IS NOT NULL;
CREATE TABLE IF NOT EXISTS removals (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    cause TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    body TEXT NOT NULL,
    visible_at_ms INTEGER NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0,
    crashes INTEGER NOT NULL DEFAULT 0,
    receipt TEXT,
    reason TEXT
);
CREATE INDEX IF NOT EXISTS messages_by_time ON messages (queue, visible_at_ms, id);
CREATE UNIQUE INDEX IF NOT EXISTS messages_by_receipt ON messages (receipt);
CREATE TABLE IF NOT EXISTS dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    body TEXT NOT NULL,
    receives INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS practices (
    id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accesses (
    report_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (report_id, kind, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS accesses_by_expiry ON accesses (expires_at);
CREATE TABLE IF NOT EXISTS audit (
    practice TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    operation TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (practice, sequence)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS audit_by_operation ON audit (practice, operation);
CREATE TABLE IF NOT EXISTS audit_heads (
    practice TEXT PRIMARY KEY,
    body TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS data_keys (
    practice TEXT NOT NULL,
    scan TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    PRIMARY KEY (practice, scan)
) WITHOUT ROWID;
";

/// Raised with every change of [`SCHEMA`] that an older database cannot carry.
const SCHEMA_VERSION: i64 = 2;

/// A handle on the database; clones share it.
#[derive(Clone)]
pub struct Database {
    connection: Arc<Mutex<Connection>>,
    /// It waits for no disk, so no other thread is needed for it.
    is_in_memory: bool,
}

/// What can go wrong inside a transaction.
pub(crate) enum Failure {
    Sql(rusqlite::Error),
    Damaged(String),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Failure {
    pub(crate) fn into_port(self, port: &'static str, operation: &'static str) -> PortError {
        match self {
            Self::Sql(rusqlite::Error::SqliteFailure(error, detail)) => {
                let text = detail.unwrap_or_else(|| error.to_string());
                match error.code {
                    ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::ConstraintViolation
                    | ErrorCode::TypeMismatch => PortError::permanent(port, operation, text),
                    _ => PortError::retry(port, operation, text),
                }
            }
            Self::Sql(other) => PortError::permanent(port, operation, other),
            Self::Damaged(text) => PortError::permanent(port, operation, text),
        }
    }
}

impl Database {
    /// Opens or creates the database in this file.
    ///
    /// # Errors
    /// When it cannot be opened or is of another version.
    pub fn open(path: &Path) -> Result<Self, PortError> {
        // Created here for its mode; the log beside it takes the same.
        match crate::files::create_private_file(path, b"") {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                Err(PortError::retry("database", "open", error.kind()))
            }
            _ => Self::prepare(Connection::open(path), false),
        }
    }

    /// A database that is gone with its last handle.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn in_memory() -> Result<Self, PortError> {
        Self::prepare(Connection::open_in_memory(), true)
    }

    fn prepare(
        connection: rusqlite::Result<Connection>,
        is_in_memory: bool,
    ) -> Result<Self, PortError> {
        let prepare = |mut connection: Connection| -> Result<Connection, Failure> {
            connection.busy_timeout(std::time::Duration::from_secs(10))?;
            // Set once, it stays in the file; setting it again would wait for every writer.
            let journal: String =
                connection.pragma_query_value(None, "journal_mode", |r| r.get(0))?;
            if !journal.eq_ignore_ascii_case("wal") {
                connection.pragma_update(None, "journal_mode", "WAL")?;
            }
            // FULL: a commit is on the disk before it is confirmed.
            connection.pragma_update(None, "synchronous", "FULL")?;
            // What is deleted is overwritten: records hold names and addresses.
            connection.pragma_update(None, "secure_delete", "ON")?;
            let version = |connection: &Connection| -> rusqlite::Result<i64> {
                connection.pragma_query_value(None, "user_version", |r| r.get(0))
            };
            if version(&connection)? == 0 {
                let transaction =
                    connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                transaction.execute_batch(SCHEMA)?;
                transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
                transaction.commit()?;
            }
            let found = version(&connection)?;
            if found != SCHEMA_VERSION {
                return Err(Failure::Damaged(format!(
                    "expected schema version {SCHEMA_VERSION}, got {found}"
                )));
            }
            Ok(connection)
        };
        let connection = connection
            .map_err(Failure::Sql)
            .and_then(prepare)
            .map_err(|e| e.into_port("database", "open"))?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            is_in_memory,
        })
    }

    /// Runs one transaction, on a thread for blocking work if there is a disk to wait for.
    pub(crate) async fn transact<T, F>(
        &self,
        port: &'static str,
        operation: &'static str,
        work: F,
    ) -> Result<T, PortError>
    where
        T: Send + 'static,
        F: FnOnce(&Transaction<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let connection = Arc::clone(&self.connection);
        let run = move || -> Result<T, Failure> {
            // A panic in another transaction has rolled that one back; the connection is sound.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        if self.is_in_memory {
            return run().map_err(|e| e.into_port(port, operation));
        }
        match tokio::task::spawn_blocking(run).await {
            Ok(result) => result.map_err(|e| e.into_port(port, operation)),
            Err(error) => Err(PortError::retry(port, operation, error)),
        }
    }

    /// Moves what the write-ahead log holds into the database and empties the log, so that
    /// deleted records leave no copy in it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub async fn checkpoint(&self) -> Result<(), PortError> {
        let connection = Arc::clone(&self.connection);
        let run = move || {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
        };
        match tokio::task::spawn_blocking(run).await {
            Ok(result) => result.map_err(|e| Failure::Sql(e).into_port("database", "checkpoint")),
            Err(error) => Err(PortError::retry("database", "checkpoint", error)),
        }
    }
}
