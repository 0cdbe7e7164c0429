//! What stands in `deploy/`, against a real kube-apiserver and on a real node, built by `tests/realkube/realkube build`.
//! Needs Go, and the node needs root and containerd, so it is asked for: `cargo test --test deploy -- --ignored`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "deploy/accepted.rs"]
mod accepted;
#[path = "deploy/bytes.rs"]
mod bytes;
#[path = "system/dev.rs"]
mod dev;
#[path = "deploy/group.rs"]
mod group;
#[path = "deploy/image.rs"]
mod image;
#[path = "deploy/kube.rs"]
mod kube;
#[path = "deploy/load.rs"]
mod load;
#[path = "deploy/node.rs"]
mod node;
#[path = "deploy/role.rs"]
mod role;
