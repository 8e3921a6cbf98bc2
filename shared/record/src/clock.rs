//! Time, injected.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the time comes from.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z; never smaller than an answer before.
    fn now_ms(&self) -> i64;

    /// Whole seconds since 1970-01-01T00:00:00Z.
    fn now_secs(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }
}

/// The machine's clock, held still while it is set back.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest_ms: AtomicI64,
}

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        self.latest_ms.fetch_max(now, Ordering::SeqCst).max(now)
    }
}

/// A clock that a test moves forward.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at this time.
    #[must_use]
    pub fn at_ms(now_ms: i64) -> Self {
        Self(Arc::new(AtomicI64::new(now_ms)))
    }

    /// Moves the time forward.
    pub fn advance_ms(&self, by_ms: u64) {
        self.0.fetch_add(
            i64::try_from(by_ms).unwrap_or(i64::MAX / 4),
            Ordering::SeqCst,
        );
    }

    /// Moves the time forward to this moment, if it lies ahead.
    pub fn advance_to_secs(&self, to_secs: i64) {
        self.0
            .fetch_max(to_secs.saturating_mul(1000), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_time_only_goes_forward() {
        let clock = ManualClock::at_ms(5_500);
        clock.advance_to_secs(4);
        assert_eq!((clock.now_ms(), clock.now_secs()), (5_500, 5));
        clock.advance_ms(500);
        assert_eq!(clock.now_secs(), 6);
        let system = SystemClock::default();
        assert!(system.now_ms() <= system.now_ms());
    }
}
