//! One attempt at a message, and what becomes of it.

use crate::port::{Delivery, Kind, PortError};

/// The longest wait between two attempts.
const LONGEST_BACK_OFF_MS: u64 = 15 * 60 * 1000;
/// The wait after the first attempt; it doubles with each further one.
const FIRST_BACK_OFF_MS: u64 = 1_000;

/// Which attempt at a message this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// From 1.
    pub number: u32,
    /// Whether no further one follows.
    pub is_last: bool,
}

impl From<&Delivery> for Attempt {
    fn from(delivery: &Delivery) -> Self {
        Self {
            number: delivery.receive_count,
            is_last: delivery.is_last(),
        }
    }
}

impl Attempt {
    /// How long to wait before the next one.
    #[must_use]
    pub const fn back_off_ms(&self) -> u64 {
        let doublings = if self.number > 20 {
            20
        } else {
            self.number.saturating_sub(1)
        };
        let wait = FIRST_BACK_OFF_MS << doublings;
        if wait < LONGEST_BACK_OFF_MS {
            wait
        } else {
            LONGEST_BACK_OFF_MS
        }
    }
}

/// Why a message was not dealt with. The reason carries no personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// It can go well later.
    #[error("{reason}")]
    Again {
        /// What was in the way.
        reason: String,
        /// When to try again, where that is known.
        after_ms: Option<u64>,
    },
    /// It never will.
    #[error("{reason}")]
    GiveUp {
        /// What is wrong.
        reason: String,
    },
}

impl HandleError {
    /// To be tried again after the usual wait.
    pub fn again(reason: impl Into<String>) -> Self {
        Self::Again {
            reason: reason.into(),
            after_ms: None,
        }
    }

    /// Not to be tried again.
    pub fn give_up(reason: impl Into<String>) -> Self {
        Self::GiveUp {
            reason: reason.into(),
        }
    }

    /// Whether this attempt was the last, so that the record has to say why.
    #[must_use]
    pub const fn is_final(&self, attempt: Attempt) -> bool {
        matches!(self, Self::GiveUp { .. }) || attempt.is_last
    }
}

impl From<PortError> for HandleError {
    fn from(error: PortError) -> Self {
        match error.kind {
            Kind::Retry => Self::again(error.to_string()),
            Kind::Permanent => Self::give_up(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let wait = |number| {
            Attempt {
                number,
                is_last: false,
            }
            .back_off_ms()
        };
        assert_eq!(
            [wait(0), wait(1), wait(2), wait(5)],
            [1_000, 1_000, 2_000, 16_000]
        );
        assert_eq!([wait(11), wait(u32::MAX)], [LONGEST_BACK_OFF_MS; 2]);
    }
}
