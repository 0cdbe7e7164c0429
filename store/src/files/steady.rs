//! Long files, from one end to the other.

use super::DiskFile;
use std::io::{self, Read, Write};
use std::sync::Arc;

/// Bytes of a long file that wait to be synced at most.
const UNSYNCED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A long file that is written beside others: it is synced every few MiB, so that who syncs another file of the same
/// disk waits for no more than these.
#[derive(Debug)]
pub struct Steady {
    file: Arc<dyn DiskFile>,
    /// Where [`Write`] writes.
    end: u64,
    unsynced_bytes: usize,
}

impl Steady {
    /// Writes from the beginning of `file`.
    #[must_use]
    pub fn over(file: Arc<dyn DiskFile>) -> Self {
        Self { file, end: 0, unsynced_bytes: 0 }
    }

    /// Writes all of `bytes` at `offset`, wherever it is.
    ///
    /// # Errors
    /// The file system refused; part of it may be written.
    pub fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)?;
        self.unsynced_bytes += bytes.len();
        if self.unsynced_bytes >= UNSYNCED_BYTES_MAX {
            self.file.sync_data()?;
            self.unsynced_bytes = 0;
        }
        Ok(())
    }

    /// Makes everything durable, its length included.
    ///
    /// # Errors
    /// The file system refused: what is durable is not known.
    pub fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl Write for Steady {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all_at(bytes, self.end)?;
        self.end += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A long file that is read from its beginning on.
#[derive(Debug)]
pub(crate) struct Reading {
    file: Arc<dyn DiskFile>,
    at: u64,
    end: u64,
}

impl Reading {
    /// Reads `file` up to byte `end`, which it has.
    pub(crate) fn of(file: Arc<dyn DiskFile>, end: u64) -> Self {
        Self { file, at: 0, end }
    }
}

impl Read for Reading {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let len = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(bytes.len());
        self.file.read_exact_at(bytes.get_mut(..len).unwrap_or_default(), self.at)?;
        self.at += len as u64;
        Ok(len)
    }
}
