//! The measuring kernels against implementations that others wrote.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::{command, python};

/// Part of the test command: OpenCV, scikit-image, SciPy and libigl compute from real
/// pictures and a real head what our kernels compute, and the tests of the module `references`
/// compare.
pub(crate) fn test() -> Result<()> {
    let shared = std::env::var_os("DERMALIA_SHARED")
        .map_or_else(|| command::root().join("../shared"), PathBuf::from);
    if !shared.join("data").is_dir() {
        eprintln!(
            "SKIPPED: the pictures that the comparison takes are not at {}",
            shared.display()
        );
        return Ok(());
    }
    let scripts = command::root().join("tests/references");
    let python = python::requirements("references", &scripts)?.join("python");
    let references = command::target().join("references");
    command::run_in(
        &scripts,
        Command::new(python)
            .arg("reference.py")
            .arg(shared.join("data"))
            .arg(&references),
    )?;
    command::run(
        Command::new(command::cargo_program())
            .args(["test", "--release", "--workspace", "--locked", "--lib"])
            .args(["--", "references::"])
            .env("DERMALIA_REFERENCES", references),
    )
}
