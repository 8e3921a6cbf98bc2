//! The state machine of a scan.

use serde::{Deserialize, Serialize};

/// Where a scan stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum State {
    /// An upload is there, not yet measured.
    Received,
    /// The findings are there.
    Analysed,
    /// The report is there.
    Reported,
    /// The link is on its way to the patient, or kept for the practice.
    Delivered,
    /// The bundle breaks the contract; its files are deleted.
    Refused {
        /// Which rule, with field or file; no personal data.
        reason: String,
    },
    /// Our own fault, after all tries; a redrive continues.
    Failed {
        /// What was being done.
        stage: Stage,
        /// What went wrong.
        reason: String,
    },
    /// Kept, but neither processed nor served (Art. 18 GDPR).
    Restricted {
        /// The phase to continue from when the restriction is lifted.
        from: Phase,
    },
    /// To be removed with everything that belongs to it (Art. 17 GDPR).
    Erased,
}

/// The part of the pipeline that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// From upload to findings.
    Analyze,
    /// From findings to report, link and e-mail.
    Report,
}

/// The name of a state, without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Phase {
    Received,
    Analysed,
    Reported,
    Delivered,
    Refused,
    Failed,
    Restricted,
    Erased,
}

/// A change of state that the machine does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scan that is {} cannot become {}", from.name(), to.name())]
pub struct ForbiddenTransition {
    /// Where it stands.
    pub from: Phase,
    /// Where it was to go.
    pub to: Phase,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 8] = [
        Self::Received,
        Self::Analysed,
        Self::Reported,
        Self::Delivered,
        Self::Refused,
        Self::Failed,
        Self::Restricted,
        Self::Erased,
    ];

    /// As written in the record.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Analysed => "analysed",
            Self::Reported => "reported",
            Self::Delivered => "delivered",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Restricted => "restricted",
            Self::Erased => "erased",
        }
    }

    /// The phases that may follow this one.
    ///
    /// Back to `received` leads a new upload of the same scan, back to `analysed` a report
    /// that is to be rendered anew. Nothing follows `erased`.
    #[must_use]
    pub const fn followers(self) -> &'static [Self] {
        use Phase::{Analysed, Delivered, Erased, Failed, Received, Refused, Reported, Restricted};
        match self {
            Received => &[Analysed, Refused, Failed, Restricted, Erased],
            Analysed => &[Received, Reported, Failed, Restricted, Erased],
            Reported => &[Received, Analysed, Delivered, Failed, Restricted, Erased],
            Delivered => &[Received, Analysed, Restricted, Erased],
            Refused => &[Received, Erased],
            Failed => &[Received, Analysed, Restricted, Erased],
            Restricted => &[Received, Analysed, Reported, Delivered, Failed, Erased],
            Erased => &[],
        }
    }

    /// Whether that phase may follow this one.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        self.followers().contains(&next)
    }
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self {
            Self::Received => Phase::Received,
            Self::Analysed => Phase::Analysed,
            Self::Reported => Phase::Reported,
            Self::Delivered => Phase::Delivered,
            Self::Refused { .. } => Phase::Refused,
            Self::Failed { .. } => Phase::Failed,
            Self::Restricted { .. } => Phase::Restricted,
            Self::Erased => Phase::Erased,
        }
    }

    /// Why it ended here, if it was refused or failed.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Refused { reason } | Self::Failed { reason, .. } => Some(reason),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table as one would draw it: rows from, columns to, in the order of `ALL`.
    const TABLE: [&str; 8] = [
        // R A P D f F x e
        ". A . . f F x e", // received
        "R . P . . F x e", // analysed
        "R A . D . F x e", // reported
        "R A . . . . x e", // delivered
        "R . . . . . . e", // refused
        "R A . . . . x e", // failed
        "R A P D . F . e", // restricted
        ". . . . . . . .", // erased
    ];

    #[test]
    fn every_pair_is_as_in_the_table() {
        for (from, row) in Phase::ALL.iter().zip(TABLE) {
            for (to, cell) in Phase::ALL.iter().zip(row.split(' ')) {
                assert_eq!(
                    from.may_become(*to),
                    cell != ".",
                    "{} -> {}",
                    from.name(),
                    to.name()
                );
            }
        }
    }

    #[test]
    fn the_written_form_is_stable() {
        let failed = State::Failed {
            stage: Stage::Report,
            reason: "disk full".to_owned(),
        };
        let text = serde_json::to_string(&failed).unwrap();
        assert_eq!(
            text,
            r#"{"phase":"failed","stage":"report","reason":"disk full"}"#
        );
        assert_eq!(serde_json::from_str::<State>(&text).unwrap(), failed);
        for phase in Phase::ALL {
            assert_eq!(serde_json::to_value(phase).unwrap(), phase.name());
        }
    }
}
