//! The FHIR bundle against the findings that it is made of.
#![allow(missing_docs, clippy::unwrap_used)]

mod fixture;

use std::collections::BTreeSet;

use dermalia_findings::{Findings, Measure};
use dermalia_report::{FhirInput, Locale, PracticeView, fhir_bundle};
use serde_json::Value;

fn bundle(findings: &Findings, locale: Locale) -> Value {
    let bytes = fhir_bundle(&FhirInput {
        findings,
        practice: PracticeView {
            name: Some("Praxis am Nordufer"),
            contact: None,
            logo: None,
        },
        locale,
        pictures: &[],
        page: Some("report.html"),
        previous: None,
    })
    .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn resources<'a>(bundle: &'a Value, kind: &str) -> Vec<&'a Value> {
    let entries = bundle["entry"].as_array().unwrap();
    let all = entries.iter().map(|e| &e["resource"]);
    all.filter(|r| r["resourceType"] == kind).collect()
}

#[test]
fn every_measure_of_every_region_is_an_observation_with_its_own_value() {
    let findings = fixture::findings();
    let bundle = bundle(&findings, Locale::De);
    let measures: Vec<(&str, &Measure)> = findings
        .regions
        .iter()
        .flat_map(|r| r.measures.iter().map(|m| (r.region.as_str(), m)))
        .collect();
    let observations = resources(&bundle, "Observation");
    assert_eq!(observations.len(), measures.len());
    for (seen, (region, measure)) in observations.iter().zip(measures) {
        assert_eq!(seen["code"]["coding"][0]["code"], measure.name.as_str());
        assert_eq!(seen["bodySite"]["coding"][0]["code"], region);
        match measure.value {
            Some(value) => {
                // The parser of this test is exact to the last digit but one.
                let told = seen["valueQuantity"]["value"].as_f64().unwrap();
                assert!(
                    (told - value).abs() <= 1e-14 * value.abs(),
                    "{told} {value}"
                );
                assert_eq!(seen["valueQuantity"]["unit"], measure.unit.as_str());
                assert!(seen.get("dataAbsentReason").is_none());
            }
            None => {
                assert!(seen.get("valueQuantity").is_none());
                assert!(seen["dataAbsentReason"]["coding"][0]["code"].is_string());
                assert!(seen["note"][0]["text"].is_string(), "a gap has its reason");
            }
        }
        let is_computed = seen["category"][0]["coding"][0]["code"] == "imaging";
        assert_eq!(is_computed, seen.get("device").is_some());
    }
}

#[test]
fn every_reference_leads_to_one_entry() {
    let bundle = bundle(&fixture::findings(), Locale::En);
    let names: Vec<&str> = bundle["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["fullUrl"].as_str().unwrap())
        .collect();
    let single: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(single.len(), names.len());
    fn references<'a>(value: &'a Value, out: &mut Vec<&'a str>) {
        match value {
            Value::Object(fields) => {
                out.extend(fields.get("reference").and_then(Value::as_str));
                fields.values().for_each(|v| references(v, out));
            }
            Value::Array(items) => items.iter().for_each(|v| references(v, out)),
            _ => {}
        }
    }
    let mut found = vec![];
    references(&bundle, &mut found);
    assert!(found.len() > 900);
    assert!(found.iter().all(|r| single.contains(r)));
    let report = resources(&bundle, "DiagnosticReport")[0];
    assert_eq!(report["result"].as_array().unwrap().len(), 14 * 21);
}

#[test]
fn names_are_stable_and_of_this_scan_alone() {
    let first = |f: &Findings, l| bundle(f, l)["entry"][0]["fullUrl"].clone();
    let findings = fixture::findings();
    assert_eq!(first(&findings, Locale::De), first(&findings, Locale::En));
    let mut other = fixture::findings();
    other.scan_id.push('4');
    assert_ne!(first(&findings, Locale::De), first(&other, Locale::De));
    let uuid = first(&findings, Locale::De);
    let uuid = uuid.as_str().unwrap().strip_prefix("urn:uuid:").unwrap();
    assert_eq!((uuid.len(), &uuid[14..15]), (36, "8"));
    // Nobody is named: the practice knows whose scan it is.
    let text = bundle(&findings, Locale::De).to_string();
    assert!(!text.contains("\"given\"") && !text.contains("Anna"));
}

#[test]
fn what_is_not_a_number_is_absent() {
    let mut findings = fixture::findings();
    findings.regions[0].measures[0].value = Some(f64::NAN);
    let bundle = bundle(&findings, Locale::De);
    let seen = resources(&bundle, "Observation")[0];
    assert!(seen.get("valueQuantity").is_none());
}

#[test]
fn an_interval_is_an_extension_and_no_range_of_what_is_usual() {
    let mut findings = fixture::findings();
    findings.regions[0].measures[1].interval = Some([2.0, 2.75]);
    findings.regions[0].measures[0].interval = Some([f64::NAN, 2.0]);
    let bundle = bundle(&findings, Locale::De);
    let seen = resources(&bundle, "Observation");
    let interval = &seen[1]["extension"][1];
    assert_eq!(
        interval["url"],
        "https://dermalia.de/fhir/StructureDefinition/interval-95"
    );
    assert_eq!(interval["valueRange"]["low"]["value"], 2.0);
    assert_eq!(interval["valueRange"]["high"]["value"], 2.75);
    assert_eq!(
        interval["valueRange"]["high"]["unit"],
        seen[1]["valueQuantity"]["unit"]
    );
    for other in [0, 2] {
        assert_eq!(seen[other]["extension"].as_array().unwrap().len(), 1);
    }
    assert!(!bundle.to_string().contains("referenceRange"));
}
