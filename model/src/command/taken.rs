//! Which values of a pool are taken. Nothing here walks over allocations: the lookups count their pieces.

use crate::record::{Allocation, Fit, Piece, Pool, Record, Resource, Span};
use crate::{Damaged, Key, Ordinal, Tag, Txn, limits, lookup};

/// What is taken of one pool.
pub(super) struct Taken<'t, 'v> {
    txn: &'t Txn<'v>,
    pool: Ordinal,
    /// Of which levels there are pieces.
    levels: Vec<u32>,
}

/// Where a block goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// From this slot on.
    At(u64),
    /// Nowhere.
    Full,
    /// Not in the first [`POOL_STRETCHES_MAX`](limits::POOL_STRETCHES_MAX) stretches of free slots, and not behind all
    /// that is taken.
    NotFound,
}

impl<'t, 'v> Taken<'t, 'v> {
    pub(super) fn of(txn: &'t Txn<'v>, pool: Ordinal) -> Result<Self, Damaged> {
        let mut levels = Vec::new();
        for level in 0..=limits::POOL_VALUES_MAX.ilog2() {
            if txn.count(Tag::Slot, lookup::taken(pool, level), 1)? > 0 {
                levels.push(level);
            }
        }
        Ok(Self { txn, pool, levels })
    }

    /// How many slots of a span are taken.
    pub(super) fn count(&self, span: Span) -> Result<u64, Damaged> {
        let mut count = 0_u64;
        for &level in &self.levels {
            let ends = [span.first >> level, span.last >> level];
            // Pieces at the ends may be taken in part only.
            let whole = ends[1].saturating_sub(ends[0].saturating_add(1));
            if whole > 0 {
                let inside = self.pieces(level, ends[0] + 1, ends[1])?;
                count = count.saturating_add(inside.saturating_mul(1 << level));
            }
            let at_ends = if ends[0] == ends[1] { &ends[..1] } else { &ends[..] };
            for &index in at_ends {
                if self.pieces(level, index, index + 1)? > 0 {
                    let piece = Span { first: index << level, last: (index << level) + ((1 << level) - 1) };
                    let both = Span { first: piece.first.max(span.first), last: piece.last.min(span.last) };
                    count = count.saturating_add(both.count());
                }
            }
        }
        Ok(count)
    }

    /// How many pieces of a level there are with `from <= index < to`.
    fn pieces(&self, level: u32, from: u64, to: u64) -> Result<u64, Damaged> {
        let [from, to] =
            [from, to].map(|at| Key::lookup(Tag::Slot, lookup::taken(self.pool, level), Ordinal(at)));
        Ok(self.txn.count_between(from, to)?.try_into().unwrap_or(u64::MAX))
    }

    /// The first slot of a span at which `count` of all slots before it and itself becomes true, if it ever does: looked
    /// for in ever longer steps, then between the last two.
    fn first(&self, span: Span, is: impl Fn(u64, Span) -> bool) -> Result<Option<u64>, Damaged> {
        let (mut first, mut width) = (span.first, 1_u64);
        loop {
            let step = Span { first, last: span.last.min(first.saturating_add(width - 1)) };
            if is(self.count(step)?, step) {
                let Span { mut first, mut last } = step;
                while first < last {
                    let half = Span { first, last: first + (last - first) / 2 };
                    if is(self.count(half)?, half) {
                        last = half.last;
                    } else {
                        first = half.last + 1;
                    }
                }
                return Ok(Some(first));
            }
            if step.last == span.last {
                return Ok(None);
            }
            (first, width) = (step.last + 1, width.saturating_mul(2));
        }
    }

    /// The first slot of a span that is not taken.
    fn first_free(&self, span: Span) -> Result<Option<u64>, Damaged> {
        self.first(span, |taken, span| taken < span.count())
    }

    /// The first slot of a span that is taken.
    pub(super) fn first_taken(&self, span: Span) -> Result<Option<u64>, Damaged> {
        self.first(span, |taken, _| taken > 0)
    }

    /// The last slot of a span that is taken.
    fn last_taken(&self, span: Span) -> Result<Option<u64>, Damaged> {
        if self.count(span)? == 0 {
            return Ok(None);
        }
        let Span { mut first, mut last } = span;
        while first < last {
            let half = Span { first: first + (last - first) / 2 + 1, last };
            if self.count(half)? > 0 {
                first = half.first;
            } else {
                last = half.first - 1;
            }
        }
        Ok(Some(first))
    }

    /// The first place of a pool that such a block fits into.
    pub(super) fn room(&self, pool: &Pool, fit: Fit) -> Result<Room, Damaged> {
        let mut stretches = 0;
        for span in pool.values.spans() {
            let mut free = self.first_free(span)?;
            while let Some(block) = free.and_then(|free| block(fit, free, span)) {
                let Some(taken) = self.last_taken(block)? else { return Ok(Room::At(block.first)) };
                stretches += 1;
                free = match taken < span.last {
                    false => None,
                    true if stretches < limits::POOL_STRETCHES_MAX => {
                        self.first_free(Span { first: taken + 1, last: span.last })?
                    }
                    true => {
                        let rest = Span { first: taken + 1, last: span.last };
                        Some(self.last_taken(rest)?.unwrap_or(taken))
                            .filter(|last| *last < span.last)
                            .map(|last| last + 1)
                    }
                };
            }
        }
        Ok(if stretches < limits::POOL_STRETCHES_MAX { Room::Full } else { Room::NotFound })
    }

    /// The allocation that has a slot.
    pub(super) fn holder(&self, slot: u64) -> Result<Option<Allocation>, Damaged> {
        for &level in &self.levels {
            let piece = Piece { level, index: slot >> level };
            if self.pieces(level, piece.index, piece.index + 1)? > 0 {
                return self.txn.find(
                    Tag::Name,
                    lookup::piece_hash(self.pool, piece),
                    |record| match record {
                        Record::Allocation(one) if one.pool == self.pool && one.slots.holds(slot) => {
                            Some(one)
                        }
                        _ => None,
                    },
                );
            }
        }
        Ok(None)
    }
}

/// The first block of a span from `free` on.
fn block(fit: Fit, free: u64, span: Span) -> Option<Span> {
    let first = free.checked_next_multiple_of(fit.align)?;
    let block = Span { first, last: first.checked_add(fit.count - 1)? };
    (block.last <= span.last).then_some(block)
}

impl Txn<'_> {
    /// The allocation of a pool for a key.
    pub(crate) fn allocated(&self, pool: &Pool, key: &str) -> Result<Option<Allocation>, Damaged> {
        let name = format!("{}.{key}", pool.head.name);
        Ok(match self.named(Resource::Allocation, &pool.head.namespace, &name)? {
            Some(Record::Allocation(one)) => Some(one),
            _ => None,
        })
    }
}
