use crate::Locale;

/// The pages around a report's link. Those of them that are HTML say so.
pub struct PageTexts {
    pub privacy_title: &'static str,
    pub privacy: Legal,
    pub security_title: &'static str,
    pub security: Legal,

    /// 404: not signed by us, or no such route or file.
    pub not_found: ProblemText,
    /// 405.
    pub method_not_allowed: ProblemText,
    /// 400 and 415: a body that cannot be read.
    pub unreadable: ProblemText,
    /// 403: sent by a page that is not ours.
    pub foreign_page: ProblemText,
    /// 403: five wrong codes; the link opens nothing any more.
    pub locked_out: ProblemText,
    /// 429: the same was asked for often enough today.
    pub asked_before: ProblemText,
    /// 410: the link's time is up. The form `renew` stands below.
    pub expired: ProblemText,
    /// 410: the time in which an erasure could be confirmed is up.
    pub confirmed_too_late: ProblemText,
    /// 410: the report's links were renewed or revoked since.
    pub revoked: ProblemText,
    /// 410: the report was erased, by request or at the end of its retention.
    pub removed: ProblemText,
    /// 413.
    pub body_too_large: ProblemText,
    /// 414.
    pub target_too_long: ProblemText,
    /// 416.
    pub range_outside: ProblemText,
    /// 429: asked too often.
    pub too_many_requests: ProblemText,
    /// 503: the store of reports did not answer.
    pub origin_failed: ProblemText,
    /// 503: the report is being drawn anew; the page reloads by itself.
    pub being_renewed: ProblemText,

    /// A new link is asked for.
    pub renew: Form,
    /// That the report be erased.
    pub erase: Form,
    /// The same, confirmed.
    pub confirm: Form,
    /// That usage be no longer recorded.
    pub object: Form,
    /// The link from a form to the report.
    pub back: &'static str,
    pub code: CodeForm,
}

/// What a reader sees who gets no report.
pub struct ProblemText {
    pub heading: &'static str,
    pub what_happened: &'static str,
    pub what_to_do: &'static str,
}

/// A form and what is told when it was sent. HTML within paragraphs.
pub struct Form {
    pub title: &'static str,
    pub paragraphs: &'static [&'static str],
    pub button: &'static str,
    pub done_title: &'static str,
    pub done: &'static [&'static str],
}

/// The page that asks for a report's code.
pub struct CodeForm {
    pub title: &'static str,
    pub intro: &'static str,
    pub label: &'static str,
    pub hint: &'static str,
    pub send: &'static str,
    /// What was typed is no code.
    pub no_code: &'static str,
    /// It is another; so many tries are left.
    pub wrong: fn(left: u8) -> String,
}

/// A text of legal weight, as HTML. It is not for a translator alone to write.
#[derive(Clone, Copy)]
pub enum Legal {
    /// Written in this language.
    Written(&'static str),
    /// That of another language, until there is one in this.
    Of {
        /// One in which it is written.
        locale: Locale,
        /// Says so, in this language.
        note: &'static str,
    },
}

/// Fails the build where a legal text is that of a language which has none either.
pub(crate) const fn assert_legal_texts(pages: &PageTexts) {
    let texts = [(pages.privacy, true), (pages.security, false)];
    let mut i = 0;
    while i < texts.len() {
        if let (Legal::Of { locale, .. }, is_privacy) = texts[i] {
            let other = locale.pages();
            let other = if is_privacy {
                other.privacy
            } else {
                other.security
            };
            assert!(
                matches!(other, Legal::Written(_)),
                "the language named for a legal text has none of its own"
            );
        }
        i += 1;
    }
}
