//! The Raft log, the vote and the committed index: what makes a write durable.
//!
//! One file after the other, each a run of records with zeros behind it ([`tail`]):
//!
//! - **Order and batching.** Calls go into one queue. One thread takes all that is queued, writes it at once, waits for
//!   one fdatasync and then calls back, in call order.
//! - **Verification.** Every record is read when the log is opened ([`scan`]), and again when it is read from its file.
//!   A tail is cut only above the [watermark](crate::watermark), and never when a record follows it that was written
//!   later. Anything else is [`OpenError::Damaged`], and the replica must not vote or serve.
//! - **Failure.** The first failed write or fsync ends the log for ever: its callbacks and all later calls get the
//!   error, and the hook given at open is called, which ends the process. Nothing is tried again, because after
//!   a failed fsync the kernel no longer knows what is on disk. For the same reason the next process writes once
//!   more what it finds above the watermark, before it believes that a sync makes it durable.
//!
//! A [`FlushGate`] holds back everything that is queued before it is written, and can drop it as a kill does. What a
//! power cut may leave of the files is enumerated from the system calls of a real run.

mod error;
mod flushes;
mod gate;
mod index;
mod options;
mod queue;
mod record;
mod scan;
mod segment;
mod tail;
mod types;
mod writer;

pub use error::{LogError, OpenError};
pub use flushes::{FLUSH_BUCKETS_S, FlushTimes};
pub use gate::FlushGate;
pub use options::{LogOptions, OnDue, OnFatal};
pub use types::{LogId, LogState, Vote};

use crate::files::{self, DiskPath};
use crate::watermark::WatermarkFile;
use index::Index;
use queue::{Op, Queue};
use std::io;
use std::sync::Arc;
use tail::Tail;
use writer::{Shared, Writer};

/// Called once, when the write is on disk or has failed.
pub type OnDurable = Box<dyn FnOnce(io::Result<()>) + Send>;

/// A handle to the open log; clones are the same log. The log is closed when the last handle goes: what is
/// queued is written first, unless its gate is held.
#[derive(Clone)]
pub struct Log {
    shared: Arc<Shared>,
    // Dropped with the last handle: stops the threads.
    writer: Arc<Writer>,
}

impl Log {
    /// Opens or makes the log of the data directory `dir`: `dir/log/` and `dir/watermark`. Every record is read and
    /// verified.
    ///
    /// # Errors
    /// [`OpenError::Damaged`]: this replica no longer has what it once confirmed; it must not vote or serve.
    /// [`OpenError::OlderFormat`]: nothing was changed. [`OpenError::Io`]: nothing is known.
    pub fn open(dir: impl Into<DiskPath>, options: LogOptions) -> Result<Self, OpenError> {
        let dir = dir.into();
        let log_dir = dir.join("log");
        let io = |source| OpenError::Io { path: log_dir.to_path(), source };
        files::prepare_dir(&log_dir).map_err(io)?;
        let path = dir.join("watermark");
        let starts = scan::starts(&log_dir)?;
        let watermark = match WatermarkFile::open(&path)? {
            Some(file) => file,
            None if starts.is_empty() => WatermarkFile::create(&path)?,
            None => return Err(OpenError::WatermarkMissing { path: path.to_path() }),
        };
        // Names that the process before left are there, but perhaps not on disk: it may have ended before that.
        dir.sync_dir().and_then(|()| log_dir.sync_dir()).map_err(io)?;
        let found = scan::read(&log_dir, starts, watermark.get(), Index::new(options.cache_bytes_max))?;
        let tail = Tail::of(&log_dir, options.segment_bytes_max, &found).map_err(io)?;
        let queue = Queue::new(found.state, found.index, tail.segments().clone());
        let (shared, writer) = Writer::start(tail, queue, watermark, options).map_err(io)?;
        Ok(Self { shared, writer: Arc::new(writer) })
    }

    /// What the log holds, writes that are still queued included.
    #[must_use]
    pub fn state(&self) -> LogState {
        self.shared.queue().state()
    }

    /// Bytes of the entries that are held, for the decision when to take a snapshot.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shared.queue().bytes()
    }

    /// How long its flushes take.
    #[must_use]
    pub fn flush_times(&self) -> FlushTimes {
        self.shared.flush_times()
    }

    /// Appends `entries`, which follow the last one. They can be read when this returns and are durable when
    /// `on_durable` is called with `Ok`; it is called on the log's own thread and must not wait. Callbacks come in
    /// call order.
    ///
    /// # Errors
    /// Nothing was appended and `on_durable` is not called: the entries do not follow the log
    /// ([`LogError::OutOfOrder`]), or the log has failed.
    pub fn append(&self, entries: Vec<(LogId, Vec<u8>)>, on_durable: OnDurable) -> Result<(), LogError> {
        self.shared.push(|queue| queue.append(entries, on_durable))
    }

    /// Saves `vote`; `on_durable` is called as in [`append`](Self::append), after everything that was called before.
    ///
    /// # Errors
    /// Nothing was saved: `vote` is older than the saved one, or the log has failed.
    pub fn save_vote_then(&self, vote: Vote, on_durable: OnDurable) -> Result<(), LogError> {
        self.shared.push(|queue| queue.save_vote(vote, on_durable))
    }

    /// Saves `vote` and waits until it is durable. Blocks the thread for one fdatasync.
    ///
    /// # Errors
    /// As [`save_vote_then`](Self::save_vote_then); a failed write leaves unknown whether the vote is saved.
    pub fn save_vote(&self, vote: Vote) -> Result<(), LogError> {
        let (done, wait) = std::sync::mpsc::sync_channel(1);
        self.save_vote_then(
            vote,
            Box::new(move |result| {
                let _ = done.send(result);
            }),
        )?;
        match wait.recv() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(LogError::failed(&error)),
            Err(_) => Err(LogError::Closed),
        }
    }

    /// Remembers that entries up to `id` are committed, without waiting for the disk. An id that is older than the
    /// remembered one, or beyond the last entry, is left out.
    ///
    /// # Errors
    /// The log has failed.
    pub fn save_committed(&self, id: Option<LogId>) -> Result<(), LogError> {
        let Some(id) = id else { return Ok(()) };
        self.shared.push(|queue| {
            queue.save_committed(id);
            Ok(())
        })
    }

    /// Removes all entries after `last` (`None`: all). Takes effect for readers at once and on disk in call order.
    ///
    /// # Errors
    /// Nothing was removed: `last` is not in the log, committed entries would go, or the log has failed.
    pub fn truncate_after(&self, last: Option<LogId>) -> Result<(), LogError> {
        self.shared.push(|queue| queue.truncate_after(last))
    }

    /// Removes all entries up to and including `upto`, which may lie beyond the last one (after a snapshot was
    /// installed). Takes effect for readers at once and on disk in call order.
    ///
    /// # Errors
    /// The log has failed.
    pub fn purge(&self, upto: LogId) -> Result<(), LogError> {
        self.shared.push(|queue| {
            queue.purge(upto);
            Ok(())
        })
    }

    /// The entries with `from <= index < to_exclusive` that the log holds, in order and without gaps: as many as fit
    /// into `bytes_max`, but at least one if there is any. Bounds outside the log are moved into it.
    ///
    /// # Errors
    /// An entry cannot be read as it was written, or the log has failed.
    pub fn read(
        &self,
        from: u64,
        to_exclusive: u64,
        bytes_max: usize,
    ) -> Result<Vec<(LogId, Vec<u8>)>, LogError> {
        self.shared.read(from, to_exclusive, bytes_max)
    }

    /// Writes all that waits and syncs it, on this thread, and calls back; then writes the watermark, if
    /// `with_watermark`. Only for a log without threads; for one with threads it does nothing.
    pub fn flush_now(&self, with_watermark: bool) {
        self.writer.flush_now(with_watermark);
    }

    /// Waits until everything that was called before is on disk.
    ///
    /// # Errors
    /// The log has failed: what is on disk is unknown.
    pub fn sync(&self) -> Result<(), LogError> {
        let (done, wait) = std::sync::mpsc::sync_channel(1);
        self.shared.push(|queue| {
            queue.push(Op::Sync(Box::new(move |result| {
                let _ = done.send(result);
            })));
            Ok(())
        })?;
        match wait.recv() {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(LogError::failed(&error)),
            Err(_) => Err(LogError::Closed),
        }
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("state", &self.state()).finish_non_exhaustive()
    }
}
