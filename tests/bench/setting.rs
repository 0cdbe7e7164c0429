//! What `tests/bench/run` asks for.

use std::path::PathBuf;

pub(crate) struct Setting {
    /// Where etcd and its benchmark tool are.
    pub(crate) bin: PathBuf,
    /// Where all data is and the report goes.
    pub(crate) dir: PathBuf,
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    pub(crate) kills: usize,
    /// Fail where a floor is missed.
    pub(crate) floors: bool,
}

#[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run tests/bench/run"))
}

impl Setting {
    pub(crate) fn read() -> Self {
        Self {
            bin: variable("BENCH_BIN").into(),
            dir: variable("BENCH_DIR").into(),
            rounds: variable("BENCH_ROUNDS").parse().unwrap(),
            seconds: variable("BENCH_SECONDS").parse().unwrap(),
            kills: variable("BENCH_KILLS").parse().unwrap(),
            floors: variable("BENCH_FLOORS").parse().unwrap(),
        }
    }
}
