//! The e-mail: a greeting and the link. No health data, no name of a measure, no picture.

use dermalia_link::SigningKey;
use dermalia_record::port::Email;
use dermalia_record::{Personal, ScanRecord, Settings};

use crate::links::link_url;

/// A mail and the key under which it is sent once.
#[derive(Debug)]
pub struct MailText {
    /// The mail.
    pub email: Email,
    /// Of report and send number.
    pub idempotency_key: String,
}

/// The mail about a report; `None` if there is no link to send. The same record gives the
/// same mail.
#[must_use]
pub fn mail_text(
    record: &ScanRecord,
    settings: &Settings,
    key: &SigningKey,
    to: &Personal<String>,
    first_name: Option<&Personal<String>>,
) -> Option<MailText> {
    let url = link_url(record, settings, key)?;
    let days = (record.link?.expires_at_secs - record.link?.issued_at_secs).max(0) / 86_400;
    let practice = settings
        .practice_name
        .as_deref()
        .unwrap_or(record.key.practice.as_str());
    let name = first_name.map(|n| one_line(n.reveal()));
    let locale = record
        .locale
        .as_deref()
        .unwrap_or(&settings.locale)
        .to_ascii_lowercase();
    let texts = if locale.starts_with("de") {
        german(name.as_deref(), practice, days)
    } else {
        english(name.as_deref(), practice, days)
    };
    let (greeting, lead, button, note) = (texts.greeting, texts.lead, texts.button, texts.note);
    let html = format!(
        "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\"><title>{subject}</title></head>\
         <body style=\"font-family:sans-serif;line-height:1.5;color:#1d2b2a;max-width:36rem\">\
         <p>{greeting}</p><p>{lead}</p><p><a href=\"{url}\">{button}</a></p><p>{note}</p></body></html>",
        lang = texts.lang,
        subject = escape(&texts.subject),
        greeting = escape(&greeting),
        lead = escape(&lead),
        url = escape(&url),
        button = escape(&button),
        note = escape(&note),
    );
    Some(MailText {
        email: Email {
            from: settings.sender.clone(),
            to: to.clone(),
            reply_to: settings.reply_to.clone(),
            subject: texts.subject,
            text: format!("{greeting}\n\n{lead}\n\n{url}\n\n{note}\n"),
            html,
            date_secs: record.link?.issued_at_secs,
        },
        idempotency_key: record.mail_idempotency_key()?,
    })
}

struct Texts {
    lang: &'static str,
    subject: String,
    greeting: String,
    lead: String,
    button: String,
    note: String,
}

fn german(name: Option<&str>, practice: &str, days: i64) -> Texts {
    Texts {
        lang: "de",
        subject: "Ihr Bericht ist da".to_owned(),
        greeting: name.map_or("Guten Tag,".to_owned(), |name| format!("Guten Tag {name},")),
        lead: format!(
            "{practice} hat Ihren Bericht für Sie bereitgestellt. Über diesen Link öffnen Sie ihn:"
        ),
        button: "Bericht öffnen".to_owned(),
        note: format!(
            "Der Link gilt {days} Tage. Er ist nur für Sie bestimmt: Wer ihn hat, kann den Bericht lesen. \
             Fragen beantwortet Ihre Praxis."
        ),
    }
}

fn english(name: Option<&str>, practice: &str, days: i64) -> Texts {
    Texts {
        lang: "en",
        subject: "Your report is ready".to_owned(),
        greeting: name.map_or("Hello,".to_owned(), |name| format!("Hello {name},")),
        lead: format!("{practice} has prepared your report. This link opens it:"),
        button: "Open the report".to_owned(),
        note: format!(
            "The link works for {days} days. It is meant for you alone: whoever has it can read the report. \
             Your practice answers questions."
        ),
    }
}

/// A name without line breaks, so that it stays within its sentence.
fn one_line(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    plain.trim().to_owned()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use dermalia_link::KeyId;
    use dermalia_record::{LinkGrant, ReportId, ScanKey};

    use super::*;

    fn record(locale: &str) -> ScanRecord {
        let key = ScanKey {
            practice: "praxis-nord".parse().unwrap(),
            scan: "scan-0001".parse().unwrap(),
        };
        let mut record = ScanRecord::received(key, 0, 9_000_000);
        record.report_id = Some(ReportId::from_bytes([1; 16]));
        record.link = Some(LinkGrant {
            issued_at_secs: 1_000,
            expires_at_secs: 1_000 + 14 * 86_400,
        });
        record.locale = Some(locale.to_owned());
        record.mailing.send_number = 3;
        record
    }

    fn mail(name: &str, locale: &str) -> MailText {
        let key = SigningKey::from_seed(KeyId::new(1), &[5; 32]);
        let to = Personal::new("anna@example.org".to_owned());
        let name = Personal::new(name.to_owned());
        let settings = Settings::default();
        mail_text(&record(locale), &settings, &key, &to, Some(&name)).unwrap()
    }

    #[test]
    fn both_languages_carry_the_link() {
        for (locale, greeting, days) in [
            ("de-AT", "Guten Tag Anna,", "14 Tage"),
            ("en", "Hello Anna,", "14 days"),
            ("fr", "Hello Anna,", "14 days"),
        ] {
            let mail = mail("Anna", locale);
            assert!(mail.email.text.starts_with(greeting), "{}", mail.email.text);
            assert!(mail.email.text.contains(days));
            for part in [&mail.email.text, &mail.email.html] {
                assert!(part.contains("https://report.dermalia.de/r/"));
            }
            let id = ReportId::from_bytes([1; 16]);
            assert_eq!(mail.idempotency_key, format!("report-ready/{id}/3"));
        }
        assert_eq!(mail("Anna", "de").email, mail("Anna", "de").email);
    }

    #[test]
    fn a_hostile_name_stays_text() {
        let mail = mail("<script>alert(1)</script>\r\nBcc: x@y.z", "de");
        assert!(!mail.email.html.contains("<script>"));
        assert!(mail.email.text.lines().next().unwrap().contains("Bcc:"));
    }

    #[test]
    fn no_word_about_health() {
        for locale in ["de", "en"] {
            let mail = mail("Anna", locale);
            let all = format!(
                "{} {} {}",
                mail.email.subject, mail.email.text, mail.email.html
            )
            .to_lowercase();
            for word in [
                "haut", "skin", "falten", "wrinkle", "pore", "pigment", "redness", "rötung",
            ] {
                assert!(!all.contains(word), "{word}");
            }
        }
    }
}
