//! One file of the log.

use super::types::LogId;
use crate::files::{DiskFile, DiskPath, Open};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The ending of the log's files; their names are the positions at which they begin.
pub(super) const ENDING: &str = "wal";

/// One file of the log. Errors name it.
#[derive(Debug)]
pub(super) struct Segment {
    /// The position of its first byte.
    pub(super) start: u64,
    /// The last entry before it.
    pub(super) before: Option<LogId>,
    path: DiskPath,
    file: Arc<dyn DiskFile>,
}

impl Segment {
    /// Where the file is that begins at `start`.
    pub(super) fn path_in(dir: &DiskPath, start: u64) -> DiskPath {
        dir.join(format!("{start:020}.{ENDING}"))
    }

    /// Makes it, empty; its name is not durable yet.
    pub(super) fn create(dir: &DiskPath, start: u64, before: Option<LogId>) -> io::Result<Self> {
        Self::open_as(dir, start, before, Open::New)
    }

    /// Opens one that is there.
    pub(super) fn open(dir: &DiskPath, start: u64, before: Option<LogId>) -> io::Result<Self> {
        Self::open_as(dir, start, before, Open::Existing)
    }

    fn open_as(dir: &DiskPath, start: u64, before: Option<LogId>, how: Open) -> io::Result<Self> {
        let path = Self::path_in(dir, start);
        let file = path.open(how).map_err(|error| named(&path, &error))?;
        Ok(Self { start, before, path, file })
    }

    pub(super) fn path(&self) -> &Path {
        self.path.path()
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
        self.path.remove().map_err(|error| named(&self.path, &error))
    }
}

fn named(path: &DiskPath, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
