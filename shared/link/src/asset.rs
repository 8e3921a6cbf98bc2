//! The files of a report that a link can reach.

/// The object that holds the report's page.
pub const PAGE_OBJECT: &str = "report.html";

/// What the page puts in front of a file's name to refer to it: a reference
/// that is a query alone resolves against the page's own address.
pub const ASSET_PREFIX: &str = "?";

const PAGE_TYPE: &str = "text/html; charset=utf-8";

/// A file name is short; anything longer is not ours.
const MAX_NAME_BYTES: usize = 64;

/// One file of a report, by a name from the list of those that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset<'a> {
    name: &'a str,
    content_type: &'static str,
    download: bool,
}

impl<'a> Asset<'a> {
    /// The report's page, in the language that comes first.
    pub const PAGE: Asset<'static> = Asset::page(PAGE_OBJECT);

    const fn page(name: &'a str) -> Self {
        Self {
            name,
            content_type: PAGE_TYPE,
            download: false,
        }
    }

    /// The file of that name, if a report has such files: `report.html` and
    /// its translations `report.{language}.html`, `scan.glb`, `previous.glb`, `heat_*.webp`, `still_*.webp`, `data.json`,
    /// `findings.json`, `report.pdf`, `fhir.json`. The star stands for
    /// lower-case letters, digits, `_` and `-`, at least one.
    #[must_use]
    pub fn from_name(name: &'a str) -> Option<Self> {
        if name.len() > MAX_NAME_BYTES {
            return None;
        }
        let (content_type, download) = match name {
            PAGE_OBJECT => return Some(Self::PAGE),
            _ if is_translation(name) => return Some(Self::page(name)),
            "scan.glb" | "previous.glb" => ("model/gltf-binary", true),
            "report.pdf" => ("application/pdf", false),
            "data.json" | "findings.json" => ("application/json", true),
            "fhir.json" => ("application/fhir+json", true),
            _ if is_picture(name) => ("image/webp", false),
            _ => return None,
        };
        Some(Self {
            name,
            content_type,
            download,
        })
    }

    /// Its name within the report.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// Its media type, which never comes from the origin.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// Whether a browser saves it when asked for it by itself.
    #[must_use]
    pub fn is_download(&self) -> bool {
        self.download
    }

    pub(crate) fn is_page(&self) -> bool {
        self.content_type == PAGE_TYPE
    }

    /// Whether every report has it.
    pub(crate) fn is_certain(&self) -> bool {
        self.name == PAGE_OBJECT
    }
}

/// The page in another language: `report.en.html`.
fn is_translation(name: &str) -> bool {
    let language = name
        .strip_prefix("report.")
        .and_then(|rest| rest.strip_suffix(".html"));
    language.is_some_and(|tag| {
        (2..=3).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_lowercase())
    })
}

fn is_picture(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".webp") else {
        return false;
    };
    let subject = stem
        .strip_prefix("heat_")
        .or_else(|| stem.strip_prefix("still_"));
    subject.is_some_and(|subject| {
        !subject.is_empty()
            && subject
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    })
}
