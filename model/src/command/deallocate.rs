//! Release a value of a pool.
//!
//! Reads and removes the allocation. Refused when there is none of that name (`NotFound`), it is not the one or not at
//! the revision that was asked for, or while a submission has it (`Conflict`).

use super::Target;
use crate::record::{Record, Resource};
use crate::{Damaged, Done, Refusal, RefusalKind, Txn};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which allocation to release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deallocate {
    /// Which one.
    pub target: Target,
}

impl Deallocate {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let found = match txn.target(Resource::Allocation, "allocations", &self.target)? {
            Ok(Record::Allocation(found)) => found,
            Ok(_) => return Ok(Err(self.target.not_found("allocations"))),
            Err(refusal) => return Ok(Err(refusal)),
        };
        if found.submission.is_some() {
            let message = format!(
                "{:?} is a submission's own: it is released when nothing of that is on a cluster any more",
                found.head.name
            );
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        }
        txn.say(format!("{} of pool {} for {}", found.value, found.pool_name, found.key));
        txn.remove(found.head.ordinal, 0)?;
        Ok(Ok(Done::with(txn, Arc::new(Record::Allocation(found)))))
    }
}
