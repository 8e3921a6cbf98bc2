//! A third language from one file.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::command;

/// Read by the build script of `shared/locale`: where further languages' files are.
const FURTHER: &str = "DERMALIA_LANGUAGES";
/// Local use, by ISO 639-2: no language has it.
const FILE: &str = "qaa.rs";

/// One text of each kind: of the report, a mail, the pages around a link, a copy.
const TEXTS: [&str; 4] = ["no_pores", "otherwise", "back", "recipients_title"];

/// Part of the test command: adds a language with one file and holds every surface to it
/// (`tests/language`); then leaves texts out of that file, which must not compile.
pub(crate) fn test() -> Result<()> {
    let folder = command::root().join("tests/language");
    std::fs::copy(
        command::root().join("Cargo.lock"),
        folder.join("Cargo.lock"),
    )?;
    let english = command::root().join("shared/locale/src/languages/en.rs");
    let language = in_hebrew_letters(&std::fs::read_to_string(english)?)?;
    let scratch = command::target().join("language");
    let whole = scratch.join("whole");
    write(&whole, &language)?;
    let cargo = |what: &str, languages: &Path| {
        let mut cargo = Command::new(command::cargo_program());
        cargo
            .args([what, "--release", "--offline"])
            .env(FURTHER, languages);
        cargo
    };
    command::run_in(&folder, Command::new("cargo").args(["fmt", "--check"]))?;
    command::run_in(
        &folder,
        // What does not differ is taken from what the tests before have built.
        cargo("test", &whole).env("CARGO_TARGET_DIR", command::target()),
    )?;

    let lacking = scratch.join("lacking");
    write(&lacking, &without(&language, &TEXTS)?)?;
    let output = cargo("check", &lacking)
        .args(["--package", "dermalia-locale"])
        .env("CARGO_TARGET_DIR", scratch.join("check"))
        .current_dir(&folder)
        .output()?;
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !output.status.success(),
        "a language that lacks {TEXTS:?} compiles"
    );
    for text in TEXTS {
        ensure!(
            told.contains(&format!("missing field `{text}` in initializer")),
            "the compiler does not say that `{text}` is missing:\n{told}"
        );
    }
    eprintln!("a language without {} does not compile", TEXTS.join(", "));
    Ok(())
}

/// Leaves a file alone that is as it should be, so that nothing is built again.
fn write(folder: &Path, language: &str) -> Result<()> {
    let file = folder.join(FILE);
    if std::fs::read_to_string(&file).ok().as_deref() != Some(language) {
        std::fs::create_dir_all(folder)?;
        std::fs::write(file, language)?;
    }
    Ok(())
}

/// A language's file without these texts, each of which is one line.
fn without(language: &str, texts: &[&str]) -> Result<String> {
    let mut left = language.to_owned();
    for text in texts {
        let line = left
            .lines()
            .find(|l| l.trim_start().starts_with(&format!("{text}: \"")))
            .with_context(|| format!("the language has no text `{text}` of one line"))?
            .to_owned();
        left = left.replacen(&format!("{line}\n"), "", 1);
    }
    Ok(left)
}

/// The English file as one of another language: each letter of each text one of the Hebrew
/// alphabet, written from right to left, with the legal texts left to English.
fn in_hebrew_letters(english: &str) -> Result<String> {
    let (texts, _) = english
        .split_once("\nconst PRIVACY")
        .context("the English file has no legal texts at its end")?;
    let mut source = texts.to_owned();
    for (from, to) in [
        ("dir: \"ltr\"", "dir: RIGHT_TO_LEFT".to_owned()),
        ("Written(PRIVACY)", of_english()),
        ("Written(SECURITY)", of_english()),
    ] {
        ensure!(source.contains(from), "the English file has no `{from}`");
        source = source.replacen(from, &to, 1);
    }
    let mut language = String::new();
    let mut rest = source.as_str();
    while let Some(start) = rest.find('"') {
        let (code, literal) = rest.split_at(start + 1);
        let end = end_of(literal).context("a text of the English file has no end")?;
        let after = literal[end + 1..].trim_start();
        language.push_str(code);
        // What a function compares with is no text.
        if after.starts_with("=>") || after.starts_with("| \"") {
            language.push_str(&literal[..end]);
        } else {
            written(&literal[..end], &mut language);
        }
        language.push('"');
        rest = &literal[end + 1..];
    }
    language.push_str(rest);
    writeln!(language, "\nconst RIGHT_TO_LEFT: &str = \"rtl\";")?;
    Ok(language)
}

fn of_english() -> String {
    "Of { locale: crate::Locale::En, note: \"This text is there in English only.\" }".to_owned()
}

/// Where a literal ends whose first quotation mark is taken off.
fn end_of(literal: &str) -> Option<usize> {
    let mut is_escaped = false;
    literal.bytes().position(|b| {
        let ends = b == b'"' && !is_escaped;
        is_escaped = b == b'\\' && !is_escaped;
        ends
    })
}

/// A text in the other letters; escapes, entities, elements and what is filled in stay.
fn written(text: &str, language: &mut String) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let kept = match c {
            '\\' if rest.starts_with("\\u{") => through(rest, '}'),
            '\\' => 2,
            '{' => through(rest, '}'),
            '<' => through(rest, '>'),
            '&' => through(rest, ';'),
            _ => 0,
        };
        if kept > 0 {
            language.push_str(&rest[..kept]);
            rest = &rest[kept..];
            continue;
        }
        match c.to_ascii_lowercase() {
            letter @ 'a'..='z' => {
                let place = u32::from(letter) - u32::from('a');
                language.extend(char::from_u32(u32::from('א') + place));
            }
            _ => language.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
}

fn through(text: &str, end: char) -> usize {
    text.find(end).map_or(text.len(), |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_change_and_what_is_filled_in_stays() {
        let mut out = String::new();
        written(r"Ab {name}<b>c</b>&nbsp;\u{a0}\n9²", &mut out);
        assert_eq!(out, "אב {name}<b>ג</b>&nbsp;\\u{a0}\\n9²");
    }

    #[test]
    fn what_is_compared_with_stays() {
        let english = "dir: \"ltr\", Written(PRIVACY) Written(SECURITY)\n\
                       match a { \"mm\" => \"ab\", \"1\" | \"b\" => \"\\\"c\" }\n\nconst PRIVACY";
        let language = in_hebrew_letters(english).unwrap();
        assert!(
            language.contains("match a { \"mm\" => \"אב\", \"1\" | \"b\" => \"\\\"ג\" }"),
            "{language}"
        );
        assert!(language.starts_with("dir: RIGHT_TO_LEFT"));
        assert!(!language.contains("PRIVACY"));
        assert!(without(&language, &["no_pores"]).is_err());
    }
}
