//! The Worker: built with `worker-build`, run for its tests in the real runtime.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{browser, cache, command, npm, python, wasm};

const WORKER_BUILD: &str = "0.8.7";
/// An emulation of S3 and SQS that checks the signatures of S3, from PyPI.
const MINISTACK: &str = "1.5.33";

/// Set for wrangler, whose own step would build once more what was built.
const BUILT: &str = "DERMALIA_EDGE_BUILT";

/// Part of the test command: builds the Worker, holds it to its tables of
/// requests against emulated S3 and SQS, shows what a deployment of each stage
/// would be, and then holds the real report behind it to the native server's
/// answers and to a real browser.
pub(crate) fn test() -> Result<()> {
    let folder = folder();
    let toolchain = wasm::ensure_wasm_toolchain()?;
    command::run_in(
        &folder,
        Command::new("cargo").args(["fmt", "--all", "--check"]),
    )?;
    command::run_in(
        &folder,
        toolchain
            .cargo()?
            .args(["clippy", "--release", "--target", wasm::TARGET, "--locked"])
            .args(["--workspace", "--", "--deny", "warnings"]),
    )?;
    // What of it is pure, on this machine, beside another implementation.
    command::run_in(
        &folder,
        Command::new("cargo")
            .args(["test", "--profile", "host", "--locked"])
            .args(["--package", "dermalia-edge-signing"]),
    )?;
    build()?;
    let ministack = ministack()?;
    command::run_in(
        &folder,
        Command::new("node")
            .args(["--test", "--test-reporter=spec"])
            .args([
                "test/settings.test.mjs",
                "test/edge.test.mjs",
                "test/acts.test.mjs",
                "test/dev.test.mjs",
            ])
            // For the step of `wrangler dev` that builds.
            .env(BUILT, "1")
            .env("MINISTACK", &ministack),
    )?;
    for stage in ["dev", "prod"] {
        let mut wrangler = deployment(stage, true)?;
        command::run_in(&folder, wrangler.env(BUILT, "1"))?;
    }
    browser::run("edge.test.mjs", &[("MINISTACK", ministack.as_os_str())])
}

/// Prints the Worker's size, start-up and rate beside those of a plain one.
pub(crate) fn bench() -> Result<()> {
    build()?;
    command::run_in(&folder(), Command::new("node").arg("test/bench.mjs"))
}

/// Builds the Worker into `edge/build`.
pub(crate) fn build() -> Result<()> {
    if std::env::var_os(BUILT).is_some() {
        return Ok(());
    }
    let folder = folder();
    let toolchain = wasm::ensure_wasm_toolchain()?;
    let worker_build = cache::cargo_tool("worker-build", "worker-build", WORKER_BUILD)?;
    let version = wasm_bindgen_version(&folder)?;
    let wasm_bindgen = cache::cargo_tool("wasm-bindgen-cli", "wasm-bindgen", &version)?;
    let programs = npm::packages(&folder)?;
    // The three variables keep worker-build from downloading programs.
    command::run_in(
        &folder,
        toolchain
            .command(worker_build)?
            .arg("--release")
            .env("WASM_BINDGEN_BIN", wasm_bindgen)
            .env("ESBUILD_BIN", programs.join("esbuild"))
            .env("WASM_OPT_BIN", programs.join("wasm-opt")),
    )
}

/// Runs the Worker on this machine, reloading on changes, as `edge/README.md` says.
pub(crate) fn dev() -> Result<()> {
    let folder = folder();
    let programs = npm::packages(&folder)?;
    command::run_in(
        &folder,
        Command::new(programs.join("wrangler"))
            .args(["dev", "--env", "dev"])
            .env("WRANGLER_SEND_METRICS", "false"),
    )
}

/// Deploys the Worker to a stage.
pub(crate) fn deploy(stage: &str, dry_run: bool) -> Result<()> {
    command::run_in(&folder(), &mut deployment(stage, dry_run)?)
}

fn deployment(stage: &str, dry_run: bool) -> Result<Command> {
    let programs = npm::packages(&folder())?;
    let mut wrangler = Command::new(programs.join("wrangler"));
    wrangler
        .args(["deploy", "--env", stage])
        .env("WRANGLER_SEND_METRICS", "false");
    if dry_run {
        wrangler.args(["--dry-run", "--outdir", "target/dry-run"]);
    }
    Ok(wrangler)
}

fn folder() -> PathBuf {
    command::root().join("edge")
}

/// The version in the lock file: the program and the library must agree.
fn wasm_bindgen_version(folder: &Path) -> Result<String> {
    let lock = std::fs::read_to_string(folder.join("Cargo.lock"))?;
    lock.split("\n\n")
        .find(|package| package.contains("name = \"wasm-bindgen\"\n"))
        .and_then(|package| {
            package
                .lines()
                .find_map(|line| line.strip_prefix("version = "))
        })
        .map(|version| version.trim_matches('"').to_owned())
        .context("edge/Cargo.lock names no version of wasm-bindgen")
}

fn ministack() -> Result<PathBuf> {
    let package = format!("ministack=={MINISTACK}");
    let program = python::venv("ministack", &[&package])?.join("ministack");
    ensure!(
        program.exists(),
        "{} is missing: remove its folder and try again",
        program.display()
    );
    Ok(program)
}
