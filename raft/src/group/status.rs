//! What a replica says about itself.

use crate::{DiskReport, Relaying};
use std::fmt;
use tallyman_model::{ReplicaId, Revision};

/// How far this replica's readers see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// The last revision.
    pub revision: Revision,
    /// The last applied log index.
    pub index: u64,
}

/// What a replica is at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Of no group.
    #[default]
    Blank,
    /// Gets the log, does not vote.
    Learner,
    /// Votes.
    Follower,
    /// Stands for election.
    Candidate,
    /// Leads.
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

/// What a replica says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Its id; `None` while it is blank.
    pub id: Option<ReplicaId>,
    /// What it is.
    pub role: Role,
    /// The Raft term.
    pub term: u64,
    /// Who leads, as far as it knows.
    pub leader: Option<ReplicaId>,
    /// The last index in its log.
    pub last_log: u64,
    /// The last index that it knows to be committed.
    pub committed: u64,
    /// The last index that its readers see.
    pub applied: u64,
    /// The replicas that vote.
    pub voters: Vec<ReplicaId>,
    /// The replicas that get the log and do not vote.
    pub learners: Vec<ReplicaId>,
    /// How old its state is, in ms; `None`: no leader was heard yet.
    pub lag_ms: Option<u64>,
    /// The round trip to the farthest of the other voters, in µs, if one has answered.
    pub round_trip_us: Option<u64>,
    /// What the times that wait for answers of the others are stretched to, in per cent of the usual ones.
    pub stretch_percent: u64,
    /// What it waits for before it can serve, in plain words; `None`: nothing.
    pub waiting_for: Option<String>,
    /// What a peer said when it last refused to talk: most likely something is configured wrongly.
    pub refused_by_peer: Option<String>,
    /// Its disk, as it was looked at last.
    pub disk: DiskReport,
    /// What it relays to clusters.
    pub relaying: Relaying,
    /// Why new submissions are refused; told by the leader.
    pub refuses_submissions: Option<String>,
    /// Up to which version of the group its build understands it.
    pub understands: u32,
    /// Why it cannot go on; the process has to end.
    pub fatal: Option<String>,
}
