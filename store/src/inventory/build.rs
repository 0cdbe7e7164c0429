//! A snapshot is built beside apply.
//!
//! A scan takes each row as it is at its moment, from applied index A on; every change since A is written too, in order
//! and no sooner than it can be seen, and the last of them under the lock, at applied index B. A later row replaces an
//! earlier one: a row that is scanned after a change of it is written has the change, and one that is scanned before is
//! mended by it. So the file is exactly the state at B.

use super::restore::PAGE_ROWS;
use super::rows::RowsError;
use super::state::Shared;
use super::view::row_key;
use crate::changes::{Change, ChangesError};
use crate::codec::Blob;
use crate::files::DiskPath;
use crate::ledger::LedgerError;
use crate::snapshot::{self, Contents, SnapshotError, SnapshotFile, SnapshotWriter};
use std::sync::Arc;
use tallyman_model::Key;
use tallyman_model::record::Meta;
use thiserror::Error;

/// Snapshots that are kept: the newest, and one in case that it is damaged.
const SNAPSHOTS_KEPT: usize = 2;
/// Ledger records in one frame.
const FRAME_RECORDS: usize = 256;

/// Why no snapshot was built. There is no new file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The rows cannot be read.
    #[error("failed to build a snapshot")]
    Rows(#[from] RowsError),
    /// The changes cannot be read, or so many came meanwhile that the oldest are gone: to be tried again.
    #[error("failed to follow the changes while a snapshot was built")]
    Changes(#[from] ChangesError),
    /// The ledger cannot be read.
    #[error("failed to read the ledger for a snapshot")]
    Ledger(#[from] LedgerError),
    /// The file cannot be written.
    #[error("failed to write a snapshot")]
    Snapshot(#[from] SnapshotError),
}

/// Builds one snapshot.
#[derive(Debug)]
pub struct SnapshotBuilder {
    shared: Arc<Shared>,
    dir: DiskPath,
}

impl SnapshotBuilder {
    pub(crate) fn new(shared: Arc<Shared>, dir: DiskPath) -> Self {
        Self { shared, dir }
    }

    /// Builds the snapshot. Blocks the thread for as long as reading all rows takes; apply goes on meanwhile. When it
    /// returns, the snapshot and the ledger up to it are durable.
    ///
    /// # Errors
    /// A [`BuildError`]; nothing was changed.
    pub fn build(self) -> Result<SnapshotFile, BuildError> {
        self.build_with_meta().map(|(file, _)| file)
    }

    /// As [`build`](Self::build), with the model's counters as they are in it.
    pub(crate) fn build_with_meta(self) -> Result<(SnapshotFile, Meta), BuildError> {
        let mut writer =
            SnapshotWriter::create(self.dir.clone(), concat!("tallyman ", env!("CARGO_PKG_VERSION")))?;
        let mut revision = self.scan(&mut writer)?;
        let (contents, counters) = loop {
            revision = self.follow(&mut writer, revision)?;
            let state = self.shared.state();
            let mut rest = self.shared.changes.read(revision, PAGE_ROWS)?;
            if rest.len() >= PAGE_ROWS {
                continue;
            }
            // Changes are written before they are published.
            rest.retain(|change| change.revision <= state.revision());
            write_changes(&mut writer, &rest)?;
            let meta = Key::META.row_bytes();
            writer.row(&meta, state.rows.get(&meta)?.as_deref())?;
            let counters = state.meta.clone();
            let ledger_len = counters.ledger_len;
            let mut seals = self.shared.ledger.sealed();
            seals.retain(|seal| seal.last <= ledger_len);
            let contents = Contents {
                last: state.applied,
                membership: state.membership.clone().map(|(id, bytes)| (id, Blob(bytes))),
                revision: state.revision(),
                state_hash: state.hash.to_be_bytes(),
                seals,
            };
            break (contents, counters);
        };
        self.tail(&mut writer, contents.seals.last().map_or(1, |seal| seal.last + 1), counters.ledger_len)?;
        // The log behind the snapshot may be purged, and then nothing else has these records.
        self.shared.ledger.sync()?;
        let file = writer.finish(contents)?;
        snapshot::keep_newest(&self.dir, SNAPSHOTS_KEPT)?;
        Ok((file, counters))
    }

    /// Writes all rows, and the changes that come meanwhile: of many rows the oldest would be gone at the end. Gives the
    /// revision whose changes are written.
    fn scan(&self, writer: &mut SnapshotWriter) -> Result<u64, BuildError> {
        let (rows, mut revision) = {
            let state = self.shared.state();
            (state.rows(), state.revision())
        };
        for page in rows.pages(PAGE_ROWS) {
            for (key, stored) in page?.iter().filter_map(row_key) {
                writer.row(&key.row_bytes(), Some(stored))?;
            }
            revision = self.follow(writer, revision)?;
        }
        Ok(revision)
    }

    /// Writes the changes after `revision` until few are left; gives the revision that was reached.
    fn follow(&self, writer: &mut SnapshotWriter, mut revision: u64) -> Result<u64, BuildError> {
        loop {
            let published = self.shared.state().revision();
            let mut page = self.shared.changes.read(revision, PAGE_ROWS)?;
            let full = page.len() >= PAGE_ROWS;
            page.retain(|change| change.revision <= published);
            write_changes(writer, &page)?;
            revision = page.last().map_or(revision, |change| change.revision);
            if !full {
                return Ok(revision);
            }
        }
    }

    fn tail(&self, writer: &mut SnapshotWriter, mut from: u64, to: u64) -> Result<(), BuildError> {
        while from <= to {
            let room = usize::try_from(to - from + 1).unwrap_or(usize::MAX).min(FRAME_RECORDS);
            let lines = self.shared.ledger.read(from, room)?;
            let Some(last) = lines.last() else {
                return Err(LedgerError::TooShort { wanted: to, have: from - 1 }.into());
            };
            from = last.seq + 1;
            writer.ledger(lines)?;
        }
        Ok(())
    }
}

fn write_changes(writer: &mut SnapshotWriter, changes: &[Change]) -> Result<(), SnapshotError> {
    for change in changes {
        writer.row(&change.key.0, change.after.as_ref().map(|after| after.0.as_slice()))?;
    }
    Ok(())
}
