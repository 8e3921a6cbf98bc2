//! All that the typesetter may see: the template, the sheet, its pictures, three fonts.

use std::collections::BTreeMap;

use typst::diag::{FileError, FileResult};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World};

use crate::PrintError;

const TEMPLATE: &str = include_str!("../template/report.typ");
const MAIN: &str = "report.typ";
const FONTS: [&[u8]; 3] = [
    include_bytes!(concat!(env!("OUT_DIR"), "/sans_regular.ttf")),
    include_bytes!(concat!(env!("OUT_DIR"), "/sans_semibold.ttf")),
    include_bytes!(concat!(env!("OUT_DIR"), "/serif_regular.ttf")),
];

/// What does not change from report to report.
pub(crate) struct Fonts {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    main: Source,
}

pub(crate) fn fonts() -> Result<Fonts, PrintError> {
    let fonts: Vec<Font> = FONTS
        .into_iter()
        .map(|bytes| Font::new(Bytes::new(bytes), 0).ok_or(PrintError::Font))
        .collect::<Result<_, _>>()?;
    Ok(Fonts {
        library: LazyHash::new(Library::default()),
        book: LazyHash::new(FontBook::from_fonts(&fonts)),
        fonts,
        main: template(),
    })
}

fn template() -> Source {
    let path = VirtualPath::new(MAIN).map(|p| RootedPath::new(VirtualRoot::Project, p));
    let id = path.map_or_else(|_| Source::detached("").id(), FileId::new);
    Source::new(id, TEMPLATE.to_owned())
}

/// One report on its way.
pub(crate) struct Paper<'a> {
    base: &'a Fonts,
    files: BTreeMap<String, Bytes>,
}

impl<'a> Paper<'a> {
    pub(crate) fn new(base: &'a Fonts, files: Vec<(String, Bytes)>) -> Self {
        Self {
            base,
            files: files.into_iter().collect(),
        }
    }
}

impl World for Paper<'_> {
    fn library(&self) -> &LazyHash<Library> {
        &self.base.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.base.book
    }

    fn main(&self) -> FileId {
        self.base.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        if id == self.base.main.id() {
            return Ok(self.base.main.clone());
        }
        Err(FileError::NotSource)
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let name = id.get().vpath().get_without_slash();
        let found = self.files.get(name).cloned();
        found.ok_or_else(|| FileError::NotFound(name.into()))
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.base.fonts.get(index).cloned()
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        None
    }
}
