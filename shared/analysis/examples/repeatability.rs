//! Coefficient of variation of the face's measures over captures of the same skin: light
//! within 15 %, a gradient, other noise, a shift below one pixel, white balance within 1 %.
//! Prints Markdown.
//!
//! `repeatability [captures=10] [size_px=2048] [seed=1] [tone=1] [hard] [jpeg]`
#![allow(clippy::print_stdout)]

use std::error::Error;

use dermalia_analysis::{Options, analyze};
use dermalia_findings::{MeasureName, Region};
use dermalia_phantom::{ImageFormat, Phantom, PhantomOptions, Tone};
use dermalia_scan::{Limits, Scan};

/// What is asked of a measure, in percent, where anything is.
const ASKED: [(MeasureName, Option<f64>); 14] = [
    (MeasureName::Sa, Some(1.5)),
    (MeasureName::Sq, Some(1.5)),
    (MeasureName::SpotAreaFraction, Some(1.5)),
    (MeasureName::SpotDensity, None),
    (MeasureName::PoreDensity, Some(2.0)),
    (MeasureName::PoreAreaFraction, Some(2.0)),
    (MeasureName::PoreDiameterMean, Some(2.0)),
    (MeasureName::RedAreaFraction, Some(2.0)),
    (MeasureName::WrinkleLengthDensity, Some(3.0)),
    (MeasureName::WrinkleAreaFraction, Some(3.0)),
    (MeasureName::WrinkleDepthMean, Some(3.0)),
    (MeasureName::Ita, None),
    (MeasureName::MelaninIndex, None),
    (MeasureName::ErythemaIndex, None),
];

fn main() -> Result<(), Box<dyn Error>> {
    let (mut captures, mut tone) = (10_u64, 1_usize);
    let mut options = PhantomOptions::default();
    for argument in std::env::args().skip(1) {
        match (argument.as_str(), argument.split_once('=')) {
            (_, Some(("captures", v))) => captures = v.parse()?,
            (_, Some(("size_px", v))) => options.size_px = v.parse()?,
            (_, Some(("seed", v))) => options.seed = v.parse()?,
            (_, Some(("tone", v))) => tone = v.parse()?,
            ("hard", _) => options.hard = true,
            ("jpeg", _) => options.image_format = ImageFormat::Jpeg,
            _ => return Err(format!("{argument} is no argument").into()),
        }
    }
    options.tone = *Tone::ALL.get(tone).ok_or("tones go from 0 to 4")?;
    let mut values: Vec<Vec<f64>> = vec![vec![]; ASKED.len()];
    for capture in 1..=captures {
        eprintln!("{capture} of {captures}");
        let phantom = Phantom::generate(&PhantomOptions {
            recapture: Some(capture),
            ..options.clone()
        })?;
        let scan = Scan::read_files(phantom.files, &Limits::default())?;
        let findings = analyze(&scan, &Options::default())?.findings;
        let face = findings.region(Region::Face).ok_or("no face")?;
        for ((name, _), values) in ASKED.iter().zip(&mut values) {
            let measure = face.measures.iter().find(|m| m.name == *name);
            values.extend(measure.and_then(|m| m.value));
        }
    }
    println!(
        "{captures} captures of {:?} skin, {} px a side, seed {}{}{}\n",
        options.tone,
        options.size_px,
        options.seed,
        if options.hard { ", hard set" } else { "" },
        match options.image_format {
            ImageFormat::Jpeg => ", JPEG",
            ImageFormat::Png => "",
        }
    );
    println!("| measure | mean | standard deviation | coefficient of variation | asked |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for ((name, asked), values) in ASKED.iter().zip(&values) {
        let n = values.len() as f64;
        if n < 2.0 {
            println!("| `{}` | – | – | – | |", name.as_str());
            continue;
        }
        let mean = values.iter().sum::<f64>() / n;
        let square: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
        let deviation = (square / (n - 1.0)).sqrt();
        println!(
            "| `{}` | {mean:.4} | {deviation:.4} | {:.2} % | {} |",
            name.as_str(),
            100.0 * deviation / mean.abs(),
            asked.map_or(String::new(), |a| format!("≤ {a} %"))
        );
    }
    Ok(())
}
