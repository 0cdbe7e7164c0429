//! A replica of the group.

use super::Head;
use crate::{ReplicaId, Uid};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What part a replica has in the group, or is to have: the leader moves Raft's membership towards it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberState {
    /// Gets the log, does not vote.
    Learner,
    /// Votes.
    Voter,
    /// Gets the log, and votes as soon as it has caught up.
    Joining {
        /// The voter that goes when this one votes.
        replaces: Option<ReplicaId>,
    },
    /// Votes no more as soon as the others can do without, and is then removed.
    Leaving,
}

impl fmt::Display for MemberState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MemberState::Learner => "Learner",
            MemberState::Voter => "Voter",
            MemberState::Joining { .. } => "Joining",
            MemberState::Leaving => "Leaving",
        })
    }
}

/// A replica, where it is reached, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its name is the id as `r1`.
    pub head: Head,
    /// Its id, never reused.
    pub id: ReplicaId,
    /// The random number that its data directory was made with: a blank directory under an old address is
    /// another replica.
    pub directory: Uid,
    /// Its place.
    pub datacenter: String,
    /// `host:port` for its peers.
    pub peer_address: String,
    /// URL of its API.
    pub api_url: String,
    /// Its part.
    pub state: MemberState,
}

/// What a replica is to be once it has joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinAs {
    /// A learner, until it is promoted.
    Learner,
    /// A voter, once it has caught up.
    Voter {
        /// The voter that goes then.
        replaces: Option<ReplicaId>,
    },
}

impl JoinAs {
    /// The state that it joins in.
    #[must_use]
    pub fn state(self) -> MemberState {
        match self {
            JoinAs::Learner => MemberState::Learner,
            JoinAs::Voter { replaces } => MemberState::Joining { replaces },
        }
    }
}

/// A blank replica that may join.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// `host:port` for its peers.
    pub peer_address: String,
    /// What it is to be.
    pub part: JoinAs,
}
