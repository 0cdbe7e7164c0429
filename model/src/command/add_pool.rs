//! Make a pool.
//!
//! Reads the name and the pools that it must have nothing in common with; writes the pool. Refused when the name is
//! taken (`AlreadyExists`) or one of those overlaps (`Conflict`).

use super::Principal;
use crate::record::{Head, Pool, Record, Resource, Values};
use crate::{Damaged, Done, Refusal, RefusalKind, Tag, Txn, Uid, limits, lookup};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A new pool, checked by [`manifest`](crate::manifest) before it was proposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddPool {
    /// Random, made by whoever took the request.
    pub uid: Uid,
    /// The tenant.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// The user's annotations.
    pub annotations: BTreeMap<String, String>,
    /// What it gives out.
    pub values: Values,
    /// See [`Pool::disjoint`].
    pub disjoint: String,
}

impl AddPool {
    pub(crate) fn apply(&self, txn: &mut Txn<'_>, by: &Principal) -> Result<Result<Done, Refusal>, Damaged> {
        if txn.named(Resource::Pool, &self.namespace, &self.name)?.is_some() {
            let Self { namespace, name, .. } = self;
            let message = format!("pools.tallyman.dev {name:?} already exists in namespace {namespace:?}");
            return Ok(Err(Refusal::new(RefusalKind::AlreadyExists, message)));
        }
        let pool = Pool {
            head: Head {
                ordinal: txn.new_ordinal(),
                uid: self.uid,
                namespace: self.namespace.clone(),
                name: self.name.clone(),
                labels: self.labels.clone(),
                annotations: self.annotations.clone(),
                created_ms: txn.now_ms(),
                created_by: by.user.clone(),
                ..Head::default()
            },
            values: self.values.clone(),
            disjoint: self.disjoint.clone(),
        };
        if let Some(refusal) = overlapping(txn, &pool)? {
            return Ok(Err(refusal));
        }
        let record = txn.put(Record::Pool(pool))?;
        Ok(Ok(Done::with(txn, record)))
    }
}

/// Refuses a pool that has something in common with one that it must not.
pub(super) fn overlapping(txn: &Txn<'_>, pool: &Pool) -> Result<Option<Refusal>, Damaged> {
    if pool.disjoint.is_empty() {
        return Ok(None);
    }
    let conflict = |message| Ok(Some(Refusal::new(RefusalKind::Conflict, message)));
    let hash = lookup::disjoint_hash(&pool.disjoint);
    let others = txn.ordinals(Tag::Disjoint, hash, limits::DISJOINT_POOLS_MAX + 1)?;
    let is_new = !others.contains(&pool.head.ordinal);
    if is_new && others.len() >= limits::DISJOINT_POOLS_MAX {
        let message =
            format!("at most {} pools can be disjoint as {:?}", limits::DISJOINT_POOLS_MAX, pool.disjoint);
        return conflict(message);
    }
    for ordinal in others.into_iter().filter(|ordinal| *ordinal != pool.head.ordinal) {
        let Some(Record::Pool(other)) = txn.record(ordinal)? else { continue };
        if other.disjoint != pool.disjoint {
            continue;
        }
        if let Some(value) = pool.values.overlap(&other.values) {
            let message = format!(
                "pool {:?} would have {value} in common with pool {}/{}, and both say that they are disjoint as {:?}",
                pool.head.name, other.head.namespace, other.head.name, pool.disjoint
            );
            return conflict(message);
        }
    }
    Ok(None)
}
