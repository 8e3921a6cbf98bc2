//! Makes the list of languages from the files in `src/languages`, so that a language is
//! added by adding its file. What a file leaves out of `Messages` fails the build.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Names a further folder of such files: the test of a third language has its own.
const FURTHER: &str = "DERMALIA_LANGUAGES";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed={FURTHER}");
    let mut folders = vec![Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("src/languages")];
    folders.extend(env::var_os(FURTHER).map(PathBuf::from));
    let mut languages = vec![];
    for folder in folders {
        println!("cargo:rerun-if-changed={}", folder.display());
        for entry in fs::read_dir(&folder)? {
            let file = entry?.path();
            if file.extension().is_some_and(|e| e == "rs") {
                languages.push((tag(&file)?, file));
            }
        }
    }
    // German is the first language of the product; the others follow by their tags.
    languages.sort_by_key(|(tag, _)| (tag != "de", tag.clone()));
    let out = Path::new(&env::var("OUT_DIR")?).join("languages.rs");
    Ok(fs::write(out, code(&languages)?)?)
}

/// The file's name is the language's tag: the links' files are named by it too.
fn tag(file: &Path) -> Result<String, String> {
    let stem = file
        .file_stem()
        .and_then(|s| s.to_str())
        .unwrap_or_default();
    if (2..=3).contains(&stem.len()) && stem.bytes().all(|b| b.is_ascii_lowercase()) {
        return Ok(stem.to_owned());
    }
    Err(format!(
        "{}: expected the name of a language's file to be its ISO 639 code, two or three \
         lower-case letters",
        file.display()
    ))
}

fn code(languages: &[(String, PathBuf)]) -> Result<String, std::fmt::Error> {
    let (mut modules, mut variants, mut all, mut legal) = Default::default();
    let (mut tags, mut directions, mut messages, mut pages) = Default::default();
    for (tag, file) in languages {
        let (head, tail) = tag.split_at(1);
        let variant = format!("{}{tail}", head.to_uppercase());
        let name = tag.to_uppercase();
        // Raw, because `as` is both Assamese and a word of Rust.
        line(
            &mut modules,
            format_args!("#[path = {file:?}]\nmod r#{tag};"),
        )?;
        line(
            &mut modules,
            format_args!("static {name}: Messages = r#{tag}::MESSAGES;"),
        )?;
        // Apart, so that a program which shows the pages alone holds nothing else.
        line(
            &mut modules,
            format_args!("static {name}_PAGES: PageTexts = r#{tag}::MESSAGES.pages;"),
        )?;
        line(&mut variants, format_args!("    /// `{tag}`"))?;
        line(
            &mut variants,
            format_args!("    #[serde(rename = {tag:?})]\n    {variant},"),
        )?;
        line(&mut all, format_args!("        Self::{variant},"))?;
        line(
            &mut tags,
            format_args!("            Self::{variant} => {tag:?},"),
        )?;
        line(
            &mut directions,
            format_args!("            Self::{variant} => const {{ r#{tag}::MESSAGES.dir }},"),
        )?;
        line(
            &mut messages,
            format_args!("            Self::{variant} => &{name},"),
        )?;
        line(
            &mut pages,
            format_args!("            Self::{variant} => &{name}_PAGES,"),
        )?;
        line(
            &mut legal,
            format_args!("const _: () = assert_legal_texts(&r#{tag}::MESSAGES.pages);"),
        )?;
    }
    Ok(format!(
        "{modules}{legal}
/// A language of the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Locale {{
{variants}}}

impl Locale {{
    /// Every language, the product's first one first.
    pub const ALL: &'static [Self] = &[
{all}    ];

    /// The BCP 47 language tag.
    #[must_use]
    pub const fn tag(self) -> &'static str {{
        match self {{
{tags}        }}
    }}

    /// In which direction it is written: `ltr` or `rtl`.
    #[must_use]
    pub const fn dir(self) -> &'static str {{
        match self {{
{directions}        }}
    }}

    /// Every text in this language.
    #[must_use]
    pub const fn messages(self) -> &'static Messages {{
        match self {{
{messages}        }}
    }}

    /// The texts of the pages around a report alone.
    #[must_use]
    pub const fn pages(self) -> &'static PageTexts {{
        match self {{
{pages}        }}
    }}
}}
"
    ))
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) -> std::fmt::Result {
    writeln!(text, "{line}")
}
