//! What only the leader runs: placing, sending, watching, sweeping.
//!
//! [`Leader`] waits for the leadership of its process and works while it lasts. It remembers nothing that matters:
//! work is found in the lanes of the replicated state, every decision goes through the log before it is acted on, and
//! so does what came of it. A new leader therefore goes on where the old one stopped, wherever that was.
//!
//! ```text
//!   applied ──► dispatch ──┬─► place ──────────────► Log::propose
//!   due times ──►          ├─► expire, fan-out ─────►     ▲
//!                          └─► one site per cluster ─────┤
//!                                lanes: intent ─► permit ─► one kube write ─► outcome
//!                                watches ─► ingest       sweep       contact
//! ```
//!
//! Each seam has two implementations: [`Log`] is the [`Group`](tallyman_raft::Group) or a state in memory, [`ClusterFactory`] makes
//! clients over sockets or scripted clusters.

mod cursors;
mod dispatch;
mod expire;
mod factory;
mod fan_out;
mod give_up;
mod leader;
pub mod limits;
mod log;
mod options;
mod place;
mod site;
mod sites;
mod spread;
mod term;
#[cfg(test)]
mod testing;
mod via;

pub use factory::{ClusterFactory, FactoryError, Sockets};
pub use leader::Leader;
pub use log::{Log, ProposeFailed};
pub use options::Options;
pub use place::choose::{Candidate, Chosen, Wish, choose};
