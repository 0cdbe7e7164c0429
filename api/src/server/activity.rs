//! What a connection is doing, as its deadlines need it.

use super::Limits;
use futures::task::AtomicWaker;
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

/// What is to be done with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Fine,
    /// It has no request and has had none for long.
    Idle,
    /// A request's head does not come, or an answer is not read.
    Stuck,
}

/// Bytes of an answer that may be under way on a connection whose streams are not interleaved before more of it is
/// made: what a client does not read stays on this side of the pieces, not in buffers.
const UNSENT_BYTES_MAX: usize = 16 * 1024;

/// Times are ms since `begun`, plus 1; 0: not so.
pub(super) struct Activity {
    begun: Instant,
    /// Streams are interleaved, so bytes alone do not mean that a head has begun.
    multiplexed: bool,
    in_flight: AtomicU32,
    idle_since: AtomicU64,
    head_since: AtomicU64,
    stalled_since: AtomicU64,
    /// Since when a part of an answer waits for its client to read. Only where streams are interleaved: one that is
    /// not read does not hold up the connection. It ends it all the same, because a stream cannot be ended from here.
    unread: Mutex<BTreeMap<u64, u64>>,
    requests: AtomicU64,
    /// Bytes that were given since all that was given had been sent.
    unsent: AtomicUsize,
    /// Whoever waits to give more.
    giver: AtomicWaker,
}

impl Activity {
    pub(super) fn new(multiplexed: bool) -> Arc<Self> {
        Arc::new(Self {
            begun: Instant::now(),
            multiplexed,
            in_flight: AtomicU32::new(0),
            idle_since: AtomicU64::new(1),
            // Who connects has something to say.
            head_since: AtomicU64::new(u64::from(!multiplexed)),
            stalled_since: AtomicU64::new(0),
            unread: Mutex::default(),
            requests: AtomicU64::new(0),
            unsent: AtomicUsize::new(0),
            giver: AtomicWaker::new(),
        })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// A request begins, until the guard is dropped with its answer.
    pub(super) fn request(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Relaxed);
        self.head_since.store(0, Relaxed);
        InFlight { activity: Arc::clone(self), number: self.requests.fetch_add(1, Relaxed) }
    }

    fn unread(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn verdict(&self, limits: &Limits) -> Verdict {
        let now = self.now();
        let longer = |since: &AtomicU64, limit: std::time::Duration| {
            let since = since.load(Relaxed);
            since > 0 && u128::from(now.saturating_sub(since)) >= limit.as_millis()
        };
        if longer(&self.stalled_since, limits.stall_max) || longer(&self.head_since, limits.head_max) {
            return Verdict::Stuck;
        }
        let stall_ms_max = limits.stall_max.as_millis();
        if self.unread().values().any(|since| u128::from(now.saturating_sub(*since)) >= stall_ms_max) {
            return Verdict::Stuck;
        }
        if self.in_flight.load(Relaxed) == 0 && longer(&self.idle_since, limits.idle_max) {
            return Verdict::Idle;
        }
        Verdict::Fine
    }
}

/// A request that is under way.
pub(super) struct InFlight {
    activity: Arc<Activity>,
    number: u64,
}

impl InFlight {
    /// The connection asks for the next part of the answer: what was given before is on its way.
    pub(super) fn asked(&self) {
        if self.activity.multiplexed {
            self.activity.unread().remove(&self.number);
        }
    }

    /// Whether the next part may be made. HTTP/2 bounds by itself what waits.
    pub(super) fn poll_room(&self, cx: &Context<'_>) -> Poll<()> {
        let activity = &self.activity;
        if activity.multiplexed || activity.unsent.load(Relaxed) < UNSENT_BYTES_MAX {
            return Poll::Ready(());
        }
        activity.giver.register(cx.waker());
        Poll::Pending
    }

    /// A part of the answer was given, so many bytes of it.
    pub(super) fn gave(&self, bytes: usize) {
        if self.activity.multiplexed {
            self.activity.unread().insert(self.number, self.activity.now());
        } else {
            self.activity.unsent.fetch_add(bytes, Relaxed);
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.asked();
        self.activity.idle_since.store(self.activity.now(), Relaxed);
        self.activity.in_flight.fetch_sub(1, Relaxed);
    }
}

/// A stream that notes what happens on it.
pub(super) struct Noted<T> {
    pub(super) inner: T,
    pub(super) activity: Arc<Activity>,
}

impl<T> Noted<T> {
    fn wrote(&self, pending: bool) {
        let stalled = &self.activity.stalled_since;
        match (pending, stalled.load(Relaxed)) {
            (true, 0) => stalled.store(self.activity.now(), Relaxed),
            (false, since) if since > 0 => stalled.store(0, Relaxed),
            _ => {}
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Noted<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(cx, buf))?;
        let activity = &this.activity;
        if buf.filled().len() > before
            && !activity.multiplexed
            && activity.in_flight.load(Relaxed) == 0
            && activity.head_since.load(Relaxed) == 0
        {
            activity.head_since.store(activity.now(), Relaxed);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Noted<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write(cx, buf);
        this.wrote(polled.is_pending());
        polled
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        this.wrote(polled.is_pending());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    /// hyper flushes what is below its own buffer when that is empty: all that was given has been sent.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.inner).poll_flush(cx))?;
        if this.activity.unsent.swap(0, Relaxed) >= UNSENT_BYTES_MAX {
            this.activity.giver.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
