//! The seam between the orchestration and the page.

use dermalia_record::Personal;

/// A file with its name: an artefact of the analysis, or an asset of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportFile {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What the page says beyond the findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The practice's name.
    pub practice_name: Option<String>,
    /// Whom patients ask.
    pub practice_contact: Option<String>,
    /// Its logo, as WebP.
    pub practice_logo: Option<Vec<u8>>,
    /// For the greeting.
    pub first_name: Option<Personal<String>>,
    /// BCP 47; a language that is not there becomes the default one.
    pub locale: String,
    /// Until when the data is kept, in epoch seconds.
    pub expires_at_secs: i64,
    /// The findings of the scan before, `findings.json`, if there is one to compare with.
    pub previous: Option<Vec<u8>>,
    /// The model and the heat maps of that scan, as its analysis named them.
    pub previous_files: Vec<ReportFile>,
}

/// Turns findings into the files that the link reaches, `report.html` among them. The same
/// input gives the same bytes.
pub trait Renderer: Send + Sync {
    /// Renders; on a thread for blocking work.
    ///
    /// # Errors
    /// A text without personal data, when the findings are unreadable.
    fn render(&self, findings: Vec<ReportFile>, page: &Page) -> Result<Vec<ReportFile>, String>;
}
