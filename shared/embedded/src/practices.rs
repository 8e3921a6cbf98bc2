//! The store of practices in the embedded database.

use async_trait::async_trait;
use dermalia_record::port::{PortError, PracticeStore};
use dermalia_record::{Practice, PracticeId};
use rusqlite::{OptionalExtension, params};

use crate::database::{Database, Failure};

const PORT: &str = "practices";

/// Practices in the embedded database.
#[derive(Clone)]
pub struct SqlitePractices {
    database: Database,
}

impl SqlitePractices {
    /// The practices of this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

fn read(body: &str) -> Result<Practice, Failure> {
    serde_json::from_str(body)
        .map_err(|_| Failure::Damaged("a stored practice is damaged".to_owned()))
}

#[async_trait]
impl PracticeStore for SqlitePractices {
    async fn get(&self, id: &PracticeId) -> Result<Option<Practice>, PortError> {
        let id = id.clone();
        self.database
            .transact(PORT, "get", move |t| {
                let body: Option<String> = t
                    .prepare_cached("SELECT body FROM practices WHERE id = ?1")?
                    .query_row([id.as_str()], |r| r.get(0))
                    .optional()?;
                body.map(|b| read(&b)).transpose()
            })
            .await
    }

    async fn put(&self, mut practice: Practice) -> Result<Option<Practice>, PortError> {
        self.database
            .transact(PORT, "put", move |t| {
                let stored: Option<i64> = t
                    .prepare_cached("SELECT version FROM practices WHERE id = ?1")?
                    .query_row([practice.id.as_str()], |r| r.get(0))
                    .optional()?;
                let version = |v: u64| i64::try_from(v).unwrap_or(i64::MAX);
                if stored.unwrap_or(0) != version(practice.version) {
                    return Ok(None);
                }
                practice.version += 1;
                let body = serde_json::to_string(&practice)
                    .map_err(|e| Failure::Damaged(e.to_string()))?;
                t.prepare_cached(
                    "INSERT INTO practices (id, version, body) VALUES (?1, ?2, ?3)
                     ON CONFLICT (id) DO UPDATE SET version = ?2, body = ?3",
                )?
                .execute(params![
                    practice.id.as_str(),
                    version(practice.version),
                    body
                ])?;
                Ok(Some(practice))
            })
            .await
    }

    async fn list(
        &self,
        after: Option<&PracticeId>,
        max: usize,
    ) -> Result<Vec<Practice>, PortError> {
        let after = after.map(|id| id.as_str().to_owned()).unwrap_or_default();
        let max = i64::try_from(max).unwrap_or(i64::MAX);
        self.database
            .transact(PORT, "list", move |t| {
                let mut statement = t.prepare_cached(
                    "SELECT body FROM practices WHERE id > ?1 ORDER BY id LIMIT ?2",
                )?;
                let rows = statement.query_map(params![after, max], |r| r.get::<_, String>(0))?;
                let bodies: Vec<String> = rows.collect::<Result<_, _>>()?;
                bodies.iter().map(|b| read(b)).collect()
            })
            .await
    }
}
