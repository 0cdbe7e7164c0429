//! Where rows are kept: sled, or a map in memory for simulation.

mod behind;

use crate::files::{self, DiskPath};
use behind::Behind;
use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;
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
    #[error("failed to use the rows in {}: {words}", path.display())]
    Database {
        /// The file, which sled itself does not name.
        path: PathBuf,
        /// What it said.
        words: String,
    },
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
pub(crate) type Bytes = sled::IVec;
/// A key with its stored bytes.
pub(super) type Stored = (Bytes, Bytes);

/// Cache of sled, in bytes. Its real memory is several times that.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;
/// A leaf of several rows with parts must stay below a quarter of this, or sled puts it into a file of its own.
const SEGMENT_BYTES: usize = 4 * 1024 * 1024;
const FLUSH_INTERVAL_MS: u64 = 500;
/// How long sled is given to let go of a file that it had open in this process before.
const HELD_MAX: Duration = Duration::from_secs(5);
/// The file in which sled keeps nearly everything.
const SLED_FILE: &str = "db";

/// The rows of one generation of the inventory.
#[derive(Debug)]
pub(crate) enum Rows {
    Sled { rows: Behind, dir: PathBuf, file: File },
    Memory(RwLock<BTreeMap<Bytes, Bytes>>),
}

impl Rows {
    pub(super) fn open(backend: Backend, dir: &DiskPath) -> Result<Self, RowsError> {
        if backend == Backend::Memory {
            return Ok(Self::Memory(RwLock::default()));
        }
        let dir = dir.path();
        let io = |source| RowsError::Io { path: dir.to_owned(), source };
        wait_until_free(dir).map_err(io)?;
        remove_generating(dir).map_err(io)?;
        let config = sled::Config::default()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .segment_size(SEGMENT_BYTES)
            .flush_every_ms(Some(FLUSH_INTERVAL_MS));
        let path = dir.join(SLED_FILE);
        let db = config.open().map_err(|error| RowsError::database(&path, error))?;
        let rows = Behind::over(db, path.clone());
        let file = File::open(&path).map_err(|source| RowsError::Io { path, source })?;
        Ok(Self::Sled { rows, dir: dir.to_owned(), file })
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

    /// All rows in key order, in pages of at most `limit`, each read when it is asked for. After an error the same page
    /// comes again.
    pub(super) fn pages(&self, limit: usize) -> impl Iterator<Item = Result<Vec<Stored>, RowsError>> + '_ {
        let mut after: Option<Bytes> = None;
        std::iter::from_fn(move || {
            let from = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
            let page = self.page(from, Bound::Unbounded, limit);
            if let Ok(rows) = &page {
                after = Some(rows.last()?.0.clone());
            }
            Some(page)
        })
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

    /// Finds writes and syncs that failed beside every call: sled's own thread only logs it when its sync fails. The
    /// kernel tells each descriptor that was open by then, so this one's sync fails too. Waits for the disk.
    pub(super) fn check(&self) -> Result<(), RowsError> {
        let Self::Sled { rows, dir, file } = self else { return Ok(()) };
        rows.check()?;
        file.sync_data().map_err(|source| RowsError::Io { path: dir.join(SLED_FILE), source })
    }

    /// Makes everything durable: sled's own flush syncs neither its file nor the directory on Linux.
    pub(super) fn sync(&self) -> Result<(), RowsError> {
        let Self::Sled { rows, dir, .. } = self else { return Ok(()) };
        rows.flush()?;
        self.check()?;
        files::sync_all(dir).map_err(|source| RowsError::Io { path: dir.clone(), source })
    }
}

impl RowsError {
    fn database(path: &Path, error: sled::Error) -> Self {
        Self::Database { path: path.to_owned(), words: error.to_string() }
    }
}

/// sled's threads may hold its file for a moment after it was closed, and to open it then fails: rows that are well
/// would not be believed. Nobody but this process can hold it, since the data directory is locked.
fn wait_until_free(dir: &Path) -> io::Result<()> {
    let file = match File::open(dir.join(SLED_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Err(Errno::WOULDBLOCK) => {}
        taken => return Ok(taken?),
    }
    let (send, free) = sync_channel(1);
    // A lock is waited for without a bound only: the thread may outlive the wait, and lets go of what it gets then.
    std::thread::Builder::new().name("tallyman-rows-lock".to_owned()).spawn(move || {
        let taken = retry_on_intr(|| flock(&file, FlockOperation::LockExclusive));
        let _ = send.send(taken.map(|()| file));
    })?;
    match free.recv_timeout(HELD_MAX) {
        Ok(taken) => {
            taken?;
            Ok(())
        }
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "they are still open in this process")),
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use std::sync::mpsc::RecvTimeoutError;

    #[test]
    fn an_error_of_the_database_names_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(SLED_FILE);
        fs::create_dir(&file).unwrap();
        let error = Rows::open(Backend::Sled, &dir.path().into()).unwrap_err();
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    }

    #[test]
    fn rows_whose_file_is_still_held_are_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let rows = Rows::open(Backend::Sled, &dir.path().into()).unwrap();
        let _ = rows.write([(b"key".into(), Some(b"value".into()))]);
        rows.sync().unwrap();
        drop(rows);
        wait_until_free(dir.path()).unwrap();
        let held = File::open(dir.path().join("db")).unwrap();
        flock(&held, FlockOperation::LockExclusive).unwrap();
        let (send, opened) = sync_channel(1);
        std::thread::scope(|scope| {
            scope.spawn(|| send.send(Rows::open(Backend::Sled, &dir.path().into())).unwrap());
            let early = opened.recv_timeout(Duration::from_millis(100));
            assert!(matches!(early, Err(RecvTimeoutError::Timeout)), "{early:?}");
            drop(held);
            assert_eq!(opened.recv().unwrap().unwrap().get(b"key").unwrap(), Some(b"value".into()));
        });
    }
}
