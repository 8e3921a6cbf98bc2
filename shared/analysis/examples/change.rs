//! What the comparison of two scans says of phantoms: captures of the same skin, moved, and
//! a later visit of skin that has really changed. Prints Markdown, with `--list` after
//! every comparison of the same skin as a line of text.
//!
//! `change [--list] [size_px=1792] [captures=2] [seeds=3]`
#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;

use dermalia_analysis::change::{Change, Kind, State, Verdict, change};
use dermalia_analysis::{Analysis, Options, analyze};
use dermalia_findings::{Findings, MeasureName, Region, compared};
use dermalia_phantom::{Earlier, Lighting, Phantom, PhantomOptions, Tone};
use dermalia_scan::{Limits, Scan};

/// A turn about each axis in degrees, and a shift.
fn moved(scan: &mut Scan, turn_deg: [f64; 3], shift_mm: [f64; 3]) {
    let [(sx, cx), (sy, cy), (sz, cz)] = turn_deg.map(|d| d.to_radians().sin_cos());
    let turn = |p: &mut [f32; 3]| {
        let [x, y, z] = p.map(f64::from);
        let (y, z) = (cx * y - sx * z, sx * y + cx * z);
        let (x, z) = (cy * x + sy * z, cy * z - sy * x);
        let (x, y) = (cz * x - sz * y, sz * x + cz * y);
        *p = [x + shift_mm[0], y + shift_mm[1], z + shift_mm[2]].map(|v| v as f32);
    };
    if let Some(mesh) = &mut scan.mesh {
        mesh.positions.iter_mut().for_each(turn);
    }
    scan.landmarks.iter_mut().flatten().for_each(turn);
}

fn analysed(options: &PhantomOptions, pose: Option<u64>) -> Result<Analysis, Box<dyn Error>> {
    let phantom = Phantom::generate(options)?;
    let mut scan = Scan::read_files(phantom.files, &Limits::default())?;
    if let Some(n) = pose {
        let n = n as f64;
        moved(
            &mut scan,
            [2.0 + n, -3.0 * n, 1.5 - n],
            [4.0 - n, 2.0 * n, -6.0 + n],
        );
    }
    Ok(analyze(&scan, &Options::default())?)
}

/// Comparisons of the same skin: all, and those that claim change.
#[derive(Default)]
struct Tally {
    all: usize,
    claimed: usize,
    /// The same by the numbers of both scans alone, without their surfaces.
    alone: usize,
    claimed_alone: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut list, mut captures, mut seeds, mut size_px) = (false, 2_u64, 3_usize, 1792_usize);
    for argument in std::env::args().skip(1) {
        match (argument.as_str(), argument.split_once('=')) {
            ("--list", _) => list = true,
            (_, Some(("captures", v))) => captures = v.parse()?,
            (_, Some(("seeds", v))) => seeds = v.parse()?,
            (_, Some(("size_px", v))) => size_px = v.parse()?,
            _ => return Err(format!("{argument} is no argument").into()),
        }
    }
    let people = [
        (Tone::Light, Lighting::Even, false),
        (Tone::Brown, Lighting::Directional, false),
        (Tone::Intermediate, Lighting::Uneven, false),
        (Tone::Dark, Lighting::Even, false),
        (Tone::VeryLight, Lighting::Directional, true),
    ];
    let mut tally: BTreeMap<MeasureName, Tally> = BTreeMap::new();
    let mut known = vec![];
    for (k, (tone, lighting, hard)) in people.into_iter().take(seeds).enumerate() {
        let options = PhantomOptions {
            seed: 41 + k as u64,
            size_px,
            tone,
            lighting,
            hard,
            ..PhantomOptions::default()
        };
        let first = analysed(&options, None)?;
        for n in 1..=captures {
            let again = PhantomOptions {
                recapture: Some(n),
                ..options.clone()
            };
            let second = analysed(&again, Some(n))?;
            let found = change(&first, &second)?;
            eprintln!("{tone:?} {n}: {:?}", found.registration);
            count(&found, &mut tally, list);
            count_alone(&first.findings, &second.findings, &mut tally, list);
            let fresh = |s| {
                [Kind::Wrinkle, Kind::Pore, Kind::Spot, Kind::RedArea].map(|k| found.count(k, s))
            };
            eprintln!(
                "  new {:?} gone {:?} larger {:?} smaller {:?} same {:?}; maps {:?}",
                fresh(State::New),
                fresh(State::Gone),
                fresh(State::Larger),
                fresh(State::Smaller),
                fresh(State::Unchanged),
                found
                    .maps
                    .iter()
                    .map(|m| (m.parameter, m.changed_share()))
                    .collect::<Vec<_>>()
            );
        }
        let before = PhantomOptions {
            earlier: Some(Earlier {
                missing_spots: 8,
                red_diameter: 0.8,
                wrinkle_depth: 0.6,
                ..Earlier::default()
            }),
            recapture: Some(captures + 1),
            ..options.clone()
        };
        let then = Phantom::generate(&before)?.truth;
        let now = Phantom::generate(&options)?.truth;
        let found = change(&analysed(&before, Some(1))?, &first)?;
        eprintln!(
            "  known: new spots {}, gone {}",
            found.count(Kind::Spot, State::New),
            found.count(Kind::Spot, State::Gone)
        );
        for name in [
            MeasureName::SpotDensity,
            MeasureName::SpotAreaFraction,
            MeasureName::RedAreaFraction,
            MeasureName::WrinkleDepthMean,
            MeasureName::PoreDensity,
        ] {
            let (a, b) = (
                then.measure(Region::Face, name),
                now.measure(Region::Face, name),
            );
            if let (Some(a), Some(b), Some(m)) = (a, b, found.measure(Region::Face, name)) {
                known.push((tone, name, b - a, m.clone()));
            }
        }
    }
    println!("| measure | on the surface | change claimed | by numbers alone | change claimed |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let mut sum = Tally::default();
    for (name, t) in &tally {
        let (all, claimed, alone, claimed_alone) = (t.all, t.claimed, t.alone, t.claimed_alone);
        println!(
            "| `{}` | {all} | {claimed} | {alone} | {claimed_alone} |",
            name.as_str()
        );
        sum.all += all;
        sum.claimed += claimed;
        sum.alone += alone;
        sum.claimed_alone += claimed_alone;
    }
    let share = |claimed: usize, all: usize| 100.0 * claimed as f64 / all.max(1) as f64;
    println!(
        "| all | {} | {} ({:.1} %) | {} | {} ({:.1} %) |",
        sum.all,
        sum.claimed,
        share(sum.claimed, sum.all),
        sum.alone,
        sum.claimed_alone,
        share(sum.claimed_alone, sum.alone)
    );
    println!(
        "\n| tone | measure of the face | true change | found | interval | smallest detectable |"
    );
    println!("| --- | --- | ---: | ---: | --- | ---: |");
    for (tone, name, truth, m) in known {
        let [low, high] = m.interval.unwrap_or([f64::NAN; 2]);
        println!(
            "| {tone:?} | `{}` | {truth:+.4} | {:+.4} | {low:+.4} to {high:+.4} | {:.4} |",
            name.as_str(),
            m.difference.unwrap_or(f64::NAN),
            m.smallest_detectable.unwrap_or(f64::NAN),
        );
    }
    Ok(())
}

fn count(found: &Change, tally: &mut BTreeMap<MeasureName, Tally>, list: bool) {
    for region in &found.regions {
        for m in &region.measures {
            let (Some(before), Some(now), Some(least)) = (m.before, m.now, m.smallest_detectable)
            else {
                continue;
            };
            let t = tally.entry(m.name).or_default();
            t.all += 1;
            t.claimed += usize::from(m.verdict != Verdict::WithinScatter);
            if list {
                println!(
                    "{} {} {:.2} {before} {now} {least}",
                    region.region,
                    m.name.as_str(),
                    region.area_cm2
                );
            }
        }
    }
}

fn count_alone(
    then: &Findings,
    now: &Findings,
    tally: &mut BTreeMap<MeasureName, Tally>,
    list: bool,
) {
    for region in Region::ALL {
        for &name in MeasureName::ALL {
            let found = compared(then, now, region, name);
            let Some((c, least)) = found.and_then(|c| Some((c, c.smallest_detectable?))) else {
                continue;
            };
            let t = tally.entry(name).or_default();
            t.alone += 1;
            t.claimed_alone += usize::from(c.verdict != Verdict::WithinScatter);
            if list {
                let [before, now] = c.values;
                println!("alone {region} {} {before} {now} {least}", name.as_str());
            }
        }
    }
}
