//! The report with its printed form, from what `dermalia analyze` wrote:
//! `printed FINDINGS OUT [FINDINGS_OF_THE_SCAN_BEFORE]`.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

use dermalia_pdf::Typesetter;
use dermalia_report::{
    Artifact, FINDINGS_FILE, Locale, PracticeView, ReportRequest, read_findings,
    render_report_printed,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut folders = env::args_os().skip(1).map(PathBuf::from);
    let (Some(findings), Some(out)) = (folders.next(), folders.next()) else {
        return Err("expected two folders at least: FINDINGS OUT".into());
    };
    let before = folders.next();
    let before = before.map(|folder| fs::read(folder.join(FINDINGS_FILE)));
    let before = before.transpose()?.map(|bytes| read_findings(&bytes));
    let before = before.transpose()?;
    let mut artifacts = vec![];
    for entry in fs::read_dir(findings)? {
        let path = entry?.path();
        if let Some(name) = path.file_name().and_then(|n| n.to_str()) {
            artifacts.extend(Artifact::named(name, fs::read(&path)?));
        }
    }
    artifacts.sort_by(|a, b| a.name.cmp(&b.name));
    let request = ReportRequest {
        practice: PracticeView {
            name: Some("Praxis am Nordufer"),
            contact: Some("Tel. 040 1234"),
            logo: None,
        },
        patient_first_name: Some("Änne"),
        locales: &[Locale::De],
        expires: Some("2028-05-14"),
        previous: before.as_ref(),
        previous_files: &[],
        asset_prefix: "",
    };
    fs::create_dir_all(&out)?;
    for file in render_report_printed(&artifacts, &request, Some(&Typesetter::new()?))? {
        fs::write(out.join(&file.name), &file.bytes)?;
    }
    Ok(())
}
