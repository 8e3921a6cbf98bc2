//! Programs that Debian has and the tests need.

use std::process::Command;

use anyhow::Result;

use crate::command;

/// Installs packages where there is an apt-get that may; the caller looks whether it has.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    if !command::exists("apt-get") {
        return Ok(());
    }
    let apt = |args: &[&str]| {
        command::run(
            Command::new("apt-get")
                .args(args)
                .env("DEBIAN_FRONTEND", "noninteractive"),
        )
    };
    apt(&["update", "--quiet"])?;
    let install = ["install", "--yes", "--quiet", "--no-install-recommends"];
    apt(&[&install, packages].concat())
}
