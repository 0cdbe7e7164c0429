//! Against real Kubernetes control planes, built by `tests/realkube/realkube build`. Needs Go, so it is asked for:
//! `cargo test --test realkube -- --ignored`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, dead_code, reason = "tests")]

#[path = "realkube/client_go.rs"]
mod client_go;
#[path = "system/dev.rs"]
mod dev;
#[path = "realkube/example.rs"]
mod example;
#[path = "realkube/sixty_jobs.rs"]
mod sixty_jobs;
