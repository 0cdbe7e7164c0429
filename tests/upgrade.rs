//! A group is upgraded one replica after the other, and taken back, by real processes of two builds under load.
//!
//! `tests/upgrade/run` builds both and runs this: today's build and that of tomorrow, which is one version ahead and has
//! a command that today's does not know; or with a revision, `tests/upgrade/run REV`, the build of that revision and
//! today's. Without `UPGRADE_OLD` and `UPGRADE_NEW` nothing is done.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "upgrade/builds.rs"]
mod builds;
#[path = "system/dev.rs"]
mod dev;
#[path = "system/servers.rs"]
mod servers;
