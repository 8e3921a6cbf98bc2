//! The findings as an HL7 FHIR R4 bundle (4.0.1), for the software of a practice.
//!
//! One `DiagnosticReport` with an `Observation` for each measure of each region, the
//! frontal pictures as `Media`, the page as `DocumentReference`. Values, units and times
//! are those of the findings. The subject is a `Patient` that carries the identifier of
//! the scan and nothing else: who it is, the practice knows. What was not measured is an
//! observation without value and with the reason.
//!
//! Codes of our own stand where no published code is known to mean exactly this; body
//! sites are in SNOMED CT where it has the region.

mod resources;

use dermalia_findings::{Confidence, Findings, Measure, MeasureName, Parameter, Region, Source};
use dermalia_locale::Messages;
use sha2::{Digest, Sha256};

use crate::page::{Picture, PracticeView};
use crate::pictures::View;
use crate::{Locale, change, reason};
use resources::{
    Annotation, Attachment, BodyStructure, Bundle, Coding, Concept, Device, DeviceName,
    DiagnosticReport, DocumentContent, DocumentReference, Entry, Extension, ExtensionValue,
    Identified, Identifier, Media, Observation, Organization, Quantity, Range, Reference,
    ReportMedia, Resource, Version,
};

/// Where our own codes are named.
const OWN: &str = "https://dermalia.de/fhir";
const CONFIDENCE: &str = "https://dermalia.de/fhir/StructureDefinition/confidence";
const INTERVAL: &str = "https://dermalia.de/fhir/StructureDefinition/interval-95";
/// What the report says of a measure since the scan before.
const CHANGE: &str = "https://dermalia.de/fhir/StructureDefinition/change";
/// The standard's extension by which a body site names its structure.
const BODY_SITE: &str = "http://hl7.org/fhir/StructureDefinition/bodySite";
const SNOMED: &str = "http://snomed.info/sct";
const UCUM: &str = "http://unitsofmeasure.org";

/// What the bundle is made from.
#[derive(Clone, Copy)]
pub struct FhirInput<'a> {
    /// What was measured.
    pub findings: &'a Findings,
    /// Who made the scan.
    pub practice: PracticeView<'a>,
    /// The language of texts; codes and values do not depend on it.
    pub locale: Locale,
    /// The stills; those from the front are taken over.
    pub pictures: &'a [Picture<'a>],
    /// The page that the bundle lies beside, by its file name.
    pub page: Option<&'a str>,
    /// The findings of the scan before, where the report tells of it.
    pub previous: Option<&'a Findings>,
}

/// Writes `fhir.json`.
///
/// # Errors
/// None in practice: every finding can be written as JSON.
pub fn fhir_bundle(input: &FhirInput<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(&Export::new(input).bundle())?;
    bytes.push(b'\n');
    Ok(bytes)
}

struct Export<'a> {
    input: &'a FhirInput<'a>,
    messages: &'static Messages,
    at: &'a str,
}

impl<'a> Export<'a> {
    fn new(input: &'a FhirInput<'a>) -> Self {
        Self {
            input,
            messages: input.locale.messages(),
            at: &input.findings.captured_at,
        }
    }

    /// A UUID (version 8, RFC 9562) of the scan and the resource's place in it, so that a
    /// repeated export names the same things alike.
    fn url(&self, what: &str) -> String {
        let findings = self.input.findings;
        let mut hash = Sha256::new();
        for part in [&findings.practice_id, &findings.scan_id, what] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut b = [0_u8; 16];
        b.copy_from_slice(&hash.finalize()[..16]);
        b[6] = 0x80 | (b[6] & 0x0f);
        b[8] = 0x80 | (b[8] & 0x3f);
        let hex = data_encoding::HEXLOWER.encode(&b);
        format!(
            "urn:uuid:{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }

    fn reference(&self, what: &str) -> Reference {
        Reference {
            reference: self.url(what),
            display: None,
        }
    }

    fn bundle(&self) -> Bundle {
        let findings = self.input.findings;
        let pictures: Vec<&Picture<'_>> = self
            .input
            .pictures
            .iter()
            .filter(|p| p.view == View::Front)
            .collect();
        let mut entry = vec![
            self.entry(
                "report",
                Resource::DiagnosticReport(Box::new(self.report(&pictures))),
            ),
            self.entry(
                "patient",
                Resource::Patient(Identified {
                    identifier: vec![self.scan_identifier()],
                }),
            ),
            self.entry("practice", Resource::Organization(self.practice())),
            self.entry("software", Resource::Device(self.software())),
        ];
        for region in &findings.regions {
            let what = region.region.as_str();
            let body = Resource::BodyStructure(self.body(region.region));
            entry.push(self.entry(what, body));
        }
        for region in &findings.regions {
            for measure in &region.measures {
                let what = observed(region.region, measure.name);
                let seen = Box::new(self.observation(region.region, measure));
                entry.push(self.entry(&what, Resource::Observation(seen)));
            }
        }
        for picture in &pictures {
            let media = Resource::Media(Box::new(self.media(picture)));
            entry.push(self.entry(&pictured(picture.parameter), media));
        }
        if let Some(page) = self.input.page {
            let document = Resource::DocumentReference(Box::new(self.document(page)));
            entry.push(self.entry("page", document));
        }
        Bundle {
            resource_type: "Bundle",
            identifier: self.scan_identifier(),
            kind: "collection",
            timestamp: self.at.to_owned(),
            entry,
        }
    }

    fn entry(&self, what: &str, resource: Resource) -> Entry {
        Entry {
            full_url: self.url(what),
            resource,
        }
    }

    fn scan_identifier(&self) -> Identifier {
        let findings = self.input.findings;
        Identifier {
            system: format!("{OWN}/scan/{}", findings.practice_id),
            value: findings.scan_id.clone(),
        }
    }

    fn practice(&self) -> Organization {
        let id = &self.input.findings.practice_id;
        let name = self.input.practice.name.map(str::trim);
        Organization {
            identifier: vec![Identifier {
                system: format!("{OWN}/practice"),
                value: id.clone(),
            }],
            name: name.filter(|n| !n.is_empty()).unwrap_or(id).to_owned(),
        }
    }

    fn software(&self) -> Device {
        Device {
            manufacturer: "Mosaic Medical UG (haftungsbeschränkt)",
            device_name: vec![DeviceName {
                name: "Dermalia".to_owned(),
                kind: "manufacturer-name",
            }],
            version: vec![Version {
                value: self.input.findings.algorithm.clone(),
            }],
        }
    }

    fn body(&self, region: Region) -> BodyStructure {
        let side = match region {
            Region::CrowsFeetLeft
            | Region::UnderEyeLeft
            | Region::CheekLeft
            | Region::NasolabialLeft => Some(("7771000", "Left")),
            Region::CrowsFeetRight
            | Region::UnderEyeRight
            | Region::CheekRight
            | Region::NasolabialRight => Some(("24028007", "Right")),
            _ => None,
        };
        BodyStructure {
            location: self.site(region),
            location_qualifier: side
                .map(|(code, display)| concept(coding(SNOMED, code, display)))
                .into_iter()
                .collect(),
            patient: self.reference("patient"),
        }
    }

    /// The region in our own words and, where it has it, in SNOMED CT.
    fn site(&self, region: Region) -> Concept {
        let own = format!("{OWN}/CodeSystem/region");
        let mut codes = vec![coding(&own, region.as_str(), english(region))];
        codes.extend(match region {
            Region::Face => Some(coding(SNOMED, "89545001", "Face structure")),
            Region::Forehead => Some(coding(SNOMED, "52795006", "Forehead structure")),
            Region::Nose => Some(coding(SNOMED, "45206002", "Nasal structure")),
            Region::CheekLeft | Region::CheekRight => {
                Some(coding(SNOMED, "60819002", "Buccal region of face"))
            }
            Region::Chin => Some(coding(SNOMED, "30291003", "Chin structure")),
            _ => None,
        });
        Concept {
            extension: vec![],
            coding: codes,
            text: Some((self.messages.region)(region).to_owned()),
        }
    }

    fn observation(&self, region: Region, measure: &Measure) -> Observation {
        let m = self.messages;
        let value = measure.value.filter(|v| v.is_finite());
        let name = measure.name;
        let absent = value.is_none().then(|| {
            let (code, display) = match measure.name {
                MeasureName::Hydration => ("not-performed", "Not Performed"),
                _ => ("unsupported", "Unsupported"),
            };
            let system = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
            concept(coding(system, code, display))
        });
        let (category, display) = match measure.source {
            Source::Computed => ("imaging", "Imaging"),
            Source::Device => ("exam", "Exam"),
        };
        let mut site = self.site(region);
        site.extension.push(Extension {
            url: BODY_SITE,
            value: ExtensionValue::Reference(self.reference(region.as_str())),
        });
        let measure_system = format!("{OWN}/CodeSystem/measure");
        let english_name = (Locale::En.messages().measure)(name).name;
        Observation {
            extension: {
                let mut out = self.reliability(measure);
                out.extend(self.change(region, measure));
                out
            },
            status: "final",
            category: vec![concept(coding(
                "http://terminology.hl7.org/CodeSystem/observation-category",
                category,
                display,
            ))],
            code: Concept {
                extension: vec![],
                coding: vec![coding(&measure_system, name.as_str(), english_name)],
                text: Some((m.measure)(name).name.to_owned()),
            },
            subject: self.reference("patient"),
            effective_date_time: self.at.to_owned(),
            performer: vec![self.reference("practice")],
            value_quantity: value.map(|v| quantity(measure, v)),
            data_absent_reason: absent,
            note: measure
                .reason
                .as_deref()
                .map(reason::parts)
                .into_iter()
                .flatten()
                .map(|text| Annotation {
                    text: text.to_owned(),
                })
                .collect(),
            body_site: site,
            // What a probe measured, the software has only passed on.
            device: (measure.source == Source::Computed).then(|| self.reference("software")),
        }
    }

    /// How far the value can be trusted: a word and, where there is one, the 95 % interval.
    /// Neither is a reference range, which would tell what is usual.
    fn reliability(&self, measure: &Measure) -> Vec<Extension> {
        let mut out = vec![Extension {
            url: CONFIDENCE,
            value: ExtensionValue::Code(confidence(measure.confidence)),
        }];
        let is_whole = |v: &f64| v.is_finite();
        let ends = measure.interval.filter(|ends| ends.iter().all(is_whole));
        out.extend(
            ends.filter(|_| measure.value.is_some())
                .map(|[low, high]| Extension {
                    url: INTERVAL,
                    value: ExtensionValue::Range(Range {
                        low: quantity(measure, low),
                        high: quantity(measure, high),
                    }),
                }),
        );
        out
    }

    /// The earlier value, its time, what two captures of the same skin differ by at most,
    /// and whether there is more between both; nothing where they are not to be compared.
    fn change(&self, region: Region, measure: &Measure) -> Option<Extension> {
        let then = self.input.previous?;
        let found = change::of(self.input.findings, then, region, measure.name)?;
        let part = |url, value| Extension { url, value };
        let amount = |v| ExtensionValue::Quantity(quantity(measure, v));
        Some(Extension {
            url: CHANGE,
            value: ExtensionValue::Parts(vec![
                part("previous", amount(found.values[0])),
                part(
                    "previous-time",
                    ExtensionValue::DateTime(then.captured_at.clone()),
                ),
                part("smallest-detectable", amount(found.smallest_detectable?)),
                part("verdict", ExtensionValue::Code(found.verdict.as_str())),
            ]),
        })
    }

    fn media(&self, picture: &Picture<'_>) -> Media {
        Media {
            status: "completed",
            kind: concept(coding(
                "http://terminology.hl7.org/CodeSystem/media-type",
                "image",
                "Image",
            )),
            view: Concept {
                extension: vec![],
                coding: vec![],
                text: Some(self.messages.view_front.to_owned()),
            },
            subject: self.reference("patient"),
            created_date_time: self.at.to_owned(),
            body_site: self.site(Region::Face),
            device: self.reference("software"),
            height: picture.height,
            width: picture.width,
            content: Attachment {
                content_type: "image/webp",
                language: self.input.locale.tag(),
                data: Some(data_encoding::BASE64.encode(picture.webp)),
                url: None,
                title: self.caption(picture.parameter),
            },
        }
    }

    fn caption(&self, parameter: Option<Parameter>) -> String {
        let m = self.messages;
        parameter.map_or_else(
            || m.picture_skin_alt.to_owned(),
            |p| (m.picture_alt)((m.parameter)(p).name, m.view_front),
        )
    }

    fn document(&self, page: &str) -> DocumentReference {
        DocumentReference {
            status: "current",
            doc_status: "final",
            kind: self.report_code(),
            subject: self.reference("patient"),
            date: self.at.to_owned(),
            custodian: self.reference("practice"),
            content: vec![DocumentContent {
                attachment: Attachment {
                    content_type: "text/html",
                    language: self.input.locale.tag(),
                    data: None,
                    url: Some(page.to_owned()),
                    title: self.messages.report_title.to_owned(),
                },
            }],
        }
    }

    fn report_code(&self) -> Concept {
        let system = format!("{OWN}/CodeSystem/report");
        Concept {
            extension: vec![],
            coding: vec![coding(&system, "skin-surface", "Skin surface measurement")],
            text: Some(self.messages.report_title.to_owned()),
        }
    }

    fn report(&self, pictures: &[&Picture<'_>]) -> DiagnosticReport {
        let findings = self.input.findings;
        let result = findings.regions.iter().flat_map(|r| {
            r.measures
                .iter()
                .map(|m| self.reference(&observed(r.region, m.name)))
        });
        DiagnosticReport {
            identifier: vec![self.scan_identifier()],
            status: "final",
            category: vec![concept(coding(
                "http://terminology.hl7.org/CodeSystem/v2-0074",
                "IMG",
                "Diagnostic Imaging",
            ))],
            code: self.report_code(),
            subject: self.reference("patient"),
            effective_date_time: self.at.to_owned(),
            issued: self.at.to_owned(),
            performer: vec![self.reference("practice")],
            result: result.collect(),
            media: pictures
                .iter()
                .map(|p| ReportMedia {
                    comment: self.caption(p.parameter),
                    link: self.reference(&pictured(p.parameter)),
                })
                .collect(),
            conclusion: self.messages.notice.to_owned(),
        }
    }
}

fn observed(region: Region, name: MeasureName) -> String {
    format!("{}/{}", region.as_str(), name.as_str())
}

fn pictured(parameter: Option<Parameter>) -> String {
    format!("picture/{}", parameter.map_or("skin", Parameter::as_str))
}

fn english(region: Region) -> &'static str {
    (Locale::En.messages().region)(region)
}

fn coding(system: &str, code: &str, display: &str) -> Coding {
    Coding {
        system: system.to_owned(),
        code: code.to_owned(),
        display: Some(display.to_owned()),
    }
}

fn concept(coding: Coding) -> Concept {
    Concept {
        extension: vec![],
        coding: vec![coding],
        text: None,
    }
}

const fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::None => "none",
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    }
}

/// The value in the findings' own unit, with its UCUM code where there is one.
fn quantity(measure: &Measure, value: f64) -> Quantity {
    let code = match measure.unit.as_str() {
        "1" | "CIEDE2000" => Some("1"),
        "1/cm2" => Some("/cm2"),
        "mm/cm2" => Some("mm/cm2"),
        "mm" => Some("mm"),
        "deg" => Some("deg"),
        "um" => Some("um"),
        "AU" => Some("[arb'U]"),
        "%" => Some("%"),
        _ => None,
    };
    Quantity {
        value,
        unit: measure.unit.clone(),
        system: code.map(|_| UCUM),
        code,
    }
}
