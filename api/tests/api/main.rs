//! The API over a real socket, with a replica in memory behind it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod apply;
mod approvals;
mod audit;
mod bad_input;
mod client;
mod clusters;
mod deployables;
mod diagnoses;
mod discovery;
mod dry_run;
mod events;
mod fan_out;
mod identity;
mod k8s;
mod lists;
mod locks;
mod loss;
mod many;
mod memory;
mod openapi;
mod operator;
mod overload;
mod placement;
mod pools;
mod preferences;
mod reads;
mod reviews;
mod samples;
mod server;
mod stale;
mod stops;
mod streams;
mod tls;
mod watches;
mod writes;
