//! A replica is no longer of the group.
//!
//! Removes the member. Refused when there is none of that id (`NotFound`).

use crate::record::{Record, Resource};
use crate::{Damaged, Done, Refusal, RefusalKind, ReplicaId, Txn};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveMember {
    /// Its id.
    pub id: ReplicaId,
}

impl RemoveMember {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let Some(Record::Member(member)) = txn.named(Resource::Member, "", &self.id.to_string())? else {
            return Ok(Err(Refusal::new(RefusalKind::NotFound, format!("there is no replica {}", self.id))));
        };
        txn.remove(member.head.ordinal, 0)?;
        Ok(Ok(Done::with(txn, Arc::new(Record::Member(member)))))
    }
}
