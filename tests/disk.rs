//! Disks that fail, are full or are slow, under real replicas. Needs strace, and for full disks root and loop
//! devices, so it is asked for: `cargo test --test disk -- --ignored --nocapture --test-threads=1`. What cannot be
//! run says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "system/dev.rs"]
mod dev;
#[path = "disk/failed.rs"]
mod failed;
#[path = "disk/full.rs"]
mod full;
#[path = "powercut/group.rs"]
mod group;
#[path = "system/history.rs"]
mod history;
#[path = "disk/inject.rs"]
mod inject;
#[path = "disk/lost.rs"]
mod lost;
#[path = "powercut/machine.rs"]
mod machine;
#[path = "acknowledged/order.rs"]
mod order;
#[path = "disk/slow.rs"]
mod slow;
#[path = "acknowledged/trace.rs"]
mod trace;
#[path = "powercut/wires.rs"]
mod wires;
