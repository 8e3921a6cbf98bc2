//! Mails as `.eml` files in a folder, in place of a mail service.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use data_encoding::{BASE64, HEXLOWER};
use dermalia_record::port::{Email, Mailer, PortError};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::files::{
    create_private_dir, create_private_file, random_name, remove_if_present, sync_dir,
};

const PORT: &str = "mailer";

/// Writes each mail once, as a file of mode 0600 that any mail program opens.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: PathBuf,
}

impl Outbox {
    /// The outbox in this folder, which is created if need be.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn open(folder: &Path) -> Result<Self, PortError> {
        let failed = |e: std::io::Error| PortError::retry(PORT, "open", e.kind());
        create_private_dir(folder).map_err(failed)?;
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            if path.extension().is_some_and(|e| e == "part") {
                remove_if_present(&path).map_err(failed)?;
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Removes the mail of this key, if it is there.
    ///
    /// # Errors
    /// When the file system fails.
    pub fn forget(&self, idempotency_key: &str) -> Result<bool, PortError> {
        remove_if_present(&self.path(idempotency_key))
            .map_err(|e| PortError::retry(PORT, "forget", e.kind()))
    }

    /// Where the mail of this key lies.
    #[must_use]
    pub fn path(&self, idempotency_key: &str) -> PathBuf {
        let hash = Sha256::digest(idempotency_key.as_bytes());
        self.folder
            .join(format!("{}.eml", HEXLOWER.encode(&hash[..16])))
    }

    fn write(&self, message: &str, path: &Path) -> std::io::Result<()> {
        let part = self.folder.join(format!("{}.part", random_name()?));
        create_private_file(&part, message.as_bytes())?;
        // A link, other than a rename, never replaces what is there.
        let linked = fs::hard_link(&part, path);
        fs::remove_file(&part)?;
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        sync_dir(&self.folder)
    }
}

#[async_trait]
impl Mailer for Outbox {
    async fn send(&self, email: &Email, idempotency_key: &str) -> Result<(), PortError> {
        let path = self.path(idempotency_key);
        let id = path
            .file_stem()
            .map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default();
        let message = message(email, &id)?;
        let outbox = self.clone();
        match tokio::task::spawn_blocking(move || outbox.write(&message, &path)).await {
            Ok(result) => result.map_err(|e| PortError::retry(PORT, "send", e.kind())),
            Err(error) => Err(PortError::retry(PORT, "send", error)),
        }
    }
}

/// The mail as RFC 5322 text with a plain and an HTML part.
fn message(email: &Email, id: &str) -> Result<String, PortError> {
    let refuse = |what: &str| PortError::permanent(PORT, "send", what.to_owned());
    let to = email.to.reveal();
    let plain_address = to.matches('@').count() == 1
        && to.len() <= 254
        && !to.starts_with('@')
        && !to.ends_with('@')
        && !to.chars().any(|c| {
            c.is_control() || c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '"' | ':')
        });
    if !plain_address {
        return Err(refuse("the recipient is not one plain address"));
    }
    let reply_to = email.reply_to.as_deref().unwrap_or_default();
    if [&email.from, reply_to]
        .iter()
        .any(|a| a.chars().any(char::is_control))
    {
        return Err(refuse("the sender has control characters"));
    }
    let reply_to = match reply_to {
        "" => String::new(),
        address => format!("Reply-To: {address}\r\n"),
    };
    let date = Timestamp::from_second(email.date_secs)
        .map_err(|_| refuse("the date lies beyond the calendar"))?
        .strftime("%a, %d %b %Y %H:%M:%S +0000");
    let boundary = format!("=_{id}");
    let mut message = format!(
        "From: {from}\r\n{reply_to}To: {to}\r\nSubject: {subject}\r\nDate: {date}\r\n\
         Message-ID: <{id}@dermalia.invalid>\r\nMIME-Version: 1.0\r\n\
         Auto-Submitted: auto-generated\r\n\
         Content-Type: multipart/alternative;\r\n boundary=\"{boundary}\"\r\n\r\n",
        from = email.from,
        subject = encoded_words(&email.subject),
    );
    for (kind, content) in [("plain", &email.text), ("html", &email.html)] {
        message.push_str(&format!(
            "--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            wrapped_base64(content),
        ));
    }
    message.push_str(&format!("--{boundary}--\r\n"));
    Ok(message)
}

/// RFC 2047: every word encoded, so that no character can end the header.
fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut word = String::new();
    for c in text.chars() {
        if word.len() + c.len_utf8() > 42 {
            words.push(std::mem::take(&mut word));
        }
        word.push(c);
    }
    words.push(word);
    let encoded: Vec<String> = words
        .iter()
        .map(|w| format!("=?utf-8?B?{}?=", BASE64.encode(w.as_bytes())))
        .collect();
    encoded.join("\r\n ")
}

fn wrapped_base64(text: &str) -> String {
    let encoded = BASE64.encode(text.as_bytes());
    let mut wrapped = String::with_capacity(encoded.len() + encoded.len() / 38);
    for (i, c) in encoded.chars().enumerate() {
        if i > 0 && i % 76 == 0 {
            wrapped.push_str("\r\n");
        }
        wrapped.push(c);
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use dermalia_record::Personal;

    use super::*;

    fn email(to: &str) -> Email {
        Email {
            from: "Dermalia <report@dermalia.de>".to_owned(),
            to: Personal::new(to.to_owned()),
            reply_to: Some("Praxis Nord <praxis@example.org>".to_owned()),
            subject: "Ihr Hautbericht ist da – für Anna, die eine lange Betreffzeile hat"
                .to_owned(),
            text: "Guten Tag Anna,\n".to_owned(),
            html: "<p>Guten Tag Anna,</p>".to_owned(),
            date_secs: 1_778_743_860,
        }
    }

    #[tokio::test]
    async fn one_file_a_key() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        for key in ["report-ready/a/1", "report-ready/a/1", "report-ready/a/2"] {
            outbox.send(&email("anna@example.org"), key).await.unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
        let path = outbox.path("report-ready/a/1");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("\r\nTo: anna@example.org\r\n"));
        assert!(text.contains("Reply-To: Praxis Nord <praxis@example.org>\r\n"));
        assert!(
            text.contains("Date: Thu, 14 May 2026 07:31:00 +0000\r\n"),
            "{text}"
        );
        assert!(
            text.lines().all(|line| line.len() <= 78 && line.is_ascii()),
            "{text}"
        );
        assert!(outbox.forget("report-ready/a/1").unwrap());
        assert!(!outbox.forget("report-ready/a/1").unwrap());
    }

    #[tokio::test]
    async fn headers_cannot_be_smuggled_in() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        for bad in [
            "a@b.de\r\nBcc: c@d.de",
            "a@b.de,c@d.de",
            "a b@c.de",
            "nobody",
            "@b.de",
            "a@b@c",
        ] {
            let error = outbox.send(&email(bad), "k").await.unwrap_err();
            assert!(!error.to_string().contains("b.de"), "{error}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
