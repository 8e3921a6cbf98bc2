//! Puts the landmark models where the crate embeds them from.

#![expect(
    clippy::print_stdout,
    reason = "a build script speaks to cargo by its standard output"
)]

mod canonical;
mod models;
mod package;

use std::path::PathBuf;
use std::process::ExitCode;
use std::{env, fs};

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-env-changed=DERMALIA_MODELS");
    println!("cargo:rerun-if-env-changed=XDG_CACHE_HOME");
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), models::ModelError> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let say = |line: &str| println!("cargo:warning={line}");
    let found = models::obtain(&models::Places::of_this_user(), &out, &say)?;
    for (asset, bytes) in &found {
        let (name, content) = if asset.file == models::CANONICAL {
            ("canonical_face.table", &canonical::table(bytes)?)
        } else {
            (asset.file, bytes)
        };
        let target = out.join(name);
        fs::write(&target, content).map_err(|e| models::ModelError::Unwritable {
            path: target,
            reason: e.to_string(),
        })?;
    }
    Ok(())
}
