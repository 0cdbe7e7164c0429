//! Writes a snapshot.

use super::{
    Contents, EXTENSION, FRAME_BYTES, Frame, Header, SnapshotError, SnapshotFile, SnapshotRow, Trailer,
};
use crate::codec::{self, Blob, Kind};
use crate::files::{self, DiskPath, Open, Steady};
use crate::ledger::LedgerLine;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::io::{BufWriter, Write};
use std::sync::atomic::{AtomicU64, Ordering};

/// Two snapshots may be under way at once, one built and one received.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A name for a file under way in `dir`.
pub(super) fn aside(dir: &DiskPath) -> DiskPath {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    dir.join(format!("{number}.{EXTENSION}.{}", files::UNFINISHED))
}

/// A snapshot that is being written. Dropped before [`finish`](Self::finish) it leaves nothing behind.
#[derive(Debug)]
pub struct SnapshotWriter {
    dir: DiskPath,
    aside: DiskPath,
    file: BufWriter<Steady>,
    sha256: Sha256,
    position: u64,
    frames: u64,
    rows: u64,
    waiting: Vec<SnapshotRow>,
    waiting_bytes: usize,
    finished: bool,
}

impl SnapshotWriter {
    /// Begins a snapshot in `dir`, which is made if it is not there.
    ///
    /// # Errors
    /// The file system refused.
    pub fn create(dir: impl Into<DiskPath>, made_by: &str) -> Result<Self, SnapshotError> {
        let dir = dir.into();
        let aside = aside(&dir);
        let io = |source| SnapshotError::Io { path: aside.to_path(), source };
        dir.make_dir().map_err(io)?;
        let file = Steady::over(aside.open(Open::Emptied).map_err(io)?);
        let file = BufWriter::with_capacity(FRAME_BYTES, file);
        let mut writer = Self {
            dir,
            aside,
            file,
            sha256: Sha256::new(),
            position: 0,
            frames: 0,
            rows: 0,
            waiting: Vec::new(),
            waiting_bytes: 0,
            finished: false,
        };
        writer.part(Kind::SnapshotHeader, &Header { made_by: made_by.to_owned() })?;
        Ok(writer)
    }

    /// Adds a row; `None`: the row is gone, whatever was added before.
    ///
    /// # Errors
    /// The file system refused.
    pub fn row(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), SnapshotError> {
        self.waiting_bytes += key.len() + value.map_or(0, <[u8]>::len);
        self.waiting.push((key.into(), value.map(Blob::from)));
        self.rows += 1;
        if self.waiting_bytes >= FRAME_BYTES { self.close_frame() } else { Ok(()) }
    }

    /// Adds records of the ledger, in order.
    ///
    /// # Errors
    /// The file system refused.
    pub fn ledger(&mut self, lines: Vec<LedgerLine>) -> Result<(), SnapshotError> {
        self.close_frame()?;
        let lines = lines.into_iter().map(|line| (line.seq, Blob(line.bytes), line.hash)).collect();
        self.frames += 1;
        self.part(Kind::SnapshotFrame, &Frame::Ledger(lines))
    }

    /// Closes the snapshot and gives it its name, durably.
    ///
    /// # Errors
    /// The file system refused: there is no new snapshot.
    pub fn finish(mut self, contents: Contents) -> Result<SnapshotFile, SnapshotError> {
        self.close_frame()?;
        let sha256 = self.sha256.clone().finalize().into();
        let begin = self.position;
        let trailer = Trailer { contents, frames: self.frames, rows: self.rows, sha256 };
        self.part(Kind::SnapshotTrailer, &trailer)?;
        let len = (self.position - begin) as u32;
        let path = super::path(&self.dir, trailer.contents.last);
        let closed = self
            .file
            .write_all(&len.to_le_bytes())
            .and_then(|()| self.file.write_all(&(!len).to_le_bytes()))
            .and_then(|()| self.file.flush())
            .and_then(|()| self.file.get_ref().sync_all())
            .and_then(|()| files::publish(&self.aside, &path));
        closed.map_err(|source| SnapshotError::Io { path: path.to_path(), source })?;
        self.finished = true;
        Ok(SnapshotFile { path, contents: trailer.contents, bytes: self.position + super::FOOTER_BYTES })
    }

    fn close_frame(&mut self) -> Result<(), SnapshotError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.waiting);
        self.waiting_bytes = 0;
        self.frames += 1;
        self.part(Kind::SnapshotFrame, &Frame::Rows(rows))
    }

    fn part<T: Serialize>(&mut self, kind: Kind, part: &T) -> Result<(), SnapshotError> {
        let bytes = codec::encode(kind, part).map_err(|source| SnapshotError::Part {
            path: self.aside.to_path(),
            position: self.position,
            source,
        })?;
        let written = self.file.write_all(&bytes);
        written.map_err(|source| SnapshotError::Io { path: self.aside.to_path(), source })?;
        self.sha256.update(&bytes);
        self.position += bytes.len() as u64;
        Ok(())
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed now goes when the directory is opened.
            let _ = self.aside.remove();
        }
    }
}
