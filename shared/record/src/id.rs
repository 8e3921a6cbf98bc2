//! Identifiers, each with the pattern of the contract.

use std::fmt;
use std::str::FromStr;

use dermalia_link::ReportId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not an identifier. The text itself is not repeated: it may be anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not `[a-z0-9][a-z0-9-]{1,38}[a-z0-9]`.
    #[error(
        "practice_id: expected [a-z0-9][a-z0-9-]{{1,38}}[a-z0-9], got {chars} characters of another form"
    )]
    Practice {
        /// Length of what was given.
        chars: usize,
    },
    /// Not `[A-Za-z0-9][A-Za-z0-9_-]{7,63}`.
    #[error(
        "scan_id: expected [A-Za-z0-9][A-Za-z0-9_-]{{7,63}}, got {chars} characters of another form"
    )]
    Scan {
        /// Length of what was given.
        chars: usize,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

/// A practice: `[a-z0-9][a-z0-9-]{1,38}[a-z0-9]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PracticeId(String);

/// A scan within a practice: `[A-Za-z0-9][A-Za-z0-9_-]{7,63}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScanId(String);

impl FromStr for PracticeId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let fits = (3..=40).contains(&bytes.len())
            && bytes.first().is_some_and(inner)
            && bytes.last().is_some_and(inner)
            && bytes.iter().all(|b| inner(b) || *b == b'-');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::Practice {
                chars: text.chars().count(),
            })
        }
    }
}

impl FromStr for ScanId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = text.as_bytes();
        let fits = (8..=64).contains(&bytes.len())
            && bytes.first().is_some_and(u8::is_ascii_alphanumeric)
            && bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::Scan {
                chars: text.chars().count(),
            })
        }
    }
}

/// A fresh report id from the operating system's randomness.
///
/// # Errors
/// When the operating system has none to give.
pub fn random_report_id() -> Result<ReportId, IdError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| IdError::NoRandomness)?;
    Ok(ReportId::from_bytes(bytes))
}

/// The written form of an optional report id, for serde's `with`.
pub(crate) mod report_id_text {
    use super::{Deserialize, Deserializer, ReportId, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        id: &Option<ReportId>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => serializer.collect_str(id),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<ReportId>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|t| t.parse().map_err(serde::de::Error::custom))
            .transpose()
    }
}

/// The written form of a report id, for serde's `with`.
pub(crate) mod report_id_text_required {
    use super::{Deserialize, Deserializer, ReportId, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        id: &ReportId,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ReportId, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

macro_rules! text_form {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

macro_rules! plain_text {
    ($name:ident) => {
        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

plain_text!(PracticeId);
plain_text!(ScanId);
text_form!(PracticeId);
text_form!(ScanId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn practice_pattern() {
        for good in ["abc", "praxis-nord", "a1b", "0-0", &"a".repeat(40)] {
            assert_eq!(good.parse::<PracticeId>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "ab",
            "-ab",
            "ab-",
            "Abc",
            "a_b",
            "a b",
            "äbc",
            "a/b",
            "a.b",
            &"a".repeat(41),
        ] {
            assert!(bad.parse::<PracticeId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn scan_pattern() {
        for good in [
            "D9-20260514-000123",
            "abcdefgh",
            "A_______",
            &"a".repeat(64),
        ] {
            assert_eq!(good.parse::<ScanId>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "abcdefg",
            "-bcdefgh",
            "_bcdefgh",
            "abc/efgh",
            "abc.efgh",
            "abcdefg\n",
            &"a".repeat(65),
        ] {
            assert!(bad.parse::<ScanId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn report_ids_differ() {
        assert_ne!(random_report_id().unwrap(), random_report_id().unwrap());
    }
}
