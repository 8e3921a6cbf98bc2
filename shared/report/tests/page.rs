//! What the page says, and what it must never say.
#![allow(missing_docs, clippy::unwrap_used)]

mod fixture;

use dermalia_findings::scatter::Verdict;
use dermalia_findings::{
    Confidence, Feature, Findings, Measure, MeasureName, Parameter, Region, compared,
};
use dermalia_report::{
    Assets, Locale, Picture, PracticeView, ReportInput, STYLE, Sheet, render_html, write_glb,
};

fn input(findings: &Findings, locale: Locale) -> ReportInput<'_> {
    ReportInput {
        findings,
        practice: PracticeView {
            name: Some("Praxis am Nordufer"),
            contact: Some("Tel. 040 1234"),
            logo: None,
        },
        patient_first_name: Some("Anna"),
        locale,
        expires: Some("2028-05-14"),
        pictures: &[],
        assets: Assets {
            data_href: Some("data.json"),
            model_href: Some("scan.glb"),
            ..Assets::default()
        },
        previous: None,
    }
}

/// The text of a page without its markup, white space made single.
fn text(html: &str) -> String {
    let body = &html[html.find("<body").unwrap()..];
    let mut out = String::new();
    let mut inside = false;
    for c in body.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                out.push(' ');
            }
            c if !inside => out.push(if c == '\u{a0}' { ' ' } else { c }),
            _ => {}
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_value_and_every_gap_is_on_the_page() {
    let findings = fixture::findings();
    let page = text(&render_html(&input(&findings, Locale::En)));
    for expected in [
        // Headlines of the whole face.
        "2.3 mm per cm²",
        "41.7 per cm²",
        "0.83 %",
        "2.5 %",
        "13.7 µm",
        // The probe's two sites.
        "41.3–47.1 AU",
        "between 41.3 AU and 47.1 AU at 2 places",
        "Instrument: Corneometer CM 825",
        // Every other measure of the whole face.
        "23",
        "1.9 %",
        "0.31 mm",
        "3.1 %",
        "40.2°",
        "41.3",
        "0.43 per cm²",
        "6.8 ΔE₀₀",
        "17.9",
        "11.7",
        "18.3 µm",
        "141 µm",
        "\u{2212}0.43",
        "3.61",
        // Gaps and their reasons.
        "Mean depth of lines",
        "no height data that is fine enough",
        "23 lines were found, on average 2.3 mm per cm² of skin",
        "Only the probe of the device measures this",
        "Nothing was found here to take a mean of",
        "Concerns: Chin",
        // Reservations, quality, warnings.
        "Without a colour card in the picture",
        "On dark skin",
        "0.08 mm a pixel",
        "0.87 of 1",
        "0.1 %",
        "The light was uneven",
        "over- or underexposed",
        // The frame.
        "Hello, Anna",
        "14 May 2026",
        "Praxis am Nordufer",
        "Tel. 040 1234",
        "14 May 2028",
        "kontakt@dermalia.de",
        "Art. 15",
        "Art. 21",
        "Not a diagnosis",
        "D9-20260514-000123",
    ] {
        assert!(page.contains(expected), "missing: {expected}\n{page}");
    }
    for region in Region::ALL {
        let own = findings.region(region).unwrap();
        assert!(own.measures.len() == MeasureName::ALL.len());
    }
}

#[test]
fn german_has_its_own_numbers_and_no_english_sentence() {
    let findings = fixture::findings();
    let page = text(&render_html(&input(&findings, Locale::De)));
    for expected in [
        "Guten Tag, Anna",
        "14. Mai 2026",
        "2,3 mm je cm²",
        "0,83 %",
        "41,3–47,1 AU",
        "Keine Diagnose",
        "Ohne Farbtafel im Bild",
        "14. Mai 2028",
    ] {
        assert!(page.contains(expected), "missing: {expected}\n{page}");
    }
    for english in [
        " the ",
        " of ",
        " and ",
        " is ",
        " skin",
        "light standard",
        "needs",
        "measured",
        "found",
        "2.3",
        "0.83",
    ] {
        assert!(!page.contains(english), "English: {english:?}");
    }
}

/// A reason that nobody foresaw is passed on in English to English readers only by the
/// data copy, and never as English on a German page.
#[test]
fn without_spots_the_tone_is_told_once_and_with_its_sign() {
    let mut findings = fixture::findings();
    for region in &mut findings.regions {
        for measure in &mut region.measures {
            if measure.name.as_str().starts_with("spot_") {
                *measure = Measure::not_measured(measure.name, "no white picture");
            }
        }
    }
    let html = render_html(&input(&findings, Locale::En));
    assert!(
        html.contains(r#"<span class="number">40.2°</span>"#),
        "the sign stands apart"
    );
    let section = &html[html.find(r#"id="pigmentation""#).unwrap()..];
    let lead = text(&format!(
        "<body>{}",
        &section[..section
            .find("<figure")
            .or(section.find("<details"))
            .unwrap()]
    ));
    assert_eq!(
        lead.matches("40.2°").count(),
        2,
        "number and sentence: {lead}"
    );
}

#[test]
fn unforeseen_reasons_do_not_leak_into_another_language() {
    let mut findings = fixture::findings();
    for region in &mut findings.regions {
        region.measures[0] = Measure::not_measured(MeasureName::WrinkleCount, "zorp blibber");
    }
    findings.quality.warnings = vec!["quux happened 3 times".to_owned()];
    let page = text(&render_html(&input(&findings, Locale::De)));
    assert!(!page.contains("zorp") && !page.contains("quux"));
    assert!(page.contains("Kopie Ihrer Messdaten"));
    assert!(page.contains("Anzahl der Linien"));
}

#[test]
fn hostile_text_is_escaped_everywhere() {
    let mut findings = fixture::findings();
    let attack = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&";
    findings.scan_id = attack.to_owned();
    findings.practice_id = attack.to_owned();
    findings.captured_at = attack.to_owned();
    findings.algorithm = attack.to_owned();
    findings.quality.warnings = vec![attack.to_owned()];
    for region in &mut findings.regions {
        for measure in &mut region.measures {
            measure.unit = attack.to_owned();
            measure.reason = Some(format!("measured by X{attack}"));
        }
    }
    for name in [Some(attack), None] {
        let mut i = input(&findings, Locale::De);
        i.practice = PracticeView {
            name,
            contact: Some(attack),
            logo: None,
        };
        i.patient_first_name = Some(attack);
        i.expires = Some(attack);
        let html = render_html(&i);
        assert!(!html.contains("<script") && !html.contains("<img"));
        assert!(html.contains("&lt;script&gt;"));
    }
}

#[test]
fn the_page_tells_what_is_used_behind_a_link_alone() {
    let findings = fixture::findings();
    let mut i = input(&findings, Locale::De);
    assert!(!render_html(&i).contains("name=\"usage\""));
    i.assets.events_href = Some("?events");
    let html = render_html(&i);
    assert!(html.contains("<meta name=\"usage\" content=\"?events\">"));
    assert_eq!(html.matches("<script").count(), 1);
    // What a person types or reads is no part of it.
    let script = html.split("<script").nth(1).unwrap();
    let script = script.split("</script>").next().unwrap();
    for personal in [
        "textContent",
        "innerText",
        "cookie",
        "userAgent",
        "location",
        "localStorage",
    ] {
        assert!(!script.contains(personal), "{personal}");
    }
}

#[test]
fn an_interval_stands_beside_its_value() {
    let mut findings = fixture::findings();
    for region in &mut findings.regions {
        for measure in &mut region.measures {
            let is_computed = measure.source == dermalia_findings::Source::Computed;
            measure.interval = measure.value.filter(|_| is_computed).map(|v| {
                let half = 0.2 * v.abs();
                [v - half, v + half]
            });
        }
    }
    let html = render_html(&input(&findings, Locale::En));
    let page = text(&html);
    for expected in [
        "1.8 to 2.8 · ",
        "in 19 cases of 20 the true value lies between 1.8 and 2.8 mm per cm²",
        "lies between 2.0 and 3.0 %",
        "The level line shows the range",
        "0.31 mm (0.25 to 0.37)",
        "\u{2212}0.43 (\u{2212}0.52 to \u{2212}0.34)",
    ] {
        assert!(page.contains(expected), "missing: {expected}\n{page}");
    }
    assert!(html.matches("class=\"band\"").count() > 40);
    let german = text(&render_html(&input(&findings, Locale::De)));
    assert!(german.contains("1,8 bis 2,8 · ") && german.contains("zwischen 1,8 und 2,8 mm je cm²"));
    // The printed report says it as well.
    let sheet = serde_json::to_string(&Sheet::of(&input(&findings, Locale::De))).unwrap();
    assert!(sheet.contains("zwischen 1,8 und 2,8") && sheet.contains("\"band\":["));
    // A probe's value has none.
    assert!(page.contains("41.3–47.1 AU") && !page.contains("41.3 AU ("));
}

#[test]
fn a_logo_is_part_of_the_page_itself() {
    let findings = fixture::findings();
    let webp = webp::Encoder::from_rgb(&[13, 92, 99, 13, 92, 99], 2, 1).encode_lossless();
    for &locale in Locale::ALL {
        let mut i = input(&findings, locale);
        let without = render_html(&i);
        assert!(!without.contains("class=\"logo\""));
        i.practice.logo = Some(&webp);
        let page = render_html(&i);
        let source = format!(
            "data:image/webp;base64,{}",
            data_encoding::BASE64.encode(&webp)
        );
        let image = format!(r#"<img class="logo" src="{source}" width="2" height="1" alt="">"#);
        assert!(page.contains(&image), "{page}");
        // The name stands beside it, for whoever does not see it.
        assert_eq!(text(&page), text(&without));
        // What is no picture is not shown as one.
        i.practice.logo = Some(b"<svg onload=alert(1)>");
        assert_eq!(render_html(&i), without);
    }
}

#[test]
fn nothing_is_asked_of_anybody_else() {
    let findings = fixture::findings();
    for &locale in Locale::ALL {
        let html = render_html(&input(&findings, locale));
        for forbidden in [
            "http:", "https:", "//", "url(h", "@import", "<script", "<iframe", "style=", " on",
        ] {
            if forbidden == " on" {
                assert!(!html.contains(" onload=") && !html.contains(" onclick="));
            } else {
                assert!(!html.contains(forbidden), "{forbidden}");
            }
        }
        assert!(html.contains("<meta name=\"robots\" content=\"noindex"));
        assert!(html.contains(&format!("<html lang=\"{}\" dir=\"ltr\">", locale.tag())));
        assert!(html.contains(STYLE));
        assert_eq!(html.matches("<style>").count(), 1);
        // The name greets once and is nowhere else, the title included.
        assert_eq!(html.matches("Anna").count(), 1);
        assert!(!html.contains('@') || html.matches("@dermalia.de").count() == 2);
    }
}

#[test]
fn headings_are_in_order_and_ids_are_single() {
    let findings = fixture::findings();
    let html = render_html(&input(&findings, Locale::De));
    let mut last = 0;
    let levels: Vec<u32> = html
        .match_indices("<h")
        .filter_map(|(i, _)| html[i + 2..].chars().next()?.to_digit(10))
        .collect();
    assert_eq!(levels.iter().filter(|&&l| l == 1).count(), 1);
    for level in levels {
        assert!(level <= last + 1, "h{level} after h{last}");
        last = level;
    }
    let mut ids: Vec<&str> = html
        .match_indices(" id=\"")
        .map(|(i, _)| html[i + 5..].split('"').next().unwrap())
        .collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    for (i, _) in html.match_indices("href=\"#") {
        let target = html[i + 7..].split('"').next().unwrap();
        assert!(
            ids.binary_search(&target).is_ok(),
            "#{target} leads nowhere"
        );
    }
}

#[test]
fn without_anything_the_page_still_stands() {
    let mut findings = fixture::findings();
    findings.regions.clear();
    findings.quality.mm_per_px = None;
    findings.quality.warnings.clear();
    for &locale in Locale::ALL {
        let mut i = input(&findings, locale);
        i.patient_first_name = Some("  ");
        i.practice = PracticeView::default();
        i.expires = None;
        i.assets = Assets::default();
        let html = render_html(&i);
        assert!(html.contains("praxis-nord") && html.contains("24"));
        assert!(!html.contains("class=\"greeting\"") && !html.contains("NaN"));
        assert!(html.contains("<h1"));
    }
}

#[test]
fn what_is_not_a_number_counts_as_not_measured() {
    let mut findings = fixture::findings();
    for region in &mut findings.regions {
        for (i, measure) in region.measures.iter_mut().enumerate() {
            measure.value = Some([f64::NAN, f64::INFINITY, f64::NEG_INFINITY][i % 3]);
        }
    }
    let page = text(&render_html(&input(&findings, Locale::En)));
    assert!(!page.contains("NaN") && !page.contains("inf "));
    assert!(page.contains("What was not measured"));
}

#[test]
fn clean_skin_is_told_without_a_number_of_nothing() {
    let mut findings = fixture::findings();
    for region in &mut findings.regions {
        for measure in &mut region.measures {
            if measure.name.parameter() != Parameter::Hydration {
                *measure = Measure::computed(measure.name, 0.0);
            }
        }
    }
    let page = text(&render_html(&input(&findings, Locale::En)));
    for expected in [
        "No line was found",
        "No pore of at least",
        "No pigment spot",
        "No area was found",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("Most pronounced"));
}

#[test]
fn a_change_is_named_only_beyond_the_scatter() {
    let now = fixture::findings();
    let mut then = fixture::findings();
    then.scan_id = "D9-20251103-000077".to_owned();
    then.captured_at = "2025-11-03T10:00:00+01:00".to_owned();
    let set = |f: &mut Findings, name: MeasureName, factor: f64| {
        let face = f.regions.last_mut().unwrap();
        for m in &mut face.measures {
            if m.name == name {
                m.value = m.value.map(|v| v * factor);
                m.confidence = Confidence::High;
            }
        }
    };
    set(&mut then, MeasureName::WrinkleLengthDensity, 1.05);
    set(&mut then, MeasureName::PoreDensity, 0.5);
    set(&mut then, MeasureName::RedAreaFraction, 4.0);
    let forehead = then
        .regions
        .iter_mut()
        .find(|r| r.region == Region::Forehead);
    for m in &mut forehead.unwrap().measures {
        if m.name == MeasureName::PoreDensity {
            m.value = m.value.map(|v| v * 0.4);
        }
    }
    let mut i = input(&now, Locale::En);
    i.previous = Some(&then);
    let page = text(&render_html(&i));
    assert!(page.contains("Compared with the scan of 3 November 2025"));
    let told = |name| {
        let found = compared(&then, &now, Region::Face, name).unwrap();
        found.smallest_detectable.unwrap()
    };
    // 1.96 times the root of 2 deviations: of one line and one pore, and of red areas on
    // dark skin, which scatter twice as much.
    let lines = 2.772 * 2.31 * 1.025 * (0.015_f64.powi(2) + 0.06_f64.powi(2)).sqrt();
    let pores = 2.772 * 41.7 * 0.75 * (0.008_f64.powi(2) + 0.03).sqrt();
    let red = 5.544 * 0.0247 * 2.5 * (0.01_f64.powi(2) + 0.036_f64.powi(2) + 0.02).sqrt();
    for (name, expected) in [
        (MeasureName::WrinkleLengthDensity, lines),
        (MeasureName::PoreDensity, pores),
        (MeasureName::RedAreaFraction, red),
    ] {
        assert!((told(name) / expected - 1.0).abs() < 1e-9, "{name:?}");
    }
    for text in [
        "none that can be told from the scatter of the measurement (±0.41",
        "more, beyond the scatter of ±15.0",
        "less, beyond the scatter of ±5.0 %",
        "Pores by area: more (Forehead).",
    ] {
        assert!(page.contains(text), "{text}");
    }
    // However many features there are, people scatter.
    let pore = Feature::Pore {
        region: Region::Chin,
        diameter_mm: 0.3,
        centre_mm: [0.0; 3],
        centre_uv: [0.5; 2],
    };
    let [many_then, many_now] = [&then, &now].map(|findings| {
        let mut findings = findings.clone();
        findings.features = vec![pore.clone(); 400];
        findings
    });
    let name = MeasureName::PoreDensity;
    let found = compared(&many_then, &many_now, Region::Face, name).unwrap();
    let people = 2.772 * 0.04 * 41.7 * 0.75;
    assert!((found.smallest_detectable.unwrap() / people - 1.0).abs() < 1e-9);
    // A region of which one scan shows less skin is not compared.
    let mut less = then.clone();
    let chin = less.regions.iter_mut().find(|r| r.region == Region::Chin);
    chin.unwrap().area_cm2 = Some(12.0);
    let found = compared(&less, &now, Region::Chin, MeasureName::Sa).unwrap();
    assert_eq!(found.verdict, Verdict::NotComparable);
    // Another practice's scan is nobody's business here.
    let mut other = then.clone();
    other.practice_id = "praxis-sued".to_owned();
    i.previous = Some(&other);
    assert!(!text(&render_html(&i)).contains("Since the previous scan"));
}

#[test]
fn the_printed_sheet_says_the_page_s_numbers() {
    let findings = fixture::findings();
    let mut before = findings.clone();
    before.scan_id = "D9-20251103-000077".to_owned();
    for measure in before.regions.iter_mut().flat_map(|r| &mut r.measures) {
        measure.value = measure.value.map(|v| v * 0.5);
    }
    for &locale in Locale::ALL {
        let input = ReportInput {
            previous: Some(&before),
            ..input(&findings, locale)
        };
        let page = text(&render_html(&input));
        let sheet = Sheet::of(&input);
        assert!(sheet.amounts().len() > 80, "{}", sheet.amounts().len());
        for amount in sheet.amounts() {
            let amount = amount.replace('\u{a0}', " ");
            assert!(page.contains(&amount), "{amount} is not on the page");
        }
        // Whole face, sentences, and a cell a region and measure.
        assert!(sheet.changes().len() > 100, "{}", sheet.changes().len());
        for told in sheet.changes() {
            let told = told.replace('\u{a0}', " ");
            assert!(page.contains(&told), "{told} is not on the page");
        }
        assert_eq!(sheet.language(), locale.tag());
        // Without a picture given, none is asked for.
        assert!(sheet.picture_files().is_empty());
    }
}

#[test]
fn pictures_are_inside_and_have_words() {
    let findings = fixture::findings();
    let stills = dermalia_report::pictures::stills(
        Some(&fixture::head(24, 24)),
        &fixture::skin(128),
        &fixture::maps(128),
    )
    .unwrap();
    let names: Vec<String> = stills
        .iter()
        .map(dermalia_report::pictures::Still::file_name)
        .collect();
    let pictures: Vec<Picture<'_>> = stills
        .iter()
        .zip(&names)
        .map(|(s, n)| Picture::of_file(n, &s.webp).unwrap())
        .collect();
    let mut i = input(&findings, Locale::En);
    i.pictures = &pictures;
    let html = render_html(&i);
    assert_eq!(html.matches("<img").count(), 1 + 4 * 3);
    assert_eq!(html.matches("src=\"data:image/webp;base64,").count(), 13);
    assert_eq!(html.matches("alt=\"\"").count(), 0);
    assert!(html.contains("alt=\"View from the front; Redness marked in colour.\""));
    assert_eq!(html, render_html(&i));
}

#[test]
fn colours_keep_their_contrast() {
    let luminance = |hex: &str| {
        let hex = hex.trim_start_matches('#');
        let hex: String = if hex.len() == 3 {
            hex.chars().flat_map(|c| [c, c]).collect()
        } else {
            hex.to_owned()
        };
        [0.2126, 0.7152, 0.0722]
            .iter()
            .enumerate()
            .map(|(i, w)| {
                let c = f64::from(u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()) / 255.0;
                let linear = if c <= 0.04045 {
                    c / 12.92
                } else {
                    ((c + 0.055) / 1.055).powf(2.4)
                };
                w * linear
            })
            .sum::<f64>()
    };
    let (light, rest) = STYLE
        .split_once("@media (prefers-color-scheme: dark)")
        .unwrap();
    let dark = rest.split_once("\n}").unwrap().0;
    for theme in [light, dark] {
        let of = |name: &str| {
            let at = theme.find(&format!("{name}: #")).unwrap() + name.len() + 2;
            luminance(theme[at..].split(';').next().unwrap())
        };
        let contrast = |a: f64, b: f64| (a.max(b) + 0.05) / (a.min(b) + 0.05);
        for text in ["--ink", "--soft", "--accent"] {
            for ground in ["--paper", "--card", "--tint"] {
                let c = contrast(of(text), of(ground));
                assert!(c >= 4.5, "{text} on {ground}: {c:.2}");
            }
        }
        // Parts of drawings need 3 to 1 against what they lie on.
        for (part, ground) in [
            ("--bar", "--track"),
            ("--mark", "--track"),
            ("--accent", "--card"),
        ] {
            let c = contrast(of(part), of(ground));
            assert!(c >= 3.0, "{part} on {ground}: {c:.2}");
        }
    }
}

#[test]
fn a_model_can_be_made_of_the_same_head() {
    assert!(write_glb(&fixture::head(8, 8), &fixture::skin(16), &[]).is_ok());
}
