//! Simulated clusters: an embedded stand-in for a kube-apiserver and the controllers behind it.
//!
//! A [`SimulatedCluster`] serves Namespaces, Jobs, Pods, ConfigMaps and discovery over HTTP on a loopback
//! socket, with the list and watch rules of a real server: one growing resourceVersion, compaction and 410,
//! bookmarks, preconditions, finalizers, propagation and TTL. Jobs get Pods, which run and end as annotations
//! ask ([`RUN_FOR`], [`OUTCOME`], [`START_AFTER`]). [`Faults`] makes it misbehave on request.
//!
//! What a real cluster has and this has not: authentication, other kinds, server-side apply (415), protobuf,
//! managedFields, schemas, lists of strategic merge patches (they are replaced, as by a merge patch), the grace
//! period of Pods, restarts of containers inside a Pod, and Indexed completion.
//!
//! [`load`] is the other way round: clients that ask a group of replicas, and how long it took.

mod answer;
mod body;
mod clock;
mod cluster;
mod controller;
mod counts;
mod defaults;
mod deletion;
mod discovery;
mod entropy;
mod faults;
mod history;
mod journal;
mod kind;
mod listener;
pub mod load;
mod meta;
mod object;
mod patch;
mod query;
mod refusal;
mod request;
mod selector;
mod state;
mod validate;
mod verbs;
mod watching;

pub use cluster::{Checkpoint, SimulatedCluster, SimulatedClusterOptions, StartError};
pub use controller::{OUTCOME, RUN_FOR, START_AFTER};
pub use counts::{RequestCount, RequestCounts};
pub use faults::{Fault, FaultId, Faults, Hold, Loss, Matching, Refuse};
pub use request::Verb;
