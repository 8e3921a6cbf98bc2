//! The report as a DICOM object, read back element by element.
#![allow(missing_docs, clippy::unwrap_used)]

mod fixture;

use std::collections::BTreeMap;

use dermalia_findings::Findings;
use dermalia_report::{DicomError, DicomInput, PracticeView, dicom};

type Read = BTreeMap<(u16, u16), (String, Vec<u8>)>;

/// Reads explicit little-endian values and checks that tags ascend and lengths are even.
fn read(bytes: &[u8]) -> Read {
    assert!(bytes[..128].iter().all(|&b| b == 0));
    assert_eq!(&bytes[128..132], b"DICM");
    let mut out = Read::new();
    let mut at = 132;
    let short = |at: usize| u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap());
    while at < bytes.len() {
        let tag = (short(at), short(at + 2));
        let kind = String::from_utf8(bytes[at + 4..at + 6].to_vec()).unwrap();
        let (length, head) = if matches!(kind.as_str(), "OB" | "SQ") {
            assert_eq!(short(at + 6), 0);
            let long = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap());
            (long as usize, 12)
        } else {
            (usize::from(short(at + 6)), 8)
        };
        assert_eq!(length % 2, 0);
        let value = bytes[at + head..at + head + length].to_vec();
        assert!(
            out.last_key_value().is_none_or(|(last, _)| *last < tag),
            "{tag:04x?}"
        );
        out.insert(tag, (kind, value));
        at += head + length;
    }
    out
}

fn object(findings: &Findings, pdf: &[u8]) -> Result<Vec<u8>, DicomError> {
    dicom(&DicomInput {
        findings,
        practice: PracticeView {
            name: Some("Praxis \\ am Nordufer"),
            ..PracticeView::default()
        },
        title: "Ihr Hautbericht",
        pdf,
    })
}

fn words(read: &Read, group: u16, element: u16) -> String {
    let value = &read[&(group, element)].1;
    let text = std::str::from_utf8(value).unwrap();
    text.trim_end_matches(['\0', ' ']).to_owned()
}

#[test]
fn it_holds_the_report_and_says_when_and_where_but_not_who() {
    let findings = fixture::findings();
    let pdf = b"%PDF-1.7 of nineteen";
    let pdf = &pdf[..19];
    let bytes = object(&findings, pdf).unwrap();
    let read = read(&bytes);
    let (kind, document) = &read[&(0x42, 0x11)];
    assert_eq!(kind, "OB");
    assert_eq!((&document[..19], document.len()), (pdf, 20));
    assert_eq!(read[&(0x42, 0x15)].1, 19_u32.to_le_bytes());
    for ((group, element), expected) in [
        ((0x02, 0x02), "1.2.840.10008.5.1.4.1.1.104.1"),
        ((0x02, 0x10), "1.2.840.10008.1.2.1"),
        ((0x08, 0x05), "ISO_IR 192"),
        ((0x08, 0x20), "20260514"),
        ((0x08, 0x30), "093100"),
        ((0x08, 0x2A), "20260514093100+0200"),
        ((0x08, 0x60), "DOC"),
        ((0x08, 0x80), "Praxis  am Nordufer"),
        ((0x10, 0x20), "D9-20260514-000123"),
        ((0x20, 0x10), "20260514093100"),
        ((0x42, 0x10), "Ihr Hautbericht"),
        ((0x42, 0x12), "application/pdf"),
    ] {
        assert_eq!(
            words(&read, group, element),
            expected,
            "{group:04x},{element:04x}"
        );
    }
    for who in [0x10, 0x30, 0x40] {
        assert!(read[&(0x10, who)].1.is_empty());
    }
    // The meta group's length is that of the rest of its group.
    let rest = bytes
        .windows(8)
        .position(|w| w == b"\x08\0\x05\0CS\x0a\0")
        .unwrap();
    let told = u32::from_le_bytes(read[&(2, 0)].1.clone().try_into().unwrap());
    assert_eq!(told as usize, rest - (132 + 12));
}

#[test]
fn its_names_follow_from_what_they_name() {
    let findings = fixture::findings();
    let first = read(&object(&findings, b"%PDF-1").unwrap());
    let uids = |r: &Read| [(8, 0x18), (0x20, 0x0D), (0x20, 0x0E)].map(|(g, e)| words(r, g, e));
    assert_eq!(
        uids(&first),
        uids(&read(&object(&findings, b"%PDF-1").unwrap()))
    );
    let [instance, study, series] = uids(&first);
    assert_eq!(instance, words(&first, 2, 3));
    for uid in [&instance, &study, &series] {
        assert!(uid.len() <= 64 && uid.starts_with("2.25."), "{uid}");
    }
    assert!(instance != study && study != series && instance != series);
    // Another print of the same scan is another instance of the same study.
    let [again, same, _] = uids(&read(&object(&findings, b"%PDF-2").unwrap()));
    assert!(again != instance && same == study);
    let mut other = findings;
    other.scan_id = "D9-20260514-000124".to_owned();
    assert!(
        uids(&read(&object(&other, b"%PDF-1").unwrap()))
            .iter()
            .all(|u| !uids(&first).contains(u))
    );
}

#[test]
fn what_cannot_be_filed_is_refused() {
    let mut findings = fixture::findings();
    assert_eq!(object(&findings, b"<html>"), Err(DicomError::Pdf));
    for wrong in ["soon", "2026-05-14", "2026-05-14T09:31:00"] {
        findings.captured_at = wrong.to_owned();
        let got = wrong.to_owned();
        assert_eq!(object(&findings, b"%PDF-1"), Err(DicomError::Time { got }));
    }
}
