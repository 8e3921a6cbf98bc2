//! How long the printed report takes, from what `dermalia analyze` wrote:
//! `pace FINDINGS`. Counts the processor's time in all threads.

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::{env, fs};

use dermalia_pdf::Typesetter;
use dermalia_report::{
    Artifact, Assets, FINDINGS_FILE, FhirInput, Locale, Picture, PracticeView, ReportInput, Sheet,
    fhir_bundle, read_findings,
};

/// Runs after the first, which fills the typesetter's memory.
const RUNS: u32 = 20;
const LIMIT_MS: f64 = 60.0;

/// Milliseconds of processor that this process has had, in all its threads.
fn cpu_ms() -> Result<f64, Box<dyn Error>> {
    let mut sum = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        let nanoseconds = text.split_whitespace().next().ok_or("no time")?;
        sum += nanoseconds.parse::<u64>()?;
    }
    Ok(sum as f64 / 1e6)
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).map(PathBuf::from);
    let mut artifacts = vec![];
    for entry in fs::read_dir(folder.ok_or("expected a folder: FINDINGS")?)? {
        let path = entry?.path();
        if let Some(name) = path.file_name().and_then(|n| n.to_str()) {
            artifacts.extend(Artifact::named(name, fs::read(&path)?));
        }
    }
    let stored = artifacts.iter().find(|a| a.name == FINDINGS_FILE);
    let findings = read_findings(&stored.ok_or("no findings")?.bytes)?;
    let pictures: Vec<Picture<'_>> = artifacts
        .iter()
        .filter_map(|a| Picture::of_file(&a.name, &a.bytes))
        .collect();
    let mut out = std::io::stdout();
    let start = cpu_ms()?;
    let typesetter = Typesetter::new()?;
    // Each run is another report: nothing but what all share is at hand.
    let print = |run: u32| -> Result<usize, Box<dyn Error>> {
        let name = format!("Anna {run}");
        let practice = PracticeView {
            name: Some("Praxis am Nordufer"),
            ..PracticeView::default()
        };
        let fhir = fhir_bundle(&FhirInput {
            findings: &findings,
            practice,
            locale: Locale::De,
            pictures: &pictures,
            page: None,
        })?;
        let sheet = Sheet::of(&ReportInput {
            findings: &findings,
            practice,
            patient_first_name: Some(&name),
            locale: Locale::De,
            expires: Some("2028-05-14"),
            pictures: &pictures,
            assets: Assets::default(),
            previous: None,
        });
        Ok(typesetter.pdf(&sheet, &pictures, &fhir)?.len())
    };
    let bytes = print(0)?;
    let cold = cpu_ms()? - start;
    let start = cpu_ms()?;
    for run in 1..=RUNS {
        print(run)?;
    }
    let warm = (cpu_ms()? - start) / f64::from(RUNS);
    writeln!(
        out,
        "{} pictures, {} kB; cold {cold:.0} ms, warm {warm:.1} ms of processor a report \
         (limit {LIMIT_MS:.0} ms: {:.2})",
        pictures.len(),
        bytes / 1000,
        warm / LIMIT_MS
    )?;
    Ok(())
}
