//! The replicated group: what is proposed on any replica is decided by a quorum, kept on its disks, and applied by
//! all in the same order.
//!
//! ```text
//!   propose ──► leader ──► log of a quorum ──► apply ──► answer        (any replica; one hop to the leader)
//!   read    ──► wait until this replica has applied what the mode promises ──► [`Reader`]
//! ```
//! A [`Group`] is one replica. It is blank until it is founded with the others ([`Group::init`]) or let in by them,
//! which it asks for by itself when it finds a founded group among its configured peers.
//!
//! | module | what it does |
//! |---|---|
//! | `group` | the replica: propose, read, membership, founding, handover, status |
//! | `transport` | the listener, connections, frames and messages between replicas |
//! | `network`, `log_adapter`, `state_adapter`, `content` | openraft over transport, log and inventory |
//! | `lineage` | going on from a backup, or from one replica's directory, offline |
//! | `standing` | which of two replicas that stand at the same time gives way |
//! | `permit` | the proof of leadership that is checked before anything is done to the outside |

mod aside;
mod content;
mod directory;
mod error;
mod group;
mod lag;
pub mod lineage;
mod log_adapter;
mod members;
mod network;
mod permit;
mod standing;
mod state_adapter;
#[cfg(test)]
mod suite;
#[cfg(test)]
mod testing;
mod timing;
mod transport;
mod types;

pub use error::{InitError, NotSent, ProposeError, ReadError, StartError, TransferError};
pub use group::Group;
pub use group::backup::Backup;
pub use group::disk::DiskReport;
pub use group::options::{Fate, GroupOptions, OnFatal};
pub use group::propose::{Committed, Proposal};
pub use group::read::ReadMode;
pub use group::relay::{Relaying, Servers};
pub use group::status::{Published, Role, Status};
pub use permit::Permit;
pub use tallyman_store::backup::BackupError;
pub use tallyman_store::ledger::LedgerError;
pub use tallyman_store::log::{FLUSH_BUCKETS_S, FlushGate, FlushTimes};
pub use tallyman_store::{Backend, Change, Reader, StateHash, TooOld};
pub use timing::Timing;
pub use transport::client::Relayed;
pub use transport::tls::{PeerTls, TlsError};
