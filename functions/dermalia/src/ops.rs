//! `dermalia ops`: what was given up, and how it comes back.

use dermalia_record::port::Queue;
use serde_json::json;

use crate::cli::OpsCommand;
use crate::output::{Failure, Output};
use crate::serve::Local;

/// How many dead letters are shown.
const SHOWN: usize = 1_000;

pub(crate) async fn run(command: &OpsCommand, output: &Output) -> Result<(), Failure> {
    let (OpsCommand::Dead(place) | OpsCommand::Redrive(place)) = command;
    let local = Local::beside(&place.data)?;
    let queues: [(&str, &dyn Queue); 2] =
        [("uploads", &local.uploads), ("reports", &local.reports)];
    for (name, queue) in queues {
        match command {
            OpsCommand::Dead(_) => {
                for letter in queue
                    .dead_letters(SHOWN)
                    .await
                    .map_err(anyhow::Error::from)?
                {
                    output.result(
                        &format!("{name}  {} tries  {}", letter.receive_count, letter.reason),
                        &json!({
                            "queue": name,
                            "tries": letter.receive_count,
                            "reason": letter.reason,
                            "message": letter.body,
                        }),
                    );
                }
            }
            OpsCommand::Redrive(_) => {
                let moved = queue.redrive().await.map_err(anyhow::Error::from)?;
                output.result(
                    &format!("{name}  {moved} brought back"),
                    &json!({ "queue": name, "redriven": moved }),
                );
            }
        }
    }
    Ok(())
}
