//! The change file: the last changes of rows, with what was there before.
//!
//! It serves watches, pages at an old revision, and snapshots. It is a ring of a few files, of which the oldest is
//! unlinked; nothing in it is fsynced, because everything in it can be done without. What cannot be read is not
//! repaired: the change file then starts again at the revision that the inventory has.
//!
//! Every change carries the revision of the row, and several rows (a record's parts) may carry the same one.
//! A read never ends inside a revision.

mod file;

use crate::files::{self, DiskPath};
use file::ChangeFile;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use thiserror::Error;

use crate::codec::{Blob, CodecError};

/// How many files the ring has.
const FILES: u64 = 8;
const EXTENSION: &str = "changes";

/// One changed row, with its bytes as `B` holds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "", deserialize = "Blob<B>: Deserialize<'de>"))]
pub struct Change<B: AsRef<[u8]> = Vec<u8>> {
    /// The revision that the change took.
    pub revision: u64,
    /// The log index of the entry that made it.
    pub index: u64,
    /// The row's key.
    pub key: Blob<B>,
    /// The row before; `None`: there was none.
    pub before: Option<Blob<B>>,
    /// The row after; `None`: it is gone.
    pub after: Option<Blob<B>>,
}

/// Why changes could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChangesError {
    /// Older changes than there are were asked for.
    #[error(
        "failed to read the changes after revision {asked}: the oldest that can be read follow revision {floor}"
    )]
    TooOld {
        /// The revision asked for.
        asked: u64,
        /// The oldest revision whose followers are all there.
        floor: u64,
    },
    /// The file system refused.
    #[error("failed to use the change file {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A change cannot be read as it was written.
    #[error("failed to read the change file {} at byte {position}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        position: u64,
        /// What is wrong.
        #[source]
        source: CodecError,
    },
}

/// The open change file.
#[derive(Debug)]
pub struct Changes {
    dir: DiskPath,
    bytes_max: u64,
    ring: RwLock<Ring>,
}

/// The files, oldest first; never empty while the change file is usable.
#[derive(Debug)]
struct Ring {
    files: VecDeque<Arc<ChangeFile>>,
    newest: u64,
}

impl Changes {
    /// Opens the change file in `dir`, of at most `bytes_max` bytes, for an inventory at revision `current`. Changes
    /// after `current` are cut off (they will be made again). If the changes up to `current` are not all there, or
    /// anything is damaged, it starts again with `current` as its floor.
    ///
    /// # Errors
    /// The file system refused.
    pub fn open(dir: impl Into<DiskPath>, bytes_max: u64, current: u64) -> Result<Self, ChangesError> {
        let dir = dir.into();
        files::prepare_dir(&dir).map_err(|source| ChangesError::Io { path: dir.to_path(), source })?;
        let ring = match Ring::load(&dir, current) {
            Ok(ring) => ring,
            Err(ChangesError::Io { path, source }) => return Err(ChangesError::Io { path, source }),
            Err(error) => {
                tracing::warn!(%error, current, "the change file starts again");
                None
            }
        };
        let changes = match ring {
            Some(ring) => Self { dir, bytes_max, ring: RwLock::new(ring) },
            None => {
                let ring = RwLock::new(Ring { files: VecDeque::new(), newest: current });
                let changes = Self { dir, bytes_max, ring };
                changes.reset(current)?;
                changes
            }
        };
        Ok(changes)
    }

    /// The oldest revision whose followers can all be read.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.ring().floor()
    }

    /// The newest revision in it.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.ring().newest
    }

    /// Appends changes in revision order, in one write. All changes of one revision come in one call.
    ///
    /// # Errors
    /// The write failed: the change file must be reset before it is used again.
    pub fn append<B: AsRef<[u8]>>(&self, batch: &[Change<B>]) -> Result<(), ChangesError> {
        let Some(newest) = batch.last().map(|change| change.revision) else { return Ok(()) };
        let mut ring = self.ring_mut();
        let full = ring.files.back().is_none_or(|file| file.len() >= self.bytes_max / FILES);
        if full {
            let number = ring.files.back().map_or(0, |file| file.number + 1);
            let file = ChangeFile::create(&self.path(number), number, ring.newest)?;
            ring.files.push_back(Arc::new(file));
        }
        if let Some(file) = ring.files.back() {
            file.append(batch)?;
        }
        ring.newest = newest;
        while ring.files.len() as u64 > FILES {
            if let Some(oldest) = ring.files.pop_front() {
                oldest.remove()?;
            }
        }
        Ok(())
    }

    /// The changes after revision `after`, oldest first: at least `limit` if there are that many, more only to end
    /// with a whole revision.
    ///
    /// # Errors
    /// [`ChangesError::TooOld`]; or what is there cannot be read.
    pub fn read(&self, after: u64, limit: usize) -> Result<Vec<Change>, ChangesError> {
        let (files, floor) = {
            let ring = self.ring();
            // The newest file that begins at or before the revision; everything older is not needed.
            let from = ring.files.iter().rposition(|file| file.floor <= after).unwrap_or(0);
            (
                ring.files.iter().skip(from).map(|file| (Arc::clone(file), file.len())).collect::<Vec<_>>(),
                ring.floor(),
            )
        };
        if after < floor {
            return Err(ChangesError::TooOld { asked: after, floor });
        }
        let mut found = Vec::new();
        for (file, len) in files {
            file.read(after, len, limit, &mut found)?;
            if found.len() > limit {
                break;
            }
        }
        whole_revisions(&mut found, limit);
        Ok(found)
    }

    /// All changes newer than `revision`, to undo them; as [`read`](Self::read) without a limit.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn newer_than(&self, revision: u64) -> Result<Vec<Change>, ChangesError> {
        self.read(revision, usize::MAX)
    }

    /// Drops everything and starts again: what follows revision `floor` will be there.
    ///
    /// # Errors
    /// The file system refused.
    pub fn reset(&self, floor: u64) -> Result<(), ChangesError> {
        let mut ring = self.ring_mut();
        let io = |source| ChangesError::Io { path: self.dir.to_path(), source };
        let numbers = files::numbered(&self.dir, EXTENSION).map_err(io)?;
        for number in &numbers {
            self.path(*number).remove().map_err(io)?;
        }
        let number = numbers.last().map_or(0, |number| number + 1);
        let file = ChangeFile::create(&self.path(number), number, floor)?;
        *ring = Ring { files: VecDeque::from([Arc::new(file)]), newest: floor };
        Ok(())
    }

    fn path(&self, number: u64) -> DiskPath {
        path(&self.dir, number)
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_mut(&self) -> RwLockWriteGuard<'_, Ring> {
        self.ring.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn floor(&self) -> u64 {
        self.files.front().map_or(self.newest, |file| file.floor)
    }

    /// `None`: what is there does not lead up to `current`.
    fn load(dir: &DiskPath, current: u64) -> Result<Option<Self>, ChangesError> {
        let io = |source| ChangesError::Io { path: dir.to_path(), source };
        let numbers = files::numbered(dir, EXTENSION).map_err(io)?;
        let mut ring = Self { files: VecDeque::new(), newest: 0 };
        for (at, number) in numbers.iter().enumerate() {
            let newest = at + 1 == numbers.len();
            let (file, last) = ChangeFile::open(&path(dir, *number), *number, newest, current)?;
            let follows =
                at == 0 || (file.floor == ring.newest && numbers.get(at - 1) == Some(&(number - 1)));
            if !follows {
                return Ok(None);
            }
            ring.newest = last;
            ring.files.push_back(Arc::new(file));
        }
        let leads_up = ring.newest == current && ring.files.front().is_some_and(|file| file.floor <= current);
        Ok(leads_up.then_some(ring))
    }
}

fn path(dir: &DiskPath, number: u64) -> DiskPath {
    dir.join(format!("{number:012}.{EXTENSION}"))
}

/// Cuts what is beyond `limit`, but no revision in two.
fn whole_revisions(found: &mut Vec<Change>, limit: usize) {
    if found.len() <= limit {
        return;
    }
    let last = limit.checked_sub(1).and_then(|at| found.get(at)).map(|change| change.revision);
    let end = found.iter().skip(limit).take_while(|change| Some(change.revision) == last).count();
    found.truncate(limit + end);
}
