//! The e-mail that asks to confirm an erasure. No name, no health data.

use dermalia_link::Language;
use dermalia_record::port::Email;
use dermalia_record::{Personal, Settings};

pub(crate) fn confirm_mail(
    terms: &Settings,
    language: Language,
    to: Personal<String>,
    url: &str,
    date_secs: i64,
) -> Email {
    let (lang, subject, lead, button, note) = match language {
        Language::German => (
            "de",
            "Löschung bestätigen",
            "Über Ihren Bericht wurde darum gebeten, ihn mit allen zugehörigen Daten zu löschen. \
             Wenn Sie das möchten, bestätigen Sie es hier:",
            "Löschung bestätigen",
            "Der Link gilt zwei Tage. Nach der Bestätigung wird sofort gelöscht; das lässt sich \
             nicht rückgängig machen. Wenn Sie nicht darum gebeten haben, brauchen Sie nichts \
             zu tun: Ohne Bestätigung wird nichts gelöscht.",
        ),
        _ => (
            "en",
            "Confirm the erasure",
            "Somebody with the link to your report has asked to erase it with all data that \
             belong to it. If you want that, confirm it here:",
            "Confirm the erasure",
            "The link works for two days. Once confirmed, the erasure is done at once and \
             cannot be undone. If you have not asked for it, you need not do anything: without \
             confirmation nothing is erased.",
        ),
    };
    let html = format!(
        "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\"><title>{subject}</title></head>\
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
