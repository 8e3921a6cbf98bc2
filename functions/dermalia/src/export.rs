//! `dermalia export`: a report in the form that another system files.

use std::fs;
use std::path::Path;

use anyhow::{Context, anyhow};
use dermalia_findings::Findings;
use dermalia_report::{
    DATA_FILE, DicomInput, FINDINGS_FILE, PDF_FILE, PracticeView, dicom, read_findings,
};
use serde_json::json;

use crate::cli::ExportArgs;
use crate::output::{Failure, Output};

pub(crate) fn run(args: &ExportArgs, output: &Output) -> Result<(), Failure> {
    let findings = findings(&args.dir)?;
    let path = args.dir.join(PDF_FILE);
    let pdf = fs::read(&path).with_context(|| {
        format!(
            "cannot read {}: a build with the feature `pdf` prints it with `dermalia report`",
            path.display()
        )
    })?;
    let object = dicom(&DicomInput {
        findings: &findings,
        practice: PracticeView {
            name: args.practice.as_deref(),
            ..PracticeView::default()
        },
        title: "Skin surface measurement",
        pdf: &pdf,
    })
    .map_err(|e| anyhow!("{}: {e}", path.display()))?;
    fs::write(&args.out, object).with_context(|| format!("cannot write {}", args.out.display()))?;
    output.result(
        &args.out.display().to_string(),
        &json!({ "dicom": args.out }),
    );
    Ok(())
}

/// The findings, as `analyze` wrote them or inside the data copy that `report` wrote.
fn findings(dir: &Path) -> anyhow::Result<Findings> {
    let plain = dir.join(FINDINGS_FILE);
    if plain.exists() {
        let bytes = fs::read(&plain).with_context(|| format!("cannot read {}", plain.display()))?;
        return Ok(read_findings(&bytes)?);
    }
    let copy = dir.join(DATA_FILE);
    let bytes = fs::read(&copy).with_context(|| {
        format!(
            "cannot read {}: is it a folder that `report` wrote?",
            copy.display()
        )
    })?;
    let whole: serde_json::Value =
        serde_json::from_slice(&bytes).with_context(|| format!("{} is no JSON", copy.display()))?;
    Ok(read_findings(whole["findings"].to_string().as_bytes())?)
}
