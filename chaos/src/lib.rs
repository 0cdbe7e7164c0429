//! Simulated clusters: an embedded stand-in for a kube-apiserver and the controllers behind it.
//!
//! A [`SimulatedCluster`] serves Namespaces, Jobs, Pods, ConfigMaps, workloads, custom kinds and discovery over HTTP on a
//! loopback socket, with the list and watch rules of a real server: one growing resourceVersion, compaction and 410,
//! bookmarks, preconditions, finalizers, propagation, TTL, and server-side apply with its field managers. Jobs get Pods,
//! which run, wait and end as annotations ask ([`RUN_FOR`], [`OUTCOME`], [`START_AFTER`], [`POD_REASON`]). [`Faults`]
//! makes it misbehave on request. Who asks for the metadata of objects alone gets that.
//!
//! Deployments, StatefulSets and DaemonSets write their status in the order in which their controllers do: what the
//! template was before is replaced as their strategies say, new Pods take [`START_AFTER`], and those that have a
//! [`POD_REASON`] never get ready, until a Deployment's `progressDeadlineSeconds` is over. The Pods themselves, their
//! ReplicaSets and ControllerRevisions are only counted; there is one node.
//!
//! A `CustomResourceDefinition` adds a kind, which goes with it. Those of Argo, Workflow and WorkflowTemplate, are
//! there from the start, and Workflows run as Argo runs them: `steps`, `dag`, `suspend` and templates that run
//! something, by one Pod for each node.
//!
//! What a real cluster has and this has not: authentication (a fault may refuse who has not one token), other built-in kinds, the scale subresource, pauses and `minReadySeconds` of workloads, protobuf,
//! schemas (which lists are merged is known by their names), field managers of what controllers change, conversion between versions but for the name, lists of strategic merge patches
//! (they are replaced, as by a merge patch), the grace period of Pods, restarts of containers inside a Pod, and
//! Indexed completion. What Argo has and this has not: parameters, `when`, loops, retries, exit handlers, deadlines,
//! artifacts, and `depends` other than on success.
//!
//! [`load`] is the other way round: clients that ask a group of replicas, and how long it took.

mod answer;
mod argo;
mod body;
mod catalog;
mod clock;
mod cluster;
mod controller;
mod counts;
mod defaults;
mod definition;
mod deletion;
mod discovery;
mod entropy;
mod faults;
mod form;
mod generation;
mod history;
mod journal;
mod kind;
mod listener;
pub mod load;
mod managed;
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
pub use controller::{OUTCOME, POD_REASON, RUN_FOR, START_AFTER};
pub use counts::{RequestCount, RequestCounts};
pub use faults::{Fault, FaultId, Faults, Hold, Loss, Matching, Refuse};
pub use request::Verb;
