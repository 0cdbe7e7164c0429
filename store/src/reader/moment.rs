//! The state as it was at one revision, while entries are applied.
//!
//! The state is locked for lookups, which are in memory. Rows are read from where they are kept without it, which may
//! take a hundred times as long, and then it is looked up whether they have changed since the revision. What they were
//! before is in the change file.

use super::{TooOld, key_of, too_old, unreadable};
use crate::changes::Change;
use crate::codec::Blob;
use crate::inventory::{Rows, Shared, State, decode};
use std::cell::{Cell, RefCell};
use std::sync::Arc;
use tallyman_model::record::Meta;
use tallyman_model::{Damaged, Key, Layer, Ordinal, Revision, Row, Tag, View, Write, Writes, index};

/// Changes read at once.
const PAGE_CHANGES: usize = 1024;

/// The state at a revision.
pub(super) struct Moment<'a> {
    shared: &'a Shared,
    rows: Arc<Rows>,
    meta: Meta,
    undo: RefCell<Undo>,
    lost: Cell<Option<TooOld>>,
}

impl<'a> Moment<'a> {
    /// The newest one.
    pub(super) fn newest(shared: &'a Shared) -> Self {
        let state = shared.state();
        Self::of(shared, &state, Undo::to(state.meta().revision))
    }

    /// An earlier one.
    pub(super) fn at(shared: &'a Shared, revision: Revision) -> Result<Self, TooOld> {
        let mut undo = Undo::to(revision);
        let current = shared.state().meta().revision;
        if revision > current {
            return Err(TooOld { floor: current });
        }
        undo.read(shared, current)?;
        let state = shared.state();
        Ok(Self::of(shared, &state, undo))
    }

    fn of(shared: &'a Shared, state: &State, undo: Undo) -> Self {
        let meta = Meta { revision: undo.revision, ..state.meta().clone() };
        Self { shared, rows: state.rows(), meta, undo: RefCell::new(undo), lost: Cell::new(None) }
    }

    pub(super) fn revision(&self) -> Revision {
        self.meta.revision
    }

    /// Whether all that was seen was of this moment.
    pub(super) fn end(self) -> Result<(), TooOld> {
        self.lost.take().map_or(Ok(()), Err)
    }

    /// Undoes what was applied up to `current`.
    fn follow(&self, current: Revision) -> Result<(), Damaged> {
        self.undo.borrow_mut().read(self.shared, current).map_err(|lost| {
            self.lost.set(Some(lost));
            Damaged::at(Key::META, "the revision that is read is not kept any more")
        })
    }

    /// Runs `f` on the locked state, of which all that came later is undone.
    fn locked<T>(&self, f: impl FnOnce(&Layer<'_>) -> Result<T, Damaged>) -> Result<T, Damaged> {
        // Most is read before the lock is taken; under it only what was applied meanwhile.
        self.follow(self.shared.state().meta().revision)?;
        let state = self.shared.state();
        self.follow(state.meta().revision)?;
        let mut layer = Layer::over(&*state);
        layer.absorb(std::mem::take(&mut self.undo.borrow_mut().writes));
        let found = f(&layer);
        self.undo.borrow_mut().writes = layer.into_writes();
        found
    }

    /// A row as it was, if it has changed since.
    fn changed(&self, key: Key) -> Option<Option<Row>> {
        self.undo.borrow().writes.get(&key).map(|write| write.row.clone())
    }
}

impl View for Moment<'_> {
    fn get(&self, key: Key) -> Result<Option<Row>, Damaged> {
        if key == Key::META {
            return Ok(Some(Row::Meta(Box::new(self.meta.clone()))));
        }
        if !key.is_row() {
            return self.locked(|layer| layer.get(key));
        }
        // Nothing was stored under an ordinal that was not given yet.
        if key.ordinal() > self.meta.ordinal {
            return Ok(None);
        }
        if let Some(row) = self.changed(key) {
            return Ok(row);
        }
        let stored = self.rows.stored(key)?;
        // A batch is visible in the rows before the state is unlocked: what was read may be newer.
        self.follow(self.shared.state().meta().revision)?;
        match self.changed(key) {
            Some(row) => Ok(row),
            None => stored.map(|stored| decode(key, &stored)).transpose(),
        }
    }

    fn page(&self, from: Key, to: Key, limit: usize) -> Result<Vec<(Key, Row)>, Damaged> {
        if from.is_row() {
            let counters = Some(Row::Meta(Box::new(self.meta.clone())));
            self.undo.borrow_mut().write(Key::META, counters);
        }
        self.locked(|layer| layer.page(from, to, limit))
    }

    fn count(&self, from: Key, to: Key, max: usize) -> Result<usize, Damaged> {
        self.locked(|layer| layer.count(from, to, max))
    }

    fn meet(&self, lookups: &[(Tag, u64)], after: Ordinal, limit: usize) -> Result<Vec<Ordinal>, Damaged> {
        self.locked(|layer| layer.meet(lookups, after, limit))
    }
}

/// What turns the present state into the old one. All of it is from the change file.
struct Undo {
    revision: Revision,
    reached: u64,
    /// Rows, and lookups of them.
    writes: Writes,
}

impl Undo {
    fn to(revision: Revision) -> Self {
        Self { revision, reached: revision.0, writes: Writes::new() }
    }

    /// Reads on, up to revision `to`.
    fn read(&mut self, shared: &Shared, to: Revision) -> Result<(), TooOld> {
        while self.reached < to.0 {
            let page =
                shared.changes.read(self.reached, PAGE_CHANGES).map_err(|error| too_old(to, &error))?;
            let Some(last) = page.last() else { break };
            self.reached = last.revision.min(to.0);
            for change in page.into_iter().filter(|change| change.revision <= to.0) {
                let key = key_of(to, &change.key.0)?;
                self.add(key, change).map_err(|damaged| unreadable(to, &damaged))?;
            }
        }
        // Not every revision has changed a row.
        self.reached = self.reached.max(to.0);
        Ok(())
    }

    fn add(&mut self, key: Key, change: Change) -> Result<(), Damaged> {
        let read = |stored: Option<Blob>| stored.map(|stored| decode(key, &stored.0)).transpose();
        // The oldest change says how the row was.
        if !self.writes.contains_key(&key) {
            let before = read(change.before)?;
            for lookup in lookups(&before) {
                self.write(lookup, Some(Row::Mark));
            }
            self.write(key, before);
        }
        for lookup in lookups(&read(change.after)?) {
            self.writes.entry(lookup).or_insert(Write { revision: self.revision, row: None });
        }
        Ok(())
    }

    fn write(&mut self, key: Key, row: Option<Row>) {
        self.writes.insert(key, Write { revision: self.revision, row });
    }
}

fn lookups(row: &Option<Row>) -> Vec<Key> {
    match row {
        Some(Row::Record(record)) => index(record),
        _ => Vec::new(),
    }
}
