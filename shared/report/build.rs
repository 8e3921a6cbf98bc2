//! Makes the list of languages from the files in `src/locale`, so that a language is
//! added by adding its file. What a file leaves out of `Messages` fails the build.
//! Takes comments and indentation out of what every page carries.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=src/locale");
    let folder = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("src/locale");
    let mut tags = vec![];
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let stem = path
            .file_stem()
            .and_then(|s| s.to_str())
            .unwrap_or_default();
        let is_rust = path.extension().is_some_and(|e| e == "rs");
        if is_rust && (2..=3).contains(&stem.len()) && stem != "mod" {
            tags.push(stem.to_owned());
        }
    }
    // German is the first language of the product; the others follow by their tags.
    tags.sort_by_key(|t| (t != "de", t.clone()));
    let mut modules = String::new();
    let mut variants = String::new();
    let mut all = String::new();
    let mut messages = String::new();
    for tag in &tags {
        let (head, tail) = tag.split_at(1);
        let variant = format!("{}{tail}", head.to_uppercase());
        let file = folder.join(format!("{tag}.rs"));
        writeln!(modules, "#[path = {file:?}]\nmod {tag};")?;
        writeln!(variants, "    /// `{tag}`\n    {variant},")?;
        write!(all, "Self::{variant}, ")?;
        writeln!(messages, "            Self::{variant} => &{tag}::MESSAGES,")?;
    }
    let code = format!(
        "{modules}
/// A language of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Locale {{
{variants}}}

impl Locale {{
    /// Every language, the product's first one first.
    pub const ALL: &'static [Self] = &[{all}];

    pub(crate) const fn messages(self) -> &'static Messages {{
        match self {{
{messages}        }}
    }}
}}
"
    );
    let out = env::var("OUT_DIR")?;
    let out = Path::new(&out);
    fs::write(out.join("locales.rs"), code)?;
    for (source, name) in [
        ("src/page/style.css", "style.css"),
        ("viewer/viewer.js", "viewer.js"),
        ("viewer/usage.js", "usage.js"),
    ] {
        println!("cargo:rerun-if-changed={source}");
        fs::write(out.join(name), slim(&fs::read_to_string(source)?))?;
    }
    Ok(())
}

/// Without indentation, empty lines and lines that are a comment. Line ends stay, so that
/// no statement runs into the next.
fn slim(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .filter(|l| !l.is_empty() && !is_comment(l))
        .map(|l| format!("{l}\n"))
        .collect()
}

fn is_comment(line: &str) -> bool {
    line.starts_with("//") || (line.starts_with("/*") && line.ends_with("*/"))
}
