//! The printed report: its standards, its attachment, its bytes.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../../report/tests/fixture/mod.rs"]
mod fixture;

use std::collections::BTreeSet;
use std::time::Instant;

use dermalia_pdf::Typesetter;
use dermalia_report::pictures::{Still, stills};
use dermalia_report::{
    Assets, Locale, PDF_FILE, Picture, PracticeView, Printer, ReportInput, ReportRequest, Sheet,
    render_artifacts, render_report_printed,
};

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

fn printed(stills: &[Still]) -> Vec<Picture<'_>> {
    stills
        .iter()
        .filter_map(|s| {
            Some(Picture {
                print: Some(&s.print),
                ..Picture::of_file(&s.file_name(), &s.webp)?
            })
        })
        .collect()
}

/// The typesetter remembers what it has set: pictures of the same names and sizes under
/// the same words are another patient's all the same.
#[test]
fn nobody_gets_the_pictures_of_the_report_before() {
    let findings = fixture::findings();
    let head = fixture::head(40, 40);
    let patients = [256, 64].map(|px| {
        let (skin, maps) = (fixture::skin(px), fixture::maps(px));
        stills(Some(&head), &skin, &maps).unwrap()
    });
    let typesetter = Typesetter::new().unwrap();
    for turn in 0..4 {
        let (own, other) = (&patients[turn % 2], &patients[1 - turn % 2]);
        let pictures = printed(own);
        let sheet = Sheet::of(&ReportInput {
            findings: &findings,
            practice: PracticeView::default(),
            patient_first_name: None,
            locale: Locale::De,
            expires: None,
            pictures: &pictures,
            assets: Assets::default(),
            previous: None,
        });
        let pdf = typesetter.pdf(&sheet, &pictures, b"{}").unwrap();
        let has = |print: &[u8]| pdf.windows(print.len()).any(|w| w == print);
        assert!(own.iter().all(|s| has(&s.print)), "turn {turn}");
        let is_shared = |print: &[u8]| own.iter().any(|s| s.print == print);
        let foreign: Vec<&Still> = other.iter().filter(|s| !is_shared(&s.print)).collect();
        assert_eq!(foreign.len(), other.len());
        assert!(!foreign.iter().any(|s| has(&s.print)), "turn {turn}");
    }
}

#[test]
fn every_language_is_set_to_both_standards_and_always_alike() {
    let findings = fixture::findings();
    let stills = stills(
        Some(&fixture::head(40, 40)),
        &fixture::skin(256),
        &fixture::maps(256),
    )
    .unwrap();
    let pictures = printed(&stills);
    let typesetter = Typesetter::new().unwrap();
    let half = [13, 92, 99, 255, 13, 92, 99, 0];
    let logo = webp::Encoder::from_rgba(&half, 2, 1).encode_lossless();
    for &locale in Locale::ALL {
        let input = ReportInput {
            findings: &findings,
            practice: PracticeView {
                name: Some("Praxis #am \"Nordufer\" *"),
                contact: Some("Tel. 040 1234 \\ $x$"),
                logo: None,
            },
            patient_first_name: Some("Änne"),
            locale,
            expires: Some("2028-05-14"),
            pictures: &pictures,
            assets: Assets::default(),
            previous: None,
        };
        let sheet = Sheet::of(&input);
        assert_eq!(sheet.picture_files().len(), 13);
        let start = Instant::now();
        let pdf = typesetter.pdf(&sheet, &pictures, b"{\"a\":1}").unwrap();
        let first = start.elapsed();
        let start = Instant::now();
        let again = typesetter.pdf(&sheet, &pictures, b"{\"a\":1}").unwrap();
        eprintln!(
            "{locale:?}: {} kB, {first:?}, again {:?}",
            pdf.len() / 1000,
            start.elapsed()
        );
        assert!(pdf == again, "the same sheet gives the same bytes");
        assert!(pdf.starts_with(b"%PDF-1.7"));
        let images = |pdf: &[u8]| {
            let name = b"/Subtype/Image";
            pdf.windows(name.len()).filter(|w| *w == name).count()
        };
        // Every picture is in it as the analysis left it, and no other one.
        let has = |print: &[u8]| pdf.windows(print.len()).any(|w| w == print);
        assert!(stills.iter().all(|s| has(&s.print)));
        let distinct: BTreeSet<&[u8]> = stills.iter().map(|s| s.print.as_slice()).collect();
        assert_eq!(images(&pdf), distinct.len());
        // An analysis without them is printed from the pictures of the page.
        let bare: Vec<Picture<'_>> = pictures
            .iter()
            .map(|&p| Picture { print: None, ..p })
            .collect();
        let made = typesetter.pdf(&sheet, &bare, b"{\"a\":1}").unwrap();
        assert!(images(&made) >= distinct.len());
        let with_logo = Sheet::of(&ReportInput {
            practice: PracticeView {
                logo: Some(&logo),
                ..input.practice
            },
            ..input
        });
        let with_logo = typesetter.pdf(&with_logo, &pictures, b"{}").unwrap();
        assert_eq!(images(&with_logo), images(&pdf) + 1);
        for text in [
            "<pdfaid:part>3</pdfaid:part>",
            "<pdfaid:conformance>A</pdfaid:conformance>",
            "<pdfuaid:part>1</pdfuaid:part>",
            "fhir.json",
        ] {
            assert!(holds(&pdf, text), "{text}");
        }
        assert!(pdf.len() < 1_500_000, "{} bytes", pdf.len());
    }
}

#[test]
fn a_report_with_nothing_in_it_can_be_printed() {
    let mut findings = fixture::findings();
    findings.regions.clear();
    findings.captured_at = "soon".to_owned();
    let sheet = Sheet::of(&ReportInput {
        findings: &findings,
        practice: PracticeView::default(),
        patient_first_name: None,
        locale: Locale::En,
        expires: None,
        pictures: &[],
        assets: Assets::default(),
        previous: None,
    });
    let pdf = Typesetter::new()
        .unwrap()
        .print(&sheet, &[], b"{}")
        .unwrap();
    assert!(pdf.starts_with(b"%PDF-1.7"));
}

#[test]
fn it_lies_beside_the_page_which_links_to_it() {
    let made = render_artifacts(
        &fixture::findings(),
        &fixture::maps(64),
        &fixture::skin(64),
        Some(&fixture::head(10, 10)),
    )
    .unwrap();
    let request = ReportRequest {
        practice: PracticeView::default(),
        patient_first_name: None,
        locales: &[Locale::De],
        expires: None,
        previous: None,
        previous_files: &[],
        asset_prefix: "?",
    };
    let typesetter = Typesetter::new().unwrap();
    let files = render_report_printed(&made, &request, Some(&typesetter)).unwrap();
    let pdf = files.iter().find(|f| f.name == PDF_FILE).unwrap();
    assert_eq!(pdf.content_type, "application/pdf");
    assert!(holds(&files[0].bytes, "href=\"?report.pdf\""));
}

#[test]
fn a_broken_picture_is_named_and_nothing_else_is_said() {
    let findings = fixture::findings();
    let broken = Picture {
        view: dermalia_report::pictures::View::Front,
        parameter: None,
        width: 4,
        height: 4,
        webp: b"no picture",
        print: None,
    };
    let sheet = Sheet::of(&ReportInput {
        findings: &findings,
        practice: PracticeView::default(),
        patient_first_name: Some("Anna"),
        locale: Locale::De,
        expires: None,
        pictures: &[broken],
        assets: Assets::default(),
        previous: None,
    });
    let typesetter = Typesetter::new().unwrap();
    let said = typesetter.pdf(&sheet, &[broken], b"{}").unwrap_err();
    assert_eq!(
        said.to_string(),
        "the picture still_front_skin.webp cannot be read"
    );
}
