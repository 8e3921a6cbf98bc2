//! Scores the analysis of phantoms against their exactly known truth; prints Markdown.
//!
//! `accuracy` analyses a fixed small set, `accuracy --all` 5 tones x 3 lightings x 5 seeds
//! as well, summed up by tone and by lighting. Progress goes to stderr, so that stdout is
//! the tables alone.
#![allow(clippy::print_stdout)]

use std::error::Error;

use dermalia_analysis::{Options, analyze};
use dermalia_findings::{Findings, MeasureName, Region};
use dermalia_phantom::score::Score;
use dermalia_phantom::{ImageFormat, Lighting, Melanin, Phantom, PhantomOptions, Tone, Truth};
use dermalia_scan::{Limits, Scan};

/// Of larger sets no phantom is listed on its own.
const LISTED: usize = 10;

/// Phantoms that are judged together.
struct Set {
    name: &'static str,
    phantoms: Vec<PhantomOptions>,
}

/// What one phantom gave.
struct Row {
    options: PhantomOptions,
    score: Score,
    /// How many truths lie inside their intervals, and how many there are.
    held: [usize; 2],
    mm_per_px: f64,
    face_cm2: f64,
}

fn phantom(tone: Tone, lighting: Lighting, seed: u64) -> PhantomOptions {
    PhantomOptions {
        seed,
        tone,
        lighting,
        ..PhantomOptions::default()
    }
}

fn fixed_sets() -> Vec<Set> {
    use Lighting::{Directional, Even, Uneven};
    use Tone::{Brown, Dark, Intermediate, Light, VeryLight};
    let set = |name, phantoms| Set { name, phantoms };
    vec![
        set(
            "with relief",
            vec![
                phantom(Light, Even, 1),
                phantom(Brown, Directional, 2),
                phantom(Dark, Uneven, 3),
                phantom(VeryLight, Uneven, 4),
                phantom(Intermediate, Directional, 5),
            ],
        ),
        set(
            "no relief",
            [(Light, Directional, 1), (Dark, Uneven, 3)]
                .map(|(tone, lighting, seed)| PhantomOptions {
                    relief: false,
                    ..phantom(tone, lighting, seed)
                })
                .into(),
        ),
        set(
            "hard",
            [(Light, Even, 6), (Brown, Uneven, 7)]
                .map(|(tone, lighting, seed)| PhantomOptions {
                    hard: true,
                    ..phantom(tone, lighting, seed)
                })
                .into(),
        ),
        set(
            "JPEG, Tsumura's melanin",
            vec![PhantomOptions {
                image_format: ImageFormat::Jpeg,
                melanin: Melanin::Tsumura,
                ..phantom(Intermediate, Directional, 8)
            }],
        ),
        set(
            "clean",
            [(Light, Even, 9), (Dark, Uneven, 10)]
                .map(|(tone, lighting, seed)| PhantomOptions {
                    clean: true,
                    ..phantom(tone, lighting, seed)
                })
                .into(),
        ),
    ]
}

fn every_tone_and_light() -> Set {
    let mut phantoms = vec![];
    for seed in 101..106 {
        for tone in Tone::ALL {
            phantoms.extend(Lighting::ALL.map(|lighting| phantom(tone, lighting, seed)));
        }
    }
    Set {
        name: "all tones and lights",
        phantoms,
    }
}

fn run(options: PhantomOptions) -> Result<Row, Box<dyn Error>> {
    let Phantom { files, truth } = Phantom::generate(&options)?;
    let scan = Scan::read_files(files, &Limits::default())?;
    let analysis = analyze(&scan, &Options::default())?;
    Ok(Row {
        score: Score::of(&analysis.findings, &truth),
        held: held(&analysis.findings, &truth),
        mm_per_px: truth.mm_per_px,
        face_cm2: analysis
            .findings
            .region(Region::Face)
            .and_then(|r| r.area_cm2)
            .unwrap_or(f64::NAN),
        options,
    })
}

/// How many truths of all measures and regions lie inside their intervals, and how many
/// there are.
fn held(findings: &Findings, truth: &Truth) -> [usize; 2] {
    let mut sum = [0; 2];
    for region in &findings.regions {
        let Some(real) = truth.regions.iter().find(|r| r.region == region.region) else {
            continue;
        };
        for measure in &region.measures {
            let (Some([low, high]), Some(real)) =
                (measure.interval, real.measures.get(&measure.name))
            else {
                continue;
            };
            sum[0] += usize::from((low..=high).contains(real));
            sum[1] += 1;
        }
    }
    sum
}

/// Errors of colours and of shape numbers are differences, all others are relative.
fn is_absolute(name: MeasureName) -> bool {
    use MeasureName as N;
    matches!(
        name,
        N::Ita | N::MelaninIndex | N::ErythemaIndex | N::AStar | N::Ssk | N::Sku
    )
}

/// The error of a measure of the whole face.
fn error(score: &Score, name: MeasureName) -> Option<f64> {
    let m = score.measure(Region::Face, name)?;
    if is_absolute(name) {
        m.difference()
    } else {
        m.relative()
    }
}

fn number(name: MeasureName, value: f64) -> String {
    match name {
        MeasureName::Ita => format!("{value:+.2}°"),
        n if is_absolute(n) => format!("{value:+.2}"),
        _ => format!("{:+.1} %", 100.0 * value),
    }
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |v| format!("{:+.1} %", 100.0 * v))
}

fn print_positions(set: &str, rows: &[Row]) {
    if rows.len() > LISTED {
        return;
    }
    for row in rows {
        let (o, s) = (&row.options, &row.score);
        println!(
            "| {set} | {:?} | {:?} | {} | {:.3} | {:.3} | {:.3} | {:.3} | {} | {} | {} | {} | {} | {} |",
            o.tone,
            o.lighting,
            o.seed,
            s.pores.f1,
            s.spots.f1,
            s.red_areas.f1,
            s.wrinkles.f1,
            percent(s.pores.size_bias),
            percent(s.spots.size_bias),
            percent(s.red_areas.size_bias),
            percent(s.wrinkles.length_bias),
            percent(s.wrinkles.width_bias),
            percent(s.wrinkles.depth_bias),
        );
    }
}

fn print_clean(rows: &[Row]) {
    println!("\nFalse features on skin without any, 1/cm²\n");
    println!("| tone | lighting | seed | pores | spots | red areas | wrinkles |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for row in rows {
        let (o, s) = (&row.options, &row.score);
        let [pores, spots, red, wrinkles] = [
            s.pores.found,
            s.spots.found,
            s.red_areas.found,
            s.wrinkles.found,
        ]
        .map(|n| format!("{:.3}", n as f64 / row.face_cm2));
        println!(
            "| {:?} | {:?} | {} | {pores} | {spots} | {red} | {wrinkles} |",
            o.tone, o.lighting, o.seed
        );
    }
}

/// Of each measure of the face the mean error, its mean size and the largest.
fn print_measures(sets: &[(&str, Vec<Row>)]) {
    println!("\nErrors of the whole face: mean / mean size / largest size\n");
    print!("| measure |");
    for (name, rows) in sets {
        print!(" {name} ({}) |", rows.len());
    }
    println!("\n| --- |{}", " --- |".repeat(sets.len()));
    for &name in MeasureName::ALL {
        if name == MeasureName::Hydration {
            continue;
        }
        print!("| `{}` |", name.as_str());
        for (_, rows) in sets {
            let errors: Vec<f64> = rows.iter().filter_map(|r| error(&r.score, name)).collect();
            if errors.is_empty() {
                print!(" – |");
                continue;
            }
            let n = errors.len() as f64;
            let mean = errors.iter().sum::<f64>() / n;
            let size = errors.iter().map(|e| e.abs()).sum::<f64>() / n;
            let largest = errors.iter().map(|e| e.abs()).fold(0.0, f64::max);
            let [size, largest] =
                [size, largest].map(|v| number(name, v).trim_start_matches('+').to_owned());
            print!(" {} / {size} / {largest} |", number(name, mean));
        }
        println!();
    }
}

/// The mean and the worst of each score of position and of the skin's angle.
fn print_summary(set: &str, rows: &[&Row]) {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let summary = |of: &dyn Fn(&Score) -> f64| {
        let values: Vec<f64> = rows.iter().map(|r| of(&r.score)).collect();
        let worst = values.iter().copied().fold(1.0, f64::min);
        format!("{:.3} ({worst:.3})", mean(&values))
    };
    let ita: Vec<f64> = rows
        .iter()
        .filter_map(|r| error(&r.score, MeasureName::Ita))
        .map(f64::abs)
        .collect();
    let [held, all] = [0, 1].map(|k| rows.iter().map(|r| r.held[k]).sum::<usize>());
    println!(
        "| {set} | {} | {} | {} | {} | {} | {:.2}° ({:.2}°) | {:.1} % of {all} |",
        rows.len(),
        summary(&|s| s.pores.f1),
        summary(&|s| s.spots.f1),
        summary(&|s| s.red_areas.f1),
        summary(&|s| s.wrinkles.f1),
        mean(&ita),
        ita.iter().copied().fold(0.0, f64::max),
        100.0 * held as f64 / all.max(1) as f64,
    );
}

/// A set, and where it is too large to be listed, its tones and lightings.
fn print_summaries(set: &str, rows: &[Row]) {
    print_summary(set, &rows.iter().collect::<Vec<_>>());
    if rows.len() <= LISTED {
        return;
    }
    let part = |name: String, of: &dyn Fn(&PhantomOptions) -> bool| {
        let some: Vec<&Row> = rows.iter().filter(|r| of(&r.options)).collect();
        print_summary(&name, &some);
    };
    for tone in Tone::ALL {
        part(format!("{tone:?}"), &|o| o.tone == tone);
    }
    for lighting in Lighting::ALL {
        part(format!("{lighting:?}"), &|o| o.lighting == lighting);
    }
    for lighting in Lighting::ALL {
        part(format!("Dark, {lighting:?}"), &|o| {
            o.tone == Tone::Dark && o.lighting == lighting
        });
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut sets = fixed_sets();
    for arg in std::env::args().skip(1) {
        match arg.as_str() {
            "--all" => sets.insert(0, every_tone_and_light()),
            other => return Err(format!("{other} is no argument; there is --all").into()),
        }
    }
    let total: usize = sets.iter().map(|s| s.phantoms.len()).sum();
    let mut done = 0;
    let mut measured: Vec<(&str, Vec<Row>)> = vec![];
    for set in sets {
        let mut rows = vec![];
        for options in set.phantoms {
            let row = run(options)?;
            done += 1;
            let (o, s) = (&row.options, &row.score);
            eprintln!(
                "{done} of {total}: {} {:?} {:?} {}: F1 {:.3} {:.3} {:.3} {:.3}",
                set.name,
                o.tone,
                o.lighting,
                o.seed,
                s.pores.f1,
                s.spots.f1,
                s.red_areas.f1,
                s.wrinkles.f1
            );
            rows.push(row);
        }
        measured.push((set.name, rows));
    }
    let clean = measured.pop().map_or_else(Vec::new, |(_, rows)| rows);
    if let Some(row) = measured.first().and_then(|(_, rows)| rows.first()) {
        println!(
            "{} px a side, {:.2} mm/px, {:.0} cm² of skin\n",
            row.options.size_px, row.mm_per_px, row.face_cm2
        );
    }
    println!("F1 by position (wrinkles by length); sizes of what was matched\n");
    println!(
        "| set | tone | lighting | seed | pores | spots | red areas | wrinkles | pore diameter \
         | spot area | red area | wrinkle length | width | depth |"
    );
    println!("|{}", " --- |".repeat(14));
    for (name, rows) in &measured {
        print_positions(name, rows);
    }
    println!(
        "\nF1, mean (worst); size of the error of `ita`, mean (worst); truths inside intervals\n"
    );
    println!("| set | phantoms | pores | spots | red areas | wrinkles | ita | inside |");
    println!("|{}", " --- |".repeat(8));
    for (name, rows) in &measured {
        print_summaries(name, rows);
    }
    print_clean(&clean);
    print_measures(&measured);
    Ok(())
}
