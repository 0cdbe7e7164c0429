//! What the API needs of the replica behind it. One implementation is the replicated group, another is memory, for
//! tests.

use futures::future::BoxFuture;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tallyman_model::command::{IdempotencyKey, Principal};
use tallyman_model::{Command, Damaged, Digest, Done, Record, Refusal, ReplicaId, Revision, View};
use thiserror::Error;

/// A command on its way to the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Who proposes.
    pub by: Principal,
    /// If the request may be repeated.
    pub key: Option<IdempotencyKey>,
    /// What to do.
    pub command: Command,
}

/// A proposal that is in the log: durable on a quorum, and applied where it was led.
#[derive(Clone, Debug, PartialEq)]
pub struct Committed {
    /// Log index of its entry.
    pub index: u64,
    /// What came of it; a refusal changed nothing.
    pub reply: Result<Done, Refusal>,
    /// The replica that led.
    pub led_by: ReplicaId,
    /// Voters that are known to have it on disk.
    pub on_disk: u32,
    /// Voters in all.
    pub voters: u32,
}

/// Why a proposal has no answer.
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
    /// It may have been committed, or may be yet. Only the same idempotency key makes repeating it safe.
    #[error("failed to learn what became of the request: {why}")]
    Unknown {
        /// Why, in words.
        why: String,
    },
}

/// What a read must include.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadMode {
    /// Everything that was acknowledged anywhere before the read began.
    Linearizable,
    /// At least this revision.
    Token(Revision),
    /// Nothing: whatever this replica has.
    Stale,
}

/// Why a read cannot have what it asks for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ReadError {
    /// Nobody can say what the newest state is.
    #[error("failed to confirm the newest state: {why}")]
    Unavailable {
        /// Why, in words.
        why: String,
        /// When trying again makes sense.
        retry_after_s: u32,
    },
    /// The wait ran out before this replica had the revision.
    #[error("failed to reach the revision that was asked for: this replica is at {current}")]
    TooNew {
        /// The revision that it has.
        current: Revision,
    },
    /// The revision was given before a restore, to something that was not kept.
    #[error("failed to find the revision that was asked for: it was lost in a recovery")]
    Gap,
}

/// State or changes that are older than what is kept.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("failed to go back that far: the oldest revision that is kept is {floor}")]
pub struct TooOld {
    /// The oldest revision that can be served.
    pub floor: Revision,
}

/// Why this replica's own state cannot be read.
#[derive(Debug, Error)]
pub enum StateError {
    /// Older than what is kept.
    #[error(transparent)]
    TooOld(#[from] TooOld),
    /// It is not as it was written.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The file system refused, or the part is not there yet.
    #[error("failed to read from disk: {0}")]
    Io(String),
}

/// A record that changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The revision that the change took.
    pub revision: Revision,
    /// As it was; `None`: it is new.
    pub before: Option<Record>,
    /// As it is; `None`: it is gone.
    pub after: Option<Record>,
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

/// What a replica does in its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It belongs to no group yet.
    #[default]
    Blank,
    /// It gets the log and does not vote.
    Learner,
    /// It follows a leader or looks for one.
    Follower,
    /// It stands for election.
    Candidate,
    /// It leads.
    Leader,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Blank => "blank",
            Role::Learner => "learner",
            Role::Follower => "follower",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
        })
    }
}

/// What a replica knows of itself and its group without asking anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Its id; `None` before it has one.
    pub id: Option<ReplicaId>,
    /// What it does.
    pub role: Role,
    /// The Raft term.
    pub term: u64,
    /// Who leads, as far as it knows.
    pub leader: Option<ReplicaId>,
    /// Index of the last entry in its log.
    pub last_log: u64,
    /// Index up to which it knows entries to be committed.
    pub committed: u64,
    /// Index of the last entry that it applied.
    pub applied: u64,
    /// Who votes.
    pub voters: Vec<ReplicaId>,
    /// Who gets the log and does not vote.
    pub learners: Vec<ReplicaId>,
    /// What it waits for before it serves, in words.
    pub waiting_for: Option<String>,
    /// What a peer said when it last refused to talk to it.
    pub refused_by_peer: Option<String>,
    /// Why it has stopped for good, in words.
    pub fatal: Option<String>,
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

/// An operator's request that was not carried out, in words.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message}")]
pub struct OperatorError {
    /// Why, and what to do.
    pub message: String,
    /// It is not known whether it took effect.
    pub unknown: bool,
}

/// The replica behind the API.
pub trait Backend: Send + Sync + 'static {
    /// Brings a command into the log, from any replica with one hop to the leader at most.
    fn propose(&self, proposal: Proposal) -> BoxFuture<'_, Result<Committed, ProposeError>>;

    /// Waits, at most `wait`, until [`now`](Self::now) shows what `mode` asks for.
    fn read(&self, mode: ReadMode, wait: Duration) -> BoxFuture<'_, Result<(), ReadError>>;

    /// Shows the newest state of this replica and its revision. A lock is held during `f`: it must be short.
    fn now(&self, f: &mut dyn FnMut(&dyn View, Revision));

    /// Shows the state as it was at `revision`.
    ///
    /// # Errors
    /// [`StateError::TooOld`] if changes since then are not kept any more.
    fn at(&self, revision: Revision, f: &mut dyn FnMut(&dyn View)) -> Result<(), StateError>;

    /// The newest revision of this replica.
    fn revision(&self) -> Revision;

    /// Ready as soon as the revision is above `revision`.
    fn beyond(&self, revision: Revision) -> BoxFuture<'_, ()>;

    /// At most `limit` changes of records after `revision`, in order.
    ///
    /// # Errors
    /// [`StateError::TooOld`] if some of them are not kept any more.
    fn changes(&self, after: Revision, limit: usize) -> Result<Vec<Change>, StateError>;

    /// At most `limit` ledger records from number `from` on.
    ///
    /// # Errors
    /// [`StateError`] if they cannot be read.
    fn ledger(&self, from: u64, limit: usize) -> Result<Vec<LedgerEntry>, StateError>;

    /// How many ledger records there are, and the hash of the last.
    fn ledger_head(&self) -> (u64, Digest);

    /// The sum over this replica's state.
    fn state_hash(&self) -> StateHash;

    /// What this replica knows of itself.
    fn status(&self) -> Arc<Status>;

    /// How long ago this replica last knew that it had everything, in ms; `None`: it never did.
    fn lag_ms(&self) -> Option<u64>;

    /// Makes a group of `expect` blank replicas, once.
    fn init(&self, expect: usize) -> BoxFuture<'_, Result<Vec<ReplicaId>, OperatorError>>;

    /// Hands leadership to a replica, or to the one that is furthest.
    fn transfer_leader(&self, to: Option<ReplicaId>) -> BoxFuture<'_, Result<ReplicaId, OperatorError>>;
}
