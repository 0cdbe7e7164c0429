//! Crash states: what may be on disk after a power cut, enumerated from the system calls of a real run, and opened.
//! Each log is recovered with everything that was acknowledged; each inventory too, or it is refused. None is opened
//! with something missing or wrong.
//! Needs strace, so it is asked for: `cargo test -p tallyman-store --test crash -- --ignored --nocapture`.
//! `CRASH_STATES` (12,000) says how many of the log; of the inventory it is a sixth.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test may panic")]

mod disk;
#[path = "../inventory/oracle.rs"]
#[allow(dead_code, reason = "the other test uses the rest")]
mod oracle;
mod recording;
mod whole_inventory;
mod whole_log;

use std::path::{Path, PathBuf};
use tempfile::TempDir;

#[allow(clippy::disallowed_methods, reason = "there is no other way into a test")]
fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).map_or(usual, |value| value.parse().unwrap())
}

/// A folder for a state: in memory if that is possible, since nothing has to outlive this process.
fn fresh() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The folder in which a driver is recorded; `None`: the driver was not started by a recording.
fn recorded_here() -> Option<PathBuf> {
    let dir = std::env::current_dir().unwrap();
    dir.join(recording::MARKS).is_file().then_some(dir)
}

/// Keeps what a failure is to be looked at with.
fn keep(state: TempDir) -> String {
    let path: &Path = &state.keep();
    format!("the state is kept in {}", path.display())
}
