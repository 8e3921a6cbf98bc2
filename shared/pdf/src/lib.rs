//! The report on paper: A4, PDF/A-3a and PDF/UA-1, set by typst in this process.
//!
//! The words and numbers are those of [`Sheet`], which the page is made from as well. The
//! layout is `template/report.typ`. The FHIR bundle is attached. The same sheet gives the
//! same bytes: no clock, no font of the machine, no network.

mod numbering;
mod photograph;
mod world;

use dermalia_report::{Picture, Printer, Sheet};
use rayon::{ThreadPool, ThreadPoolBuilder};
use typst::foundations::{Bytes, Smart};
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};

use world::{Paper, fonts};

/// Why a report cannot be printed. No text of the report is in the words.
#[derive(Debug, thiserror::Error)]
pub enum PrintError {
    /// A font that is built in cannot be read.
    #[error("a font that is built in cannot be read")]
    Font,
    /// The sheet is no JSON.
    #[error("the sheet cannot be written: {0}")]
    Sheet(#[from] serde_json::Error),
    /// A picture cannot be recoded.
    #[error("the picture {name} cannot be read")]
    Picture {
        /// Its file.
        name: String,
    },
    /// The threads to set it on cannot be made.
    #[error("no thread can be made to set the report on: {0}")]
    Thread(#[from] rayon::ThreadPoolBuildError),
    /// The template does not compile or breaks a standard.
    #[error("the report cannot be set: {0}")]
    Set(String),
}

/// Sets reports; making one reads the fonts, so that it is worth keeping.
pub struct Typesetter {
    fonts: world::Fonts,
    /// One thread: there is hardly anything in a report to be done side by side, and threads
    /// that wait for it cost more than they do.
    thread: ThreadPool,
}

impl Typesetter {
    /// With the fonts that are built in.
    ///
    /// # Errors
    /// A font that cannot be read, which no build that passed its tests has; no thread.
    pub fn new() -> Result<Self, PrintError> {
        Ok(Self {
            fonts: fonts()?,
            thread: ThreadPoolBuilder::new().num_threads(1).build()?,
        })
    }

    /// The PDF of a sheet. Of the pictures, those that the sheet names are taken.
    ///
    /// # Errors
    /// A picture that cannot be read.
    pub fn pdf(
        &self,
        sheet: &Sheet,
        pictures: &[Picture<'_>],
        fhir: &[u8],
    ) -> Result<Vec<u8>, PrintError> {
        let mut files = vec![
            (
                "sheet.json".to_owned(),
                Bytes::new(serde_json::to_vec(sheet)?),
            ),
            ("fhir.json".to_owned(), Bytes::new(fhir.to_vec())),
        ];
        let wanted = sheet.picture_files();
        for picture in pictures {
            let name = picture.file_name();
            if wanted.contains(&name.as_str()) {
                let jpeg =
                    photograph::jpeg(picture).ok_or(PrintError::Picture { name: name.clone() })?;
                let file = photograph::file_name(&jpeg);
                let frame = photograph::frame(picture, &file);
                files.push((name.replace(".webp", ".svg"), Bytes::from_string(frame)));
                files.push((file, Bytes::new(jpeg.into_owned())));
            }
        }
        if let Some(logo) = sheet.logo() {
            let name = "logo.png".to_owned();
            let png =
                photograph::on_white(logo).ok_or(PrintError::Picture { name: name.clone() })?;
            files.push((name, Bytes::new(png)));
        }
        let paper = Paper::new(&self.fonts, files);
        self.thread.install(|| set(&paper))
    }
}

/// The PDF of what is on its way.
fn set(paper: &Paper<'_>) -> Result<Vec<u8>, PrintError> {
    let said = |errors: &[typst::diag::SourceDiagnostic]| {
        let first = errors.first().map(|e| e.message.to_string());
        PrintError::Set(first.unwrap_or_default())
    };
    let document = typst::compile::<PagedDocument>(paper)
        .output
        .map_err(|e| said(&e))?;
    let document = numbering::numbered(&document)
        .ok_or_else(|| PrintError::Set("a page has no place for its number".to_owned()))?;
    let standards = PdfStandards::new(&[PdfStandard::A_3a, PdfStandard::Ua_1])
        .map_err(|e| PrintError::Set(e.message().to_string()))?;
    let options = PdfOptions {
        ident: Smart::Auto,
        creator: Smart::Custom(Some("Dermalia".to_owned())),
        standards,
        ..PdfOptions::default()
    };
    let pdf = typst_pdf::pdf(&document, &options).map_err(|e| said(&e));
    // What the next report does not use either goes; the rest makes it faster.
    typst::comemo::evict(1);
    pdf
}

impl Printer for Typesetter {
    fn print(
        &self,
        sheet: &Sheet,
        pictures: &[Picture<'_>],
        fhir: &[u8],
    ) -> Result<Vec<u8>, String> {
        self.pdf(sheet, pictures, fhir).map_err(|e| e.to_string())
    }
}
