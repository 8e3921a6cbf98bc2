//! `dermalia`: the command line, and the embedded cloud that it runs.

mod analyze;
mod audit;
mod cli;
mod compare;
mod demo;
mod export;
mod keys;
mod link;
mod ops;
mod output;
mod phantom;
mod place;
mod practice;
mod report;
mod rights;
mod serve;
mod upload;

use std::future::Future;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use serde_json::json;
use tracing_subscriber::EnvFilter;

use crate::cli::{Cli, Command};
use crate::output::{Failure, Output};
use crate::serve::ServeOptions;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; what is one ends with EX_USAGE, because 2
            // means a refused bundle here.
            let code = if error.use_stderr() { 64 } else { 0 };
            // A closed pipe is all that can fail here, and nobody is left to be told.
            drop(error.print());
            return ExitCode::from(code);
        }
    };
    let output = Output::new(cli.json);
    let done = match cli.command {
        Command::Analyze(args) => analyze::run(&args, &output),
        Command::Compare(args) => compare::run(&args, &output),
        Command::Report(args) => report::run(&args, &output),
        Command::Export(args) => export::run(&args, &output),
        Command::Phantom(args) => phantom::run(&args, &output),
        Command::Demo(args) => service("error", demo::run(&args, &output)),
        Command::Serve(args) => service("info", async {
            let options = ServeOptions {
                data: args.data,
                listen: args.listen,
                public_url: args.public_url,
                workers: 1,
            };
            let ready = |address: SocketAddr| {
                output.result(
                    &format!("Listening on http://{address}. Ctrl-C ends it."),
                    &json!({ "address": address }),
                );
            };
            Ok(serve::serve(options, ready).await?)
        }),
        Command::Upload(args) => service("error", upload::run(&args, &output)),
        Command::Link(command) => service("warn", link::run(&command, &output)),
        Command::Rights(command) => service("warn", rights::run(&command, &output)),
        Command::Audit(command) => service("warn", audit::run(&command, &output)),
        Command::Sweep(args) => service("warn", audit::sweep(&args, &output)),
        Command::Practice(command) => service("warn", practice::run(&command, &output)),
        Command::Ops(command) => service("warn", ops::run(&command, &output)),
        Command::Keys(command) => keys::run(&command, &output),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            match failure {
                Failure::Refused(_) => ExitCode::from(2),
                Failure::Fault(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// Runs what waits for others, with logs of at least this level on stderr.
fn service(level: &str, work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the service cannot be started")?;
    let done = runtime.block_on(work);
    // What still runs was given up on; every state is on disk.
    runtime.shutdown_background();
    done
}
