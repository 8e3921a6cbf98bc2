//! The whole chain over the embedded ports, with a quick stand-in for the analysis: what
//! is tested here is the orchestration, under faults, duplicates and crashes.

mod faults;
mod life;
mod links;
mod orders;
mod rig;
