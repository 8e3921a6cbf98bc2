//! The pages in a real browser, served by the real program.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::{command, debian, npm};

/// Names under which Chromium is installed.
const BROWSERS: [&str; 4] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
    "/snap/bin/chromium",
];

/// Part of the test command: the demo, opened in Chromium.
pub(crate) fn test() -> Result<()> {
    run("report.test.mjs", &[])
}

/// Runs one file of tests with the real program and a browser.
pub(crate) fn run(tests: &str, variables: &[(&str, &OsStr)]) -> Result<()> {
    let browser = browser()?;
    let folder = command::root().join("tests/browser");
    npm::packages(&folder)?;
    let dermalia = command::dermalia()?;
    command::run_in(
        &folder,
        Command::new("node")
            .args(["--test", "--test-reporter=spec", tests])
            .env("DERMALIA_BIN", dermalia)
            .env("CHROMIUM_BIN", browser)
            .envs(variables.iter().copied()),
    )
}

/// The browser named by CHROMIUM_BIN, an installed one, or Debian's, installed now.
fn browser() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM_BIN") {
        return Ok(named.into());
    }
    let installed = || {
        BROWSERS
            .iter()
            .map(Path::new)
            .find(|p| p.exists())
            .map(Path::to_path_buf)
    };
    if let Some(browser) = installed() {
        return Ok(browser);
    }
    debian::install(&["chromium"])?;
    if let Some(browser) = installed() {
        return Ok(browser);
    }
    bail!("no Chromium was found: install it, or name it in CHROMIUM_BIN");
}
