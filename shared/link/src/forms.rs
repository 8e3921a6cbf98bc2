//! Pages on which a reader asks for something: plain forms that work without
//! a script, and what they are told afterwards.

use dermalia_locale::{CodeForm, Form, Locale};

use crate::headers::Caching;
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

    fn texts(self, locale: Locale) -> &'static Form {
        let pages = locale.pages();
        match self {
            Self::Renew => &pages.renew,
            Self::Erase => &pages.erase,
            Self::Confirm => &pages.confirm,
            Self::Object => &pages.object,
        }
    }

    /// Whether its link opens a report to go back to.
    fn leads_back(self) -> bool {
        match self {
            Self::Erase | Self::Object => true,
            Self::Renew | Self::Confirm => false,
        }
    }
}

/// The page on which a wish is expressed.
pub(crate) fn wish_page(wish: Wish, token: &Token, locale: Locale, is_head: bool) -> Answer {
    let texts = wish.texts(locale);
    let main = format!(
        "<h1>{}</h1>\n<div class=\"card\">{}</div>\n{}{}",
        texts.title,
        paragraphs(texts.paragraphs),
        button(wish, token, locale, texts.button),
        back(wish, token, locale),
    );
    page(200, locale, texts.title, &main, Caching::Never, is_head)
}

/// What a reader is told whose wish is in the queue.
pub(crate) fn wish_taken(wish: Wish, token: &Token, locale: Locale) -> Answer {
    let texts = wish.texts(locale);
    let main = format!(
        "<h1>{}</h1>\n<div class=\"card\">{}</div>\n{}",
        texts.done_title,
        paragraphs(texts.done),
        back(wish, token, locale),
    );
    page(202, locale, texts.done_title, &main, Caching::Never, false)
}

/// An expired link, and the way to a new one.
pub(crate) fn expired_page(token: &Token, locale: Locale, is_head: bool) -> Answer {
    let texts = Wish::Renew.texts(locale);
    let form = format!(
        "<h2>{}</h2>\n{}{}",
        texts.title,
        paragraphs(texts.paragraphs),
        button(Wish::Renew, token, locale, texts.button),
    );
    problem_page_with(Problem::Expired, locale, is_head, &form)
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
    fn text(self, texts: &CodeForm) -> String {
        match self {
            Self::NoCode => texts.no_code.to_owned(),
            Self::Wrong { left } => (texts.wrong)(left),
        }
    }
}

/// Where the code is asked for.
pub(crate) fn code_page(
    token: &Token,
    locale: Locale,
    complaint: Option<Complaint>,
    is_head: bool,
) -> Answer {
    let texts = &locale.pages().code;
    let (complaint, described) = match complaint {
        None => (String::new(), "aria-describedby=\"hint\""),
        Some(complaint) => (
            format!(
                "<p class=\"wrong\" id=\"wrong\" role=\"alert\">{}</p>\n",
                complaint.text(texts)
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
        address(token, "unlock", locale),
        title = texts.title,
        intro = texts.intro,
        label = texts.label,
        hint = texts.hint,
        send = texts.send,
    );
    page(403, locale, texts.title, &main, Caching::Never, is_head)
}

fn button(wish: Wish, token: &Token, locale: Locale, text: &str) -> String {
    format!(
        "<form method=\"post\" action=\"{}\"><button>{text}</button></form>\n",
        address(token, wish.name(), locale),
    )
}

fn back(wish: Wish, token: &Token, locale: Locale) -> String {
    if !wish.leads_back() {
        return String::new();
    }
    let text = locale.pages().back;
    format!("<p><a href=\"{}\">{text}</a></p>\n", token.path())
}

/// From the root: the page may have been reached by more than one address.
fn address(token: &Token, name: &str, locale: Locale) -> String {
    format!("{}/{name}?lang={}", token.path(), locale.tag())
}

fn paragraphs(texts: &[&str]) -> String {
    texts.iter().map(|text| format!("<p>{text}</p>")).collect()
}
