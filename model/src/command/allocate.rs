//! Give a value of a pool, or a block of them, to a key.
//!
//! Reads the pool, the key's allocation and which values are taken; writes the allocation. Repeated for the same key it
//! gives the same value, and prolongs it if it is asked for a time. Refused when there is no such pool (`NotFound`), the
//! pool can never have what is asked for (`Invalid`), when some of it is another's, the key has another value, no such
//! block is free, or the group goes on from a backup and nobody has confirmed that (`Conflict`).

use super::Principal;
use super::taken::{Room, Taken};
use crate::record::{Allocation, Fit, Head, Pool, Record, Resource, Span, WantedValue};
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
    /// Which value, or how many.
    pub wanted: WantedValue,
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
                return self.again(txn, &pool, has);
            }
            txn.remove(has.head.ordinal, 0)?;
        }
        let slots = match slots(txn, &pool, &self.wanted)? {
            Ok(slots) => slots,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let allocation = Self::allocation(txn, &pool, &self.key, slots, (self.uid, by), None, self.ttl_ms);
        let record = put(txn, allocation)?;
        Ok(Ok(Done::with(txn, record)))
    }

    /// The key has a value already.
    fn again(
        &self,
        txn: &mut Txn<'_>,
        pool: &Pool,
        mut has: Allocation,
    ) -> Result<Result<Done, Refusal>, Damaged> {
        let conflict = |message| Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        if has.submission.is_some() {
            let message = format!("{:?} is a submission's own, and goes with it", has.head.name);
            return conflict(message);
        }
        match has.is_what(pool, &self.wanted) {
            Err(why) => return Ok(Err(unfit(pool, &why))),
            Ok(true) => {}
            Ok(false) => {
                let message =
                    format!("{:?} has {} already, which is not that; release it first", self.key, has.value);
                return conflict(message);
            }
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
        slots: Span,
        (uid, by): (Uid, &Principal),
        submission: Option<Ordinal>,
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
            slots,
            value: pool.values.text(slots).unwrap_or_default(),
            ttl_ms,
            expires_ms: ttl_ms.map(|ttl_ms| now.saturating_add(ttl_ms)),
            submission,
        }
    }
}

impl Allocation {
    /// True if it is what is asked for; else why that cannot be asked of the pool.
    pub(super) fn is_what(&self, pool: &Pool, wanted: &WantedValue) -> Result<bool, String> {
        let fit = pool.values.fit(wanted)?;
        let same_size = !wanted.says_size() || fit.count == self.slots.count();
        Ok(same_size && fit.first.is_none_or(|first| first == self.slots.first))
    }
}

/// Writes an allocation, and has the ledger tell of it.
pub(super) fn put(txn: &mut Txn<'_>, allocation: Allocation) -> Result<Arc<Record>, Damaged> {
    let Allocation { key, value, pool_name, .. } = &allocation;
    txn.say(format!("{value} of pool {pool_name} for {key}"));
    txn.put(Record::Allocation(allocation))
}

fn unfit(pool: &Pool, why: &str) -> Refusal {
    Refusal::new(RefusalKind::Invalid, format!("pool {:?} cannot give that: {why}", pool.head.name))
}

/// The slots that are asked for, or the first that are free; who has some if they are another's. What is asked for by its
/// value and whose time is over is taken over.
pub(super) fn slots(
    txn: &mut Txn<'_>,
    pool: &Pool,
    wanted: &WantedValue,
) -> Result<Result<Span, Refusal>, Damaged> {
    let name = &pool.head.name;
    let fit = match pool.values.fit(wanted) {
        Ok(fit) => fit,
        Err(why) => return Ok(Err(unfit(pool, &why))),
    };
    let span = |first: u64| Span { first, last: first.saturating_add(fit.count - 1).min(Span::ALL.last) };
    let Some(first) = fit.first else {
        return Ok(match Taken::of(txn, pool.head.ordinal)?.room(pool, fit)? {
            Room::At(first) => Ok(span(first)),
            room => Err(Refusal::new(RefusalKind::Conflict, no_room(pool, fit, room))),
        });
    };
    let slots = span(first);
    if !pool.values.has(slots) {
        let value = wanted.value.as_deref().unwrap_or_default();
        return Ok(Err(unfit(pool, &format!("{value:?} is no value of it"))));
    }
    for _ in 0..limits::POOL_TAKE_OVERS_MAX {
        let taken = Taken::of(txn, pool.head.ordinal)?;
        let Some(slot) = taken.first_taken(slots)? else { return Ok(Ok(slots)) };
        let Some(holder) = taken.holder(slot)? else {
            return Err(Damaged::at(
                crate::Key::record(pool.head.ordinal),
                "a slot that nobody has is taken",
            ));
        };
        if !holder.is_expired(txn.now_ms()) {
            let message = format!("{} of pool {name:?} is allocated for {:?}", holder.value, holder.key);
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        }
        txn.remove(holder.head.ordinal, 0)?;
    }
    let message = format!("much of that in pool {name:?} was allocated until now: ask again");
    Ok(Err(Refusal::new(RefusalKind::Conflict, message)))
}

fn no_room(pool: &Pool, fit: Fit, room: Room) -> String {
    let (name, all, count) = (&pool.head.name, pool.values.count(), fit.count);
    let aligned = if fit.align > 1 { format!(" from a multiple of {} on", fit.align) } else { String::new() };
    match room {
        Room::NotFound => format!(
            "pool {name:?} is in pieces: no {count} free values in a row{aligned} were found in its first {} gaps; ask for \
             fewer, or for some by their value",
            limits::POOL_STRETCHES_MAX
        ),
        _ if count == 1 && fit.align == 1 => {
            format!("pool {name:?} is exhausted: all {all} values are allocated; release one, or let it grow")
        }
        _ => format!(
            "pool {name:?} is exhausted: no {count} of its {all} values in a row{aligned} are free; release some, let it \
             grow, or ask for fewer"
        ),
    }
}

/// What was given out after the backup is not known.
pub(super) fn unconfirmed() -> Refusal {
    let message = "the group goes on from a backup, and what was given out after it was made is not known here: \
                   nothing is given out until an operator has confirmed it (tallyman operator confirm)";
    let mut refusal = Refusal::new(RefusalKind::TooMany, message);
    refusal.retry_after_s = Some(limits::UNCONFIRMED_RETRY_S);
    refusal
}
