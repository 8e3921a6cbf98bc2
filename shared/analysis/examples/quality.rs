//! From which degree of blur, exposure, clipping, gloss, unevenness, coarseness and hidden
//! skin on the truth of a phantom leaves the stated intervals; prints Markdown. The limits of `quality.rs` come
//! from it.
//!
//! A number is the error of the whole face over half of its interval: above 1 the truth
//! lies outside. Each column is the worst of its measures.
#![allow(clippy::print_stdout)]

use std::error::Error;

use dermalia_analysis::{Options, analyze};
use dermalia_findings::{Findings, MeasureName, Region};
use dermalia_phantom::{Lighting, Phantom, PhantomOptions, Tone, Truth};
use dermalia_scan::{Limits, Picture, Samples, Scan};

/// What is done to every picture, in linear light.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// A Gaussian blur, sigma in pixels; the sensor's noise is put on top.
    Blur(f64),
    /// All light times a factor.
    Exposure(f64),
    /// All light times the factor that drives a share of the pixels over the end in red.
    Clipped(f64),
    /// A share of the skin, from one side on, behind something black.
    Hidden(f64),
    /// Highlights over a share of the skin.
    Gloss(f64),
    /// Light that falls off across the face, half its range as a factor less 1.
    Uneven(f64),
    /// So many pixels a side.
    Size(usize),
}

impl Fault {
    const SWEEPS: [&'static [Self]; 7] = [
        &[
            Self::Blur(0.0),
            Self::Blur(0.5),
            Self::Blur(0.8),
            Self::Blur(1.2),
            Self::Blur(2.0),
            Self::Blur(3.0),
        ],
        &[
            Self::Exposure(1.1),
            Self::Exposure(1.25),
            Self::Exposure(1.4),
            Self::Exposure(1.6),
            Self::Exposure(0.85),
            Self::Exposure(0.6),
            Self::Exposure(0.3),
        ],
        &[
            Self::Clipped(0.002),
            Self::Clipped(0.01),
            Self::Clipped(0.03),
            Self::Clipped(0.1),
            Self::Clipped(0.3),
        ],
        &[
            Self::Hidden(0.05),
            Self::Hidden(0.1),
            Self::Hidden(0.15),
            Self::Hidden(0.25),
            Self::Hidden(0.4),
        ],
        &[
            Self::Gloss(0.02),
            Self::Gloss(0.05),
            Self::Gloss(0.1),
            Self::Gloss(0.2),
        ],
        &[
            Self::Uneven(0.15),
            Self::Uneven(0.3),
            Self::Uneven(0.45),
            Self::Uneven(0.7),
            Self::Uneven(1.0),
        ],
        &[
            Self::Size(1280),
            Self::Size(1600),
            Self::Size(2048),
            Self::Size(2560),
        ],
    ];
}

const COLUMNS: [(&str, &[MeasureName]); 7] = [
    ("pores", &[MeasureName::PoreDensity]),
    ("pore diameter", &[MeasureName::PoreDiameterMean]),
    (
        "wrinkles",
        &[MeasureName::WrinkleCount, MeasureName::WrinkleLengthDensity],
    ),
    (
        "spots",
        &[MeasureName::SpotDensity, MeasureName::SpotAreaFraction],
    ),
    ("red areas", &[MeasureName::RedAreaFraction]),
    ("ita", &[MeasureName::Ita, MeasureName::MelaninIndex]),
    ("a*", &[MeasureName::AStar, MeasureName::ErythemaIndex]),
];

fn decoded(level: u8) -> f64 {
    let v = f64::from(level) / 255.0;
    if v <= 0.040_45 {
        v / 12.92
    } else {
        libm::pow((v + 0.055) / 1.055, 2.4)
    }
}

fn encoded(linear: f64) -> u8 {
    let v = linear.clamp(0.0, 1.0);
    let s = if v <= 0.003_130_8 {
        12.92 * v
    } else {
        1.055 * libm::pow(v, 1.0 / 2.4) - 0.055
    };
    (255.0 * s + 0.5) as u8
}

/// A number from -1 to 1 for each of the whole ones.
fn hashed(n: u64) -> f64 {
    let mut h = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((h ^ (h >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A Gaussian along rows of `w` values, `n` channels each.
fn blurred(plane: &[f64], w: usize, h: usize, sigma: f64) -> Vec<f64> {
    let radius = (3.0 * sigma).ceil() as isize;
    let kernel: Vec<f64> = (-radius..=radius)
        .map(|k| libm::exp(-0.5 * (k as f64 / sigma) * (k as f64 / sigma)))
        .collect();
    let total: f64 = kernel.iter().sum();
    let pass = |source: &[f64], step: usize, along: usize| -> Vec<f64> {
        (0..w * h)
            .map(|i| {
                let at = (i / step % along) as isize;
                let sum: f64 = (-radius..=radius)
                    .zip(&kernel)
                    .map(|(k, v)| {
                        let to = (at + k).clamp(0, along as isize - 1) - at;
                        v * source[(i as isize + to * step as isize) as usize]
                    })
                    .sum();
                sum / total
            })
            .collect()
    };
    pass(&pass(plane, 1, w), w, h)
}

/// Waves of about `period` pixels that no direction is favoured by, from -1 to 1 or so.
fn waves(x: f64, y: f64, period: f64) -> f64 {
    let k = std::f64::consts::TAU / period;
    let sum: f64 = (0..7)
        .map(|i| {
            let angle = 0.9 * f64::from(i);
            let (c, s) = (libm::cos(angle), libm::sin(angle));
            libm::cos(k * (1.0 + 0.07 * f64::from(i)) * (c * x + s * y) + 1.7 * f64::from(i))
        })
        .sum();
    sum / 7.0
}

/// The level above which `waves` is on so much of a plane.
fn waves_above(share: f64, period: f64, side: usize) -> f64 {
    let mut values: Vec<f64> = (0..side)
        .step_by(9)
        .flat_map(|y| (0..side).step_by(9).map(move |x| (x, y)))
        .map(|(x, y)| waves(x as f64, y as f64, period))
        .collect();
    values.sort_unstable_by(f64::total_cmp);
    values[((1.0 - share) * (values.len() - 1) as f64) as usize]
}

/// The light above which a share of the pixels that are not black lies, in one channel.
fn light_above(share: f64, plane: &[f64]) -> f64 {
    let mut light: Vec<f64> = plane.iter().copied().filter(|v| *v > 0.01).collect();
    light.sort_unstable_by(f64::total_cmp);
    let at = (1.0 - share) * (light.len().saturating_sub(1)) as f64;
    light.get(at as usize).copied().unwrap_or(1.0)
}

/// The column up to which a share of the pixels that are not black lies.
fn column_up_to(share: f64, plane: &[f64], width: usize) -> usize {
    let mut columns = vec![0_usize; width];
    for (i, _) in plane.iter().enumerate().filter(|(_, v)| **v > 0.01) {
        columns[i % width] += 1;
    }
    let wanted = share * columns.iter().sum::<usize>() as f64;
    let mut seen = 0;
    columns
        .iter()
        .take_while(|n| {
            seen += **n;
            (seen as f64) < wanted
        })
        .count()
}

/// One picture with its fault.
fn degraded(picture: &Picture, number: usize, fault: Fault) -> Result<Picture, Box<dyn Error>> {
    const READ: f64 = 0.0008;
    const SHOT: f64 = 0.004;
    let pixels = picture.decode(&Limits::default())?;
    let Samples::Eight(levels) = &pixels.samples else {
        return Err("a phantom has pictures of 8 bits".into());
    };
    let (w, h) = (pixels.width, pixels.height);
    let mut planes: Vec<Vec<f64>> = (0..3)
        .map(|k| {
            levels
                .iter()
                .skip(k)
                .step_by(3)
                .map(|&v| decoded(v))
                .collect()
        })
        .collect();
    // Gloss has the size of a drop of sebum on a shiny forehead, some millimetres.
    let period = 0.05 * w as f64;
    let glossy = match fault {
        Fault::Gloss(share) => waves_above(share, period, w),
        _ => f64::INFINITY,
    };
    let gain = match fault {
        Fault::Exposure(gain) => gain,
        Fault::Clipped(share) => 1.0 / light_above(share, &planes[0]),
        _ => 1.0,
    };
    let hidden = match fault {
        Fault::Hidden(share) => column_up_to(share, &planes[1], w),
        _ => 0,
    };
    for (k, plane) in planes.iter_mut().enumerate() {
        match fault {
            Fault::Blur(sigma) if sigma > 0.0 => {
                *plane = blurred(plane, w, h, sigma);
                for (i, v) in plane.iter_mut().enumerate() {
                    // Three uniform numbers are as good as normal here, of unit variance.
                    let n = ((i * 3 + k) * 4 + number) as u64;
                    let noise: f64 = (0..3).map(|j| hashed(n ^ (j << 60))).sum();
                    *v += noise * (READ * READ + SHOT * SHOT * *v).sqrt();
                }
            }
            Fault::Exposure(_) | Fault::Clipped(_) => plane.iter_mut().for_each(|v| *v *= gain),
            Fault::Hidden(_) => {
                for (i, v) in plane.iter_mut().enumerate().filter(|(i, _)| i % w < hidden) {
                    *v = v.min(0.004 + 0.001 * hashed(i as u64));
                }
            }
            Fault::Gloss(_) => {
                for (i, v) in plane.iter_mut().enumerate() {
                    let above = waves((i % w) as f64, (i / w) as f64, period) - glossy;
                    *v += 0.4 * (8.0 * above).clamp(0.0, 1.0);
                }
            }
            Fault::Uneven(range) => {
                let strength = libm::log(1.0 + range);
                for (i, v) in plane.iter_mut().enumerate() {
                    let x = (i % w) as f64 / w as f64;
                    // The face takes the middle eight tenths of the atlas.
                    *v *= libm::exp(-strength * ((x - 0.1) / 0.4).clamp(0.0, 2.0));
                }
            }
            _ => {}
        }
    }
    let out: Vec<u8> = (0..w * h)
        .flat_map(|i| [planes[0][i], planes[1][i], planes[2][i]].map(encoded))
        .collect();
    let mut bytes = vec![];
    let mut encoder = png::Encoder::new(&mut bytes, u32::try_from(w)?, u32::try_from(h)?);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&out)?;
    writer.finish()?;
    Ok(Picture::new(picture.file(), bytes)?.as_stored())
}

/// The largest error of some measures of the face over half of the interval.
fn off(findings: &Findings, truth: &Truth, names: &[MeasureName]) -> Option<f64> {
    let face = findings.region(Region::Face)?;
    let real = truth.regions.iter().find(|r| r.region == Region::Face)?;
    names
        .iter()
        .filter_map(|name| {
            let measure = face.measure(*name)?;
            let ([low, high], value) = (measure.interval?, measure.value?);
            let half = (high - value).max(value - low);
            Some((real.measures.get(name)? - value).abs() / half)
        })
        .max_by(f64::total_cmp)
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = |tone, lighting, seed, size_px| PhantomOptions {
        seed,
        tone,
        lighting,
        size_px,
        ..PhantomOptions::default()
    };
    let people = [
        (Tone::Light, Lighting::Even, 71),
        (Tone::Brown, Lighting::Directional, 72),
        (Tone::Dark, Lighting::Uneven, 73),
    ];
    let only: Vec<String> = std::env::args().skip(1).collect();
    print!("| phantom | fault | mm/px | focus | clipped | warned of |");
    for (name, _) in COLUMNS {
        print!(" {name} |");
    }
    println!("\n|{}", " --- |".repeat(6 + COLUMNS.len()));
    for (tone, lighting, seed) in people {
        let plain = Phantom::generate(&options(tone, lighting, seed, 2048))?;
        for fault in Fault::SWEEPS.into_iter().flatten().copied() {
            let what = format!("{fault:?}");
            if !only.is_empty() && !only.iter().any(|o| what.starts_with(o.as_str())) {
                continue;
            }
            let (files, truth) = match fault {
                Fault::Size(size_px) => {
                    let other = Phantom::generate(&options(tone, lighting, seed, size_px))?;
                    (other.files, other.truth)
                }
                _ => (plain.files.clone(), plain.truth.clone()),
            };
            let mut scan = Scan::read_files(files, &Limits::default())?;
            for (number, picture) in scan.pictures.iter_mut().enumerate() {
                *picture = degraded(picture, number, fault)?;
            }
            let findings = analyze(&scan, &Options::default())?.findings;
            let quality = &findings.quality;
            // The sentences begin with what they are about.
            let warned: Vec<String> = quality
                .warnings
                .iter()
                .map(|w| w.chars().take(60).collect())
                .collect();
            print!(
                "| {tone:?} | {what} | {:.3} | {:.2} | {:.2} % | {} |",
                quality.mm_per_px.unwrap_or(f64::NAN),
                quality.focus,
                100.0 * quality.clipped_fraction,
                warned.join("; ")
            );
            for (_, names) in COLUMNS {
                match off(&findings, &truth, names) {
                    Some(v) => print!(" {v:.2} |"),
                    None => print!(" – |"),
                }
            }
            println!();
        }
    }
    Ok(())
}
