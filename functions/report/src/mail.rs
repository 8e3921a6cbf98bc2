//! The e-mail: a greeting and the link. No health data, no name of a measure, no picture.

use dermalia_link::SigningKey;
use dermalia_locale::Locale;
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
    let grant = record.link?;
    let practice = settings
        .practice_name
        .as_deref()
        .map_or_else(|| record.key.practice.as_str().to_owned(), one_line);
    let name = first_name.map(|n| one_line(n.reveal()));
    let locale = Locale::for_patient(record.locale.as_deref().unwrap_or(&settings.locale));
    let messages = locale.messages();
    let texts = &messages.mail.report;
    let days = (grant.expires_at_secs - grant.issued_at_secs).max(0) / 86_400;
    let (year, month, day) = day_of(grant.expires_at_secs);
    let letter = Letter {
        locale,
        subject: texts.subject,
        greeting: (texts.greeting)(name.as_deref()),
        lead: (texts.lead)(&practice),
        button: texts.button,
        otherwise: texts.otherwise,
        notes: [
            (texts.validity)(days, &(messages.date)(year, month, day)),
            match settings.reply_to {
                Some(_) => texts.questions_by_reply.to_owned(),
                None => texts.questions.to_owned(),
            },
        ],
    };
    Some(MailText {
        email: Email {
            from: settings.sender.clone(),
            to: to.clone(),
            reply_to: settings.reply_to.clone(),
            text: letter.plain(&url),
            html: letter.html(&url, &practice),
            subject: letter.subject.to_owned(),
            date_secs: grant.issued_at_secs,
        },
        idempotency_key: record.mail_idempotency_key()?,
    })
}

/// What the letter says.
struct Letter {
    locale: Locale,
    subject: &'static str,
    greeting: String,
    lead: String,
    button: &'static str,
    otherwise: &'static str,
    notes: [String; 2],
}

impl Letter {
    fn plain(&self, url: &str) -> String {
        let notes = self.notes.join("\n\n");
        format!("{}\n\n{}\n\n{url}\n\n{notes}\n", self.greeting, self.lead)
    }

    /// Without a picture, a style sheet or anything else to fetch; laid out by one table,
    /// because mail programs know little else.
    fn html(&self, url: &str, practice: &str) -> String {
        let paragraph = |text: &str| {
            let text = escape(text);
            format!("<p style=\"margin:0 0 16px\">{text}</p>")
        };
        let notes: String = self
            .notes
            .iter()
            .map(|note| {
                let note = escape(note);
                format!(
                    "<p style=\"margin:0 0 12px;font-size:14px;line-height:21px;color:#55636a\">{note}</p>"
                )
            })
            .collect();
        let url = escape(url);
        format!(
            "<!doctype html><html lang=\"{lang}\" dir=\"{dir}\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light\"><title>{subject}</title></head>\
             <body style=\"margin:0;padding:0;background:#faf8f5\">\
             <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" \
             style=\"background:#faf8f5\"><tr><td align=\"center\" style=\"padding:24px 12px\">\
             <table role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" \
             style=\"max-width:560px;background:#ffffff;border:1px solid #dfd9d0;border-radius:12px\">\
             <tr><td style=\"padding:32px 28px;font-family:Arial,Helvetica,sans-serif;font-size:16px;\
             line-height:25px;color:#1e2a2d;text-align:{start}\">\
             <p style=\"margin:0 0 24px;font-weight:bold\">{practice}</p>{greeting}{lead}\
             <p style=\"margin:24px 0\"><a href=\"{url}\" style=\"display:inline-block;padding:13px 26px;\
             background:#0d5c63;border-radius:8px;color:#ffffff;font-weight:bold;text-decoration:none\">\
             {button}</a></p>\
             <p style=\"margin:0 0 4px;font-size:14px;line-height:21px;color:#55636a\">{otherwise}</p>\
             <p style=\"margin:0 0 24px;font-size:13px;line-height:19px;word-break:break-all\">\
             <a href=\"{url}\" style=\"color:#0d5c63\">{url}</a></p>{notes}\
             </td></tr></table></td></tr></table></body></html>",
            lang = self.locale.tag(),
            dir = self.locale.dir(),
            // Mail programs know the sides alone.
            start = if self.locale.dir() == "rtl" {
                "right"
            } else {
                "left"
            },
            subject = escape(self.subject),
            practice = escape(practice),
            greeting = paragraph(&self.greeting),
            lead = paragraph(&self.lead),
            button = self.button,
            otherwise = self.otherwise,
        )
    }
}

/// Year, month and day in UTC of a time since 1970 (Hinnant, "chrono-compatible
/// low-level date algorithms", civil_from_days).
fn day_of(secs: i64) -> (i16, i8, i8) {
    let z = secs.div_euclid(86_400) + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month < 3);
    (
        i16::try_from(year).unwrap_or(i16::MAX),
        i8::try_from(month).unwrap_or(1),
        i8::try_from(day).unwrap_or(1),
    )
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
    fn the_end_of_the_link_is_a_date() {
        assert_eq!(day_of(0), (1970, 1, 1));
        assert_eq!(day_of(951_782_400), (2000, 2, 29));
        assert_eq!(day_of(1_798_675_200), (2026, 12, 31));
        assert_eq!(day_of(4_107_542_399), (2100, 2, 28));
        assert!(
            mail("Anna", "de")
                .email
                .text
                .contains("bis zum 15. Januar 1970")
        );
        assert!(
            mail("Anna", "en")
                .email
                .html
                .contains("until 15 January 1970")
        );
    }

    #[test]
    fn nothing_is_fetched_by_reading_it() {
        let html = mail("Anna", "de").email.html;
        for word in ["<img", "src=", "url(", "<link", "@import", "<script"] {
            assert!(!html.contains(word), "{word}");
        }
        // One address, twice a link and once in letters.
        assert_eq!(html.matches("https://").count(), 3);
        assert_eq!(html.matches("https://report.dermalia.de/r/").count(), 3);
    }

    #[test]
    fn answers_go_where_the_practice_wants_them() {
        let key = SigningKey::from_seed(KeyId::new(1), &[5; 32]);
        let to = Personal::new("anna@example.org".to_owned());
        let settings = Settings {
            reply_to: Some("praxis@example.org".to_owned()),
            practice_name: Some("Praxis <Nord>\r\nBcc: x@y.z".to_owned()),
            ..Settings::default()
        };
        let mail = mail_text(&record("de"), &settings, &key, &to, None).unwrap();
        assert_eq!(mail.email.reply_to, settings.reply_to);
        assert!(
            mail.email
                .text
                .contains("eine Antwort auf diese E-Mail erreicht sie")
        );
        assert!(mail.email.html.contains("Praxis &lt;Nord&gt;  Bcc: x@y.z"));
        assert!(!mail.email.text.contains("\nBcc"));
    }

    #[test]
    fn a_hostile_name_stays_text() {
        let mail = mail("<script>alert(1)</script>\r\nBcc: x@y.z", "de");
        assert!(!mail.email.html.contains("<script>"));
        assert!(mail.email.text.lines().next().unwrap().contains("Bcc:"));
    }

    #[test]
    fn no_word_about_health() {
        for locale in Locale::ALL {
            let mail = mail("Anna", locale.tag());
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
