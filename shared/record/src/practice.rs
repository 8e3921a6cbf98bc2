//! What a practice has agreed, and how it proves who it is.

use std::fmt;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::PracticeId;
use crate::logo::Logo;
use crate::retention::MAX_RETENTION_MONTHS;
use crate::settings::Settings;

/// For how many days the raw bundle is kept after the report, unless agreed otherwise.
pub const DEFAULT_BUNDLE_DAYS: u16 = 7;
/// The longest life of a raw bundle that can be agreed.
pub const MAX_BUNDLE_DAYS: u16 = 3_660;
/// The longest life of a link that can be agreed.
pub const MAX_LINK_DAYS: u16 = 366;
/// The longest name, contact or sender, in characters.
const MAX_TEXT_CHARS: usize = 200;
/// What a credential's text begins with, so that scanners of leaked secrets know it.
const CREDENTIAL_PREFIX: &str = "dmp_";
const SECRET_BYTES: usize = 32;

/// Why a practice's terms are not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PracticeError {
    /// Retention out of range.
    #[error("retention_months: expected 1 to {MAX_RETENTION_MONTHS}, got {got}")]
    RetentionMonths {
        /// What was asked for.
        got: u16,
    },
    /// Life of the raw bundle out of range.
    #[error("bundle_days: expected 0 to {MAX_BUNDLE_DAYS}, got {got}")]
    BundleDays {
        /// What was asked for.
        got: u16,
    },
    /// Life of a link out of range.
    #[error("link_days: expected 1 to {MAX_LINK_DAYS}, got {got}")]
    LinkDays {
        /// What was asked for.
        got: u16,
    },
    /// A text that is empty, too long, or has control characters.
    #[error("{field}: expected 1 to {MAX_TEXT_CHARS} characters on one line, got {chars}")]
    Text {
        /// Which one.
        field: &'static str,
        /// Its length.
        chars: usize,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

/// A practice: one item, changed only by conditional writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Practice {
    /// Its identifier.
    pub id: PracticeId,
    /// Counts the changes; a conditional write names the one that it has seen. 0 is new.
    pub version: u64,
    /// Its name as report and e-mail show it; the identifier if there is none.
    pub name: Option<String>,
    /// Language of report and e-mail where the patient has named none (BCP 47).
    pub locale: String,
    /// Whom patients ask: shown on the report.
    pub contact: Option<String>,
    /// Its logo on the report.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Logo>,
    /// Sender of its e-mails, with name; the deployment's if there is none.
    pub sender: Option<String>,
    /// Where answers to its e-mails go.
    pub reply_to: Option<String>,
    /// How long a scan is kept, in calendar months from the time of capture.
    pub retention_months: u16,
    /// How long the raw bundle is kept after the report, in days; 0 deletes it with the
    /// report's making.
    pub bundle_days: u16,
    /// How long a link lives, in days; never beyond the retention.
    pub link_days: u16,
    /// Whether its links ask for a code of six digits.
    pub code_required: bool,
    /// By which its uploads are recognised.
    #[serde(default)]
    pub credentials: Credentials,
}

/// The hashes of the credentials that are live: the current one and, while it is being
/// rotated, the one before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Credentials {
    /// Given out last.
    pub current: Option<CredentialHash>,
    /// Still valid until it is retired or the next rotation.
    pub previous: Option<CredentialHash>,
}

/// SHA-256 of a credential, in lower-case hex. The credential has 256 bits of randomness,
/// so a fast hash is as good as a slow one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CredentialHash(String);

/// A credential's text. It is shown once, when it is issued; its `Debug` form never.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(String);

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(redacted)")
    }
}

impl Credential {
    /// A fresh one from the operating system's randomness.
    ///
    /// # Errors
    /// When the operating system has none to give.
    pub fn random() -> Result<Self, PracticeError> {
        let mut secret = [0; SECRET_BYTES];
        getrandom::fill(&mut secret).map_err(|_| PracticeError::NoRandomness)?;
        Ok(Self(format!(
            "{CREDENTIAL_PREFIX}{}",
            BASE64URL_NOPAD.encode(&secret)
        )))
    }

    /// The text, for the one who is given it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    #[must_use]
    pub fn hash(&self) -> CredentialHash {
        CredentialHash::of(&self.0)
    }
}

impl CredentialHash {
    fn of(text: &str) -> Self {
        Self(HEXLOWER.encode(&Sha256::digest(text.as_bytes())))
    }

    /// Compared without a hint in the time it takes.
    fn is_hash_of(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |d, (x, y)| d | (x ^ y)) == 0
    }
}

impl Credentials {
    /// Whether this text is one of the live credentials.
    #[must_use]
    pub fn accept(&self, text: &str) -> bool {
        let given = CredentialHash::of(text);
        let live = |hash: &Option<CredentialHash>| {
            hash.as_ref().is_some_and(|hash| hash.is_hash_of(&given))
        };
        // Both are looked at, whichever it is.
        live(&self.current) | live(&self.previous)
    }

    /// Makes a new credential the current one; the current one stays valid as the previous.
    pub fn rotate(&mut self, new: &Credential) {
        self.previous = self.current.replace(new.hash());
    }

    /// Ends the previous credential.
    pub fn retire_previous(&mut self) {
        self.previous = None;
    }
}

impl Practice {
    /// A practice with the usual terms and no credential.
    #[must_use]
    pub fn new(id: PracticeId) -> Self {
        let usual = Settings::default();
        Self {
            id,
            version: 0,
            name: None,
            locale: usual.locale,
            contact: None,
            logo: None,
            sender: None,
            reply_to: None,
            retention_months: usual.retention_months,
            bundle_days: usual.bundle_days,
            link_days: usual.link_days,
            code_required: false,
            credentials: Credentials::default(),
        }
    }

    /// Checks what an operator has entered.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), PracticeError> {
        if !(1..=MAX_RETENTION_MONTHS).contains(&self.retention_months) {
            return Err(PracticeError::RetentionMonths {
                got: self.retention_months,
            });
        }
        if self.bundle_days > MAX_BUNDLE_DAYS {
            return Err(PracticeError::BundleDays {
                got: self.bundle_days,
            });
        }
        if !(1..=MAX_LINK_DAYS).contains(&self.link_days) {
            return Err(PracticeError::LinkDays {
                got: self.link_days,
            });
        }
        let texts = [
            ("name", self.name.as_deref()),
            ("locale", Some(self.locale.as_str())),
            ("contact", self.contact.as_deref()),
            ("sender", self.sender.as_deref()),
            ("reply_to", self.reply_to.as_deref()),
        ];
        for (field, text) in texts {
            let Some(text) = text else { continue };
            let chars = text.chars().count();
            if !(1..=MAX_TEXT_CHARS).contains(&chars) || text.chars().any(char::is_control) {
                return Err(PracticeError::Text { field, chars });
            }
        }
        Ok(())
    }
}

impl Settings {
    /// These settings as a practice has agreed them; unchanged for a practice that has
    /// agreed nothing.
    #[must_use]
    pub fn of_practice(&self, practice: Option<&Practice>) -> Self {
        let Some(practice) = practice else {
            return self.clone();
        };
        Self {
            practice_name: practice.name.clone(),
            contact: practice.contact.clone(),
            logo: practice.logo.clone(),
            retention_months: practice.retention_months,
            bundle_days: practice.bundle_days,
            link_days: practice.link_days,
            code_required: practice.code_required,
            locale: practice.locale.clone(),
            sender: practice
                .sender
                .clone()
                .unwrap_or_else(|| self.sender.clone()),
            reply_to: practice.reply_to.clone().or_else(|| self.reply_to.clone()),
            base_url: self.base_url.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn practice() -> Practice {
        Practice::new("praxis-nord".parse().unwrap())
    }

    #[test]
    fn two_generations_are_live() {
        let [first, second, third] = [0; 3].map(|_| Credential::random().unwrap());
        let mut credentials = Credentials::default();
        assert!(!credentials.accept(first.reveal()) && !credentials.accept(""));
        credentials.rotate(&first);
        credentials.rotate(&second);
        assert!(credentials.accept(first.reveal()) && credentials.accept(second.reveal()));
        credentials.rotate(&third);
        assert!(!credentials.accept(first.reveal()) && credentials.accept(second.reveal()));
        credentials.retire_previous();
        assert!(!credentials.accept(second.reveal()) && credentials.accept(third.reveal()));
        // What is stored opens nothing, and nothing shows the secret.
        let mut practice = practice();
        practice.credentials = credentials;
        let stored = serde_json::to_string(&practice).unwrap();
        let hash = &practice.credentials.current.as_ref().unwrap().0;
        assert!(!practice.credentials.accept(hash));
        for shown in [stored, format!("{practice:?} {third:?}")] {
            assert!(!shown.contains(&third.reveal()[4..]), "{shown}");
        }
    }

    #[test]
    fn terms_are_checked() {
        assert_eq!(practice().check(), Ok(()));
        let cases: [fn(&mut Practice); 7] = [
            |p| p.retention_months = 0,
            |p| p.retention_months = 121,
            |p| p.bundle_days = MAX_BUNDLE_DAYS + 1,
            |p| p.link_days = 0,
            |p| p.name = Some(String::new()),
            |p| p.sender = Some("a\r\nBcc: b".to_owned()),
            |p| p.reply_to = Some("x".repeat(201)),
        ];
        for (i, change) in cases.iter().enumerate() {
            let mut changed = practice();
            change(&mut changed);
            assert!(changed.check().is_err(), "case {i}");
        }
    }

    #[test]
    fn agreed_terms_go_before_the_usual_ones() {
        let usual = Settings {
            base_url: "https://r.example".to_owned(),
            ..Settings::default()
        };
        assert_eq!(usual.of_practice(None), usual);
        let mut agreed = practice();
        agreed.retention_months = 6;
        agreed.name = Some("Praxis Nord".to_owned());
        let terms = usual.of_practice(Some(&agreed));
        assert_eq!((terms.retention_months, terms.link_days), (6, 14));
        assert_eq!(terms.practice_name.as_deref(), Some("Praxis Nord"));
        assert_eq!(terms.base_url, usual.base_url);
        assert_eq!(terms.sender, usual.sender);
    }

    #[test]
    fn json_round_trip_is_strict() {
        let text = serde_json::to_string(&practice()).unwrap();
        assert_eq!(serde_json::from_str::<Practice>(&text).unwrap(), practice());
        let more = text.replacen('{', "{\"x\":1,", 1);
        assert!(serde_json::from_str::<Practice>(&more).is_err());
    }
}
