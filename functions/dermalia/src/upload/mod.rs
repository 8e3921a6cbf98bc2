//! `dermalia upload`: a bundle to a service, as a scanner or the practice's gateway sends it.

mod bundle;
mod line;

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use dermalia_scan::Limits;
use dermalia_upload::door::{Offer, OfferedFile, Place, SignedRequest};
use serde_json::json;
use tokio::task::JoinSet;

use crate::cli::UploadArgs;
use crate::output::{Failure, Output};
use bundle::{Bundle, Part};
use line::{Line, Trouble};

/// The variable that holds the practice's credential.
const CREDENTIAL: &str = "DERMALIA_CREDENTIAL";
/// How long to wait before the next round, the more rounds have brought nothing.
const WAITS_SECS: [u64; 8] = [1, 1, 2, 4, 8, 15, 30, 60];

pub(crate) async fn run(args: &UploadArgs, output: &Output) -> Result<(), Failure> {
    let start = Instant::now();
    let credential = credential(args.credential_file.as_deref())?;
    let line = Line::new(&args.to, credential)?;
    let working = output.working("reading the bundle");
    let path = args.bundle.clone();
    let bundle = tokio::task::spawn_blocking(move || Bundle::read(&path, &Limits::default()))
        .await
        .context("the bundle was not read")??;
    working.finish_and_clear();
    let sending = Sending {
        line,
        offer: bundle.offer(),
        parts: bundle.parts,
        at_a_time: usize::from(args.parallel),
    };
    let done = sending.run(output).await?;
    let (practice, scan) = (&sending.offer.practice, &sending.offer.scan);
    let (files, bytes) = (sending.parts.len(), total_bytes(&sending.offer));
    let kilobytes = bytes / 1000;
    output.result(
        &format!(
            "{scan} of {practice} is uploaded: {files} files, {kilobytes} kB, \
             {} of them there already, in {:.1} s",
            done.already,
            start.elapsed().as_secs_f64()
        ),
        &json!({
            "practice": practice,
            "scan": scan,
            "files": files,
            "bytes": bytes,
            "already": done.already,
            "sent_bytes": done.sent_bytes,
            "seconds": start.elapsed().as_secs_f64(),
        }),
    );
    Ok(())
}

/// The credential out of a file or the environment; on a command line others could read it.
fn credential(file: Option<&Path>) -> anyhow::Result<String> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("{} cannot be read", path.display()))?,
        None => std::env::var(CREDENTIAL).map_err(|_| {
            anyhow!("expected the practice's credential in {CREDENTIAL} or --credential-file")
        })?,
    };
    let text = text.trim();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
        bail!("the credential is empty or has characters that none has");
    }
    Ok(text.to_owned())
}

fn total_bytes(offer: &Offer) -> u64 {
    offer.files.iter().map(|file| file.bytes).sum()
}

/// A bundle on its way.
struct Sending {
    line: Line,
    offer: Offer,
    /// Where the content of each offered file is, in their order.
    parts: Vec<Part>,
    at_a_time: usize,
}

/// How it went.
struct Done {
    /// How many files an earlier run had brought.
    already: usize,
    /// How many bytes this one has.
    sent_bytes: u64,
}

impl Sending {
    /// Offers, sends what is missing and offers again, until the file that starts the
    /// processing is taken. From then on the service may clear the files away, so what is
    /// there says nothing any more.
    async fn run(&self, output: &Output) -> Result<Done, Failure> {
        let bar = output.progress(total_bytes(&self.offer));
        let (mut already, mut sent_bytes) = (None, 0);
        let mut fruitless = 0;
        loop {
            let trouble = match self.line.ask(&self.offer).await {
                Ok(places) => {
                    let here = self.bytes_here(&places);
                    already.get_or_insert(places.iter().filter(|p| **p == Place::Done).count());
                    bar.set_position(here);
                    if places.iter().all(|place| *place == Place::Done) {
                        break;
                    }
                    let round = self.send(&places, &bar).await?;
                    sent_bytes += round.sent_bytes;
                    if round.took_last {
                        break;
                    }
                    if round.sent > 0 {
                        fruitless = 0;
                        round.trouble
                    } else {
                        let nothing = || "nothing was taken".to_owned();
                        Some(round.trouble.unwrap_or_else(nothing))
                    }
                }
                Err(Trouble::Refused(failure)) => return Err(failure),
                Err(Trouble::Passing(reason)) => Some(reason),
            };
            let Some(reason) = trouble else { continue };
            let Some(&secs) = WAITS_SECS.get(fruitless) else {
                bar.abandon();
                return Err(anyhow!(
                    "{reason}; what has come stays there: run the command again to go on"
                )
                .into());
            };
            fruitless += 1;
            bar.set_message(format!("{reason}; again in {secs} s"));
            tokio::time::sleep(Duration::from_secs(secs)).await;
            bar.set_message("");
        }
        bar.finish_and_clear();
        Ok(Done {
            already: already.unwrap_or(0),
            sent_bytes,
        })
    }

    fn bytes_here(&self, places: &[Place]) -> u64 {
        let files = self.offer.files.iter().zip(places);
        let here = |(file, place): (&OfferedFile, &Place)| match place {
            Place::Done => file.bytes,
            Place::Parts { parts } => {
                let there = file.parts().zip(parts).filter(|(_, asked)| asked.is_none());
                there.map(|((bytes, _), _)| bytes).sum()
            }
            Place::Send(_) | Place::Later => 0,
        };
        files.map(here).sum()
    }

    /// What is to be sent now: whole files, and parts of large ones.
    fn pieces(&self, places: &[Place]) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let files = self.offer.files.iter().zip(&self.parts);
        for ((file, part), place) in files.zip(places) {
            let piece = |range, request: &SignedRequest, is_last| Piece {
                file: file.clone(),
                part: part.clone(),
                range,
                request: request.clone(),
                is_last,
            };
            match place {
                Place::Send(request) => {
                    pieces.push(piece(0..file.bytes, request, bundle::is_last(file)));
                }
                Place::Parts { parts } => {
                    let mut start = 0;
                    for ((bytes, _), request) in file.parts().zip(parts) {
                        let range = start..start + bytes;
                        start += bytes;
                        // Whole only when the door has put it together.
                        pieces.extend(request.iter().map(|r| piece(range.clone(), r, false)));
                    }
                }
                Place::Done | Place::Later => {}
            }
        }
        pieces
    }

    /// Sends what is to be sent now, some at a time.
    async fn send(&self, places: &[Place], bar: &indicatif::ProgressBar) -> Result<Round, Failure> {
        let mut waiting = self.pieces(places).into_iter();
        let mut round = Round::default();
        let mut under_way = JoinSet::new();
        loop {
            while under_way.len() < self.at_a_time && round.trouble.is_none() {
                let Some(piece) = waiting.next() else {
                    break;
                };
                under_way.spawn(send_one(self.line.clone(), piece, bar.clone()));
            }
            let Some(ended) = under_way.join_next().await else {
                return Ok(round);
            };
            match ended.context("a file was not sent")? {
                Ok(piece) => {
                    round.sent += 1;
                    round.sent_bytes += piece.range.end - piece.range.start;
                    round.took_last |= piece.is_last;
                }
                Err(Trouble::Passing(reason)) => round.trouble = Some(reason),
                Err(Trouble::Refused(failure)) => return Err(failure),
            }
        }
    }
}

/// What a round has brought.
#[derive(Default)]
struct Round {
    sent: usize,
    sent_bytes: u64,
    took_last: bool,
    /// Why it is not whole.
    trouble: Option<String>,
}

/// A file, or a part of one, on its way.
struct Piece {
    file: OfferedFile,
    part: Part,
    /// Which bytes of it.
    range: Range<u64>,
    request: SignedRequest,
    /// Whether it starts the processing.
    is_last: bool,
}

/// Sends one piece and gives it back.
async fn send_one(line: Line, piece: Piece, bar: indicatif::ProgressBar) -> Result<Piece, Trouble> {
    let content = piece.part.content(piece.range.clone()).await?;
    line.put(&piece.file, &piece.request, content, &bar).await?;
    Ok(piece)
}
