//! The page in a copy of what is stored that a person can read.

use dermalia_locale::Locale;
use dermalia_record::ScanRecord;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A file of a copy.
#[derive(Debug)]
pub struct PackedFile {
    /// Its path in the archive.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// The same in a few words of the patient's language.
    pub what: &'static str,
}

/// The index of a copy, as HTML.
#[must_use]
pub fn index(locale: Locale, title: &str, record: &ScanRecord, files: &[PackedFile]) -> String {
    let messages = locale.messages();
    let texts = &messages.copies;
    let mut rows = String::new();
    for file in files {
        let name = escape(&file.name);
        rows.push_str(&format!(
            "<tr><td><a href=\"{name}\">{name}</a></td><td>{}</td><td>{}</td></tr>\n",
            file.bytes.len(),
            file.what
        ));
    }
    let recipients: String = texts
        .recipient_list
        .iter()
        .map(|(who, what)| format!("<li>{}: {}</li>\n", escape(who), escape(what)))
        .collect();
    let day = |date: Date| (messages.date)(date.year(), date.month(), date.day());
    // In the scan's own offset, as it was stated.
    let captured = record.captured_at.as_deref().and_then(|t| t.get(..10));
    let captured = captured.and_then(|t| t.parse().ok()).map(day);
    let until = Timestamp::from_second(record.expires_at_secs)
        .map(|t| day(t.to_zoned(TimeZone::UTC).date()))
        .unwrap_or_default();
    let about = (texts.about)(
        record.key.scan.as_str(),
        record.key.practice.as_str(),
        captured.as_deref().unwrap_or("-"),
        &until,
    );
    format!(
        "<!doctype html>\n<html lang=\"{tag}\" dir=\"{dir}\"><head><meta charset=\"utf-8\">\
         <title>{title}</title>\n\
         <style>body{{font-family:sans-serif;max-width:60rem;margin:2rem auto;line-height:1.5}}\
         td,th{{text-align:start;padding-block:.2rem;padding-inline:0 1rem;vertical-align:top}}\
         </style></head>\n\
         <body><h1>{title}</h1>\n<p>{about}</p>\n\
         <h2>{files_title}</h2>\n\
         <table><tr><th>{file}</th><th>{bytes}</th><th>{what}</th></tr>\n{rows}</table>\n\
         <h2>{recipients_title}</h2>\n<ul>\n{recipients}</ul>\n\
         <h2>{rights_title}</h2>\n<p>{rights}</p>\n</body></html>\n",
        tag = locale.tag(),
        dir = locale.dir(),
        about = escape(&about),
        files_title = texts.files_title,
        file = texts.file_column,
        bytes = texts.bytes_column,
        what = texts.what_column,
        recipients_title = texts.recipients_title,
        rights_title = texts.rights_title,
        rights = texts.rights,
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use dermalia_record::ScanKey;

    use super::*;

    #[test]
    fn it_is_in_the_language_of_the_report_and_holds_names_as_text() {
        let key = ScanKey {
            practice: "praxis-nord".parse().unwrap(),
            scan: "scan-0001".parse().unwrap(),
        };
        let mut record = ScanRecord::received(key, 0, 1_798_675_200);
        record.captured_at = Some("2026-01-05T23:30:00-08:00".to_owned());
        let file = PackedFile {
            name: "incoming/<b>.jpg".to_owned(),
            bytes: vec![0; 7],
            what: Locale::De.messages().copies.raw_file,
        };
        let page = index(Locale::De, "Ihre Daten", &record, &[file]);
        for expected in [
            "<html lang=\"de\" dir=\"ltr\">",
            "Aufnahme scan-0001 der Praxis praxis-nord vom 5. Januar 2026, \
             gespeichert bis zum 31. Dezember 2026.",
            "<td>7</td><td>eine Datei der rohen Aufnahme",
            "incoming/&lt;b&gt;.jpg",
            "<h2>Empfänger</h2>",
        ] {
            assert!(page.contains(expected), "{expected}: {page}");
        }
        let page = index(Locale::En, "Your data", &record, &[]);
        assert!(page.contains("made on 5 January 2026, kept until 31 December 2026."));
    }
}
