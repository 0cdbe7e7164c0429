//! Where rows are kept: sled, or a map in memory for simulation.

mod behind;

use crate::files;
use behind::Behind;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use thiserror::Error;

/// Where rows are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// In sled, on disk.
    #[default]
    Sled,
    /// In memory: after a restart everything comes from the snapshot and the log.
    Memory,
}

/// Why rows could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RowsError {
    /// The database refused.
    #[error("failed to use the rows: {0}")]
    Database(String),
    /// The file system refused.
    #[error("failed to use the rows in {}", path.display())]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Bytes that are handed on without a copy: those of a row are in a batch, its changes, the cache of sled.
pub(super) type Bytes = sled::IVec;
/// A key with its stored bytes.
pub(super) type Stored = (Bytes, Bytes);

/// Cache of sled, in bytes. Its real memory is several times that.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// A leaf of several rows with parts must stay below a quarter of this, or sled puts it into a file of its own.
const SEGMENT_BYTES: usize = 4 * 1024 * 1024;
const FLUSH_INTERVAL_MS: u64 = 500;

/// The rows of one generation of the inventory.
#[derive(Debug)]
pub(super) enum Rows {
    Sled { rows: Behind, dir: PathBuf },
    Memory(RwLock<BTreeMap<Bytes, Bytes>>),
}

impl Rows {
    pub(super) fn open(backend: Backend, dir: &Path) -> Result<Self, RowsError> {
        if backend == Backend::Memory {
            return Ok(Self::Memory(RwLock::default()));
        }
        remove_generating(dir).map_err(|source| RowsError::Io { path: dir.to_owned(), source })?;
        let config = sled::Config::default()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .segment_size(SEGMENT_BYTES)
            .flush_every_ms(Some(FLUSH_INTERVAL_MS));
        Ok(Self::Sled { rows: Behind::over(config.open().map_err(database)?), dir: dir.to_owned() })
    }

    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, RowsError> {
        match self {
            Self::Sled { rows, .. } => rows.get(key),
            Self::Memory(map) => Ok(map.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()),
        }
    }

    /// At most `limit` rows between the bounds, in key order. Each row is read as it is at its moment.
    pub(super) fn page(
        &self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Stored>, RowsError> {
        match self {
            Self::Sled { rows, .. } => rows.page(from, to, limit),
            Self::Memory(map) => {
                let map = map.read().unwrap_or_else(PoisonError::into_inner);
                let rows = map.range::<[u8], _>((from, to)).take(limit);
                Ok(rows.map(|(key, value)| (key.clone(), value.clone())).collect())
            }
        }
    }

    /// Takes a batch, all of it or nothing; `None` removes. Not durable. True: it is time to
    /// [`settle`](Self::settle).
    #[must_use]
    pub(super) fn write(&self, batch: impl IntoIterator<Item = (Bytes, Option<Bytes>)>) -> bool {
        match self {
            Self::Sled { rows, .. } => rows.write(batch),
            Self::Memory(map) => {
                let mut map = map.write().unwrap_or_else(PoisonError::into_inner);
                for (key, value) in batch {
                    match value {
                        Some(value) => map.insert(key, value),
                        None => map.remove(&key),
                    };
                }
                false
            }
        }
    }

    /// Moves what was taken to where it is kept. Readers go on meanwhile.
    pub(super) fn settle(&self) -> Result<(), RowsError> {
        match self {
            Self::Sled { rows, .. } => rows.settle(),
            Self::Memory(_) => Ok(()),
        }
    }

    /// Makes everything durable: sled's own flush syncs neither its file nor the directory on Linux.
    pub(super) fn sync(&self) -> Result<(), RowsError> {
        let Self::Sled { rows, dir } = self else { return Ok(()) };
        rows.flush()?;
        files::sync_all(dir).map_err(|source| RowsError::Io { path: dir.clone(), source })
    }
}

fn database(error: sled::Error) -> RowsError {
    RowsError::Database(error.to_string())
}

/// A kill while sled opens can leave a half-written `snap.N.generating`, which every later open takes for the newest
/// one and fails on. It was not renamed, so nothing in it is needed.
fn remove_generating(dir: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "generating") {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
