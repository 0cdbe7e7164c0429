//! Groups of real replicas on loopback and real files, in one process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
#![allow(clippy::print_stdout, reason = "figures, for whoever runs the tests by hand")]

mod agree;
mod churn;
mod cluster;
mod disk;
mod format;
mod founding;
mod handovers;
mod later;
mod leases;
mod lineage;
mod members;
mod membership;
mod reads;
mod relays;
mod tls;
mod versions;
mod writes;
