//! Change a lock: how many permits it has, labels, annotations.
//!
//! Reads and writes the lock. Refused when there is none of that name (`NotFound`), it is not at the revision that was
//! asked for, or more permits are held than it would have (`Conflict`).

use super::Target;
use super::keeping::wake;
use crate::record::{Lock, Record, Resource};
use crate::{Damaged, Done, Refusal, RefusalKind, Txn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All of what users set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateLock {
    /// Which one.
    pub target: Target,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// All annotations.
    pub annotations: BTreeMap<String, String>,
    /// How many may be held at the same time.
    pub permits: u32,
}

impl UpdateLock {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let mut lock = match txn.lock_named(&self.target)? {
            Ok(lock) => lock,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let before = lock.clone();
        let held = lock.permits - lock.free();
        if self.permits < held {
            let message = format!(
                "{held} permits of lock {:?} are held, by {}: it cannot have fewer",
                lock.head.name,
                lock.held_words()
            );
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        }
        lock.permits = self.permits;
        // Whoever sets it wants it to be there.
        lock.of_key = false;
        lock.head.labels.clone_from(&self.labels);
        lock.head.annotations.clone_from(&self.annotations);
        if lock == before {
            return Ok(Ok(Done::unchanged(Record::Lock(lock))));
        }
        wake(txn, &lock.head.namespace, &lock.head.name, lock.head.ordinal)?;
        let record = txn.put(Record::Lock(lock))?;
        Ok(Ok(Done::with(txn, record)))
    }
}

impl Txn<'_> {
    /// The lock that a user's command names, or why it is not there to be changed.
    pub(crate) fn lock_named(&self, target: &Target) -> Result<Result<Lock, Refusal>, Damaged> {
        Ok(match self.target(Resource::Lock, "locks", target)? {
            Ok(Record::Lock(lock)) => Ok(lock),
            Ok(_) => Err(target.not_found("locks")),
            Err(refusal) => Err(refusal),
        })
    }
}
