//! A 201 leaves only after an fdatasync that covers its entry has ended on a quorum: seen in the system calls of
//! three real replicas. Needs strace, so it is asked for: `cargo test --test acknowledged -- --ignored`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "system/dev.rs"]
mod dev;
#[path = "acknowledged/order.rs"]
mod order;
#[path = "acknowledged/replicas.rs"]
mod replicas;
#[path = "acknowledged/trace.rs"]
mod trace;
