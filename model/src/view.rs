//! How state is read: views, and layers over them.

use crate::{Key, Ordinal, Row, Tag, Writes};
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// The state cannot be read as it was written. The replica must stop serving; its inventory can be rebuilt.
#[derive(Debug, Error)]
#[error("failed to read the state at {key:?}: {what}")]
pub struct Damaged {
    /// Where.
    pub key: Key,
    /// What was found there.
    pub what: String,
}

impl Damaged {
    /// What was found at `key`.
    pub fn at(key: Key, what: impl Into<String>) -> Self {
        Self { key, what: what.into() }
    }
}

/// Rows and lookups at one point of the log, as owned values.
///
/// Rows come decoded, not as bytes: a record that several commands of a batch touch is decoded once, and the
/// codec stays with the store.
pub trait View {
    /// The value under `key`.
    ///
    /// # Errors
    /// [`Damaged`] when what is stored there cannot be read.
    fn get(&self, key: Key) -> Result<Option<Row>, Damaged>;

    /// At most `limit` entries with `from <= key < to`, in key order.
    ///
    /// # Errors
    /// [`Damaged`] when what is stored there cannot be read.
    fn page(&self, from: Key, to: Key, limit: usize) -> Result<Vec<(Key, Row)>, Damaged>;

    /// How many entries there are with `from <= key < to`, counted up to `max`.
    ///
    /// # Errors
    /// [`Damaged`] as [`page`](Self::page).
    fn count(&self, from: Key, to: Key, max: usize) -> Result<usize, Damaged> {
        Ok(self.page(from, to, max)?.len())
    }

    /// The first `limit` ordinals above `after` that have all of these lookups, each a tag and a value, ascending.
    ///
    /// # Errors
    /// [`Damaged`] as [`page`](Self::page).
    fn meet(&self, lookups: &[(Tag, u64)], after: Ordinal, limit: usize) -> Result<Vec<Ordinal>, Damaged> {
        let Some((&(tag, value), others)) = lookups.split_first() else { return Ok(Vec::new()) };
        let (from, to) = (Key::lookup(tag, value, after.next()), Key::lookup(tag, value, Ordinal(u64::MAX)));
        let mut found = Vec::new();
        for (key, _) in self.page(from, to, usize::MAX)? {
            if found.len() < limit && has_all(self, others, key.ordinal())? {
                found.push(key.ordinal());
            }
        }
        Ok(found)
    }
}

/// True if the record of that ordinal has all of these lookups.
fn has_all(view: &(impl View + ?Sized), lookups: &[(Tag, u64)], ordinal: Ordinal) -> Result<bool, Damaged> {
    for &(tag, value) in lookups {
        if view.get(Key::lookup(tag, value, ordinal))?.is_none() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes over a view: itself a view. One layer holds a batch, one above it a command; a refused command's layer
/// is dropped.
pub struct Layer<'a> {
    below: &'a dyn View,
    writes: Writes,
}

impl<'a> Layer<'a> {
    /// An empty layer over `below`.
    #[must_use]
    pub fn over(below: &'a dyn View) -> Self {
        Self { below, writes: Writes::new() }
    }

    /// Takes the writes of a layer above.
    pub fn absorb(&mut self, writes: Writes) {
        self.writes.extend(writes);
    }

    /// The writes collected so far.
    #[must_use]
    pub fn into_writes(self) -> Writes {
        self.writes
    }

    /// The writes collected so far.
    #[must_use]
    pub fn writes(&self) -> &Writes {
        &self.writes
    }

    pub(crate) fn write(&mut self, key: Key, write: crate::Write) {
        self.writes.insert(key, write);
    }
}

impl View for Layer<'_> {
    fn get(&self, key: Key) -> Result<Option<Row>, Damaged> {
        match self.writes.get(&key) {
            Some(write) => Ok(write.row.clone()),
            None => self.below.get(key),
        }
    }

    fn page(&self, from: Key, to: Key, limit: usize) -> Result<Vec<(Key, Row)>, Damaged> {
        if from >= to {
            return Ok(Vec::new());
        }
        let above = self.writes.range(from..to);
        // Every write of this layer may hide one entry below, so that many more are asked for.
        let hidden = above.clone().count();
        if hidden == 0 {
            return self.below.page(from, to, limit);
        }
        let mut merged: BTreeMap<Key, Option<Row>> = BTreeMap::new();
        let below = self.below.page(from, to, limit.saturating_add(hidden))?;
        merged.extend(below.into_iter().map(|(key, row)| (key, Some(row))));
        merged.extend(above.map(|(key, write)| (*key, write.row.clone())));
        Ok(merged.into_iter().filter_map(|(key, row)| Some((key, row?))).take(limit).collect())
    }

    fn count(&self, from: Key, to: Key, max: usize) -> Result<usize, Damaged> {
        if from >= to {
            return Ok(0);
        }
        // Below may know the number without looking at each; only what this layer changes is compared one by one.
        let (mut added, mut removed) = (0_usize, 0_usize);
        for (key, write) in self.writes.range(from..to) {
            match (self.below.get(*key)?, &write.row) {
                (None, Some(_)) => added += 1,
                (Some(_), None) => removed += 1,
                _ => {}
            }
        }
        let below = self.below.count(from, to, max.saturating_add(removed))?;
        Ok((below + added).saturating_sub(removed).min(max))
    }

    fn meet(&self, lookups: &[(Tag, u64)], after: Ordinal, limit: usize) -> Result<Vec<Ordinal>, Damaged> {
        // Whatever this layer says of any of the lookups is looked at one by one.
        let mut changed = BTreeSet::new();
        for &(tag, value) in lookups {
            let from = Key::lookup(tag, value, after.next());
            let to = Key::lookup(tag, value, Ordinal(u64::MAX));
            changed.extend(self.writes.range(from..to).map(|(key, _)| key.ordinal()));
        }
        let below = self.below.meet(lookups, after, limit.saturating_add(changed.len()))?;
        let mut found: BTreeSet<Ordinal> = below.into_iter().filter(|at| !changed.contains(at)).collect();
        for ordinal in changed {
            if has_all(self, lookups, ordinal)? {
                found.insert(ordinal);
            }
        }
        Ok(found.into_iter().take(limit).collect())
    }
}

/// A view in memory: the second implementation, for simulation and tests.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemoryView(BTreeMap<Key, Row>);

impl MemoryView {
    /// Takes the writes of one command.
    pub fn commit(&mut self, writes: Writes) {
        for (key, write) in writes {
            match write.row {
                Some(row) => self.0.insert(key, row),
                None => self.0.remove(&key),
            };
        }
    }

    /// All entries in key order.
    pub fn iter(&self) -> impl Iterator<Item = (&Key, &Row)> {
        self.0.iter()
    }
}

impl View for MemoryView {
    fn get(&self, key: Key) -> Result<Option<Row>, Damaged> {
        Ok(self.0.get(&key).cloned())
    }

    fn page(&self, from: Key, to: Key, limit: usize) -> Result<Vec<(Key, Row)>, Damaged> {
        if from >= to {
            return Ok(Vec::new());
        }
        Ok(self.0.range(from..to).take(limit).map(|(key, row)| (*key, row.clone())).collect())
    }
}
