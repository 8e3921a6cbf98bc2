//! What became of a mail after the mail service took it.

use serde::{Deserialize, Serialize};

use crate::record::ScanRecord;

/// Why a mail did not end where it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailReturn {
    /// The recipient's server refused it for good, or the service holds it back because it
    /// did before.
    Bounced,
    /// The recipient called it unwanted.
    Complained,
}

/// A mail that came back, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReturnedMail {
    /// As in [`Mailing::send_number`](crate::Mailing::send_number).
    pub send_number: u32,
    /// Why.
    pub why: MailReturn,
}

impl ScanRecord {
    /// Why the current mail came back, if it did. One of an earlier number, to an address
    /// that was corrected since, says nothing about this one.
    #[must_use]
    pub fn mail_return(&self) -> Option<MailReturn> {
        self.returned_mail
            .filter(|r| r.send_number == self.mailing.send_number)
            .map(|r| r.why)
    }

    /// Where the mail about the report stands, in a word.
    #[must_use]
    pub fn mail_state(&self) -> &'static str {
        match (self.mail_return(), &self.email) {
            (Some(MailReturn::Bounced), _) => "bounced",
            (Some(MailReturn::Complained), _) => "complained",
            (None, _) if self.mailing.accepted => "sent",
            (None, Some(_)) => "waiting",
            (None, None) => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::ScanKey;

    #[test]
    fn only_the_current_mail_counts() {
        let key = ScanKey {
            practice: "praxis-nord".parse().unwrap(),
            scan: "SCAN-0001".parse().unwrap(),
        };
        let mut record = ScanRecord::received(key, 0, 1);
        assert_eq!(record.mail_state(), "none");
        record.mailing.accepted = true;
        assert_eq!(record.mail_state(), "sent");
        record.returned_mail = Some(ReturnedMail {
            send_number: 0,
            why: MailReturn::Bounced,
        });
        assert_eq!(record.mail_state(), "bounced");
        let stored = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<ScanRecord>(&stored).unwrap(), record);
        record.mailing.send_number = 1;
        assert_eq!((record.mail_return(), record.mail_state()), (None, "sent"));
    }
}
