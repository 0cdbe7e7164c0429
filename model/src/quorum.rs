//! Which replicas are enough.

use crate::ReplicaId;
use crate::record::{Member, MemberState};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What the leader saw of the others when it proposed a change of the members. It is part of the entry: whether the
/// group can do without a replica is decided in `apply` like everything that two can race on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Who has answered since it was asked for, the leader itself included.
    pub answering: BTreeSet<ReplicaId>,
    /// Who of these has nearly all of the log.
    pub caught_up: BTreeSet<ReplicaId>,
}

/// True when so many of `voters` answer that they can decide. No voters can decide nothing.
#[must_use]
pub fn is_quorum<I: Ord>(voters: &BTreeSet<I>, answering: &BTreeSet<I>) -> bool {
    voters.intersection(answering).count() > voters.len() / 2
}

/// Those who vote and are to go on voting.
pub(crate) fn voters(members: &[Member]) -> BTreeSet<ReplicaId> {
    members.iter().filter(|member| member.state == MemberState::Voter).map(|member| member.id).collect()
}

/// Ids in words: `r1, r2`.
pub(crate) fn listed<'a>(ids: impl IntoIterator<Item = &'a ReplicaId>) -> String {
    ids.into_iter().map(ReplicaId::to_string).collect::<Vec<_>>().join(", ")
}

/// Why `voters` cannot decide, and what to do, to follow "then r1, r2 vote"; `None` when they can.
pub(crate) fn lacking(voters: &BTreeSet<ReplicaId>, answering: &BTreeSet<ReplicaId>) -> Option<String> {
    if is_quorum(voters, answering) {
        return None;
    }
    let silent: Vec<&ReplicaId> = voters.difference(answering).collect();
    let (needed, there) = (voters.len() / 2 + 1, voters.len() - silent.len());
    let silent = listed(silent);
    Some(format!(
        "of {} only {there} would answer, where {needed} are needed: start {silent} again, or remove or replace what \
         is lost ({silent}) first",
        listed(voters)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[u64]) -> BTreeSet<ReplicaId> {
        ids.iter().copied().map(ReplicaId).collect()
    }

    #[test]
    fn more_than_half_of_the_voters_have_to_answer() {
        assert!(is_quorum(&set(&[1, 2, 3]), &set(&[1, 3])));
        assert!(is_quorum(&set(&[1]), &set(&[1])));
        assert!(!is_quorum(&set(&[1, 2]), &set(&[1])), "of two both are needed");
        assert!(!is_quorum(&set(&[1, 2, 3, 4]), &set(&[1, 2])));
        assert!(!is_quorum(&set(&[1, 2, 3]), &set(&[1, 4, 5])), "learners do not count");
        assert!(!is_quorum(&set(&[]), &set(&[1])));
    }

    #[test]
    fn who_is_lacking_is_named_with_what_to_do() {
        assert_eq!(lacking(&set(&[1, 2]), &set(&[1, 2, 3])), None);
        let words = lacking(&set(&[1, 2]), &set(&[1, 3])).unwrap_or_default();
        assert!(
            words.starts_with("of r1, r2 only 1 would answer, where 2 are needed: start r2 again"),
            "{words}"
        );
    }
}
