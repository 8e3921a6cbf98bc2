//! The edge's own pages: their common shape, and the public ones.

use crate::headers::{self, Caching, InlineHashes};
use crate::language::Language;
use crate::reply::Answer;

const STYLE: &str = include_str!("../pages/style.css");

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

/// All texts are our own: of a request, nothing is here but a token that we
/// signed, as part of a form's address.
pub(crate) fn page(
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
