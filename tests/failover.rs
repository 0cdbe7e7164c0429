//! How long nobody can write when the leader is killed or handed over, also with a long way between the replicas.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "system/dev.rs"]
mod dev;
#[path = "failover/far.rs"]
mod far;
#[path = "failover/measured.rs"]
mod measured;
#[path = "failover/servers.rs"]
mod servers;
#[path = "failover/ways.rs"]
mod ways;
#[path = "failover/writers.rs"]
mod writers;
