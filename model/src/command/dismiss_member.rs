//! Have a replica leave the group.
//!
//! Reads the members; writes the member. Refused as `NotFound` when there is none of that id, as `Conflict` when too few
//! of the voters that are left would answer.

use crate::quorum::{Seen, lacking, voters};
use crate::record::{MemberState, Record};
use crate::{Damaged, Done, Refusal, RefusalKind, ReplicaId, Txn};
use serde::{Deserialize, Serialize};

/// Which replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DismissMember {
    /// Its id.
    pub id: ReplicaId,
    /// What the leader saw; whatever is here before is replaced.
    pub seen: Seen,
}

impl DismissMember {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Self { id, seen } = self;
        let conflict = |message: String| Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        let members = txn.members()?;
        let Some(mut member) = members.iter().find(|member| member.id == *id).cloned() else {
            return Ok(Err(Refusal::new(RefusalKind::NotFound, format!("there is no replica {id}"))));
        };
        if member.state == MemberState::Leaving {
            return Ok(Ok(Done::unchanged(Record::Member(member))));
        }
        let mut left = voters(&members);
        left.remove(id);
        if left.is_empty() {
            return conflict(format!("{id} is not removed: nobody else votes, so the group would end"));
        }
        if member.state == MemberState::Voter
            && let Some(why) = lacking(&left, &seen.answering)
        {
            return conflict(format!("{id} is not removed: {why}"));
        }
        member.state = MemberState::Leaving;
        txn.say(format!("{id} at {} is to leave", member.peer_address));
        let record = txn.put(Record::Member(member))?;
        Ok(Ok(Done::with(txn, record)))
    }
}
