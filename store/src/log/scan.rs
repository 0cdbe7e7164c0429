//! Reads every record before raft-log does, and decides what a bad one means.
//!
//! | where | what is found | what it is |
//! |---|---|---|
//! | below the watermark | anything that cannot be read, or an early end | damage |
//! | not in the newest file | anything that cannot be read | damage |
//! | at the end, above the watermark | an intact entry or vote after the bad record | damage: writes go in order |
//! | at the end, above the watermark | nothing intact after it | a write that was under way: cut |

use super::error::OpenError;
use super::types::{LogId, LogState, LogTypes, Vote};
use crate::codec::{self, Kind};
use crate::files;
use crate::watermark::Watermark;
use raft_log::chunked_wal::Config as WalConfig;
use raft_log::codeq::Decode;
use raft_log::{ChunkId, Config, RaftLogAction, RaftLogRecord, WALRecord};
use std::collections::VecDeque;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes of raft-log's checksum behind the fields of a record.
const RECORD_CHECKSUM_BYTES: usize = 8;
/// Where the envelope of the vote is in the state that a file begins with: behind type, version, presence and length.
const STATE_VOTE_AT: usize = 14;

/// The lengths of the entries that are held, and their sum.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    first: u64,
    sizes: VecDeque<u64>,
    total: u64,
}

impl Sizes {
    pub(super) fn push(&mut self, index: u64, bytes: usize) {
        if self.sizes.is_empty() {
            self.first = index;
        }
        self.sizes.push_back(bytes as u64);
        self.total += bytes as u64;
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// The first index that is held.
    pub(super) fn first(&self) -> Option<u64> {
        (!self.sizes.is_empty()).then_some(self.first)
    }

    fn next(&self) -> u64 {
        self.first + self.sizes.len() as u64
    }

    pub(super) fn holds(&self, id: Option<LogId>) -> bool {
        id.is_none_or(|id| (self.first..self.next()).contains(&id.index))
    }

    pub(super) fn cut_from(&mut self, index: u64) {
        while self.next() > index
            && let Some(size) = self.sizes.pop_back()
        {
            self.total -= size;
        }
    }

    pub(super) fn drop_upto(&mut self, index: u64) {
        while self.first <= index
            && let Some(size) = self.sizes.pop_front()
        {
            self.total -= size;
            self.first += 1;
        }
    }
}

/// What the files hold.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) state: LogState,
    pub(super) sizes: Sizes,
    /// The position of the end.
    pub(super) end: u64,
}

/// The positions at which the files in `dir` begin, in order.
pub(super) fn chunk_starts(dir: &Path) -> io::Result<Vec<u64>> {
    let mut starts = Vec::new();
    for entry in fs::read_dir(dir)? {
        if let Some(start) =
            entry?.file_name().to_str().and_then(|name| WalConfig::parse_chunk_file_name(name).ok())
        {
            starts.push(start);
        }
    }
    starts.sort_unstable();
    Ok(starts)
}

/// Reads all files. Cuts an unfinished write off the end; everything else that is wrong is an error.
pub(super) fn verify(
    config: &Config,
    mut chunks: Vec<u64>,
    watermark: Watermark,
) -> Result<Found, OpenError> {
    drop_unbegun(config, &mut chunks, watermark)?;
    let mut scan = Scan {
        config,
        watermark,
        state: LogState::default(),
        sizes: Sizes::default(),
        end: 0,
        is_begun: false,
    };
    if let Some(first) = chunks.first() {
        scan.end = *first;
    }
    for (at, start) in chunks.iter().enumerate() {
        scan.chunk(*start, at + 1 == chunks.len())?;
    }
    scan.finish(&chunks)
}

/// Writes what lies above the watermark once more, and syncs it. It was read from memory: if its first write failed,
/// the kernel may hold it for written, and an fsync that succeeds now would prove nothing.
pub(super) fn write_again(config: &Config, watermark: Watermark) -> Result<(), OpenError> {
    let dir = Path::new(&config.wal.dir);
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| OpenError::Io { path, source }
    };
    for start in chunk_starts(dir).map_err(io(dir))? {
        let path: PathBuf = config.wal.chunk_path(ChunkId(start)).into();
        let bytes = fs::read(&path).map_err(io(&path))?;
        let from = watermark.position.saturating_sub(start);
        if let Some(tail) = usize::try_from(from).ok().and_then(|from| bytes.get(from..))
            && !tail.is_empty()
        {
            let file = OpenOptions::new().write(true).open(&path).map_err(io(&path))?;
            file.write_all_at(tail, from).and_then(|()| file.sync_all()).map_err(io(&path))?;
        }
    }
    Ok(())
}

/// A new file is made before the end of the one before it is on disk. If its own first record is not there, then it
/// says nothing about the one before, which is the newest.
fn drop_unbegun(config: &Config, chunks: &mut Vec<u64>, watermark: Watermark) -> Result<(), OpenError> {
    while let [.., _, newest] = chunks.as_slice() {
        let path: PathBuf = config.wal.chunk_path(ChunkId(*newest)).into();
        let io = |source| OpenError::Io { path: path.clone(), source };
        let bytes = fs::read(&path).map_err(io)?;
        let begun = RaftLogRecord::<LogTypes>::decode(bytes.as_slice()).is_ok();
        // The vote of its torn first record is no record that follows it.
        let behind = bytes.get(STATE_VOTE_AT + 1..).unwrap_or_default();
        if begun || *newest < watermark.position || holds_a_record(behind) {
            break;
        }
        tracing::warn!(path = %path.display(), bytes = bytes.len(), "a file of the log that was not begun is removed");
        fs::remove_file(&path).map_err(io)?;
        files::sync_dir(Path::new(&config.wal.dir)).map_err(io)?;
        chunks.pop();
    }
    Ok(())
}

/// True when a whole entry or vote is somewhere in `bytes`.
fn holds_a_record(bytes: &[u8]) -> bool {
    [Kind::LogEntry, Kind::Vote].iter().any(|kind| codec::contains(*kind, bytes, RECORD_CHECKSUM_BYTES))
}

struct Scan<'a> {
    config: &'a Config,
    watermark: Watermark,
    state: LogState,
    sizes: Sizes,
    end: u64,
    /// The state that the oldest file begins with was read.
    is_begun: bool,
}

impl Scan<'_> {
    fn path(&self, start: u64) -> PathBuf {
        self.config.wal.chunk_path(ChunkId(start)).into()
    }

    fn damaged<T>(&self, start: u64, what: impl Into<String>) -> Result<T, OpenError> {
        let (path, watermark) = (self.path(start), Box::new(self.watermark));
        Err(OpenError::Damaged { path, position: self.end, what: what.into(), watermark })
    }

    fn chunk(&mut self, start: u64, newest: bool) -> Result<(), OpenError> {
        if start != self.end {
            return self.damaged(start, "a file is missing or too short");
        }
        let path = self.path(start);
        let bytes = fs::read(&path).map_err(|source| OpenError::Io { path: path.clone(), source })?;
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let before = rest;
            match RaftLogRecord::<LogTypes>::decode(&mut rest) {
                Ok(record) => {
                    self.record(start, record)?;
                    self.end += (before.len() - rest.len()) as u64;
                }
                Err(error) if newest => return self.tail(start, before, &error),
                Err(error) => return self.damaged(start, error.to_string()),
            }
        }
        Ok(())
    }

    /// The newest file cannot be read from `self.end` on.
    fn tail(&mut self, start: u64, bad: &[u8], error: &io::Error) -> Result<(), OpenError> {
        if self.end < self.watermark.position {
            return self.damaged(start, error.to_string());
        }
        if holds_a_record(bad) {
            return self.damaged(start, format!("{error}, and an intact record follows"));
        }
        let path = self.path(start);
        tracing::warn!(path = %path.display(), position = self.end, bytes = bad.len(), %error, "an unfinished write is cut off the log");
        let io = |source| OpenError::Io { path: path.clone(), source };
        if self.end == start && start > 0 {
            return self.damaged(start, "the only file has no beginning");
        }
        if self.end > start {
            let file = OpenOptions::new().write(true).open(&path).map_err(io)?;
            file.set_len(self.end - start).map_err(io)?;
            return file.sync_all().map_err(io);
        }
        fs::remove_file(&path).map_err(io)?;
        files::sync_dir(Path::new(&self.config.wal.dir)).map_err(io)
    }

    fn record(&mut self, start: u64, record: RaftLogRecord<LogTypes>) -> Result<(), OpenError> {
        match record {
            WALRecord::Action(RaftLogAction::Append(id, content)) => {
                if content.id != id {
                    return self
                        .damaged(start, format!("entry {id} holds the content of entry {}", content.id));
                }
                if self.sizes.first().is_some() && self.sizes.next() != id.index {
                    return self.damaged(start, format!("entry {id} where {} should be", self.sizes.next()));
                }
                self.sizes.push(id.index, content.bytes.len());
                self.state.last = Some(id);
            }
            WALRecord::Action(RaftLogAction::SaveVote(vote)) => {
                if older(Some(vote), self.state.vote) {
                    return self.damaged(start, "a vote comes after a newer one");
                }
                self.state.vote = Some(vote);
            }
            WALRecord::Action(RaftLogAction::Commit(id)) => {
                if Some(id) < self.state.committed {
                    return self.damaged(start, "a committed entry comes after a later one");
                }
                self.state.committed = Some(id);
            }
            WALRecord::Action(RaftLogAction::TruncateAfter(last)) => {
                self.sizes.cut_from(last.map_or(0, |id| id.index + 1));
                self.state.last = last.min(self.state.last);
            }
            WALRecord::Action(RaftLogAction::PurgeUpto(upto)) => {
                self.sizes.drop_upto(upto.index);
                self.state.last_purged = self.state.last_purged.max(Some(upto));
                self.state.last = self.state.last.max(Some(upto));
            }
            WALRecord::Checkpoint(state) => {
                let state = LogState {
                    last_purged: state.purged().copied(),
                    last: state.last().copied(),
                    vote: state.vote().copied(),
                    committed: state.committed().copied(),
                };
                // The first one says what was in files that are gone; the others repeat what was read.
                if self.end > start || (self.is_begun && state != self.state) {
                    return self
                        .damaged(start, "a file begins with another state than the one before it ends with");
                }
                (self.state, self.is_begun) = (state, true);
            }
        }
        Ok(())
    }

    fn finish(self, chunks: &[u64]) -> Result<Found, OpenError> {
        let newest = chunks.last().copied().unwrap_or_default();
        if self.end < self.watermark.position {
            return self.damaged(newest, "the log ends");
        }
        if older(self.state.vote, self.watermark.vote) {
            return self.damaged(newest, "the vote is older than the one that was on disk");
        }
        // Entries in files that are gone must have been purged.
        let held = match (self.state.last_purged, self.sizes.first()) {
            (purged, None) => self.state.last == purged,
            (Some(purged), Some(first)) => first == purged.index + 1,
            (None, Some(_)) => chunks.first() == Some(&0),
        };
        if !held {
            return self.damaged(newest, "the oldest entries are missing");
        }
        Ok(Found { state: self.state, sizes: self.sizes, end: self.end })
    }
}

fn older(vote: Option<Vote>, than: Option<Vote>) -> bool {
    vote.partial_cmp(&than).is_none_or(std::cmp::Ordering::is_lt)
}
