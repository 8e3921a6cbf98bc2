//! Pages on which a reader asks for something: plain forms that work without
//! a script, and what they are told afterwards.

use crate::headers::Caching;
use crate::language::Language;
use crate::pages::page;
use crate::problem::{Problem, problem_page_with};
use crate::reply::Answer;
use crate::token::Token;

/// What a reader can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    /// A new link.
    Renew,
    /// That the report be erased.
    Erase,
    /// The same, confirmed.
    Confirm,
    /// That usage be no longer recorded.
    Object,
}

/// The texts around a form.
struct Texts {
    title: &'static str,
    paragraphs: &'static [&'static str],
    button: &'static str,
    back: &'static str,
    done_title: &'static str,
    done: &'static [&'static str],
}

impl Wish {
    /// The last part of its address, and the name under which it is counted.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Renew => "renew",
            Self::Erase => "erase",
            Self::Confirm => "confirm",
            Self::Object => "object",
        }
    }

    fn texts(self, language: Language) -> Texts {
        match language {
            Language::German => self.german(),
            Language::English => self.english(),
        }
    }

    fn german(self) -> Texts {
        match self {
            Self::Renew => Texts {
                title: "Neuen Link anfordern",
                paragraphs: &[
                    "Der neue Link geht per E-Mail an die Adresse, die in Ihrer Praxis hinterlegt \
                     ist. Eine andere Adresse ist hier nicht möglich.",
                ],
                button: "Neuen Link senden",
                back: "",
                done_title: "Ihr neuer Link ist unterwegs",
                done: &[
                    "Wenn in Ihrer Praxis eine E-Mail-Adresse hinterlegt ist, geht der neue Link \
                     in den nächsten Minuten dorthin.",
                    "Sehen Sie bitte auch im Ordner für Spam nach. Kommt nichts an, wenden Sie \
                     sich an Ihre Praxis.",
                ],
            },
            Self::Erase => Texts {
                title: "Hautbericht löschen",
                paragraphs: &[
                    "Sie können verlangen, dass der Bericht und der Scan, aus dem er entstanden \
                     ist, gelöscht werden (Art.&nbsp;17 DSGVO).",
                    "Damit das niemand anderes für Sie tut, senden wir eine E-Mail an die Adresse, \
                     die in Ihrer Praxis hinterlegt ist. Erst wenn Sie den Link darin öffnen und \
                     bestätigen, wird gelöscht.",
                    "Ist dort keine Adresse hinterlegt, wenden Sie sich bitte an Ihre Praxis.",
                ],
                button: "Löschung anfordern",
                back: "Zurück zum Bericht",
                done_title: "Bitte bestätigen Sie die Löschung",
                done: &[
                    "Wenn in Ihrer Praxis eine E-Mail-Adresse hinterlegt ist, geht in den nächsten \
                     Minuten eine E-Mail dorthin.",
                    "Öffnen Sie den Link darin und bestätigen Sie die Löschung. Bis dahin bleibt \
                     der Bericht, wie er ist.",
                ],
            },
            Self::Confirm => Texts {
                title: "Löschung bestätigen",
                paragraphs: &[
                    "Der Hautbericht und der Scan, aus dem er entstanden ist, werden endgültig \
                     gelöscht. Das lässt sich nicht rückgängig machen.",
                    "Möchten Sie ihn behalten, laden Sie ihn vorher herunter oder schließen Sie \
                     diese Seite: Dann geschieht nichts.",
                ],
                button: "Endgültig löschen",
                back: "",
                done_title: "Der Bericht wird gelöscht",
                done: &[
                    "Ihre Bestätigung ist eingegangen, die Löschung beginnt sofort. Danach öffnet \
                     kein Link mehr den Bericht.",
                ],
            },
            Self::Object => Texts {
                title: "Der Aufzeichnung der Nutzung widersprechen",
                paragraphs: &[
                    "Um die Seite zu verbessern, halten wir fest, welche Teile des Berichts \
                     geöffnet werden, ohne Ihren Namen und ohne Ihre Adresse.",
                    "Sie können dem widersprechen (Art.&nbsp;21 DSGVO). Der Bericht bleibt, wie er \
                     ist.",
                ],
                button: "Widersprechen",
                back: "Zurück zum Bericht",
                done_title: "Ihr Widerspruch ist eingegangen",
                done: &[
                    "In wenigen Minuten wird nicht mehr festgehalten, welche Teile dieses Berichts \
                     geöffnet werden.",
                ],
            },
        }
    }

    fn english(self) -> Texts {
        match self {
            Self::Renew => Texts {
                title: "Ask for a new link",
                paragraphs: &[
                    "The new link is sent by email to the address that your practice has on file. \
                     No other address is possible here.",
                ],
                button: "Send a new link",
                back: "",
                done_title: "Your new link is on its way",
                done: &[
                    "If your practice has an email address on file, the new link will reach it in \
                     the next few minutes.",
                    "Please look into the spam folder too. If nothing arrives, contact your \
                     practice.",
                ],
            },
            Self::Erase => Texts {
                title: "Delete the skin report",
                paragraphs: &[
                    "You can demand that the report, and the scan from which it was made, be \
                     deleted (Art.&nbsp;17 GDPR).",
                    "So that nobody else can do this for you, we send an email to the address that \
                     your practice has on file. Only when you open the link in it and confirm will \
                     anything be deleted.",
                    "If there is no address on file, please contact your practice.",
                ],
                button: "Ask for deletion",
                back: "Back to the report",
                done_title: "Please confirm the deletion",
                done: &[
                    "If your practice has an email address on file, an email will reach it in the \
                     next few minutes.",
                    "Open the link in it and confirm the deletion. Until then the report stays as \
                     it is.",
                ],
            },
            Self::Confirm => Texts {
                title: "Confirm the deletion",
                paragraphs: &[
                    "The skin report, and the scan from which it was made, will be deleted for \
                     good. This cannot be undone.",
                    "If you want to keep it, download it first, or close this page: then nothing \
                     happens.",
                ],
                button: "Delete for good",
                back: "",
                done_title: "The report is being deleted",
                done: &[
                    "We have your confirmation, and the deletion begins at once. After it, no link \
                     opens the report any more.",
                ],
            },
            Self::Object => Texts {
                title: "Object to the recording of usage",
                paragraphs: &[
                    "To improve the page, we record which parts of the report are opened, without \
                     your name and without your address.",
                    "You can object to this (Art.&nbsp;21 GDPR). The report stays as it is.",
                ],
                button: "Object",
                back: "Back to the report",
                done_title: "We have your objection",
                done: &[
                    "In a few minutes it will no longer be recorded which parts of this report are \
                     opened.",
                ],
            },
        }
    }
}

/// The page on which a wish is expressed.
pub(crate) fn wish_page(wish: Wish, token: &Token, language: Language, is_head: bool) -> Answer {
    let texts = wish.texts(language);
    let main = format!(
        "<h1>{}</h1>\n<div class=\"card\">{}</div>\n{}{}",
        texts.title,
        paragraphs(texts.paragraphs),
        button(wish, token, language, texts.button),
        back(token, texts.back),
    );
    page(200, language, texts.title, &main, Caching::Never, is_head)
}

/// What a reader is told whose wish is in the queue.
pub(crate) fn wish_taken(wish: Wish, token: &Token, language: Language) -> Answer {
    let texts = wish.texts(language);
    let main = format!(
        "<h1>{}</h1>\n<div class=\"card\">{}</div>\n{}",
        texts.done_title,
        paragraphs(texts.done),
        back(token, texts.back),
    );
    page(
        202,
        language,
        texts.done_title,
        &main,
        Caching::Never,
        false,
    )
}

/// An expired link, and the way to a new one.
pub(crate) fn expired_page(token: &Token, language: Language, is_head: bool) -> Answer {
    let texts = Wish::Renew.texts(language);
    let form = format!(
        "<h2>{}</h2>\n{}{}",
        texts.title,
        paragraphs(texts.paragraphs),
        button(Wish::Renew, token, language, texts.button),
    );
    problem_page_with(Problem::Expired, language, is_head, &form)
}

/// What was wrong with the code that was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// It was not six digits; that is no try.
    NoCode,
    /// It was another; so many tries are left.
    Wrong {
        /// How many.
        left: u8,
    },
}

impl Complaint {
    fn text(self, language: Language) -> String {
        match (language, self) {
            (Language::German, Self::NoCode) => "Bitte geben Sie sechs Ziffern ein.".to_owned(),
            (Language::German, Self::Wrong { left: 1 }) => {
                "Der Code stimmt nicht. Ein Versuch ist noch möglich.".to_owned()
            }
            (Language::German, Self::Wrong { left }) => {
                format!("Der Code stimmt nicht. Es sind noch {left} Versuche möglich.")
            }
            (Language::English, Self::NoCode) => "Please enter six digits.".to_owned(),
            (Language::English, Self::Wrong { left: 1 }) => {
                "The code is not right. One try is left.".to_owned()
            }
            (Language::English, Self::Wrong { left }) => {
                format!("The code is not right. {left} tries are left.")
            }
        }
    }
}

/// Where the code is asked for.
pub(crate) fn code_page(
    token: &Token,
    language: Language,
    complaint: Option<Complaint>,
    is_head: bool,
) -> Answer {
    let (title, intro, label, hint, send) = match language {
        Language::German => (
            "Bitte geben Sie Ihren Code ein",
            "Dieser Bericht ist zusätzlich durch einen Code geschützt. Sie haben ihn in Ihrer \
             Praxis erhalten.",
            "Code",
            "Sechs Ziffern",
            "Bericht öffnen",
        ),
        Language::English => (
            "Please enter your code",
            "This report is protected by a code as well. You received it at your practice.",
            "Code",
            "Six digits",
            "Open the report",
        ),
    };
    let (complaint, described) = match complaint {
        None => (String::new(), "aria-describedby=\"hint\""),
        Some(complaint) => (
            format!(
                "<p class=\"wrong\" id=\"wrong\" role=\"alert\">{}</p>\n",
                complaint.text(language)
            ),
            "aria-invalid=\"true\" aria-describedby=\"wrong hint\"",
        ),
    };
    let main = format!(
        "<h1>{title}</h1>\n<div class=\"card\"><p>{intro}</p></div>\n{complaint}\
         <form method=\"post\" action=\"{}\">\n\
         <label for=\"code\">{label}</label>\n<p class=\"hint\" id=\"hint\">{hint}</p>\n\
         <input id=\"code\" name=\"code\" inputmode=\"numeric\" autocomplete=\"one-time-code\" \
         pattern=\"[0-9 ]*\" maxlength=\"11\" spellcheck=\"false\" required {described}>\n\
         <button>{send}</button>\n</form>",
        address(token, "unlock", language),
    );
    page(403, language, title, &main, Caching::Never, is_head)
}

fn button(wish: Wish, token: &Token, language: Language, text: &str) -> String {
    format!(
        "<form method=\"post\" action=\"{}\"><button>{text}</button></form>\n",
        address(token, wish.name(), language),
    )
}

fn back(token: &Token, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("<p><a href=\"{}\">{text}</a></p>\n", token.path())
}

/// From the root: the page may have been reached by more than one address.
fn address(token: &Token, name: &str, language: Language) -> String {
    format!("{}/{name}?lang={}", token.path(), language.tag())
}

fn paragraphs(texts: &[&str]) -> String {
    texts.iter().map(|text| format!("<p>{text}</p>")).collect()
}
