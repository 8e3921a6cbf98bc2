//! The parts of the test command, in the order in which a fault is cheapest to find.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{aws, browser, cache, command, edge, interop, language, references, wasm};

struct Part {
    name: &'static str,
    about: &'static str,
    run: fn() -> Result<()>,
}

const PARTS: &[Part] = &[
    Part {
        name: "tools",
        about: "what must be on the machine",
        run: tools,
    },
    Part {
        name: "format",
        about: "rustfmt",
        run: format,
    },
    Part {
        name: "lint",
        about: "clippy, warnings denied",
        run: lint,
    },
    Part {
        name: "deny",
        about: "licences, sources and duplicates of dependencies",
        run: deny,
    },
    Part {
        name: "test",
        about: "unit, property, golden and end-to-end tests",
        run: test,
    },
    Part {
        name: "language",
        about: "a third language from one file, on every surface",
        run: language::test,
    },
    Part {
        name: "references",
        about: "the measuring kernels against implementations that others wrote",
        run: references::test,
    },
    Part {
        name: "browser",
        about: "the served report in Chromium, accessibility included",
        run: browser::test,
    },
    Part {
        name: "interop",
        about: "the exports against validators that others wrote",
        run: interop::test,
    },
    Part {
        name: "wasm",
        about: "signed links for the edge's target",
        run: wasm::check_link,
    },
    Part {
        name: "edge",
        about: "the Worker in its real runtime, with an emulated S3",
        run: edge::test,
    },
    Part {
        name: "aws",
        about: "the templates linted; the functions deployed to emulators, with faults",
        run: aws::test,
    },
];

/// Runs the parts (all, or those named) and prints the time of each.
pub(crate) fn run(only: &[String]) -> Result<()> {
    if let Some(unknown) = only
        .iter()
        .find(|o| PARTS.iter().all(|p| p.name != o.as_str()))
    {
        let names: Vec<_> = PARTS.iter().map(|p| p.name).collect();
        bail!(
            "there is no part `{unknown}`; there are {}",
            names.join(", ")
        );
    }
    let mut times: Vec<(&str, Duration)> = vec![];
    for part in PARTS
        .iter()
        .filter(|p| only.is_empty() || only.iter().any(|o| o == p.name))
    {
        eprintln!("\n== {}: {}", part.name, part.about);
        let start = Instant::now();
        (part.run)().map_err(|e| e.context(format!("part `{}` failed", part.name)))?;
        times.push((part.name, start.elapsed()));
    }
    eprintln!("\n== all parts passed");
    for (name, time) in times {
        eprintln!("{name:>10}  {:>6.1} s", time.as_secs_f64());
    }
    Ok(())
}

fn tools() -> Result<()> {
    for (program, what) in [
        ("git", "git"),
        ("npm", "Node.js 20 or later with npm"),
        ("python3", "Python 3.11 or later"),
    ] {
        if !command::exists(program) {
            bail!("`{program}` was not found: install {what} and run the command again");
        }
    }
    Ok(())
}

fn format() -> Result<()> {
    command::cargo(&["fmt", "--all", "--check"])
}

fn lint() -> Result<()> {
    // With every feature, and as a user builds it: what one of them needs, another may not.
    for features in [&["--all-features"][..], &[]] {
        let clippy = ["clippy", "--release", "--workspace", "--all-targets"];
        let strict = ["--locked", "--", "--deny", "warnings"];
        command::cargo(&[&clippy, features, &strict].concat())?;
    }
    Ok(())
}

fn deny() -> Result<()> {
    let deny = cache::cargo_tool("cargo-deny", "cargo-deny", "0.20.2")?;
    // Advisories need their database from the network and have a command of their own
    // (`cargo deny check advisories`); what can be judged from the lock file is judged here.
    command::run(Command::new(deny).args(["--locked", "check", "bans", "licenses", "sources"]))
}

fn test() -> Result<()> {
    command::cargo(&[
        "test",
        "--release",
        "--workspace",
        "--locked",
        "--no-fail-fast",
    ])
}
