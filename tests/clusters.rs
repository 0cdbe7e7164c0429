//! What many clusters cost, and how soon things happen there and are known here. The measurements are for a quiet
//! machine and a release build: BENCHMARKS.md.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "system/dev.rs"]
mod dev;
#[path = "clusters/elected.rs"]
mod elected;
#[path = "clusters/flood.rs"]
mod flood;
#[path = "clusters/load.rs"]
mod load;
#[path = "bench/machine.rs"]
mod machine;
#[path = "clusters/many.rs"]
mod many;
#[path = "clusters/report.rs"]
mod report;
#[path = "failover/servers.rs"]
mod servers;
#[path = "clusters/setting.rs"]
mod setting;
#[path = "clusters/sick.rs"]
mod sick;
#[path = "clusters/times.rs"]
mod times;
#[path = "clusters/usual.rs"]
mod usual;
#[path = "failover/ways.rs"]
mod ways;
