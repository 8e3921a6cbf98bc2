//! The exports against validators that others wrote.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{command, debian, npm, python};

/// Part of the test command: a synthetic scan through the real program; its FHIR bundle
/// through two validators, of which each finds what the other does not; its printed report
/// read back.
pub(crate) fn test() -> Result<()> {
    let folder = command::root().join("tests/interop");
    ensure_pdftotext()?;
    npm::packages(&folder)?;
    let python = python::requirements("interop", &folder)?.join("python");
    let program = command::dermalia()?;
    // The typesetter takes minutes to build: as the tests before have built it.
    command::cargo(&[
        "build",
        "--release",
        "--locked",
        "--workspace",
        "--examples",
    ])?;
    let target = command::target();
    let scratch = target.join("interop");
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch)?;
    }
    std::fs::create_dir_all(&scratch)?;
    let run = |args: &[&str]| command::run_in(&scratch, Command::new(&program).args(args));
    run(&[
        "phantom", "--seed", "7", "--size", "1024", "--out", "bundle",
    ])?;
    run(&["analyze", "bundle", "--out", "findings"])?;
    // Another head stands for the scan before: it has changed in many places.
    run(&[
        "phantom", "--seed", "8", "--size", "1024", "--out", "earlier",
    ])?;
    run(&["analyze", "earlier", "--out", "before"])?;
    let printed = target.join("release/examples/printed");
    command::run_in(
        &scratch,
        Command::new(printed).args(["findings", "report", "before"]),
    )?;
    let bundle = scratch.join("report/fhir.json");
    command::run_in(
        &folder,
        Command::new("node").arg("validate_fhir.mjs").arg(&bundle),
    )?;
    command::run_in(
        &folder,
        Command::new(&python).arg("validate_fhir.py").arg(&bundle),
    )?;
    let report = scratch.join("report");
    command::run_in(
        &folder,
        Command::new(&python).arg("validate_pdf.py").arg(&report),
    )?;
    run(&["export", "report", "--dicom", "--out", "report.dcm"])?;
    command::run_in(
        &folder,
        Command::new(&python)
            .arg("validate_dicom.py")
            .args([scratch.join("report.dcm"), report]),
    )
}

/// Poppler's reader of PDFs, which Debian has.
fn ensure_pdftotext() -> Result<()> {
    if command::answers("pdftotext", "-v") {
        return Ok(());
    }
    debian::install(&["poppler-utils"])?;
    if !command::answers("pdftotext", "-v") {
        bail!("no pdftotext was found: install poppler-utils and run the command again");
    }
    Ok(())
}
