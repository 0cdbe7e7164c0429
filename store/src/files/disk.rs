//! What a disk can do.

use std::any::Any;
use std::fmt::Debug;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a file is opened: for reading and writing, but for the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// One that is there, for reading only.
    Reading,
    /// One that is there.
    Existing,
    /// One that is not there. Its name is durable when its directory is synced.
    New,
    /// One that is empty afterwards, whether it was there or not.
    Emptied,
    /// One that is as it was, or empty if it was not there.
    Kept,
}

/// A disk with its file system. What is written is durable when the file is synced; what is created, renamed or
/// removed when its directory is. Errors are those of the system calls of the same names.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file.
    ///
    /// # Errors
    /// There is none, there is one, or the disk refused.
    fn open(&self, path: &Path, how: Open) -> io::Result<Arc<dyn DiskFile>>;

    /// True if there is a file or directory.
    fn exists(&self, path: &Path) -> bool;

    /// What is in a directory, in no order.
    ///
    /// # Errors
    /// There is none, or the disk refused.
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>>;

    /// Makes a directory and those above it; nothing is done when it is there.
    ///
    /// # Errors
    /// The disk refused.
    fn make_dir(&self, dir: &Path) -> io::Result<()>;

    /// Gives a file or directory another name; a file that has it is replaced.
    ///
    /// # Errors
    /// The disk refused.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file; who has it open goes on.
    ///
    /// # Errors
    /// There is none, or the disk refused.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory with all that is in it.
    ///
    /// # Errors
    /// There is none, or the disk refused.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes durable what was created, renamed or removed in a directory.
    ///
    /// # Errors
    /// The disk refused: what is durable is not known.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Locks a file, which is made if it is not there, until what is given is dropped.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`]: somebody else has it locked. Or the disk refused.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Any + Send + Sync>>;

    /// Bytes that can still be written where `dir` is.
    ///
    /// # Errors
    /// The file system does not say.
    fn available(&self, dir: &Path) -> io::Result<u64>;

    /// Names this run of the machine: what a process wrote survives its own death, but not the machine's. Empty if it
    /// cannot be known.
    fn boot(&self) -> String;
}

/// An open file.
pub trait DiskFile: Send + Sync + Debug {
    /// Its length in bytes.
    ///
    /// # Errors
    /// The disk refused.
    fn len(&self) -> io::Result<u64>;

    /// True if it has no bytes.
    ///
    /// # Errors
    /// The disk refused.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills `bytes` with what is at `offset`.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`]: there are fewer bytes. Or the disk refused.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`. Not durable.
    ///
    /// # Errors
    /// The disk refused; part of it may be written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts it, or fills it up with zeros, to `len` bytes. Not durable.
    ///
    /// # Errors
    /// The disk refused.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Takes blocks for `len` bytes in all, so that writing them finds room.
    ///
    /// # Errors
    /// There is no room for them, or the disk refused.
    fn allocate(&self, len: u64) -> io::Result<()>;

    /// Makes its bytes durable, and its length.
    ///
    /// # Errors
    /// The disk refused: what is durable is not known, also if a later sync succeeds.
    fn sync_data(&self) -> io::Result<()>;

    /// As [`sync_data`](Self::sync_data), with all that belongs to the file.
    ///
    /// # Errors
    /// As there.
    fn sync_all(&self) -> io::Result<()>;
}
