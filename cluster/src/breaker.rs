//! A cluster that does not answer costs one probe at a time, not every call its deadline.

use crate::error::{CallError, NotSent, Unknown, words};
use crate::limits::{BREAKER_FAILURES, BREAKER_OPEN_MS_MAX, BREAKER_OPEN_MS_MIN};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Whether a cluster answered lately. Shared by all that call it.
///
/// While it is open only reads are let through, one at a time: a write to a cluster that may be dead could end as
/// unknown. Somebody must therefore go on reading, as a watch does.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Calls in a row that reached nobody.
    failures: u32,
    /// From this time on one probe at a time is let through; `None`: closed.
    open_until: Option<Instant>,
    is_probing: bool,
    /// What the last failure was, in words.
    why: String,
}

/// The right to one read. Dropping it without [`Pass::finish`] proves nothing.
#[derive(Debug)]
pub(crate) struct Pass {
    breaker: Breaker,
    is_probe: bool,
}

impl Breaker {
    /// For a read.
    ///
    /// # Errors
    /// The cluster is taken for dead and another read is the probe, or it is too early for one.
    pub(crate) fn enter(&self) -> Result<Pass, CallError> {
        let mut state = self.lock();
        let is_probe = match state.open_until {
            None => false,
            Some(until) if until > Instant::now() || state.is_probing => {
                return Err(CallError::held_back(state.why.clone()));
            }
            Some(_) => true,
        };
        state.is_probing |= is_probe;
        Ok(Pass { breaker: self.clone(), is_probe })
    }

    /// Whether a write may be begun.
    ///
    /// # Errors
    /// The cluster is taken for dead.
    pub(crate) fn check(&self) -> Result<(), CallError> {
        let state = self.lock();
        if state.open_until.is_some() { Err(CallError::held_back(state.why.clone())) } else { Ok(()) }
    }

    /// True while the cluster is taken for dead.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().open_until.is_some()
    }

    /// Says what came of a write. That its answer did not come proves nothing: admission webhooks can hang while the
    /// cluster is well.
    pub(crate) fn note_write<T>(&self, result: &Result<T, CallError>) {
        match result {
            Err(error @ CallError::NotSent { why: NotSent::Connect, .. }) => self.lock().failed(false, error),
            Err(error) if !error.was_answered() => {}
            _ => self.lock().answered(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Any answer at all, also a refusal, means that the cluster is there.
    fn answered(&mut self) {
        self.failures = 0;
        self.open_until = None;
    }

    fn failed(&mut self, was_probe: bool, error: &CallError) {
        self.why = words(error);
        self.failures = self.failures.saturating_add(1);
        if was_probe || self.failures >= BREAKER_FAILURES {
            let doublings = self.failures.saturating_sub(BREAKER_FAILURES).min(16);
            let open_ms = (BREAKER_OPEN_MS_MIN << doublings).min(BREAKER_OPEN_MS_MAX);
            self.open_until = Some(Instant::now() + Duration::from_millis(open_ms));
        }
    }
}

impl Pass {
    /// Says what came of the read.
    pub(crate) fn finish<T>(self, result: &Result<T, CallError>) {
        let mut state = self.breaker.lock();
        match result {
            Err(error) if reached_nobody(error) => state.failed(self.is_probe, error),
            Err(error) if !error.was_answered() => {}
            _ => state.answered(),
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        if self.is_probe {
            self.breaker.lock().is_probing = false;
        }
    }
}

fn reached_nobody(error: &CallError) -> bool {
    matches!(
        error,
        CallError::NotSent { why: NotSent::Connect, .. }
            | CallError::Unknown { why: Unknown::Deadline | Unknown::Connection, .. }
    )
}

#[cfg(test)]
mod tests;
