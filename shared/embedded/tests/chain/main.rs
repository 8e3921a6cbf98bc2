//! The whole chain over the embedded ports, with a quick stand-in for the analysis: what
//! is tested here is the orchestration, under faults, duplicates and crashes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends where something is missing"
)]

mod comparison;
mod faults;
mod life;
mod links;
mod orders;
mod rig;
mod rights;
