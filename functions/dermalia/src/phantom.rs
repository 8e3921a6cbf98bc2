//! `dermalia phantom`: a synthetic scan and its truth.

use std::time::Instant;

use anyhow::Context;
use dermalia_phantom::{Phantom, PhantomOptions, Tone};
use serde_json::json;

use crate::cli::PhantomArgs;
use crate::output::{Failure, Output};

pub(crate) fn run(args: &PhantomArgs, output: &Output) -> Result<(), Failure> {
    let start = Instant::now();
    let working = output.working("painting skin");
    let options = PhantomOptions {
        seed: args.seed,
        size_px: args.size as usize,
        tone: Tone::ALL[usize::from(args.tone)],
        clean: args.clean,
        hard: args.hard,
        relief: !args.no_relief,
        landmarks: !args.no_landmarks,
        ..PhantomOptions::default()
    };
    let phantom = Phantom::generate(&options).context("the phantom cannot be made")?;
    phantom
        .write(&args.out, args.zip)
        .with_context(|| format!("cannot write to {}", args.out.display()))?;
    working.finish_and_clear();
    output.step(
        "phantom",
        &format!("{} features", phantom.truth.features.len()),
        start.elapsed(),
    );
    let bundle = args
        .out
        .join(if args.zip { "bundle.zip" } else { "bundle" });
    output.result(
        &bundle.display().to_string(),
        &json!({ "bundle": bundle, "truth": args.out.join("truth.json") }),
    );
    Ok(())
}
