//! What a reader sees who gets no report.

use dermalia_locale::{Locale, ProblemText};

use crate::headers::Caching;
use crate::pages::page;
use crate::reply::Answer;

/// Why a request gets a page of ours in place of what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// 404: not signed by us, or no such route or file.
    NotFound,
    /// 400: a body that cannot be read.
    Unreadable,
    /// 403: sent by a page that is not ours.
    ForeignPage,
    /// 403: five wrong codes; the link opens nothing any more.
    LockedOut,
    /// 405: another method than these.
    MethodNotAllowed(Methods),
    /// 410: the link's time is up.
    Expired,
    /// 410: the time in which an erasure could be confirmed is up.
    ConfirmedTooLate,
    /// 410: the report's links were renewed or revoked since.
    Revoked,
    /// 410: the report was erased, by request or at the end of its retention.
    Removed,
    /// 413: a body longer than any request of ours has.
    BodyTooLarge,
    /// 414: an address longer than any of ours.
    TargetTooLong,
    /// 415: a body of a type that is not read here.
    UnknownMediaType,
    /// 416: a range outside the file.
    RangeOutside,
    /// 429: asked too often; the seconds after which to ask again.
    TooManyRequests(u32),
    /// 429: the same was asked for often enough today; seconds likewise.
    AskedBefore(u32),
    /// 503: the store of reports did not answer; seconds likewise.
    OriginFailed(u32),
    /// 503: the report is being drawn anew; seconds likewise, after which the page asks again
    /// by itself.
    BeingRenewed(u32),
}

/// The methods of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// To be read.
    Read,
    /// To be read and sent to: a form.
    ReadAndSend,
    /// To be sent to.
    Send,
}

impl Methods {
    pub(crate) fn allow(self) -> &'static str {
        match self {
            Self::Read => "GET, HEAD",
            Self::ReadAndSend => "GET, HEAD, POST",
            Self::Send => "POST",
        }
    }
}

impl Problem {
    /// The status code.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::Unreadable => 400,
            Self::ForeignPage | Self::LockedOut => 403,
            Self::MethodNotAllowed(_) => 405,
            Self::Expired | Self::ConfirmedTooLate | Self::Revoked | Self::Removed => 410,
            Self::BodyTooLarge => 413,
            Self::TargetTooLong => 414,
            Self::UnknownMediaType => 415,
            Self::RangeOutside => 416,
            Self::TooManyRequests(_) | Self::AskedBefore(_) => 429,
            Self::OriginFailed(_) | Self::BeingRenewed(_) => 503,
        }
    }

    fn text(self, locale: Locale) -> &'static ProblemText {
        let pages = locale.pages();
        match self {
            Self::NotFound => &pages.not_found,
            Self::Unreadable | Self::UnknownMediaType => &pages.unreadable,
            Self::ForeignPage => &pages.foreign_page,
            Self::LockedOut => &pages.locked_out,
            Self::MethodNotAllowed(_) => &pages.method_not_allowed,
            Self::Expired => &pages.expired,
            Self::ConfirmedTooLate => &pages.confirmed_too_late,
            Self::Revoked => &pages.revoked,
            Self::Removed => &pages.removed,
            Self::BodyTooLarge => &pages.body_too_large,
            Self::TargetTooLong => &pages.target_too_long,
            Self::RangeOutside => &pages.range_outside,
            Self::TooManyRequests(_) => &pages.too_many_requests,
            Self::AskedBefore(_) => &pages.asked_before,
            Self::OriginFailed(_) => &pages.origin_failed,
            Self::BeingRenewed(_) => &pages.being_renewed,
        }
    }
}

/// The answer that explains `problem`; without its body to a HEAD.
#[must_use]
pub fn problem_page(problem: Problem, locale: Locale, is_head: bool) -> Answer {
    problem_page_with(problem, locale, is_head, "")
}

/// The same with a form below.
pub(crate) fn problem_page_with(
    problem: Problem,
    locale: Locale,
    is_head: bool,
    form: &str,
) -> Answer {
    let text = problem.text(locale);
    let main = format!(
        "<h1>{}</h1>\n<div class=\"card\"><p>{}</p><p>{}</p></div>\n{form}",
        text.heading, text.what_happened, text.what_to_do
    );
    let mut answer = page(
        problem.status(),
        locale,
        text.heading,
        &main,
        Caching::Never,
        is_head,
    );
    match problem {
        Problem::MethodNotAllowed(methods) => {
            answer.headers.push(("allow", methods.allow().to_owned()));
        }
        Problem::TooManyRequests(secs)
        | Problem::AskedBefore(secs)
        | Problem::OriginFailed(secs) => {
            answer.headers.push(("retry-after", secs.to_string()));
        }
        Problem::BeingRenewed(secs) => {
            answer.headers.push(("retry-after", secs.to_string()));
            // What browsers do; to programs the header above says it.
            answer.headers.push(("refresh", secs.to_string()));
        }
        _ => {}
    }
    answer
}
