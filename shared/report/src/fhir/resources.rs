//! The parts of FHIR R4 (4.0.1) that the export uses, as the standard spells them.

use serde::Serialize;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bundle {
    pub(super) resource_type: &'static str,
    pub(super) identifier: Identifier,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) timestamp: String,
    pub(super) entry: Vec<Entry>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) full_url: String,
    pub(super) resource: Resource,
}

#[derive(Serialize)]
#[serde(tag = "resourceType")]
pub(super) enum Resource {
    DiagnosticReport(Box<DiagnosticReport>),
    Patient(Identified),
    Organization(Organization),
    Device(Device),
    BodyStructure(BodyStructure),
    Observation(Box<Observation>),
    Media(Box<Media>),
    DocumentReference(Box<DocumentReference>),
}

#[derive(Serialize)]
pub(super) struct Identified {
    pub(super) identifier: Vec<Identifier>,
}

#[derive(Serialize)]
pub(super) struct Organization {
    pub(super) identifier: Vec<Identifier>,
    pub(super) name: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Device {
    pub(super) manufacturer: &'static str,
    pub(super) device_name: Vec<DeviceName>,
    pub(super) version: Vec<Version>,
}

#[derive(Serialize)]
pub(super) struct DeviceName {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

#[derive(Serialize)]
pub(super) struct Version {
    pub(super) value: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BodyStructure {
    pub(super) location: Concept,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) location_qualifier: Vec<Concept>,
    pub(super) patient: Reference,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Observation {
    pub(super) extension: Vec<Extension>,
    pub(super) status: &'static str,
    pub(super) category: Vec<Concept>,
    pub(super) code: Concept,
    pub(super) subject: Reference,
    pub(super) effective_date_time: String,
    pub(super) performer: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value_quantity: Option<Quantity>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data_absent_reason: Option<Concept>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) note: Vec<Annotation>,
    pub(super) body_site: Concept,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<Reference>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Media {
    pub(super) status: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: Concept,
    pub(super) view: Concept,
    pub(super) subject: Reference,
    pub(super) created_date_time: String,
    pub(super) body_site: Concept,
    pub(super) device: Reference,
    pub(super) height: u32,
    pub(super) width: u32,
    pub(super) content: Attachment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DocumentReference {
    pub(super) status: &'static str,
    pub(super) doc_status: &'static str,
    #[serde(rename = "type")]
    pub(super) kind: Concept,
    pub(super) subject: Reference,
    pub(super) date: String,
    pub(super) custodian: Reference,
    pub(super) content: Vec<DocumentContent>,
}

#[derive(Serialize)]
pub(super) struct DocumentContent {
    pub(super) attachment: Attachment,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DiagnosticReport {
    pub(super) identifier: Vec<Identifier>,
    pub(super) status: &'static str,
    pub(super) category: Vec<Concept>,
    pub(super) code: Concept,
    pub(super) subject: Reference,
    pub(super) effective_date_time: String,
    pub(super) issued: String,
    pub(super) performer: Vec<Reference>,
    pub(super) result: Vec<Reference>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) media: Vec<ReportMedia>,
    pub(super) conclusion: String,
}

#[derive(Serialize)]
pub(super) struct ReportMedia {
    pub(super) comment: String,
    pub(super) link: Reference,
}

#[derive(Serialize)]
pub(super) struct Identifier {
    pub(super) system: String,
    pub(super) value: String,
}

#[derive(Serialize, Clone)]
pub(super) struct Reference {
    pub(super) reference: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display: Option<String>,
}

#[derive(Serialize, Clone)]
pub(super) struct Concept {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) extension: Vec<Extension>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) coding: Vec<Coding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
}

#[derive(Serialize, Clone)]
pub(super) struct Coding {
    pub(super) system: String,
    pub(super) code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) display: Option<String>,
}

#[derive(Serialize, Clone)]
pub(super) struct Quantity {
    pub(super) value: f64,
    pub(super) unit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Annotation {
    pub(super) text: String,
}

#[derive(Serialize, Clone)]
pub(super) struct Extension {
    pub(super) url: &'static str,
    #[serde(flatten)]
    pub(super) value: ExtensionValue,
}

#[derive(Serialize, Clone)]
pub(super) enum ExtensionValue {
    #[serde(rename = "valueCode")]
    Code(&'static str),
    #[serde(rename = "valueReference")]
    Reference(Reference),
    #[serde(rename = "valueRange")]
    Range(Range),
    #[serde(rename = "valueQuantity")]
    Quantity(Quantity),
    #[serde(rename = "valueDateTime")]
    DateTime(String),
    /// Of parts, each with an address of its own, it has no value.
    #[serde(rename = "extension")]
    Parts(Vec<Extension>),
}

#[derive(Serialize, Clone)]
pub(super) struct Range {
    pub(super) low: Quantity,
    pub(super) high: Quantity,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Attachment {
    pub(super) content_type: &'static str,
    pub(super) language: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<String>,
    pub(super) title: String,
}
