//! What openraft is told about our types. They stay inside this crate.

use crate::content::Proposed;
use openraft::Instant as _;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tallyman_model::{Done, Refusal, Uid};
use tallyman_store::log as store;

/// What applying an entry answers: nothing for entries of openraft's own.
pub(crate) type Reply = Option<Result<Done, Refusal>>;

/// Where a replica is reached. Kept in the Raft membership, so that a replica can reach the others before it has
/// applied anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PeerNode {
    /// `host:port` for its peers.
    pub(crate) peer: String,
    /// URL of its API.
    pub(crate) api: String,
    /// Its place.
    pub(crate) datacenter: String,
    /// The number that its data directory was made with.
    pub(crate) directory: Uid,
}

openraft::declare_raft_types!(
    /// One leader a term: a log id is term and index.
    pub(crate) Types:
        D = Proposed,
        R = Reply,
        NodeId = u64,
        Node = PeerNode,
        Term = u64,
        LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>,
        AsyncRuntime = openraft_rt_tokio::TokioRuntime,
);

pub(crate) type LeaderId = openraft::impls::leader_id_std::LeaderId<u64, u64>;
pub(crate) type CommittedLeaderId = <LeaderId as openraft::vote::RaftLeaderId>::Committed;
pub(crate) type LogId = openraft::LogId<CommittedLeaderId>;
pub(crate) type Vote = openraft::Vote<LeaderId>;
pub(crate) type Payload = openraft::EntryPayload<Proposed, u64, PeerNode>;
pub(crate) type Entry = openraft::Entry<CommittedLeaderId, Payload>;
pub(crate) type Membership = openraft::Membership<u64, PeerNode>;
pub(crate) type StoredMembership = openraft::StoredMembership<CommittedLeaderId, u64, PeerNode>;
pub(crate) type SnapshotMeta = openraft::SnapshotMeta<CommittedLeaderId, u64, PeerNode>;
pub(crate) type Snapshot =
    openraft::Snapshot<CommittedLeaderId, u64, PeerNode, crate::state_adapter::SnapshotPath>;
pub(crate) type Raft = openraft::Raft<Types, crate::state_adapter::StateStore>;
pub(crate) type Metrics = openraft::RaftMetrics<Types>;

/// Up to where the replica `id` is known to have the leader's log.
pub(crate) fn matched(metrics: &Metrics, id: u64) -> Option<LogId> {
    metrics.replication.as_ref()?.get(&id).copied().flatten()
}

/// True if the replica `id` has answered something that the leader sent `within` that time.
pub(crate) fn heard_within(metrics: &Metrics, id: u64, within: Duration) -> bool {
    let heard = metrics.heartbeat.as_ref().and_then(|all| all.get(&id)).copied().flatten();
    heard.is_some_and(|heard| heard.elapsed() < within)
}

/// A log id of openraft.
pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(CommittedLeaderId::new(term), index)
}

/// The log id as the store keeps it. Terms have one leader, so the log leaves it out: it would be unknown for the
/// entries of other leaders.
pub(crate) fn to_store(id: &LogId) -> store::LogId {
    store::LogId { term: id.leader_id.term, leader: 0, index: id.index }
}

/// The log id as openraft has it.
pub(crate) fn from_store(id: &store::LogId) -> LogId {
    log_id(id.term, id.index)
}

/// The vote as the store keeps it: both give votes the same order.
pub(crate) fn vote_to_store(vote: &Vote) -> store::Vote {
    let LeaderId { term, voted_for } = vote.leader_id;
    store::Vote { term, voted_for: Some(voted_for), committed: vote.committed }
}

/// The vote as openraft has it; `None` for one that was never cast for anybody.
pub(crate) fn vote_from_store(vote: &store::Vote) -> Option<Vote> {
    let leader_id = LeaderId { term: vote.term, voted_for: vote.voted_for? };
    Some(Vote { leader_id, committed: vote.committed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_have_the_same_order_in_the_store_as_in_openraft() {
        let votes: Vec<Vote> = (0..3)
            .flat_map(|term| [1, 3].map(|id| [Vote::new(term, id), Vote::new_committed(term, id)]))
            .flatten()
            .collect();
        for one in &votes {
            assert_eq!(vote_from_store(&vote_to_store(one)), Some(*one));
            for other in &votes {
                let stored = vote_to_store(one).partial_cmp(&vote_to_store(other));
                assert_eq!(stored, one.partial_cmp(other), "{one} and {other}");
            }
        }
    }
}
