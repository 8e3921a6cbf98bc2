//! Three years of twenty practices, with rights requests, crashes, lost and doubled events.
//!
//! At every step the scans that were touched, those whose time has just come and some of the
//! others in turn are held against a model of what may be read and told; after every full
//! sweep all of them, and the stores against the records. `SIMULATION_SEED` repeats a run;
//! the long form is an ignored test.

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

use std::time::Instant;

use model::Random;
use world::World;

fn seed() -> u64 {
    std::env::var("SIMULATION_SEED")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_261_122)
}

async fn simulate(scans: usize, steps: usize) {
    let (seed, start) = (seed(), Instant::now());
    eprintln!("SIMULATION_SEED={seed}, {scans} scans, {steps} steps");
    let mut world = World::new(Random::new(seed), scans, steps).await;
    for step in 0..steps {
        world.step(step).await;
        if step % 4_000 == 3_999 {
            let (seconds, left) = (start.elapsed().as_secs_f64(), world.objects());
            eprintln!("{seconds:6.1} s  step {}, {left} objects", step + 1);
        }
    }
    world.end().await;
    eprintln!("{}", world.summary());
    eprintln!("{:.1} s", start.elapsed().as_secs_f64());
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
