//! The contract `dermalia.scan/1`: its example, its rules, its two transports.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "the functions that the tests share are test code, too"
)]

mod agreement;
mod rig;
mod rules;
mod transport;
