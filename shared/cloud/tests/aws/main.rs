//! What runs on AWS, against emulators of its services: the ports, the deployed functions,
//! the table's expiry, faults on every wire, and cold starts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends where something is missing"
)]

mod asked;
mod client;
mod cloud;
mod cold_start;
mod deployed;
mod deployment;
mod emulators;
mod expiry;
mod faults;
mod policies;
mod ports;
mod proxy;
mod resend;
mod rights;
mod runtime;
