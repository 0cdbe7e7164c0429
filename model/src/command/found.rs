//! The first entry of a group: its identity and its first replicas.
//!
//! Writes the counters and one member for each replica. Refused when the group has been founded (`Conflict`) or no
//! replica is named (`Invalid`).

use super::add_member::member;
use crate::record::{MemberState, Record};
use crate::{Damaged, Done, GroupId, Refusal, RefusalKind, ReplicaId, Txn};
use serde::{Deserialize, Serialize};

/// The group and its first replicas, whose ids are their places in this list, from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The group's id, random.
    pub group: GroupId,
    /// Its first replicas.
    pub members: Vec<super::AddMember>,
}

impl Found {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        if txn.meta.group != GroupId::default() {
            return Ok(Err(Refusal::new(RefusalKind::Conflict, "the group has been founded already")));
        }
        if self.members.is_empty() {
            return Ok(Err(Refusal::new(RefusalKind::Invalid, "a group has at least one replica")));
        }
        txn.meta.group = self.group;
        txn.meta.version = 1;
        for (id, founder) in (1..).map(ReplicaId).zip(&self.members) {
            let record = member(txn, founder, id, MemberState::Voter, "system:init");
            txn.put(Record::Member(record))?;
        }
        Ok(Ok(Done::at(txn)))
    }
}
