//! Python packages that tests use, each list in an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{cache, command};

/// The programs of an environment with the packages that a folder's requirements.txt pins.
pub(crate) fn requirements(name: &str, folder: &Path) -> Result<PathBuf> {
    let list = std::fs::read_to_string(folder.join("requirements.txt"))?;
    venv(name, &list.lines().collect::<Vec<_>>())
}

/// The programs of these packages from PyPI, installed once for this list.
pub(crate) fn venv(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let home = cache::dir()?.join("tools").join(format!("python-{name}"));
    let list = packages.join("\n");
    let done = home.join("installed");
    if std::fs::read_to_string(&done).ok().as_deref() != Some(&list) {
        eprintln!("installing {} (once)", packages.join(", "));
        command::run(
            Command::new("python3")
                .args(["-m", "venv", "--clear"])
                .arg(&home),
        )
        .context("on Debian, `python3 -m venv` needs the package python3-venv")?;
        command::run(
            Command::new(home.join("bin/pip"))
                .args([
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--no-compile",
                ])
                .args(packages),
        )?;
        std::fs::write(&done, list)?;
    }
    Ok(home.join("bin"))
}
