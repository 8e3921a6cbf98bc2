//! `dermalia audit` and `dermalia sweep`.

use std::fs;

use anyhow::{Context, ensure};
use dermalia_record::PracticeId;
use dermalia_record::audit::{NotedHead, verify};
use dermalia_rights::Certificate;
use jiff::Timestamp;
use serde_json::json;

use crate::cli::{AuditCommand, SweepArgs};
use crate::output::{Failure, Output};
use crate::place::Place;

/// Entries shown in one go.
const BATCH: usize = 500;

pub(crate) async fn run(command: &AuditCommand, output: &Output) -> Result<(), Failure> {
    match command {
        AuditCommand::Verify {
            place,
            practice,
            noted,
            certificate,
        } => {
            let place = Place::of(&place.data).await?;
            let keys = [place.audit.key.public()];
            let mut noted: Option<NotedHead> = noted.clone();
            let mut practice: Option<PracticeId> = practice
                .as_deref()
                .map(str::parse)
                .transpose()
                .map_err(anyhow::Error::from)?;
            if let Some(path) = certificate {
                let text = fs::read_to_string(path)
                    .with_context(|| format!("{} cannot be read", path.display()))?;
                let certificate: Certificate = serde_json::from_str(&text)
                    .context("expected a deletion certificate, got another file")?;
                let is_ours = certificate.is_signed_by(&keys);
                let signature = "the certificate's signature does not fit";
                ensure_that(is_ours, signature)?;
                noted = Some(certificate.noted_head());
                practice = Some(certificate.practice);
            }
            verify_logs(&place, practice, noted.as_ref(), &keys, output).await?;
        }
        AuditCommand::Show { place, practice } => {
            let place = Place::of(&place.data).await?;
            let practice = practice.parse().map_err(anyhow::Error::from)?;
            show(&place, &practice, output).await?;
        }
    }
    Ok(())
}

fn ensure_that(holds: bool, otherwise: &'static str) -> anyhow::Result<()> {
    ensure!(holds, otherwise);
    Ok(())
}

async fn verify_logs(
    place: &Place,
    practice: Option<PracticeId>,
    noted: Option<&NotedHead>,
    keys: &[dermalia_link::PublicKey],
    output: &Output,
) -> anyhow::Result<()> {
    ensure!(
        noted.is_none() || practice.is_some(),
        "a noted head belongs to one practice: name it with --practice"
    );
    let store = place.audit.store.as_ref();
    let practices = match practice {
        Some(practice) => vec![practice],
        None => store.practices().await?,
    };
    for practice in &practices {
        let head = verify(store, practice, keys, noted).await?;
        let (sequence, hash) = head.map_or((0, String::new()), |head| {
            (head.sequence, head.hash.to_string())
        });
        output.result(
            &format!("{practice}: {sequence} entries, whole and unchanged; head {sequence}:{hash}"),
            &json!({ "practice": practice, "entries": sequence, "head": format!("{sequence}:{hash}") }),
        );
    }
    if practices.is_empty() {
        output.note("The log is empty.");
    }
    Ok(())
}

async fn show(place: &Place, practice: &PracticeId, output: &Output) -> anyhow::Result<()> {
    let mut after = 0;
    loop {
        let batch = place.audit.store.entries(practice, after, BATCH).await?;
        let Some(last) = batch.last() else {
            return Ok(());
        };
        after = last.sequence;
        for entry in batch {
            let at = Timestamp::from_second(entry.at_secs)?;
            let scan = entry.scan.as_ref().map_or("-", |scan| scan.as_str());
            let count = entry.inventory.as_ref().map_or(String::new(), |i| {
                format!("  {} objects, {} bytes", i.objects, i.bytes)
            });
            output.result(
                &format!(
                    "{:>6}  {at}  {:<20} {scan}{count}",
                    entry.sequence,
                    entry.action.name()
                ),
                &serde_json::to_value(&entry)?,
            );
        }
    }
}

pub(crate) async fn sweep(args: &SweepArgs, output: &Output) -> Result<(), Failure> {
    let found = Place::of(&args.place.data).await?.sweep().await?;
    let counts = found.counts();
    let mut text = if found.is_empty() {
        "Nothing was left behind.".to_owned()
    } else {
        "Found and dealt with:".to_owned()
    };
    for (name, count) in counts.iter().filter(|(_, count)| *count > 0) {
        text.push_str(&format!("\n{:<20} {count}", name.replace('_', " ")));
    }
    let object: serde_json::Map<String, serde_json::Value> = counts
        .iter()
        .map(|(name, count)| ((*name).to_owned(), json!(count)))
        .collect();
    output.result(&text, &object.into());
    Ok(())
}
