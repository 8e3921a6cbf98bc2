//! DynamoDB for tests: an emulator on a free port of the loopback, whose clock and whose
//! expiry the test moves by lines on standard input.
//!
//! - `at SECONDS` sets the clock; without it, it is the machine's.
//! - `sweep` removes what has expired, as DynamoDB does within days.
//!
//! Each line is answered by one; the first line written is the port. The program ends with
//! its input.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use dynoxide::Database;
use dynoxide::storage_backend::Clock;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;

/// The machine's clock until the test sets it.
#[derive(Default)]
struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn now_unix_secs(&self) -> u64 {
        match self.0.load(Ordering::SeqCst) {
            0 => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |d| d.as_secs()),
            set => set,
        }
    }

    fn now_unix_secs_f64(&self) -> f64 {
        self.now_unix_secs() as f64
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let clock = Arc::new(TestClock::default());
    let shared: Arc<dyn Clock> = Arc::<TestClock>::clone(&clock);
    let database = Database::memory_with_clock(shared)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("at", seconds) => {
                clock.0.store(seconds.parse()?, Ordering::SeqCst);
                println!("at {seconds}");
            }
            ("sweep", _) => println!("{}", database.sweep_ttl()?),
            _ => println!("expected `at SECONDS` or `sweep`"),
        }
    }
    Ok(())
}
