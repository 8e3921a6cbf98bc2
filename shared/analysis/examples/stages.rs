//! Times each stage of the analysis of a phantom and scores it against its truth.
//!
//! `stages [seed=1] [size=4096] [tone=2] [lighting=0] [contrast=1] [noise=1] [hard] [clean]
//! [patch [side=60] [radius=0]] [norelief] [jpeg] [tsumura] [recapture=N] [verbose]`
#![allow(clippy::print_stdout, clippy::unwrap_used)]

use std::time::Instant;

use dermalia_analysis::{Options, Stage, analyze};
use dermalia_phantom::score::Score;
use dermalia_phantom::{Base, ImageFormat, Lighting, Melanin, Phantom, PhantomOptions, Tone};
use dermalia_scan::{Limits, Scan};

/// Processor time of all threads, where the system tells it.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split(' ').collect();
    let ticks = |i: usize| {
        fields
            .get(i)
            .and_then(|f| f.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    (ticks(12) + ticks(13)) / 100.0
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| args.iter().any(|a| a == name);
    let number = |name: &str, default: f64| {
        args.iter()
            .find_map(|a| a.strip_prefix(&format!("{name}=")))
            .map_or(default, |v| v.parse().unwrap())
    };
    let options = PhantomOptions {
        seed: number("seed", 1.0) as u64,
        size_px: number("size", 4096.0) as usize,
        tone: Tone::ALL[number("tone", 1.0) as usize],
        lighting: Lighting::ALL[number("lighting", 0.0) as usize],
        melanin: if has("tsumura") {
            Melanin::Tsumura
        } else {
            Melanin::Falling
        },
        hard: has("hard"),
        clean: has("clean"),
        relief: !has("norelief"),
        base: if has("patch") {
            Base::Patch {
                side_mm: number("side", 60.0),
                radius_mm: (number("radius", 0.0) > 0.0).then(|| number("radius", 0.0)),
            }
        } else {
            Base::Face { levels: 3 }
        },
        recapture: (number("recapture", 0.0) > 0.0).then(|| number("recapture", 0.0) as u64),
        contrast_scale: number("contrast", 1.0),
        noise_scale: number("noise", 1.0),
        image_format: if has("jpeg") {
            ImageFormat::Jpeg
        } else {
            ImageFormat::Png
        },
        ..PhantomOptions::default()
    };
    let started = Instant::now();
    let phantom = Phantom::generate(&options).unwrap();
    println!("generate {:?}", started.elapsed());
    let started = Instant::now();
    let scan = Scan::read_files(phantom.files, &Limits::default()).unwrap();
    println!("read {:?}", started.elapsed());
    let started = Instant::now();
    let last = std::sync::Mutex::new(cpu_seconds());
    let print = |s: Stage| {
        let (now, mut last) = (cpu_seconds(), last.lock().unwrap());
        println!(
            "  {:<12} {:>8.3} s wall {:>8.3} s processor",
            s.name,
            s.took.as_secs_f64(),
            now - *last
        );
        *last = now;
    };
    let analysis = analyze(
        &scan,
        &Options {
            on_stage: Some(&print),
            ..Options::default()
        },
    )
    .unwrap();
    println!("analysis {:?}", started.elapsed());
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        println!(
            "{}",
            status
                .lines()
                .find(|l| l.starts_with("VmHWM"))
                .unwrap_or("")
        );
    }
    println!("quality {:?}", analysis.findings.quality);
    let score = Score::of(&analysis.findings, &phantom.truth);
    println!("{:#?}", score.pores);
    println!("{:#?}", score.wrinkles);
    println!("{:#?}", score.spots);
    println!("{:#?}", score.red_areas);
    for m in &score.measures {
        if m.region == dermalia_findings::Region::Face || has("verbose") {
            println!(
                "{:<12} {:<24} {:>10.4} {:>10.4}",
                m.region.as_str(),
                m.name.as_str(),
                m.truth,
                m.found.unwrap_or(f64::NAN)
            );
        }
    }
    for r in &phantom.truth.regions {
        let found = analysis.findings.region(r.region);
        println!(
            "{:<18} net {:>7.2} {:>7.2} cm2, excluded {:>6.2} {:>6.2} cm2",
            r.region.as_str(),
            r.area_cm2,
            found.and_then(|f| f.area_cm2).unwrap_or(f64::NAN),
            r.excluded_cm2,
            found.and_then(|f| f.excluded_cm2).unwrap_or(f64::NAN)
        );
    }
    if has("features") {
        for f in &analysis.findings.features {
            println!("F {}", serde_json::to_string(f).unwrap());
        }
        for f in &phantom.truth.features {
            println!("T {}", serde_json::to_string(f).unwrap());
        }
    }
}
