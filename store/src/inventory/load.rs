//! The state that is there when the inventory is opened.

use super::InventoryOptions;
use super::error::OpenError;
use super::restore::{self, Unusable};
use super::rows::{Backend, Rows};
use super::state::State;
use crate::files::DiskPath;
use crate::ledger::Ledger;
use crate::log::LogId;
use crate::snapshot::{self, SnapshotReader};
use std::io;
use std::sync::Arc;

/// The directory of one generation of rows: an installed snapshot is a new one.
pub(super) fn generation_dir(dir: &DiskPath, generation: u64) -> DiskPath {
    dir.join(format!("{generation:06}"))
}

/// The generations that are there, oldest first.
fn generations(dir: &DiskPath) -> io::Result<Vec<u64>> {
    let mut found = Vec::new();
    for path in dir.list()? {
        found.extend(path.name().and_then(|name| name.parse::<u64>().ok()));
    }
    found.sort_unstable();
    Ok(found)
}

/// Removes all generations but `keep`.
pub(super) fn remove_others(dir: &DiskPath, keep: u64) -> io::Result<()> {
    for generation in generations(dir)? {
        if generation != keep {
            generation_dir(dir, generation).remove_dir()?;
        }
    }
    Ok(())
}

/// The rows that are there if they can be believed, else those of the newest good snapshot, else none.
pub(super) fn load(
    options: &InventoryOptions,
    dir: &DiskPath,
    ledger: &Ledger,
    mark: Result<(), &'static str>,
) -> Result<(State, u64), OpenError> {
    let io = |source| OpenError::Io { path: dir.to_path(), source };
    let newest = generations(dir).map_err(io)?.last().copied();
    let next = newest.map_or(1, |newest| newest + 1);
    if let Some(newest) = newest.filter(|_| options.backend == Backend::Sled) {
        let opened = match mark {
            Ok(()) => open(options, dir, newest, ledger),
            Err(why) => Err(Unusable::Suspect(why)),
        };
        match opened {
            Ok(state) => {
                remove_others(dir, newest).map_err(io)?;
                return Ok((state, newest));
            }
            Err(why) => tracing::warn!(%why, "the inventory is made again from snapshot and log"),
        }
    }
    let state = make(options, dir, next, ledger)?;
    remove_others(dir, next).map_err(io)?;
    Ok((state, next))
}

fn open(
    options: &InventoryOptions,
    dir: &DiskPath,
    generation: u64,
    ledger: &Ledger,
) -> Result<State, Unusable> {
    let rows = Rows::open(options.backend, &generation_dir(dir, generation))?;
    let state = restore::verify(Arc::new(rows))?;
    if is_behind(state.applied, options.log_purged) {
        return Err(Unusable::Suspect("it is older than what the log begins with"));
    }
    if ledger.len() < state.meta.ledger_len {
        return Err(Unusable::Suspect("the ledger ends before it"));
    }
    Ok(state)
}

/// New rows: of the newest snapshot that is whole, or none.
fn make(
    options: &InventoryOptions,
    dir: &DiskPath,
    generation: u64,
    ledger: &Ledger,
) -> Result<State, OpenError> {
    let path = generation_dir(dir, generation);
    for snapshot in snapshot::all(&options.dir.join("snapshots"))? {
        let reader = match SnapshotReader::open(snapshot.clone()) {
            Ok(reader) => reader,
            Err(error) => {
                tracing::warn!(%error, "a snapshot is passed over");
                continue;
            }
        };
        if is_behind(reader.contents().last, options.log_purged) {
            break;
        }
        match restore::restore(reader, options.backend, &path).and_then(|restored| {
            restored.fill_ledger(ledger)?;
            Ok(restored.state)
        }) {
            Ok(state) => return Ok(state),
            Err(error) => tracing::warn!(%error, snapshot = %snapshot.display(), "a snapshot is passed over"),
        }
        remove(&path)?;
    }
    if options.log_purged.is_some() {
        return Err(OpenError::Behind { have: None, needed: options.log_purged });
    }
    Ok(restore::empty(Rows::open(options.backend, &path)?))
}

pub(super) fn remove(path: &DiskPath) -> Result<(), OpenError> {
    match path.remove_dir() {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(OpenError::Io { path: path.to_path(), source })
        }
        _ => Ok(()),
    }
}

/// True when the log cannot follow `have`.
fn is_behind(have: Option<LogId>, purged: Option<LogId>) -> bool {
    have.map(|id| id.index) < purged.map(|id| id.index)
}

/// Cuts the ledger to what the rows were made with.
pub(super) fn cut_ledger(ledger: &Ledger, state: &State) -> Result<(), OpenError> {
    let seq = state.meta.ledger_len;
    ledger.truncate_to(seq)?;
    if ledger.head() == (seq, state.meta.ledger_head.0) {
        Ok(())
    } else {
        Err(OpenError::OtherLedger { seq })
    }
}
