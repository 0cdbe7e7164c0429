//! Which values of a pool are taken. Nothing here walks over allocations: the lookups count them.

use crate::record::{Allocation, Pool, Record, Resource, Span};
use crate::{Damaged, Key, Ordinal, Tag, Txn, lookup};

impl Txn<'_> {
    /// How many values of a span are taken.
    pub(crate) fn taken(&self, pool: Ordinal, span: Span) -> Result<u64, Damaged> {
        let (from, to) = (slot(pool, span.first), slot(pool, span.last.saturating_add(1)));
        Ok(self.count_between(from, to)?.try_into().unwrap_or(u64::MAX))
    }

    /// The first slot of a span that is taken.
    pub(crate) fn first_taken(&self, pool: Ordinal, span: Span) -> Result<Option<u64>, Damaged> {
        let (from, to) = (slot(pool, span.first), slot(pool, span.last.saturating_add(1)));
        Ok(self.page(from, to, 1)?.first().map(|key| key.b))
    }

    /// The first slot of a pool that is not taken: in as many counts as a span's length has binary digits.
    pub(crate) fn first_free(&self, pool: &Pool) -> Result<Option<u64>, Damaged> {
        let ordinal = pool.head.ordinal;
        for span in pool.values.spans() {
            if self.taken(ordinal, span)? >= span.count() {
                continue;
            }
            // Between `first` and `last` there is one that is free.
            let Span { mut first, mut last } = span;
            while first < last {
                let middle = first + (last - first) / 2;
                let half = Span { first, last: middle };
                if self.taken(ordinal, half)? < half.count() {
                    last = middle;
                } else {
                    first = middle + 1;
                }
            }
            return Ok(Some(first));
        }
        Ok(None)
    }

    /// The allocation that has a slot.
    pub(crate) fn holder_of(&self, pool: Ordinal, slot: u64) -> Result<Option<Allocation>, Damaged> {
        self.find(Tag::Name, lookup::slot_hash(pool, slot), |record| match record {
            Record::Allocation(one) if one.pool == pool && one.slot == slot => Some(one),
            _ => None,
        })
    }

    /// The allocation of a pool for a key.
    pub(crate) fn allocated(&self, pool: &Pool, key: &str) -> Result<Option<Allocation>, Damaged> {
        let name = format!("{}.{key}", pool.head.name);
        Ok(match self.named(Resource::Allocation, &pool.head.namespace, &name)? {
            Some(Record::Allocation(one)) => Some(one),
            _ => None,
        })
    }
}

fn slot(pool: Ordinal, slot: u64) -> Key {
    Key::lookup(Tag::Slot, pool.0, Ordinal(slot))
}
