//! `dermalia ops`: what was given up, and how it comes back.

use serde_json::json;

use crate::cli::OpsCommand;
use crate::output::{Failure, Output};
use crate::place::Place;

/// How many dead letters are shown.
const SHOWN: usize = 1_000;

pub(crate) async fn run(command: &OpsCommand, output: &Output) -> Result<(), Failure> {
    let (OpsCommand::Dead(place) | OpsCommand::Redrive(place)) = command;
    for (name, queue) in Place::of(&place.data).await?.queues {
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
