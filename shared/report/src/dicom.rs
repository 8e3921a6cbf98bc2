//! The printed report as a DICOM object: Encapsulated PDF (PS3.3 A.45.1), in explicit
//! little-endian values (PS3.5 7.1.2), for a practice's archive.
//!
//! Who the patient is, only the practice knows: name, birth date and sex are left empty, to
//! be filled in by the archive, and the scan's identifier stands for the patient's number.
//! The same report gives the same bytes.

use dermalia_findings::Findings;
use jiff::fmt::temporal::Pieces;
use sha2::{Digest, Sha256};

use crate::page::PracticeView;

const ENCAPSULATED_PDF: &str = "1.2.840.10008.5.1.4.1.1.104.1";
const EXPLICIT_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// A UUID of our own, drawn once.
const IMPLEMENTATION: &str = "2.25.121123879390371194888245010161598242064";
/// The largest PDF: the length of a value has 32 bits, of which the last even one is taken.
const MAX_PDF_BYTES: usize = 0xFFFF_FFFD;
/// The longest text of the value types `LO` and `ST` that are written here.
const MAX_LO_CHARS: usize = 64;

/// What the object is made from.
#[derive(Clone, Copy)]
pub struct DicomInput<'a> {
    /// What the report tells.
    pub findings: &'a Findings,
    /// Who made the scan.
    pub practice: PracticeView<'a>,
    /// The report's title.
    pub title: &'a str,
    /// The printed report.
    pub pdf: &'a [u8],
}

/// Why there is no object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DicomError {
    /// Not what is to be encapsulated.
    #[error("the printed report is no PDF")]
    Pdf,
    /// More than a value holds.
    #[error("the printed report has {got} bytes (DICOM holds at most {MAX_PDF_BYTES})")]
    Size {
        /// Its size.
        got: usize,
    },
    /// The capture has no time that DICOM could tell.
    #[error("captured_at: expected an RFC 3339 time, got {got:?}")]
    Time {
        /// What stands there.
        got: String,
    },
}

/// When the scan was made, by the clock on the practice's wall.
struct Moment {
    date: String,
    time: String,
    offset: String,
}

impl Moment {
    fn of(text: &str) -> Option<Self> {
        let pieces = Pieces::parse(text).ok()?;
        let (date, time) = (pieces.date(), pieces.time()?);
        let seconds = pieces.to_numeric_offset()?.seconds();
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.unsigned_abs() / 60;
        (1..=9999).contains(&date.year()).then(|| Self {
            date: format!("{:04}{:02}{:02}", date.year(), date.month(), date.day()),
            time: format!("{:02}{:02}{:02}", time.hour(), time.minute(), time.second()),
            offset: format!("{sign}{:02}{:02}", minutes / 60, minutes % 60),
        })
    }
}

/// A unique identifier (PS3.5 B.2) that follows from what it names.
fn uid(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finalize();
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&digest[..16]);
    // A UUID of version 8 (RFC 9562).
    bytes[6] = 0x80 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    format!("2.25.{}", u128::from_be_bytes(bytes))
}

/// Elements in the ascending order of their tags.
#[derive(Default)]
struct Elements(Vec<u8>);

impl Elements {
    /// A value of up to 65,534 bytes, filled up to an even number.
    fn put(&mut self, (group, element): (u16, u16), kind: &str, value: &[u8], filler: u8) {
        let is_long = matches!(kind, "OB" | "SQ");
        let length = value.len() + value.len() % 2;
        self.0.extend(group.to_le_bytes());
        self.0.extend(element.to_le_bytes());
        self.0.extend(kind.as_bytes());
        if is_long {
            self.0.extend([0, 0]);
            self.0.extend((length as u32).to_le_bytes());
        } else {
            self.0.extend((length as u16).to_le_bytes());
        }
        self.0.extend(value);
        if length > value.len() {
            self.0.push(filler);
        }
    }

    fn text(&mut self, tag: (u16, u16), kind: &str, value: &str) {
        let filler = if kind == "UI" { 0 } else { b' ' };
        self.put(tag, kind, value.as_bytes(), filler);
    }

    /// Free text without what a value may not hold.
    fn words(&mut self, tag: (u16, u16), kind: &str, value: &str) {
        let clean = |c: char| !c.is_control() && c != '\\';
        let cut: String = value
            .trim()
            .chars()
            .filter(|&c| clean(c))
            .take(MAX_LO_CHARS)
            .collect();
        self.text(tag, kind, cut.trim_end());
    }
}

/// Writes the object as a file (PS3.10).
///
/// # Errors
/// When the report is no PDF, or the capture's time is none.
pub fn dicom(input: &DicomInput<'_>) -> Result<Vec<u8>, DicomError> {
    let findings = input.findings;
    let got = input.pdf.len();
    if !input.pdf.starts_with(b"%PDF-") {
        return Err(DicomError::Pdf);
    }
    if got > MAX_PDF_BYTES {
        return Err(DicomError::Size { got });
    }
    let at = Moment::of(&findings.captured_at).ok_or_else(|| DicomError::Time {
        got: findings.captured_at.clone(),
    })?;
    let scan = [findings.practice_id.as_bytes(), findings.scan_id.as_bytes()];
    let uid_of = |what: &[u8], more: &[u8]| uid(&[scan[0], scan[1], what, more]);
    let instance = uid_of(b"instance", &Sha256::digest(input.pdf));
    let named = input.practice.name.map(str::trim).filter(|n| !n.is_empty());
    let practice = named.unwrap_or(&findings.practice_id);

    let mut meta = Elements::default();
    meta.put((2, 0x0001), "OB", &[0, 1], 0);
    meta.text((2, 0x0002), "UI", ENCAPSULATED_PDF);
    meta.text((2, 0x0003), "UI", &instance);
    meta.text((2, 0x0010), "UI", EXPLICIT_LITTLE_ENDIAN);
    meta.text((2, 0x0012), "UI", IMPLEMENTATION);
    meta.text((2, 0x0013), "SH", "DERMALIA");

    let mut e = Elements::default();
    e.text((0x08, 0x0005), "CS", "ISO_IR 192");
    e.text((0x08, 0x0016), "UI", ENCAPSULATED_PDF);
    e.text((0x08, 0x0018), "UI", &instance);
    e.text((0x08, 0x0020), "DA", &at.date);
    e.text((0x08, 0x0023), "DA", &at.date);
    let moment = format!("{}{}{}", at.date, at.time, at.offset);
    e.text((0x08, 0x002A), "DT", &moment);
    e.text((0x08, 0x0030), "TM", &at.time);
    e.text((0x08, 0x0033), "TM", &at.time);
    e.text((0x08, 0x0050), "SH", "");
    e.text((0x08, 0x0060), "CS", "DOC");
    e.text((0x08, 0x0064), "CS", "WSD");
    e.words(
        (0x08, 0x0070),
        "LO",
        "Mosaic Medical UG (haftungsbeschränkt)",
    );
    e.words((0x08, 0x0080), "LO", practice);
    e.text((0x08, 0x0090), "PN", "");
    e.text((0x08, 0x0201), "SH", &at.offset);
    e.words((0x08, 0x1030), "LO", input.title);
    e.words((0x08, 0x103E), "LO", input.title);
    e.text((0x08, 0x1090), "LO", "Dermalia");
    // The patient: no more than the scan says.
    e.text((0x10, 0x0010), "PN", "");
    e.words((0x10, 0x0020), "LO", &findings.scan_id);
    e.text((0x10, 0x0030), "DA", "");
    e.text((0x10, 0x0040), "CS", "");
    e.words((0x18, 0x1020), "LO", &findings.algorithm);
    e.text((0x20, 0x000D), "UI", &uid_of(b"study", b""));
    e.text((0x20, 0x000E), "UI", &uid_of(b"series", b""));
    e.text((0x20, 0x0010), "SH", &format!("{}{}", at.date, at.time));
    e.text((0x20, 0x0011), "IS", "1");
    e.text((0x20, 0x0013), "IS", "1");
    // It may greet the patient by first name.
    e.text((0x28, 0x0301), "CS", "YES");
    e.put((0x40, 0xA043), "SQ", &[], 0);
    e.words((0x42, 0x0010), "ST", input.title);
    e.put((0x42, 0x0011), "OB", input.pdf, 0);
    e.text((0x42, 0x0012), "LO", "application/pdf");
    // The PDF alone, without the byte that makes its number even.
    e.put((0x42, 0x0015), "UL", &(got as u32).to_le_bytes(), 0);

    let mut out = vec![0; 128];
    out.extend(b"DICM");
    let mut length = Elements::default();
    length.put((2, 0x0000), "UL", &(meta.0.len() as u32).to_le_bytes(), 0);
    for part in [length.0, meta.0, e.0] {
        out.extend(part);
    }
    Ok(out)
}
