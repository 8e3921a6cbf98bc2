//! The patient's copies: everything that is held (Art. 15), and what can be taken elsewhere
//! (Art. 20), each as a zip archive with an index that a person can read.

use std::io::{Cursor, Write};

use dermalia_locale::{CopyTexts, Locale};
use dermalia_record::audit::{Action, Actor};
use dermalia_record::{
    Field, ScanKey, ScanRecord, findings_prefix, incoming_archive, incoming_prefix, owner_of,
    report_prefix,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::{PackedFile, Rights, RightsError, index};

/// More objects or entries than any scan has.
const LISTING: usize = 100_000;
/// The largest object that is packed.
const MAX_OBJECT_BYTES: u64 = 512 << 20;
/// All of them together.
const MAX_PACKAGE_BYTES: u64 = 1 << 30;

/// An archive for the patient.
#[derive(Debug)]
pub struct Package {
    /// The zip archive.
    pub bytes: Vec<u8>,
    /// How many files are in it, the index not counted.
    pub files: usize,
}

impl Rights {
    /// Everything that is held on a scan (Art. 15): the record with name and address, the
    /// measurements and pictures, the report, what is kept of the raw bundle, the access
    /// records, the recipients and the audit log's entries about it.
    ///
    /// # Errors
    /// When there is no such scan, or a port fails.
    pub async fn access(&self, scan: &ScanKey, actor: Actor) -> Result<Package, RightsError> {
        let record = self.get(scan).await?;
        let locale = self.locale_of(&record).await?;
        let texts = &locale.messages().copies;
        let mut files = vec![
            PackedFile {
                name: "record.json".to_owned(),
                bytes: pretty(&self.held(&record).await?),
                what: texts.record,
            },
            PackedFile {
                name: "accesses.json".to_owned(),
                bytes: pretty(&self.accesses(&record).await?),
                what: texts.accesses,
            },
            PackedFile {
                name: "recipients.json".to_owned(),
                bytes: pretty(&recipients(texts)),
                what: texts.recipients,
            },
        ];
        let log = self.audit.about(&scan.practice, &scan.scan).await?;
        files.push(PackedFile {
            name: "audit.json".to_owned(),
            bytes: pretty(&serde_json::to_value(log).unwrap_or_default()),
            what: texts.audit,
        });
        let folders = [
            (findings_prefix(scan), "findings", texts.findings),
            (incoming_prefix(scan), "incoming", texts.raw_file),
        ];
        for (prefix, folder, what) in folders {
            self.pack(&prefix, folder, what, texts, &mut files).await?;
        }
        if let Some(archive) = self
            .ports
            .objects
            .get(&incoming_archive(scan), MAX_OBJECT_BYTES)
            .await?
        {
            files.push(PackedFile {
                name: "incoming/bundle.zip".to_owned(),
                bytes: archive.bytes,
                what: texts.raw_file,
            });
        }
        if let Some(report) = record.report_id {
            let prefix = report_prefix(report);
            self.pack(&prefix, "report", texts.report, texts, &mut files)
                .await?;
        }
        let package = archive(locale, texts.access_title, &record, files)?;
        self.tell_given("access", &record, actor, Action::AccessGiven)
            .await?;
        Ok(package)
    }

    /// What can be taken elsewhere in machine-readable form (Art. 20): findings, FHIR,
    /// pictures and model.
    ///
    /// # Errors
    /// When there is no such scan with findings, or a port fails.
    pub async fn portability(&self, scan: &ScanKey, actor: Actor) -> Result<Package, RightsError> {
        let record = self.get(scan).await?;
        let Some(run) = &record.run else {
            return Err(RightsError::NotNow {
                phase: record.phase(),
                expected: "expected one with findings",
            });
        };
        let locale = self.locale_of(&record).await?;
        let texts = &locale.messages().copies;
        let mut files = Vec::new();
        let prefix = dermalia_record::run_prefix(scan, run);
        self.pack(&prefix, "findings", texts.findings, texts, &mut files)
            .await?;
        if let Some(report) = record.report_id {
            let mut report_files = Vec::new();
            let prefix = report_prefix(report);
            let what = texts.for_other_systems;
            self.pack(&prefix, "report", what, texts, &mut report_files)
                .await?;
            // The data, not the page made for reading; what is in the findings is not
            // packed twice.
            report_files.retain(|file| {
                file.name.ends_with(".json") && !files.iter().any(|f| f.bytes == file.bytes)
            });
            files.extend(report_files);
        }
        let package = archive(locale, texts.portability_title, &record, files)?;
        self.tell_given("portability", &record, actor, Action::PortabilityGiven)
            .await?;
        Ok(package)
    }

    /// Copies are given as often as they are asked for: each day's counts once.
    async fn tell_given(
        &self,
        name: &str,
        record: &ScanRecord,
        actor: Actor,
        action: Action,
    ) -> Result<(), RightsError> {
        let day = self.ports.clock.now_secs().div_euclid(86_400);
        let operation = format!("{}/{day}", dermalia_expire::operation(name, record));
        self.tell(record, operation, actor, action).await
    }

    /// The language of the scan's report.
    async fn locale_of(&self, record: &ScanRecord) -> Result<Locale, RightsError> {
        let terms = self
            .ports
            .terms(&self.settings, &record.key.practice)
            .await?;
        let tag = record.locale.as_deref().unwrap_or(&terms.locale);
        Ok(Locale::for_patient(tag))
    }

    async fn held(&self, record: &ScanRecord) -> Result<Value, RightsError> {
        let vault = &self.ports.vault;
        let key = &record.key;
        let name = vault
            .open_if_any(key, Field::FirstName, record.first_name.as_ref())
            .await?;
        let email = vault
            .open_if_any(key, Field::Email, record.email.as_ref())
            .await?;
        let mut value = serde_json::to_value(record).unwrap_or_default();
        value["first_name"] = json!(name.as_ref().map(|n| n.reveal()));
        value["email"] = json!(email.as_ref().map(|e| e.reveal()));
        for field in [
            "received_at",
            "expires_at",
            "reported_at",
            "erasure_asked_at",
        ] {
            if let Some(secs) = value[format!("{field}_secs")].as_i64() {
                value[field] = json!(time(secs));
            }
        }
        Ok(value)
    }

    async fn accesses(&self, record: &ScanRecord) -> Result<Value, RightsError> {
        let Some(report) = record.report_id else {
            return Ok(json!([]));
        };
        let entries = self.ports.accesses.list(report, LISTING).await?;
        let entry = |entry: dermalia_record::port::AccessEntry| {
            json!({
                "at": time(entry.at_secs),
                "kept_until": time(entry.expires_at_secs),
                "entry": serde_json::from_str::<Value>(&entry.body).unwrap_or_default(),
            })
        };
        Ok(entries.into_iter().map(entry).collect())
    }

    async fn pack(
        &self,
        prefix: &str,
        folder: &str,
        what: &'static str,
        texts: &CopyTexts,
        files: &mut Vec<PackedFile>,
    ) -> Result<(), RightsError> {
        let listing = self.ports.objects.list(prefix, LISTING).await?;
        let mut total: u64 = files.iter().map(|f| f.bytes.len() as u64).sum();
        for object in listing.objects {
            total = total.saturating_add(object.bytes);
            if total > MAX_PACKAGE_BYTES {
                let text = format!("expected at most {MAX_PACKAGE_BYTES} bytes, got more");
                return Err(RightsError::Package(text));
            }
            let found = self
                .ports
                .objects
                .get(&object.key, MAX_OBJECT_BYTES)
                .await?;
            let Some(found) = found else { continue };
            let is_raw = owner_of(&object.key).is_some_and(|(_, is_raw)| is_raw);
            files.push(PackedFile {
                name: format!("{folder}/{}", &object.key[prefix.len()..]),
                bytes: found.bytes,
                what: if is_raw { texts.raw_file } else { what },
            });
        }
        Ok(())
    }
}

fn recipients(texts: &CopyTexts) -> Value {
    texts
        .recipient_list
        .iter()
        .map(|(who, what)| json!({ "recipient": who, "purpose": what }))
        .collect()
}

fn pretty(value: &Value) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

fn time(secs: i64) -> String {
    Timestamp::from_second(secs)
        .map(|t| t.to_string())
        .unwrap_or_default()
}

fn archive(
    locale: Locale,
    title: &str,
    record: &ScanRecord,
    files: Vec<PackedFile>,
) -> Result<Package, RightsError> {
    let failed = |e: &dyn std::fmt::Display| RightsError::Package(e.to_string());
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // No time of packing in it: the same data give the same archive.
    let options = SimpleFileOptions::default();
    let index = index(locale, title, record, &files);
    let named = std::iter::once(("index.html", index.as_bytes()))
        .chain(files.iter().map(|f| (f.name.as_str(), f.bytes.as_slice())));
    for (name, bytes) in named {
        zip.start_file(name, options).map_err(|e| failed(&e))?;
        zip.write_all(bytes).map_err(|e| failed(&e))?;
    }
    let bytes = zip.finish().map_err(|e| failed(&e))?.into_inner();
    Ok(Package {
        bytes,
        files: files.len(),
    })
}
