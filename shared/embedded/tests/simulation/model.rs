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
    /// Months that are agreed, as the last full sweep saw them, and those agreed now.
    pub(crate) months: [u16; 2],
    /// The files of an upload that may still be lying in `incoming/`.
    pub(crate) uploaded_at_secs: i64,
}

impl Expected {
    fn ends(&self) -> [i64; 2] {
        self.months
            .map(|months| expires_at_secs(&self.captured_at, months).unwrap())
    }

    /// Whether its time is up by every count.
    pub(crate) fn is_over(&self, now_secs: i64) -> bool {
        self.ends().iter().all(|end| now_secs >= *end)
    }

    /// Whether its time is not up by any.
    pub(crate) fn is_kept(&self, now_secs: i64) -> bool {
        !self.is_erased && self.ends().iter().all(|end| now_secs < *end)
    }
}
