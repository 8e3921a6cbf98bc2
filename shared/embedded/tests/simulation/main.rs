//! Three years of twenty practices, with rights requests, crashes, lost and doubled events.
//!
//! At every step the scans that were touched and a sample of the others are held against a
//! model of what may be read; after every full sweep all of them, and the stores against
//! the records. `SIMULATION_SEED` repeats a run; the long form is an ignored test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test ends where something is missing"
)]

mod model;
mod stores;
mod world;

use model::Random;
use world::World;

fn seed() -> u64 {
    std::env::var("SIMULATION_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_261_122)
}

async fn simulate(scans: usize, steps: usize) {
    let seed = seed();
    eprintln!("SIMULATION_SEED={seed}, {scans} scans, {steps} steps");
    let mut world = World::new(Random::new(seed), scans, steps).await;
    for step in 0..steps {
        world.step(step).await;
    }
    world.end().await;
    eprintln!("{}", world.summary());
}

#[tokio::test]
async fn three_years() {
    simulate(150, 1_200).await;
}

#[tokio::test]
#[ignore = "takes many minutes: cargo xtask bench simulation"]
async fn three_years_of_ten_thousand_scans() {
    simulate(10_000, 40_000).await;
}
