//! Groups of real replicas on loopback and real files, in one process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may panic")]

mod cluster;
mod disk;
mod founding;
mod members;
mod reads;
mod tls;
mod writes;
