//! Whole-system tests: real processes, real sockets, real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

#[path = "system/approvals.rs"]
mod approvals;
#[path = "system/backup.rs"]
mod backup;
#[path = "system/bad_input.rs"]
mod bad_input;
#[path = "system/bench.rs"]
mod bench;
#[path = "system/blocks.rs"]
mod blocks;
#[path = "system/brakes.rs"]
mod brakes;
#[path = "system/client.rs"]
mod client;
#[path = "system/crashes.rs"]
mod crashes;
#[path = "system/dead_letters.rs"]
mod dead_letters;
#[path = "system/deployable.rs"]
mod deployable;
#[path = "system/detached.rs"]
mod detached;
#[path = "system/dev.rs"]
mod dev;
#[path = "system/diagnoses.rs"]
mod diagnoses;
#[path = "system/directories.rs"]
mod directories;
#[path = "system/drill.rs"]
mod drill;
#[path = "system/fan_out.rs"]
mod fan_out;
#[path = "system/foreign.rs"]
mod foreign;
#[path = "system/gate.rs"]
mod gate;
#[path = "system/history.rs"]
mod history;
#[path = "system/holders.rs"]
mod holders;
#[path = "system/hub.rs"]
mod hub;
#[path = "system/kinds.rs"]
mod kinds;
#[path = "system/kube_client.rs"]
mod kube_client;
#[path = "system/loss.rs"]
mod loss;
#[path = "system/making.rs"]
mod making;
#[path = "system/members.rs"]
mod members;
#[path = "system/namespaces.rs"]
mod namespaces;
#[path = "system/outages.rs"]
mod outages;
#[path = "system/overload.rs"]
mod overload;
#[path = "system/pauses.rs"]
mod pauses;
#[path = "system/placement.rs"]
mod placement;
#[path = "system/pools.rs"]
mod pools;
#[path = "system/quorum.rs"]
mod quorum;
#[path = "system/readme.rs"]
mod readme;
#[path = "system/requires.rs"]
mod requires;
#[path = "system/rollouts.rs"]
mod rollouts;
#[path = "system/rot.rs"]
mod rot;
#[path = "system/secured.rs"]
mod secured;
#[path = "system/servers.rs"]
mod servers;
#[path = "system/sources.rs"]
mod sources;
#[path = "system/streams.rs"]
mod streams;
#[path = "system/via.rs"]
mod via;
#[path = "system/witness.rs"]
mod witness;
#[path = "system/workflow.rs"]
mod workflow;
