//! Take permits of a lock for a while.
//!
//! Reads and writes the lock; what has expired is taken over. Repeated by an owner that holds it, it gives the same
//! fencing token, and the time begins anew. Refused when there is none of that name (`NotFound`), the lock has fewer
//! permits than that (`Invalid`), fewer are free, runs wait for it, the owner holds another number of them, or the group goes on from a
//! backup and nobody has confirmed that (`Conflict`).

use super::Target;
use super::allocate::unconfirmed;
use crate::record::{Hold, Lock, Record, Resource};
use crate::{Damaged, Done, Ordinal, Refusal, RefusalKind, Revision, Tag, Txn, limits, lookup};
use serde::{Deserialize, Serialize};

/// Who wants how many for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcquireLock {
    /// Which lock.
    pub target: Target,
    /// Who.
    pub owner: String,
    /// How many permits.
    pub permits: u32,
    /// For how long, in ms.
    pub ttl_ms: u64,
}

impl AcquireLock {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        if txn.meta.unconfirmed().is_some() {
            return Ok(Err(unconfirmed()));
        }
        let mut lock = match txn.lock_named(&self.target)? {
            Ok(lock) => lock,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let now = txn.now_ms();
        lock.drop_expired(now);
        let until_ms = now.saturating_add(self.ttl_ms);
        let conflict = |message| Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        if let Some(hold) = lock.holders.iter_mut().find(|hold| hold.owner == self.owner) {
            if hold.permits != self.permits {
                let message =
                    format!("{:?} holds {} permits already: release them first", self.owner, hold.permits);
                return conflict(message);
            }
            hold.expires_ms = Some(until_ms);
            return write(txn, lock, format!("{} goes on", self.owner));
        }
        if self.permits > lock.permits {
            let message = format!("lock {:?} has {} permits in all", lock.head.name, lock.permits);
            return Ok(Err(Refusal::new(RefusalKind::Invalid, message)));
        }
        if let Some(why) = waiting_words(txn, &lock, None)? {
            return conflict(why);
        }
        if self.permits > lock.free() || lock.holders.len() >= limits::LOCK_HOLDERS_MAX {
            return conflict(lock.refusal_words(self.permits));
        }
        let expires_ms = Some(until_ms);
        let (owner, permits) = (self.owner.clone(), self.permits);
        lock.grant(Hold {
            owner,
            permits,
            token: txn.next_revision(),
            since_ms: now,
            expires_ms,
            submission: None,
        });
        write(txn, lock, format!("{} holds it", self.owner))
    }
}

/// Writes a lock, and has the ledger say what of it changed.
pub(super) fn write(txn: &mut Txn<'_>, lock: Lock, words: String) -> Result<Result<Done, Refusal>, Damaged> {
    txn.say(words);
    let record = txn.put(Record::Lock(lock))?;
    Ok(Ok(Done::with(txn, record)))
}

impl Lock {
    pub(super) fn drop_expired(&mut self, now_ms: u64) {
        self.holders.retain(|hold| !hold.is_expired(now_ms));
    }

    pub(super) fn grant(&mut self, hold: Hold) {
        self.holders.push(hold);
    }

    /// Why so many permits are not granted.
    pub(super) fn refusal_words(&self, permits: u32) -> String {
        let name = &self.head.name;
        match self.permits {
            1 => format!("lock {name:?} is held by {}", self.held_words()),
            all => format!(
                "{permits} of the {all} permits of lock {name:?} were asked for and {} are free: it is held by {}",
                self.free(),
                self.held_words()
            ),
        }
    }
}

/// Which run waits for a lock and comes before the one of that ordinal, or before who is no run, in words.
pub(super) fn waiting_words(
    txn: &Txn<'_>,
    lock: &Lock,
    before: Option<Ordinal>,
) -> Result<Option<String>, Damaged> {
    let hash = lookup::name_hash(Resource::Lock, &lock.head.namespace, &lock.head.name);
    let Some(first) = txn.ordinals(Tag::Waits, hash, 1)?.first().copied() else { return Ok(None) };
    if before.is_some_and(|ordinal| ordinal <= first) {
        return Ok(None);
    }
    let name = txn.runnable(first)?.map(|run| run.head.name).unwrap_or_default();
    Ok(Some(format!(
        "runnable {name:?} waits for lock {:?} and comes first; it is held by {}",
        lock.head.name,
        lock.held_words()
    )))
}

impl Txn<'_> {
    /// The revision that the next record gets which is written.
    pub(super) fn next_revision(&self) -> Revision {
        self.meta.revision.next()
    }
}
