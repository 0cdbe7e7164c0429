//! The disk of one replica.
//!
//! | part | what it is | when it is damaged |
//! |---|---|---|
//! | [`identity`] | whose data directory it is, and its lock | the replica does not start |
//! | [`log`] | the Raft log, vote and committed index: what makes a write durable | out of service, joins anew |
//! | [`watermark`] | how far the log is known to be on disk | as the log |
//! | [`ledger`] | the audit record, sealed in segments | replayed from the log or shipped by a peer |
//! | [`changes`] | the last changes of rows, for watches, old pages and snapshots | starts again at the current revision |
//! | [`inventory`] | rows in sled, lookups in memory, the state at the last applied entry | made again from snapshot and log |
//! | [`backup`] | a snapshot and the ledger before it, in one file outside of the data directory | another one is taken |
//! | [`snapshot`] | the whole state at one log id, in one file | the one before it, or a peer's |
//!
//! Everything persisted is inside the envelope of [`codec`], so that a flipped bit is found and never read as data.

pub mod backup;
pub mod changes;
pub mod codec;
pub mod files;
pub mod identity;
pub mod inventory;
pub mod ledger;
pub mod log;
mod reader;
pub mod reserve;
pub mod snapshot;
pub mod watermark;

pub use inventory::{
    AppliedState, Backend, Inventory, InventoryOptions, Payload, Reply, Scrub, SnapshotBuilder, StateHash,
    ToApply,
};
pub use log::{Log, LogId, Vote};
pub use reader::{Change, Reader, TooOld};
pub use snapshot::SnapshotFile;
