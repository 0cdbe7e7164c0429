//! How many writes may be under way to one cluster: fewer at once when it says that it is overloaded, one more for
//! each window of successes.

use crate::error::{CallError, RefusedKind};
use crate::limits::{WRITES_MAX, WRITES_START};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// The writes under way to one cluster.
#[derive(Clone, Debug, Default)]
pub struct Limiter {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    window: Mutex<Window>,
    changed: Notify,
}

#[derive(Debug)]
struct Window {
    limit: u32,
    taken: u32,
    /// Successes since the limit last moved.
    successes: u32,
    /// Raised at each cut: answers to writes that were sent before the last cut do not cut again.
    cuts: u64,
    gate: Option<Instant>,
}

impl Default for Window {
    fn default() -> Self {
        Self { limit: WRITES_START, taken: 0, successes: 0, cuts: 0, gate: None }
    }
}

impl Limiter {
    /// Waits until a write may start.
    pub async fn acquire(&self) -> Slot {
        loop {
            let changed = self.shared.changed.notified();
            let gate = match self.lock().try_take(Instant::now()) {
                Ok(cuts) => return Slot { limiter: self.clone(), cuts },
                Err(gate) => gate,
            };
            match gate {
                Some(gate) => tokio::time::sleep_until(gate).await,
                None => changed.await,
            }
        }
    }

    /// Waits at most `wait`; `None` if no write may start by then.
    pub async fn acquire_within(&self, wait: Duration) -> Option<Slot> {
        tokio::time::timeout(wait, self.acquire()).await.ok()
    }

    /// How many writes may be under way now.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.lock().limit
    }

    fn lock(&self) -> MutexGuard<'_, Window> {
        self.shared.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    /// The count of cuts so far; or when it is worth asking again, if that is a matter of time.
    fn try_take(&mut self, now: Instant) -> Result<u64, Option<Instant>> {
        if let Some(gate) = self.gate.filter(|&gate| gate > now) {
            return Err(Some(gate));
        }
        self.gate = None;
        if self.taken >= self.limit {
            return Err(None);
        }
        self.taken += 1;
        Ok(self.cuts)
    }

    fn succeeded(&mut self) {
        self.successes += 1;
        if self.successes >= self.limit {
            self.successes = 0;
            self.limit = (self.limit + 1).min(WRITES_MAX);
        }
    }

    fn overloaded(&mut self, sent_after_cuts: u64, now: Instant, retry_after_s: Option<u32>) {
        if sent_after_cuts == self.cuts {
            self.cuts += 1;
            self.successes = 0;
            self.limit = (self.limit / 2).max(1);
        }
        if let Some(seconds) = retry_after_s {
            let gate = now + Duration::from_secs(u64::from(seconds));
            self.gate = Some(self.gate.map_or(gate, |known| known.max(gate)));
        }
    }
}

/// The right to one write. Dropping it gives it back.
#[derive(Debug)]
pub struct Slot {
    limiter: Limiter,
    cuts: u64,
}

impl Slot {
    /// Says what came of the write.
    pub fn finish<T>(self, result: &Result<T, CallError>) {
        let mut window = self.limiter.lock();
        match result {
            Ok(_) => window.succeeded(),
            Err(error) if is_overload(error) => {
                window.overloaded(self.cuts, Instant::now(), error.retry_after_s());
            }
            Err(_) => {}
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut window = self.limiter.lock();
        window.taken = window.taken.saturating_sub(1);
        drop(window);
        self.limiter.shared.changed.notify_waiters();
    }
}

fn is_overload(error: &CallError) -> bool {
    let status = error.answer().map(|answer| answer.status);
    error.refused_kind() == Some(RefusedKind::TooMany) || matches!(status, Some(429 | 503))
}

#[cfg(test)]
mod tests;
