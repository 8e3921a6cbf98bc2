//! Wall time of each stage of one analysis, its time on the processor and its peak of
//! memory, with one and with two threads; prints Markdown.
//!
//! `speed [size_px=4096]`: a face with three lights and relief. Each thread count has a
//! process of its own, so that the peak is its own and holds no phantom's making.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Instant;

use dermalia_analysis::{Options, Stage, analyze};
use dermalia_phantom::{Phantom, PhantomOptions};
use dermalia_scan::{Limits, Scan};

/// Names the bundle to a measuring process.
const BUNDLE: &str = "DERMALIA_SPEED_BUNDLE";

/// Stages with their seconds, the whole last; time on the processor and the peak of
/// memory where the system tells them.
struct Run {
    stages: Vec<(String, f64)>,
    cpu_s: Option<f64>,
    peak_mib: Option<f64>,
}

/// A folder that goes when it is no longer needed.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(e) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays: {e}", self.0.display());
        }
    }
}

/// The largest resident set of this process, where the system tells.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

/// Seconds this process has spent on processors, where the system tells. Unlike wall time
/// it says something on a busy machine, too.
fn cpu_s() -> Option<f64> {
    const TICKS_PER_S: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name in brackets can hold spaces; the state follows it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_S)
}

/// Analyses a bundle and prints one line a stage, to be read by [`child`].
fn measure(bundle: &Path) -> Result<(), Box<dyn Error>> {
    let limits = Limits::default();
    let started = Instant::now();
    let scan = Scan::read_path(bundle, &limits)?;
    let stages = Mutex::new(vec![("read".to_owned(), started.elapsed().as_secs_f64())]);
    let keep = |s: Stage| {
        if let Ok(mut all) = stages.lock() {
            all.push((s.name.to_owned(), s.took.as_secs_f64()));
        }
    };
    let options = Options {
        on_stage: Some(&keep),
        ..Options::default()
    };
    let analysis = analyze(&scan, &options)?;
    let whole = started.elapsed().as_secs_f64();
    drop(analysis);
    let mut stages = stages.into_inner().map_err(|e| e.to_string())?;
    stages.push(("whole".to_owned(), whole));
    for (name, seconds) in stages {
        println!("{seconds}\t{name}");
    }
    if let Some(seconds) = cpu_s() {
        println!("{seconds}\tcpu");
    }
    if let Some(mib) = peak_mib() {
        println!("{mib}\tpeak");
    }
    Ok(())
}

fn child(bundle: &Path, threads: usize) -> Result<Run, Box<dyn Error>> {
    let output = Command::new(std::env::current_exe()?)
        .env(BUNDLE, bundle)
        .env("RAYON_NUM_THREADS", threads.to_string())
        .output()?;
    if !output.status.success() {
        return Err(format!(
            "with {threads} threads: {}",
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    let mut run = Run {
        stages: vec![],
        cpu_s: None,
        peak_mib: None,
    };
    for line in String::from_utf8(output.stdout)?.lines() {
        let (value, name) = line.split_once('\t').ok_or("a line without a name")?;
        let value: f64 = value.parse()?;
        match name {
            "cpu" => run.cpu_s = Some(value),
            "peak" => run.peak_mib = Some(value),
            _ => run.stages.push((name.to_owned(), value)),
        }
    }
    Ok(run)
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(bundle) = std::env::var_os(BUNDLE) {
        return measure(Path::new(&bundle));
    }
    let mut options = PhantomOptions {
        size_px: 4096,
        ..PhantomOptions::default()
    };
    for arg in std::env::args().skip(1) {
        match arg.strip_prefix("size_px=").map(str::parse) {
            Some(Ok(size)) => options.size_px = size,
            _ => return Err(format!("{arg} is no argument; there is size_px=4096").into()),
        }
    }
    let folder =
        Folder(std::env::temp_dir().join(format!("dermalia-speed-{}", std::process::id())));
    eprintln!("making a phantom of {} px a side", options.size_px);
    Phantom::generate(&options)?.write_folder(&folder.0)?;
    let mut runs = vec![];
    for threads in [1, 2] {
        eprintln!("analysing it with {threads} thread(s)");
        runs.push(child(&folder.0, threads)?);
    }
    let [one, two] = runs.as_slice() else {
        return Err("two runs are needed".into());
    };
    println!(
        "{0} x {0} px, {1} lights and relief, {2} core(s) on this machine\n",
        options.size_px,
        options.lights.len(),
        std::thread::available_parallelism()?
    );
    println!("| stage | one thread, s | two threads, s | ratio |");
    println!("| --- | ---: | ---: | ---: |");
    for ((name, a), (_, b)) in one.stages.iter().zip(&two.stages) {
        println!("| {name} | {a:.3} | {b:.3} | {:.2} |", a / b.max(1e-9));
    }
    if let (Some(a), Some(b)) = (one.cpu_s, two.cpu_s) {
        println!("| on the processor, s | {a:.2} | {b:.2} | |");
    }
    if let (Some(a), Some(b)) = (one.peak_mib, two.peak_mib) {
        println!("| peak of memory, MiB | {a:.0} | {b:.0} | |");
    }
    Ok(())
}
