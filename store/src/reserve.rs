//! The space that is left for a data directory, and blocks that are kept for when there is none.
//!
//! The reserve is a file whose blocks are really taken. It is given up in two halves: one so that a replica on a full
//! disk can go on writing its log, the other so that it can start again if that did not help.

use crate::files::{DiskPath, Open};
use std::io;

const FILE: &str = "reserve";

/// The reserve of one data directory.
#[derive(Clone, Debug)]
pub struct Reserve {
    dir: DiskPath,
    bytes: u64,
}

impl Reserve {
    /// That of the data directory `dir`, of `bytes` when it is whole. Nothing is done yet.
    #[must_use]
    pub fn of(dir: impl Into<DiskPath>, bytes: u64) -> Self {
        Self { dir: dir.into(), bytes }
    }

    fn path(&self) -> DiskPath {
        self.dir.join(FILE)
    }

    /// How many bytes can still be written beside the reserve.
    ///
    /// # Errors
    /// The file system does not say.
    pub fn available(&self) -> io::Result<u64> {
        self.dir.available()
    }

    /// How many bytes are kept.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.path().open(Open::Reading).and_then(|file| file.len()).unwrap_or(0)
    }

    /// How many bytes are wanting until it is whole.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.bytes.saturating_sub(self.held())
    }

    /// Makes it whole.
    ///
    /// # Errors
    /// The file system refused; what was kept before still is.
    pub fn hold(&self) -> io::Result<()> {
        let held = self.held();
        if held == self.bytes {
            return Ok(());
        }
        let file = self.path().open(Open::Kept)?;
        let taken = file.allocate(self.bytes);
        if taken.is_err() {
            file.set_len(held)?;
        }
        taken?;
        file.sync_all()?;
        self.dir.sync_dir()
    }

    /// Gives the first half up; nothing is done when it is given up already.
    ///
    /// # Errors
    /// The file system refused.
    pub fn release_half(&self) -> io::Result<()> {
        if self.held() <= self.bytes / 2 {
            return Ok(());
        }
        let file = self.path().open(Open::Existing)?;
        file.set_len(self.bytes / 2)?;
        // Blocks are free when the file system has noted that they are.
        file.sync_all()
    }

    /// Gives up what is left of it.
    ///
    /// # Errors
    /// The file system refused.
    pub fn release(&self) -> io::Result<()> {
        match self.path().remove() {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.dir.sync_dir(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;

    const BYTES: u64 = 4 * 1024 * 1024 + 4096;

    fn blocks(reserve: &Reserve) -> u64 {
        fs::metadata(reserve.path().path()).map_or(0, |file| file.blocks() * 512)
    }

    #[test]
    fn its_blocks_are_really_taken_and_given_up_by_halves() {
        let dir = tempfile::tempdir().unwrap();
        let reserve = Reserve::of(dir.path(), BYTES);
        assert!(reserve.available().unwrap() > 0);
        assert_eq!((reserve.held(), reserve.missing()), (0, BYTES));
        reserve.hold().unwrap();
        assert_eq!((reserve.held(), reserve.missing()), (BYTES, 0));
        assert!(blocks(&reserve) >= BYTES);
        reserve.release_half().unwrap();
        reserve.release_half().unwrap();
        assert_eq!(reserve.held(), BYTES / 2);
        assert!(blocks(&reserve) < BYTES);
        reserve.hold().unwrap();
        assert!(blocks(&reserve) >= BYTES);
        reserve.release().unwrap();
        reserve.release().unwrap();
        assert_eq!((reserve.held(), blocks(&reserve)), (0, 0));
    }
}
