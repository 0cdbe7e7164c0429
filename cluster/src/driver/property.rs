//! Over random histories, faults, restores and a crash after each of them: what the log has committed is the cluster's
//! state at a version not older than the cursor. The machine and `apply` are the real ones, the cluster is pure.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod books;
mod server;
mod world;

use crate::machine::Failure;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use std::hash::{BuildHasher, Hasher, RandomState};
use world::{Happening, RUNS, World};

fn happening() -> impl Strategy<Value = Happening> {
    use Happening::*;
    let failure = prop_oneof![
        Just(Failure::Expired),
        Just(Failure::Behind),
        Just(Failure::Denied),
        Just(Failure::Absent),
        Just(Failure::TooLong),
        Just(Failure::HeldBack),
        Just(Failure::TooMany { wait_ms: 500 }),
        Just(Failure::Transient),
    ];
    prop_oneof![
        7 => (0..RUNS, prop::bool::weighted(0.3)).prop_map(|(run, delete)| Write { run, delete }),
        10 => Just(Serve),
        2 => Just(Probe),
        1 => failure.prop_map(Fail),
        1 => Just(Bookmark),
        1 => Just(EndWatch),
        1 => Just(Compact),
        10 => Just(Commit),
        1 => Just(RefuseCommit),
        1 => Just(Crash),
        4 => (1..5_000u64).prop_map(|ms| Pass { ms }),
        1 => (1..12u64).prop_map(|versions| Restore { versions }),
    ]
}

/// Another seed each time, printed with a failure; `PROPTEST_RNG_SEED` sets it.
#[expect(clippy::print_stderr, reason = "shown only with a failure")]
fn config(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) };
    if let RngSeed::Random = config.rng_seed {
        config.rng_seed = RngSeed::Fixed(RandomState::new().build_hasher().finish());
    }
    eprintln!("PROPTEST_RNG_SEED={}", config.rng_seed);
    config
}

proptest! {
    #![proptest_config(config(256))]

    #[test]
    fn what_is_committed_was_true_at_the_cursor_or_later(happenings in prop::collection::vec(happening(), 0..250)) {
        let mut world = World::new();
        for happening in happenings {
            world.happen(happening)?;
        }
        world.settle()?;
    }
}

proptest! {
    #![proptest_config(config(24))]

    #[test]
    fn a_crash_at_any_step_loses_nothing(happenings in prop::collection::vec(happening(), 0..60)) {
        let mut world = World::new();
        for happening in happenings {
            world.happen(happening)?;
            let mut crashed = world.clone();
            crashed.crash();
            crashed.settle()?;
        }
    }
}
