//! The real renderer.

use dermalia_report::{
    Artifact, Locale, PracticeView, Printer, ReportRequest, read_findings, render_report_printed,
};
use jiff::Timestamp;

use crate::renderer::{Page, Renderer, ReportFile};

/// Renders with `dermalia-report`.
#[derive(Debug, Default)]
pub struct PageRenderer;

impl Renderer for PageRenderer {
    fn render(&self, findings: Vec<ReportFile>, page: &Page) -> Result<Vec<ReportFile>, String> {
        let named = |f: ReportFile| Artifact::named(&f.name, f.bytes);
        let artifacts: Vec<Artifact> = findings.into_iter().filter_map(named).collect();
        let previous_files: Vec<Artifact> = page
            .previous_files
            .iter()
            .cloned()
            .filter_map(named)
            .collect();
        let first = Locale::for_patient(&page.locale);
        let locales = first.and_others();
        let expires = Timestamp::from_second(page.expires_at_secs)
            .map_err(|e| e.to_string())?
            .to_string();
        // What an older version has written and this one cannot read is not compared with.
        let previous = page
            .previous
            .as_deref()
            .and_then(|bytes| read_findings(bytes).ok());
        let request = ReportRequest {
            practice: PracticeView {
                name: page.practice_name.as_deref(),
                contact: page.practice_contact.as_deref(),
                logo: page.practice_logo.as_deref(),
            },
            patient_first_name: page.first_name.as_ref().map(|name| name.reveal().as_str()),
            locales: &locales,
            expires: Some(&expires),
            previous: previous.as_ref(),
            previous_files: &previous_files,
            asset_prefix: dermalia_link::ASSET_PREFIX,
        };
        let files =
            render_report_printed(&artifacts, &request, printer()?).map_err(|e| e.to_string())?;
        Ok(files
            .into_iter()
            .map(|file| ReportFile {
                name: file.name,
                content_type: file.content_type.to_owned(),
                bytes: file.bytes,
            })
            .collect())
    }
}

/// What prints reports, made once: it reads its fonts.
#[cfg(feature = "pdf")]
fn printer() -> Result<Option<&'static dyn Printer>, String> {
    use std::sync::OnceLock;

    use dermalia_pdf::{PrintError, Typesetter};

    static MADE: OnceLock<Result<Typesetter, PrintError>> = OnceLock::new();
    match MADE.get_or_init(Typesetter::new) {
        Ok(typesetter) => Ok(Some(typesetter)),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(not(feature = "pdf"))]
#[expect(clippy::unnecessary_wraps, reason = "the other one can fail")]
const fn printer() -> Result<Option<&'static dyn Printer>, String> {
    Ok(None)
}
