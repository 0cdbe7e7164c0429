//! Receives a snapshot in pieces.

use super::{SnapshotError, SnapshotFile, SnapshotReader, writer};
use crate::files::{self, DiskPath, Open, Steady};
use std::io;

/// A snapshot that is being received. A sender that lost the connection asks for [`len`](Self::len) and goes on from
/// there. Dropped before [`finish`](Self::finish) it leaves nothing behind.
#[derive(Debug)]
pub struct IncomingSnapshot {
    dir: DiskPath,
    aside: DiskPath,
    file: Steady,
    len: u64,
}

impl IncomingSnapshot {
    /// Begins to receive a snapshot into `dir`.
    ///
    /// # Errors
    /// The file system refused.
    pub fn create(dir: impl Into<DiskPath>) -> Result<Self, SnapshotError> {
        let dir = dir.into();
        let aside = writer::aside(&dir);
        let io = |source| SnapshotError::Io { path: aside.to_path(), source };
        dir.make_dir().map_err(io)?;
        let file = Steady::over(aside.open(Open::Emptied).map_err(io)?);
        Ok(Self { dir, aside, file, len: 0 })
    }

    /// How many bytes are here.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// True when nothing is here yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes the piece that begins at `offset`. A piece that is here already is taken as done.
    ///
    /// # Errors
    /// [`SnapshotError::Offset`] when there is a gap; or the file system refused.
    pub fn piece(&mut self, offset: u64, bytes: &[u8]) -> Result<(), SnapshotError> {
        let end = offset + bytes.len() as u64;
        if offset > self.len {
            return Err(SnapshotError::Offset { offset, have: self.len });
        }
        if end <= self.len {
            return Ok(());
        }
        self.file.write_all_at(bytes, offset).map_err(|source| self.io(source))?;
        self.len = end;
        Ok(())
    }

    /// Verifies everything and gives the file its name, durably.
    ///
    /// # Errors
    /// It is damaged, or the file system refused: there is no new snapshot.
    pub fn finish(self) -> Result<SnapshotFile, SnapshotError> {
        self.file.sync_all().map_err(|source| self.io(source))?;
        let found = SnapshotReader::open(self.aside.clone())?.verify()?;
        let path = super::path(&self.dir, found.contents.last);
        files::publish(&self.aside, &path).map_err(|source| self.io(source))?;
        Ok(SnapshotFile { path, ..found })
    }

    fn io(&self, source: io::Error) -> SnapshotError {
        SnapshotError::Io { path: self.aside.to_path(), source }
    }
}

impl Drop for IncomingSnapshot {
    fn drop(&mut self) {
        // After `finish` there is nothing under this name.
        let _ = self.aside.remove();
    }
}
