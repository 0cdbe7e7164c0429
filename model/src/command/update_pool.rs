//! Change a pool: it may grow, and shrink to what is allocated.
//!
//! Reads the pool, those that it must have nothing in common with, and how much of it is allocated; writes it. Refused
//! when there is none of that name (`NotFound`), it is not at the revision that was asked for, something that is
//! allocated would not be in it any more, or one of those overlaps (`Conflict`).

use super::Target;
use super::add_pool::overlapping;
use super::taken::Taken;
use crate::record::{Allocation, Pool, Record, Resource, Span, Values};
use crate::{Damaged, Done, Refusal, RefusalKind, Txn};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All of what users set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdatePool {
    /// Which one.
    pub target: Target,
    /// All labels.
    pub labels: BTreeMap<String, String>,
    /// All annotations.
    pub annotations: BTreeMap<String, String>,
    /// What it gives out.
    pub values: Values,
    /// See [`Pool::disjoint`].
    pub disjoint: String,
}

impl UpdatePool {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>) -> Result<Result<Done, Refusal>, Damaged> {
        let mut pool = match txn.pool_named(&self.target)? {
            Ok(pool) => pool,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let before = pool.clone();
        pool.head.labels.clone_from(&self.labels);
        pool.head.annotations.clone_from(&self.annotations);
        pool.values.clone_from(&self.values);
        pool.disjoint.clone_from(&self.disjoint);
        if pool == before {
            return Ok(Ok(Done::unchanged(Record::Pool(pool))));
        }
        if pool.values != before.values
            && let Some(message) = cut_off(txn, &before, &pool.values)?
        {
            return Ok(Err(Refusal::new(RefusalKind::Conflict, message)));
        }
        if let Some(refusal) = overlapping(txn, &pool)? {
            return Ok(Err(refusal));
        }
        let record = txn.put(Record::Pool(pool))?;
        Ok(Ok(Done::with(txn, record)))
    }
}

/// What is allocated and would not be of the pool any more, in words.
fn cut_off(txn: &Txn<'_>, pool: &Pool, new: &Values) -> Result<Option<String>, Damaged> {
    let ordinal = pool.head.ordinal;
    let taken = Taken::of(txn, ordinal)?;
    let allocated = taken.count(Span::ALL)?;
    let mut kept = 0;
    if new.is_like(&pool.values) {
        for span in new.spans() {
            kept += taken.count(span)?;
        }
    }
    if kept >= allocated {
        return Ok(None);
    }
    let mut example = String::new();
    for span in pool.values.spans() {
        // One that is kept may be looked at first: then the count alone tells.
        let Some(slot) = taken.first_taken(span)? else { continue };
        let is_kept = |holder: &Allocation| new.is_like(&pool.values) && new.has(holder.slots);
        if let Some(holder) = taken.holder(slot)?.filter(|holder| !is_kept(holder)) {
            example = format!(", such as {} for {:?}", holder.value, holder.key);
            break;
        }
    }
    Ok(Some(format!(
        "pool {:?} cannot be changed to that: {} of its values are allocated and would not be in it any more{example}; \
         release them first, or keep them in the pool",
        pool.head.name,
        allocated - kept
    )))
}

impl Txn<'_> {
    /// The pool that a user's command names, or why it is not there to be changed.
    pub(crate) fn pool_named(&self, target: &Target) -> Result<Result<Pool, Refusal>, Damaged> {
        Ok(match self.target(Resource::Pool, "pools", target)? {
            Ok(Record::Pool(pool)) => Ok(pool),
            Ok(_) => Err(target.not_found("pools")),
            Err(refusal) => Err(refusal),
        })
    }
}
