//! Every text that a patient reads, by language: the report and what is printed of it, the
//! e-mails, the pages around a report's link, the copies of what is stored.
//!
//! Each file in `src/languages` is a language. Its name is the language's tag, and it fills
//! one [`Messages`], in which nothing has a default: a text that is missing does not
//! compile. A further language is one more file there; the build script finds it, and
//! nothing else names it. Texts that carry numbers or names are functions, because languages
//! differ in more than word order.
//!
//! The crate is pure and builds for wasm32. What shows the pages alone ([`Locale::pages`])
//! is linked without the rest.

#[allow(missing_docs, reason = "a text's name says where it stands")]
mod copies;
#[allow(missing_docs, reason = "a text's name says where it stands")]
mod mail;
#[allow(missing_docs, reason = "a text's name says where it stands")]
mod messages;
#[allow(missing_docs, reason = "a text's name says where it stands")]
mod pages;
mod preference;
mod reason;

pub use copies::CopyTexts;
pub use mail::{ConfirmMail, MailTexts, ReportMail};
pub use messages::{
    Change, HydrationBand, MeasureText, Messages, ParameterText, ToneBand, ViewerText,
};
pub use pages::{CodeForm, Form, Legal, PageTexts, ProblemText};
pub use reason::ReasonKind;

use pages::assert_legal_texts;
use serde::{Deserialize, Serialize};

include!(concat!(env!("OUT_DIR"), "/languages.rs"));

impl Locale {
    /// This language, and after it the others of the product.
    #[must_use]
    pub fn and_others(self) -> Vec<Self> {
        let others = Self::ALL.iter().copied().filter(|l| *l != self);
        std::iter::once(self).chain(others).collect()
    }

    /// The language that serves a BCP 47 tag such as `de-AT`, if there is one.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL
            .iter()
            .copied()
            .find(|l| l.tag().eq_ignore_ascii_case(language))
    }

    /// The language for a patient who reads that one: English where there is none of it.
    #[must_use]
    pub fn for_patient(tag: &str) -> Self {
        Self::from_tag(tag).unwrap_or(Self::En)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_find_their_language() {
        assert_eq!(Locale::ALL[0], Locale::De);
        assert_eq!(Locale::En.and_others()[..2], [Locale::En, Locale::De]);
        assert_eq!(Locale::En.and_others().len(), Locale::ALL.len());
        assert_eq!(Locale::from_tag("de-AT"), Some(Locale::De));
        assert_eq!(Locale::from_tag("EN_us"), Some(Locale::En));
        assert_eq!(Locale::from_tag("xx"), None);
        assert_eq!(Locale::from_tag(""), None);
        assert_eq!(Locale::for_patient("de"), Locale::De);
        assert_eq!(Locale::for_patient("xx"), Locale::En);
        for &l in Locale::ALL {
            assert_eq!(Locale::from_tag(l.tag()), Some(l));
            assert_eq!(serde_json::to_value(l).unwrap(), l.tag());
        }
    }

    #[test]
    fn the_pages_apart_are_those_among_all_texts() {
        for &l in Locale::ALL {
            assert_eq!(l.pages().renew.title, l.messages().pages.renew.title);
            assert_eq!(l.dir(), l.messages().dir);
        }
    }
}
