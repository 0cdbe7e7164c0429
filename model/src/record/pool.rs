//! Values that are given out, each to one at a time.

use super::{Head, Span, Values};
use crate::{Ordinal, Revision};
use serde::{Deserialize, Serialize};

/// A pool of values. Which are taken is known by the allocations, which are records of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Name, labels and so on.
    pub head: Head,
    /// What it gives out.
    pub values: Values,
    /// Pools of all namespaces that say the same here have nothing in common; empty: it may overlap with any.
    pub disjoint: String,
}

/// A value of a pool, or a block of them, given to one key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocation {
    /// Its name is `POOL.KEY`.
    pub head: Head,
    /// Of which pool.
    pub pool: Ordinal,
    /// Its name.
    pub pool_name: String,
    /// For whom; one allocation for each key of a pool.
    pub key: String,
    /// Which value or block, as slots of the pool.
    pub slots: Span,
    /// The same as users see it.
    pub value: String,
    /// For how long it is kept when it is asked for, in ms; `None`: until it is released.
    pub ttl_ms: Option<u64>,
    /// Until when, ms since 1970.
    pub expires_ms: Option<u64>,
    /// The submission that has it as long as something of it may be on a cluster.
    pub submission: Option<Ordinal>,
}

impl Allocation {
    /// Grows with each allocation: who was given a value later has a greater one.
    #[must_use]
    pub fn fence(&self) -> Revision {
        self.head.created_revision
    }

    /// True if its time is over.
    #[must_use]
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.expires_ms.is_some_and(|expires_ms| expires_ms <= now_ms)
    }
}
