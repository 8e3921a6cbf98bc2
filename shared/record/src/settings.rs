//! What a practice has agreed.

use serde::{Deserialize, Serialize};

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
    /// Sender of the e-mail.
    pub sender: String,
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
