//! openraft's log over the store's log.

use crate::content;
use crate::types::{Entry, LogId, Types, Vote, from_store, to_store, vote_from_store, vote_to_store};
use futures::{Stream, StreamExt, stream};
use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage};
use openraft::{LogState, OptionalSend};
use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, PoisonError};
use tallyman_store::log::{self as store, Log};
use tokio::sync::{mpsc, oneshot};

/// An append carries at most this many bytes, or one entry.
pub(crate) const APPEND_BYTES_MAX: usize = 1024 * 1024;

/// The last entry of this replica that is known to be on its disk.
#[derive(Debug, Default)]
pub(crate) struct Durable(Mutex<Option<LogId>>);

impl Durable {
    /// The last entry that is on disk.
    pub(crate) fn last(&self) -> Option<LogId> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, last: Option<LogId>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    fn cut(&self, last: Option<LogId>) {
        let mut durable = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *durable = (*durable).min(last);
    }

    fn reach(&self, last: Option<LogId>) {
        let mut durable = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *durable = (*durable).max(last);
    }
}

/// The log and its reader in one; clones are the same log.
#[derive(Clone)]
pub(crate) struct LogStore {
    log: Log,
    durable: Arc<Durable>,
    // Closes with the last clone: what waits for the log to be closed waits for this.
    _open: mpsc::Sender<()>,
}

impl LogStore {
    /// Wraps `log`, all of which is on disk. The receiver ends when the last clone is gone.
    pub(crate) fn new(log: Log) -> (Self, mpsc::Receiver<()>) {
        let durable = Durable::default();
        durable.set(log.state().last.as_ref().map(from_store));
        let (open, closed) = mpsc::channel(1);
        (Self { log, durable: Arc::new(durable), _open: open }, closed)
    }

    /// The log itself.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// The vote that is saved and the last entry that is on disk.
    pub(crate) fn durable(&self) -> (Option<Vote>, Option<LogId>) {
        (self.log.state().vote.as_ref().and_then(vote_from_store), self.durable.last())
    }

    fn read(&self, from: u64, to: u64) -> io::Result<Vec<Entry>> {
        let read = self.log.read(from, to, APPEND_BYTES_MAX)?;
        read.into_iter().map(|(id, bytes)| content::decode(from_store(&id), bytes)).collect()
    }

    fn bounds(&self, range: &impl RangeBounds<u64>) -> (u64, u64) {
        let state = self.log.state();
        let from = match range.start_bound() {
            Bound::Included(from) => *from,
            Bound::Excluded(from) => from.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let to = match range.end_bound() {
            Bound::Included(to) => to.saturating_add(1),
            Bound::Excluded(to) => *to,
            Bound::Unbounded => u64::MAX,
        };
        let first = state.last_purged.map_or(0, |id| id.index + 1);
        let end = state.last.map_or(0, |id| id.index + 1);
        (from.max(first), to.min(end))
    }
}

impl RaftLogReader<Types> for LogStore {
    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = Result<Entry, io::Error>> + OptionalSend
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (from, to) = self.bounds(&range);
        let this = self.clone();
        // By pieces: all that is to be applied after a restart may not fit into memory.
        let pieces = stream::unfold(from, move |from| {
            let piece = (from < to).then(|| this.read(from, to));
            let next = match &piece {
                Some(Ok(entries)) => entries.last().map_or(u64::MAX, |entry| entry.log_id.index + 1),
                _ => u64::MAX,
            };
            futures::future::ready(piece.map(|piece| (piece, next)))
        });
        Box::pin(pieces.flat_map(|piece| {
            let entries: Vec<io::Result<Entry>> = match piece {
                Ok(entries) => entries.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            stream::iter(entries)
        }))
    }

    async fn try_get_log_entries<RB>(&mut self, range: RB) -> Result<Vec<Entry>, io::Error>
    where
        RB: RangeBounds<u64> + Clone + Debug + OptionalSend,
    {
        let (mut from, to) = self.bounds(&range);
        let mut entries = Vec::new();
        while from < to {
            let piece = self.read(from, to)?;
            let Some(last) = piece.last() else { break };
            from = last.log_id.index + 1;
            entries.extend(piece);
        }
        Ok(entries)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Result<Vec<Entry>, io::Error> {
        let (from, to) = self.bounds(&(start..end));
        if from < to { self.read(from, to) } else { Ok(Vec::new()) }
    }

    async fn read_vote(&mut self) -> Result<Option<Vote>, io::Error> {
        Ok(self.log.state().vote.as_ref().and_then(vote_from_store))
    }
}

impl RaftLogStorage<Types> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<Types>, io::Error> {
        let state = self.log.state();
        Ok(LogState {
            last_purged_log_id: state.last_purged.as_ref().map(from_store),
            last_log_id: state.last.as_ref().map(from_store),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> Result<(), io::Error> {
        let (done, wait) = oneshot::channel();
        let on_durable: store::OnDurable = Box::new(move |result| {
            let _ = done.send(result);
        });
        self.log.save_vote_then(vote_to_store(vote), on_durable)?;
        wait.await.unwrap_or_else(|_| Err(io::Error::other("the log was closed")))
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Result<(), io::Error> {
        Ok(self.log.save_committed(committed.as_ref().map(to_store))?)
    }

    async fn read_committed(&mut self) -> Result<Option<LogId>, io::Error> {
        Ok(self.log.state().committed.as_ref().map(from_store))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<Types>) -> Result<(), io::Error>
    where
        I: IntoIterator<Item = Entry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut last = None;
        let mut contents = Vec::new();
        for entry in entries {
            last = Some(entry.log_id);
            contents.push((to_store(&entry.log_id), content::encode(entry.payload)?));
        }
        let durable = Arc::clone(&self.durable);
        let on_durable: store::OnDurable = Box::new(move |result| {
            if result.is_ok() {
                durable.reach(last);
            }
            callback.io_completed(result);
        });
        Ok(self.log.append(contents, on_durable)?)
    }

    async fn truncate_after(&mut self, last_log_id: Option<LogId>) -> Result<(), io::Error> {
        let end = self.log.state().last.map(|id| id.index);
        if last_log_id.map(|id| id.index) >= end {
            return Ok(());
        }
        self.durable.cut(last_log_id);
        Ok(self.log.truncate_after(last_log_id.as_ref().map(to_store))?)
    }

    async fn purge(&mut self, log_id: LogId) -> Result<(), io::Error> {
        self.log.purge(to_store(&log_id))?;
        // Only what a snapshot holds is purged, and a snapshot is on disk.
        self.durable.reach(Some(log_id));
        Ok(())
    }
}
