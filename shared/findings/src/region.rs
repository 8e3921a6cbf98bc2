use std::fmt;

use serde::{Deserialize, Serialize};

/// A region of the face. Left and right are the patient's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Region {
    Forehead,
    Glabella,
    CrowsFeetLeft,
    CrowsFeetRight,
    UnderEyeLeft,
    UnderEyeRight,
    Nose,
    CheekLeft,
    CheekRight,
    NasolabialLeft,
    NasolabialRight,
    Perioral,
    Chin,
    /// The union of all others.
    Face,
}

impl Region {
    /// Every region in contract order; [`Region::Face`] is last.
    pub const ALL: [Self; 14] = [
        Self::Forehead,
        Self::Glabella,
        Self::CrowsFeetLeft,
        Self::CrowsFeetRight,
        Self::UnderEyeLeft,
        Self::UnderEyeRight,
        Self::Nose,
        Self::CheekLeft,
        Self::CheekRight,
        Self::NasolabialLeft,
        Self::NasolabialRight,
        Self::Perioral,
        Self::Chin,
        Self::Face,
    ];

    /// The name in the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Forehead => "forehead",
            Self::Glabella => "glabella",
            Self::CrowsFeetLeft => "crows_feet_left",
            Self::CrowsFeetRight => "crows_feet_right",
            Self::UnderEyeLeft => "under_eye_left",
            Self::UnderEyeRight => "under_eye_right",
            Self::Nose => "nose",
            Self::CheekLeft => "cheek_left",
            Self::CheekRight => "cheek_right",
            Self::NasolabialLeft => "nasolabial_left",
            Self::NasolabialRight => "nasolabial_right",
            Self::Perioral => "perioral",
            Self::Chin => "chin",
            Self::Face => "face",
        }
    }

    /// The region of that name in the contract.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|r| r.as_str() == name)
    }

    /// Position in [`Region::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_positions_and_serialisation_agree() {
        for (i, region) in Region::ALL.into_iter().enumerate() {
            assert_eq!(region.index(), i);
            assert_eq!(Region::from_name(region.as_str()), Some(region));
            assert_eq!(serde_json::to_value(region).unwrap(), region.as_str());
        }
        assert_eq!(Region::from_name("ear"), None);
    }
}
