//! Sets up what the tests need and runs them; builds what is not a plain crate.

mod aws;
mod browser;
mod cache;
mod command;
mod debian;
mod edge;
mod interop;
mod language;
mod models;
mod npm;
mod parts;
mod python;
mod references;
mod wasm;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Set-up, tests and benchmarks of Dermalia"
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what the tests need, then runs every part and prints its time.
    Test {
        /// Run these parts only (names as printed by a run).
        #[arg(long, value_name = "PART")]
        only: Vec<String>,
    },
    /// Fetches the landmark models from npm into the cache and checks their hashes.
    Models,
    /// Builds, runs or deploys the Worker.
    Edge {
        #[command(subcommand)]
        what: Edge,
    },
    /// Builds the functions for AWS into infra/build and prints their sizes.
    Lambda,
    /// Prints measured figures.
    Bench {
        #[command(subcommand)]
        what: Bench,
    },
}

#[derive(Subcommand)]
enum Bench {
    /// Time of each stage of one job against its limit, with one and with two threads.
    Speed,
    /// Accuracy on phantoms against their known truth, as in METHODS.md.
    Accuracy,
    /// How much the measures vary over captures of the same phantom.
    Repeatability,
    /// Three years of ten thousand scans, with requests, crashes and lost events: what must
    /// hold at every step. `SIMULATION_SEED` repeats a run.
    Simulation,
    /// Time of each function on AWS from its start to its first answer.
    ColdStart,
    /// The 3D model beside those of gltfpack and gltf-transform.
    Glb,
    /// The printed report's time against its limit.
    Pdf,
    /// The Worker's size, start-up, rate and latency beside those of a plain one.
    Edge,
}

#[derive(Subcommand)]
enum Edge {
    /// Builds the Worker into edge/build.
    Build,
    /// Runs it on this machine; see edge/README.md for what it needs.
    Dev,
    /// Deploys it to a stage.
    Deploy {
        /// The stage: dev or prod.
        stage: String,
        /// Only shows what would be deployed.
        #[arg(long)]
        dry_run: bool,
    },
}

fn main() -> Result<()> {
    match Cli::parse().task {
        Task::Test { only } => parts::run(&only),
        // The crate's build script fetches, checks and caches them.
        Task::Models => command::cargo(&["build", "--release", "--package", "dermalia-landmarks"]),
        Task::Edge { what: Edge::Build } => edge::build(),
        Task::Edge { what: Edge::Dev } => edge::dev(),
        Task::Edge {
            what: Edge::Deploy { stage, dry_run },
        } => edge::deploy(&stage, dry_run),
        Task::Lambda => aws::build(),
        Task::Bench { what } => {
            let (package, example) = match what {
                Bench::Speed => ("dermalia", "speed"),
                Bench::Accuracy => ("dermalia-analysis", "accuracy"),
                Bench::Repeatability => ("dermalia-analysis", "repeatability"),
                Bench::Simulation => {
                    return command::cargo(&[
                        "test",
                        "--release",
                        "--package",
                        "dermalia-embedded",
                        "--test",
                        "simulation",
                        "--",
                        "--ignored",
                        "--nocapture",
                    ]);
                }
                Bench::ColdStart => return aws::bench_cold_start(),
                Bench::Glb => return models::glb(),
                Bench::Pdf => return models::pdf(),
                Bench::Edge => return edge::bench(),
            };
            command::cargo(&[
                "run",
                "--release",
                "--package",
                package,
                "--example",
                example,
            ])
        }
    }
}
