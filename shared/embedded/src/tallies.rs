//! The tallies of what may be asked for only so often, beside the records.

use std::sync::Arc;

use dermalia_link::{Allowance, Counted, Tally};
use dermalia_record::Clock;
use dermalia_record::port::PortError;
use rusqlite::{OptionalExtension as _, Transaction};

use crate::database::{Database, Failure};

const PORT: &str = "tallies";
const TABLE: &str = "
CREATE TABLE IF NOT EXISTS tallies (
    name TEXT PRIMARY KEY,
    forget_at INTEGER NOT NULL,
    body TEXT NOT NULL
) WITHOUT ROWID;
";

/// Tallies in the embedded database: what a Durable Object is at the edge.
#[derive(Clone)]
pub struct SqliteTallies {
    database: Database,
    clock: Arc<dyn Clock>,
}

impl SqliteTallies {
    /// The tallies of this database.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock }
    }

    /// Takes one from an allowance. Two that do so at once are granted one
    /// after the other.
    ///
    /// # Errors
    /// When the database refuses; nothing is granted then.
    pub async fn take(&self, allowance: Allowance) -> Result<Counted, PortError> {
        let now = self.now_secs();
        self.edit("take", allowance, move |tally, allowance| {
            tally.take(allowance, now)
        })
        .await
    }

    /// Gives back the one that was taken last.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn give_back(&self, allowance: Allowance) -> Result<(), PortError> {
        self.edit("give back", allowance, |tally, _| tally.give_back())
            .await
    }

    fn now_secs(&self) -> u64 {
        u64::try_from(self.clock.now_secs()).unwrap_or(0)
    }

    async fn edit<T: Send + 'static>(
        &self,
        operation: &'static str,
        allowance: Allowance,
        edit: impl FnOnce(&mut Tally, &Allowance) -> T + Send + 'static,
    ) -> Result<T, PortError> {
        let now = self.now_secs();
        let work = move |transaction: &Transaction<'_>| {
            transaction.execute_batch(TABLE)?;
            transaction.execute("DELETE FROM tallies WHERE forget_at <= ?1", [number(now)])?;
            let known: Option<String> = transaction
                .query_row(
                    "SELECT body FROM tallies WHERE name = ?1",
                    [&allowance.name],
                    |row| row.get(0),
                )
                .optional()?;
            let damaged = |e: serde_json::Error| Failure::Damaged(e.to_string());
            let mut tally = match known {
                Some(body) => serde_json::from_str(&body).map_err(damaged)?,
                None => Tally::default(),
            };
            let value = edit(&mut tally, &allowance);
            transaction.execute(
                "INSERT INTO tallies (name, forget_at, body) VALUES (?1, ?2, ?3)
                 ON CONFLICT (name) DO UPDATE SET forget_at = ?2, body = ?3",
                (
                    &allowance.name,
                    number(allowance.forget_at_secs),
                    serde_json::to_string(&tally).map_err(damaged)?,
                ),
            )?;
            Ok(value)
        };
        self.database.transact(PORT, operation, work).await
    }
}

fn number(secs: u64) -> i64 {
    i64::try_from(secs).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use dermalia_record::ManualClock;

    fn allowance(window_secs: Option<u64>) -> Allowance {
        Allowance {
            name: "unlock/1".to_owned(),
            limit: 2,
            window_secs,
            forget_at_secs: 5_000,
        }
    }

    #[tokio::test]
    async fn grants_as_many_as_allowed_across_restarts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.sqlite");
        let clock = Arc::new(ManualClock::at_ms(1_000_000));
        let open = || SqliteTallies::new(Database::open(&path).unwrap(), clock.clone());
        let granted = |left| Ok(Counted::Granted { left });
        assert_eq!(open().take(allowance(None)).await, granted(1));
        assert_eq!(open().take(allowance(None)).await, granted(0));
        open().give_back(allowance(None)).await.unwrap();
        assert_eq!(open().take(allowance(None)).await, granted(0));
        let refused = Ok(Counted::Refused {
            retry_after_secs: None,
        });
        assert_eq!(open().take(allowance(None)).await, refused);
        clock.advance_ms(3_999_000);
        assert_eq!(open().take(allowance(None)).await, refused);
        clock.advance_ms(1_000);
        assert_eq!(open().take(allowance(None)).await, granted(1));
    }

    #[tokio::test]
    async fn many_at_once_are_granted_no_more() {
        let database = Database::in_memory().unwrap();
        let tallies = SqliteTallies::new(database, Arc::new(ManualClock::at_ms(1_000_000)));
        let asked = (0..20).map(|_| {
            let tallies = tallies.clone();
            tokio::spawn(async move { tallies.take(allowance(Some(60))).await.unwrap() })
        });
        let mut granted = 0;
        for task in asked.collect::<Vec<_>>() {
            granted += usize::from(matches!(task.await.unwrap(), Counted::Granted { .. }));
        }
        assert_eq!(granted, 2);
    }
}
