//! Release a lock.
//!
//! Reads and writes the lock. Refused when there is none of that name (`NotFound`), or that grant is over: released,
//! expired, or taken over (`Conflict`).

use super::Target;
use super::acquire_lock::write;
use super::keeping::wake;
use crate::{Damaged, Done, Refusal, Revision, Txn};
use serde::{Deserialize, Serialize};

/// Which grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseLock {
    /// Which lock.
    pub target: Target,
    /// The fencing token of the grant.
    pub token: Revision,
}

impl ReleaseLock {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let mut lock = match txn.lock_named(&self.target)? {
            Ok(lock) => lock,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let position = match lock.granted(self.token, txn.now_ms()) {
            Ok(position) => position,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let hold = lock.holders.remove(position);
        wake(txn, &lock.head.namespace, &lock.head.name, lock.head.ordinal)?;
        write(txn, lock, format!("{} released it", hold.owner))
    }
}
