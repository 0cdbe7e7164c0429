//! The two threads of the log: one that writes, one that keeps the watermark.

use super::OnDurable;
use super::error::LogError;
use super::flushes::{FlushTimes, Flushes};
use super::gate::FlushGate;
use super::index::{Found, Place};
use super::options::{LogOptions, OnDue, OnFatal};
use super::queue::{Op, Queue};
use super::record::{Change, Record};
use super::segment::Segment;
use super::tail::Tail;
use super::types::LogId;
use crate::codec::Blob;
use crate::watermark::{Watermark, WatermarkFile};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

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
    flushed: Mutex<Flushed>,
    flushed_or_stopped: Condvar,
    watermark: Mutex<WatermarkFile>,
    watermark_interval: Duration,
    gate: Option<Arc<FlushGate>>,
    on_due: Option<OnDue>,
    flushes: Flushes,
    on_fatal: Option<OnFatal>,
}

struct Flushed {
    watermark: Watermark,
    stopping: bool,
}

/// Who writes: threads, which dropping it stops, or whoever calls.
pub(super) struct Writer {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Without threads.
    tail: Option<Mutex<Tail>>,
}

/// What came of one flush.
enum Turn {
    /// So many entries were written.
    Done(usize),
    /// The gate dropped them, as a kill does.
    Dropped,
    Failed,
}

impl Writer {
    pub(super) fn start(
        tail: Tail,
        queue: Queue,
        watermark: WatermarkFile,
        options: LogOptions,
    ) -> io::Result<(Arc<Shared>, Self)> {
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            work: Condvar::new(),
            stopped: Condvar::new(),
            flushed: Mutex::new(Flushed { watermark: tail.watermark(), stopping: false }),
            flushed_or_stopped: Condvar::new(),
            watermark: Mutex::new(watermark),
            watermark_interval: Duration::from_millis(options.watermark_interval_ms),
            gate: options.flush_gate,
            on_due: options.on_due,
            flushes: Flushes::default(),
            on_fatal: options.on_fatal,
        });
        let mut writer = Self { shared: Arc::clone(&shared), threads: Vec::new(), tail: None };
        if shared.on_due.is_some() {
            writer.tail = Some(tail.into());
            return Ok((shared, writer));
        }
        writer.spawn("log", |shared| shared.run(tail))?;
        writer.spawn("watermark", Shared::keep_watermark)?;
        Ok((shared, writer))
    }

    pub(super) fn flush_now(&self, with_watermark: bool) {
        let Some(tail) = &self.tail else { return };
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.shared.queue().is_empty() && !matches!(self.shared.turn(&mut tail), Turn::Done(_)) {
            return;
        }
        if with_watermark && let Err(error) = self.shared.put_watermark() {
            self.shared.fail(&error, Vec::new());
        }
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce(&Shared) + Send + 'static) -> io::Result<()> {
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
            if let Some(on_due) = &self.on_due {
                on_due();
            }
        }
        Ok(())
    }

    pub(super) fn read(
        &self,
        from: u64,
        to: u64,
        bytes_max: usize,
    ) -> Result<Vec<(LogId, Vec<u8>)>, LogError> {
        let (found, segments) = {
            let queue = self.queue();
            queue.check()?;
            queue.find(from, to, bytes_max)
        };
        let read = |found| match found {
            Found::Here(id, bytes) => Ok((id, Arc::unwrap_or_clone(bytes))),
            Found::At(id, place) => {
                let read = read_entry(&segments, id, place);
                read.map_err(|message| LogError::Read { index: id.index, message })
            }
        };
        found.into_iter().map(read).collect()
    }

    pub(super) fn flush_times(&self) -> FlushTimes {
        self.flushes.times(now())
    }

    fn run(&self, mut tail: Tail) {
        let mut gather = Duration::ZERO;
        while self.wait_until_due() {
            self.gather(gather);
            let taken = now();
            let entries = match self.turn(&mut tail) {
                Turn::Done(entries) => entries,
                Turn::Dropped => break,
                Turn::Failed => return,
            };
            let is_crowded = entries >= CROWD_ENTRIES;
            gather = if is_crowded { CROWD_INTERVAL.saturating_sub(taken.elapsed()) } else { Duration::ZERO };
        }
        self.close();
    }

    /// One flush of all that waits. Who waits for it is called.
    fn turn(&self, tail: &mut Tail) -> Turn {
        self.flushes.begin(now());
        if !self.gate.as_ref().is_none_or(|gate| gate.pass()) {
            return Turn::Dropped;
        }
        let (batch, ops) = self.queue().take();
        let entries = ops.iter().map(Op::entries).sum();
        match self.write(tail, ops, batch) {
            Ok(done) => {
                self.flushes.end(now());
                done.into_iter().for_each(|done| done(Ok(())));
                Turn::Done(entries)
            }
            Err((error, done)) => {
                self.fail(&error, done);
                Turn::Failed
            }
        }
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

    /// Writes the calls and waits for the disk. Gives back whom to call.
    fn write(
        &self,
        tail: &mut Tail,
        ops: Vec<Op>,
        number: u64,
    ) -> Result<Vec<OnDurable>, (io::Error, Vec<OnDurable>)> {
        let mut batch = Batch::default();
        let mut ops = ops.into_iter();
        for op in ops.by_ref() {
            if let Err(error) = batch.add(tail, op) {
                batch.done.extend(ops.filter_map(done_of));
                return Err((error, batch.done));
            }
        }
        let mut flush = || {
            tail.flush()?;
            self.flushed(tail.watermark(), batch.voted)?;
            if batch.purged { tail.remove_purged() } else { Ok(()) }
        };
        if let Err(error) = flush() {
            return Err((error, batch.done));
        }
        self.queue().written(number, &batch.places, tail.segments());
        Ok(batch.done)
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
        self.flushed.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
        self.flushed_or_stopped.notify_all();
    }
}

/// What becomes of the calls of one flush.
#[derive(Default)]
struct Batch {
    done: Vec<OnDurable>,
    /// By index.
    places: Vec<(u64, Place)>,
    voted: bool,
    purged: bool,
}

impl Batch {
    fn add(&mut self, tail: &mut Tail, op: Op) -> io::Result<()> {
        match op {
            Op::Append { entries, done } => {
                self.done.push(done);
                for (id, bytes) in entries {
                    let place = tail.add(Change::Entry { id, bytes: Blob(bytes.as_slice()) })?;
                    self.places.push((id.index, place));
                }
            }
            Op::Vote { vote, done } => {
                self.voted = true;
                self.done.push(done);
                tail.change(Change::Vote(vote))?;
            }
            Op::Committed(id) => tail.change(Change::Committed(id))?,
            Op::Truncate(last) => tail.change(Change::Truncate(last))?,
            Op::Purge(upto) => {
                self.purged = true;
                tail.change(Change::Purge(upto))?;
            }
            Op::Sync(done) => self.done.push(done),
        }
        Ok(())
    }
}

fn read_entry(
    segments: &VecDeque<Arc<Segment>>,
    id: LogId,
    place: Place,
) -> Result<(LogId, Vec<u8>), String> {
    let segment = segments.iter().rfind(|segment| segment.start <= place.position);
    let segment = segment.ok_or("its file is gone")?;
    let bytes = segment.read(place.position, place.length).map_err(|error| error.to_string())?;
    let damaged = |what| format!("{} at byte {}: {what}", segment.path().display(), place.position);
    match Record::decode(place.position, &bytes).map_err(damaged)?.0.change {
        Change::Entry { id: found, bytes } if found == id => Ok((id, bytes.0)),
        _ => Err(damaged("another record is there".to_owned())),
    }
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
