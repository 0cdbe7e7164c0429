//! Tallyman beside etcd on this machine. Takes minutes and the whole machine, so it is asked for: `tests/bench/run`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "bench/compare.rs"]
mod compare;
#[path = "system/dev.rs"]
mod dev;
#[path = "bench/etcd.rs"]
mod etcd;
#[path = "bench/events.rs"]
mod events;
#[path = "bench/failover.rs"]
mod failover;
#[path = "bench/machine.rs"]
mod machine;
#[path = "bench/report.rs"]
mod report;
#[path = "bench/setting.rs"]
mod setting;
#[path = "bench/tallyman.rs"]
mod tallyman;
