//! `dermalia report`: the page from what `analyze` wrote.

use std::fs;
use std::time::Instant;

use anyhow::{Context, anyhow};
use dermalia_record::{Settings, expires_at_secs};
use dermalia_report::{
    Artifact, FINDINGS_FILE, PracticeView, ReportRequest, read_findings, render_report_printed,
};
use jiff::Timestamp;
use serde_json::json;

use crate::analyze::write;
use crate::cli::ReportArgs;
use crate::output::{Failure, Output};

pub(crate) fn run(args: &ReportArgs, output: &Output) -> Result<(), Failure> {
    let start = Instant::now();
    let artifacts = read(args)?;
    let findings = artifacts
        .iter()
        .find(|a| a.name == FINDINGS_FILE)
        .ok_or_else(|| {
            anyhow!(
                "{} has no {FINDINGS_FILE}: is it a folder that `analyze` wrote?",
                args.dir.display()
            )
        })
        .and_then(|a| Ok(read_findings(&a.bytes)?))?;
    let expires = expires_at_secs(&findings.captured_at, Settings::default().retention_months)
        .ok()
        .and_then(|secs| Timestamp::from_second(secs).ok())
        .map(|time| time.to_string());
    let locales = args.locale.and_others();
    let request = ReportRequest {
        practice: PracticeView {
            name: args.practice.as_deref(),
            contact: None,
            logo: None,
        },
        patient_first_name: None,
        locales: &locales,
        expires: expires.as_deref(),
        previous: None,
        previous_files: &[],
        asset_prefix: "",
    };
    #[cfg(feature = "pdf")]
    let typesetter = dermalia_pdf::Typesetter::new().context("the report cannot be printed")?;
    #[cfg(feature = "pdf")]
    let printer: Option<&dyn dermalia_report::Printer> = Some(&typesetter);
    #[cfg(not(feature = "pdf"))]
    let printer = None;
    let files = render_report_printed(&artifacts, &request, printer)
        .context("the report cannot be written")?;
    write(&args.out, &files)?;
    output.step("report", &format!("{} files", files.len()), start.elapsed());
    let page = args.out.join(dermalia_report::REPORT_FILE);
    output.result(&page.display().to_string(), &json!({ "page": page }));
    Ok(())
}

/// The files of ours in the folder; others are passed over.
fn read(args: &ReportArgs) -> anyhow::Result<Vec<Artifact>> {
    let unreadable = || format!("cannot read {}", args.dir.display());
    let mut artifacts = vec![];
    for entry in fs::read_dir(&args.dir).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
            continue;
        };
        if path.is_file() && dermalia_report::content_type(name).is_some() {
            let bytes =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            artifacts.extend(Artifact::named(name, bytes));
        }
    }
    artifacts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(artifacts)
}
