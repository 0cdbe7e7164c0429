//! The end of the log's files, where records are added.
//!
//! Records are written into zeros that are there already: a file that grows has its length committed with each
//! fdatasync, which costs half as much time again, and twice the CPU. So the last record of a file is followed by zeros,
//! and each time that they are used up the next ones are written together with what comes.

use super::index::Place;
use super::record::{Change, Record};
use super::scan::Found;
use super::segment::Segment;
use super::types::LogState;
use crate::files::DiskPath;
use crate::watermark::Watermark;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// Zeros are written ahead up to a multiple of this length.
const ZEROS_BYTES: u64 = 256 * 1024;
/// What may be kept of the memory that the largest write took.
const BUFFER_BYTES_MAX: usize = 1024 * 1024;

/// The files, and what waits to be written to the newest one.
pub(super) struct Tail {
    dir: DiskPath,
    segment_bytes_max: u64,
    /// Oldest first.
    segments: VecDeque<Arc<Segment>>,
    /// Where the newest file has its first record behind what it restates, or before that: one record always fits.
    begun: u64,
    /// What the log holds with all that was added.
    state: LogState,
    /// Up to here all is on disk.
    durable: u64,
    /// Up to here the newest file has bytes, which are zeros behind the last record.
    zeros_end: u64,
    /// What is to be written at `durable`.
    buffer: Vec<u8>,
}

impl Tail {
    /// The end of the log that was found in `dir`, all of which is on disk.
    ///
    /// # Errors
    /// The first file cannot be made.
    pub(super) fn of(dir: &DiskPath, segment_bytes_max: u64, found: &Found) -> io::Result<Self> {
        let mut tail = Self {
            dir: dir.clone(),
            segment_bytes_max,
            segments: found.segments.clone(),
            begun: found.segments.back().map_or(0, |segment| segment.start),
            state: found.state,
            durable: found.end,
            zeros_end: found.zeros_end,
            buffer: Vec::new(),
        };
        if tail.segments.is_empty() {
            tail.begin()?;
            tail.flush()?;
        }
        Ok(tail)
    }

    pub(super) fn segments(&self) -> &VecDeque<Arc<Segment>> {
        &self.segments
    }

    /// What is on disk, right after a [`flush`](Self::flush).
    pub(super) fn watermark(&self) -> Watermark {
        Watermark { position: self.durable, last: self.state.last, vote: self.state.vote }
    }

    /// Adds a record. It is written by the next [`flush`](Self::flush), or before that if a new file is begun.
    ///
    /// # Errors
    /// A write or sync failed, or the record is too long for its envelope.
    pub(super) fn add<B: AsRef<[u8]>>(&mut self, change: Change<B>) -> io::Result<Place> {
        let mut record = Record { position: self.end(), durable: self.durable, change };
        let mut length = self.encode(&record)?;
        let start = self.newest()?.start;
        if record.position > self.begun && self.end() > start + self.segment_bytes_max {
            self.buffer.truncate(self.buffer.len() - length);
            self.begin()?;
            record = Record { position: self.end(), durable: self.durable, ..record };
            length = self.encode(&record)?;
        }
        self.state = self.state.after(&record.change);
        Ok(Place { position: record.position, length })
    }

    /// Adds a record that is no entry, as [`add`](Self::add) does.
    ///
    /// # Errors
    /// As there.
    pub(super) fn change(&mut self, change: Change<&[u8]>) -> io::Result<()> {
        self.add(change).map(drop)
    }

    /// Writes what was added and waits until it is on disk.
    ///
    /// # Errors
    /// A write or sync failed: what is on disk is unknown.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let newest = Arc::clone(self.newest()?);
        let end = self.end();
        if end > self.zeros_end {
            let length = end - newest.start;
            let whole = length.next_multiple_of(ZEROS_BYTES).min(self.segment_bytes_max).max(length);
            self.zeros_end = newest.start + whole;
            self.buffer.resize(self.buffer.len() + (whole - length) as usize, 0);
        }
        newest.write(self.durable, &self.buffer)?;
        newest.sync()?;
        self.durable = end;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_MAX);
        Ok(())
    }

    /// Removes the files that hold nothing but what was purged. All that was added is on disk.
    ///
    /// # Errors
    /// The file system refused.
    pub(super) fn remove_purged(&mut self) -> io::Result<()> {
        let Some(purged) = self.state.last_purged else { return Ok(()) };
        // What a file says that it follows: anything later was cut before it was begun.
        let is_needless = |next: &Arc<Segment>| next.before.is_none_or(|before| before.index <= purged.index);
        let needed = self.segments.iter().rposition(is_needless).unwrap_or_default();
        // One after the other, also on a disk that keeps no order: a gap between files would be taken for damage.
        let Self { segments, dir, .. } = self;
        segments.drain(..needed).try_for_each(|segment| segment.remove().and_then(|()| dir.sync_dir()))
    }

    /// Begins a new file, when all before it is on disk: whatever is in a file says that those before it are whole.
    fn begin(&mut self) -> io::Result<()> {
        self.flush()?;
        let segment = Segment::create(&self.dir, self.durable, self.state.last)?;
        self.dir.sync_dir()?;
        self.segments.push_back(Arc::new(segment));
        self.zeros_end = self.durable;
        let change = Change::<Vec<u8>>::Begin(self.state);
        self.encode(&Record { position: self.durable, durable: self.durable, change })?;
        self.begun = self.end();
        Ok(())
    }

    fn newest(&self) -> io::Result<&Arc<Segment>> {
        self.segments.back().ok_or_else(|| io::Error::other("the log has no file"))
    }

    /// Where the next record begins.
    fn end(&self) -> u64 {
        self.durable + self.buffer.len() as u64
    }

    fn encode<B: AsRef<[u8]>>(&mut self, record: &Record<B>) -> io::Result<usize> {
        let before = self.buffer.len();
        let encoded = record.encode_into(&mut self.buffer);
        encoded.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        Ok(self.buffer.len() - before)
    }
}
