//! `dermalia link`: issued, shown and revoked beside a running service.

use anyhow::Context;
use dermalia_record::{Phase, ScanRecord};
use dermalia_report_function::issue_code;
use jiff::Timestamp;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::json;

use crate::cli::{LinkArgs, LinkCommand};
use crate::output::{Failure, Output};
use crate::serve::{Local, settings_of};

pub(crate) async fn run(command: &LinkCommand, output: &Output) -> Result<(), Failure> {
    let (LinkCommand::Issue(args)
    | LinkCommand::Show(args)
    | LinkCommand::Revoke(args)
    | LinkCommand::Code(args)) = command;
    let LinkArgs {
        scan,
        data,
        practice,
        qr,
    } = args;
    let local = Local::beside(data)?;
    let settings = settings_of(data)?;
    let found = local.find(scan, practice.as_deref()).await?;
    let record = match command {
        LinkCommand::Issue(_) => local.issue_link(&found.key, &settings).await?,
        LinkCommand::Show(_) => found,
        LinkCommand::Revoke(_) => local.revoke_links(&found.key).await?,
        LinkCommand::Code(_) => {
            let (record, code) = issue_code(&local.ports, &found.key)
                .await
                .map_err(anyhow::Error::from)?;
            let scan = &record.key.scan;
            let text = format!("the code of {}\n{}", record.key, code.reveal());
            output.result(&text, &json!({ "scan": scan, "code": code.reveal() }));
            return Ok(());
        }
    };
    // A link is settled before the page is drawn that it opens.
    let opens = matches!(record.phase(), Phase::Reported | Phase::Delivered)
        || matches!(command, LinkCommand::Issue(_));
    let link = local.link_url(&record, &settings).filter(|_| opens);
    let drawn = link.as_deref().filter(|_| *qr).map(qr_code).transpose()?;
    show(&record, link, output);
    if let Some(drawn) = drawn {
        output.note(&drawn);
    }
    Ok(())
}

fn show(record: &ScanRecord, link: Option<String>, output: &Output) {
    let time = |secs| Timestamp::from_second(secs).ok().map(|t| t.to_string());
    let link_expires_at = record.link.and_then(|grant| time(grant.expires_at_secs));
    let kept_until = time(record.expires_at_secs);
    let state = record.phase().name();
    let mut text = format!("scan        {}\nstate       {state}", record.key);
    let mut line = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            text.push_str(&format!("\n{name:<12}{value}"));
        }
    };
    line("reason", record.state.reason());
    line("kept until", kept_until.as_deref());
    line("mail", Some(record.mail_state()));
    line("link until", link_expires_at.as_deref());
    line("link", Some(link.as_deref().unwrap_or("none")));
    output.result(
        &text,
        &json!({
            "scan": record.key.scan,
            "practice": record.key.practice,
            "state": state,
            "reason": record.state.reason(),
            "mail": record.mail_state(),
            "kept_until": kept_until,
            "link": link,
            "link_expires_at": link_expires_at,
        }),
    );
}

/// A link as a QR code in half blocks, light on dark as a terminal is.
fn qr_code(link: &str) -> anyhow::Result<String> {
    let code = QrCode::with_error_correction_level(link, EcLevel::L)
        .context("the link does not fit a QR code")?;
    Ok(code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_fits_a_terminal_as_a_code() {
        let link = format!("https://report.dermalia.de/r/{}", "A".repeat(116));
        let drawn = qr_code(&link).unwrap();
        let lines: Vec<&str> = drawn.lines().collect();
        let width = lines[0].chars().count();
        assert!(width < 80 && lines.len() < 40, "{width} x {}", lines.len());
        assert!(lines.iter().all(|l| l.chars().count() == width));
        assert_ne!(drawn, qr_code(&link.replace("/r/", "/s/")).unwrap());
        assert!(qr_code(&"A".repeat(5000)).is_err());
    }
}
