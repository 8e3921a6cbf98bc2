//! What a scan must be like, told without looking at the stores.

use dermalia_record::{ScanKey, expires_at_secs};

/// xorshift64*: the same seed gives the same three years.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2) | 1)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % end.max(1)
    }

    pub(crate) fn index(&mut self, end: usize) -> usize {
        usize::try_from(self.below(end as u64)).unwrap()
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A scan as it should be.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    pub(crate) key: ScanKey,
    pub(crate) captured_at: String,
    /// The name that report and record must have.
    pub(crate) name: String,
    pub(crate) is_erased: bool,
    pub(crate) is_restricted: bool,
    pub(crate) has_objected: bool,
    /// Tokens sent before this many mails of the scan are dead.
    pub(crate) dead_mails: usize,
    /// The scan before, by its number.
    pub(crate) previous: Option<usize>,
    /// Those that name this one as the one before.
    pub(crate) later: Vec<usize>,
    /// When it ends, by the months that the last full sweep saw and by those agreed now.
    pub(crate) ends: [i64; 2],
    /// The files of an upload that may still be lying in `incoming/`.
    pub(crate) uploaded_at_secs: i64,
}

impl Expected {
    /// When it ends by so many months.
    pub(crate) fn end_after(captured_at: &str, months: u16) -> i64 {
        expires_at_secs(captured_at, months).unwrap()
    }

    /// From when on its time is up by every count.
    pub(crate) fn over_from(&self) -> i64 {
        self.ends[0].max(self.ends[1])
    }

    /// Whether its time is up by every count.
    pub(crate) fn is_over(&self, now_secs: i64) -> bool {
        now_secs >= self.over_from()
    }

    /// Whether its time is not up by any.
    pub(crate) fn is_kept(&self, now_secs: i64) -> bool {
        !self.is_erased && self.ends.iter().all(|end| now_secs < *end)
    }
}

/// What happens every so often, whatever the steps are.
pub(crate) struct Every {
    mean_ms: u64,
    due_ms: i64,
}

impl Every {
    pub(crate) fn days(days: u64) -> Self {
        Self {
            mean_ms: days * 86_400_000,
            due_ms: 0,
        }
    }

    /// Whether its time has come; the next one then comes after as long as it likes.
    pub(crate) fn is_due(&mut self, now_ms: i64, random: &mut Random) -> bool {
        let is_due = now_ms >= self.due_ms;
        if is_due {
            let wait = random.below(2 * self.mean_ms);
            self.due_ms = now_ms + i64::try_from(wait).unwrap();
        }
        is_due
    }
}
