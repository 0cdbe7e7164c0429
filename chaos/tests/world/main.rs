//! Replicas in a world that one seed decides: what its disks keep and lose, what fails, and when.
//!
//! A run prints its seed when it fails; `WORLD_SEED=N` repeats it, and `WORLD_RUNS=N` runs so many.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test may panic")]

mod disk;
mod numbers;
mod storage;

#[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// Runs `run` with each seed of a test; says which one failed.
fn for_each_seed(usual_runs: u64, run: impl Fn(u64) + std::panic::RefUnwindSafe) {
    let seeds = match setting("WORLD_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..setting("WORLD_RUNS").unwrap_or(usual_runs),
    };
    for seed in seeds {
        if let Err(panic) = std::panic::catch_unwind(|| run(seed)) {
            eprintln!("WORLD_SEED={seed} repeats this");
            std::panic::resume_unwind(panic);
        }
    }
}
