/// The e-mails.
pub struct MailTexts {
    pub report: ReportMail,
    pub confirm: ConfirmMail,
}

/// The e-mail with the link to a report. No health data, no name of a measure: not even
/// the word skin.
pub struct ReportMail {
    pub subject: &'static str,
    /// With the first name, where it is known.
    pub greeting: fn(name: Option<&str>) -> String,
    pub lead: fn(practice: &str) -> String,
    pub button: &'static str,
    /// Said between the button and the address in letters.
    pub otherwise: &'static str,
    /// For how many days the link works, until which date, and for whom it is.
    pub validity: fn(days: i64, until: &str) -> String,
    pub questions: &'static str,
    /// The same where a reply to the e-mail reaches the practice.
    pub questions_by_reply: &'static str,
}

/// The e-mail that asks to confirm an erasure.
pub struct ConfirmMail {
    pub subject: &'static str,
    pub lead: &'static str,
    pub button: &'static str,
    pub note: &'static str,
}
