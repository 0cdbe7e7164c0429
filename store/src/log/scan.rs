//! Reads every record when the log is opened, and decides what a bad one means.
//!
//! | where | what is found | what it is |
//! |---|---|---|
//! | below the watermark | anything that cannot be read, or an early end | damage |
//! | not in the newest file | the same: a file is begun when all before it is on disk | damage |
//! | at the end | a bad record, and one that was written when the bad one was on disk | damage |
//! | at the end | a bad record, and none of a later flush | a write that was under way: cut |
//! | at the end | zeros | the end |
//!
//! Blocks of one flush reach the disk in any order, so an intact record behind a bad one says nothing by itself: it says
//! up to where all was on disk before it was written.

use super::error::OpenError;
use super::index::{Index, Place};
use super::record::{Change, Record};
use super::segment::{ENDING, Segment};
use super::types::{LogId, LogState, Vote};
use crate::files::{self, DiskPath};
use crate::watermark::Watermark;
use std::collections::VecDeque;
use std::sync::Arc;

/// What names the files of older builds, whose format is another one.
const OLDER_PREFIX: &str = "r-";

/// What the files hold, all of which is on disk.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) state: LogState,
    pub(super) index: Index,
    pub(super) segments: VecDeque<Arc<Segment>>,
    /// Where the last record ends.
    pub(super) end: u64,
    /// Where the newest file ends, which has zeros from `end` on.
    pub(super) zeros_end: u64,
}

/// The positions at which the files in `dir` begin, in order.
///
/// # Errors
/// [`OpenError::OlderFormat`], or the file system refused.
pub(super) fn starts(dir: &DiskPath) -> Result<Vec<u64>, OpenError> {
    let io = |source| OpenError::Io { path: dir.to_path(), source };
    for path in dir.list().map_err(io)? {
        if path.name().is_some_and(|name| name.starts_with(OLDER_PREFIX)) {
            return Err(OpenError::OlderFormat { path: path.to_path() });
        }
    }
    files::numbered(dir, ENDING).map_err(io)
}

/// Reads all files. Cuts an unfinished write off the end; everything else that is wrong is an error, and then nothing
/// was changed.
pub(super) fn read(
    dir: &DiskPath,
    starts: Vec<u64>,
    watermark: Watermark,
    index: Index,
) -> Result<Found, OpenError> {
    let first = starts.first().copied();
    let mut scan = Scan {
        dir,
        watermark,
        state: LogState::default(),
        index,
        end: first.unwrap_or_default(),
        segments: VecDeque::new(),
        unproven: Vec::new(),
        unbegun: None,
    };
    for (at, start) in starts.iter().enumerate() {
        scan.file(*start, at == 0, starts.get(at + 1).copied())?;
    }
    scan.finish(first)
}

struct Scan<'a> {
    dir: &'a DiskPath,
    watermark: Watermark,
    state: LogState,
    index: Index,
    end: u64,
    segments: VecDeque<Arc<Segment>>,
    /// What is above the watermark, and the zeros behind it: segment, position, bytes.
    unproven: Vec<(Arc<Segment>, u64, Vec<u8>)>,
    /// A newest file without a first record.
    unbegun: Option<DiskPath>,
}

impl Scan<'_> {
    fn damaged<T>(&self, start: u64, what: impl Into<String>) -> Result<T, OpenError> {
        let (path, watermark) = (Segment::path_in(self.dir, start).to_path(), Box::new(self.watermark));
        Err(OpenError::Damaged { path, position: self.end, what: what.into(), watermark })
    }

    fn file(&mut self, start: u64, is_oldest: bool, next: Option<u64>) -> Result<(), OpenError> {
        let path = Segment::path_in(self.dir, start);
        let io = |source| OpenError::Io { path: path.to_path(), source };
        let mut bytes = path.read().map_err(io)?;
        let before = self.state.last;
        let bad = self.records(start, &bytes, is_oldest)?;
        let used = (self.end - start) as usize;
        let behind = bytes.get_mut(used..).unwrap_or_default();
        let is_zero = behind.iter().all(|byte| *byte == 0);
        let what = bad.filter(|_| !is_zero).unwrap_or_else(|| "the log ends".to_owned());
        if next.is_some_and(|next| next != self.end) {
            return self.damaged(start, format!("{what}, and another file follows"));
        }
        if self.end < self.watermark.position && next.is_none() {
            return self.damaged(start, what);
        }
        if !is_zero && next.is_none() {
            if Record::is_followed(self.end, behind) {
                return self.damaged(start, format!("{what}, and a record follows that was written later"));
            }
            tracing::warn!(path = %path.display(), position = self.end, what, "an unfinished write is cut off the log");
        }
        behind.fill(0);
        match used {
            0 if next.is_some() => self.damaged(start, "a file has no beginning"),
            0 if is_oldest && start > 0 => self.damaged(start, "the only file has no beginning"),
            0 => {
                self.unbegun = Some(path);
                Ok(())
            }
            _ => self.keep(start, before, bytes),
        }
    }

    /// Reads records up to the end of the file or one that is bad; says what is wrong with that.
    fn records(&mut self, start: u64, bytes: &[u8], is_oldest: bool) -> Result<Option<String>, OpenError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (record, length) = match Record::decode(self.end, rest) {
                Ok(read) => read,
                Err(what) => return Ok(Some(what)),
            };
            let is_first = self.end == start;
            let wrong = match record.change {
                Change::Begin(_) if !is_first => Some("a file begins inside another one".to_owned()),
                // The oldest one says what was in files that are gone; the others repeat what was read.
                Change::Begin(state) if !is_oldest && state != self.state => {
                    Some("a file begins with another state than the one before it ends with".to_owned())
                }
                Change::Begin(_) => None,
                _ if is_first => Some("a file has no beginning".to_owned()),
                _ => self.wrong(&record.change),
            };
            if let Some(wrong) = wrong {
                return self.damaged(start, wrong);
            }
            self.take(&record.change, Place { position: self.end, length });
            self.end += length as u64;
            rest = rest.get(length..).unwrap_or_default();
        }
        Ok(None)
    }

    /// What is wrong with an intact record that cannot come next.
    fn wrong(&self, change: &Change) -> Option<String> {
        match change {
            Change::Entry { id, .. } if !self.state.is_followed_by(*id) => {
                Some(format!("entry {id} does not follow the one before it"))
            }
            Change::Vote(vote) if older(Some(*vote), self.state.vote) => {
                Some("a vote comes after a newer one".to_owned())
            }
            Change::Committed(id) if Some(*id) < self.state.committed => {
                Some("a committed entry comes after a later one".to_owned())
            }
            _ => None,
        }
    }

    fn take(&mut self, change: &Change, place: Place) {
        match change {
            Change::Entry { id, bytes } => self.index.push_written(*id, bytes.0.len(), place),
            Change::Truncate(last) => self.index.cut_from(last.map_or(0, |last| last.index + 1)),
            Change::Purge(upto) => self.index.drop_upto(upto.index),
            Change::Begin(_) | Change::Vote(_) | Change::Committed(_) => {}
        }
        self.state = self.state.after(change);
    }

    fn keep(&mut self, start: u64, before: Option<LogId>, mut bytes: Vec<u8>) -> Result<(), OpenError> {
        let io = |source| OpenError::Io { path: Segment::path_in(self.dir, start).to_path(), source };
        let segment = Arc::new(Segment::open(self.dir, start, before).map_err(io)?);
        self.segments.push_back(Arc::clone(&segment));
        let known = self.watermark.position.max(start) - start;
        if known <= bytes.len() as u64 {
            let unproven = bytes.split_off(known as usize);
            self.unproven.push((segment, start + known, unproven));
        }
        Ok(())
    }

    fn finish(mut self, first: Option<u64>) -> Result<Found, OpenError> {
        let newest = self.segments.back().map_or(0, |segment| segment.start);
        if self.end < self.watermark.position {
            return self.damaged(newest, "the log ends");
        }
        if older(self.state.vote, self.watermark.vote) {
            return self.damaged(newest, "the vote is older than the one that was on disk");
        }
        // Entries in files that are gone must have been purged.
        let held = match (self.state.last_purged, self.index.first()) {
            (purged, None) => self.state.last == purged,
            (Some(purged), Some(first)) => first.index == purged.index + 1,
            (None, Some(_)) => first == Some(0),
        };
        if !held {
            return self.damaged(newest, "the oldest entries are missing");
        }
        if let Some(path) = self.unbegun.take() {
            tracing::warn!(path = %path.display(), "a file of the log that was not begun is removed");
            let removed = path.remove().and_then(|()| self.dir.sync_dir());
            removed.map_err(|source| OpenError::Io { path: path.to_path(), source })?;
        }
        let zeros_end = self.write_again()?;
        Ok(Found { state: self.state, index: self.index, segments: self.segments, end: self.end, zeros_end })
    }

    /// Writes what lies above the watermark once more, and syncs it. It was read from memory: if its first write failed,
    /// the kernel may hold it for written, and an fsync that succeeds now would prove nothing. The same goes for the
    /// zeros behind it: what was cut there must not come back behind what is written next. Gives the newest file's end.
    fn write_again(&self) -> Result<u64, OpenError> {
        for (segment, position, bytes) in &self.unproven {
            let written = segment.write(*position, bytes).and_then(|()| segment.sync());
            written.map_err(|source| OpenError::Io { path: segment.path().to_owned(), source })?;
        }
        let last = self.unproven.last().map(|(_, position, bytes)| position + bytes.len() as u64);
        Ok(last.unwrap_or_default())
    }
}

fn older(vote: Option<Vote>, than: Option<Vote>) -> bool {
    vote.partial_cmp(&than).is_none_or(std::cmp::Ordering::is_lt)
}
