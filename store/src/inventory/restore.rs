//! Rows are read and verified, or made from a snapshot.

use super::install;
use super::rows::{Backend, Rows, RowsError};
use super::scan::scan;
use super::state::{BOOKKEEPING, Bookkeeping, State};
use crate::codec::{self, CodecError, Kind};
use crate::files::DiskPath;
use crate::ledger::{Ledger, LedgerError, LedgerLine};
use crate::snapshot::{Frame, SnapshotError, SnapshotReader};
use std::ops::Bound;
use std::sync::Arc;
use tallyman_model::record::Meta;
use tallyman_model::{Damaged, Index};
use thiserror::Error;

/// Rows read at once.
pub(super) const PAGE_ROWS: usize = 1024;

/// Why rows or a snapshot are not used.
#[derive(Debug, Error)]
pub(super) enum Unusable {
    #[error("failed to use the rows: {0}")]
    Suspect(&'static str),
    #[error(transparent)]
    Rows(#[from] RowsError),
    #[error(transparent)]
    Damaged(#[from] Damaged),
    #[error(transparent)]
    Bookkeeping(#[from] CodecError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// No rows at all.
pub(super) fn empty(rows: Rows) -> State {
    State {
        rows: Arc::new(rows),
        index: Index::default(),
        applied: None,
        membership: None,
        hash: 0,
        meta: Meta::default(),
    }
}

/// Reads every row, makes the lookups, and compares the state hash with what was written beside them.
pub(super) fn verify(rows: Arc<Rows>) -> Result<State, Unusable> {
    let mut state =
        State { rows: Arc::clone(&rows), ..empty(Rows::open(Backend::Memory, &DiskPath::from(""))?) };
    let Some(bookkeeping) = rows.get(BOOKKEEPING)? else {
        return match rows.page(Bound::Unbounded, Bound::Unbounded, 1)?.is_empty() {
            true => Ok(state),
            false => Err(Unusable::Suspect("they were not all written")),
        };
    };
    let bookkeeping: Bookkeeping = codec::decode(Kind::InventoryMeta, &bookkeeping)?;
    scan(&rows, |found| {
        found.lookups.into_iter().for_each(|lookup| state.index.set(lookup));
        state.hash = state.hash.wrapping_add(found.hash);
        if let Some(meta) = found.meta {
            state.meta = meta;
        }
    })?;
    if state.hash.to_be_bytes() != bookkeeping.state_hash {
        return Err(Unusable::Suspect("their hash is not the one that was written with them"));
    }
    state.applied = bookkeeping.applied;
    state.membership = bookkeeping.membership.map(|(id, bytes)| (id, bytes.0));
    Ok(state)
}

/// A snapshot's rows, and the records of the ledger that came with it.
pub(super) struct Restored {
    pub(super) state: State,
    pub(super) lines: Vec<LedgerLine>,
    pub(super) seals: Vec<crate::ledger::Seal>,
}

impl Restored {
    /// Gives the ledger the records that it lacks; those that it has too many are for the caller to cut.
    pub(super) fn fill_ledger(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        if let Some(seal) = install::missing_segments(ledger, &self.seals).first() {
            return Err(LedgerError::NoSegment { first: seal.first });
        }
        let have = ledger.len();
        let missing: Vec<_> = self.lines.iter().filter(|line| line.seq > have).cloned().collect();
        ledger.append(&missing)?;
        ledger.sync()
    }
}

/// Makes rows in the empty directory `dir` from a snapshot. Both are verified to the end.
pub(super) fn restore(
    mut reader: SnapshotReader,
    backend: Backend,
    dir: &DiskPath,
) -> Result<Restored, Unusable> {
    let rows = Arc::new(Rows::open(backend, dir)?);
    let mut lines = Vec::new();
    while let Some(frame) = reader.next()? {
        match frame {
            Frame::Rows(frame) => {
                let frame = frame
                    .into_iter()
                    .map(|(key, stored)| (key.0.into(), stored.map(|stored| stored.0.into())));
                if rows.write(frame) {
                    rows.settle()?;
                }
            }
            Frame::Ledger(frame) => {
                let line =
                    |(seq, bytes, hash): (u64, codec::Blob, _)| LedgerLine { seq, bytes: bytes.0, hash };
                lines.extend(frame.into_iter().map(line));
            }
        }
    }
    let contents = reader.contents();
    let bookkeeping = Bookkeeping {
        applied: contents.last,
        membership: contents.membership.clone(),
        state_hash: contents.state_hash,
    };
    // Last: rows without it are not believed.
    let _ =
        rows.write([(BOOKKEEPING.into(), Some(codec::encode(Kind::InventoryMeta, &bookkeeping)?.into()))]);
    rows.settle()?;
    let state = verify(rows)?;
    if state.revision() != contents.revision {
        return Err(Unusable::Suspect("their revision is not that of the snapshot"));
    }
    Ok(Restored { state, lines, seals: contents.seals.clone() })
}
