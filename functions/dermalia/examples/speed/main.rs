//! Wall time and processor time of each stage of one job, from the bundle on disk to the
//! files on disk, with one and with two threads; its peak of memory; and what bandwidth
//! or arithmetic alone would take. Prints Markdown.
//!
//! `speed [seed=1] [size_px=4096] [picture_px=3464] [levels=4] [relief] [png]`: a face of
//! about 230,000 triangles (levels=4), a white texture of `size_px` a side and four more
//! lights of `picture_px` a side: 12 million pixels each. Without arguments four pictures of
//! 36 million pixels (`picture_px=6000`) follow, for their peak of memory. Each thread count has a process of its own, so that the
//! peak is its own and holds no phantom's making.
#![allow(clippy::print_stdout)]

mod bundle;
mod limits;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use dermalia_analysis::{Options, Stage, analyze};
use dermalia_report::render_artifacts;
use dermalia_scan::{Limits, Scan};

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Names the bundle to a measuring process.
const BUNDLE: &str = "DERMALIA_SPEED_BUNDLE";
/// Names a folder where what the job writes stays, to be compared.
const OUT: &str = "DERMALIA_SPEED_OUT";

/// Seconds of one stage.
struct Times {
    name: String,
    wall: f64,
    processor: f64,
}

/// Stages, the whole last, and the peak of memory where the system tells it.
struct Run {
    stages: Vec<Times>,
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

/// Seconds that the threads of this process have spent on processors; 0 where the system
/// does not tell. Unlike wall time it says something on a busy machine, too.
fn processor_s() -> f64 {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else {
        return 0.0;
    };
    tasks
        .flatten()
        .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<f64>().ok())
        .map(|ns| 1e-9 * ns)
        .sum()
}

/// Does the whole job and prints one line a stage, to be read by [`child`].
fn measure(bundle: &Path) -> Result<(), Box<dyn Error>> {
    let limits = Limits::default();
    let (started, before) = (Instant::now(), processor_s());
    let last = Mutex::new((started, before));
    // Stages that run side by side know their own wall time; with one thread nothing does.
    let lap = |name: &str, own: Option<Duration>| {
        if let Ok(mut last) = last.lock() {
            let now = (Instant::now(), processor_s());
            let wall = own.unwrap_or(now.0.duration_since(last.0)).as_secs_f64();
            println!("{wall}\t{}\t{name}", now.1 - last.1);
            *last = now;
        }
    };
    let scan = Scan::read_path(bundle, &limits)?;
    lap("read", None);
    let options = Options {
        on_stage: Some(&|s: Stage| lap(s.name, Some(s.took))),
        ..Options::default()
    };
    let analysis = analyze(&scan, &options)?;
    lap("rest", None);
    let mesh = analysis.has_surface.then_some(&analysis.mesh);
    let artifacts = render_artifacts(&analysis.findings, &analysis.maps, &analysis.base, mesh)?;
    lap("draw", None);
    let (out, _gone) = match std::env::var_os(OUT) {
        Some(kept) => (PathBuf::from(kept), None),
        None => {
            let out =
                std::env::temp_dir().join(format!("dermalia-speed-out-{}", std::process::id()));
            (out.clone(), Some(Folder(out)))
        }
    };
    std::fs::create_dir_all(&out)?;
    for a in &artifacts {
        std::fs::write(out.join(&a.name), &a.bytes)?;
    }
    lap("write", None);
    println!(
        "{}\t{}\twhole",
        started.elapsed().as_secs_f64(),
        processor_s() - before
    );
    if let Some(mib) = peak_mib() {
        println!("{mib}\t0\tpeak");
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
        peak_mib: None,
    };
    for line in String::from_utf8(output.stdout)?.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [wall, processor, name] = fields.as_slice() else {
            return Err(format!("not three fields: {line}").into());
        };
        let (wall, processor) = (wall.parse()?, processor.parse()?);
        match *name {
            "peak" => run.peak_mib = Some(wall),
            _ => run.stages.push(Times {
                name: (*name).to_owned(),
                wall,
                processor,
            }),
        }
    }
    Ok(run)
}

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(bundle) = std::env::var_os(BUNDLE) {
        return measure(Path::new(&bundle));
    }
    let wish = bundle::Wish::from_arguments(std::env::args().skip(1))?;
    let (folder, made) = bundle_of(&wish)?;
    let machine = limits::Machine::measured();
    let mut runs = vec![];
    for threads in [1, 2] {
        eprintln!("analysing it with {threads} thread(s)");
        runs.push(child(&folder.0, threads)?);
    }
    let [one, two] = runs.as_slice() else {
        return Err("two runs are needed".into());
    };
    println!(
        "{wish}; {} core(s), {:.1} GB/s copied by one, {:.1} thousand million sums of products a second by one\n",
        std::thread::available_parallelism()?,
        machine.bytes_per_s / 1e9,
        machine.products_per_s / 1e9,
    );
    println!(
        "| stage | one thread, s | processor, s | two threads, s | ratio | limit of one thread, s | by |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | --- |");
    for a in &one.stages {
        let Some(b) = two.stages.iter().find(|b| b.name == a.name) else {
            continue;
        };
        let (limit, by) = limits::of(&a.name, &made, &machine)
            .map_or((String::new(), ""), |(s, by)| (format!("{s:.3}"), by));
        println!(
            "| {} | {:.3} | {:.3} | {:.3} | {:.2} | {limit} | {by} |",
            a.name,
            a.wall,
            a.processor,
            b.wall,
            a.wall / b.wall.max(1e-9)
        );
    }
    if let (Some(a), Some(b)) = (one.peak_mib, two.peak_mib) {
        println!("| peak of memory, MiB | {a:.0} | | {b:.0} | | | |");
    }
    if std::env::args().len() > 1 {
        return Ok(());
    }
    drop(folder);
    let wish = wish.with_pictures(LARGE_PX);
    let (folder, _) = bundle_of(&wish)?;
    let run = child(&folder.0, 2)?;
    if let (Some(mib), Some(whole)) = (run.peak_mib, run.stages.last()) {
        println!(
            "\n{wish}: {:.2} s with two threads, {:.0} MB at the peak (limit 1769)",
            whole.wall,
            mib * 1.048_576
        );
    }
    Ok(())
}

/// The side of a picture of 36 million pixels.
const LARGE_PX: usize = 6000;

/// Makes a bundle in a folder of its own.
fn bundle_of(wish: &bundle::Wish) -> Result<(Folder, bundle::Made), Box<dyn Error>> {
    let name = format!("dermalia-speed-{}", std::process::id());
    let folder = Folder(std::env::temp_dir().join(name));
    eprintln!("making {wish}");
    let made = bundle::make(wish, &folder.0)?;
    Ok((folder, made))
}
