//! One file of the log.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::types::LogId;

/// The ending of the log's files; their names are the positions at which they begin.
pub(super) const ENDING: &str = "wal";

/// One file of the log. Errors name it.
#[derive(Debug)]
pub(super) struct Segment {
    /// The position of its first byte.
    pub(super) start: u64,
    /// The last entry before it.
    pub(super) before: Option<LogId>,
    path: PathBuf,
    file: File,
}

impl Segment {
    /// Where the file is that begins at `start`.
    pub(super) fn path_in(dir: &Path, start: u64) -> PathBuf {
        dir.join(format!("{start:020}.{ENDING}"))
    }

    /// Makes it, empty; its name is not durable yet.
    pub(super) fn create(dir: &Path, start: u64, before: Option<LogId>) -> io::Result<Self> {
        Self::open_with(dir, start, before, OpenOptions::new().read(true).write(true).create_new(true))
    }

    /// Opens one that is there.
    pub(super) fn open(dir: &Path, start: u64, before: Option<LogId>) -> io::Result<Self> {
        Self::open_with(dir, start, before, OpenOptions::new().read(true).write(true))
    }

    fn open_with(dir: &Path, start: u64, before: Option<LogId>, options: &OpenOptions) -> io::Result<Self> {
        let path = Self::path_in(dir, start);
        let file = options.open(&path).map_err(|error| named(&path, &error))?;
        Ok(Self { start, before, path, file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn write(&self, position: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, position - self.start).map_err(|error| named(&self.path, &error))
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data().map_err(|error| named(&self.path, &error))
    }

    pub(super) fn read(&self, position: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let read = self.file.read_exact_at(&mut bytes, position - self.start);
        read.map_err(|error| named(&self.path, &error))?;
        Ok(bytes)
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path).map_err(|error| named(&self.path, &error))
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
