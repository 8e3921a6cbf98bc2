//! Counting what must not be asked too often: the one thing that is counted,
//! and never by reading.
//!
//! The host keeps one [`Tally`] under each name and lets [`Tally::take`] run
//! alone on it: a Durable Object at the edge, a lock in the embedded cloud.

use serde::{Deserialize, Serialize};

use crate::claims::Claims;

const DAY_SECS: u64 = 86_400;
/// How long a tally outlives the last instant at which it can matter.
const MARGIN_SECS: u64 = 3_600;

/// How often something may be asked for, and under which name it is counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The name of the tally: what is asked for, and of which report. The name
    /// holds no part of a link's signature.
    pub name: String,
    /// How many times.
    pub limit: u8,
    /// Within how many seconds; without, as long as the tally is kept.
    pub window_secs: Option<u64>,
    /// When the tally is to be forgotten, in seconds since 1970.
    pub forget_at_secs: u64,
}

/// What became of taking one from an allowance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Counted {
    /// It was granted; so many are left.
    Granted {
        /// How many.
        left: u8,
    },
    /// None was left.
    Refused {
        /// The next one in so many seconds; without, never.
        retry_after_secs: Option<u64>,
    },
}

/// The times at which one allowance was taken from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    taken_at_secs: Vec<u64>,
}

impl Tally {
    /// Takes one at `now_secs`, if there is one left.
    pub fn take(&mut self, allowance: &Allowance, now_secs: u64) -> Counted {
        if let Some(window) = allowance.window_secs {
            self.taken_at_secs
                .retain(|&at| now_secs < at.saturating_add(window));
        }
        let limit = usize::from(allowance.limit);
        if self.taken_at_secs.len() >= limit {
            let retry_after_secs = allowance.window_secs.map(|window| {
                let first = self.taken_at_secs.iter().min().copied().unwrap_or(now_secs);
                first
                    .saturating_add(window)
                    .saturating_sub(now_secs)
                    .clamp(1, window)
            });
            return Counted::Refused { retry_after_secs };
        }
        self.taken_at_secs.push(now_secs);
        let left = limit - self.taken_at_secs.len();
        Counted::Granted {
            left: u8::try_from(left).unwrap_or(u8::MAX),
        }
    }

    /// Gives back the one that was taken last.
    pub fn give_back(&mut self) {
        self.taken_at_secs.pop();
    }
}

impl Allowance {
    /// Wrong codes: five over the life of one link. A renewed link has five of
    /// its own; it went to the address on file.
    pub(crate) fn codes(claims: &Claims) -> Self {
        Self {
            name: format!(
                "unlock/{}/{}/{}",
                claims.report_id, claims.epoch, claims.expires_at_secs
            ),
            limit: 5,
            window_secs: None,
            forget_at_secs: claims.expires_at_secs.saturating_add(MARGIN_SECS),
        }
    }

    /// Requests that lead to an e-mail: three a day for one report.
    pub(crate) fn requests(kind: &str, claims: &Claims, now_secs: u64) -> Self {
        Self {
            name: format!("{kind}/{}", claims.report_id),
            limit: 3,
            window_secs: Some(DAY_SECS),
            forget_at_secs: now_secs.saturating_add(DAY_SECS + MARGIN_SECS),
        }
    }
}
