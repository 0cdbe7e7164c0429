//! Hold a lock for longer.
//!
//! Reads and writes the lock. Refused when there is none of that name (`NotFound`), or that grant is over: released,
//! expired, or taken over (`Conflict`).

use super::Target;
use super::acquire_lock::write;
use crate::record::{Hold, Lock};
use crate::{Damaged, Done, Refusal, RefusalKind, Revision, Txn};
use serde::{Deserialize, Serialize};

/// Which grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewLock {
    /// Which lock.
    pub target: Target,
    /// The fencing token of the grant.
    pub token: Revision,
    /// For how long from now, in ms.
    pub ttl_ms: u64,
}

impl RenewLock {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let mut lock = match txn.lock_named(&self.target)? {
            Ok(lock) => lock,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let now = txn.now_ms();
        let position = match lock.granted(self.token, now) {
            Ok(position) => position,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(hold) = lock.holders.get_mut(position) else { return Ok(Err(over(&lock, self.token))) };
        hold.expires_ms = Some(now.saturating_add(self.ttl_ms));
        let words = format!("{} goes on", hold.owner);
        write(txn, lock, words)
    }
}

impl Lock {
    /// Where the grant of that token is, if it is not over and not a submission's.
    pub(super) fn granted(&self, token: Revision, now_ms: u64) -> Result<usize, Refusal> {
        let is_it = |hold: &Hold| hold.token == token && !hold.is_expired(now_ms);
        let position = self.holders.iter().position(is_it).ok_or_else(|| over(self, token))?;
        match self.holders.get(position).filter(|hold| hold.submission.is_some()) {
            Some(hold) => {
                let message = format!(
                    "{} holds lock {:?} as long as something of it may run; cancel or delete it to have it released",
                    hold.owner, self.head.name
                );
                Err(Refusal::new(RefusalKind::Conflict, message))
            }
            None => Ok(position),
        }
    }
}

fn over(lock: &Lock, token: Revision) -> Refusal {
    let newest = lock.holders.iter().map(|hold| hold.token).max();
    let now = match newest.filter(|newest| *newest > token) {
        Some(newest) => format!("held by {} with token {newest} now", lock.held_words()),
        None => "released or expired".to_owned(),
    };
    let message = format!("the grant of lock {:?} with token {token} is over: it is {now}", lock.head.name);
    Refusal::new(RefusalKind::Conflict, message)
}
