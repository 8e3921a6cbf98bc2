//! `dermalia demo`: the main job on a synthetic scan, from the upload to the link.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use dermalia_phantom::{Lighting, Phantom, PhantomOptions};
use dermalia_record::Phase;
use jiff::Zoned;
use jiff::fmt::temporal::DateTimePrinter;
use serde_json::json;

use crate::cli::DemoArgs;
use crate::output::{Failure, Output};
use crate::serve::{Cloud, ServeOptions, StopSignal};

pub(crate) async fn run(args: &DemoArgs, output: &Output) -> Result<(), Failure> {
    // Ctrl-C must not leave the temporary folder behind, whenever it comes.
    let mut stop = StopSignal::listen()?;
    let scratch = tempfile::tempdir().context("no temporary folder can be made")?;
    let cloud = tokio::select! {
        cloud = steps(args, output, scratch.path()) => cloud?,
        () = stop.wait() => {
            return Err(anyhow!("stopped before the report was there").into());
        }
    };
    if !args.no_serve {
        output.note("Open the link in a browser. Ctrl-C ends the demo.");
        stop.wait().await;
    }
    // What is being worked on ends by itself; a hanging connection must not keep us.
    if tokio::time::timeout(Duration::from_secs(10), cloud.shutdown())
        .await
        .is_err()
    {
        output.note("Stopped before everything had ended.");
    }
    scratch
        .close()
        .context("the temporary folder cannot be removed")?;
    Ok(())
}

/// Everything up to the link.
async fn steps(args: &DemoArgs, output: &Output, scratch: &Path) -> Result<Cloud, Failure> {
    let data: PathBuf = args.data.clone().unwrap_or_else(|| scratch.join("data"));
    let bundle = scratch.join("bundle");

    let start = Instant::now();
    let working = output.working("painting a synthetic face");
    let options = PhantomOptions {
        seed: args.seed,
        size_px: args.size as usize,
        lighting: Lighting::Directional,
        captured_at: now(),
        first_name: Some("Alex".to_owned()),
        email: Some("alex@example.org".to_owned()),
        locale: Some("de".to_owned()),
        ..PhantomOptions::default()
    };
    let folder = bundle.clone();
    let features = tokio::task::spawn_blocking(move || {
        let phantom = Phantom::generate(&options)?;
        phantom.write_folder(&folder)?;
        anyhow::Ok(phantom.truth.features.len())
    })
    .await
    .map_err(|error| anyhow!("the phantom was not finished: {error}"))?
    .context("the phantom cannot be made")?;
    output.step(
        "scan",
        &format!("a synthetic face with {features} features"),
        start.elapsed(),
    );

    let cloud = Cloud::start(&ServeOptions {
        data,
        listen: args.listen,
        public_url: None,
        workers: 1,
    })
    .await?;
    let start = Instant::now();
    working.set_message("uploading");
    let (scan, bytes) = cloud.upload(&bundle).await?;
    output.step(
        "upload",
        &format!("{} kB as a scanner sends them", bytes / 1000),
        start.elapsed(),
    );

    working.set_message("measuring");
    let mut last = Instant::now();
    let finished = cloud
        .wait_for(&scan, |phase| {
            let (name, detail) = match phase {
                Phase::Analysed => ("analyze", "skin measured, pictures drawn"),
                Phase::Reported => ("report", "page written"),
                Phase::Delivered => ("deliver", "link signed, e-mail in the outbox"),
                _ => return,
            };
            output.step(
                name,
                detail,
                std::mem::replace(&mut last, Instant::now()).elapsed(),
            );
        })
        .await?;
    working.finish_and_clear();
    let Some(link) = finished.link else {
        let phase = finished.record.phase().name();
        let reason = finished
            .record
            .state
            .reason()
            .unwrap_or("no reason was stored")
            .to_owned();
        cloud.shutdown().await;
        return Err(anyhow!("the scan ended as {phase}: {reason}").into());
    };
    output.result(&format!("\n{link}"), &json!({ "link": link }));
    Ok(cloud)
}

/// The present time with its offset, to the second.
fn now() -> String {
    let now = Zoned::now();
    let offset = now.offset();
    DateTimePrinter::new()
        .precision(Some(0))
        .timestamp_with_offset_to_string(&now.timestamp(), offset)
}
