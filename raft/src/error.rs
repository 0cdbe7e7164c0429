//! What can go wrong, by operation.

use crate::transport::tls::TlsError;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;
use tallyman_model::Revision;
use tallyman_model::version::too_old;
use tallyman_store::identity::HomeError;
use thiserror::Error;

/// Why a replica did not start. Nothing runs.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// The data directory cannot be used.
    #[error("failed to start the replica")]
    Home(#[from] HomeError),
    /// The directory was made for a group of another name.
    #[error(
        "failed to start the replica: the data directory {} was made for group {found:?}, not for {wanted:?}; check `group` and `data_dir`",
        dir.display()
    )]
    OtherGroup {
        /// The directory.
        dir: PathBuf,
        /// The name that it was made for.
        found: String,
        /// The configured name.
        wanted: String,
    },
    /// The directory is that of the replica at another address: two would run under one id if both used it.
    #[error(
        "failed to start the replica: the data directory {} is of the replica at {found:?}, and this one is at {wanted:?}; put it back there, check `data_dir` and `advertise`, or begin with an empty directory to join anew",
        dir.display()
    )]
    OtherReplica {
        /// The directory.
        dir: PathBuf,
        /// The address under which its replica joined.
        found: String,
        /// What this replica advertises.
        wanted: String,
    },
    /// The group has gone on to a version that this build does not understand.
    #[error(
        "failed to start the replica on {}: {}", dir.display(), too_old(*version, *understands)
    )]
    TooOld {
        /// The directory.
        dir: PathBuf,
        /// The group's version.
        version: u32,
        /// The highest that this build understands.
        understands: u32,
    },
    /// Peers would be talked to in the clear.
    #[error(
        "failed to start the replica: peers on {listen} need `tls`; without it only loopback addresses are used"
    )]
    Plain {
        /// The address to listen on.
        listen: SocketAddr,
    },
    /// The configured peers do not have this replica among them, or one of them twice.
    #[error(
        "failed to start the replica: `peers` must list {advertised:?}, which this replica advertises, and nothing twice"
    )]
    Peers {
        /// The advertised address.
        advertised: String,
    },
    /// The certificates cannot be used.
    #[error("failed to start the replica")]
    Tls(#[from] TlsError),
    /// The address is taken.
    #[error("failed to listen for peers on {listen}")]
    Listen {
        /// The address.
        listen: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The log cannot be used.
    #[error("failed to start the replica")]
    Log(#[from] tallyman_store::log::OpenError),
    /// The inventory cannot be used.
    #[error("failed to start the replica")]
    Inventory(#[from] tallyman_store::inventory::OpenError),
    /// The file system refused, or log and inventory contradict each other.
    #[error("failed to start the replica: {what}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

impl StartError {
    /// True when the data directory does not hold what this replica once had: nothing was voted with or served, and
    /// it can only be replaced by an empty one.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Home(error) => error.is_damage(),
            Self::Log(error) => error.is_damage(),
            Self::Inventory(error) => error.is_damage(),
            Self::Io { source, .. } => source.kind() == std::io::ErrorKind::InvalidData,
            _ => false,
        }
    }
}

/// Why a proposal certainly had no effect. The same proposal may be made again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Error)]
pub enum NotSent {
    /// Nobody leads, or the leader does not reach a quorum.
    #[error("no leader is known")]
    NoLeader,
    /// Too many proposals are in flight.
    #[error("too much is in flight; try again in {retry_after_s} s")]
    Busy {
        /// When to try again, in s.
        retry_after_s: u32,
    },
    /// This replica is not of a group yet, or stops.
    #[error("{why}")]
    NotReady {
        /// Why.
        why: String,
    },
    /// The leader's clock is too far from the others'.
    #[error("the leader's clock is {ms} ms from its peers' median, where {ms_max} ms are allowed")]
    ClockSkew {
        /// How far it is ahead, in ms.
        ms: i64,
        /// How far it may be.
        ms_max: u64,
    },
    /// A new submission, for which there is no space. What is there already is worked on.
    #[error("{why}")]
    DiskFull {
        /// Whose disk has how much left.
        why: String,
    },
    /// The proposal is too long.
    #[error("{bytes} bytes are proposed, where {bytes_max} are the most")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
}

/// Why a proposal has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProposeError {
    /// It certainly had no effect.
    #[error("failed to propose: {why}")]
    NotSent {
        /// Why.
        why: NotSent,
    },
    /// It may or may not have been committed, or may still be: it is safe to repeat only with its idempotency key.
    #[error("failed to learn what came of the proposal: {why}")]
    Unknown {
        /// Why.
        why: String,
    },
}

/// Why a read mode cannot be served here and now.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReadError {
    /// The leader does not reach a quorum: what is committed is unknown.
    #[error("failed to read linearizably: the leader does not reach a quorum")]
    NoQuorum,
    /// Nobody leads, or the leader does not answer.
    #[error("failed to read linearizably: no leader answers")]
    NoLeader,
    /// Too many reads wait.
    #[error("failed to read: too many reads wait")]
    Busy,
    /// This replica did not get there in time.
    #[error("failed to read: this replica is at revision {current}")]
    TooNew {
        /// How far it is.
        current: Revision,
    },
    /// The token is of a state that a restore or a forced recovery has dropped. It will never be shown.
    #[error(
        "failed to read: revision {token} was lost when the group was restored at {last_kept}; it goes on at {base}"
    )]
    Gap {
        /// The token.
        token: Revision,
        /// The last revision that was kept.
        last_kept: Revision,
        /// The first revision after the gap.
        base: Revision,
    },
    /// The state cannot be read.
    #[error("failed to read: {0}")]
    Damaged(String),
}

/// Why a group was not founded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InitError {
    /// The configuration lists another number of peers. Nothing was done.
    #[error(
        "failed to found the group: {expected} replicas are expected, but {configured} are configured in `peers`"
    )]
    Expected {
        /// As the operator said.
        expected: usize,
        /// As configured.
        configured: usize,
    },
    /// A listed peer did not answer. Nothing was decided; it can be tried again.
    #[error("failed to found the group: {peer} does not answer that it is empty: {why}")]
    NoAnswer {
        /// Which.
        peer: String,
        /// Why.
        why: String,
    },
    /// A listed peer has data. Nothing was done.
    #[error("failed to found the group: {peer} is not empty; the group may have been founded already")]
    NotEmpty {
        /// Which.
        peer: String,
    },
    /// The group was founded, but no leader was seen in time; it will be when a majority can talk.
    #[error("failed to see the founded group work: no leader in time")]
    NoLeader,
}

/// Why the leadership was not handed over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransferError {
    /// Nobody leads, or the leader was not reached.
    #[error("failed to hand the leadership over: no leader is known")]
    NoLeader,
    /// The named replica does not vote, or there is no other.
    #[error("failed to hand the leadership over: there is no other voter to take it")]
    NoTarget,
    /// It was asked for, and not seen in time. It may still happen.
    #[error("failed to see the leadership handed over in time")]
    Unknown,
}
