//! What a reader sees who gets no report.

use crate::headers::Caching;
use crate::language::Language;
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
            Self::MethodNotAllowed(_) => [
                "So lässt sich diese Seite nicht aufrufen",
                "Diese Adresse nimmt eine solche Anfrage nicht an.",
                "Bitte öffnen Sie den Link in Ihrem Browser.",
            ],
            Self::Unreadable | Self::UnknownMediaType => [
                "Die Anfrage ist nicht lesbar",
                "Was gesendet wurde, hat nicht die Form, die hier erwartet wird.",
                "Bitte gehen Sie zurück und versuchen Sie es noch einmal.",
            ],
            Self::ForeignPage => [
                "Diese Anfrage kam von einer fremden Seite",
                "Zu Ihrem Schutz werden Anfragen nur von den Seiten des Hautberichts angenommen.",
                "Bitte öffnen Sie den Link aus der E-Mail in Ihrem Browser und versuchen Sie es \
                 dort noch einmal.",
            ],
            Self::LockedOut => [
                "Dieser Link ist gesperrt",
                "Der Code wurde fünfmal falsch eingegeben. Zu Ihrem Schutz öffnet dieser Link \
                 den Bericht nicht mehr.",
                "Bitte wenden Sie sich an Ihre Praxis: Sie kann Ihnen einen neuen Link senden.",
            ],
            Self::AskedBefore(_) => [
                "Das haben Sie schon angefordert",
                "Ihre Anfrage liegt uns vor; es braucht keine weitere.",
                "Bitte sehen Sie in Ihrem Postfach nach, auch im Ordner für Spam. Morgen können \
                 Sie es noch einmal versuchen.",
            ],
            Self::Expired => [
                "Dieser Link ist abgelaufen",
                "Zu Ihrem Schutz gilt der Link zu einem Hautbericht nur für begrenzte Zeit.",
                "Solange der Bericht aufbewahrt wird, können Sie einen neuen Link anfordern, hier \
                 oder in Ihrer Praxis.",
            ],
            Self::ConfirmedTooLate => [
                "Dieser Link ist abgelaufen",
                "Die Löschung wurde nicht rechtzeitig bestätigt; es wurde nichts gelöscht.",
                "Bitte fordern Sie die Löschung noch einmal an, auf der Seite des Berichts oder \
                 in Ihrer Praxis.",
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
            Self::BeingRenewed(_) => [
                "Der Bericht wird gerade erneuert",
                "Der Link ist gültig. Der Bericht wird im Augenblick neu erstellt; meist dauert \
                 das nur wenige Sekunden.",
                "Diese Seite lädt sich von selbst neu.",
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
            Self::MethodNotAllowed(_) => [
                "This page cannot be called in this way",
                "This address does not take such a request.",
                "Please open the link in your browser.",
            ],
            Self::Unreadable | Self::UnknownMediaType => [
                "The request cannot be read",
                "What was sent does not have the form that is expected here.",
                "Please go back and try again.",
            ],
            Self::ForeignPage => [
                "This request came from another site",
                "For your protection, requests are taken from the pages of the skin report only.",
                "Please open the link from the email in your browser and try again there.",
            ],
            Self::LockedOut => [
                "This link is locked",
                "The code was entered wrongly five times. For your protection, this link no \
                 longer opens the report.",
                "Please contact your practice: it can send you a new link.",
            ],
            Self::AskedBefore(_) => [
                "You have asked for this already",
                "We have your request; no other is needed.",
                "Please look into your mailbox, and into the spam folder too. You can try again \
                 tomorrow.",
            ],
            Self::Expired => [
                "This link has expired",
                "For your protection, the link to a skin report is valid for a limited time only.",
                "For as long as the report is kept, you can ask for a new link, here or at your \
                 practice.",
            ],
            Self::ConfirmedTooLate => [
                "This link has expired",
                "The deletion was not confirmed in time; nothing was deleted.",
                "Please ask for the deletion again, on the page of the report or at your practice.",
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
            Self::BeingRenewed(_) => [
                "The report is being renewed",
                "The link is valid. The report is being made anew at the moment, which usually \
                 takes a few seconds.",
                "This page reloads by itself.",
            ],
        }
    }
}

/// The answer that explains `problem`; without its body to a HEAD.
#[must_use]
pub fn problem_page(problem: Problem, language: Language, is_head: bool) -> Answer {
    problem_page_with(problem, language, is_head, "")
}

/// The same with a form below.
pub(crate) fn problem_page_with(
    problem: Problem,
    language: Language,
    is_head: bool,
    form: &str,
) -> Answer {
    let [heading, reason, advice] = problem.text(language);
    let main = format!(
        "<h1>{heading}</h1>\n<div class=\"card\"><p>{reason}</p><p>{advice}</p></div>\n{form}"
    );
    let mut answer = page(
        problem.status(),
        language,
        heading,
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
