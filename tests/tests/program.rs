//! The program run to its end, and what it leaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use dermalia_phantom::{Phantom, PhantomOptions};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The files of a bundle by name, the manifest last.
pub(crate) type Files = Vec<(String, Vec<u8>)>;

pub(crate) fn run(arguments: &[&str]) -> Output {
    Command::new(dermalia_tests::dermalia())
        .args(arguments)
        .output()
        .unwrap()
}

/// Runs it to a good end; gives what it printed.
pub(crate) fn done(arguments: &[&str]) -> String {
    let output = run(arguments);
    let error = text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    text(&output.stdout).to_owned()
}

/// Runs a command for machines on a data folder.
pub(crate) fn run_on(data: &Path, arguments: &[&str]) -> Output {
    let folder = data.to_str().unwrap();
    run(&[&["--json"], arguments, &["--data", folder]].concat())
}

/// Runs such a command to a good end; gives what it said, null for nothing.
pub(crate) fn told(data: &Path, arguments: &[&str]) -> Value {
    let output = run_on(data, arguments);
    let error = text(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

/// Its text is UTF-8.
pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// Every line of text as JSON.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

/// Every file below a folder, or none where there is no folder.
pub(crate) fn files_under(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return vec![];
    };
    let mut found = vec![];
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_under(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// How much a folder holds, not going deeper; nothing where there is none.
pub(crate) fn count(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

/// A scan that is quickly measured.
pub(crate) fn small_scan() -> Files {
    let options = PhantomOptions {
        size_px: 192,
        ..PhantomOptions::default()
    };
    Phantom::generate(&options).unwrap().files
}

/// The bundle in a folder of its own, as a scan of the practice that its manifest names.
pub(crate) fn bundle_in(folder: &Path, files: &Files, practice: &str, scan: &str) -> PathBuf {
    let path = folder.join(format!("{practice}-{scan}"));
    fs::create_dir(&path).unwrap();
    for (name, content) in files {
        let mut content = content.clone();
        if name == "manifest.json" {
            let mut manifest: Value = serde_json::from_slice(&content).unwrap();
            manifest["practice_id"] = practice.into();
            manifest["scan_id"] = scan.into();
            content = manifest.to_string().into_bytes();
        }
        fs::write(path.join(name), content).unwrap();
    }
    path
}
