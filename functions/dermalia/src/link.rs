//! `dermalia link`: issued, shown and revoked beside a running service.

use dermalia_record::ScanRecord;
use dermalia_report_function::issue_code;
use jiff::Timestamp;
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
    show(&record, local.link_url(&record, &settings), output);
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
    line("link until", link_expires_at.as_deref());
    line("link", Some(link.as_deref().unwrap_or("none")));
    output.result(
        &text,
        &json!({
            "scan": record.key.scan,
            "practice": record.key.practice,
            "state": state,
            "reason": record.state.reason(),
            "kept_until": kept_until,
            "link": link,
            "link_expires_at": link_expires_at,
        }),
    );
}
