//! Packages of a folder with a lock file.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::command;

/// Installs the npm packages of the lock file, if they are not there yet; gives the
/// folder of their programs.
pub(crate) fn packages(folder: &Path) -> Result<PathBuf> {
    let lock = std::fs::read(folder.join("package-lock.json"))?;
    let installed = folder.join("node_modules/.installed-lock.json");
    if std::fs::read(&installed).ok().as_deref() != Some(&lock) {
        if !command::exists("npm") {
            bail!("`npm` was not found: install Node.js 20 or later with npm");
        }
        command::run_in(
            folder,
            Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]),
        )?;
        std::fs::write(&installed, lock)?;
    }
    Ok(folder.join("node_modules/.bin"))
}
