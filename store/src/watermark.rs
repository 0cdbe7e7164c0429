//! How far the log is known to be on disk.
//!
//! A cut log looks like a log that ends there. The watermark tells them apart: whatever it covers was fsynced
//! before it was written, so a log that ends or is damaged below it has lost what others may count on.
//!
//! The file has two places of [`SLOT_BYTES`], written in turn, each followed by an fdatasync: writing never
//! touches the newest one, and never changes the file's length.

use crate::codec::{self, CodecError, Kind};
use crate::files::{self, DiskFile, DiskPath, Open};
use crate::log::{LogId, Vote};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// Bytes of one of the two places of the file.
pub const SLOT_BYTES: usize = 512;

/// What of the log is on disk for certain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// The position in bytes, counted from the log's first byte ever, up to which it was fsynced.
    pub position: u64,
    /// The last entry before that position.
    pub last: Option<LogId>,
    /// The vote at that position.
    pub vote: Option<Vote>,
}

/// Why the watermark cannot be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WatermarkError {
    /// The file system refused.
    #[error("failed to use the watermark {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Neither place can be read: nothing is known about the log.
    #[error("failed to read the watermark {}: both places are damaged", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with the first place.
        #[source]
        source: CodecError,
    },
}

impl From<WatermarkError> for io::Error {
    fn from(error: WatermarkError) -> Self {
        match error {
            WatermarkError::Io { path, source } => {
                Self::new(source.kind(), format!("{}: {source}", path.display()))
            }
            damaged => Self::new(io::ErrorKind::InvalidData, damaged),
        }
    }
}

#[derive(Clone, Copy, Serialize, Deserialize)]
struct Slot {
    number: u64,
    watermark: Watermark,
}

/// The open watermark file.
#[derive(Debug)]
pub struct WatermarkFile {
    path: DiskPath,
    file: Arc<dyn DiskFile>,
    number: u64,
    written: Watermark,
}

impl WatermarkFile {
    /// Makes the file, with a watermark that covers nothing.
    ///
    /// # Errors
    /// The file system refused.
    pub fn create(path: impl Into<DiskPath>) -> Result<Self, WatermarkError> {
        let path = path.into();
        let slot = Slot { number: 0, watermark: Watermark::default() };
        let mut bytes = encoded(&path, &slot)?;
        bytes.extend(encoded(&path, &slot)?);
        let failed = |source| WatermarkError::Io { path: path.to_path(), source };
        files::write_whole(&path, &bytes).map_err(failed)?;
        let file = path.open(Open::Existing).map_err(failed)?;
        Ok(Self { path, file, number: 0, written: Watermark::default() })
    }

    /// Opens the file; `None` when there is none.
    ///
    /// # Errors
    /// [`WatermarkError::Damaged`], or the file system refused.
    pub fn open(path: impl Into<DiskPath>) -> Result<Option<Self>, WatermarkError> {
        let path = path.into();
        let failed = |source| WatermarkError::Io { path: path.to_path(), source };
        let file = match path.open(Open::Existing) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let bytes = path.read().map_err(failed)?;
        let place = |at: usize| {
            let bytes = bytes.get(at * SLOT_BYTES..).unwrap_or_default();
            codec::decode_prefix::<Slot>(Kind::Watermark, bytes).map(|(slot, _)| slot)
        };
        let newest = match (place(0), place(1)) {
            (Ok(first), Ok(second)) if second.number > first.number => second,
            (Ok(slot), Ok(_)) => slot,
            (Ok(slot), Err(error)) | (Err(error), Ok(slot)) => {
                tracing::warn!(path = %path.display(), %error, "one place of the watermark is damaged, the other is used");
                slot
            }
            (Err(source), Err(_)) => return Err(WatermarkError::Damaged { path: path.to_path(), source }),
        };
        Ok(Some(Self { path, file, number: newest.number, written: newest.watermark }))
    }

    /// The watermark that was read or written last.
    #[must_use]
    pub fn get(&self) -> Watermark {
        self.written
    }

    /// Puts `watermark` on disk; nothing is done when it is there already.
    ///
    /// # Errors
    /// The write or fdatasync failed: the watermark on disk is the old or the new one.
    pub fn put(&mut self, watermark: Watermark) -> Result<(), WatermarkError> {
        if watermark == self.written {
            return Ok(());
        }
        let number = self.number + 1;
        let bytes = encoded(&self.path, &Slot { number, watermark })?;
        let at = (number % 2) * SLOT_BYTES as u64;
        let failed = |source| WatermarkError::Io { path: self.path.to_path(), source };
        self.file.write_all_at(&bytes, at).map_err(failed)?;
        self.file.sync_data().map_err(failed)?;
        self.number = number;
        self.written = watermark;
        Ok(())
    }
}

fn encoded(path: &DiskPath, slot: &Slot) -> Result<Vec<u8>, WatermarkError> {
    let mut bytes = codec::encode(Kind::Watermark, slot)
        .map_err(|source| WatermarkError::Damaged { path: path.to_path(), source })?;
    bytes.resize(SLOT_BYTES, 0);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;

    fn at(position: u64) -> Watermark {
        Watermark { position, last: Some(LogId { term: 1, leader: 2, index: position }), vote: None }
    }

    #[test]
    fn the_newest_watermark_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watermark");
        assert!(WatermarkFile::open(&path).unwrap().is_none());
        let mut file = WatermarkFile::create(&path).unwrap();
        for position in 1..6 {
            file.put(at(position)).unwrap();
            assert_eq!(WatermarkFile::open(&path).unwrap().unwrap().get(), at(position));
        }
    }

    #[test]
    fn a_flipped_bit_never_gives_a_watermark_that_was_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("watermark");
        let mut file = WatermarkFile::create(&path).unwrap();
        file.put(at(1)).unwrap();
        file.put(at(2)).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, flipped).unwrap();
            let read = WatermarkFile::open(&path).unwrap().unwrap().get();
            assert!(read == at(1) || read == at(2), "bit {bit}: {read:?}");
        }
        std::fs::write(&path, vec![0; SLOT_BYTES * 2]).unwrap();
        assert!(matches!(WatermarkFile::open(&path), Err(WatermarkError::Damaged { .. })));
    }
}
