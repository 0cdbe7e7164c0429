//! Simulated clusters, seen through the client that real clusters are seen through.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod deletion;
mod discovery;
mod faults;
mod jobs;
mod lists;
mod restart;
mod watches;
mod world;
mod writes;
