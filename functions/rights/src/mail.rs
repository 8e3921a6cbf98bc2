//! The e-mail that asks to confirm an erasure. No name, no health data.

use dermalia_locale::Locale;
use dermalia_record::port::Email;
use dermalia_record::{Personal, Settings};

/// The e-mail in the language in which the reader asked. `url` is a link of ours, which
/// needs no escape.
#[must_use]
pub fn confirm_mail(
    terms: &Settings,
    locale: Locale,
    to: Personal<String>,
    url: &str,
    date_secs: i64,
) -> Email {
    let texts = &locale.messages().mail.confirm;
    let (subject, lead, button, note) = (texts.subject, texts.lead, texts.button, texts.note);
    let (tag, dir) = (locale.tag(), locale.dir());
    let html = format!(
        "<!doctype html><html lang=\"{tag}\" dir=\"{dir}\"><head><meta charset=\"utf-8\">\
         <title>{subject}</title></head>\
         <body style=\"font-family:sans-serif;line-height:1.5;color:#1d2b2a;max-width:36rem\">\
         <p>{lead}</p><p><a href=\"{url}\">{button}</a></p><p>{note}</p></body></html>"
    );
    Email {
        from: terms.sender.clone(),
        to,
        reply_to: terms.reply_to.clone(),
        subject: subject.to_owned(),
        text: format!("{lead}\n\n{url}\n\n{note}\n"),
        html,
        date_secs,
    }
}
