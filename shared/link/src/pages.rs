//! The edge's own pages: their common shape, and the public ones.

use dermalia_locale::{Legal, Locale, PageTexts};

use crate::headers::{self, Caching, InlineHashes};
use crate::reply::Answer;

const STYLE: &str = include_str!("../pages/style.css");

pub(crate) fn privacy(locale: Locale, is_head: bool) -> Answer {
    let pages = locale.pages();
    legal(locale, pages.privacy_title, |p| p.privacy, is_head)
}

pub(crate) fn security(locale: Locale, is_head: bool) -> Answer {
    let pages = locale.pages();
    legal(locale, pages.security_title, |p| p.security, is_head)
}

/// A text of legal weight in the reader's language, or as that language's file says.
fn legal(locale: Locale, title: &str, of: fn(&PageTexts) -> Legal, is_head: bool) -> Answer {
    let main = match of(locale.pages()) {
        Legal::Written(text) => text.to_owned(),
        Legal::Of { locale, note } => {
            // The build has made sure that there it is written.
            let text = match of(locale.pages()) {
                Legal::Written(text) => text,
                Legal::Of { .. } => "",
            };
            let (tag, dir) = (locale.tag(), locale.dir());
            format!("<p>{note}</p>\n<div lang=\"{tag}\" dir=\"{dir}\">\n{text}</div>\n")
        }
    };
    page(200, locale, title, &main, Caching::Hour, is_head)
}

/// All texts are our own: of a request, nothing is here but a token that we
/// signed, as part of a form's address.
pub(crate) fn page(
    status: u16,
    locale: Locale,
    title: &str,
    main: &str,
    caching: Caching,
    is_head: bool,
) -> Answer {
    let (tag, dir, pages) = (locale.tag(), locale.dir(), locale.pages());
    let html = format!(
        "<!doctype html>\n<html lang=\"{tag}\" dir=\"{dir}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} – Dermalia</title>\n<link rel=\"icon\" href=\"data:,\">\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<p class=\"name\">Dermalia</p>\n{main}\n\
         <footer><a href=\"/privacy?lang={tag}\">{privacy}</a>\
         <a href=\"/security?lang={tag}\">{security}</a></footer>\n</main>\n</body>\n</html>\n",
        privacy = pages.privacy_title,
        security = pages.security_title,
    );
    let policy = InlineHashes::of_page(&html).policy();
    let mut headers = headers::common(policy, caching);
    headers.push(("content-type", "text/html; charset=utf-8".to_owned()));
    headers.push(("content-language", tag.to_owned()));
    headers.push(("vary", "accept-language".to_owned()));
    Answer::text(status, headers, html, is_head)
}
