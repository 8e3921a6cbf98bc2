//! `dermalia rights`: what patients ask for, done by the operator.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use dermalia_record::audit::Actor;
use dermalia_record::{Personal, ScanKey, ScanRecord};
use dermalia_rights::{Correction, Package, Rights};
use serde_json::json;

use crate::cli::{RightsCommand, RightsScan};
use crate::output::{Failure, Output};
use crate::place::Place;

const OPERATOR: Actor = Actor::Operator;

pub(crate) async fn run(command: &RightsCommand, output: &Output) -> Result<(), Failure> {
    let target = target_of(command);
    let place = Place::of(&target.place.data).await?;
    let rights = place.rights()?;
    let scan = place.scan(&target.scan, target.practice.as_deref()).await?;
    match command {
        RightsCommand::Access { out, .. } => {
            let package = rights.access(&scan, OPERATOR).await;
            save(package.map_err(anyhow::Error::from)?, out, &scan, output)?;
        }
        RightsCommand::Portability { out, .. } => {
            let package = rights.portability(&scan, OPERATOR).await;
            save(package.map_err(anyhow::Error::from)?, out, &scan, output)?;
        }
        RightsCommand::Rectify {
            first_name,
            no_first_name,
            email,
            no_email,
            ..
        } => {
            let field = |value: &Option<String>, removed: bool| match (value, removed) {
                (Some(value), _) => Some(Some(Personal::new(value.clone()))),
                (None, true) => Some(None),
                (None, false) => None,
            };
            let correction = Correction {
                first_name: field(first_name, *no_first_name),
                email: field(email, *no_email),
            };
            if correction == Correction::default() {
                return Err(anyhow::anyhow!("nothing to correct was named").into());
            }
            let record = rights.rectify(&scan, &correction, OPERATOR).await;
            show(&record.map_err(anyhow::Error::from)?, "rectified", output);
        }
        RightsCommand::Erase { .. } => erase(&place, &rights, &scan, output).await?,
        RightsCommand::Restrict { lift, .. } => {
            let (record, what) = if *lift {
                (rights.lift_restriction(&scan, OPERATOR).await, "lifted")
            } else {
                (rights.restrict(&scan, OPERATOR).await, "restricted")
            };
            show(&record.map_err(anyhow::Error::from)?, what, output);
        }
        RightsCommand::Object { withdraw, .. } => {
            let record = rights.object(&scan, OPERATOR, *withdraw).await;
            let what = if *withdraw { "withdrawn" } else { "objected" };
            show(&record.map_err(anyhow::Error::from)?, what, output);
        }
        RightsCommand::Certificate { .. } => {
            let certificate = rights.certificate(&scan).await;
            let certificate = certificate.map_err(anyhow::Error::from)?;
            let value = serde_json::to_value(&certificate).map_err(anyhow::Error::from)?;
            output.result(&certificate.to_json(), &value);
        }
    }
    Ok(())
}

fn target_of(command: &RightsCommand) -> &RightsScan {
    match command {
        RightsCommand::Access { target, .. }
        | RightsCommand::Portability { target, .. }
        | RightsCommand::Rectify { target, .. }
        | RightsCommand::Erase { target }
        | RightsCommand::Restrict { target, .. }
        | RightsCommand::Object { target, .. }
        | RightsCommand::Certificate { target } => target,
    }
}

async fn erase(
    place: &Place,
    rights: &Rights,
    scan: &ScanKey,
    output: &Output,
) -> anyhow::Result<()> {
    let certificate = rights.erase(scan, OPERATOR).await?;
    place.follow_removals().await?;
    output.result(
        &format!(
            "{scan} is erased: {} objects, {} bytes. The certificate: dermalia rights certificate",
            certificate.deleted.objects, certificate.deleted.bytes
        ),
        &serde_json::to_value(&certificate)?,
    );
    Ok(())
}

fn save(package: Package, out: &Path, scan: &ScanKey, output: &Output) -> anyhow::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(out)
        .with_context(|| format!("{} cannot be written", out.display()))?;
    file.write_all(&package.bytes)
        .with_context(|| format!("{} cannot be written", out.display()))?;
    output.result(
        &format!("{scan}: {} files in {}", package.files, out.display()),
        &json!({ "scan": scan.scan, "practice": scan.practice, "files": package.files, "out": out }),
    );
    Ok(())
}

fn show(record: &ScanRecord, what: &str, output: &Output) {
    let state = record.phase().name();
    output.result(
        &format!("{} is {what}; its state is {state}", record.key),
        &json!({
            "scan": record.key.scan,
            "practice": record.key.practice,
            "done": what,
            "state": state,
        }),
    );
}
