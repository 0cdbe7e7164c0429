//! A replica of the group.

use super::Head;
use crate::{ReplicaId, Uid};
use serde::{Deserialize, Serialize};

/// What part a replica has in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemberState {
    /// Gets the log, does not vote.
    Learner,
    /// Votes.
    Voter,
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
