//! What an inventory costs as it grows. Takes minutes and the whole machine, so it is asked for: `tests/bench/scale`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "scale/curve.rs"]
mod curve;
#[path = "system/dev.rs"]
mod dev;
#[path = "scale/group.rs"]
mod group;
#[path = "bench/machine.rs"]
mod machine;
#[path = "scale/report.rs"]
mod report;
#[path = "scale/restarts.rs"]
mod restarts;
#[path = "scale/snapshots.rs"]
mod snapshots;
