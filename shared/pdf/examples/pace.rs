//! How long the printed report takes, from what `dermalia analyze` wrote:
//! `pace FINDINGS`. Counts the processor's time in all threads. Every run prints other
//! numbers, and pictures of other bytes, as the next patient's report does.

use std::cell::Cell;
use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::{env, fs};

use dermalia_pdf::Typesetter;
use dermalia_report::{
    Artifact, FINDINGS_FILE, Locale, Picture, PracticeView, Printer, ReportRequest, Sheet,
    findings_json, read_findings, render_report_printed,
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

/// Prints and says how long the last one took.
struct Timed {
    typesetter: Typesetter,
    run: Cell<u32>,
    ms: Cell<f64>,
}

impl Printer for Timed {
    fn print(
        &self,
        sheet: &Sheet,
        pictures: &[Picture<'_>],
        fhir: &[u8],
    ) -> Result<Vec<u8>, String> {
        // A comment behind the start of each JPEG makes other bytes of it.
        let comment = [&[0xff, 0xfe, 0, 6][..], &self.run.get().to_be_bytes()].concat();
        let others: Vec<Vec<u8>> = pictures
            .iter()
            .map(|p| {
                let print = p.print.unwrap_or_default();
                let (start, rest) = print.split_at(2.min(print.len()));
                [start, &comment, rest].concat()
            })
            .collect();
        let pictures: Vec<Picture<'_>> = pictures
            .iter()
            .zip(&others)
            .map(|(&p, other)| Picture {
                print: p.print.map(|_| other.as_slice()),
                ..p
            })
            .collect();
        let start = cpu_ms().map_err(|e| e.to_string())?;
        let pdf = self.typesetter.print(sheet, &pictures, fhir);
        self.ms.set(cpu_ms().map_err(|e| e.to_string())? - start);
        pdf
    }
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
    let stored = artifacts.iter().position(|a| a.name == FINDINGS_FILE);
    let stored = stored.ok_or("no findings")?;
    let findings = read_findings(&artifacts[stored].bytes)?;
    let started = cpu_ms()?;
    let printer = Timed {
        typesetter: Typesetter::new()?,
        run: Cell::new(0),
        ms: Cell::new(0.0),
    };
    let setup_ms = cpu_ms()? - started;
    let mut print = |run: u32| -> Result<usize, Box<dyn Error>> {
        let mut findings = findings.clone();
        let factor = 1.0 + 0.013 * f64::from(run);
        for measure in findings.regions.iter_mut().flat_map(|r| &mut r.measures) {
            measure.value = measure.value.map(|v| v * factor);
            measure.interval = measure.interval.map(|ends| ends.map(|v| v * factor));
        }
        artifacts[stored].bytes = findings_json(&findings)?;
        printer.run.set(run);
        let name = format!("Anna {run}");
        let request = ReportRequest {
            practice: PracticeView {
                name: Some("Praxis am Nordufer"),
                ..PracticeView::default()
            },
            patient_first_name: Some(&name),
            locales: &[Locale::De],
            expires: Some("2028-05-14"),
            previous: None,
            previous_files: &[],
            asset_prefix: "?",
        };
        let files = render_report_printed(&artifacts, &request, Some(&printer))?;
        let pdf = files.iter().find(|f| f.content_type == "application/pdf");
        Ok(pdf.ok_or("no PDF")?.bytes.len())
    };
    let bytes = print(0)?;
    let cold_ms = setup_ms + printer.ms.get();
    let mut all_ms = vec![];
    let start = cpu_ms()?;
    for run in 1..=RUNS {
        print(run)?;
        all_ms.push(printer.ms.get());
    }
    let whole_ms = (cpu_ms()? - start) / f64::from(RUNS);
    all_ms.sort_by(f64::total_cmp);
    let warm_ms = all_ms[all_ms.len() / 2];
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{} kB; cold {cold_ms:.0} ms; {RUNS} others warm {:.1} to {:.1} ms of processor a PDF, \
         median {warm_ms:.1} ms (limit {LIMIT_MS:.0} ms: {:.2}); {whole_ms:.0} ms with page, \
         data copy and FHIR bundle",
        bytes / 1000,
        all_ms[0],
        all_ms[all_ms.len() - 1],
        warm_ms / LIMIT_MS
    )?;
    Ok(())
}
