//! Simulated clusters, seen through the client that real clusters are seen through.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod applies;
mod definitions;
mod deletion;
mod discovery;
mod faults;
mod jobs;
mod lists;
mod restart;
mod watches;
mod workflows;
mod workloads;
mod world;
mod writes;
