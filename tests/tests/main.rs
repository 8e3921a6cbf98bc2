//! The program from end to end, as its users meet it: real processes, real files, real
//! connections.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends where something is missing"
)]

mod appearance;
mod canary;
mod cli;
mod compare;
mod demo;
mod isolation;
mod kill9;
mod line;
mod program;
mod real_inputs;
mod serve;
mod service;
mod upload;
