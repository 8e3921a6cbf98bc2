//! The model and the printed report measured, on a synthetic scan through the real program.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{command, npm};

/// A folder of its own with a bundle in it.
fn bundle(name: &str, size: &str) -> Result<PathBuf> {
    let scratch = command::target().join(name);
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    fs::create_dir_all(&scratch)?;
    dermalia(
        &scratch,
        &["phantom", "--seed", "7", "--size", size, "--out", "phantom"],
    )?;
    Ok(scratch)
}

fn dermalia(folder: &std::path::Path, arguments: &[&str]) -> Result<()> {
    command::run_in(folder, Command::new(command::dermalia()?).args(arguments))
}

/// The model beside those of gltfpack and gltf-transform: bytes, time, how far from the
/// scan, how like its skin.
pub(crate) fn glb() -> Result<()> {
    let scratch = bundle("models", "4096")?;
    let tools = command::root().join("tests/models");
    npm::packages(&tools)?;
    command::cargo(&[
        "build",
        "--release",
        "--locked",
        "--package",
        "dermalia-report",
        "--example",
        "model",
    ])?;
    let (bundle, model) = (scratch.join("phantom/bundle"), scratch.join("scan.glb"));
    let answer = Command::new(command::target().join("release/examples/model"))
        .args([&bundle, &model])
        .output()
        .context("the model's example cannot be run")?;
    anyhow::ensure!(answer.status.success(), "the model was not made");
    let seconds = String::from_utf8(answer.stdout)?;
    command::run_in(
        &tools,
        Command::new("node")
            .arg("bench.mjs")
            .args([&bundle, &model])
            .arg(seconds.trim())
            .arg(&scratch),
    )
}

/// The time of the printed report against its limit.
pub(crate) fn pdf() -> Result<()> {
    let scratch = bundle("print", "2048")?;
    dermalia(&scratch, &["analyze", "phantom", "--out", "findings"])?;
    command::cargo(&[
        "build",
        "--release",
        "--locked",
        "--package",
        "dermalia-pdf",
        "--example",
        "pace",
    ])?;
    let pace = command::target().join("release/examples/pace");
    command::run_in(&scratch, Command::new(pace).arg("findings"))
}
