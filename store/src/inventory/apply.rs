//! Committed entries become rows.

use super::Inventory;
use super::rows::Bytes;
use super::state::{BOOKKEEPING, Bookkeeping, State, row_hash};
use super::view::{self, ROW_KEY_BYTES};
use crate::changes::Change;
use crate::codec::{self, Blob, Kind};
use crate::ledger::LedgerLine;
use crate::log::LogId;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use tallyman_model::record::Meta;
use tallyman_model::{Ctx, Damaged, Done, Entry, Key, Layer, Refusal, ReplicaId, Row, Writes, explain};

/// Entries of one batch. Readers wait while it becomes visible.
pub const BATCH_ENTRIES_MAX: usize = 64;
/// A batch takes no further entry when it has changed this many rows.
const BATCH_ROWS: usize = 256;

/// A committed log entry.
#[derive(Clone, Debug)]
pub struct ToApply {
    /// Its id.
    pub id: LogId,
    /// Its content.
    pub payload: Payload,
}

/// The content of a log entry.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Nothing: a new leader's first entry.
    Blank,
    /// The group's membership, in bytes that are not looked into.
    Membership(Vec<u8>),
    /// A command.
    Entry(Box<Entry>),
}

/// The answer to a command; `None` for entries that are none.
pub type Reply = Option<Result<Done, Refusal>>;

impl Inventory {
    /// Applies committed entries in order, and answers each. Readers see the entries of a batch at once.
    ///
    /// # Errors
    /// [`Damaged`]: an unknown part of the entries was applied, and this replica must stop serving. Opening the
    /// inventory again finds a state from which the log can be applied.
    pub fn apply(&mut self, entries: Vec<ToApply>) -> Result<Vec<Reply>, Damaged> {
        let mut replies = Vec::with_capacity(entries.len());
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            self.settle()?;
            let batch = Batch::stage(&self.shared.state(), &mut entries, &mut replies)?;
            self.commit(batch)?;
            self.shared.publish();
        }
        Ok(replies)
    }

    fn commit(&mut self, batch: Batch) -> Result<(), Damaged> {
        let failed = |what: &dyn Error| Damaged::at(Key::META, explain(what));
        self.shared.ledger.append_made(&batch.lines).map_err(|error| failed(&error))?;
        self.shared.changes.append(&batch.changes).map_err(|error| failed(&error))?;
        let bookkeeping = Bookkeeping {
            applied: batch.applied,
            membership: batch.membership.clone().map(|(id, bytes)| (id, Blob(bytes))),
            state_hash: batch.hash.to_be_bytes(),
        };
        let bookkeeping = codec::encode(Kind::InventoryMeta, &bookkeeping).map_err(|error| failed(&error))?;
        let mut state = self.shared.state_mut();
        self.shared.scrub().follow(batch.rows.iter().map(|(key, staged)| (key, staged.moved)));
        let rows = batch.rows.into_iter().map(|(key, staged)| (Bytes::from(&key), staged.after));
        let is_due = state.rows.write(rows.chain([(BOOKKEEPING.into(), Some(bookkeeping.into()))]));
        for (key, write) in batch.writes.into_iter().filter(|(key, _)| !key.is_row()) {
            match write.row {
                Some(_) => state.index.set(key),
                None => state.index.unset(key),
            }
        }
        state.applied = batch.applied;
        state.membership = batch.membership;
        state.hash = batch.hash;
        state.meta = batch.meta;
        drop(state);
        self.is_settling_due |= is_due;
        Ok(())
    }

    /// Moves rows to where they are kept, when there are enough of them. To be called when nobody waits for an
    /// answer; [`apply`](Self::apply) does it at last.
    ///
    /// # Errors
    /// [`Damaged`] as [`apply`](Self::apply).
    pub fn settle(&mut self) -> Result<(), Damaged> {
        if self.is_settling_due {
            let rows = Arc::clone(&self.shared.state().rows);
            rows.settle().map_err(|error| Damaged::at(Key::META, explain(&error)))?;
            self.is_settling_due = false;
        }
        Ok(())
    }
}

/// What a few entries change.
struct Batch {
    applied: Option<LogId>,
    membership: Option<(LogId, Vec<u8>)>,
    hash: u128,
    meta: Meta,
    rows: BTreeMap<[u8; ROW_KEY_BYTES], Staged>,
    /// All rows and lookups that change.
    writes: Writes,
    changes: Vec<Change<Bytes>>,
    lines: Vec<LedgerLine>,
    /// Where rows are encoded.
    scratch: Vec<u8>,
}

/// A row that a batch changes.
struct Staged {
    /// As it will be stored.
    after: Option<Bytes>,
    /// By how much it moves the state hash.
    moved: u128,
}

impl Batch {
    fn stage(
        state: &State,
        entries: &mut impl Iterator<Item = ToApply>,
        replies: &mut Vec<Reply>,
    ) -> Result<Self, Damaged> {
        let mut batch = Self {
            applied: state.applied,
            membership: state.membership.clone(),
            hash: state.hash,
            meta: state.meta.clone(),
            rows: BTreeMap::new(),
            writes: Writes::new(),
            changes: Vec::new(),
            lines: Vec::new(),
            scratch: Vec::new(),
        };
        let mut layer = Layer::over(state);
        for _ in 0..BATCH_ENTRIES_MAX {
            if batch.rows.len() >= BATCH_ROWS {
                break;
            }
            let Some(ToApply { id, payload }) = entries.next() else { break };
            batch.follow(id)?;
            replies.push(match payload {
                Payload::Blank => None,
                Payload::Membership(bytes) => {
                    batch.membership = Some((id, bytes));
                    None
                }
                Payload::Entry(entry) => Some(batch.entry(state, &mut layer, id, *entry)?),
            });
        }
        // The counters change with every entry; only the last ones are stored.
        if batch.meta != state.meta {
            let row = Row::Meta(Box::new(batch.meta.clone()));
            let stored = view::encode(Key::META, &row, &mut batch.scratch)?;
            batch.replace(state, Key::META, Some(stored))?;
        }
        batch.writes = layer.into_writes();
        Ok(batch)
    }

    fn follow(&mut self, id: LogId) -> Result<(), Damaged> {
        if self.applied.is_some_and(|applied| id.index <= applied.index) {
            return Err(Damaged::at(
                Key::META,
                format!("entry {id} comes after {:?} was applied", self.applied),
            ));
        }
        self.applied = Some(id);
        Ok(())
    }

    fn entry(
        &mut self,
        state: &State,
        layer: &mut Layer<'_>,
        id: LogId,
        entry: Entry,
    ) -> Result<Result<Done, Refusal>, Damaged> {
        let ctx = Ctx { index: id.index, term: id.term, leader: ReplicaId(id.leader) };
        let applied = tallyman_model::apply(layer, &ctx, entry)?;
        if let Some(write) = applied.writes.get(&Key::META)
            && let Some(Row::Meta(meta)) = &write.row
        {
            self.meta = Meta::clone(meta);
        }
        let begin = self.changes.len();
        for (key, write) in applied.writes.iter().filter(|(key, _)| key.is_row() && **key != Key::META) {
            let after =
                write.row.as_ref().map(|row| view::encode(*key, row, &mut self.scratch)).transpose()?;
            let before = self.replace(state, *key, after.clone())?;
            // A record has a revision of its own; its parts are of the command as a whole.
            let revision = if key.b == 0 { write.revision } else { self.meta.revision };
            self.changes.push(Change {
                revision: revision.0,
                index: id.index,
                key: Blob(Bytes::from(&key.row_bytes())),
                before: before.map(Blob),
                after: after.map(Blob),
            });
        }
        if let Some(changes) = self.changes.get_mut(begin..) {
            changes.sort_by_key(|change| change.revision);
        }
        if let Some(chained) = applied.ledger {
            self.lines.push(LedgerLine { seq: chained.seq, bytes: chained.bytes, hash: chained.hash.0 });
        }
        layer.absorb(applied.writes);
        Ok(applied.reply)
    }

    /// Stages a row, moves the state hash, and gives what was there before.
    fn replace(&mut self, state: &State, key: Key, after: Option<Bytes>) -> Result<Option<Bytes>, Damaged> {
        let bytes = key.row_bytes();
        let (before, moved) = match self.rows.get(&bytes) {
            Some(staged) => (staged.after.clone(), staged.moved),
            None => (state.stored(key)?, 0),
        };
        let hash = |stored: &Option<Bytes>| stored.as_ref().map_or(0, |stored| row_hash(&bytes, stored));
        let by = hash(&after).wrapping_sub(hash(&before));
        self.hash = self.hash.wrapping_add(by);
        self.rows.insert(bytes, Staged { after, moved: moved.wrapping_add(by) });
        Ok(before)
    }
}
