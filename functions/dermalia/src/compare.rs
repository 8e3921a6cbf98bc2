//! `dermalia compare`: what changed between two scans of one face.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, anyhow};
use clap::Args;
use dermalia_analysis::change::{Change, ChangeError, Verdict, change};
use dermalia_analysis::{Analysis, Options};
use dermalia_report::Artifact;
use dermalia_scan::{Limits, Scan};
use serde_json::json;

use crate::analyze;
use crate::output::{Failure, Output};

const CHANGE_FILE: &str = "change.json";

#[derive(Args)]
pub(crate) struct CompareArgs {
    /// The earlier bundle, as for `analyze`.
    pub(crate) earlier: PathBuf,
    /// The later bundle of the same face.
    pub(crate) later: PathBuf,
    /// Where the results go; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
}

pub(crate) fn run(args: &CompareArgs, output: &Output) -> Result<(), Failure> {
    // What was mistyped is said before anything is worked out.
    for bundle in [&args.earlier, &args.later] {
        fs::metadata(bundle).with_context(|| format!("cannot read {}", bundle.display()))?;
    }
    if args.out.exists() && !args.out.is_dir() {
        return Err(anyhow!("{} is not a folder", args.out.display()).into());
    }
    let earlier = measured("earlier", &args.earlier, output)?;
    let later = measured("later", &args.later, output)?;
    let start = Instant::now();
    let found = change(&earlier, &later).map_err(|error| refused(&error))?;
    let artifacts = artifacts(&found, &later)?;
    remove_stale(&args.out)?;
    analyze::write(&args.out, &artifacts)?;
    output.step(
        "compare",
        &format!("{} files", artifacts.len()),
        start.elapsed(),
    );
    for region in found.regions.iter().filter(|r| is_face(r)) {
        for m in &region.measures {
            let (Some(before), Some(now)) = (m.before, m.now) else {
                continue;
            };
            let what = match m.verdict {
                Verdict::More => "more",
                Verdict::Less => "less",
                _ => "within scatter",
            };
            let name = m.name.as_str();
            output.note(&format!(
                "{name:<24} {before:>10.4} -> {now:>10.4} {:<12} {what}",
                m.unit
            ));
        }
    }
    let changed = found
        .regions
        .iter()
        .flat_map(|r| &r.measures)
        .filter(|m| matches!(m.verdict, Verdict::More | Verdict::Less))
        .count();
    let names: Vec<&str> = artifacts.iter().map(|a| a.name.as_str()).collect();
    output.result(
        &format!("{}", args.out.display()),
        &json!({
            "out": args.out,
            "files": names,
            "changed": changed,
            "residual_mm": found.registration.residual_mm,
        }),
    );
    Ok(())
}

fn is_face(region: &dermalia_analysis::change::RegionChange) -> bool {
    region.region == dermalia_findings::Region::Face
}

fn measured(which: &str, bundle: &Path, output: &Output) -> Result<Analysis, Failure> {
    let start = Instant::now();
    let working = output.working(&format!("measuring the {which} scan"));
    let limits = Limits::default();
    let scan = Scan::read_path(&analyze::bundle_in(bundle), &limits)?;
    let options = Options {
        limits,
        on_stage: None,
    };
    let analysis = dermalia_analysis::analyze(&scan, &options)?;
    working.finish_and_clear();
    output.step("measure", &format!("{which} scan"), start.elapsed());
    Ok(analysis)
}

/// Two bundles that are each in order, but not of one face that can be compared.
fn refused(error: &ChangeError) -> Failure {
    Failure::Refused(json!({
        "error": "refused",
        "code": "not_comparable",
        "subject": null,
        "message": error.to_string(),
    }))
}

fn artifacts(found: &Change, later: &Analysis) -> anyhow::Result<Vec<Artifact>> {
    let mut text = serde_json::to_vec_pretty(found).context("the changes cannot be written")?;
    text.push(b'\n');
    let mut files = vec![(CHANGE_FILE.to_owned(), "application/json", text)];
    for map in &found.maps {
        let png = map.png(&later.base).context("a map cannot be drawn")?;
        let name = format!("change_{}.png", map.parameter.as_str());
        files.push((name, "image/png", png));
    }
    Ok(files
        .into_iter()
        .map(|(name, content_type, bytes)| Artifact {
            name,
            content_type,
            bytes,
        })
        .collect())
}

/// Removes the maps of an earlier run: one that this comparison cannot draw would be taken
/// for its own.
fn remove_stale(out: &Path) -> anyhow::Result<()> {
    for parameter in dermalia_findings::Parameter::ALL {
        let path = out.join(format!("change_{}.png", parameter.as_str()));
        if path.exists() {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
}
