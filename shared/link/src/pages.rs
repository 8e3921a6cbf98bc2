//! The edge's own pages: what a reader sees who gets no report.

use crate::headers::{self, Caching, InlineHashes};
use crate::language::Language;
use crate::route::Answer;

const STYLE: &str = include_str!("../pages/style.css");

/// Why a request gets a page of ours in place of what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// 404: not signed by us, or no such route or file.
    NotFound,
    /// 405: a method other than GET and HEAD.
    MethodNotAllowed,
    /// 410: the link's time is up.
    Expired,
    /// 410: the report's links were renewed or revoked since.
    Revoked,
    /// 410: the report was erased, by request or at the end of its retention.
    Removed,
    /// 413: a body longer than any request of ours has.
    BodyTooLarge,
    /// 414: an address longer than any of ours.
    TargetTooLong,
    /// 416: a range outside the file.
    RangeOutside,
    /// 429: asked too often; the seconds after which to ask again.
    TooManyRequests(u32),
    /// 503: the store of reports did not answer; seconds likewise.
    OriginFailed(u32),
}

impl Problem {
    /// The status code.
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Expired | Self::Revoked | Self::Removed => 410,
            Self::BodyTooLarge => 413,
            Self::TargetTooLong => 414,
            Self::RangeOutside => 416,
            Self::TooManyRequests(_) => 429,
            Self::OriginFailed(_) => 503,
        }
    }

    /// Heading, what happened, and what to do about it.
    fn text(self, language: Language) -> [&'static str; 3] {
        match language {
            Language::German => self.german(),
            Language::English => self.english(),
        }
    }

    fn german(self) -> [&'static str; 3] {
        match self {
            Self::NotFound => [
                "Diese Seite gibt es nicht",
                "Unter dieser Adresse liegt nichts.",
                "Vielleicht wurde der Link beim Kopieren gekürzt: Bitte öffnen Sie ihn direkt aus \
                 der E-Mail oder fragen Sie Ihre Praxis.",
            ],
            Self::MethodNotAllowed => [
                "So lässt sich diese Seite nicht aufrufen",
                "Diese Adresse kann nur gelesen werden.",
                "Bitte öffnen Sie den Link in Ihrem Browser.",
            ],
            Self::Expired => [
                "Dieser Link ist abgelaufen",
                "Zu Ihrem Schutz gilt der Link zu einem Hautbericht nur für begrenzte Zeit.",
                "Bitte wenden Sie sich an Ihre Praxis: Sie kann Ihnen einen neuen Link senden, \
                 solange der Bericht aufbewahrt wird.",
            ],
            Self::Revoked => [
                "Dieser Link gilt nicht mehr",
                "Der Link zu diesem Hautbericht wurde gesperrt oder durch einen neuen ersetzt.",
                "Bitte verwenden Sie den neuesten Link, den Sie erhalten haben, oder wenden Sie \
                 sich an Ihre Praxis.",
            ],
            Self::Removed => [
                "Dieser Bericht ist gelöscht",
                "Der Hautbericht wurde auf Wunsch oder nach Ablauf der Aufbewahrungsfrist \
                 gelöscht.",
                "Bei Fragen wenden Sie sich bitte an Ihre Praxis.",
            ],
            Self::BodyTooLarge => [
                "Die Anfrage ist zu groß",
                "Mit dieser Anfrage wurden mehr Daten gesendet, als hier angenommen werden.",
                "Bitte öffnen Sie den Link in Ihrem Browser.",
            ],
            Self::TargetTooLong => [
                "Die Adresse ist zu lang",
                "Eine so lange Adresse gibt es hier nicht.",
                "Bitte öffnen Sie den Link direkt aus der E-Mail.",
            ],
            Self::RangeOutside => [
                "Diesen Teil gibt es nicht",
                "Der angeforderte Abschnitt liegt außerhalb der Datei.",
                "Bitte laden Sie die Datei neu.",
            ],
            Self::TooManyRequests(_) => [
                "Bitte einen Moment Geduld",
                "Diese Adresse wurde in kurzer Zeit sehr oft aufgerufen.",
                "Bitte versuchen Sie es in einer Minute noch einmal.",
            ],
            Self::OriginFailed(_) => [
                "Der Bericht ist gerade nicht erreichbar",
                "Der Link ist gültig, aber der Bericht kann im Augenblick nicht geladen werden.",
                "Bitte versuchen Sie es in einer Minute noch einmal.",
            ],
        }
    }

    fn english(self) -> [&'static str; 3] {
        match self {
            Self::NotFound => [
                "This page does not exist",
                "There is nothing at this address.",
                "Perhaps the link was cut short when it was copied: please open it directly from \
                 the email, or ask your practice.",
            ],
            Self::MethodNotAllowed => [
                "This page cannot be called in this way",
                "This address can only be read.",
                "Please open the link in your browser.",
            ],
            Self::Expired => [
                "This link has expired",
                "For your protection, the link to a skin report is valid for a limited time only.",
                "Please contact your practice: it can send you a new link for as long as the \
                 report is kept.",
            ],
            Self::Revoked => [
                "This link is no longer valid",
                "The link to this skin report was revoked or replaced by a new one.",
                "Please use the latest link that you received, or contact your practice.",
            ],
            Self::Removed => [
                "This report has been deleted",
                "The skin report was deleted on request or at the end of its retention period.",
                "If you have questions, please contact your practice.",
            ],
            Self::BodyTooLarge => [
                "The request is too large",
                "More data was sent with this request than is accepted here.",
                "Please open the link in your browser.",
            ],
            Self::TargetTooLong => [
                "The address is too long",
                "There is no address of this length here.",
                "Please open the link directly from the email.",
            ],
            Self::RangeOutside => [
                "There is no such part",
                "The requested section lies outside the file.",
                "Please load the file again.",
            ],
            Self::TooManyRequests(_) => [
                "One moment, please",
                "This address was called very often within a short time.",
                "Please try again in a minute.",
            ],
            Self::OriginFailed(_) => [
                "The report cannot be reached at the moment",
                "The link is valid, but the report cannot be loaded right now.",
                "Please try again in a minute.",
            ],
        }
    }
}

/// The answer that explains `problem`; without its body to a HEAD.
#[must_use]
pub fn problem_page(problem: Problem, language: Language, is_head: bool) -> Answer {
    let [heading, reason, advice] = problem.text(language);
    let main =
        format!("<h1>{heading}</h1>\n<div class=\"card\"><p>{reason}</p><p>{advice}</p></div>");
    let mut answer = page(
        problem.status(),
        language,
        heading,
        &main,
        Caching::Never,
        is_head,
    );
    match problem {
        Problem::MethodNotAllowed => answer.headers.push(("allow", "GET, HEAD".to_owned())),
        Problem::TooManyRequests(secs) | Problem::OriginFailed(secs) => {
            answer.headers.push(("retry-after", secs.to_string()));
        }
        _ => {}
    }
    answer
}

pub(crate) fn privacy(language: Language, is_head: bool) -> Answer {
    let (title, main) = match language {
        Language::German => ("Datenschutz", include_str!("../pages/privacy.de.html")),
        Language::English => ("Privacy", include_str!("../pages/privacy.en.html")),
    };
    page(200, language, title, main, Caching::Hour, is_head)
}

pub(crate) fn security(language: Language, is_head: bool) -> Answer {
    let (title, main) = match language {
        Language::German => ("Sicherheit", include_str!("../pages/security.de.html")),
        Language::English => ("Security", include_str!("../pages/security.en.html")),
    };
    page(200, language, title, main, Caching::Hour, is_head)
}

/// All texts are our own constants: nothing here comes from a request.
fn page(
    status: u16,
    language: Language,
    title: &str,
    main: &str,
    caching: Caching,
    is_head: bool,
) -> Answer {
    let tag = language.tag();
    let (privacy, security) = match language {
        Language::German => ("Datenschutz", "Sicherheit"),
        Language::English => ("Privacy", "Security"),
    };
    let html = format!(
        "<!doctype html>\n<html lang=\"{tag}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – Dermalia</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<p class=\"name\">Dermalia</p>\n{main}\n\
         <footer><a href=\"/privacy?lang={tag}\">{privacy}</a>\
         <a href=\"/security?lang={tag}\">{security}</a></footer>\n</main>\n</body>\n</html>\n"
    );
    let policy = InlineHashes::of_page(&html).policy();
    let mut headers = headers::common(policy, caching);
    headers.push(("content-type", "text/html; charset=utf-8".to_owned()));
    headers.push(("content-language", tag.to_owned()));
    headers.push(("vary", "accept-language".to_owned()));
    Answer::text(status, headers, html, is_head)
}
