//! The model from outside: stories of one run, and properties of any log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

#[path = "model/adopt.rs"]
mod adopt;
#[path = "model/approvals.rs"]
mod approvals;
#[path = "model/approvers.rs"]
mod approvers;
#[path = "model/diagnosis.rs"]
mod diagnosis;
#[path = "model/late.rs"]
mod late;
#[path = "model/lineage.rs"]
mod lineage;
#[path = "model/members.rs"]
mod members;
#[path = "model/property.rs"]
mod property;
#[path = "model/story.rs"]
mod story;
#[path = "model/workflow.rs"]
mod workflow;
#[path = "model/world.rs"]
mod world;
