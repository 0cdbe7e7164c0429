//! The two threads of the log: one that writes, one that keeps the watermark.

use super::OnDurable;
use super::error::LogError;
use super::flushes::{FlushTimes, Flushes};
use super::gate::FlushGate;
use super::options::{LogOptions, OnFatal};
use super::queue::{Op, Queue};
use super::scan;
use super::types::{Content, LogId, LogTypes};
use crate::watermark::{Watermark, WatermarkFile};
use raft_log::api::raft_log_writer::RaftLogWriter;
use raft_log::{ChunkId, RaftLog, Segment};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a read is begun anew because entries moved or went while it ran.
const READ_TRIES_MAX: usize = 3;
/// Entries of a batch from which on many are taken to wait, for whom together one flush costs less than several.
const CROWD_ENTRIES: usize = 4;
/// While many wait, flushes begin at least this far apart. A flush, and what follows from it on every replica, costs
/// the same for four entries as for forty; who writes alone never waits.
const CROWD_INTERVAL: Duration = Duration::from_micros(1500);

/// What handles and threads share.
pub(super) struct Shared {
    queue: Mutex<Queue>,
    work: Condvar,
    stopped: Condvar,
    /// `None` once the log is lost or closed.
    raft_log: RwLock<Option<RaftLog<LogTypes>>>,
    flushed: Mutex<Flushed>,
    flushed_or_stopped: Condvar,
    watermark: Mutex<WatermarkFile>,
    watermark_interval: Duration,
    /// Where raft-log's files are, whose errors do not name them.
    dir: PathBuf,
    gate: Option<Arc<FlushGate>>,
    flushes: Flushes,
    on_fatal: Option<OnFatal>,
}

struct Flushed {
    /// The position up to which raft-log was given something.
    written: u64,
    watermark: Watermark,
    stopping: bool,
}

/// The running threads; dropping it stops them.
pub(super) struct Writer {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(
        raft_log: RaftLog<LogTypes>,
        dir: &Path,
        queue: Queue,
        watermark: WatermarkFile,
        end: u64,
        options: LogOptions,
    ) -> io::Result<(Arc<Shared>, Self)> {
        let state = queue.state();
        let found = Watermark { position: end, last: state.last, vote: state.vote };
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            work: Condvar::new(),
            stopped: Condvar::new(),
            raft_log: RwLock::new(Some(raft_log)),
            flushed: Mutex::new(Flushed { written: end, watermark: found, stopping: false }),
            flushed_or_stopped: Condvar::new(),
            watermark: Mutex::new(watermark),
            watermark_interval: Duration::from_millis(options.watermark_interval_ms),
            dir: dir.to_owned(),
            gate: options.flush_gate,
            flushes: Flushes::default(),
            on_fatal: options.on_fatal,
        });
        let mut writer = Self { shared: Arc::clone(&shared), threads: Vec::new() };
        // What was read at open may be in memory only, if the machine went on after a kill.
        shared.write(vec![Op::Sync(Box::new(|_| {}))], 0).map_err(|(error, _)| error)?;
        writer.spawn("log", Shared::run)?;
        writer.spawn("watermark", Shared::keep_watermark)?;
        Ok((shared, writer))
    }

    fn spawn(&mut self, name: &str, run: fn(&Shared)) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || run(&shared))?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(gate) = &self.shared.gate {
            gate.lose_if_held();
        }
        self.shared.queue().stopping = true;
        self.shared.work.notify_all();
        self.shared.stopped.notify_all();
        for thread in self.threads.drain(..) {
            // The last handle may go inside a callback, on the log's own thread: that closes by itself.
            if thread.thread().id() == std::thread::current().id() {
                return;
            }
            let _ = thread.join();
            self.shared.close();
        }
    }
}

impl Shared {
    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, call: impl FnOnce(&mut Queue) -> Result<(), LogError>) -> Result<(), LogError> {
        let mut queue = self.queue();
        queue.check()?;
        call(&mut queue)?;
        if queue.is_due() {
            self.work.notify_all();
        }
        Ok(())
    }

    pub(super) fn read(
        &self,
        from: u64,
        to: u64,
        bytes_max: usize,
    ) -> Result<Vec<(LogId, Vec<u8>)>, LogError> {
        let mut missing = from;
        for _ in 0..READ_TRIES_MAX {
            let (first, end, recent) = {
                let queue = self.queue();
                queue.check()?;
                queue.recent(from, to)
            };
            let cold_end = recent.first().map_or(end, |(id, _)| id.index);
            let mut read = Taken { next: first, left: bytes_max, entries: Vec::new(), full: false };
            self.read_cold(first, cold_end, &mut read)?;
            if !read.full && read.next == cold_end {
                recent.into_iter().for_each(|(id, bytes)| read.take(id, bytes));
            }
            if read.full || read.next == end {
                return Ok(read.entries);
            }
            missing = read.next;
        }
        Err(LogError::Read { index: missing, message: "it is not there".to_owned() })
    }

    fn read_cold(&self, from: u64, to: u64, read: &mut Taken) -> Result<(), LogError> {
        let raft_log = self.raft_log.read().unwrap_or_else(PoisonError::into_inner);
        let Some(raft_log) = raft_log.as_ref() else { return Err(LogError::Closed) };
        for entry in raft_log.read(from, to) {
            let index = read.next;
            let (id, content) =
                entry.map_err(|error| LogError::Read { index, message: error.to_string() })?;
            if content.id != id {
                return Err(LogError::Read {
                    index,
                    message: format!("it holds the content of {}", content.id),
                });
            }
            read.take(id, content.bytes);
            if read.full {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn flush_times(&self) -> FlushTimes {
        self.flushes.times(now())
    }

    fn run(&self) {
        let mut gather = Duration::ZERO;
        while self.wait_until_due() {
            self.gather(gather);
            self.flushes.begin(now());
            if !self.gate.as_ref().is_none_or(|gate| gate.pass()) {
                break;
            }
            let taken = now();
            let (batch, ops) = self.queue().take();
            let entries: usize = ops.iter().map(Op::entries).sum();
            match self.write(ops, batch) {
                Ok(done) => {
                    self.flushes.end(now());
                    done.into_iter().for_each(|done| done(Ok(())));
                }
                Err((error, done)) => return self.fail(&error, done),
            }
            let is_crowded = entries >= CROWD_ENTRIES;
            gather = if is_crowded { CROWD_INTERVAL.saturating_sub(taken.elapsed()) } else { Duration::ZERO };
        }
        self.close();
    }

    /// False: there is nothing to do any more, ever.
    fn wait_until_due(&self) -> bool {
        let mut queue = self.queue();
        while !queue.is_due() && !queue.stopping {
            let waited = self.work.wait_timeout(queue, self.watermark_interval);
            let (woken, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            queue = woken;
            // A committed index that nothing carried to disk goes there when the log is idle.
            if timeout.timed_out() && !queue.is_empty() {
                queue.push(Op::Sync(Box::new(|_| {})));
            }
        }
        !queue.is_empty()
    }

    /// Lets calls come together for that long.
    fn gather(&self, time: Duration) {
        if !time.is_zero() {
            let queue = self.queue();
            drop(self.stopped.wait_timeout_while(queue, time, |queue| !queue.stopping));
        }
    }

    /// Hands the calls to raft-log and waits for the disk. Gives back whom to call.
    fn write(&self, ops: Vec<Op>, batch: u64) -> Result<Vec<OnDurable>, (io::Error, Vec<OnDurable>)> {
        let position = self.flushed.lock().unwrap_or_else(PoisonError::into_inner).written;
        let mut batch = Batch { done: Vec::new(), sync: false, voted: false, number: batch, position };
        let mut guard = self.raft_log.write().unwrap_or_else(PoisonError::into_inner);
        let Some(raft_log) = guard.as_mut() else {
            return Err((closed(), ops.into_iter().filter_map(done_of).collect()));
        };
        let mut ops = ops.into_iter();
        for op in ops.by_ref() {
            if let Err(error) = batch.apply(raft_log, op) {
                batch.done.extend(ops.filter_map(done_of));
                return Err((self.named(&error), batch.done));
            }
        }
        self.flushed.lock().unwrap_or_else(PoisonError::into_inner).written = batch.position;
        if !batch.sync {
            return Ok(batch.done);
        }
        let (flushed, wait) = sync_channel(1);
        let sent = raft_log.flush(true, Some(flushed));
        let state = raft_log.log_state();
        let watermark =
            Watermark { position: batch.position, last: state.last().copied(), vote: state.vote().copied() };
        drop(guard);
        self.queue().forget_recent(batch.number);
        let result = sent.and_then(|()| wait.recv().unwrap_or_else(|_| Err(closed())));
        let result = result.map_err(|error| self.named(&error));
        let result = result.and_then(|()| self.flushed(watermark, batch.voted));
        match result {
            Ok(()) => Ok(batch.done),
            Err(error) => Err((error, batch.done)),
        }
    }

    /// The error with the newest file's name: that is the one that is written.
    fn named(&self, error: &io::Error) -> io::Error {
        let newest = scan::chunk_starts(&self.dir).ok().and_then(|starts| starts.last().copied());
        let path = newest.map_or_else(
            || self.dir.clone(),
            |start| raft_log::Config::new(self.dir.display()).wal.chunk_path(ChunkId(start)).into(),
        );
        io::Error::new(error.kind(), format!("{}: {error}", path.display()))
    }

    fn flushed(&self, watermark: Watermark, voted: bool) -> io::Result<()> {
        self.flushed.lock().unwrap_or_else(PoisonError::into_inner).watermark = watermark;
        // A vote that is forgotten can be given twice, so it does not wait for its turn.
        if voted { self.put_watermark() } else { Ok(()) }
    }

    fn put_watermark(&self) -> io::Result<()> {
        let mut file = self.watermark.lock().unwrap_or_else(PoisonError::into_inner);
        let watermark = self.flushed.lock().unwrap_or_else(PoisonError::into_inner).watermark;
        file.put(watermark).map_err(io::Error::from)
    }

    fn keep_watermark(&self) {
        let mut stopping = false;
        while !stopping {
            {
                let flushed = self.flushed.lock().unwrap_or_else(PoisonError::into_inner);
                let waited =
                    self.flushed_or_stopped
                        .wait_timeout_while(flushed, self.watermark_interval, |f| !f.stopping);
                stopping = waited.unwrap_or_else(PoisonError::into_inner).0.stopping;
            }
            if let Err(error) = self.put_watermark() {
                return self.fail(&error, Vec::new());
            }
        }
    }

    /// The log is over: everybody who waits is told, then the process is ended by the hook.
    fn fail(&self, error: &io::Error, done: Vec<OnDurable>) {
        let (first, waiting) = {
            let mut queue = self.queue();
            let first = queue.check().is_ok() || queue.stopping;
            (first, queue.fail(error))
        };
        let message = error.to_string();
        for done in done.into_iter().chain(waiting.into_iter().filter_map(done_of)) {
            done(Err(io::Error::new(error.kind(), message.clone())));
        }
        tracing::error!(%error, "the log cannot be written");
        if first && let Some(on_fatal) = &self.on_fatal {
            on_fatal(error);
        }
    }

    /// Ends both threads' work and closes the files.
    fn close(&self) {
        self.queue().stopping = true;
        *self.raft_log.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.flushed.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
        self.flushed_or_stopped.notify_all();
    }
}

struct Taken {
    next: u64,
    left: usize,
    entries: Vec<(LogId, Vec<u8>)>,
    full: bool,
}

impl Taken {
    /// Takes the entry if it is the next one and fits; the first one always fits.
    fn take(&mut self, id: LogId, bytes: Arc<Vec<u8>>) {
        if self.full || id.index != self.next {
            return;
        }
        if bytes.len() > self.left && !self.entries.is_empty() {
            self.full = true;
            return;
        }
        self.left = self.left.saturating_sub(bytes.len());
        self.next += 1;
        self.entries.push((id, Arc::unwrap_or_clone(bytes)));
    }
}

struct Batch {
    done: Vec<OnDurable>,
    sync: bool,
    voted: bool,
    number: u64,
    position: u64,
}

impl Batch {
    fn apply(&mut self, raft_log: &mut RaftLog<LogTypes>, op: Op) -> io::Result<()> {
        self.sync |= !matches!(op, Op::Committed(_));
        let last = match op {
            Op::Append { entries, done } => {
                self.done.push(done);
                raft_log.append(entries.into_iter().map(|(id, bytes)| (id, Content { id, bytes })))?
            }
            Op::Vote { vote, done } => {
                self.voted = true;
                self.done.push(done);
                raft_log.save_vote(vote)?
            }
            Op::Committed(id) => raft_log.commit(id)?,
            Op::Truncate(last) => raft_log.truncate(last.map_or(0, |id| id.index + 1))?,
            Op::Purge(upto) => purge(raft_log, upto)?,
            Op::Sync(done) => {
                self.done.push(done);
                return Ok(());
            }
        };
        self.position = last.offset + last.size;
        Ok(())
    }
}

/// raft-log keeps its last id when that is of a later term than `upto`, even if all entries go: a tail that was
/// never committed would then outlive the snapshot that replaced it. So such a tail is cut first.
fn purge(raft_log: &mut RaftLog<LogTypes>, upto: LogId) -> io::Result<Segment> {
    let state = raft_log.log_state();
    let last = state.last().copied();
    if last.is_some_and(|last| last.index <= upto.index && last > upto) {
        let keep = state.committed().max(state.purged()).copied();
        raft_log.truncate(keep.map_or(0, |id| id.index + 1))?;
    }
    raft_log.purge(upto)
}

fn done_of(op: Op) -> Option<OnDurable> {
    match op {
        Op::Append { done, .. } | Op::Vote { done, .. } | Op::Sync(done) => Some(done),
        Op::Committed(_) | Op::Truncate(_) | Op::Purge(_) => None,
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a thread that waits for a disk: no paused clock can move either"
)]
fn now() -> Instant {
    Instant::now()
}

fn closed() -> io::Error {
    io::Error::other("the log's writer has ended")
}
