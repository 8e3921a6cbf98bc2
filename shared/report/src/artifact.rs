//! The files that come out of a scan, as the command line and the cloud write them.

use dermalia_findings::{BaseTexture, Findings, Parameter, ParameterMap};
use dermalia_surface::Mesh;
use rayon::prelude::*;

use crate::fhir::{FhirInput, fhir_bundle};
use crate::glb::{ModelError, write_glb};
use crate::page::{Assets, Picture, PracticeView, ReportInput, Sheet, render_html};
use crate::pictures::{self, PictureError, print_name};
use crate::{Locale, data_copy};

/// The findings as the contract has them.
pub const FINDINGS_FILE: &str = "findings.json";
/// The patient's own copy of the data.
pub const DATA_FILE: &str = "data.json";
/// The same for the software of a practice, as HL7 FHIR R4.
pub const FHIR_FILE: &str = "fhir.json";
/// The head with its skin.
pub const MODEL_FILE: &str = "scan.glb";
/// The head of the scan before, beside the page of a later one.
pub const PREVIOUS_MODEL_FILE: &str = "previous.glb";
/// The report to print.
pub const PDF_FILE: &str = "report.pdf";
/// The stills as they are printed.
pub const PRINTS_FILE: &str = "prints.bin";
/// The page.
pub const REPORT_FILE: &str = "report.html";

/// One finished file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// The file name, without a folder.
    pub name: String,
    /// The media type it is stored and served with.
    pub content_type: &'static str,
    /// The content.
    pub bytes: Vec<u8>,
}

impl Artifact {
    /// A file whose media type follows from its name; `None` for an ending that no file
    /// of ours has.
    #[must_use]
    pub fn named(name: &str, bytes: Vec<u8>) -> Option<Self> {
        Some(Self {
            name: name.to_owned(),
            content_type: content_type(name)?,
            bytes,
        })
    }
}

/// The media type of a file of ours, by its ending.
#[must_use]
pub fn content_type(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending {
        "html" => "text/html; charset=utf-8",
        "json" if name == FHIR_FILE => "application/fhir+json",
        "json" => "application/json",
        "pdf" => "application/pdf",
        "webp" => "image/webp",
        "glb" => "model/gltf-binary",
        "bin" => "application/octet-stream",
        _ => return None,
    })
}

/// Why the files cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// A picture cannot be drawn.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// The model cannot be written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A number that JSON cannot hold, or a file that is not the findings.
    #[error("{FINDINGS_FILE}: {0}")]
    Findings(#[from] serde_json::Error),
    /// A file that the report is made from is not there.
    #[error("{name} is missing from the analysis")]
    Missing {
        /// Which file.
        name: &'static str,
    },
    /// Findings of another version of the contract.
    #[error("{FINDINGS_FILE} has schema {got:?} (expected {expected:?})")]
    Schema {
        /// The schema found.
        got: String,
        /// The schema this version reads.
        expected: &'static str,
    },
    /// The report cannot be printed.
    #[error("{PDF_FILE}: {reason}")]
    Print {
        /// The printer's own words.
        reason: String,
    },
    /// Nobody said in which language.
    #[error("no locale was asked for")]
    NoLocale,
}

/// Everything that one analysis leaves behind: the findings, a heat map and the stills of
/// each parameter, these once more for print, and the model where there is a mesh. In the order of their names.
///
/// # Errors
/// A picture, map or mesh that cannot be written.
pub fn render_artifacts(
    findings: &Findings,
    maps: &[ParameterMap],
    base: &BaseTexture,
    mesh: Option<&Mesh>,
) -> Result<Vec<Artifact>, ArtifactError> {
    // Heat maps and the largest stills are of the same size as a rule.
    let smaller = maps
        .par_iter()
        .map(pictures::heat_levels)
        .collect::<Result<Vec<_>, PictureError>>()?;
    let (heats, (stills, model)) = rayon::join(
        || {
            smaller
                .par_iter()
                .map(|m| (m.parameter, pictures::heat_map_of(m)))
                .collect::<Vec<_>>()
        },
        || {
            rayon::join(
                || pictures::stills_of(mesh, base, maps, &smaller),
                || {
                    mesh.filter(|m| !m.triangles.is_empty())
                        .map(|m| write_glb(m, base, &findings.features))
                        .transpose()
                },
            )
        },
    );
    let mut out = vec![Artifact {
        name: FINDINGS_FILE.to_owned(),
        content_type: "application/json",
        bytes: findings_json(findings)?,
    }];
    for (parameter, bytes) in heats {
        out.push(Artifact {
            name: format!("heat_{}.webp", parameter.as_str()),
            content_type: "image/webp",
            bytes,
        });
    }
    let stills = stills?;
    let prints = stills
        .iter()
        .filter(|still| !still.print.is_empty())
        .map(|s| (print_name(s.view, s.parameter), s.print.as_slice()));
    out.push(Artifact {
        name: PRINTS_FILE.to_owned(),
        content_type: "application/octet-stream",
        bytes: pictures::together(prints),
    });
    for still in stills {
        out.push(Artifact {
            name: still.file_name(),
            content_type: "image/webp",
            bytes: still.webp,
        });
    }
    if let Some(bytes) = model? {
        out.push(Artifact {
            name: MODEL_FILE.to_owned(),
            content_type: "model/gltf-binary",
            bytes,
        });
    }
    out.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(out)
}

/// The findings as they are stored, with a line end.
///
/// # Errors
/// None in practice: every finding can be written as JSON.
pub fn findings_json(findings: &Findings) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(findings)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads `findings.json` back.
///
/// # Errors
/// Not JSON, not the contract, or another version of it.
pub fn read_findings(bytes: &[u8]) -> Result<Findings, ArtifactError> {
    let findings: Findings = serde_json::from_slice(bytes)?;
    if findings.schema != dermalia_findings::SCHEMA {
        return Err(ArtifactError::Schema {
            got: findings.schema,
            expected: dermalia_findings::SCHEMA,
        });
    }
    Ok(findings)
}

/// What the report adds to the findings.
#[derive(Debug, Clone, Copy)]
pub struct ReportRequest<'a> {
    /// Who made the scan.
    pub practice: PracticeView<'a>,
    /// For the greeting, where the patient gave it.
    pub patient_first_name: Option<&'a str>,
    /// The languages, the preferred one first. It becomes `report.html`, each other one
    /// `report.{tag}.html`.
    pub locales: &'a [Locale],
    /// Until when the data is kept, as a date (`2028-05-14`) or an RFC 3339 time.
    pub expires: Option<&'a str>,
    /// The findings of an earlier scan of the same patient at the same practice.
    pub previous: Option<&'a Findings>,
    /// The model and the heat maps of that scan, to be shown beside this one behind a link;
    /// nothing where only numbers are compared.
    pub previous_files: &'a [Artifact],
    /// What the page puts in front of a file's name to refer to it: nothing in a folder,
    /// `?` behind a link.
    pub asset_prefix: &'a str,
}

/// Sets the printed report. It is apart from the page, because what sets it takes long to
/// build.
pub trait Printer {
    /// The file; `pictures` holds those that the sheet names, `fhir` is to be attached.
    ///
    /// # Errors
    /// A sentence without personal data.
    fn print(
        &self,
        sheet: &Sheet,
        pictures: &[Picture<'_>],
        fhir: &[u8],
    ) -> Result<Vec<u8>, String>;
}

/// The stills among the files, each with its print where there is one.
fn pictures_of<'a>(artifacts: &'a [Artifact], prints: &[(&str, &'a [u8])]) -> Vec<Picture<'a>> {
    let mut out: Vec<Picture<'a>> = artifacts
        .iter()
        .filter_map(|a| Picture::of_file(&a.name, &a.bytes))
        .collect();
    for picture in &mut out {
        let name = print_name(picture.view, picture.parameter);
        let found = prints.iter().find(|(n, _)| *n == name);
        picture.print = found.map(|&(_, jpeg)| jpeg);
    }
    out
}

/// The files that the patient's link reaches: the page in each language, the data copy,
/// the FHIR bundle and the model. `artifacts` is what [`render_artifacts`] made, in any order; files of
/// other names are passed over.
///
/// # Errors
/// Missing or foreign findings, or no locale.
pub fn render_report(
    artifacts: &[Artifact],
    request: &ReportRequest<'_>,
) -> Result<Vec<Artifact>, ArtifactError> {
    render_report_printed(artifacts, request, None)
}

/// The same, with the report to print in the first language.
///
/// # Errors
/// As [`render_report`]; what the printer says.
pub fn render_report_printed(
    artifacts: &[Artifact],
    request: &ReportRequest<'_>,
    printer: Option<&dyn Printer>,
) -> Result<Vec<Artifact>, ArtifactError> {
    let find = |name: &str| artifacts.iter().find(|a| a.name == name);
    let stored = &find(FINDINGS_FILE)
        .ok_or(ArtifactError::Missing {
            name: FINDINGS_FILE,
        })?
        .bytes;
    let findings = read_findings(stored)?;
    let first = *request.locales.first().ok_or(ArtifactError::NoLocale)?;
    let prints = printer
        .and_then(|_| find(PRINTS_FILE))
        .map_or_else(Vec::new, |a| pictures::apart(&a.bytes));
    let pictures = pictures_of(artifacts, &prints);
    let model = find(MODEL_FILE);
    let file_of = |locale: Locale| {
        if locale == first {
            REPORT_FILE.to_owned()
        } else {
            format!("report.{}.html", locale.tag())
        }
    };
    let mut locales: Vec<Locale> = vec![];
    for &locale in request.locales {
        if !locales.contains(&locale) {
            locales.push(locale);
        }
    }
    let refer = |name: &str| format!("{}{name}", request.asset_prefix);
    let translations: Vec<(Locale, String)> =
        locales.iter().map(|&l| (l, refer(&file_of(l)))).collect();
    let (data_href, fhir_href) = (refer(DATA_FILE), refer(FHIR_FILE));
    let (erase_href, object_href) = (refer("erase"), refer("object"));
    let events_href = refer("events");
    let (model_href, heat_hrefs) = (refer(MODEL_FILE), refer("heat_*.webp"));
    let heat = |p: Parameter| find(&format!("heat_{}.webp", p.as_str()));
    let heats: Vec<Parameter> = Parameter::ALL
        .into_iter()
        .filter(|&p| heat(p).is_some())
        .collect();
    // A page in a folder is whole by itself and is opened without a server, from which
    // alone a script could fetch anything.
    let is_served = !request.asset_prefix.is_empty();
    let before = Before::of(request, &heats, is_served && model.is_some());
    let previous_href = refer(PREVIOUS_MODEL_FILE);
    let pdf_href = printer.map(|_| refer(PDF_FILE));
    let mut out = vec![];
    let input = |locale| ReportInput {
        findings: &findings,
        practice: request.practice,
        patient_first_name: request.patient_first_name,
        locale,
        expires: request.expires,
        pictures: &pictures,
        assets: Assets {
            data_href: Some(&data_href),
            pdf_href: pdf_href.as_deref(),
            fhir_href: Some(&fhir_href),
            model_href: model.map(|_| model_href.as_str()),
            model_bytes: model.map_or(0, |m| m.bytes.len()),
            previous_href: before.model.map(|_| previous_href.as_str()),
            previous_bytes: before.model.map_or(0, |m| m.bytes.len()),
            previous_heats: &before.parameters,
            erase_href: is_served.then_some(&erase_href),
            object_href: is_served.then_some(&object_href),
            events_href: is_served.then_some(&events_href),
            heat_hrefs: is_served.then_some(&heat_hrefs),
            heats: &heats,
            still_prefix: is_served.then_some(request.asset_prefix),
            translations: &translations,
        },
        previous: request.previous,
    };
    for &locale in &locales {
        out.push(Artifact {
            name: file_of(locale),
            content_type: "text/html; charset=utf-8",
            bytes: render_html(&input(locale)).into_bytes(),
        });
    }
    out.push(Artifact {
        name: DATA_FILE.to_owned(),
        content_type: "application/json",
        bytes: data_copy::around(
            &String::from_utf8_lossy(stored),
            request.previous.map(|then| (&findings, then)),
        )?,
    });
    let fhir = fhir_bundle(&FhirInput {
        findings: &findings,
        practice: request.practice,
        locale: first,
        pictures: &pictures,
        page: Some(REPORT_FILE),
        previous: request.previous,
    })?;
    if let Some(printer) = printer {
        let sheet = Sheet::of(&input(first));
        let pdf = printer.print(&sheet, &pictures, &fhir);
        out.push(Artifact {
            name: PDF_FILE.to_owned(),
            content_type: "application/pdf",
            bytes: pdf.map_err(|reason| ArtifactError::Print { reason })?,
        });
    }
    out.push(Artifact {
        name: FHIR_FILE.to_owned(),
        content_type: "application/fhir+json",
        bytes: fhir,
    });
    out.extend(model.cloned());
    if is_served {
        out.extend(heats.iter().filter_map(|&p| heat(p)).cloned());
        let stills = artifacts.iter().filter(|a| a.name.starts_with("still_"));
        out.extend(stills.cloned());
    }
    out.extend(before.files());
    Ok(out)
}

/// What is shown of the scan before.
struct Before<'a> {
    model: Option<&'a Artifact>,
    heats: Vec<&'a Artifact>,
    parameters: Vec<Parameter>,
}

impl<'a> Before<'a> {
    /// Its head with the overlays that this one has as well; nothing without a head.
    fn of(request: &ReportRequest<'a>, heats: &[Parameter], can_be_shown: bool) -> Self {
        let find = |name: &str| request.previous_files.iter().find(|a| a.name == name);
        let may = can_be_shown && request.previous.is_some();
        let model = find(MODEL_FILE).filter(|_| may);
        let found = heats.iter().filter(|_| model.is_some());
        let (parameters, heats) = found
            .filter_map(|&p| Some((p, find(&format!("heat_{}.webp", p.as_str()))?)))
            .unzip();
        Self {
            model,
            heats,
            parameters,
        }
    }

    /// The files under the names that the page asks for.
    fn files(self) -> impl Iterator<Item = Artifact> {
        let named = |name: String, from: &Artifact| Artifact {
            name,
            ..from.clone()
        };
        let model = self.model.map(|m| named(PREVIOUS_MODEL_FILE.to_owned(), m));
        let heats = self.parameters.into_iter().zip(self.heats);
        let heats = heats.map(move |(p, heat)| {
            let name = format!("heat_previous_{}.webp", p.as_str());
            named(name, heat)
        });
        model.into_iter().chain(heats)
    }
}
