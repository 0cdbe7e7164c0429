//! What the API needs of the replica behind it. One implementation is the replicated group, another is memory, for
//! tests.

use futures::future::BoxFuture;
use std::time::Duration;
use tallyman_model::{Digest, ReplicaId, Revision, View};
use tallyman_raft::{
    Backup, BackupError, Change, Committed, FlushTimes, InitError, LedgerError, Proposal, ReadError,
    ReadMode, Status, TooOld, TransferError,
};
use thiserror::Error;

/// Why a proposal has no answer, and when it may be repeated.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ProposeError {
    /// It certainly had no effect and never will have.
    #[error("failed to reach a leader: {why}")]
    NotSent {
        /// Why, in words.
        why: String,
        /// When trying again makes sense.
        retry_after_s: u32,
        /// There is a leader, and it has too much to do.
        busy: bool,
    },
    /// It certainly had no effect and never will have: there is no space for new submissions.
    #[error("failed to submit: {why}")]
    DiskFull {
        /// Whose disk has how much left.
        why: String,
    },
    /// It may have been committed, or may be yet. Only the same idempotency key makes repeating it safe.
    #[error("failed to learn what became of the request: {why}")]
    Unknown {
        /// Why, in words.
        why: String,
    },
}

/// A ledger record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerEntry {
    /// 1, 2, ...
    pub seq: u64,
    /// The JSON document, of which the hash was made.
    pub bytes: Vec<u8>,
    /// Of the hash before it and the bytes.
    pub hash: Digest,
}

/// The sum over all stored rows, equal on all replicas at equal index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateHash {
    /// The log index that it is of.
    pub index: u64,
    /// The revision that it is of.
    pub revision: Revision,
    /// In hexadecimal digits.
    pub hash: String,
}

/// The replica behind the API.
pub trait Backend: Send + Sync + 'static {
    /// Brings a command into the log, from any replica with one hop to the leader at most.
    fn propose(&self, proposal: Proposal) -> BoxFuture<'_, Result<Committed, ProposeError>>;

    /// Waits, at most `wait`, until [`now`](Self::now) shows what `mode` asks for.
    fn read(&self, mode: ReadMode, wait: Duration) -> BoxFuture<'_, Result<(), ReadError>>;

    /// Shows the newest state of this replica and its revision. `f` sees it to its end, whatever is applied meanwhile.
    ///
    /// # Errors
    /// [`TooOld`] if another state was installed meanwhile; what `f` saw is nothing whole.
    fn now(&self, f: &mut dyn FnMut(&dyn View, Revision)) -> Result<(), TooOld>;

    /// Shows the state as it was at `revision`.
    ///
    /// # Errors
    /// [`TooOld`] if changes since then are not kept any more; what `f` saw, if it was called, is nothing whole.
    fn at(&self, revision: Revision, f: &mut dyn FnMut(&dyn View)) -> Result<(), TooOld>;

    /// The newest revision of this replica.
    fn revision(&self) -> Revision;

    /// Ready as soon as the revision is above `revision`.
    fn beyond(&self, revision: Revision) -> BoxFuture<'_, ()>;

    /// At most `limit` changes of records after `revision`, in order.
    ///
    /// # Errors
    /// [`TooOld`] if some of them are not kept any more.
    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, TooOld>;

    /// At most `limit` ledger records from number `from` on.
    ///
    /// # Errors
    /// [`LedgerError`] if they cannot be read as they were written.
    fn ledger(&self, from: u64, limit: usize) -> Result<Vec<LedgerEntry>, LedgerError>;

    /// How many ledger records there are, and the hash of the last.
    fn ledger_head(&self) -> (u64, Digest);

    /// The sum over this replica's state.
    fn state_hash(&self) -> StateHash;

    /// What this replica knows of itself without asking anybody.
    fn status(&self) -> Status;

    /// How long ago this replica last knew that it had everything, in ms; `None`: it never did. Newer than what its
    /// status says.
    fn lag_ms(&self) -> Option<u64>;

    /// How long the flushes of this replica's log take.
    fn flush_times(&self) -> FlushTimes {
        FlushTimes::default()
    }

    /// Somebody leads, and if it is this replica, a quorum has acknowledged that recently.
    fn has_quorum(&self) -> bool;

    /// Makes a group of `expect` blank replicas, once.
    fn init(&self, expect: usize) -> BoxFuture<'_, Result<Vec<ReplicaId>, InitError>>;

    /// Takes a backup of this replica's state.
    fn backup(&self) -> BoxFuture<'_, Result<Backup, BackupError>>;

    /// Hands leadership to a replica, or to the one that is furthest.
    fn transfer_leader(&self, to: Option<ReplicaId>) -> BoxFuture<'_, Result<ReplicaId, TransferError>>;
}
