//! A backup as it is sent.

use super::{BackupError, Head, Mark, io_error};
use crate::Reader;
use crate::codec::{self, CodecError, Kind};
use crate::files::{self, DiskPath};
use crate::ledger::Seal;
use crate::snapshot::{self, SnapshotFile};
use sha2::{Digest, Sha256};
use std::collections::VecDeque;

/// Bytes that are given at once.
const PIECE_BYTES: usize = 1024 * 1024;

/// A backup that is being sent, piece by piece. Nothing of it is kept when it is dropped.
#[derive(Debug)]
pub struct Outgoing {
    reader: Reader,
    head: Head,
    snapshot: SnapshotFile,
    segments: VecDeque<Seal>,
    stage: Stage,
    sha256: Sha256,
    sent: u64,
}

#[derive(Debug)]
enum Stage {
    Head,
    Segments,
    /// A segment, of which the bytes from `offset` on are to be sent.
    Segment {
        bytes: Vec<u8>,
        offset: usize,
    },
    Snapshot {
        offset: u64,
    },
    End,
    Done,
}

/// Who takes a backup, and where its snapshot waits to be sent.
#[derive(Clone, Debug)]
pub struct Taking {
    /// A directory of its own; what is in it is removed.
    pub dir: DiskPath,
    /// The group's name.
    pub name: String,
    /// See [`Head`].
    pub lineage: [u8; 16],
    /// The replica.
    pub replica: u64,
    /// The time, ms since 1970.
    pub taken_ms: u64,
}

impl Outgoing {
    /// Takes the state of this moment. Blocks for as long as reading all rows takes; apply goes on meanwhile.
    ///
    /// # Errors
    /// A [`BackupError`]; nothing is left.
    pub fn take(reader: Reader, taking: Taking) -> Result<Self, BackupError> {
        let Taking { dir, name, lineage, replica, taken_ms } = taking;
        empty(&dir)?;
        let (snapshot, meta) = reader.snapshot_builder(dir).build_with_meta()?;
        let contents = &snapshot.contents;
        let head = Head {
            made_by: concat!("tallyman ", env!("CARGO_PKG_VERSION")).to_owned(),
            name,
            group: meta.group.0,
            lineage,
            replica,
            taken_ms,
            last: contents.last,
            revision: contents.revision,
            state_hash: contents.state_hash,
            ledger_records: meta.ledger_len,
            ledger_head: meta.ledger_head.0,
        };
        let segments = contents.seals.iter().cloned().collect();
        Ok(Self { reader, head, snapshot, segments, stage: Stage::Head, sha256: Sha256::new(), sent: 0 })
    }

    /// What it is of.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The next bytes of it; `None` when all were given. Blocks while it reads.
    ///
    /// # Errors
    /// It cannot be gone on with: what was given so far is no backup.
    pub fn next_piece(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        let piece = match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Head => {
                self.stage = Stage::Segments;
                self.mark(&Mark::Head(Box::new(self.head.clone())))?
            }
            Stage::Segments => match self.segments.pop_front() {
                Some(seal) => {
                    let bytes = self.reader.ledger_segment(seal.first)?;
                    let mark = self.mark(&Mark::Segment { seal, bytes: bytes.len() as u64 })?;
                    self.stage = Stage::Segment { bytes, offset: 0 };
                    mark
                }
                None => {
                    self.stage = Stage::Snapshot { offset: 0 };
                    self.mark(&Mark::Snapshot { bytes: self.snapshot.bytes })?
                }
            },
            Stage::Segment { bytes, offset } => {
                let end = bytes.len().min(offset + PIECE_BYTES);
                let piece = bytes.get(offset..end).unwrap_or_default().to_vec();
                let is_last = end == bytes.len();
                self.stage = if is_last { Stage::Segments } else { Stage::Segment { bytes, offset: end } };
                piece
            }
            Stage::Snapshot { offset } => {
                let piece = self.snapshot.piece(offset, PIECE_BYTES)?;
                let offset = offset + piece.len() as u64;
                self.stage =
                    if offset < self.snapshot.bytes { Stage::Snapshot { offset } } else { Stage::End };
                piece
            }
            Stage::End => {
                let sha256 = self.sha256.clone().finalize().into();
                self.mark(&Mark::End { bytes: self.sent, sha256 })?
            }
            Stage::Done => return Ok(None),
        };
        self.sha256.update(&piece);
        self.sent += piece.len() as u64;
        Ok(Some(piece))
    }

    fn mark(&self, mark: &Mark) -> Result<Vec<u8>, BackupError> {
        codec::encode(Kind::Backup, mark).map_err(|source| self.part(source))
    }

    fn part(&self, source: CodecError) -> BackupError {
        BackupError::Part { path: self.snapshot.path.to_path(), position: self.sent, source }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        // What cannot be removed now goes when the next one is taken.
        let _ = self.snapshot.path.remove();
    }
}

/// Makes `dir`, and removes what an interrupted backup left in it.
fn empty(dir: &DiskPath) -> Result<(), BackupError> {
    files::prepare_dir(dir).map_err(io_error(dir.path()))?;
    for path in snapshot::all(dir)? {
        path.remove().map_err(io_error(path.path()))?;
    }
    Ok(())
}
