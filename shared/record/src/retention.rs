//! How long a scan is kept: calendar months from the time of capture.

use jiff::civil::Date;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The longest retention that can be agreed: ten years.
pub const MAX_RETENTION_MONTHS: u16 = 120;

/// Why no end of retention could be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// `captured_at` is not RFC 3339 with an offset.
    #[error("captured_at: expected an RFC 3339 time with an offset, got something else")]
    CapturedAt,
    /// Months out of range.
    #[error("retention: expected 1 to {MAX_RETENTION_MONTHS} months, got {months}")]
    Months {
        /// What was asked for.
        months: u16,
    },
    /// The end lies beyond the calendar.
    #[error("retention: {months} months after captured_at lie beyond the calendar")]
    OutOfRange {
        /// What was asked for.
        months: u16,
    },
}

/// The moment from which the scan must not be readable any more, in epoch seconds.
///
/// Months are counted on the calendar of the place of capture (the offset in
/// `captured_at`); a day that the last month lacks becomes its last day, so that nothing
/// is kept longer than agreed: 31 August + 6 months ends on 28 or 29 February.
///
/// # Errors
/// A `captured_at` without an offset or of another form, or months out of range.
pub fn expires_at_secs(captured_at: &str, months: u16) -> Result<i64, RetentionError> {
    if !(1..=MAX_RETENTION_MONTHS).contains(&months) {
        return Err(RetentionError::Months { months });
    }
    static PARSER: DateTimeParser = DateTimeParser::new();
    let pieces = PARSER
        .parse_pieces(captured_at)
        .map_err(|_| RetentionError::CapturedAt)?;
    let offset = pieces
        .to_numeric_offset()
        .ok_or(RetentionError::CapturedAt)?;
    let time = pieces.time().ok_or(RetentionError::CapturedAt)?;
    if pieces.time_zone_annotation().is_some() {
        return Err(RetentionError::CapturedAt);
    }
    let date: Date = pieces.date();
    let out_of_range = |_| RetentionError::OutOfRange { months };
    let end = date
        .to_datetime(time)
        .checked_add(i64::from(months).months())
        .map_err(out_of_range)?;
    let zoned = TimeZone::fixed(offset)
        .to_timestamp(end)
        .map_err(out_of_range)?;
    Ok(Timestamp::as_second(zoned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn calendar_months() {
        let table = [
            ("2026-05-14T09:31:00+02:00", 24, "2028-05-14T09:31:00+02:00"),
            ("2024-02-29T12:00:00+01:00", 24, "2026-02-28T12:00:00+01:00"),
            ("2024-02-29T12:00:00+01:00", 48, "2028-02-29T12:00:00+01:00"),
            ("2026-08-31T23:59:59Z", 6, "2027-02-28T23:59:59Z"),
            ("2027-08-31T23:59:59Z", 6, "2028-02-29T23:59:59Z"),
            ("2026-01-31T00:00:00+01:00", 1, "2026-02-28T00:00:00+01:00"),
            ("2026-03-31T00:00:00+01:00", 1, "2026-04-30T00:00:00+01:00"),
            ("2026-12-31T23:30:00-11:00", 2, "2027-02-28T23:30:00-11:00"),
            // Still February in Auckland, already gone by in UTC.
            ("2026-03-31T01:00:00+13:00", 11, "2027-02-28T01:00:00+13:00"),
            ("2026-05-14t07:31:00.25z", 12, "2027-05-14T07:31:00Z"),
        ];
        for (captured, months, end) in table {
            assert_eq!(
                expires_at_secs(captured, months),
                Ok(at(end)),
                "{captured} + {months}"
            );
        }
    }

    #[test]
    fn the_offset_of_capture_counts() {
        // The same instant: in Honolulu it is still the 30th, so the month end differs.
        let utc = expires_at_secs("2026-01-31T05:00:00Z", 1).unwrap();
        let honolulu = expires_at_secs("2026-01-30T19:00:00-10:00", 1).unwrap();
        assert_eq!(utc, at("2026-02-28T05:00:00Z"));
        assert_eq!(honolulu, at("2026-02-28T19:00:00-10:00"));
    }

    #[test]
    fn refusals() {
        for bad in [
            "",
            "2026-05-14",
            "2026-05-14T09:31:00",
            "2026-02-30T00:00:00Z",
            "gestern",
            "2026-05-14T09:31:00+02:00[Europe/Berlin]",
        ] {
            assert_eq!(
                expires_at_secs(bad, 24),
                Err(RetentionError::CapturedAt),
                "{bad}"
            );
        }
        assert_eq!(
            expires_at_secs("2026-05-14T09:31:00Z", 0),
            Err(RetentionError::Months { months: 0 })
        );
        assert!(expires_at_secs("2026-05-14T09:31:00Z", 121).is_err());
        assert!(expires_at_secs("9999-12-31T00:00:00Z", 24).is_err());
    }
}
