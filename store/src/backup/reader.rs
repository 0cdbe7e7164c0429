//! What a backup says of itself.

use super::{BackupError, Head, Mark, io_error};
use crate::codec::{self, HEADER_BYTES, Kind};
use crate::ledger::Seal;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const READ_BUFFER_BYTES: usize = 1024 * 1024;

/// What a stretch of bytes in a backup is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// A full segment of the ledger; `None`: the snapshot.
    pub segment: Option<Seal>,
    /// Where it begins.
    pub at: u64,
    /// Its length.
    pub bytes: u64,
}

/// A backup on disk, as it describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupFile {
    /// Where it is.
    pub path: PathBuf,
    /// What it is of.
    pub head: Head,
    /// The ledger's segments, and last the snapshot.
    pub parts: Vec<Part>,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of everything but its end.
    pub sha256: [u8; 32],
}

/// Reads what a backup says of itself: its envelopes are verified, and that it has an end where its last byte is. What
/// is between them is not read: that is what [`verify`](super::verify) is for.
///
/// # Errors
/// It is no whole backup, or the file system refused.
pub fn inspect(path: &Path) -> Result<BackupFile, BackupError> {
    let file = File::open(path).map_err(io_error(path))?;
    let length = file.metadata().map_err(io_error(path))?.len();
    let mut input = BufReader::with_capacity(READ_BUFFER_BYTES, file);
    let damaged = |what| BackupError::Damaged { path: path.to_owned(), what };
    let (mut head, mut parts, mut position) = (None, Vec::new(), 0);
    loop {
        let (mark, after) = mark(path, &mut input, position)?;
        let (segment, bytes) = match mark {
            Mark::Head(found) if position == 0 => {
                head = Some(*found);
                (None, 0)
            }
            Mark::Head(_) => return Err(damaged("it begins twice")),
            Mark::Segment { seal, bytes } => (Some(seal), bytes),
            Mark::Snapshot { bytes } => (None, bytes),
            Mark::End { bytes, sha256 } => {
                if bytes != position || after != length {
                    return Err(damaged("its end is not where it says"));
                }
                let head = head.ok_or_else(|| damaged("it does not begin with what it is of"))?;
                if parts.last().is_none_or(|part: &Part| part.segment.is_some()) {
                    return Err(damaged("there is no snapshot in it"));
                }
                return Ok(BackupFile { path: path.to_owned(), head, parts, bytes: length, sha256 });
            }
        };
        if bytes > 0 {
            parts.push(Part { segment, at: after, bytes });
        }
        position = after.checked_add(bytes).ok_or_else(|| damaged("a part of it has no end"))?;
        input.seek(SeekFrom::Start(position)).map_err(io_error(path))?;
    }
}

/// The envelope at `position`, and where it ends.
fn mark(path: &Path, input: &mut impl Read, position: u64) -> Result<(Mark, u64), BackupError> {
    let part = |source| BackupError::Part { path: path.to_owned(), position, source };
    let mut bytes = vec![0; HEADER_BYTES];
    fill(path, input, &mut bytes)?;
    let length = codec::length(Kind::Backup, &bytes).map_err(part)?;
    bytes.resize(length, 0);
    fill(path, input, bytes.get_mut(HEADER_BYTES..).unwrap_or_default())?;
    let mark = codec::decode(Kind::Backup, &bytes).map_err(part)?;
    Ok((mark, position + length as u64))
}

fn fill(path: &Path, input: &mut impl Read, bytes: &mut [u8]) -> Result<(), BackupError> {
    input.read_exact(bytes).map_err(|source| match source.kind() {
        io::ErrorKind::UnexpectedEof => {
            BackupError::Damaged { path: path.to_owned(), what: "it ends before its end: not all of it came" }
        }
        _ => BackupError::Io { path: path.to_owned(), source },
    })
}
