//! Tools that the tests need, kept outside of the target folder.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;

/// The folder that outlives builds: `$XDG_CACHE_HOME/dermalia` or `~/.cache/dermalia`.
pub(crate) fn dir() -> Result<PathBuf> {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|p| p.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set: where shall tools be kept?")?;
    Ok(base.join("dermalia"))
}

/// A program from the Rust registry at exactly this version, built once into the cache.
pub(crate) fn cargo_tool(package: &str, binary: &str, version: &str) -> Result<PathBuf> {
    let root = dir()?.join("tools").join(format!("{package}-{version}"));
    let path = root.join("bin").join(binary);
    if !path.exists() {
        // Without optimisation: such a tool runs for seconds and is built for minutes.
        eprintln!("installing {package} {version} (once; takes some minutes)");
        command::run(
            Command::new("cargo")
                .args(["install", package, "--version", version, "--debug"])
                .arg("--root")
                .arg(&root)
                .arg("--target-dir")
                .arg(root.join("build"))
                .env("CARGO_PROFILE_DEV_DEBUG", "false"),
        )?;
        // The build folder is large and never needed again.
        std::fs::remove_dir_all(root.join("build"))?;
    }
    Ok(path)
}
