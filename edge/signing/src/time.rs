//! Seconds since 1970 as AWS writes them.

const DAY_SECS: u64 = 86_400;

/// A second of a day in Coordinated Universal Time.
pub(crate) struct Moment {
    /// Since 1970.
    pub(crate) day: u64,
    second: u64,
}

impl Moment {
    pub(crate) fn of(now_secs: u64) -> Self {
        Self {
            day: now_secs / DAY_SECS,
            second: now_secs % DAY_SECS,
        }
    }

    /// As `20130524`.
    pub(crate) fn date(&self) -> String {
        // Days of the Gregorian calendar, counted from 1 March 0000, so that the leap day
        // is the last of its year; 400 years have 146,097 days.
        let days = self.day + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        // From March on: five months have 153 days.
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        format!("{:04}{month:02}{day:02}", era * 400 + year_of_era + next)
    }

    /// As `20130524T000000Z`.
    pub(crate) fn date_and_time(&self) -> String {
        let (hour, minute) = (self.second / 3_600, self.second / 60 % 60);
        format!(
            "{}T{hour:02}{minute:02}{:02}Z",
            self.date(),
            self.second % 60
        )
    }
}
