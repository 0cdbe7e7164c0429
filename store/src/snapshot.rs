//! A snapshot: the whole state at one log id, in one file.
//!
//! ```text
//!  header   frame frame ... frame   trailer   length of the trailer (u32) and its complement
//! ```
//! Each part is an envelope with its own checksum. Frames hold rows (a later one replaces an earlier one of the same
//! key, so that a scan can be followed by what changed meanwhile) and the ledger's lines after its last sealed
//! segment. The trailer holds the log id, the membership, the seals of the ledger's full segments, which are
//! shipped apart, the counts, and the SHA-256 of everything before it. The same file is the backup.
//!
//! A file is written aside, fsynced, renamed, and the directory fsynced: what has a snapshot's name is whole.

mod incoming;
mod reader;
mod writer;

pub use incoming::IncomingSnapshot;
pub use reader::SnapshotReader;
pub use writer::SnapshotWriter;

use crate::codec::{Blob, CodecError};
use crate::files::{DiskPath, Open};
use crate::ledger::Seal;
use crate::log::LogId;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use thiserror::Error;

const EXTENSION: &str = "snapshot";
/// Bytes behind the trailer that say how long it is.
const FOOTER_BYTES: u64 = 8;
/// A frame is closed when it has this many bytes.
const FRAME_BYTES: usize = 256 * 1024;

/// Why a snapshot could not be written, read or taken over.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The file system refused.
    #[error("failed to use the snapshot {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A part of it cannot be read.
    #[error("failed to read the snapshot {} at byte {position}", path.display())]
    Part {
        /// The file.
        path: PathBuf,
        /// Where.
        position: u64,
        /// What is wrong.
        #[source]
        source: CodecError,
    },
    /// Its parts are intact, but not together.
    #[error("failed to verify the snapshot {}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: &'static str,
    },
    /// A piece that does not begin where the last one ended. Nothing was written; go on from `have`.
    #[error("failed to take a piece of a snapshot at byte {offset}: {have} bytes are here")]
    Offset {
        /// Where the piece begins.
        offset: u64,
        /// How many bytes are here.
        have: u64,
    },
}

/// One row: key, and value or none when the row is gone.
pub type SnapshotRow = (Blob, Option<Blob>);

/// A part of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// Rows. A later row of a key replaces an earlier one.
    Rows(Vec<SnapshotRow>),
    /// Records of the ledger after its last sealed segment, in order: number, record, hash.
    Ledger(Vec<(u64, Blob, [u8; 32])>),
}

/// What a snapshot is of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The last log entry in it.
    pub last: Option<LogId>,
    /// The membership at that entry, and the entry that set it.
    pub membership: Option<(LogId, Blob)>,
    /// The revision at that entry.
    pub revision: u64,
    /// The state hash at that entry.
    pub state_hash: [u8; 16],
    /// The ledger's full segments at that entry. They are not in the file.
    pub seals: Vec<Seal>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    /// What made the file, for people.
    made_by: String,
}

#[derive(Serialize, Deserialize)]
struct Trailer {
    contents: Contents,
    frames: u64,
    rows: u64,
    sha256: [u8; 32],
}

/// A whole snapshot on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Where it is.
    pub path: DiskPath,
    /// What it is of.
    pub contents: Contents,
    /// Its length.
    pub bytes: u64,
}

impl SnapshotFile {
    /// At most `bytes_max` bytes from `offset` on, to be sent; empty at the end.
    ///
    /// # Errors
    /// The file system refused.
    pub fn piece(&self, offset: u64, bytes_max: usize) -> Result<Vec<u8>, SnapshotError> {
        let io = |source| SnapshotError::Io { path: self.path.to_path(), source };
        let len = self.bytes.saturating_sub(offset).min(bytes_max as u64);
        let mut piece = vec![0; len as usize];
        self.path.open(Open::Reading).and_then(|file| file.read_exact_at(&mut piece, offset)).map_err(io)?;
        Ok(piece)
    }
}

/// The newest snapshot in `dir` whose trailer can be read. Its frames are verified when they are read.
///
/// # Errors
/// The file system refused.
pub fn latest(dir: impl Into<DiskPath>) -> Result<Option<SnapshotFile>, SnapshotError> {
    for path in all(&dir.into())? {
        match SnapshotReader::open(path) {
            Ok(reader) => return Ok(Some(reader.file().clone())),
            Err(error) => tracing::warn!(%error, "a snapshot is passed over"),
        }
    }
    Ok(None)
}

/// Removes all but the newest `keep` snapshots.
///
/// # Errors
/// The file system refused.
pub fn keep_newest(dir: impl Into<DiskPath>, keep: usize) -> Result<(), SnapshotError> {
    for path in all(&dir.into())?.into_iter().skip(keep) {
        path.remove().map_err(|source| SnapshotError::Io { path: path.to_path(), source })?;
    }
    Ok(())
}

/// All snapshots, newest first.
pub(crate) fn all(dir: &DiskPath) -> Result<Vec<DiskPath>, SnapshotError> {
    let mut paths = match dir.list() {
        Ok(paths) => paths,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(source) => return Err(SnapshotError::Io { path: dir.to_path(), source }),
    };
    paths.retain(|path| path.extension() == Some(OsStr::new(EXTENSION)));
    paths.sort_unstable_by(|a, b| b.path().cmp(a.path()));
    Ok(paths)
}

/// The name sorts by age.
fn path(dir: &DiskPath, last: Option<LogId>) -> DiskPath {
    let (index, term) = last.map_or((0, 0), |id| (id.index, id.term));
    dir.join(format!("{index:020}-{term:020}.{EXTENSION}"))
}
