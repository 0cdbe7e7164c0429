//! A real kubectl, built by `tests/realkube/realkube build`, against a follower. What it is asked and what it says is
//! kept in `tests/kubectl/golden`: `cargo test --test kubectl -- --ignored`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "kubectl/apply.rs"]
mod apply;
#[path = "system/blocks.rs"]
mod blocks;
#[path = "kubectl/change.rs"]
mod change;
#[path = "system/dev.rs"]
mod dev;
#[path = "kubectl/discovery.rs"]
mod discovery;
#[path = "kubectl/errors.rs"]
mod errors;
#[path = "kubectl/files.rs"]
mod files;
#[path = "kubectl/leader_change.rs"]
mod leader_change;
#[path = "kubectl/life.rs"]
mod life;
#[path = "kubectl/normal.rs"]
mod normal;
#[path = "kubectl/people.rs"]
mod people;
#[path = "kubectl/readme.rs"]
mod readme;
#[path = "kubectl/session.rs"]
mod session;
