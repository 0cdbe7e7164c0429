//! Give a value of a pool to a key.
//!
//! Reads the pool, the key's allocation and which values are taken; writes the allocation. Repeated for the same key it
//! gives the same value, and prolongs it if it is asked for a time. Refused when there is no such pool (`NotFound`), the
//! value is not of the pool (`Invalid`), when that value is another's, the key has another value, all values are
//! allocated, or the group goes on from a backup and nobody has confirmed that (`Conflict`).

use super::Principal;
use crate::record::{Allocation, Head, Pool, Record, Resource};
use crate::{Damaged, Done, Ordinal, Refusal, RefusalKind, Txn, Uid, limits};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is asked of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocate {
    /// Random, made by whoever took the request.
    pub uid: Uid,
    /// The tenant.
    pub namespace: String,
    /// Of which pool.
    pub pool: String,
    /// For whom.
    pub key: String,
    /// Which value; `None`: the first one that is free.
    pub value: Option<String>,
    /// For how long, in ms; `None`: until it is released.
    pub ttl_ms: Option<u64>,
}

impl Allocate {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        if txn.meta.unconfirmed().is_some() {
            return Ok(Err(unconfirmed()));
        }
        let Some(Record::Pool(pool)) = txn.named(Resource::Pool, &self.namespace, &self.pool)? else {
            let Self { namespace, pool, .. } = self;
            let message = format!("pools.tallyman.dev {pool:?} not found in namespace {namespace:?}");
            return Ok(Err(Refusal::new(RefusalKind::NotFound, message)));
        };
        if let Some(has) = txn.allocated(&pool, &self.key)? {
            if !has.is_expired(txn.now_ms()) {
                return self.again(txn, has);
            }
            txn.remove(has.head.ordinal, 0)?;
        }
        let slot = match slot(txn, &pool, self.value.as_deref())? {
            Ok(slot) => slot,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let allocation = Self::allocation(txn, &pool, &self.key, slot, (self.uid, by), None, self.ttl_ms);
        let record = put(txn, allocation)?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// The key has a value already.
    fn again(&self, txn: &mut Txn<'_>, mut has: Allocation) -> Result<Result<Done, Refusal>, Damaged> {
        let conflict = |message| Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        if has.run.is_some() {
            let message = format!("{:?} is a runnable's own, and goes with it", has.head.name);
            return conflict(message);
        }
        if let Some(value) = self.value.as_ref().filter(|value| **value != has.value) {
            let message =
                format!("{:?} has {} already, not {value}; release that first", self.key, has.value);
            return conflict(message);
        }
        let Some(ttl_ms) = self.ttl_ms else { return Ok(Ok(Done::unchanged(Record::Allocation(has)))) };
        has.ttl_ms = Some(ttl_ms);
        has.expires_ms = Some(txn.now_ms().saturating_add(ttl_ms));
        let record = put(txn, has)?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// An allocation that is not written yet.
    pub(super) fn allocation(
        txn: &mut Txn<'_>,
        pool: &Pool,
        key: &str,
        slot: u64,
        (uid, by): (Uid, &Principal),
        run: Option<Ordinal>,
        ttl_ms: Option<u64>,
    ) -> Allocation {
        let now = txn.now_ms();
        Allocation {
            head: Head {
                ordinal: txn.new_ordinal(),
                uid,
                namespace: pool.head.namespace.clone(),
                name: format!("{}.{key}", pool.head.name),
                labels: BTreeMap::from([(crate::manifest::marks::POOL.to_owned(), pool.head.name.clone())]),
                created_ms: now,
                created_by: by.user.clone(),
                ..Head::default()
            },
            pool: pool.head.ordinal,
            pool_name: pool.head.name.clone(),
            key: key.to_owned(),
            slot,
            value: pool.values.text(slot).unwrap_or_default(),
            ttl_ms,
            expires_ms: ttl_ms.map(|ttl_ms| now.saturating_add(ttl_ms)),
            run,
        }
    }
}

/// Writes an allocation, and has the ledger tell of it.
pub(super) fn put(txn: &mut Txn<'_>, allocation: Allocation) -> Result<Arc<Record>, Damaged> {
    let Allocation { key, value, pool_name, .. } = &allocation;
    txn.say(format!("{value} of pool {pool_name} for {key}"));
    txn.put(Record::Allocation(allocation))
}

/// The slot of `value`, or of the first one that is free; who has it if it is another's. One whose time is over is
/// taken over.
pub(super) fn slot(
    txn: &mut Txn<'_>,
    pool: &Pool,
    value: Option<&str>,
) -> Result<Result<u64, Refusal>, Damaged> {
    let name = &pool.head.name;
    let refuse = |kind, message| Ok(Err(Refusal::new(kind, message)));
    let Some(value) = value else {
        return match txn.first_free(pool)? {
            Some(slot) => Ok(Ok(slot)),
            None => {
                let all = pool.values.count();
                let message = format!(
                    "pool {name:?} is exhausted: all {all} values are allocated; release one, or let it grow"
                );
                refuse(RefusalKind::Conflict, message)
            }
        };
    };
    let Some(slot) = pool.values.slot(value) else {
        return refuse(RefusalKind::Invalid, format!("{value:?} is no value of pool {name:?}"));
    };
    let Some(holder) = txn.holder_of(pool.head.ordinal, slot)? else { return Ok(Ok(slot)) };
    if !holder.is_expired(txn.now_ms()) {
        let message = format!("{} of pool {name:?} is allocated for {:?}", holder.value, holder.key);
        return refuse(RefusalKind::Conflict, message);
    }
    txn.remove(holder.head.ordinal, 0)?;
    Ok(Ok(slot))
}

/// What was given out after the backup is not known.
pub(super) fn unconfirmed() -> Refusal {
    let message = "the group goes on from a backup, and what was given out after it was made is not known here: \
                   nothing is given out until an operator has confirmed it (tallyman operator confirm)";
    let mut refusal = Refusal::new(RefusalKind::TooMany, message);
    refusal.retry_after_s = Some(limits::UNCONFIRMED_RETRY_S);
    refusal
}
