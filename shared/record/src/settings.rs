//! What a practice has agreed.

use serde::{Deserialize, Serialize};

use crate::logo::Logo;
use crate::practice::DEFAULT_BUNDLE_DAYS;

/// The terms under which a practice's scans are processed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The practice's name as the report shows it; its identifier if there is none.
    pub practice_name: Option<String>,
    /// How long a scan is kept, in calendar months from the time of capture.
    pub retention_months: u16,
    /// How long a link lives, in days; never beyond the retention.
    pub link_days: u16,
    /// Language of report and e-mail where the patient has named none.
    pub locale: String,
    /// Whom patients ask, as the report shows it.
    pub contact: Option<String>,
    /// The practice's logo.
    pub logo: Option<Logo>,
    /// How long the raw bundle is kept after the report, in days; 0 deletes it at once.
    pub bundle_days: u16,
    /// Whether links ask for a code of six digits.
    pub code_required: bool,
    /// Sender of the e-mail.
    pub sender: String,
    /// Where answers to the e-mail go.
    pub reply_to: Option<String>,
    /// What links begin with, without a slash at the end.
    pub base_url: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            practice_name: None,
            retention_months: 24,
            link_days: 14,
            locale: "de".to_owned(),
            contact: None,
            logo: None,
            bundle_days: DEFAULT_BUNDLE_DAYS,
            code_required: false,
            reply_to: None,
            sender: "Dermalia <report@dermalia.de>".to_owned(),
            base_url: "https://report.dermalia.de".to_owned(),
        }
    }
}

impl Settings {
    /// When a link that is issued now dies: after its life, or with the scan.
    #[must_use]
    pub fn link_end_secs(&self, now_secs: i64, scan_expires_at_secs: i64) -> i64 {
        now_secs
            .saturating_add(i64::from(self.link_days) * 86_400)
            .min(scan_expires_at_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_never_outlives_the_scan() {
        let settings = Settings::default();
        assert_eq!(settings.link_end_secs(100, i64::MAX), 100 + 14 * 86_400);
        assert_eq!(settings.link_end_secs(100, 500), 500);
    }
}
