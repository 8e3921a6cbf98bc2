//! Running other programs: shown first, failing with their name.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
        .to_path_buf()
}

/// Runs a command in the root and fails when it does.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    run_in(&root(), command)
}

/// Runs a command in a folder and fails when it does.
pub(crate) fn run_in(folder: &Path, command: &mut Command) -> Result<()> {
    let shown = shown(command);
    eprintln!("$ {shown}");
    let status = command
        .current_dir(folder)
        .status()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !status.success() {
        bail!("`{shown}` ended with {status}");
    }
    Ok(())
}

/// Runs this toolchain's cargo.
pub(crate) fn cargo(args: &[&str]) -> Result<()> {
    run(Command::new(cargo_program()).args(args))
}

/// Builds the program, for stages on AWS too and with the features that the whole workspace
/// has (so that what the tests have built is not built again for others), and tells where
/// it is.
pub(crate) fn dermalia() -> Result<PathBuf> {
    cargo(&[
        "build",
        "--release",
        "--locked",
        "--workspace",
        "--features",
        "dermalia/aws",
        "--bin",
        "dermalia",
    ])?;
    Ok(target().join("release/dermalia"))
}

/// This toolchain's cargo.
pub(crate) fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Whether a program of that name can be started.
pub(crate) fn exists(program: &str) -> bool {
    answers(program, "--version")
}

/// The same of a program that tells its version by another option.
pub(crate) fn answers(program: &str, version: &str) -> bool {
    Command::new(program)
        .arg(version)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|part| part.to_string_lossy().into_owned())
        .collect::<Vec<_>>()
        .join(" ")
}
