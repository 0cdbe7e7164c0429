//! What the log holds.

use super::record::Change;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// The id of one log entry. Ids order by term, then index; a term has one leader.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct LogId {
    /// The term in which the entry was made.
    pub term: u64,
    /// The leader of that term.
    pub leader: u64,
    /// Its place in the log.
    pub index: u64,
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.term, self.index)
    }
}

/// A Raft vote. In one term a vote for nobody is older than one for somebody, a vote that a quorum has granted is
/// newer than any that it has not, and two of the same sort for different candidates have no order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Vote {
    /// The term.
    pub term: u64,
    /// Who got it.
    pub voted_for: Option<u64>,
    /// True when a quorum granted it.
    pub committed: bool,
}

impl PartialOrd for Vote {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let by_candidate = match (self.voted_for, other.voted_for) {
            (Some(one), Some(another)) if one != another => None,
            (one, another) => Some(one.is_some().cmp(&another.is_some())),
        };
        match (self.term.cmp(&other.term), self.committed.cmp(&other.committed)) {
            (Ordering::Equal, Ordering::Equal) => by_candidate,
            // What a quorum has granted stands, whoever else was voted for in that term.
            (Ordering::Equal, order) => Some(order),
            (order, _) => Some(order),
        }
    }
}

/// What the log holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogState {
    /// The last entry that was purged; entries follow it.
    pub last_purged: Option<LogId>,
    /// The last entry, or the last purged one when there is none.
    pub last: Option<LogId>,
    /// The saved vote.
    pub vote: Option<Vote>,
    /// The last entry that is remembered as committed; it may be older than the truth.
    pub committed: Option<LogId>,
}

impl LogState {
    /// Whether an entry may come next; the first one ever may have any index.
    pub(super) fn is_followed_by(&self, id: LogId) -> bool {
        self.last.is_none_or(|last| id.index == last.index + 1 && id > last)
    }

    /// What it is after `change`, which is one that may come next.
    pub(super) fn after<B>(mut self, change: &Change<B>) -> Self {
        match change {
            Change::Begin(state) => return *state,
            Change::Entry { id, .. } => self.last = Some(*id),
            Change::Vote(vote) => self.vote = Some(*vote),
            Change::Committed(id) => self.committed = Some(*id),
            Change::Truncate(last) => self.last = *last,
            Change::Purge(upto) => {
                self.last_purged = Some(*upto);
                // Whatever it says of a tail that goes with it: what is left begins after it.
                if self.last.is_none_or(|last| last.index <= upto.index) {
                    self.last = Some(*upto);
                }
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::Vote;

    #[test]
    fn a_granted_vote_is_newer_and_others_for_different_candidates_of_one_term_have_no_order() {
        let vote = |term, voted_for, committed| Vote { term, voted_for, committed };
        assert!(vote(2, None, false) > vote(1, Some(9), true));
        assert!(vote(2, Some(1), false) > vote(2, None, false));
        assert!(vote(2, Some(1), true) > vote(2, Some(1), false));
        assert!(vote(2, Some(1), true) > vote(2, Some(3), false));
        for committed in [false, true] {
            assert_eq!(vote(2, Some(1), committed).partial_cmp(&vote(2, Some(3), committed)), None);
        }
    }
}
