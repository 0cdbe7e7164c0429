//! Remove a lock.
//!
//! Reads and removes it. Refused when there is none of that name (`NotFound`), another has the name now, or while it is
//! held or waited for (`Conflict`).

use super::Target;
use super::acquire_lock::waiting_words;
use crate::record::Record;
use crate::{Damaged, Done, Refusal, RefusalKind, Txn};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Which lock to remove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveLock {
    /// Which one.
    pub target: Target,
}

impl RemoveLock {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let lock = match txn.lock_named(&self.target)? {
            Ok(lock) => lock,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let now = txn.now_ms();
        if lock.holders.iter().any(|hold| !hold.is_expired(now)) {
            let message = format!("lock {:?} is held by {}", lock.head.name, lock.held_words());
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        }
        if let Some(why) = waiting_words(txn, &lock, None)? {
            return Ok(Err(Refusal::new(RefusalKind::Conflict, why)));
        }
        txn.remove(lock.head.ordinal, 0)?;
        Ok(Ok(Done::with(txn, Arc::new(Record::Lock(lock)))))
    }
}
