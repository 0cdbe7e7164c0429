//! The model from outside: stories of one run, and properties of any log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

#[path = "model/adopt.rs"]
mod adopt;
#[path = "model/approvals.rs"]
mod approvals;
#[path = "model/approvers.rs"]
mod approvers;
#[path = "model/blocks.rs"]
mod blocks;
#[path = "model/brakes.rs"]
mod brakes;
#[path = "model/clocks.rs"]
mod clocks;
#[path = "model/cursors.rs"]
mod cursors;
#[path = "model/dead_letters.rs"]
mod dead_letters;
#[path = "model/deployables.rs"]
mod deployables;
#[path = "model/diagnosis.rs"]
mod diagnosis;
#[path = "model/drain.rs"]
mod drain;
#[path = "model/endowed.rs"]
mod endowed;
#[path = "model/extents.rs"]
mod extents;
#[path = "model/fan_out.rs"]
mod fan_out;
#[path = "model/foreign.rs"]
mod foreign;
#[path = "model/hub.rs"]
mod hub;
#[path = "model/keeping.rs"]
mod keeping;
#[path = "model/kinds.rs"]
mod kinds;
#[path = "model/late.rs"]
mod late;
#[path = "model/lineage.rs"]
mod lineage;
#[path = "model/locks.rs"]
mod locks;
#[path = "model/loss.rs"]
mod loss;
#[path = "model/making.rs"]
mod making;
#[path = "model/members.rs"]
mod members;
#[path = "model/moving.rs"]
mod moving;
#[path = "model/order.rs"]
mod order;
#[path = "model/pauses.rs"]
mod pauses;
#[path = "model/pools.rs"]
mod pools;
#[path = "model/preflight.rs"]
mod preflight;
#[path = "model/property.rs"]
mod property;
#[path = "model/requires.rs"]
mod requires;
#[path = "model/rollouts.rs"]
mod rollouts;
#[path = "model/status_rules.rs"]
mod status_rules;
#[path = "model/story.rs"]
mod story;
#[path = "model/via.rs"]
mod via;
#[path = "model/workflow.rs"]
mod workflow;
#[path = "model/world.rs"]
mod world;
#[path = "model/write_off.rs"]
mod write_off;
