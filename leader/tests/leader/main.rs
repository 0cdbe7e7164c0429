//! The leader against a log in memory and scripted clusters: stories, a crash at every step, random faults.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod brakes;
mod crash;
mod cursors;
mod dead_letters;
mod deployables;
mod diagnoses;
mod failovers;
mod fan_out;
mod faults;
mod foreign;
mod forms;
mod fuse;
mod group;
mod hub;
mod keeping;
mod lineage;
mod loss;
mod making;
mod memory_log;
mod oracle;
mod order;
mod pauses;
mod placement;
mod preflight;
mod random;
mod requires;
mod sim;
mod sim_api;
mod sim_apply;
mod sockets;
mod status_rules;
mod story;
mod strange;
mod world;
mod write_off;
