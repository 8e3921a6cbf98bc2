//! What a link says.

use core::fmt;
use core::str::FromStr;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The random name of a report: 128 bits, unrelated to the scan's identifier.
///
/// Its text form is 32 lower-case hexadecimal digits, and that form alone is
/// accepted: one report has one object prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReportId([u8; 16]);

/// A text that is not a report id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a report id is 32 lower-case hexadecimal digits")]
pub struct InvalidReportId;

impl ReportId {
    /// A report id of 16 random bytes; the caller brings the randomness.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// The prefix of all objects that a link to this report can reach.
    #[must_use]
    pub fn object_prefix(self) -> String {
        format!("reports/{self}/")
    }
}

impl fmt::Display for ReportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl FromStr for ReportId {
    type Err = InvalidReportId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = HEXLOWER
            .decode(text.as_bytes())
            .map_err(|_| InvalidReportId)?;
        bytes.try_into().map(Self).map_err(|_| InvalidReportId)
    }
}

impl TryFrom<String> for ReportId {
    type Error = InvalidReportId;

    fn try_from(text: String) -> Result<Self, InvalidReportId> {
        text.parse()
    }
}

impl From<ReportId> for String {
    fn from(id: ReportId) -> Self {
        id.to_string()
    }
}

/// Restrictions of a link beyond its expiry: eight bits, one in use.
///
/// A set bit that the verifier does not know refuses the link: an older edge
/// must not serve what a newer cloud has restricted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// No restriction.
    pub const NONE: Self = Self(0);
    /// The link opens no report: its one use is to confirm an erasure that
    /// was asked for. It goes by e-mail to the address on file.
    pub const CONFIRM_ERASURE: Self = Self(1);
    /// The bits that this version understands.
    const KNOWN: u8 = Self::CONFIRM_ERASURE.0;

    pub(crate) const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn is_understood(self) -> bool {
        self.0 & !Self::KNOWN == 0
    }
}

/// What a link grants: one report, until an instant, within one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The report.
    pub report_id: ReportId,
    /// The first second, counted from 1970-01-01T00:00:00Z, at which the link
    /// no longer opens. 40 bits are signed; a later time is cut to that.
    pub expires_at_secs: u64,
    /// The generation of the report's links; raising it on the report's
    /// objects revokes every link issued before.
    pub epoch: u32,
    /// Further restrictions.
    pub flags: Flags,
}

impl Claims {
    /// Whether these claims open `report_id` while its links are of the
    /// generation `current_epoch`.
    ///
    /// A newer epoch than the report's is refused too: it was never issued.
    #[must_use]
    pub fn authorises(&self, report_id: ReportId, current_epoch: u32) -> bool {
        self.report_id == report_id && self.epoch == current_epoch && self.flags == Flags::NONE
    }
}
