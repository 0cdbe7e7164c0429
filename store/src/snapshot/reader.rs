//! Reads a snapshot, and believes nothing of it before it is verified.

use super::{Contents, FOOTER_BYTES, Frame, Header, SnapshotError, SnapshotFile, Trailer};
use crate::codec::{self, CodecError, HEADER_BYTES, Kind};
use crate::files::{DiskPath, Open, Reading};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::io::{self, BufReader, Read};

const READ_BUFFER_BYTES: usize = 1024 * 1024;

/// An open snapshot. The trailer is verified at open, each frame when it is read, the whole at its end: who uses
/// frames before [`next`](Self::next) has given `None` must be able to throw them away.
#[derive(Debug)]
pub struct SnapshotReader {
    file: SnapshotFile,
    input: BufReader<Reading>,
    trailer_at: u64,
    position: u64,
    sha256: Sha256,
    expected: Expected,
}

#[derive(Debug)]
struct Expected {
    frames: u64,
    rows: u64,
    sha256: [u8; 32],
}

impl SnapshotReader {
    /// Opens a snapshot and reads its trailer and header.
    ///
    /// # Errors
    /// It is damaged, or the file system refused.
    pub fn open(path: impl Into<DiskPath>) -> Result<Self, SnapshotError> {
        let path = path.into();
        let io = |source| SnapshotError::Io { path: path.to_path(), source };
        let damaged = |what| SnapshotError::Damaged { path: path.to_path(), what };
        let file = path.open(Open::Reading).map_err(io)?;
        let bytes = file.len().map_err(io)?;
        let footer_at = bytes.checked_sub(FOOTER_BYTES).ok_or_else(|| damaged("it is too short"))?;
        let mut footer = [0; FOOTER_BYTES as usize];
        file.read_exact_at(&mut footer, footer_at).map_err(io)?;
        let [a, b, c, d, rest @ ..] = footer;
        let len = u32::from_le_bytes([a, b, c, d]);
        if len != !u32::from_le_bytes(rest) {
            return Err(damaged("its end is not that of a snapshot"));
        }
        let trailer_at = footer_at.checked_sub(u64::from(len)).ok_or_else(|| damaged("it is too short"))?;
        let mut trailer = vec![0; len as usize];
        file.read_exact_at(&mut trailer, trailer_at).map_err(io)?;
        let trailer: Trailer = codec::decode(Kind::SnapshotTrailer, &trailer)
            .map_err(|source| SnapshotError::Part { path: path.to_path(), position: trailer_at, source })?;
        let input = BufReader::with_capacity(READ_BUFFER_BYTES, Reading::of(file, trailer_at));
        let mut reader = Self {
            file: SnapshotFile { path, contents: trailer.contents, bytes },
            input,
            trailer_at,
            position: 0,
            sha256: Sha256::new(),
            expected: Expected { frames: trailer.frames, rows: trailer.rows, sha256: trailer.sha256 },
        };
        reader.part::<Header>(Kind::SnapshotHeader)?;
        Ok(reader)
    }

    /// The file, and what it is of.
    #[must_use]
    pub fn file(&self) -> &SnapshotFile {
        &self.file
    }

    /// What it is of.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.file.contents
    }

    /// The next frame; `None` after the last one, when everything has been verified.
    ///
    /// # Errors
    /// It is damaged, or the file system refused: nothing that was read so far may be kept.
    #[expect(clippy::should_implement_trait, reason = "an iterator would hide that the end verifies")]
    pub fn next(&mut self) -> Result<Option<Frame>, SnapshotError> {
        let what = if self.position < self.trailer_at {
            let frame: Frame = self.part(Kind::SnapshotFrame)?;
            let rows = if let Frame::Rows(rows) = &frame { rows.len() as u64 } else { 0 };
            match (self.expected.frames.checked_sub(1), self.expected.rows.checked_sub(rows)) {
                (Some(frames), Some(rows)) => {
                    (self.expected.frames, self.expected.rows) = (frames, rows);
                    return Ok(Some(frame));
                }
                _ => "it has more frames or rows than it says",
            }
        } else if (self.expected.frames, self.expected.rows) != (0, 0) {
            "it has fewer frames or rows than it says"
        } else if <[u8; 32]>::from(self.sha256.clone().finalize()) != self.expected.sha256 {
            "its SHA-256 does not fit"
        } else {
            return Ok(None);
        };
        Err(SnapshotError::Damaged { path: self.file.path.to_path(), what })
    }

    /// Reads everything, to verify it.
    ///
    /// # Errors
    /// It is damaged, or the file system refused.
    pub fn verify(mut self) -> Result<SnapshotFile, SnapshotError> {
        while self.next()?.is_some() {}
        Ok(self.file)
    }

    fn part<T: DeserializeOwned>(&mut self, kind: Kind) -> Result<T, SnapshotError> {
        let mut bytes = vec![0; HEADER_BYTES];
        self.fill(kind, &mut bytes, 0)?;
        let len = codec::length(kind, &bytes).map_err(|source| self.bad(source))?;
        bytes.resize(len, 0);
        self.fill(kind, &mut bytes, HEADER_BYTES)?;
        let part = codec::decode(kind, &bytes).map_err(|source| self.bad(source))?;
        self.sha256.update(&bytes);
        self.position += len as u64;
        Ok(part)
    }

    fn fill(&mut self, kind: Kind, bytes: &mut [u8], from: usize) -> Result<(), SnapshotError> {
        let (need, have) = (bytes.len(), self.trailer_at.saturating_sub(self.position) as usize);
        if need > have {
            return Err(self.bad(CodecError::Short { kind, need, have }));
        }
        let unread = bytes.get_mut(from..).unwrap_or_default();
        match self.input.read_exact(unread) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.bad(CodecError::Short { kind, need, have }))
            }
            Err(source) => Err(SnapshotError::Io { path: self.file.path.to_path(), source }),
        }
    }

    fn bad(&self, source: CodecError) -> SnapshotError {
        SnapshotError::Part { path: self.file.path.to_path(), position: self.position, source }
    }
}
