//! The space that is left for a data directory, and blocks that are kept for when there is none.
//!
//! The reserve is a file whose blocks are really taken. It is given up in two halves: one so that a replica on a full
//! disk can go on writing its log, the other so that it can start again if that did not help.

use crate::files;
use rustix::fs::{FallocateFlags, fallocate, statvfs};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const FILE: &str = "reserve";
/// Zeros that are written at once where blocks cannot be taken otherwise.
const PIECE_BYTES: usize = 1024 * 1024;

/// The reserve of one data directory.
#[derive(Clone, Debug)]
pub struct Reserve {
    dir: PathBuf,
    bytes: u64,
}

impl Reserve {
    /// That of the data directory `dir`, of `bytes` when it is whole. Nothing is done yet.
    #[must_use]
    pub fn of(dir: &Path, bytes: u64) -> Self {
        Self { dir: dir.to_owned(), bytes }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(FILE)
    }

    /// How many bytes can still be written beside the reserve.
    ///
    /// # Errors
    /// The file system does not say.
    pub fn available(&self) -> io::Result<u64> {
        let found = statvfs(&self.dir)?;
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    /// How many bytes are kept.
    #[must_use]
    pub fn held(&self) -> u64 {
        fs::metadata(self.path()).map_or(0, |file| file.len())
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
        let file = OpenOptions::new().create(true).append(true).open(self.path())?;
        let taken = match fallocate(&file, FallocateFlags::empty(), 0, self.bytes) {
            Err(rustix::io::Errno::OPNOTSUPP) => fill(&file, self.missing()),
            taken => taken.map_err(io::Error::from),
        };
        if taken.is_err() {
            file.set_len(held)?;
        }
        taken?;
        file.sync_all()?;
        files::sync_dir(&self.dir)
    }

    /// Gives the first half up; nothing is done when it is given up already.
    ///
    /// # Errors
    /// The file system refused.
    pub fn release_half(&self) -> io::Result<()> {
        if self.held() <= self.bytes / 2 {
            return Ok(());
        }
        let file = OpenOptions::new().write(true).open(self.path())?;
        file.set_len(self.bytes / 2)?;
        // Blocks are free when the file system has noted that they are.
        file.sync_all()
    }

    /// Gives up what is left of it.
    ///
    /// # Errors
    /// The file system refused.
    pub fn release(&self) -> io::Result<()> {
        match fs::remove_file(self.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => files::sync_dir(&self.dir),
        }
    }
}

fn fill(mut file: &File, mut bytes: u64) -> io::Result<()> {
    let zeros = vec![0; PIECE_BYTES];
    while bytes > 0 {
        let piece = zeros.get(..usize::try_from(bytes).unwrap_or(PIECE_BYTES)).unwrap_or(&zeros);
        file.write_all(piece)?;
        bytes -= piece.len() as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use std::os::unix::fs::MetadataExt;

    const BYTES: u64 = 4 * 1024 * 1024 + 4096;

    fn blocks(reserve: &Reserve) -> u64 {
        fs::metadata(reserve.path()).map_or(0, |file| file.blocks() * 512)
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

    #[test]
    fn where_blocks_cannot_be_asked_for_zeros_take_them() {
        let dir = tempfile::tempdir().unwrap();
        let file = File::create(dir.path().join(FILE)).unwrap();
        fill(&file, BYTES).unwrap();
        assert_eq!(file.metadata().unwrap().len(), BYTES);
    }
}
