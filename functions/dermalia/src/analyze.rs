//! `dermalia analyze`: one bundle in, the artefacts of its analysis out.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context, anyhow};
use dermalia_analysis::{Options, Stage};
use dermalia_report::{Artifact, MODEL_FILE, PRINTS_FILE, render_artifacts};
use dermalia_scan::{Limits, MANIFEST_NAME, Scan};
use serde_json::json;

use crate::cli::AnalyzeArgs;
use crate::output::{Failure, Output};

pub(crate) fn run(args: &AnalyzeArgs, output: &Output) -> Result<(), Failure> {
    let Some(threads) = args.threads else {
        return measure(args, output);
    };
    rayon::ThreadPoolBuilder::new()
        .num_threads(usize::from(threads))
        .build()
        .context("the threads cannot be started")?
        .install(|| measure(args, output))
}

fn measure(args: &AnalyzeArgs, output: &Output) -> Result<(), Failure> {
    // What was mistyped is said before anything is worked out.
    fs::metadata(&args.bundle).with_context(|| format!("cannot read {}", args.bundle.display()))?;
    if args.out.exists() && !args.out.is_dir() {
        return Err(anyhow!("{} is not a folder", args.out.display()).into());
    }
    let limits = Limits::default();
    let start = Instant::now();
    let working = output.working("reading the bundle");
    let scan = Scan::read_path(&bundle_in(&args.bundle), &limits)?;
    output.step(
        "read",
        &format!("{} pictures", scan.pictures.len()),
        start.elapsed(),
    );

    working.set_message("measuring");
    let stages = Mutex::new(vec![]);
    let record = |stage: Stage| {
        if let Ok(mut stages) = stages.lock() {
            stages.push(stage);
        }
    };
    let options = Options {
        limits,
        on_stage: Some(&record),
    };
    let analysis = dermalia_analysis::analyze(&scan, &options)?;
    for stage in stages.into_inner().unwrap_or_default() {
        output.step("measure", stage.name, stage.took);
    }

    let start = Instant::now();
    working.set_message("drawing");
    let mesh = analysis.has_surface.then_some(&analysis.mesh);
    let artifacts = render_artifacts(&analysis.findings, &analysis.maps, &analysis.base, mesh)
        .context("the pictures cannot be made")?;
    write(&args.out, &artifacts)?;
    remove_stale(&args.out, &artifacts)?;
    working.finish_and_clear();
    output.step(
        "write",
        &format!("{} files", artifacts.len()),
        start.elapsed(),
    );
    let names: Vec<&str> = artifacts.iter().map(|a| a.name.as_str()).collect();
    output.result(
        &format!("{}", args.out.display()),
        &json!({ "out": args.out, "files": names, "features": analysis.findings.features.len() }),
    );
    Ok(())
}

/// The bundle itself where a folder that `phantom` wrote was named.
pub(crate) fn bundle_in(path: &Path) -> PathBuf {
    let inner = [path.join("bundle"), path.join("bundle.zip")];
    if path.join(MANIFEST_NAME).exists() {
        return path.to_owned();
    }
    inner
        .into_iter()
        .find(|p| p.exists())
        .unwrap_or_else(|| path.to_owned())
}

/// Writes each artefact under its name, whole or not at all.
pub(crate) fn write(out: &Path, artifacts: &[Artifact]) -> anyhow::Result<()> {
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    for artifact in artifacts {
        let path = out.join(&artifact.name);
        let partial = out.join(format!("{}.partial", artifact.name));
        fs::write(&partial, &artifact.bytes)
            .and_then(|()| fs::rename(&partial, &path))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Removes what an earlier analysis left in the folder and this one does not have, such as
/// the heat map of a parameter that this scan cannot carry: the report would show it.
fn remove_stale(out: &Path, artifacts: &[Artifact]) -> anyhow::Result<()> {
    let ours = |name: &str| {
        name == MODEL_FILE
            || name == PRINTS_FILE
            || (name.ends_with(".webp")
                && (name.starts_with("heat_") || name.starts_with("still_")))
    };
    let unreadable = || format!("cannot read {}", out.display());
    for entry in fs::read_dir(out).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
            continue;
        };
        if ours(name) && !artifacts.iter().any(|a| a.name == name) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}
